//! `plan`: read, compare, show, seal. The hosts are only ever read.

use std::path::Path;

use crate::cli::absent;
use crate::cli::again;
use crate::cli::approve;
use crate::cli::beside;
use crate::cli::console::Console;
use crate::cli::papers;
use crate::cli::papers::Subject;
use crate::cli::prepare::Prepared;
use crate::cli::prepare::prepare;
use crate::cli::request::PlanRequest;
use crate::cli::stats;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::host::link::Clock;
use crate::model::host::HostName;
use crate::model::plan::Plan;
use crate::net::clock::SystemClock;
use crate::plan;
use crate::report::plan::RenderOptions;
use crate::report::plan::render;

pub fn run(request: &PlanRequest, console: &mut Console) -> Result<Exit, Stop> {
    let runtime = crate::cli::runtime()?;
    let done = runtime.block_on(plan_and_show(request, console));
    runtime.shutdown_background();
    done
}

async fn plan_and_show(request: &PlanRequest, console: &mut Console) -> Result<Exit, Stop> {
    let Prepared { plan, stats, farm, .. } = prepare(request, console).await?;
    drop(farm);
    show_and_keep(&plan, request.out.as_deref(), console)?;
    let digest =
        plan::seal::digest(&plan).map_err(|error| Stop::because(Exit::Internal, &error))?;
    papers::asked(&Subject { plan: &plan, digest: &digest, records: &[] }, "plan", None, console)?;
    if console.output.stats {
        stats::show(&stats, console)?;
    }
    for missing in absent::of_plan(&plan) {
        console.did("Missing", &format!("{missing}; from here the plan would not be applied"))?;
    }
    let exit = exit(&plan, request.detailed_exitcode);
    suggest(&plan, request, console)?;
    Ok(exit)
}

/// Shows a plan, and seals it into a file if one is asked for.
pub fn show_and_keep(plan: &Plan, out: Option<&Path>, console: &mut Console) -> Result<(), Stop> {
    let bytes = seal(plan)?;
    let digest = plan::seal::digest(plan).map_err(|error| Stop::because(Exit::Internal, &error))?;
    let sealed = out.is_some() && plan.blockers.is_empty();
    show(plan, sealed.then_some(digest.as_str()), console)?;
    let Some(path) = out else { return Ok(()) };
    if let Some(blocker) = plan.blockers.first() {
        let text = format!("the plan is not sealed: {}", blocker.text);
        let stop = Stop::new(Exit::Blocked, text);
        return Err(match &blocker.hint {
            Some(hint) => stop.hint(hint.clone()),
            None => stop,
        });
    }
    save(path, &bytes)?;
    let until = plan.valid_until.strftime("%Y-%m-%d %H:%MZ");
    console.did("Sealed", &format!("{}  valid until {until}", path.display()))
}

/// The plan for people, and as a document for programs.
pub fn show(plan: &Plan, digest: Option<&str>, console: &mut Console) -> Result<(), Stop> {
    let host = match &console.output.host {
        None => None,
        Some(name) => Some(find(plan, name)?),
    };
    let options = RenderOptions {
        width: console.output.look.columns,
        style: console.style(),
        full: console.output.full,
        host,
        digest: digest.map(str::to_owned),
        now: Some(SystemClock.now()),
    };
    console.say(&render(plan, &options))?;
    let text = crate::report::plan::json(plan, digest)?;
    console.document("plan", &format!("plan {}", plan.id), serde_json::from_str(&text)?)
}

/// The host of a plan by full or short name.
pub fn find(plan: &Plan, name: &str) -> Result<HostName, Stop> {
    let full = plan.hosts.keys().find(|host| host.as_str().eq_ignore_ascii_case(name));
    let short = || {
        let mut short = plan.hosts.keys().filter(|host| host.short().eq_ignore_ascii_case(name));
        short.next().filter(|_| short.next().is_none())
    };
    full.or_else(short).cloned().ok_or_else(|| {
        Stop::new(Exit::NoMatch, format!("the plan has no host `{name}`, or more than one"))
            .hint("write the name as the plan shows it")
    })
}

pub fn seal(plan: &Plan) -> Result<Vec<u8>, Stop> {
    plan::seal(plan).map_err(|error| Stop::because(Exit::Internal, &error))
}

/// Written beside and moved into place: a plan file is whole or not there.
fn save(path: &Path, bytes: &[u8]) -> Result<(), Stop> {
    let fail = |error: &std::io::Error| {
        Stop::because(Exit::Data, error)
            .while_doing(format!("`{}` cannot be written", path.display()))
    };
    beside::write(path, bytes).map_err(|error| fail(&error))
}

/// Blockers are 7, unless hosts that did not answer are all there is; that is 6.
pub fn exit(plan: &Plan, detailed: bool) -> Exit {
    let mut blockers = plan
        .hosts
        .values()
        .flat_map(|host| &host.blockers)
        .chain(&plan.blockers)
        .map(|blocker| blocker.id == "unreachable")
        .peekable();
    if blockers.peek().is_some() {
        return if blockers.all(|unreachable| unreachable) {
            Exit::Unreachable
        } else {
            Exit::Blocked
        };
    }
    if detailed && plan.has_work() { Exit::Changes } else { Exit::Ok }
}

fn suggest(plan: &Plan, request: &PlanRequest, console: &mut Console) -> Result<(), Stop> {
    let lab = if request.lab.is_some() { " --lab" } else { "" };
    let flags = again::plan(request);
    match &request.out {
        _ if !plan.has_work() || !plan.blockers.is_empty() => Ok(()),
        Some(path) => match approve::missing(plan, path)? {
            Some(command) => console.next(&command),
            None => console.next(&format!("rmsfleet apply {}{lab}", path.display())),
        },
        None => {
            console.next(&format!("rmsfleet plan{flags} -o change.rmsplan"))?;
            // Approvals are given to a file.
            match approve::needs_a_file(plan) {
                Ok(()) => console.next(&format!("rmsfleet apply{flags}")),
                Err(_) => Ok(()),
            }
        }
    }
}
