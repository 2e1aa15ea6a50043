//! DAG members and cluster nodes: out of service, restarted, back as found.

use std::collections::BTreeMap;

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::lab::availability::Availability;
use rmsfleet::lab::availability::Server;
use rmsfleet::model::care::Drain;
use rmsfleet::model::care::RestartOrder;
use rmsfleet::model::gate::ExchangeCheck;
use rmsfleet::model::gate::Gate;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::FailureDomain;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedWork;

use crate::apply::apply;
use crate::apply::orders;
use crate::apply::outcome;
use crate::apply::ready;
use crate::apply::rehearse;
use crate::apply::two_values;
use crate::imagined::endpoint;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::Luck;

const MEMBERS: [&str; 4] = ["EX1", "EX2", "EX3", "EX4"];

/// A DAG of four over two sites; EX1 is its primary and each member has one active database.
fn dag() -> (Fleet, Plan) {
    let fleet = ready(&MEMBERS);
    fleet.with(|world| world.availability = farm("DAG1"));
    let mut plan = two_values(&MEMBERS, true);
    for (place, host) in plan.hosts.values_mut().enumerate() {
        host.exchange = Some(endpoint(host.name.as_str(), "/PowerShell/"));
        host.domains = vec![FailureDomain { id: "dag:DAG1".to_owned(), max_unavailable: 1 }];
        host.care.drain = Drain::ExchangeDag;
        host.care.order = vec![
            RestartOrder::FewestActiveDatabases,
            RestartOrder::AlternateSites,
            RestartOrder::PamLast,
        ];
        host.site = Some(["ams", "fra"][place / 2].to_owned());
    }
    (fleet, plan)
}

fn farm(dag: &str) -> Availability {
    let mut farm = Availability::default();
    for name in MEMBERS {
        farm.add(name, Server::new(format!("{name}.contoso.com"), Some(dag.to_owned()), None));
    }
    farm.settle();
    farm
}

fn cluster() -> (Fleet, Plan) {
    let fleet = ready(&["N1", "N2"]);
    let mut plan = two_values(&["N1", "N2"], true);
    fleet.with(|world| {
        for name in ["N1", "N2"] {
            let server = Server::new(format!("{name}.contoso.com"), None, Some("CL1".to_owned()));
            world.availability.add(name, server);
        }
    });
    for host in plan.hosts.values_mut() {
        host.domains = vec![FailureDomain { id: "cluster:CL1".to_owned(), max_unavailable: 1 }];
        host.care.drain = Drain::FailoverCluster;
        host.care.order = vec![RestartOrder::FewestOwnedRoles];
    }
    (fleet, plan)
}

fn acts(fleet: &Fleet) -> Vec<String> {
    fleet.with(|world| world.availability.acts.clone())
}

/// Who restarted, in order.
fn restarts(fleet: &Fleet) -> Vec<String> {
    let order = |line: &String| line.strip_suffix(" restart").map(str::to_owned);
    fleet.with(|world| world.log.iter().filter_map(order).collect())
}

/// What an administrator has set, and an effective state of every component.
fn standing(fleet: &Fleet) -> BTreeMap<String, String> {
    fleet.with(|world| {
        let farm = &world.availability;
        let mut all = BTreeMap::new();
        for (name, server) in &farm.servers {
            let states: Vec<&str> = rmsfleet::lab::availability::COMPONENTS
                .into_iter()
                .map(|component| server.component(component))
                .collect();
            let text = format!("{} {} {states:?}", server.policy, server.move_now);
            all.insert(name.clone(), text);
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

#[test]
fn a_dag_restarts_one_by_one_sites_in_turn_and_its_primary_last() {
    let (fleet, plan) = dag();
    // EX2 carries two databases, EX4 none.
    fleet.with(|world| world.availability.activate("DAG1-DB04", "EX2"));
    let before = standing(&fleet);
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Ok, "{report:?}");
    assert_eq!(restarts(&fleet), ["EX4", "EX2", "EX3", "EX1"]);
    assert_eq!(standing(&fleet), before);
}

#[test]
fn what_an_administrator_has_set_stays_as_it_was_found() {
    let (fleet, plan) = dag();
    fleet.with(|world| {
        let farm = &mut world.availability;
        farm.servers.get_mut("EX3").unwrap().policy = "Blocked".to_owned();
        let copies = farm.databases.get_mut("DAG1-DB01").unwrap();
        copies.get_mut("EX2").unwrap().suspended = true;
        copies.get_mut("EX3").unwrap().activation_suspended = true;
        let asked = BTreeMap::from([("Functional".to_owned(), "Inactive".to_owned())]);
        farm.servers.get_mut("EX2").unwrap().components.insert("EwsProxy".to_owned(), asked);
    });
    let before = standing(&fleet);
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Ok, "{report:?}");
    assert_eq!(standing(&fleet), before);
    assert_eq!(restarts(&fleet).len(), 4);
    let told = fleet.with(|world| {
        let found = |event: &Event| match event {
            Event::MaintenanceFound { host, found } => Some((host.clone(), found.peculiar())),
            _ => None,
        };
        world.events.iter().filter_map(found).collect::<BTreeMap<_, _>>()
    });
    let of = |name: &str| told[&HostName::new(name)].clone();
    assert_eq!(of("EX2"), ["copy DAG1-DB01 is suspended", "EwsProxy is Inactive by Functional"]);
    let blocked = "the activation policy is Blocked";
    assert_eq!(of("EX3"), ["the activation of copy DAG1-DB01 is suspended", blocked]);
}

#[test]
fn one_member_goes_out_and_comes_back_step_by_step() {
    let (fleet, mut plan) = dag();
    let PlannedWork::Hosts { restarts, .. } = &mut plan.stages[0].work else { panic!() };
    restarts.retain(|host| host.as_str() == "EX2");
    fleet.with(|world| {
        let queues = &mut world.availability.servers.get_mut("EX2").unwrap().queues;
        queues.insert("Submission".to_owned(), 7);
    });
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Ok, "{report:?}");
    assert_eq!(
        acts(&fleet),
        [
            "EX2 HubTransport Draining",
            "EX2 redirects to EX1",
            "EX2 policy Blocked",
            "EX2 suspended and drained",
            "DAG1-DB02 moves from EX2 to EX3",
            "EX2 ServerWideOffline Inactive",
            "EX2 ServerWideOffline Active",
            "EX2 resumed",
            "EX2 policy Unrestricted",
            "EX2 HubTransport Active",
        ]
    );
    // Out: stopped and started; back: once more.
    assert_eq!(fleet.count("EX2 stop MSExchangeTransport"), 2);
    assert_eq!(fleet.count("EX2 start MSExchangeTransport"), 2);
}

#[test]
fn nobody_goes_down_while_a_peer_is_in_somebody_elses_maintenance() {
    let (fleet, plan) = dag();
    fleet.with(|world| {
        let asked = BTreeMap::from([("Maintenance".to_owned(), "Inactive".to_owned())]);
        let server = world.availability.servers.get_mut("EX3").unwrap();
        server.components.insert("ServerWideOffline".to_owned(), asked);
    });
    let report = apply(&fleet, &plan).unwrap();
    // EX3 itself may restart, and stays in the maintenance that it was found in.
    assert_eq!(restarts(&fleet), ["EX3"]);
    for name in ["EX1", "EX2", "EX4"] {
        let Outcome::RestartOwed { reason, .. } = outcome(&report, name) else {
            panic!("{report:?}")
        };
        assert!(reason.contains("EX3 is in maintenance"), "{reason}");
    }
    assert_eq!(report.exit, Exit::Partial);
    let state = fleet.with(|world| world.availability.servers["EX3"].component("OwaProxy"));
    assert_eq!(state, "Inactive");
}

#[test]
fn a_peer_that_does_not_answer_counts_as_down() {
    let (fleet, mut plan) = dag();
    let work = &mut plan.stages[0].work;
    let PlannedWork::Hosts { batches, restarts: due, .. } = work else { panic!() };
    batches[0].retain(|host| host.as_str() != "EX4");
    due.retain(|host| host.as_str() != "EX4");
    fleet.luck("EX4", Luck { unreachable: true, ..Luck::default() });
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(restarts(&fleet), [""; 0]);
    let Outcome::RestartOwed { reason, .. } = outcome(&report, "EX1") else { panic!("{report:?}") };
    assert!(reason.contains("EX4 does not answer"), "{reason}");
    assert_eq!(acts(&fleet), [""; 0], "nothing was drained");
}

#[test]
fn a_database_with_one_copy_keeps_its_server_up_until_its_outage_is_accepted() {
    let single = |fleet: &Fleet| {
        fleet.with(|world| {
            let copies = world.availability.databases.get_mut("DAG1-DB02").unwrap();
            copies.retain(|at, _| at == "EX2");
        });
    };
    let (fleet, mut plan) = dag();
    let PlannedWork::Hosts { restarts: due, .. } = &mut plan.stages[0].work else { panic!() };
    due.retain(|host| host.as_str() == "EX2");
    single(&fleet);
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(orders(&fleet, "EX2"), 0);
    assert_eq!(acts(&fleet), [""; 0]);
    let Outcome::RestartOwed { reason, .. } = outcome(&report, "EX2") else { panic!("{report:?}") };
    assert!(reason.contains("no usable copy elsewhere of DAG1-DB02"), "{reason}");

    let (fleet, _) = dag();
    single(&fleet);
    for host in plan.hosts.values_mut() {
        host.care.outage = vec!["DAG1-DB02".to_owned()];
    }
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Ok, "{report:?}");
    assert_eq!(restarts(&fleet), ["EX2"]);
}

#[test]
fn a_drain_that_fails_takes_itself_back_and_nothing_restarts() {
    let (fleet, plan) = dag();
    // Nobody may take over what is active on EX2; its copies are healthy all the same.
    fleet.with(|world| {
        for name in ["EX1", "EX3", "EX4"] {
            world.availability.servers.get_mut(name).unwrap().policy = "Blocked".to_owned();
        }
    });
    let before = standing(&fleet);
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(restarts(&fleet), [""; 0]);
    assert_eq!(standing(&fleet), before);
    let failed = MEMBERS.into_iter().find_map(|name| match outcome(&report, name) {
        Outcome::Failed(failure) => Some(failure),
        _ => None,
    });
    let failure = failed.unwrap();
    assert_eq!(failure.kind, FailureKind::Maintenance);
    assert!(failure.text().contains("can be activated"), "{}", failure.text());
}

#[test]
fn a_member_whose_restart_is_refused_is_back_as_found_and_another_may_follow() {
    let (fleet, mut plan) = dag();
    let PlannedWork::Hosts { budget, .. } = &mut plan.stages[0].work else { panic!() };
    *budget = 1;
    let before = standing(&fleet);
    fleet.luck("EX4", Luck { refuse_order: Some(1314), ..Luck::default() });
    let report = apply(&fleet, &plan).unwrap();
    let Outcome::Failed(failure) = outcome(&report, "EX4") else { panic!("{report:?}") };
    assert_eq!(failure.kind, FailureKind::RestartNotBegun);
    assert!(failure.hint.unwrap().contains("shut the system down"), "what to do");
    assert_eq!(standing(&fleet), before);
    assert_eq!(orders(&fleet, "EX2"), 1, "{report:?}");
}

#[test]
fn the_machine_that_the_run_goes_on_from_is_not_even_drained() {
    let (fleet, plan) = dag();
    fleet.with(|world| world.own = Some("EX4".to_owned()));
    let report = apply(&fleet, &plan).unwrap();
    let Outcome::Failed(failure) = outcome(&report, "EX4") else { panic!("{report:?}") };
    assert!(failure.text().contains("goes on from this machine"), "{}", failure.text());
    assert!(!acts(&fleet).iter().any(|act| act.starts_with("EX4")), "{:?}", acts(&fleet));
    assert_eq!(orders(&fleet, "EX4"), 0);
}

#[test]
fn a_gate_that_asks_for_service_is_looked_at_when_the_host_is_back() {
    let (fleet, mut plan) = dag();
    let checks = vec![ExchangeCheck::NotInMaintenance, ExchangeCheck::CopiesHealthy];
    let gate = Gate::Exchange { checks, within: 60 };
    plan.conditions.gates.insert("healthy".to_owned(), gate);
    for host in plan.hosts.values_mut() {
        host.care.gates_after = vec!["healthy".to_owned()];
    }
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Ok, "{report:?}");
    assert_eq!(restarts(&fleet).len(), 4);
}

/// What an administrator holds down is found so and left so; what maintenance holds down on a server
/// that this run did not take out of service was left by somebody else.
#[test]
fn a_component_held_down_is_as_found_and_one_that_maintenance_left_behind_stops_the_run() {
    for (held, exit) in [(true, Exit::Ok), (false, Exit::Aborted)] {
        let (fleet, mut plan) = dag();
        let checks = vec![ExchangeCheck::ComponentStatesAsFound];
        let gate = Gate::Exchange { checks, within: 60 };
        plan.conditions.gates.insert("as-found".to_owned(), gate);
        let host = plan.hosts.get_mut(&HostName::new("EX4")).unwrap();
        host.care.gates_after = vec!["as-found".to_owned()];
        if !held {
            host.care.drain = Drain::None;
        }
        fleet.with(|world| {
            let server = world.availability.servers.get_mut("EX4").unwrap();
            let requester = if held { "Functional" } else { "Maintenance" };
            let asked = (requester.to_owned(), "Inactive".to_owned());
            server.components.insert("OwaProxy".to_owned(), [asked].into());
        });
        let report = apply(&fleet, &plan).unwrap();
        assert_eq!(report.exit == Exit::Ok, exit == Exit::Ok, "held: {held}: {report:#?}");
        let seen = fleet.with(|world| {
            let red = world.events.iter().filter_map(|event| match event {
                Event::GateFailed { reason, .. } => Some(reason.clone()),
                _ => None,
            });
            red.collect::<Vec<_>>()
        });
        assert_eq!(seen.is_empty(), held, "{seen:?}");
        assert!(held || seen[0].contains("OwaProxy"), "{seen:?}");
    }
}

#[test]
fn a_cluster_restarts_node_by_node_the_one_with_fewest_roles_first() {
    let (fleet, plan) = cluster();
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Ok, "{report:?}");
    // N1 owns the core group beside its own role.
    assert_eq!(restarts(&fleet), ["N2", "N1"]);
    let expected =
        ["N2 suspended and drained", "N2 resumed", "N1 suspended and drained", "N1 resumed"];
    assert_eq!(acts(&fleet), expected);
    let groups = fleet.with(|world| world.availability.clusters["CL1"].groups.clone());
    assert_eq!(groups["FS-N1"], "N1");
    assert_eq!(groups["FS-N2"], "N2");
}

#[test]
fn a_node_that_was_found_paused_stays_paused_and_keeps_the_others_up() {
    let (fleet, plan) = cluster();
    fleet.with(|world| {
        world.availability.move_groups("N2");
        world.availability.clusters.get_mut("CL1").unwrap().paused.insert("N2".to_owned());
    });
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(restarts(&fleet), ["N2"]);
    assert_eq!(acts(&fleet), [""; 0]);
    let paused = fleet.with(|world| world.availability.clusters["CL1"].paused.clone());
    assert_eq!(paused.into_iter().collect::<Vec<_>>(), ["N2"]);
    let Outcome::RestartOwed { reason, .. } = outcome(&report, "N1") else { panic!("{report:?}") };
    assert!(reason.contains("N2 is paused in the cluster"), "{reason}");
}

#[test]
fn the_capacity_is_told_when_it_changes() {
    let (fleet, plan) = cluster();
    apply(&fleet, &plan).unwrap();
    let told = fleet.with(|world| {
        let capacity = |event: &Event| match event {
            Event::CapacitySeen { domain, up, of, votes } => {
                Some(format!("{domain} {up}/{of} {votes:?}"))
            }
            _ => None,
        };
        world.events.iter().filter_map(capacity).collect::<Vec<_>>()
    });
    assert_eq!(told, ["cluster:CL1 2/2 Some((2, 2))"]);
}

#[test]
fn a_rehearsal_reads_how_members_stand_and_refuses_what_a_run_would() {
    let (fleet, plan) = dag();
    let before = standing(&fleet);
    assert_eq!(rehearse(&fleet, &plan).unwrap().exit, Exit::Ok);
    assert_eq!((standing(&fleet), acts(&fleet), restarts(&fleet)), (before, vec![], vec![]));
    let told = |name: &str| {
        fleet.with(|world| {
            world.events.iter().any(|event| match event {
                Event::RestartWaiting { host, seen } => {
                    host.as_str() == name && seen.contains("taken out of service (")
                }
                _ => false,
            })
        })
    };
    assert!(MEMBERS.iter().all(|name| told(name)));

    let (fleet, plan) = dag();
    fleet.with(|world| {
        for copies in world.availability.databases.values_mut() {
            copies.retain(|at, _| at == "EX1");
        }
    });
    let ended = outcome(&rehearse(&fleet, &plan).unwrap(), "EX1");
    let held = |reason: &str| reason.contains("no usable copy elsewhere");
    assert!(matches!(&ended, Outcome::RestartOwed { reason, .. } if held(reason)), "{ended:?}");
}

/// What is green only in service is looked at there, and what stands behind it follows it.
#[test]
fn gates_behind_a_members_restart_keep_their_order() {
    let (fleet, mut plan) = dag();
    let checks = vec![ExchangeCheck::NotInMaintenance];
    let gates = [
        ("port", Gate::Tcp { port: 25, within: 60 }),
        ("healthy", Gate::Exchange { checks, within: 60 }),
        ("soak", Gate::Soak { duration: 60, recheck_every: 30 }),
    ];
    plan.conditions.gates = gates.map(|(name, gate)| (name.to_owned(), gate)).into();
    let host = plan.hosts.get_mut(&HostName::new("EX4")).unwrap();
    host.care.gates_after = ["port", "healthy", "soak"].map(str::to_owned).to_vec();
    assert_eq!(apply(&fleet, &plan).unwrap().exit, Exit::Ok);
    let order = fleet.with(|world| {
        let told = world.events.iter().filter_map(|event| match event {
            Event::GateStarted { stage, gate, .. } if stage == "EX4" => Some(gate.clone()),
            Event::MaintenanceLeft { host, .. } if host.as_str() == "EX4" => {
                Some("back".to_owned())
            }
            _ => None,
        });
        told.collect::<Vec<_>>()
    });
    assert_eq!(order, ["port", "back", "healthy", "soak"]);
}
