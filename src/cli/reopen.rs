//! A sealed plan and a network for it. Nothing of the plan is made anew.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use crate::cli::console::Console;
use crate::cli::credentials::Wanted;
use crate::cli::lab;
use crate::cli::load;
use crate::cli::prepare::Prepared;
use crate::cli::prepare::network;
use crate::cli::prepare::resolve;
use crate::cli::request::PlanRequest;
use crate::cli::show;
use crate::cli::stop::Stop;
use crate::cli::wired::Wired;
use crate::error::Exit;
use crate::lab::power::Timing;
use crate::lab::serve::Farm;
use crate::manifest::credentials::Credentials;
use crate::model::host::Endpoint;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedWork;
use crate::net::stats::Stats;
use crate::plan::programs;

pub async fn reopen(
    file: &Path,
    request: &PlanRequest,
    console: &mut Console,
) -> Result<Prepared, Stop> {
    let plan = show::open(file)?.plan;
    let wanted = wanted(&plan);
    let stats = Stats::default();
    let (accounts, farm) = match (&request.lab, plan.lab) {
        (Some(lab), true) => {
            let (inventory, _) = load::inventory(&request.files, console.style().colour)?;
            let farm = lab::start(&inventory.hosts, lab, Timing::tour(), None).await?;
            console.did("Simulating", lab::WORDS)?;
            (lab::accounts(&wanted), Some(farm))
        }
        (None, false) => {
            let file = credentials(&plan, request, console)?;
            let file = file.as_ref().map(|(path, file)| (path.as_path(), file));
            (resolve(&wanted, file, request).await?, None)
        }
        (Some(_), false) => {
            return Err(Stop::new(
                Exit::Refused,
                "the plan was made for real hosts, not for the lab",
            )
            .hint("leave --lab out, or make a plan with: rmsfleet plan --lab -o FILE"));
        }
        (None, true) => {
            return Err(Stop::new(Exit::Refused, "the plan was made for the simulated farm")
                .hint("add --lab, or make a plan of the real hosts: rmsfleet plan -o FILE"));
        }
    };
    let wired = Wired::new(network(accounts, &stats)?, farm.as_ref().map(Farm::addresses));
    Ok(Prepared { plan, wired, stats, farm })
}

/// `--credentials FILE`, else the file that the plan was made with.
pub fn credentials(
    plan: &Plan,
    request: &PlanRequest,
    console: &Console,
) -> Result<Option<(PathBuf, Credentials)>, Stop> {
    let then = plan.inputs.iter().find(|input| input.what == "credentials");
    let path = request.files.credentials.clone().or(then.map(|input| PathBuf::from(&input.name)));
    path.map(|path| load::credentials(path, console.style().colour)).transpose()
}

/// The accounts of hosts that programs of the plan run on, and of those whose logs are read.
pub fn of_programs(plan: &Plan) -> BTreeSet<Wanted> {
    let hosts = programs::hosts(plan).filter(|host| host.endpoint.needs_account());
    hosts.map(|host| (host.credential.clone(), host.user.clone())).collect()
}

/// Every account that the plan's steps and the hosts that they or the run may touch ask for.
fn wanted(plan: &Plan) -> BTreeSet<Wanted> {
    let steps: Vec<&OrganisationStep> = plan
        .stages
        .iter()
        .filter_map(|stage| match &stage.work {
            PlannedWork::Hosts { .. } => None,
            PlannedWork::Step(step) => Some(&**step),
        })
        .collect();
    let needed = |host: &PlannedHost| steps.iter().any(|step| step.needs.contains(&host.name));
    let hosts = plan.hosts.values().filter(|host| host.has_work() || needed(host));
    let hosts = hosts.chain(programs::hosts(plan));
    let asked = |endpoint: &Endpoint| plan.lab || endpoint.needs_account();
    let hosts = hosts.filter(|host| asked(&host.endpoint));
    let hosts = hosts.map(|host| (host.credential.clone(), host.user.clone()));
    let steps = steps.iter().map(|step| (step.credential.clone(), step.user.clone()));
    hosts.chain(steps).collect()
}
