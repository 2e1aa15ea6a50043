//! What a resume finds on the hosts decides, not what the journal hopes.

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::host::mark;
use rmsfleet::journal::reader;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;
use rmsfleet::run::action::StepOutcome;
use rmsfleet::run::driver::RunReport;
use rmsfleet::run::history::History;
use rmsfleet::run::scheduler::is_finished;

use crate::imagined::change;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::Luck;
use crate::imagined::hosts_stage;
use crate::imagined::plan;
use crate::imagined::planned;
use crate::resume::Death;
use crate::resume::Memory;
use crate::resume::exactly;
use crate::resume::farm;
use crate::resume::go_on;
use crate::resume::machines;
use crate::resume::pass_time;
use crate::resume::path;
use crate::resume::start;

/// FS1 with two values and a restart.
fn alone() -> Plan {
    let mut host = planned("FS1");
    host.changes = vec![change("One", Some("old"), Some("1")), change("Two", None, Some("2"))];
    host.restart = true;
    let names = vec![HostName::new("FS1")];
    plan(vec![host], vec![hosts_stage("servers", vec![names.clone()], 0, names)])
}

fn ready(luck: Luck) -> Fleet {
    let fleet = Fleet::new(&["FS1"]);
    fleet.put("FS1", &path("One"), "old").luck("FS1", luck);
    fleet
}

/// Kills the run at the first event of a kind.
fn killed_at(fleet: &Fleet, plan: &Plan, kind: &str, death: Death) -> Memory {
    let whole = ready(Luck::default());
    let (disk, _) = start(&whole, plan, None);
    let bytes = disk.bytes();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let tag = format!("\"type\":\"{kind}\"");
    let at = lines.iter().position(|line| String::from_utf8_lossy(line).contains(&tag)).unwrap();
    start(fleet, plan, Some((at, death))).0
}

fn outcome(report: &RunReport) -> &Outcome {
    &report.outcomes[&HostName::new("FS1")]
}

fn reboots(fleet: &Fleet) -> usize {
    fleet.with(|world| world.machines["FS1"].reboots)
}

#[test]
fn an_order_that_was_never_given_is_given_after_the_settle_time() {
    let (fleet, plan) = (ready(Luck::default()), alone());
    let disk = killed_at(&fleet, &plan, "restart-intended", Death::After);
    let died = fleet.with(|world| world.now);
    let (_, report) = go_on(&fleet, &plan, &disk, None);
    assert_eq!(report.unwrap().exit, Exit::Ok);
    assert_eq!((exactly(&fleet, "FS1 restart"), reboots(&fleet)), (1, 1));
    let (down, _) = fleet.with(|world| world.machines["FS1"].down.unwrap());
    let waited = down.duration_since(died).as_secs();
    assert!((300..330).contains(&waited), "{waited} s");
}

#[test]
fn a_host_that_restarted_by_itself_after_its_values_were_written_is_not_restarted_again() {
    for (kind, death) in [("host-verified", Death::After), ("restart-ready", Death::Torn)] {
        let (fleet, plan) = (ready(Luck::default()), alone());
        let disk = killed_at(&fleet, &plan, kind, death);
        pass_time(&fleet, 600);
        fleet.with(|world| {
            let now = world.now;
            world.machines.get_mut("FS1").unwrap().goes_down(now);
        });
        pass_time(&fleet, 7200);
        let (disk, report) = go_on(&fleet, &plan, &disk, None);
        let report = report.unwrap();
        assert_eq!(report.exit, Exit::Ok, "{kind}: {report:?}");
        assert_eq!(*outcome(&report), Outcome::Changed { values: 2, restarted: true }, "{kind}");
        assert_eq!((exactly(&fleet, "FS1 restart"), reboots(&fleet)), (0, 0), "{kind}");
        assert_eq!(fleet.value("FS1", &mark::path()), None, "{kind}");
        let records = reader::parse(&disk.bytes()).unwrap().records;
        assert!(is_finished(&plan, &History::of(&records)), "{kind}");
    }
}

#[test]
fn the_settle_time_is_counted_by_the_host() {
    let (fleet, plan) = (ready(Luck::default()), alone());
    let disk = killed_at(&fleet, &plan, "restart-intended", Death::After);
    pass_time(&fleet, 301);
    let resumed = fleet.with(|world| world.now);
    let (_, report) = go_on(&fleet, &plan, &disk, None);
    assert_eq!(report.unwrap().exit, Exit::Ok);
    let (down, _) = fleet.with(|world| world.machines["FS1"].down.unwrap());
    assert!(down.duration_since(resumed).as_secs() < 5, "nothing was left to wait for");
}

#[test]
fn a_host_that_takes_its_time_to_go_down_gets_no_second_order() {
    for lingers in [1, 30, 200, 299] {
        let (fleet, plan) = (ready(Luck { lingers, ..Luck::default() }), alone());
        let disk = killed_at(&fleet, &plan, "restart-ordered", Death::Before);
        let (_, report) = go_on(&fleet, &plan, &disk, None);
        assert_eq!(report.unwrap().exit, Exit::Ok, "{lingers} s");
        assert_eq!((exactly(&fleet, "FS1 restart"), reboots(&fleet)), (1, 1), "{lingers} s");
    }
}

#[test]
fn a_host_that_goes_down_after_the_settle_time_still_restarts_once() {
    let (fleet, plan) = (ready(Luck { lingers: 400, ..Luck::default() }), alone());
    let disk = killed_at(&fleet, &plan, "restart-ordered", Death::Before);
    let (_, report) = go_on(&fleet, &plan, &disk, None);
    assert_eq!(report.unwrap().exit, Exit::Ok);
    // The second order is answered with 1115.
    assert_eq!((exactly(&fleet, "FS1 restart"), reboots(&fleet)), (2, 1));
}

#[test]
fn a_value_that_somebody_else_set_meanwhile_is_not_trampled() {
    for kind in ["change-verified", "host-verified", "restart-intended", "restart-proved"] {
        let (fleet, plan) = (ready(Luck::default()), alone());
        let disk = killed_at(&fleet, &plan, kind, Death::After);
        pass_time(&fleet, 4000);
        fleet.put("FS1", &path("One"), "theirs");
        let (disk, report) = go_on(&fleet, &plan, &disk, None);
        let report = report.unwrap();
        if kind == "restart-intended" {
            assert_eq!(reboots(&fleet), 0, "nothing is gained by a restart");
        }
        assert!(matches!(outcome(&report), Outcome::Refused(_)), "{kind}: {report:?}");
        assert_eq!(report.exit, Exit::Refused, "{kind}");
        assert_eq!(fleet.value("FS1", &path("One")).as_deref(), Some("theirs"), "{kind}");
        let history = History::of(&reader::parse(&disk.bytes()).unwrap().records);
        assert!(is_finished(&plan, &history), "{kind}: only a new plan helps");
    }
}

#[test]
fn a_host_that_cannot_be_read_stays_in_doubt_and_is_tried_again() {
    let (fleet, plan) = (ready(Luck::default()), alone());
    let disk = killed_at(&fleet, &plan, "change-verified", Death::Before);
    fleet.luck("FS1", Luck { unreachable: true, ..Luck::default() });
    let (disk, report) = go_on(&fleet, &plan, &disk, None);
    let report = report.unwrap();
    assert!(matches!(outcome(&report), Outcome::InDoubt(_)), "{report:?}");
    fleet.luck("FS1", Luck::default());
    let (disk, report) = go_on(&fleet, &plan, &disk, None);
    let report = report.unwrap();
    assert_eq!(*outcome(&report), Outcome::Changed { values: 2, restarted: true });
    assert_eq!((exactly(&fleet, "FS1 set One"), reboots(&fleet)), (1, 1));
    assert_eq!(fleet.value("FS1", &mark::path()), None);
    let segments = |event: &Event| matches!(event, Event::RunResumed { .. });
    let records = reader::parse(&disk.bytes()).unwrap().records;
    assert_eq!(records.iter().filter(|record| segments(&record.event)).count(), 2);
}

#[test]
fn a_host_that_failed_has_its_turn_again() {
    let (fleet, plan) = (ready(Luck { refuse_write: Some(1), ..Luck::default() }), alone());
    let (disk, report) = start(&fleet, &plan, None);
    assert!(matches!(outcome(&report.unwrap()), Outcome::Failed(_)));
    fleet.luck("FS1", Luck::default());
    let (_, report) = go_on(&fleet, &plan, &disk, None);
    let report = report.unwrap();
    assert_eq!(*outcome(&report), Outcome::Changed { values: 2, restarted: true });
    assert_eq!((report.exit, reboots(&fleet)), (Exit::Ok, 1));
}

#[test]
fn a_verified_host_is_read_again_before_the_step_that_needs_it() {
    let plan = farm();
    let (disk, _) = start(&machines(), &plan, None);
    let bytes = disk.bytes();
    let lines = String::from_utf8(bytes).unwrap();
    let at = lines.lines().position(|line| line.contains("\"type\":\"step-intended\"")).unwrap();
    let fleet = machines();
    let (disk, _) = start(&fleet, &plan, Some((at, Death::Before)));
    fleet.put("EX2", &path("One"), "old");
    let (disk, report) = go_on(&fleet, &plan, &disk, None);
    let report = report.unwrap();
    let ex2 = &report.outcomes[&HostName::new("EX2")];
    assert!(matches!(ex2, Outcome::Refused(_)), "{ex2:?}");
    assert!(matches!(&report.steps[0].1, StepOutcome::Held(why) if why.contains("EX2")));
    assert_eq!(exactly(&fleet, "EX1 Set-IRMConfiguration"), 0);
    // Those who stayed as they were keep what they had.
    let ex1 = &report.outcomes[&HostName::new("EX1")];
    assert_eq!(*ex1, Outcome::Changed { values: 2, restarted: true });
    let told = String::from_utf8(disk.bytes()).unwrap();
    assert_eq!(told.lines().filter(|line| line.contains("batch-started")).count(), 3);
}

#[test]
fn a_failed_write_takes_back_what_an_earlier_process_wrote() {
    let (fleet, plan) = (ready(Luck::default()), alone());
    // The lease, the mark and the first value are written; the lease is taken again, and the second
    // value is not.
    let disk = killed_at(&fleet, &plan, "change-verified", Death::After);
    fleet.luck("FS1", Luck { refuse_write: Some(6), ..Luck::default() });
    let (_, report) = go_on(&fleet, &plan, &disk, None);
    let report = report.unwrap();
    assert!(matches!(outcome(&report), Outcome::Failed(_)), "{report:?}");
    assert_eq!(fleet.value("FS1", &path("One")).as_deref(), Some("old"));
    assert_eq!((fleet.value("FS1", &path("Two")), fleet.value("FS1", &mark::path())), (None, None));
    assert_eq!(fleet.keys("FS1").iter().filter(|key| key.contains("rmsfleet")).count(), 0);
}
