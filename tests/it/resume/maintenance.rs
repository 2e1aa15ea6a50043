//! Runs killed while hosts are out of service: every host ends in service as it was found.

use std::collections::BTreeMap;

use rmsfleet::error::Exit;
use rmsfleet::journal::reader;
use rmsfleet::lab::availability::Availability;
use rmsfleet::lab::availability::COMPONENTS;
use rmsfleet::lab::availability::Server;
use rmsfleet::model::care::Drain;
use rmsfleet::model::care::RestartOrder;
use rmsfleet::model::gate::ExchangeCheck;
use rmsfleet::model::gate::Gate;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::FailureDomain;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::window::Day;
use rmsfleet::model::window::Window;
use rmsfleet::run::driver::RunError;
use rmsfleet::run::driver::RunReport;
use rmsfleet::run::history::History;
use rmsfleet::run::scheduler::is_finished;

use crate::imagined::change;
use crate::imagined::endpoint;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::Luck;
use crate::imagined::hosts_stage;
use crate::imagined::plan;
use crate::imagined::planned;
use crate::resume::DEATHS;
use crate::resume::Death;
use crate::resume::exactly;
use crate::resume::go_on;
use crate::resume::pass_time;
use crate::resume::path;
use crate::resume::start;

const DAG: [&str; 3] = ["EX1", "EX2", "EX3"];
const NODES: [&str; 2] = ["FS1", "FS2"];

/// A DAG of three and a cluster of two, restarted one by one; behind each member a gate that every
/// component is as this run, whichever process of it, has found it.
pub(super) fn estate() -> Plan {
    let mut hosts = Vec::new();
    for name in DAG.into_iter().chain(NODES) {
        let mut host = planned(name);
        host.changes = vec![change("One", Some("old"), Some("1"))];
        host.restart = true;
        let dag = DAG.contains(&name);
        let domain = if dag { "dag:DAG1" } else { "cluster:CL1" };
        host.domains = vec![FailureDomain { id: domain.to_owned(), max_unavailable: 1 }];
        host.exchange = dag.then(|| endpoint(name, "/PowerShell/"));
        host.care.drain = if dag { Drain::ExchangeDag } else { Drain::FailoverCluster };
        host.care.order = vec![RestartOrder::FewestActiveDatabases, RestartOrder::PamLast];
        host.care.gates_after = dag.then(|| "as-found".to_owned()).into_iter().collect();
        hosts.push(host);
    }
    let names: Vec<HostName> = hosts.iter().map(|host| host.name.clone()).collect();
    let mut plan = plan(hosts, vec![hosts_stage("servers", vec![names.clone()], 0, names)]);
    let checks = vec![ExchangeCheck::ComponentStatesAsFound];
    plan.conditions.gates.insert("as-found".to_owned(), Gate::Exchange { checks, within: 60 });
    plan
}

/// With a suspended copy and an activation block that nobody may lift.
pub(super) fn machines() -> Fleet {
    let names: Vec<&str> = DAG.into_iter().chain(NODES).collect();
    let fleet = Fleet::new(&names);
    let mut farm = Availability::default();
    for (place, name) in names.into_iter().enumerate() {
        fleet.put(name, &path("One"), "old");
        let lingers = if place % 2 == 0 { 0 } else { 45 };
        fleet.luck(name, Luck { lingers, ..Luck::default() });
        let member = DAG.contains(&name);
        let dag = member.then(|| "DAG1".to_owned());
        let cluster = (!member).then(|| "CL1".to_owned());
        farm.add(name, Server::new(format!("{name}.contoso.com"), dag, cluster));
    }
    farm.settle();
    farm.servers.get_mut("EX2").unwrap().policy = "IntrasiteOnly".to_owned();
    farm.servers.get_mut("EX3").unwrap().queues.insert("Submission".to_owned(), 5);
    let copies = farm.databases.get_mut("DAG1-DB01").unwrap();
    copies.get_mut("EX2").unwrap().suspended = true;
    fleet.with(|world| world.availability = farm);
    fleet
}

/// Effective states, policies, suspensions and pauses.
pub(super) fn standing(fleet: &Fleet) -> BTreeMap<String, String> {
    fleet.with(|world| {
        let farm = &world.availability;
        let mut all = BTreeMap::new();
        for (name, server) in &farm.servers {
            let states: Vec<&str> =
                COMPONENTS.into_iter().map(|one| server.component(one)).collect();
            all.insert(name.clone(), format!("{} {states:?}", server.policy));
        }
        for (name, copies) in &farm.databases {
            for (at, copy) in copies {
                let text = format!("{} {}", copy.suspended, copy.activation_suspended);
                all.insert(format!("{name} {at}"), text);
            }
        }
        for (name, cluster) in &farm.clusters {
            all.insert(name.clone(), format!("{:?}", cluster.paused));
        }
        all
    })
}

#[track_caller]
fn check_end(fleet: &Fleet, report: &RunReport, found: &BTreeMap<String, String>, what: &str) {
    assert_eq!(report.exit, Exit::Ok, "{what}: {report:?}");
    for name in DAG.into_iter().chain(NODES) {
        let wanted = Outcome::Changed { values: 1, restarted: true };
        assert_eq!(report.outcomes[&HostName::new(name)], wanted, "{what}: {name}");
        assert_eq!(exactly(fleet, &format!("{name} set One")), 1, "{what}: {name}");
        let reboots = fleet.with(|world| world.machines[name].reboots);
        assert_eq!(reboots, 1, "{what}: restarts of {name}");
        assert_eq!(exactly(fleet, &format!("{name} restart")), 1, "{what}: orders for {name}");
        let stopped = fleet.with(|world| world.machines[name].stopped.len());
        assert_eq!(stopped, 0, "{what}: {name} has a stopped service");
    }
    assert_eq!(standing(fleet), *found, "{what}");
    check_acts(fleet, what);
}

/// Each state is set at most once out and once back, however often the run died.
#[track_caller]
fn check_acts(fleet: &Fleet, what: &str) {
    let acts = fleet.with(|world| world.availability.acts.clone());
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for act in acts.iter().filter(|act| !act.contains(" moves ")) {
        *counts.entry(act).or_default() += 1;
    }
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{what}: done twice: {twice:?}");
}

/// Never two of a DAG or cluster out of service, by what the journal tells.
#[track_caller]
fn check_one_at_a_time(bytes: &[u8], what: &str) {
    use rmsfleet::event::Event;
    let plan = estate();
    let mut out: Vec<HostName> = Vec::new();
    for record in reader::parse(bytes).unwrap().records {
        match record.event {
            Event::MaintenanceFound { host, .. } => {
                let domain = &plan.hosts[&host].domains;
                let same = out.iter().find(|own| plan.hosts[*own].domains == *domain);
                assert_eq!(same, None, "{what}: {host} goes out");
                out.push(host);
            }
            Event::MaintenanceLeft { host, .. } => out.retain(|own| *own != host),
            _ => {}
        }
    }
    assert_eq!(out, [], "{what}: left out of service");
}

fn undisturbed() -> usize {
    let (fleet, plan) = (machines(), estate());
    let found = standing(&fleet);
    let (disk, report) = start(&fleet, &plan, None);
    check_end(&fleet, &report.unwrap(), &found, "undisturbed");
    check_one_at_a_time(&disk.bytes(), "undisturbed");
    disk.lines()
}

#[track_caller]
fn check_deaths(death: Death) {
    let plan = estate();
    let lines = undisturbed();
    assert!(lines > 100, "{lines} lines");
    let every = match death {
        Death::After | Death::Before | Death::Lost => 1,
        Death::Torn | Death::LostTorn => 7,
    };
    for at in (0..lines).step_by(every) {
        let what = format!("{death:?} at line {at}");
        let fleet = machines();
        let found = standing(&fleet);
        let (disk, died) = start(&fleet, &plan, Some((at, death)));
        assert!(matches!(died, Err(RunError::Journal(_))), "{what}");
        pass_time(&fleet, [0, 20, 50, 4000][at % 4]);
        let (disk, report) = go_on(&fleet, &plan, &disk, None);
        check_end(&fleet, &report.unwrap(), &found, &what);
        let bytes = disk.bytes();
        check_one_at_a_time(&bytes, &what);
        let history = History::of(&reader::parse(&bytes).unwrap().records);
        assert!(is_finished(&plan, &history), "{what}");
    }
}

#[test]
fn killed_at_any_record_a_host_in_maintenance_ends_as_it_was_found() {
    for death in DEATHS {
        check_deaths(death);
    }
}

fn orders(fleet: &Fleet, name: &str) -> usize {
    exactly(fleet, &format!("{name} restart"))
}

/// INVARIANT: a window that has closed since is as binding for a resume as for a run: no host goes
/// on out of service and none is ordered to restart, and every one is back as it was found.
#[test]
fn killed_at_any_record_and_resumed_outside_the_window_every_host_is_back_and_none_restarts() {
    let mut plan = estate();
    // The Friday of the tests, from an hour before noon on.
    let (days, tz) = (vec![Day::Fri], "UTC".to_owned());
    let window = Window { tz, days, start: 11 * 60, duration: 12 * 3600, cutoff: 0 };
    plan.conditions.windows.insert("night".to_owned(), window);
    for host in plan.hosts.values_mut() {
        host.window = Some("night".to_owned());
    }
    let (mut brought_back, day) = (0, 24 * 3600);
    for at in 0..undisturbed() {
        let what = format!("at line {at}");
        let fleet = machines();
        let found = standing(&fleet);
        let (disk, died) = start(&fleet, &plan, Some((at, Death::After)));
        assert!(matches!(died, Err(RunError::Journal(_))), "{what}");
        let names = || DAG.into_iter().chain(NODES);
        let before: Vec<usize> = names().map(|name| orders(&fleet, name)).collect();
        let drained = standing(&fleet) != found;
        pass_time(&fleet, day);
        let (disk, report) = go_on(&fleet, &plan, &disk, None);
        let report = report.unwrap();
        let after: Vec<usize> = names().map(|name| orders(&fleet, name)).collect();
        assert_eq!(before, after, "{what}: orders");
        assert_eq!(standing(&fleet), found, "{what}: {report:?}");
        // One whose writes were under way weighs more than the window that keeps it waiting.
        let doubt = report.outcomes.values().any(|own| matches!(own, Outcome::InDoubt(_)));
        let closed = if doubt { Exit::Partial } else { Exit::Window };
        assert!(report.exit == closed || after.iter().all(|one| *one == 1), "{what}: {report:?}");
        brought_back += usize::from(drained);
        // The next Friday the run comes to its end.
        pass_time(&fleet, 6 * day);
        let (_, report) = go_on(&fleet, &plan, &disk, None);
        assert_eq!(report.unwrap().exit, Exit::Ok, "{what}");
        let reboots = |name: &str| fleet.with(|world| world.machines[name].reboots);
        assert!(names().all(|name| reboots(name) == 1), "{what}");
        assert_eq!(standing(&fleet), found, "{what}");
    }
    assert!(brought_back > 20, "{brought_back}");
}

#[test]
fn a_run_with_hosts_in_maintenance_may_die_again_and_again() {
    let plan = estate();
    for step in [5, 11, 23] {
        for death in DEATHS {
            let what = format!("{death:?} every {step} lines");
            let fleet = machines();
            let found = standing(&fleet);
            let (mut disk, mut report) = start(&fleet, &plan, Some((step, death)));
            let mut processes = 1;
            while report.is_err() {
                processes += 1;
                (disk, report) = go_on(&fleet, &plan, &disk, Some((step + processes, death)));
                assert!(processes < 400, "{what}: no end");
            }
            assert_eq!(report.unwrap().exit, Exit::Ok, "{what}");
            assert_eq!(standing(&fleet), found, "{what}");
            for name in DAG.into_iter().chain(NODES) {
                let reboots = fleet.with(|world| world.machines[name].reboots);
                assert_eq!(reboots, 1, "{what}: restarts of {name}");
            }
        }
    }
}
