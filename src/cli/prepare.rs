//! From files to a plan: start the lab if asked, resolve accounts, read every host, compare.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crate::cli::attend::Shared;
use crate::cli::attend::attend_reading;
use crate::cli::console::Console;
use crate::cli::console::TOOL;
use crate::cli::credentials;
use crate::cli::credentials::Wanted;
use crate::cli::facts;
use crate::cli::inventory;
use crate::cli::lab;
use crate::cli::load;
use crate::cli::load::Loaded;
use crate::cli::own::OwnMachine;
use crate::cli::passing::Passing;
use crate::cli::request::PlanRequest;
use crate::cli::revocation;
use crate::cli::stop::Stop;
use crate::cli::surroundings;
use crate::cli::tenant;
use crate::cli::tidy::tidy;
use crate::cli::wired::Wired;
use crate::error::Exit;
use crate::event::Record;
use crate::host::link::Clock;
use crate::host::link::Target;
use crate::host::support::unsupported;
use crate::lab::power::Timing;
use crate::lab::serve::Farm;
use crate::manifest::credentials::Credentials;
use crate::manifest::inventory::Inventory;
use crate::manifest::pattern;
use crate::model::facts::HostSurvey;
use crate::model::facts::Survey;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::outcome::FailureKind;
use crate::model::plan::Plan;
use crate::model::preflight::Waiver;
use crate::model::product::Role;
use crate::model::rollout::Limits;
use crate::model::rollout::StageWork;
use crate::model::rollout::StepOrder;
use crate::model::surveyed::Surveyed;
use crate::net::accounts::Accounts;
use crate::net::clock::SystemClock;
use crate::net::connect::Network;
use crate::net::entropy;
use crate::net::stats::Stats;
use crate::plan;
use crate::plan::domain::restart_settings;
use crate::report::human::Labels;
use crate::report::plural;
use crate::report::screen::Screen;
use crate::run::survey::FarmQuestion;
use crate::run::survey::Question;
use crate::run::survey::survey;

/// A plan, and the network it was made over.
pub struct Prepared {
    pub plan: Plan,
    pub wired: Wired,
    pub stats: Stats,
    /// Switched off when dropped.
    pub farm: Option<Farm>,
}

/// Reads the hosts and makes the plan. Nothing here can write to a host.
pub async fn prepare(request: &PlanRequest, console: &mut Console) -> Result<Prepared, Stop> {
    let mut loaded = load::all(&request.files, console.style().colour)?;
    inventory::warn(&loaded.inventory, console)?;
    if let Some(forks) = request.forks {
        loaded.playbook.limits.forks = forks;
    }
    if let Some(seconds) = request.timeout {
        for host in &mut loaded.inventory.hosts {
            host.operation_timeout = seconds;
        }
    }
    let limit = inventory::select(&loaded.inventory, request.limit.as_deref())?;
    let limit: Option<BTreeSet<HostName>> = limit.map(|names| names.into_iter().collect());
    let waivers = waivers(request, &loaded.inventory)?;
    let questions = questions_of(&loaded, limit.as_ref());
    if questions.is_empty() {
        return Err(Stop::new(
            Exit::NoMatch,
            "no host of the inventory has a role that gets values",
        )
        .hint("set rms_role in the inventory; rmsfleet inventory list shows what is in scope"));
    }
    // Nobody is asked for a password that could not be used anyway.
    let usable = |target: &&Target| {
        let endpoint = &target.endpoint;
        request.lab.is_some() || (endpoint.needs_account() && unsupported(endpoint).is_none())
    };
    let targets =
        questions.iter().flat_map(|one| std::iter::once(&one.target).chain(&one.exchange));
    let wanted: BTreeSet<Wanted> = targets
        .filter(usable)
        .map(|target| (target.credential.clone(), target.user.clone()))
        .collect();
    let (accounts, farm) = if let Some(lab) = &request.lab {
        lab::hasten(&mut loaded.playbook);
        let farm = lab::start(&loaded.inventory.hosts, lab, Timing::tour(), None).await?;
        console.did("Simulating", lab::WORDS)?;
        (lab::accounts(&wanted), Some(farm))
    } else {
        let file = loaded.credentials.as_ref().map(|(path, file)| (path.as_path(), file));
        (resolve(&wanted, file, request).await?, None)
    };
    let stats = Stats::default();
    let network = network(accounts, &stats)?;
    let wired = Wired::new(network, farm.as_ref().map(Farm::addresses));
    let id = uuid()?;
    let tenants = tenant::fetch(&mut loaded.inventory.hosts, &wired).await?;
    for fetched in &tenants {
        console.did("Tenant", &fetched.to_string())?;
    }
    // What is asked depends on the tenant: its URL stands in names of values.
    let mut questions = questions_of(&loaded, limit.as_ref());
    let lists =
        revocation::lists(&loaded.inventory.hosts, &loaded.playbook.preflight, &wired).await;
    for question in &mut questions {
        let host = loaded.inventory.host(question.target.host.as_str());
        let connector = host.and_then(|host| host.connector.as_ref());
        question.probe.revocation = connector.and_then(|connector| lists.get(connector)).cloned();
    }
    let mut survey = read(&wired, &questions, &loaded.playbook.limits, &id, console).await?;
    survey.tenants = tenants;
    if let Some(path) = &request.save_facts {
        facts::save(path, &survey, SystemClock.now(), console)?;
    }
    let inputs = loaded.inputs.clone();
    let hosts = &loaded.inventory.hosts;
    let select = |text: &str, surveyed: &Surveyed| {
        pattern::select_surveyed(text, hosts, surveyed).map_err(|error| error.to_string())
    };
    let mut plan = plan::make(&plan::PlanInput {
        id,
        now: SystemClock.now(),
        tool: TOOL.to_owned(),
        lab: request.lab.is_some(),
        inputs,
        hosts,
        playbook: &loaded.playbook,
        pack: &loaded.rules,
        survey: &survey,
        select: &select,
        limit: limit.as_ref(),
        waivers: &waivers,
        waived_servers: &request.consent.waive_servers,
    });
    if request.lab.is_none() {
        OwnMachine { name: request.by.workstation.clone() }.block(&mut plan);
    }
    if let Some(policy) = &mut plan.conditions.approvals {
        policy.author.clone_from(&request.by.operator);
    }
    Ok(Prepared { plan, wired, stats, farm })
}

/// The accounts of what is wanted; asks a person at most once for each.
pub async fn resolve(
    wanted: &BTreeSet<Wanted>,
    file: Option<(&Path, &Credentials)>,
    request: &PlanRequest,
) -> Result<Accounts, Stop> {
    let sources = credentials::Sources {
        file,
        may_ask: request.consent.may_ask,
        variable: &surroundings::secret,
        ask: &|prompt| rpassword::prompt_password(prompt),
    };
    credentials::resolve(wanted, &sources).await
}

pub fn network(accounts: Accounts, stats: &Stats) -> Result<Network, Stop> {
    Network::new(accounts, stats.clone()).map_err(|error| Stop::because(Exit::Internal, &error))
}

pub fn uuid() -> Result<String, Stop> {
    let id = entropy::uuid().map_err(|error| Stop::because(Exit::Internal, &error))?;
    Ok(id.hyphenated().to_string())
}

/// Everybody who is asked. `--limit` narrows who gets work; it never narrows what "every Exchange
/// server" or "every server of the farm" means, so these are all read if one of them is to change.
fn questions_of(loaded: &Loaded, limit: Option<&BTreeSet<HostName>>) -> Vec<Question> {
    let hosts = &loaded.inventory.hosts;
    let within = |host: &Host| limit.is_none_or(|limit| limit.contains(&host.name));
    let concerned = |role: Role| {
        hosts.iter().any(|host| host.role == Some(role) && host.in_scope() && within(host))
    };
    let mail = concerned(Role::Exchange);
    let sites = asks_for_farms(loaded) && concerned(Role::Sharepoint);
    let farms = if asks_for_farms(loaded) { farms(hosts) } else { BTreeMap::new() };
    hosts
        .iter()
        .filter(|host| plan::is_contacted(host))
        .filter(|host| {
            within(host)
                || (mail && host.role == Some(Role::Exchange))
                || (sites && host.role == Some(Role::Sharepoint))
        })
        .map(|host| Question {
            target: target(host, false),
            probe: {
                let mut probe = plan::probe(host, &loaded.rules);
                plan::preflight::narrow(&mut probe, &loaded.playbook.preflight);
                probe.file_objects =
                    host.role == Some(Role::Fci) && plan::fileserver::is_ordered(&loaded.playbook);
                probe
            },
            exchange: (host.role == Some(Role::Exchange)).then(|| target(host, true)),
            care: restart_settings(host, &loaded.playbook)
                .filter(|_| host.in_scope())
                .map(|settings| settings.care.clone())
                .unwrap_or_default(),
            farm: farms.get(&host.name).cloned(),
        })
        .collect()
}

/// Whether the playbook has a step for SharePoint farms. Nothing else needs to know them.
fn asks_for_farms(loaded: &Loaded) -> bool {
    loaded
        .playbook
        .stages
        .iter()
        .any(|stage| matches!(&stage.work, StageWork::Step(StepOrder::Farm(_))))
}

/// One server of each farm, to be asked for it.
fn farms(hosts: &[Host]) -> BTreeMap<HostName, FarmQuestion> {
    let farms = plan::farm::farms(hosts);
    farms
        .into_iter()
        .filter_map(|(name, members)| {
            let via = plan::farm::via(&members)?;
            let configuration = via.sharepoint.clone();
            Some((via.name.clone(), FarmQuestion { name, configuration }))
        })
        .collect()
}

/// Where and as whom a host is talked to, or its Exchange endpoint.
pub fn target(host: &Host, exchange: bool) -> Target {
    Target {
        host: host.name.clone(),
        endpoint: if exchange { host.exchange.clone() } else { host.endpoint.clone() },
        credential: host.credential.clone(),
        user: host.user.clone(),
        connect_timeout: Duration::from_secs(host.connect_timeout.into()),
        operation_timeout: Duration::from_secs(host.operation_timeout.into()),
    }
}

/// Asks every host what there is to know, and shows how it goes.
pub async fn read(
    wired: &Wired,
    questions: &[Question],
    limits: &Limits,
    id: &str,
    console: &mut Console,
) -> Result<Survey, Stop> {
    let forks = limits.forks;
    let hosts = plural::count(questions.len(), "host");
    console.did("Reading", &format!("{hosts}, at most {forks} at once"))?;
    let began = SystemClock.now();
    let labels = Labels::new(questions.iter().map(|question| &question.target.host));
    let machine = console.lend_machine()?;
    let screen = Shared::new(Screen::open(console.output.look, &labels, questions.len(), machine));
    let observer = {
        let (screen, wired) = (screen.clone(), wired.clone());
        move |record: &Record| {
            wired.note(&record.event);
            // What cannot be shown is read all the same; the result is written by other means.
            drop(screen.lock().show(record));
        }
    };
    let mut sink = Passing::new(id, || SystemClock.now(), observer);
    let work = survey(wired, &SystemClock, questions, limits, &mut sink);
    let read = attend_reading(work, &screen).await;
    for words in tidy(wired).await {
        drop(screen.lock().note(&words));
    }
    console.take_back(screen.lock().close());
    let survey = read
        .ok_or_else(|| Stop::new(Exit::Interrupted, "stopped; nothing was written anywhere"))?
        .map_err(|error| Stop::because(Exit::Internal, &error))?;
    let answered = survey.hosts.values().filter(|host| matches!(host, HostSurvey::Read(_))).count();
    let seconds = SystemClock.now().duration_since(began).as_secs_f64();
    let took = plural::duration(seconds);
    console.did("Read", &format!("{answered}/{} in {took}", questions.len()))?;
    let spent = questions.iter().map(|one| &one.target).filter(|target| wired.is_refused(target));
    refused(&survey, &spent.map(|target| &target.host).collect())?;
    Ok(survey)
}

/// An account that was refused before it was accepted anywhere stops everything. `spent` are the
/// hosts of such accounts; hosts of other accounts may have answered well.
fn refused(survey: &Survey, spent: &BTreeSet<&HostName>) -> Result<(), Stop> {
    let failures = survey.hosts.iter().filter_map(|(host, survey)| match survey {
        HostSurvey::Read(_) => None,
        HostSurvey::Failed(failure) => spent.contains(host).then_some((host, failure)),
    });
    let of_kind = |kind| failures.clone().filter(move |(_, failure)| failure.kind == kind);
    let guarded = of_kind(FailureKind::AccountGuarded).count();
    let denied = of_kind(FailureKind::Denied).next_back();
    let Some((host, failure)) = denied else { return Ok(()) };
    let spared = match guarded {
        0 => String::new(),
        1 => "; 1 other host was not tried with it".to_owned(),
        guarded => format!("; {guarded} other hosts were not tried with it"),
    };
    Err(Stop::new(Exit::Auth, format!("{host}: {}{spared}", failure.text()))
        .hint("check user name and password; one refused logon was spent, no other"))
}

fn waivers(request: &PlanRequest, inventory: &Inventory) -> Result<Vec<Waiver>, Stop> {
    let waived = request.consent.waive.iter().map(|waiver| {
        let name = waiver.host.as_str();
        let host = inventory.host(name).ok_or_else(|| {
            Stop::new(Exit::NoMatch, format!("--waive names `{name}`, which is no host"))
                .hint("rmsfleet inventory list shows them all")
        })?;
        Ok(Waiver { host: host.name.clone(), ..waiver.clone() })
    });
    waived.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Failure;
    use crate::plan::sample;

    #[test]
    fn an_account_refused_at_its_first_logon_ends_all_though_another_works() {
        let check = |spent: &[&str], expected: Option<Exit>| {
            let hosts = ["EX1", "FS1", "FS2"].map(|name| sample::host(name, Role::Fci));
            let mut survey = sample::survey(&hosts);
            for (name, kind) in [("FS1", FailureKind::Denied), ("FS2", FailureKind::AccountGuarded)]
            {
                let failed = HostSurvey::Failed(Failure::new(kind, "because"));
                survey.hosts.insert(HostName::new(name), failed);
            }
            let spent: Vec<HostName> = spent.iter().map(|name| HostName::new(*name)).collect();
            let got = refused(&survey, &spent.iter().collect()).err().map(|stop| stop.exit);
            assert_eq!(got, expected, "{spent:?}");
        };
        check(&["FS1"], Some(Exit::Auth));
        check(&["FS1", "FS2"], Some(Exit::Auth));
        // Accepted elsewhere: the refusal concerns one host.
        check(&[], None);
    }
}
