//! `status [RUN]` and `watch RUN`: a run that another terminal works on, by its journal.

use std::collections::BTreeSet;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::cli::attend;
use crate::cli::attend::Shared;
use crate::cli::console::Console;
use crate::cli::request::By;
use crate::cli::runs;
use crate::cli::show;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::event::Event;
use crate::host::link::Clock;
use crate::journal::locks::Life;
use crate::journal::locks::Locks;
use crate::journal::reader;
use crate::journal::store::RunFolder;
use crate::journal::summary::summarise;
use crate::model::plan::Plan;
use crate::model::plan::PlannedWork;
use crate::net::clock::SystemClock;
use crate::report::human::Labels;
use crate::report::screen::Screen;
use crate::report::standing;
use crate::report::standing::Pulse;
use crate::report::standing::Standing;
use crate::report::status::Status;
use crate::run::history::History;
use crate::run::history::StepHistory;
use crate::run::scheduler::is_finished;

/// How often the journal is looked at.
const LOOK: Duration = Duration::from_millis(300);
/// A run without a process and without a word for so long is over.
const SILENCE: SignedDuration = SignedDuration::from_secs(5);

/// Where the run stands. Ends with what [`standing::exit`] says.
pub fn status(state: &Path, run: &str, by: &By, console: &mut Console) -> Result<Exit, Stop> {
    let folder = runs::find_or_latest(state, run)?;
    let journal = folder.read().map_err(|error| runs::unread(&folder, &error))?;
    let plan = show::open(&folder.plan())?.plan;
    let now = SystemClock.now();
    let pulse = pulse(state, &folder.id, &plan, by, now)?;
    let summary = summarise(&journal.records);
    let owed = summary
        .hosts
        .iter()
        .filter_map(|(name, host)| Some((name.clone(), host.restart_owed.clone()?)));
    let standing = Standing::of(&plan, &journal.records, owed.collect());
    let status = Status {
        run: &folder.id,
        plan: &plan,
        standing: &standing,
        pulse: &pulse,
        now,
        full: console.output.full,
    };
    let edited = runs::distrust(&folder);
    if let Some(why) = &edited {
        console.warn("Edited", why)?;
    }
    let look = console.output.look;
    let text = console.typed(status.render(look.style, look.columns).trim_end());
    console.say(&text)?;
    let exit = standing::exit(&standing, &plan, &pulse);
    let body = serde_json::json!({
        "run": folder.id, "alive": matches!(pulse, Pulse::Alive { .. }),
        "stage": standing.stage.and_then(|stage| plan.stages.get(stage)).map(|stage| &stage.name),
        "batch": standing.batch.map(|(batch, _)| batch),
        "gate": standing.gate.as_ref().map(|(gate, _)| gate),
        "capacity": standing.capacity.iter().map(|(id, (up, of, votes))| serde_json::json!({
            "domain": id, "up": up, "of": of, "votes": votes,
        })).collect::<Vec<_>>(),
        "summary": summary, "exit": exit,
    });
    console.document("status", &format!("where run {} stands", folder.id), body)?;
    let history = History::of(&journal.records);
    if edited.is_some() {
        console.next(&format!("rmsfleet runs verify {}", folder.id))?;
        console.next("rmsfleet plan")?;
        return Ok(Exit::from_code(exit));
    }
    let confirms = confirms(&plan, &history, exit);
    for command in next(&folder.id, &plan, &standing, &pulse, is_finished(&plan, &history)) {
        let resumes = command.starts_with("rmsfleet resume ");
        console.next(&if resumes { format!("{command}{confirms}") } else { command })?;
    }
    Ok(Exit::from_code(exit))
}

/// The flags that confirm what a paused run has not been allowed to do.
fn confirms(plan: &Plan, history: &History, exit: u8) -> String {
    if exit != Exit::Paused.code() || !history.ended {
        return String::new();
    }
    let mut names = BTreeSet::new();
    for stage in &plan.stages {
        if let PlannedWork::Step(step) = &stage.work
            && !step.satisfied
            && matches!(history.step(&step.organisation, &stage.name), Some(StepHistory::Open))
        {
            names.extend(step.confirmation());
        }
    }
    let flags: Vec<String> = names.into_iter().map(|name| format!(" --confirm {name}")).collect();
    flags.concat()
}

/// What may be typed about the run as it stands, best first.
fn next(
    run: &str,
    plan: &Plan,
    standing: &Standing,
    pulse: &Pulse,
    is_finished: bool,
) -> Vec<String> {
    let say = |verb: &str| format!("rmsfleet {verb} {run}");
    let waits = standing.approval(plan).is_some() || standing.awaited.is_some();
    match (&standing.exit, pulse) {
        (None, Pulse::Alive { .. } | Pulse::Untold) if waits => {
            vec![say("promote"), say("pause"), say("abort")]
        }
        (None, Pulse::Alive { .. } | Pulse::Untold) => {
            vec![say("watch"), say("pause"), say("abort")]
        }
        (Some(_), _) if is_finished || plan.lab || standing.rehearsal => {
            vec![say("runs show")]
        }
        (Some(_), _) | (None, Pulse::Gone) => vec![say("resume"), say("undo")],
    }
}

pub fn pulse(state: &Path, run: &str, plan: &Plan, by: &By, now: Timestamp) -> Result<Pulse, Stop> {
    if plan.lab {
        return Ok(Pulse::Untold);
    }
    let locks = Locks::new(state).list(now, &by.workstation).map_err(|error| {
        Stop::because(Exit::Data, &error).hint("choose another folder with --run-dir DIR")
    })?;
    let own = locks.into_iter().find(|(owner, life)| owner.run == run && *life != Life::Expired);
    Ok(own.map_or(Pulse::Gone, |(owner, _)| Pulse::Alive {
        process: owner.process,
        workstation: owner.workstation,
        heartbeat: owner.heartbeat,
    }))
}

/// Shows the run from its beginning, and what it tells from now on, until it ends.
pub fn watch(state: &Path, run: &str, by: &By, console: &mut Console) -> Result<Exit, Stop> {
    let runtime = crate::cli::runtime()?;
    let done = runtime.block_on(follow(state, run, by, console));
    runtime.shutdown_background();
    done
}

async fn follow(state: &Path, run: &str, by: &By, console: &mut Console) -> Result<Exit, Stop> {
    let folder = runs::find_or_latest(state, run)?;
    let plan = show::open(&folder.plan())?.plan;
    let labels = Labels::new(plan.hosts.keys());
    let hosts = plan.hosts.values().filter(|host| host.has_work()).count();
    let machine = console.lend_machine()?;
    let screen = Screen::open(console.output.look, &labels, hosts, machine);
    let screen = Shared::new(screen.run_dir(console.run_dir()));
    let watched = attend::attend_reading(tell(&folder, state, &plan, by, &screen), &screen).await;
    let machine = screen.lock().close();
    console.take_back(machine);
    match watched {
        Some(Ok(Some(code))) => {
            console.next(&format!("rmsfleet runs show {}", folder.id))?;
            Ok(Exit::from_code(code))
        }
        Some(Ok(None)) => {
            console.did("Gone", &format!("run {} stands still: its process is gone", folder.id))?;
            console.next(&format!("rmsfleet resume {}", folder.id))?;
            Ok(Exit::Paused)
        }
        Some(Err(stop)) => Err(stop),
        None => {
            console.did("Left", &format!("run {} goes on without being watched", folder.id))?;
            console.next(&format!("rmsfleet status {}", folder.id))?;
            Ok(Exit::Ok)
        }
    }
}

/// Shows every record as it comes. The run's own exit code, or `None` if its process is gone.
async fn tell(
    folder: &RunFolder,
    state: &Path,
    plan: &Plan,
    by: &By,
    screen: &Shared,
) -> Result<Option<u8>, Stop> {
    let path = folder.journal();
    let failed = |error: &std::io::Error| {
        Stop::because(Exit::Data, error).while_doing(format!("`{}` cannot be read", path.display()))
    };
    let mut read = 0;
    let mut code = None;
    let mut heard = SystemClock.now();
    loop {
        let bytes = tail(&path, read).map_err(|error| failed(&error))?;
        let (records, whole) = reader::lines(&bytes);
        read += u64::try_from(whole).unwrap_or(u64::MAX);
        if whole > 0 {
            heard = SystemClock.now();
        }
        for record in records {
            match &record.event {
                Event::RunEnded { exit, .. } => code = Some(*exit),
                Event::RunResumed { .. } => code = None,
                _ => {}
            }
            screen.lock().show(&record).map_err(|error| failed(&error))?;
        }
        if code.is_some() {
            return Ok(code);
        }
        let now = SystemClock.now();
        let silent = now.duration_since(heard) > SILENCE;
        if silent && pulse(state, &folder.id, plan, by, now)? == Pulse::Gone {
            return Ok(None);
        }
        SystemClock.sleep(LOOK).await;
    }
}

fn tail(path: &Path, from: u64) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
