//! `apply`: a sealed plan, or plan, show, ask, apply.

use std::collections::BTreeSet;
use std::fs::File;
use std::fs::TryLockError;
use std::path::Path;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::cli::again;
use crate::cli::attend::Shared;
use crate::cli::attend::attend;
use crate::cli::consent;
use crate::cli::console::Console;
use crate::cli::console::TOOL;
use crate::cli::lab;
use crate::cli::plan;
use crate::cli::prepare::Prepared;
use crate::cli::prepare::prepare;
use crate::cli::reopen::reopen;
use crate::cli::request::ApplyRequest;
use crate::cli::stats;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::event::Event;
use crate::event::Record;
use crate::host::link::Clock;
use crate::host::restart::Pace;
use crate::journal::store::RunFolder;
use crate::journal::store::Store;
use crate::journal::summary::summarise;
use crate::journal::writer;
use crate::model::plan::PlannedHost;
use crate::net::clock::SystemClock;
use crate::net::entropy;
use crate::plan::Sealed;
use crate::plan::check_usable;
use crate::plan::seal::hex;
use crate::report::human::Labels;
use crate::report::screen::Screen;
use crate::report::summary::Recap;
use crate::run::action::Options;
use crate::run::action::Stop as Urgency;
use crate::run::driver::RunContext;
use crate::run::driver::RunReport;
use crate::run::driver::execute;

pub fn run(request: &ApplyRequest, console: &mut Console) -> Result<Exit, Stop> {
    let runtime = crate::cli::runtime()?;
    let done = runtime.block_on(apply(request, console));
    runtime.shutdown_background();
    done
}

async fn apply(request: &ApplyRequest, console: &mut Console) -> Result<Exit, Stop> {
    let Prepared { plan, wired, stats, farm } = match &request.file {
        Some(file) => reopen(file, &request.plan, console).await?,
        None => prepare(&request.plan, console).await?,
    };
    let bytes = plan::seal(&plan)?;
    let digest =
        crate::plan::seal::digest(&plan).map_err(|error| Stop::because(Exit::Internal, &error))?;
    let sealed = Sealed { plan, digest };
    let plan = &sealed.plan;
    let store = Store::new(&request.plan.state);
    // Told before anything is shown or asked: there is nothing to decide.
    unused(&store, &plan.id)?;
    plan::show(plan, Some(&sealed.digest), console)?;
    usable(&sealed, SystemClock.now())?;
    if !plan.has_work() {
        // Where hosts are blocked, the plan has said what cannot be done, and why.
        if !plan.hosts.values().any(PlannedHost::is_blocked) {
            console.did("Unchanged", "every value is as wanted: nothing to do")?;
        }
        if console.output.stats {
            stats::show(&stats, console)?;
        }
        return Ok(plan::exit(plan, false));
    }
    let consent = consent::obtain(plan, &request.plan, console);
    let options = in_time(&sealed, || SystemClock.now(), consent).await?;
    let _lock = if plan.lab { None } else { Some(lock(&request.plan.state)?) };
    let folder = begin(&store, &plan.id, &bytes)?;

    let labels = Labels::new(plan.hosts.keys());
    let busy = plan.hosts.values().filter(|host| host.has_work()).count();
    let machine = console.lend_machine()?;
    let screen = Shared::new(Screen::open(console.output.look, &labels, busy, machine));
    let observer = {
        let (screen, wired) = (screen.clone(), wired.clone());
        move |record: &Record| {
            wired.note(&record.event);
            // The journal has it; a terminal that went away does not stop a rollout.
            drop(screen.lock().show(record));
        }
    };
    let mut sink = writer::create(&folder.journal(), &folder.id, || SystemClock.now(), observer)
        .map_err(|error| {
            Stop::because(Exit::Internal, &error).while_doing("the journal cannot be written")
        })?;
    let began = SystemClock.now();
    let (urgency, watched) = watch::channel(Urgency::Go);
    let work = execute(RunContext {
        plan,
        digest: &sealed.digest,
        run: &folder.id,
        tool: TOOL,
        operator: &request.plan.by.operator,
        workstation: &request.plan.by.workstation,
        connect: &wired,
        clock: &SystemClock,
        sink: &mut sink,
        options,
        pace: if plan.lab { lab::PACE } else { Pace::default() },
        stop: watched,
    });
    let done = attend(work, &screen, &urgency).await;
    console.take_back(screen.lock().close());
    drop(farm);
    let report = done
        .ok_or_else(|| {
            Stop::new(Exit::Interrupted, "left at once; hosts in flight are in doubt")
                .hint(format!("rmsfleet runs show {}", folder.id))
        })?
        .map_err(|error| {
            Stop::because(Exit::Internal, &error).hint(format!("rmsfleet runs show {}", folder.id))
        })?;
    let seconds = SystemClock.now().duration_since(began).as_secs_f64();
    conclude(&report, &folder, seconds, &labels, request, console)?;
    if console.output.stats {
        stats::show(&stats, console)?;
    }
    Ok(report.exit)
}

/// Expired or blocked plans are shown and not applied.
fn usable(sealed: &Sealed, now: Timestamp) -> Result<(), Stop> {
    check_usable(sealed, now).map_err(|refusal| {
        let exit = match refusal {
            crate::plan::Refusal::Expired { .. } => Exit::Refused,
            crate::plan::Refusal::Blocked(_) => Exit::Blocked,
        };
        let hint = sealed.plan.blockers.first().and_then(|blocker| blocker.hint.clone());
        Stop::because(exit, &refusal).hint(hint.unwrap_or_else(|| "rmsfleet plan".to_owned()))
    })
}

/// The consent, and the plan looked at once more: a question may stay open overnight.
async fn in_time(
    sealed: &Sealed,
    now: impl Fn() -> Timestamp,
    consent: impl Future<Output = Result<Options, Stop>>,
) -> Result<Options, Stop> {
    let options = consent.await?;
    usable(sealed, now())?;
    Ok(options)
}

/// One run at a time from this state folder; the lock ends with the process.
fn lock(state: &Path) -> Result<File, Stop> {
    let folder = state.join("locks");
    let path = folder.join("run");
    let fail = |error: &std::io::Error| {
        Stop::because(Exit::Data, error)
            .while_doing(format!("`{}` cannot be used", path.display()))
            .hint("choose another folder with --run-dir DIR")
    };
    std::fs::create_dir_all(&folder).map_err(|error| fail(&error))?;
    let file = File::create(&path).map_err(|error| fail(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Stop::new(Exit::Locked, "another run is under way")
            .hint("rmsfleet runs list shows it; wait for its end")),
        Err(TryLockError::Error(error)) => Err(fail(&error)),
    }
}

/// A plan is used once; then it has a folder of its own.
fn unused(store: &Store, plan: &str) -> Result<(), Stop> {
    let used = store.used(plan).map_err(|error| Stop::because(Exit::Internal, &error))?;
    if let Some(used) = used {
        let at = used.at.strftime("%Y-%m-%d %H:%MZ");
        return Err(Stop::new(
            Exit::Refused,
            format!("the plan was used by run {} at {at}; a plan is used once", used.run),
        )
        .hint("make a new one: rmsfleet plan -o FILE"));
    }
    Ok(())
}

fn begin(store: &Store, plan: &str, bytes: &[u8]) -> Result<RunFolder, Stop> {
    unused(store, plan)?;
    let chance: [u8; 3] =
        entropy::bytes().map_err(|error| Stop::because(Exit::Internal, &error))?;
    let id = format!("{}-{}", SystemClock.now().strftime("%Y%m%d-%H%M%S"), hex(&chance));
    store.create(&id, bytes).map_err(|error| {
        Stop::because(Exit::Data, &error).hint("choose another folder with --run-dir DIR")
    })
}

fn conclude(
    report: &RunReport,
    folder: &RunFolder,
    seconds: f64,
    labels: &Labels,
    request: &ApplyRequest,
    console: &mut Console,
) -> Result<(), Stop> {
    let journal = folder.read().map_err(|error| Stop::because(Exit::Internal, &error))?;
    let proved = |record: &&Record| matches!(record.event, Event::RestartProved { .. });
    let next = next(report, folder, request);
    let recap = Recap {
        outcomes: &report.outcomes,
        written: summarise(&journal.records).hosts.values().map(|host| host.verified).sum(),
        restarted: journal.records.iter().filter(proved).count(),
        seconds,
        exit: report.exit,
        next: &next,
    };
    console.say(&recap.render(console.style(), labels))?;
    let body = serde_json::json!({
        "run": folder.id, "outcomes": report.outcomes, "seconds": seconds,
        "exit": report.exit.code(), "name": report.exit.name(), "next": next,
    });
    console.document("result", &report.exit.to_string(), body)
}

/// What to type next, by how it ended.
fn next(report: &RunReport, folder: &RunFolder, request: &ApplyRequest) -> Vec<String> {
    let flags = again::plan(&request.plan);
    let mut next = vec![format!("rmsfleet runs show {}", folder.id)];
    let organisations: BTreeSet<&str> =
        report.steps.iter().map(|(step, _)| step.organisation.as_str()).collect();
    match report.exit {
        Exit::Paused => next.extend(
            organisations.iter().map(|name| format!("rmsfleet apply{flags} --confirm {name}")),
        ),
        Exit::Ok => {}
        Exit::Internal
        | Exit::Changes
        | Exit::Refused
        | Exit::Partial
        | Exit::Aborted
        | Exit::Unreachable
        | Exit::Blocked
        | Exit::Window
        | Exit::Locked
        | Exit::Usage
        | Exit::Data
        | Exit::NoMatch
        | Exit::Auth
        | Exit::Interrupted => next.push(format!("rmsfleet plan{flags}")),
    }
    next
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::plan::sample;

    #[tokio::test]
    async fn a_plan_that_expired_while_the_question_was_open_is_not_applied() {
        let sealed = Sealed { plan: sample::plan(), digest: String::new() };
        let until = sealed.plan.valid_until;
        let agree = async |now: Timestamp| {
            let consent = async { Ok(Options::default()) };
            in_time(&sealed, || now, consent).await.map_err(|stop| stop.exit)
        };
        assert_eq!(agree(until).await, Ok(Options::default()));
        let late = until.saturating_add(SignedDuration::from_secs(1)).unwrap();
        assert_eq!(agree(late).await, Err(Exit::Refused));
    }
}
