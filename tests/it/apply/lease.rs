//! Two runs on one fleet: the lease on a host keeps the second away before its first write.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use tokio::sync::watch;

use rmsfleet::error::Exit;
use rmsfleet::host::restart::Pace;
use rmsfleet::model::host::HostName;
use rmsfleet::model::lease::Claim;
use rmsfleet::model::lease::Lease;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::registry::Value;
use rmsfleet::run::action::Options;
use rmsfleet::run::action::Stop;
use rmsfleet::run::driver::RunContext;
use rmsfleet::run::driver::RunReport;
use rmsfleet::run::driver::execute;

use crate::apply::apply;
use crate::apply::check_intents;
use crate::apply::check_values;
use crate::apply::outcome;
use crate::apply::ready;
use crate::apply::two_values;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::ImaginedSink;
use crate::imagined::noon;

/// The lease of a run, as long as `hours` from noon on.
fn lease(run: &str, hours: i64) -> Value {
    let lease = Lease {
        run: run.to_owned(),
        claim: Claim::Held,
        plan: "another".to_owned(),
        until: noon() + SignedDuration::from_hours(hours),
        workstation: "WS2".to_owned(),
        operator: r"CORP\ben".to_owned(),
    };
    lease.value()
}

#[track_caller]
fn check_nothing_left(fleet: &Fleet, names: &[&str]) {
    for name in names {
        let keys = fleet.keys(name);
        assert!(!keys.iter().any(|key| key.contains("rmsfleet")), "{keys:?}");
    }
}

#[test]
fn a_host_of_another_run_is_refused_by_name_and_the_run_starts_nothing_more() {
    let fleet = ready(&["FS1", "FS2"]);
    fleet.put_value("FS1", &Lease::path("run-0"), lease("run-0", 4));
    let mut plan = two_values(&["FS1", "FS2"], true);
    plan.limits.forks = 1;
    let report = apply(&fleet, &plan).unwrap();
    let Outcome::Refused(failure) = outcome(&report, "FS1") else { panic!("{report:?}") };
    assert_eq!((failure.kind, report.exit), (FailureKind::Leased, Exit::Locked));
    for word in ["run-0", r"CORP\ben", "WS2", "until "] {
        assert!(failure.text().contains(word), "{failure:?}");
    }
    assert_eq!(outcome(&report, "FS2"), Outcome::NotStarted);
    assert_eq!((fleet.count(" set "), fleet.count(" delete ")), (0, 0));
    check_intents(&fleet);
}

#[test]
fn a_lease_that_has_expired_is_taken_over_and_nothing_stays() {
    let fleet = ready(&["FS1"]);
    fleet.put_value("FS1", &Lease::path("run-0"), lease("run-0", -1));
    let report = apply(&fleet, &two_values(&["FS1"], true)).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    check_values(&fleet, "FS1", Some("1"), Some("2"));
    check_nothing_left(&fleet, &["FS1"]);
    check_intents(&fleet);
}

#[test]
fn a_lease_that_the_plan_saw_and_a_person_waived_is_removed() {
    let fleet = ready(&["FS1"]);
    fleet.put_value("FS1", &Lease::path("run-0"), lease("run-0", 4));
    let mut plan = two_values(&["FS1"], false);
    let told = format!("run run-0 of CORP\\ben on WS2 works on it until {}", {
        let until = noon() + SignedDuration::from_hours(4);
        until.strftime("%Y-%m-%d %H:%MZ")
    });
    plan.hosts.get_mut(&HostName::new("FS1")).unwrap().leases.push(told);
    assert_eq!(apply(&fleet, &plan).unwrap().exit, Exit::Ok);
    check_nothing_left(&fleet, &["FS1"]);
}

#[test]
fn a_lease_that_cannot_be_read_keeps_everybody_away() {
    let fleet = ready(&["FS1"]);
    fleet.put("FS1", &Lease::path("run-0"), "mine, for ever");
    let report = apply(&fleet, &two_values(&["FS1"], false)).unwrap();
    assert_eq!(report.exit, Exit::Locked);
    assert_eq!(fleet.count(" set "), 0);
}

#[test]
fn without_marks_there_is_no_lease() {
    let fleet = ready(&["FS1"]);
    let mut plan = two_values(&["FS1"], false);
    plan.marks = false;
    apply(&fleet, &plan).unwrap();
    assert_eq!(fleet.count("lease-intended"), 0);
    assert_eq!(fleet.count("FS1 set"), 2);
}

async fn run_as(fleet: &Fleet, plan: &Plan, run: &str) -> RunReport {
    let (_sender, stop) = watch::channel(Stop::Go);
    let options =
        Options { confirmed: BTreeSet::from(["Contoso".to_owned()]), ..Options::default() };
    execute(RunContext {
        plan,
        digest: "0123",
        run,
        tool: "rmsfleet test",
        operator: "admin",
        workstation: "desk",
        connect: fleet,
        clock: fleet,
        sink: &mut ImaginedSink(fleet.clone()),
        options,
        pace: Pace::default(),
        controller: fleet,
        stop,
    })
    .await
    .unwrap()
}

#[test]
fn two_runs_at_once_never_write_one_host_twice() {
    let names = ["FS1", "FS2", "FS3"];
    let fleet = ready(&names);
    let plan = two_values(&names, false);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (one, two) = runtime.block_on(async {
        futures::join!(run_as(&fleet, &plan, "run-1"), run_as(&fleet, &plan, "run-2"))
    });
    for name in names {
        let sets = ["One", "Two"].map(|value| fleet.count(&format!("{name} set {value}")));
        assert!(sets == [1, 1] || sets == [0, 0], "{name}: {sets:?}");
        let changed = [&one, &two]
            .iter()
            .filter(|report| matches!(outcome(report, name), Outcome::Changed { .. }))
            .count();
        assert_eq!(changed, sets[0], "{name}");
    }
    assert!(one.exit != Exit::Ok || two.exit != Exit::Ok);
    check_nothing_left(&fleet, &names);
}
