//! The hosts of a sealed plan, read again: for what takes a run back, and for what compares.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::cli::console::Console;
use crate::cli::credentials::Wanted;
use crate::cli::prepare::network;
use crate::cli::prepare::read;
use crate::cli::prepare::resolve;
use crate::cli::prepare::uuid;
use crate::cli::reopen::credentials;
use crate::cli::request::PlanRequest;
use crate::cli::stop::Stop;
use crate::cli::wired::Wired;
use crate::host::link::Target;
use crate::model::care::Care;
use crate::model::facts::Survey;
use crate::model::host::HostName;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::plan::PlannedWork;
use crate::model::probe::Probe;
use crate::model::rollout::Limits;
use crate::model::step::Act;
use crate::net::stats::Stats;
use crate::run::means::target;
use crate::run::survey::FarmQuestion;
use crate::run::survey::Question;

/// What was read, and the network it was read over.
pub struct Reread {
    pub survey: Survey,
    pub wired: Wired,
    pub stats: Stats,
}

/// Reads what the probes ask. Nothing here can write to a host. `also` are accounts that the hosts
/// asked do not need, and whatever follows over the same network does.
pub async fn reread(
    plan: &Plan,
    probes: &BTreeMap<HostName, Probe>,
    also: BTreeSet<Wanted>,
    request: &PlanRequest,
    console: &mut Console,
) -> Result<Reread, Stop> {
    let questions: Vec<Question> = probes
        .iter()
        .filter_map(|(name, probe)| {
            let planned = plan.hosts.get(name)?;
            let exchange = probe.organisation.then(|| exchange(plan, name)).flatten();
            let (target, probe, care) = (target(planned), probe.clone(), Care::default());
            let farm = probe.farm.then(|| farm(plan, name)).flatten();
            Some(Question { target, probe, exchange, farm, care })
        })
        .collect();
    let wanted: BTreeSet<Wanted> = questions
        .iter()
        .flat_map(|one| std::iter::once(&one.target).chain(&one.exchange))
        .filter(|target| target.endpoint.needs_account())
        .map(|target| (target.credential.clone(), target.user.clone()))
        .chain(also)
        .collect();
    let file = credentials(plan, request, console)?;
    let file = file.as_ref().map(|(path, file)| (path.as_path(), file));
    let accounts = resolve(&wanted, file, request).await?;
    let stats = Stats::default();
    let wired = Wired::new(network(accounts, &stats)?, None);
    let forks = request.forks.unwrap_or(plan.limits.forks);
    let limits = Limits { forks, ..plan.limits.clone() };
    let survey = read(&wired, &questions, &limits, &uuid()?, console).await?;
    Ok(Reread { survey, wired, stats })
}

fn steps(plan: &Plan) -> impl Iterator<Item = &OrganisationStep> {
    plan.stages.iter().filter_map(|stage| match &stage.work {
        PlannedWork::Hosts { .. } => None,
        PlannedWork::Step(step) => Some(&**step),
    })
}

/// The farm whose step goes by a host, over the step's own way.
fn farm(plan: &Plan, via: &HostName) -> Option<FarmQuestion> {
    steps(plan).filter(|step| step.via == *via).find_map(|step| match &step.act {
        Act::SharepointIrm { configuration, .. } => Some(FarmQuestion {
            name: step.organisation.clone(),
            configuration: configuration.clone(),
        }),
        _ => None,
    })
}

/// The endpoint of the step that goes by a host.
fn exchange(plan: &Plan, via: &HostName) -> Option<Target> {
    let step = steps(plan).find(|step| step.via == *via && !step.act.is_local())?;
    let host = target(plan.hosts.get(via)?);
    Some(Target {
        endpoint: step.endpoint.clone(),
        credential: step.credential.clone(),
        user: step.user.clone(),
        ..host
    })
}
