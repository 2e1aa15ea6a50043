//! A rollout of forty hosts with everything in it, killed at its records and resumed: canaries, two
//! DAGs, a farm, two failover clusters, sites, gates, hooks and the organisation step.

use jiff::SignedDuration;

use rmsfleet::error::Exit;
use rmsfleet::journal::chain;
use rmsfleet::journal::reader;
use rmsfleet::model::care::Care;
use rmsfleet::model::care::Drain;
use rmsfleet::model::gate::Gate;
use rmsfleet::model::gate::StageGates;
use rmsfleet::model::hook::Hook;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::FailureDomain;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedHost;
use rmsfleet::model::plan::PlannedWork;
use rmsfleet::model::plan::Scope;
use rmsfleet::model::program::RunOn;
use rmsfleet::run::driver::RunError;
use rmsfleet::run::driver::RunReport;
use rmsfleet::run::history::History;
use rmsfleet::run::scheduler::is_finished;

use crate::imagined::change;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::Luck;
use crate::imagined::hosts_stage;
use crate::imagined::noon;
use crate::imagined::plan;
use crate::imagined::planned;
use crate::imagined::step;
use crate::imagined::step_stage;
use crate::resume::DEATHS;
use crate::resume::Death;
use crate::resume::check_domains;
use crate::resume::claims;
use crate::resume::exactly;
use crate::resume::go_on;
use crate::resume::one_in;
use crate::resume::pass_time;
use crate::resume::path;
use crate::resume::start;

/// How many of a kind, with the failure domains that each of them is in.
const KINDS: [(&str, usize); 5] = [("EX", 8), ("SP", 6), ("FC", 4), ("FS", 20), ("RM", 2)];

fn names(kind: &str) -> Vec<String> {
    let count = KINDS.iter().find(|(name, _)| *name == kind).map_or(0, |(_, count)| *count);
    (1..=count).map(|number| format!("{kind}{number}")).collect()
}

fn every() -> Vec<String> {
    KINDS.iter().flat_map(|(kind, _)| names(kind)).collect()
}

fn host(name: &str, place: usize) -> PlannedHost {
    let mut host = planned(name);
    let domain = |id: &str, max_unavailable| FailureDomain { id: id.to_owned(), max_unavailable };
    let (domains, drain) = match name.get(..2).unwrap_or_default() {
        "EX" if place < 4 => (vec![domain("dag:DAG-1", 1)], Drain::None),
        "EX" => (vec![domain("dag:DAG-2", 1)], Drain::None),
        "SP" => (vec![domain("farm:SP-1", 1)], Drain::Hook("away".to_owned())),
        "FC" if place < 2 => (vec![domain("cluster:CL-1", 1), domain("site:ams", 3)], Drain::None),
        "FC" => (vec![domain("cluster:CL-2", 1), domain("site:fra", 3)], Drain::None),
        "FS" if place.is_multiple_of(2) => (vec![domain("site:ams", 3)], Drain::None),
        "FS" => (vec![domain("site:fra", 3)], Drain::None),
        _ => {
            host.scope = Scope::Connector;
            return host;
        }
    };
    host.changes = vec![change("One", Some("old"), Some("1")), change("Two", None, Some("2"))];
    host.restart = true;
    host.domains = domains;
    host.care = Care { drain, gates_after: vec!["port".to_owned()], ..Care::default() };
    host
}

fn gates(before: &[&str], between: &[&str], after: &[&str]) -> StageGates {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    StageGates { before: owned(before), between: owned(between), after: owned(after) }
}

/// Forty hosts; two are connector nodes and are only read.
pub(super) fn rollout() -> Plan {
    let hosts = KINDS
        .iter()
        .flat_map(|(kind, _)| names(kind).into_iter().enumerate())
        .map(|(place, name)| host(&name, place));
    let of = |kind: &str| -> Vec<HostName> { names(kind).into_iter().map(HostName::new).collect() };
    let canaries: Vec<HostName> = ["FS1", "FC1", "SP1", "EX1"].map(HostName::new).into();
    let rest = |kinds: &[&str]| -> Vec<HostName> {
        let all = kinds.iter().flat_map(|kind| of(kind));
        all.filter(|name| !canaries.contains(name)).collect()
    };
    let files = rest(&["FC", "FS"]);
    let batches = vec![files[..2].to_vec(), files[2..9].to_vec(), files[9..].to_vec()];
    let one_by_one = canaries.iter().map(|host| vec![host.clone()]).collect();
    let mut irm = step("Contoso");
    irm.needs = of("EX");
    irm.waived = every();
    let mut stages = vec![
        hosts_stage("canary", one_by_one, 0, canaries.clone()),
        hosts_stage("files", batches, 0, files),
        hosts_stage("mail", vec![rest(&["EX"])], 0, rest(&["EX"])),
        step_stage("organisation", irm),
        hosts_stage("collaboration", vec![rest(&["SP"])], 0, rest(&["SP"])),
    ];
    stages[0].gates = gates(&["go"], &["program"], &["port", "soak", "go"]);
    stages[1].gates = gates(&[], &["quiet"], &["port"]);
    stages[2].gates = gates(&[], &[], &["program"]);
    stages[3].gates = gates(&["go"], &[], &["quiet"]);
    let mut plan = plan(hosts.collect(), stages);
    plan.limits.restart = 6;
    let gates = [
        ("port", Gate::Tcp { port: 445, within: 300 }),
        ("quiet", Gate::EventLog { need: Vec::new(), forbid: vec![2001], within: 60 }),
        (
            "program",
            Gate::Command { argv: vec!["look".to_owned()], timeout: 5, run_on: RunOn::Controller },
        ),
        ("soak", Gate::Soak { duration: 60, recheck_every: 20 }),
        ("go", Gate::Approval { prompt: "Go on?".to_owned(), role: None, timeout: 60 }),
    ];
    plan.conditions.gates = gates.map(|(name, gate)| (name.to_owned(), gate)).into();
    let hook = |word: &str, undo: Option<&str>| Hook {
        argv: vec![word.to_owned(), "{{ host.short }}".to_owned()],
        timeout: 5,
        undo: undo.map(str::to_owned),
        run_on: RunOn::Controller,
    };
    plan.conditions.hooks.insert("away".to_owned(), hook("drain", Some("back")));
    plan.conditions.hooks.insert("back".to_owned(), hook("enable", None));
    plan
}

pub(super) fn machines() -> Fleet {
    let names = every();
    let fleet = Fleet::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for (place, name) in names.iter().enumerate() {
        fleet.put(name, &path("One"), "old");
        let lingers = if place % 3 == 0 { 45 } else { 0 };
        fleet.luck(name, Luck { lingers, ..Luck::default() });
    }
    // Every minute of a day.
    let minutes = |minute| noon().checked_add(SignedDuration::from_mins(minute)).unwrap();
    fleet.with(|world| world.promotions = (0..1440).map(minutes).collect());
    fleet
}

/// Counted at the machines: every value written once, every restart once, the step once.
#[track_caller]
fn check_end(fleet: &Fleet, plan: &Plan, report: &RunReport, untouched: &Fleet, what: &str) {
    assert_eq!(report.exit, Exit::Ok, "{what}: {report:?}");
    for (name, host) in &plan.hosts {
        let in_scope = host.scope == Scope::InScope;
        let (reboots, registry) = fleet.with(|world| {
            let machine = &world.machines[name.as_str()];
            (machine.reboots, machine.registry.clone())
        });
        assert_eq!(reboots, usize::from(in_scope), "{what}: restarts of {name}");
        let same = untouched.with(|world| world.machines[name.as_str()].registry.clone());
        assert_eq!(registry, same, "{what}: {name}");
        for value in ["One", "Two"] {
            let writes = exactly(fleet, &format!("{name} set {value}"));
            assert_eq!(writes, usize::from(in_scope), "{what}: {name} {value}");
        }
        if in_scope {
            let outcome = &report.outcomes[name];
            assert_eq!(*outcome, Outcome::Changed { values: 2, restarted: true }, "{what}: {name}");
        }
    }
    assert_eq!(exactly(fleet, "EX1 Set-IRMConfiguration"), 1, "{what}");
    for name in names("SP") {
        // A hook may run again in a run that was resumed, and whoever was drained is enabled last.
        let last = fleet.with(|world| {
            let mine =
                |line: &&String| line.starts_with("program") && line.ends_with(&format!(" {name}"));
            world.log.iter().rfind(mine).cloned()
        });
        assert_eq!(last, Some(format!("program enable {name}")), "{what}");
    }
    check_domains(fleet, plan, what);
}

fn undisturbed(plan: &Plan) -> (Fleet, usize) {
    let fleet = machines();
    let (disk, report) = start(&fleet, plan, None);
    check_end(&fleet, plan, &report.unwrap(), &fleet, "undisturbed");
    assert!(plan.stages.iter().any(|stage| matches!(stage.work, PlannedWork::Step(_))));
    (fleet, disk.lines())
}

fn kill(plan: &Plan, untouched: &Fleet, at: usize, death: Death) {
    let what = format!("{death:?} at line {at}");
    let fleet = machines();
    let (disk, died) = start(&fleet, plan, Some((at, death)));
    assert!(matches!(died, Err(RunError::Journal(_))), "{what}");
    claims::check(&fleet, plan, &disk.bytes(), &what);
    pass_time(&fleet, [0, 20, 50, 4000][at % 4]);
    let (disk, report) = go_on(&fleet, plan, &disk, None);
    check_end(&fleet, plan, &report.unwrap(), untouched, &what);
    let bytes = disk.bytes();
    chain::verify(&bytes, Some("0123")).unwrap();
    let history = History::of(&reader::parse(&bytes).unwrap().records);
    assert!(is_finished(plan, &history), "{what}");
}

/// All of its records with `RMSFLEET_EXHAUSTIVE`, otherwise a share of them, in every way.
#[test]
fn a_rollout_of_forty_hosts_survives_death_at_its_records() {
    let plan = rollout();
    let (untouched, lines) = undisturbed(&plan);
    assert!(lines > 600, "{lines} lines");
    for (place, death) in DEATHS.into_iter().enumerate() {
        for at in (place..lines).step_by(one_in(151)) {
            kill(&plan, &untouched, at, death);
        }
    }
}
