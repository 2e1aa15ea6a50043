//! `doctor`: what stands between this workstation and a host, layer by layer. Writes nothing.

use std::collections::BTreeSet;

use futures::StreamExt;
use futures::stream;

use crate::cli::console::Console;
use crate::cli::credentials::Wanted;
use crate::cli::inventory;
use crate::cli::lab;
use crate::cli::load;
use crate::cli::load::Loaded;
use crate::cli::prepare;
use crate::cli::request::DoctorRequest;
use crate::cli::stats;
use crate::cli::stop::Stop;
use crate::cli::tidy::tidy;
use crate::cli::wired::Wired;
use crate::error::Exit;
use crate::host::doctor::Patient;
use crate::host::doctor::examine;
use crate::lab::power::Timing;
use crate::lab::serve::Farm;
use crate::manifest::suggest::did_you_mean;
use crate::model::checkup::Checkup;
use crate::model::checkup::Trouble;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::product::Role;
use crate::net::clock::SystemClock;
use crate::net::stats::Stats;
use crate::plan;
use crate::report::doctor::render;
use crate::report::doctor::summary;

pub fn run(request: &DoctorRequest, console: &mut Console) -> Result<Exit, Stop> {
    let runtime = crate::cli::runtime()?;
    let done = runtime.block_on(visit(request, console));
    runtime.shutdown_background();
    done
}

async fn visit(request: &DoctorRequest, console: &mut Console) -> Result<Exit, Stop> {
    let loaded = load::all(&request.plan.files, console.style().colour)?;
    inventory::warn(&loaded.inventory, console)?;
    let patients = patients(request, &loaded)?;
    let wanted: BTreeSet<Wanted> = patients
        .iter()
        .flat_map(|patient| std::iter::once(&patient.target).chain(&patient.exchange))
        .filter(|target| request.plan.lab.is_some() || target.endpoint.needs_account())
        .map(|target| (target.credential.clone(), target.user.clone()))
        .collect();
    let (accounts, farm) = if let Some(lab) = &request.plan.lab {
        let farm = lab::start(&loaded.inventory.hosts, lab, Timing::tour(), None).await?;
        console.did("Simulating", lab::WORDS)?;
        (lab::accounts(&wanted), Some(farm))
    } else {
        let file = loaded.credentials.as_ref().map(|(path, file)| (path.as_path(), file));
        (prepare::resolve(&wanted, file, &request.plan).await?, None)
    };
    let counted = Stats::default();
    let network = prepare::network(accounts, &counted)?;
    let wired = Wired::new(network, farm.as_ref().map(Farm::addresses));
    let forks = request.plan.forks.unwrap_or(loaded.playbook.limits.forks);
    let forks = usize::try_from(forks).unwrap_or(usize::MAX).max(1);

    let mut checkups = Vec::new();
    // In the inventory's order, so that two visits can be laid side by side.
    let mut visits = stream::iter(&patients)
        .map(|patient| examine(&wired, &SystemClock, patient))
        .buffered(forks);
    while let Some(checkup) = visits.next().await {
        console.say(&render(&checkup, console.style()))?;
        let body = serde_json::to_value(&checkup)?;
        console.document("checkup", checkup.host.as_str(), body)?;
        checkups.push(checkup);
    }
    for words in tidy(&wired).await {
        console.did("Left", &words)?;
    }
    console.did("Examined", &summary(&checkups))?;
    if console.output.stats {
        stats::show(&counted, console)?;
    }
    Ok(exit(&checkups))
}

/// Who is examined: the host that was named, else every host that a run would contact.
fn patients(request: &DoctorRequest, loaded: &Loaded) -> Result<Vec<Patient>, Stop> {
    let hosts = &loaded.inventory.hosts;
    if let Some(name) = &request.host {
        let host = loaded.inventory.host(name).ok_or_else(|| {
            let known = hosts.iter().flat_map(|host| [host.name.as_str(), host.name.short()]);
            let hint = did_you_mean(name, known)
                .unwrap_or_else(|| "rmsfleet inventory list shows them all".to_owned());
            Stop::new(Exit::NoMatch, format!("the inventory has no host `{name}`")).hint(hint)
        })?;
        if host.role.is_none() {
            let text = format!("`{}` has no role, so it is never contacted", host.name);
            return Err(Stop::new(Exit::NoMatch, text).hint("set rms_role in the inventory"));
        }
        return Ok(vec![patient(host, loaded)]);
    }
    let limit: Option<Vec<HostName>> =
        inventory::select(&loaded.inventory, request.plan.limit.as_deref())?;
    let within = |host: &&Host| limit.as_ref().is_none_or(|limit| limit.contains(&host.name));
    let patients: Vec<Patient> = hosts
        .iter()
        .filter(|host| host.role.is_some())
        .filter(within)
        .map(|host| patient(host, loaded))
        .collect();
    if patients.is_empty() {
        return Err(Stop::new(Exit::NoMatch, "no host that was asked for has a role")
            .hint("set rms_role in the inventory; rmsfleet inventory list shows who has one"));
    }
    Ok(patients)
}

fn patient(host: &Host, loaded: &Loaded) -> Patient {
    let exchange = host.role == Some(Role::Exchange);
    Patient {
        target: prepare::target(host, false),
        access: plan::probe(host, &loaded.rules).access,
        exchange: exchange.then(|| prepare::target(host, true)),
    }
}

/// A refused logon is 77; what is wrong is 7; only unreachable hosts are 6.
fn exit(checkups: &[Checkup]) -> Exit {
    match checkups.iter().filter_map(Checkup::trouble).max() {
        None => Exit::Ok,
        Some(Trouble::Unreachable) => Exit::Unreachable,
        Some(Trouble::Wrong) => Exit::Blocked,
        Some(Trouble::Refused) => Exit::Auth,
    }
}
