//! `undo RUN`: what a run wrote, read again, swapped, shown, and taken back as any plan is.

use crate::cli::apply;
use crate::cli::apply::How;
use crate::cli::approve;
use crate::cli::console::Console;
use crate::cli::console::TOOL;
use crate::cli::plan;
use crate::cli::prepare::Prepared;
use crate::cli::prepare::uuid;
use crate::cli::recorded::BrokenPlan;
use crate::cli::recorded::recorded;
use crate::cli::reopen::of_programs;
use crate::cli::request::PlanRequest;
use crate::cli::request::UndoRequest;
use crate::cli::reread::Reread;
use crate::cli::reread::reread;
use crate::cli::runs;
use crate::cli::runs::Checked;
use crate::cli::stats;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::host::link::Clock;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedWork;
use crate::model::preflight::Waiver;
use crate::net::clock::SystemClock;
use crate::plan::undo::UndoInput;
use crate::plan::undo::questions;
use crate::run::history::History;

pub fn run(request: &UndoRequest, console: &mut Console) -> Result<Exit, Stop> {
    let runtime = crate::cli::runtime()?;
    let done = runtime.block_on(undo(request, console));
    runtime.shutdown_background();
    done
}

async fn undo(request: &UndoRequest, console: &mut Console) -> Result<Exit, Stop> {
    let folder = runs::find(&request.plan.state, &request.run)?;
    let Checked { sealed, journal, .. } = runs::check(&folder)?;
    if sealed.plan.lab {
        return Err(Stop::new(Exit::Refused, "the simulated farm of that run ended with it")
            .hint("to try an undo, keep a farm up with: rmsfleet lab serve"));
    }
    if journal.unknown > 0 {
        let text = format!("the journal has {} events of a newer version", journal.unknown);
        return Err(Stop::new(Exit::Refused, text).hint("undo with that version of rmsfleet"));
    }
    let written = History::of(&journal.records).written();
    let probes = questions(&sealed.plan, &written);
    if probes.is_empty() {
        let text = format!("run {} wrote nothing: there is nothing to take back", folder.id);
        console.did("Unchanged", &text)?;
        return Ok(Exit::Ok);
    }
    let others = recorded(&request.plan.state, BrokenPlan::IsSkipped, console)?;
    let since = others.since(&folder.id);
    let waivers = waivers(&request.plan, &sealed.plan)?;
    let Reread { survey, wired, stats } =
        reread(&sealed.plan, &probes, of_programs(&sealed.plan), &request.plan, console).await?;
    let plan = crate::plan::undo::undo(&UndoInput {
        id: uuid()?,
        now: SystemClock.now(),
        tool: TOOL.to_owned(),
        run: &folder.id,
        original: &sealed,
        written: &written,
        survey: &survey,
        since: &since,
        waivers: &waivers,
        waived_servers: &request.plan.consent.waive_servers,
    });
    let blocked = plan.hosts.values().any(PlannedHost::is_blocked);
    if let Some(out) = &request.plan.out {
        plan::show_and_keep(&plan, Some(out), console)?;
        if console.output.stats {
            stats::show(&stats, console)?;
        }
        if plan.has_work() {
            let missing = approve::missing(&plan, out)?;
            let apply = || format!("rmsfleet apply {}", out.display());
            console.next(&missing.unwrap_or_else(apply))?;
        }
        return Ok(plan::exit(&plan, request.plan.detailed_exitcode));
    }
    let works = plan.has_work();
    if works && is_held(&plan) {
        plan::show_and_keep(&plan, None, console)?;
        return Ok(Exit::UndoIncomplete);
    }
    let prepared = Prepared { plan, wired, stats, farm: None };
    let exit = apply::carry_out(prepared, How::default(), &request.plan, console).await?;
    // Hosts that could not be planned for still hold what the run wrote.
    Ok(if blocked && !works { Exit::UndoIncomplete } else { exit })
}

/// Whether nothing of the plan can be done as things stand: there is nothing to ask leave for.
fn is_held(plan: &Plan) -> bool {
    let idle = !plan.hosts.values().any(PlannedHost::has_work);
    idle && plan.stages.iter().all(|stage| match &stage.work {
        PlannedWork::Hosts { .. } => true,
        PlannedWork::Step(step) => step.satisfied || step.held.is_some(),
    })
}

/// The waivers with the names that the run's plan has.
fn waivers(request: &PlanRequest, plan: &Plan) -> Result<Vec<Waiver>, Stop> {
    let waived = request.consent.waive.iter().map(|waiver| {
        let host = plan::find(plan, waiver.host.as_str())?;
        Ok(Waiver { host, ..waiver.clone() })
    });
    waived.collect()
}
