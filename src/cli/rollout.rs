//! Carries a sealed plan out, from its beginning or from where an earlier process left it.

use std::collections::BTreeSet;

use tokio::sync::watch;

use crate::cli::again;
use crate::cli::apply::tell_left_behind;
use crate::cli::attend::Shared;
use crate::cli::attend::attend;
use crate::cli::closing;
use crate::cli::console::Console;
use crate::cli::console::TOOL;
use crate::cli::desk::Desk;
use crate::cli::lab;
use crate::cli::lock;
use crate::cli::own;
use crate::cli::own::OwnMachine;
use crate::cli::papers;
use crate::cli::papers::Subject;
use crate::cli::recovery;
use crate::cli::request::PlanRequest;
use crate::cli::stats;
use crate::cli::stop::Stop;
use crate::cli::stop::about_folder;
use crate::cli::stop::is_full;
use crate::cli::tidy::tidy;
use crate::cli::wired::Wired;
use crate::error::Exit;
use crate::event::Event;
use crate::event::Record;
use crate::host::link::Clock;
use crate::host::restart::Pace;
use crate::journal::chain::Chain;
use crate::journal::locks::Held;
use crate::journal::store::RunFolder;
use crate::journal::summary::summarise;
use crate::journal::writer;
use crate::lab::serve::Farm;
use crate::net::clock::SystemClock;
use crate::net::stats::Stats;
use crate::plan::Sealed;
use crate::report::human::Labels;
use crate::report::screen::Screen;
use crate::report::summary::Recap;
use crate::run::action::Options;
use crate::run::action::StepOutcome;
use crate::run::action::Stop as Urgency;
use crate::run::driver::RunContext;
use crate::run::driver::RunError;
use crate::run::driver::RunReport;
use crate::run::driver::execute;
use crate::run::driver::resume;
use crate::run::history::History;
use crate::run::history::Past;
use crate::run::scheduler::is_finished;

/// A plan with everything that carrying it out needs.
pub struct Rollout {
    pub sealed: Sealed,
    pub wired: Wired,
    pub stats: Stats,
    /// Switched off at the end.
    pub farm: Option<Farm>,
    pub folder: RunFolder,
    pub options: Options,
    /// Given back at the end; the lab has none.
    pub held: Option<Held>,
    /// What earlier processes have left, and the journal to go on with.
    pub past: Option<(Past, Chain)>,
}

pub async fn roll_out(
    rollout: Rollout,
    request: &PlanRequest,
    console: &mut Console,
) -> Result<Exit, Stop> {
    let Rollout { sealed, wired, stats, farm, folder, options, mut held, past } = rollout;
    let plan = &sealed.plan;
    let labels = Labels::new(plan.hosts.keys());
    let busy = plan.hosts.values().filter(|host| host.has_work()).count();
    let machine = console.lend_machine()?;
    let screen = Screen::open(console.output.look, &labels, busy, machine);
    let screen = Shared::new(screen.run_dir(console.run_dir()));
    let earlier = match &past {
        None => Vec::new(),
        Some(_) => folder.read().map_err(|error| Stop::because(Exit::Internal, &error))?.records,
    };
    let mut kept = (!options.rehearsal && !plan.lab)
        .then(|| recovery::Kept::new(plan, &folder, &earlier, console.output.run_dir.as_deref()));
    let observer = {
        let (screen, wired) = (screen.clone(), wired.clone());
        move |record: &Record| {
            wired.note(&record.event);
            if let Some(kept) = &mut kept {
                kept.take(&record.event);
            }
            // The journal has it; a terminal that went away does not stop a rollout.
            drop(screen.lock().show(record));
        }
    };
    let now = || SystemClock.now();
    let opened = match &past {
        None => writer::create(&folder.journal(), &folder.id, now, observer),
        Some((_, chain)) => writer::reopen(&folder.journal(), &folder.id, chain, now, observer),
    };
    let mut sink = opened.map_err(|error| {
        let hint = about_folder(&error);
        Stop::because(Exit::Data, &error).while_doing("the journal cannot be written").hint(hint)
    })?;
    let began = SystemClock.now();
    let rehearsal = options.rehearsal;
    let own = OwnMachine { name: request.by.workstation.clone() };
    let desk = Desk { folder: folder.path.clone(), own: (!plan.lab).then_some(own) };
    let (urgency, watched) = watch::channel(Urgency::Go);
    let context = RunContext {
        plan,
        digest: &sealed.digest,
        run: &folder.id,
        tool: TOOL,
        operator: &request.by.operator,
        workstation: &request.by.workstation,
        connect: &wired,
        clock: &SystemClock,
        sink: &mut sink,
        options,
        pace: if plan.lab { lab::PACE } else { Pace::default() },
        controller: &desk,
        stop: watched,
    };
    let work = async {
        match &past {
            None => execute(context).await,
            Some((past, _)) => resume(context, past).await,
        }
    };
    let awake = if plan.lab { None } else { Some(own::keep_awake(&folder.id).await) };
    if let Some(Err(why)) = &awake {
        let words = format!("this machine may fall asleep while the run is on: {why}");
        drop(screen.lock().note(&words));
    }
    let done = tokio::select! {
        done = attend(work, &screen, &urgency, &folder.path) => done,
        () = lock::keep(held.as_mut(), &screen, &urgency) => None,
    };
    for words in tidy(&wired).await {
        drop(screen.lock().note(&words));
    }
    console.take_back(screen.lock().close());
    drop(awake);
    drop(farm);
    let cut_short = !matches!(&done, Some(Ok(report)) if report.exit != Exit::Interrupted);
    if !rehearsal && !plan.lab {
        recovery::tell(plan, &folder, cut_short, console)?;
    }
    let again = if plan.lab { "runs show" } else { "resume" };
    let report = done
        .ok_or_else(|| {
            Stop::new(Exit::Interrupted, "left at once; hosts in flight are in doubt")
                .hint(format!("rmsfleet {again} {}", folder.id))
        })?
        .map_err(|error| broken_off(&error, &format!("rmsfleet {again} {}", folder.id), &folder))?;
    drop(held);
    let seconds = SystemClock.now().duration_since(began).as_secs_f64();
    if rehearsal {
        console.did("Rehearsed", "nothing was written or restarted; the plan is not used up")?;
    }
    let records = folder.read().map_err(|error| Stop::because(Exit::Internal, &error))?.records;
    let is_open = !plan.lab && !rehearsal && !is_finished(plan, &History::of(&records));
    let next = next(&report, &folder.id, request, plan.lab, is_open);
    let next: Vec<String> = next.iter().map(|command| console.typed(command)).collect();
    let subject = Subject { plan, digest: &sealed.digest, records: &records };
    papers::keep(&subject, &folder, if past.is_some() { "resume" } else { "apply" }, console)?;
    let summary = summarise(&records);
    let left_out = summary.left_out.iter().cloned().collect();
    let recap = Recap {
        outcomes: &report.outcomes,
        left_out: &left_out,
        written: summary.hosts.values().map(|host| host.verified).sum(),
        restarted: records
            .iter()
            .filter(|record| matches!(record.event, Event::RestartProved { .. }))
            .count(),
        seconds,
        exit: report.exit,
        rehearsal,
        trouble: &closing::trouble(plan, &records, &report.steps, rehearsal),
        next: &next,
    };
    if !rehearsal {
        tell_left_behind(plan, console)?;
    }
    conclude(&recap, &folder.id, &labels, console)?;
    if console.output.stats {
        stats::show(&stats, console)?;
    }
    Ok(report.exit)
}

/// A run that its own machine has stopped. Whatever it was, a resume reads first.
fn broken_off(error: &RunError, again: &str, folder: &RunFolder) -> Stop {
    let (exit, hint) = match error {
        RunError::Journal(_) if is_full(error) => {
            let place = folder.path.display();
            let hint = format!("first make room on the file system of `{place}`, then: {again}");
            (Exit::Aborted, hint)
        }
        RunError::Journal(_) => {
            let place = folder.path.display();
            (Exit::Aborted, format!("first see why `{place}` takes no writes, then: {again}"))
        }
        RunError::Idle => (Exit::Internal, again.to_owned()),
    };
    Stop::because(exit, error).hint(hint)
}

fn conclude(
    recap: &Recap<'_>,
    run: &str,
    labels: &Labels,
    console: &mut Console,
) -> Result<(), Stop> {
    console.say(&console.typed(&recap.render(console.style(), labels)))?;
    let exit = recap.exit;
    let body = serde_json::json!({
        "run": run, "outcomes": recap.outcomes, "seconds": recap.seconds,
        "exit": exit.code(), "name": exit.name(), "next": recap.next, "rehearsal": recap.rehearsal,
    });
    console.document("result", &exit.to_string(), body)
}

/// What to type next, by how it ended. `is_open` says that a resume would find something to do.
fn next(
    report: &RunReport,
    run: &str,
    request: &PlanRequest,
    lab: bool,
    is_open: bool,
) -> Vec<String> {
    let flags = again::plan(request);
    let resume = format!("rmsfleet resume {run}");
    let mut next = vec![format!("rmsfleet runs show {run}")];
    let held = |outcome: &StepOutcome| matches!(outcome, StepOutcome::Held(_));
    let names: BTreeSet<&str> = report
        .steps
        .iter()
        .filter(|(_, outcome)| held(outcome))
        .filter_map(|(step, _)| step.confirmation())
        .collect();
    match report.exit {
        Exit::Paused => {
            // The simulated farm ends with its process.
            let again = if lab { format!("rmsfleet apply{flags}") } else { resume };
            let flags: Vec<String> =
                names.iter().map(|name| format!(" --confirm {name}")).collect();
            next.push(format!("{again}{}", flags.concat()));
        }
        Exit::Ok => {}
        Exit::Internal
        | Exit::Partial
        | Exit::Aborted
        | Exit::Unreachable
        | Exit::Window
        | Exit::UndoIncomplete
        | Exit::Auth
        | Exit::Locked
        | Exit::Interrupted
            if is_open =>
        {
            next.push(resume);
        }
        Exit::Internal
        | Exit::Changes
        | Exit::Refused
        | Exit::Partial
        | Exit::Aborted
        | Exit::Unreachable
        | Exit::Blocked
        | Exit::Window
        | Exit::Locked
        | Exit::UndoIncomplete
        | Exit::Usage
        | Exit::Data
        | Exit::NoMatch
        | Exit::Auth
        | Exit::Interrupted => {
            // What moved or was blocked needs a new plan; what is left of this one comes first.
            if is_open {
                next.push(resume);
            }
            next.push(format!("rmsfleet plan{flags}"));
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::io::ErrorKind;

    use super::*;
    use crate::event::SinkError;

    #[test]
    fn a_full_disk_is_no_fault_of_the_tool_and_wants_room_first() {
        let folder = RunFolder { id: "r1".to_owned(), path: "/srv/runs/r1".into() };
        let check = |kind: ErrorKind, expected: &str| {
            let error = RunError::Journal(SinkError(io::Error::from(kind)));
            let stop = broken_off(&error, "rmsfleet resume r1", &folder);
            assert_eq!(stop.exit, Exit::Aborted);
            assert_eq!(stop.hint.as_deref(), Some(expected));
        };
        check(
            ErrorKind::StorageFull,
            "first make room on the file system of `/srv/runs/r1`, then: rmsfleet resume r1",
        );
        check(
            ErrorKind::PermissionDenied,
            "first see why `/srv/runs/r1` takes no writes, then: rmsfleet resume r1",
        );
    }
}
