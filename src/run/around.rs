//! Hooks around a stage or the run: recorded before they begin, and never run twice in silence.

use crate::event::Event;
use crate::event::SinkError;
use crate::event::ledger::Progress;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::model::hook::Around;
use crate::model::hook::Errand;
use crate::model::hook::Turn;
use crate::model::plan::Plan;
use crate::model::plan::PlannedStage;
use crate::model::plan::PlannedWork;
use crate::model::template;
use crate::run::action::Hooked;
use crate::run::history::History;
use crate::run::history::StepHistory;
use crate::run::hook;
use crate::run::means::Means;
use crate::run::means::lock;
use crate::run::program::Order;

/// The hooks around a stage of the plan, or around the run.
pub fn of(plan: &Plan, stage: Option<usize>) -> &Around {
    const NONE: &Around = &Around { before: Vec::new(), after: Vec::new() };
    match stage {
        Some(stage) => plan.stages.get(stage).map_or(NONE, |stage| &stage.hooks),
        None => &plan.conditions.around,
    }
}

/// Places at which earlier processes have worked, and whose hooks after the work have not all run.
pub fn owed(plan: &Plan, history: &History) -> Vec<Option<usize>> {
    let worked = |stage: &PlannedStage| match &stage.work {
        PlannedWork::Hosts { batches, restarts, .. } => {
            let mut hosts = batches.iter().flatten().chain(restarts);
            hosts.any(|host| history.hosts.get(host).is_some_and(|own| own.begun))
        }
        PlannedWork::Step(step) => matches!(
            history.step(&step.organisation, &stage.name),
            Some(StepHistory::Verified(_) | StepHistory::InDoubt)
        ),
    };
    let stages = plan.stages.iter().enumerate().filter(|(_, stage)| worked(stage));
    let mut places: Vec<Option<usize>> = stages.map(|(place, _)| Some(place)).collect();
    if !places.is_empty() {
        places.push(None);
    }
    places.retain(|place| {
        let name = place.and_then(|place| plan.stages.get(place)).map(|stage| stage.name.as_str());
        let is_done =
            |hook: &String| history.hooks.progress(name, Turn::After, hook) == Some(Progress::Done);
        !of(plan, *place).after.iter().all(is_done)
    });
    places
}

/// Runs the hooks of one turn. Those before and after end with the first that fails; what has been
/// begun is taken back as a whole, whatever fails.
pub async fn around<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    stage: Option<usize>,
    turn: Turn,
) -> Result<Hooked, SinkError> {
    let mut failed = None;
    for errand in errands(means, stage, turn) {
        match one(means, &errand).await? {
            Ok(()) => {}
            Err(text) if turn == Turn::Undo => {
                failed.get_or_insert(text);
            }
            Err(text) => return Ok(Hooked::Failed(text)),
        }
    }
    Ok(failed.map_or(Hooked::Done, Hooked::Failed))
}

fn errands<C, K>(means: &Means<'_, C, K>, stage: Option<usize>, turn: Turn) -> Vec<Errand> {
    let around = of(means.plan, stage);
    let stage = stage.and_then(|stage| means.plan.stages.get(stage)).map(|own| own.name.clone());
    let errand =
        |hook: &String| Errand { stage: stage.clone(), turn, hook: hook.clone(), undoes: None };
    match turn {
        Turn::Before => around.before.iter().map(errand).collect(),
        Turn::After => around.after.iter().map(errand).collect(),
        Turn::Undo => {
            let ledger = lock(&means.ledger);
            let begun = around
                .before
                .iter()
                .rev()
                .filter(|hook| ledger.progress(stage.as_deref(), Turn::Before, hook).is_some());
            let undone = begun.filter_map(|hook| {
                let undo = means.plan.conditions.hooks.get(hook)?.undo.as_ref()?;
                Some(Errand { undoes: Some(hook.clone()), ..errand(undo) })
            });
            undone.collect()
        }
    }
}

/// The inner error says why the hook did not do what it is there for.
async fn one<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    errand: &Errand,
) -> Result<Result<(), String>, SinkError> {
    let skipped = |reason: &str| {
        let reason = reason.to_owned();
        Event::StageHookSkipped { errand: errand.clone(), reason }
    };
    if means.rehearsal {
        means.emit(skipped("a rehearsal runs no hook"))?;
        return Ok(Ok(()));
    }
    let booked = errand.undoes.as_ref().unwrap_or(&errand.hook);
    let progress = lock(&means.ledger).progress(errand.stage.as_deref(), errand.turn, booked);
    let again = match (errand.turn, progress) {
        (Turn::Before | Turn::After, Some(Progress::Done)) => {
            means.emit(skipped("it ran in an earlier part of this run, and was not taken back"))?;
            return Ok(Ok(()));
        }
        (Turn::Before | Turn::After, Some(Progress::Begun | Progress::Undoing))
        | (Turn::Undo, Some(Progress::Undoing)) => true,
        (Turn::Undo, Some(Progress::Begun | Progress::Done)) | (_, None) => false,
    };
    let failed = |text: String| format!("hook `{}` {}: {text}", errand.hook, errand.place());
    let Some(hook) = means.plan.conditions.hooks.get(&errand.hook) else {
        return Ok(Err(failed("the plan does not have it".to_owned())));
    };
    let change = means.plan.conditions.change.as_deref();
    let stage = errand.stage.as_deref();
    let argv: Result<Vec<String>, String> = hook
        .argv
        .iter()
        .map(|part| template::fill_around(part, stage, change, means.run))
        .collect();
    let order = argv.and_then(|argv| Order::new(means.plan, &hook.run_on, None, argv));
    let order = match order {
        Ok(order) => order,
        Err(text) => return Ok(Err(failed(text))),
    };
    // INVARIANT: what a hook may do is recorded before it begins.
    tell(means, Event::StageHookIntended { errand: errand.clone(), again })?;
    let (ok, said) = hook::program(means, &order, hook.timeout).await?;
    let ended = Event::StageHookEnded { errand: errand.clone(), ok, said: said.clone() };
    tell(means, ended)?;
    Ok(if ok { Ok(()) } else { Err(failed(said)) })
}

fn tell<C: Connect, K: Clock>(means: &Means<'_, C, K>, event: Event) -> Result<(), SinkError> {
    lock(&means.ledger).take(&event);
    means.emit(event)
}
