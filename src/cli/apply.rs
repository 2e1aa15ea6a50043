//! `apply`: a sealed plan, or plan, show, ask, apply.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;

use crate::cli::absent;
use crate::cli::approve;
use crate::cli::consent;
use crate::cli::console::Console;
use crate::cli::leave_out;
use crate::cli::lock;
use crate::cli::plan;
use crate::cli::prepare::Prepared;
use crate::cli::prepare::prepare;
use crate::cli::reopen::reopen;
use crate::cli::request::ApplyRequest;
use crate::cli::request::PlanRequest;
use crate::cli::rollout::Rollout;
use crate::cli::rollout::roll_out;
use crate::cli::runs;
use crate::cli::stats;
use crate::cli::stop::Stop;
use crate::cli::stop::about_folder;
use crate::error::Exit;
use crate::host::link::Clock;
use crate::journal::control;
use crate::journal::store::RunFolder;
use crate::journal::store::Store;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedWork;
use crate::net::clock::SystemClock;
use crate::net::entropy;
use crate::plan::Sealed;
use crate::plan::check_usable;
use crate::plan::fold::compress;
use crate::plan::opening;
use crate::plan::seal::hex;
use crate::plan::undo::left_behind;
use crate::run::action::Options;

pub fn run(request: &ApplyRequest, console: &mut Console) -> Result<Exit, Stop> {
    let runtime = crate::cli::runtime()?;
    let done = runtime.block_on(apply(request, console));
    runtime.shutdown_background();
    done
}

async fn apply(request: &ApplyRequest, console: &mut Console) -> Result<Exit, Stop> {
    let prepared = match &request.file {
        Some(file) => reopen(file, &request.plan, console).await?,
        None => prepare(&request.plan, console).await?,
    };
    let how = How { file: request.file.as_deref(), rehearse: request.rehearse };
    carry_out(prepared, how, &request.plan, console).await
}

/// What is carried out, beside the plan itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct How<'a> {
    /// The plan's file; `None` for one that was made just now.
    pub file: Option<&'a Path>,
    /// Nothing is written or restarted.
    pub rehearse: bool,
}

/// Shows a plan, asks, and rolls it out.
pub async fn carry_out(
    prepared: Prepared,
    how: How<'_>,
    request: &PlanRequest,
    console: &mut Console,
) -> Result<Exit, Stop> {
    let Prepared { plan, wired, stats, farm } = prepared;
    let How { file, rehearse } = how;
    if file.is_none() && !rehearse {
        approve::needs_a_file(&plan)?;
    }
    let bytes = plan::seal(&plan)?;
    let digest =
        crate::plan::seal::digest(&plan).map_err(|error| Stop::because(Exit::Internal, &error))?;
    let sealed = Sealed { plan, digest };
    let plan = &sealed.plan;
    let store = Store::new(&request.state);
    // Told before anything is shown or asked: there is nothing to decide.
    if !rehearse {
        unused(&store, &plan.id)?;
    }
    plan::show(plan, Some(&sealed.digest), console)?;
    usable(&sealed, SystemClock.now())?;
    if !plan.has_work() {
        let left = plan.undoes.as_ref().map_or(0, |undoes| undoes.left);
        // Where hosts are blocked, the plan has said what cannot be done, and why.
        if !plan.hosts.values().any(PlannedHost::is_blocked) && left == 0 {
            console.did("Unchanged", "every value is as wanted: nothing to do")?;
        }
        if console.output.stats {
            stats::show(&stats, console)?;
        }
        tell_left_behind(plan, console)?;
        return Ok(if left > 0 { Exit::UndoIncomplete } else { plan::exit(plan, false) });
    }
    let absent = absent::of_plan(plan);
    if let (Some(first), false) = (absent.first(), rehearse) {
        let text = format!("{first}; nothing was begun");
        return Err(Stop::new(Exit::Refused, text).hint("put it there, or correct the playbook"));
    }
    for missing in &absent {
        console.did("Not yet", &format!("a run would be refused: {missing}"))?;
    }
    let (left_out, limited) = match file {
        Some(_) => leave_out::left_out(plan, request, console)?,
        // A plan made just now was limited when it was made.
        None => (BTreeSet::new(), None),
    };
    let mut options = if rehearse {
        rehearsal(&sealed, file, console)?
    } else {
        let approvals = match file {
            Some(file) => approve::obtain(&sealed, file)?,
            None => Vec::new(),
        };
        let consent = consent::obtain(plan, request, !approvals.is_empty(), console);
        let options = in_time(&sealed, || SystemClock.now(), consent).await?;
        Options { preface: approve::events(&approvals), ..options }
    };
    options.preface.extend(limited);
    options.left_out = left_out;
    let (id, by) = (run_id()?, &request.by);
    unstopped(&store.folder(&id))?;
    let held = if plan.lab { None } else { Some(lock::take(plan, &id, &request.state, by)?) };
    let folder =
        if rehearse { create(&store, &id, &bytes)? } else { begin(&store, &plan.id, &id, &bytes)? };
    if let (Some(file), false) = (file, rehearse) {
        approve::keep(file, &sealed, &folder.path);
        if let Err(error) = control::started_with(&folder.path, file) {
            tracing::warn!("a STOP file beside `{}` will not be seen: {error}", file.display());
        }
        unstopped(&folder.path)?;
    }
    let rollout = Rollout { sealed, wired, stats, farm, folder, options, held, past: None };
    Box::pin(roll_out(rollout, request, console)).await
}

/// What the way back leaves as it is.
pub fn tell_left_behind(plan: &Plan, console: &mut Console) -> Result<(), Stop> {
    for text in left_behind(plan) {
        console.did("Stays", text)?;
    }
    Ok(())
}

/// A rehearsal asks nothing, and says what a run would be refused for.
fn rehearsal(sealed: &Sealed, file: Option<&Path>, console: &mut Console) -> Result<Options, Stop> {
    console.did("Rehearsing", "hosts are read and compared; nothing is written or restarted")?;
    for (_, opening, hosts) in opening::groups(&sealed.plan, SystemClock.now()) {
        if let Some(why) = opening.closed() {
            console.did("Not now", &format!("a run would leave {}: {why}", compress(&hosts)))?;
        }
    }
    let refused = match file {
        Some(file) => approve::obtain(sealed, file).map(drop),
        None => approve::needs_a_file(&sealed.plan),
    };
    if let Err(stop) = refused {
        console.did("Not yet", &format!("a run would be refused: {stop}"))?;
    }
    let steps = sealed.plan.stages.iter().filter_map(|stage| match &stage.work {
        PlannedWork::Hosts { .. } => None,
        PlannedWork::Step(step) => Some(step.organisation.clone()),
    });
    Ok(Options { confirmed: steps.collect(), rehearsal: true, ..Options::default() })
}

/// A STOP file forbids every run, until whoever put it there takes it away.
pub fn unstopped(folder: &Path) -> Result<(), Stop> {
    match control::stop_file(folder) {
        None => Ok(()),
        Some(path) => {
            let text = format!("`{}` forbids every run", path.display());
            Err(Stop::new(Exit::Refused, text).hint("find out who put it there, then remove it"))
        }
    }
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

/// A plan is used once; then it has a folder of its own.
fn unused(store: &Store, plan: &str) -> Result<(), Stop> {
    let Some(used) = store.used(plan).map_err(|error| runs::stop(&error))? else { return Ok(()) };
    let when = match used.at {
        Some(at) => format!(" at {}", at.strftime("%Y-%m-%d %H:%MZ")),
        None => ", whose journal is lost".to_owned(),
    };
    let text = format!("the plan was used by run {}{when}; a plan is used once", used.run);
    Err(Stop::new(Exit::Refused, text).hint("make a new one: rmsfleet plan -o FILE"))
}

fn run_id() -> Result<String, Stop> {
    let chance: [u8; 3] =
        entropy::bytes().map_err(|error| Stop::because(Exit::Internal, &error))?;
    Ok(format!("{}-{}", SystemClock.now().strftime("%Y%m%d-%H%M%S"), hex(&chance)))
}

fn begin(store: &Store, plan: &str, id: &str, bytes: &[u8]) -> Result<RunFolder, Stop> {
    unused(store, plan)?;
    create(store, id, bytes)
}

fn create(store: &Store, id: &str, bytes: &[u8]) -> Result<RunFolder, Stop> {
    store
        .create(id, bytes)
        .map_err(|error| Stop::because(Exit::Data, &error).hint(about_folder(&error)))
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
