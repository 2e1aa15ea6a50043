//! Runs taken back: whatever was written, by whatever luck, the hosts end as they began.

use std::collections::BTreeMap;
use std::time::Duration;

use rmsfleet::error::Exit;
use rmsfleet::host::link::Target;
use rmsfleet::journal::reader;
use rmsfleet::model::care::Care;
use rmsfleet::model::change::Change;
use rmsfleet::model::facts::Survey;
use rmsfleet::model::host::HostName;
use rmsfleet::model::lease::MARKS_KEY;
use rmsfleet::model::lease::PREFIX;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::preflight::Waiver;
use rmsfleet::model::registry::KeyPath;
use rmsfleet::model::registry::State;
use rmsfleet::model::registry::Value;
use rmsfleet::model::registry::ValueName;
use rmsfleet::model::registry::ValuePath;
use rmsfleet::model::rollout::Limits;
use rmsfleet::plan::Sealed;
use rmsfleet::plan::undo::Since;
use rmsfleet::plan::undo::UndoInput;
use rmsfleet::plan::undo::Written;
use rmsfleet::plan::undo::questions;
use rmsfleet::plan::undo::undo;
use rmsfleet::run::history::History;
use rmsfleet::run::survey::Question;
use rmsfleet::run::survey::survey;

use crate::imagined::change;
use crate::imagined::dice::Dice;
use crate::imagined::endpoint;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::ImaginedSink;
use crate::imagined::fleet::Luck;
use crate::imagined::hosts_stage;
use crate::imagined::plan;
use crate::imagined::planned;
use crate::resume::Death;
use crate::resume::Memory;
use crate::resume::farm;
use crate::resume::machines;
use crate::resume::pass_time;
use crate::resume::path;
use crate::resume::start;
use crate::resume::start_as;
use crate::resume::wait;

mod killed;

type Registry = BTreeMap<KeyPath, BTreeMap<ValueName, Value>>;

fn registries(fleet: &Fleet) -> BTreeMap<String, Registry> {
    fleet.with(|world| {
        let machines = world.machines.iter();
        machines.map(|(name, own)| (name.clone(), own.registry.clone())).collect()
    })
}

/// A run that died before it touched a host leaves its lease there, which runs out by itself; one
/// that lost the connection as its last act leaves the empty key.
fn without_leases(mut registries: BTreeMap<String, Registry>) -> BTreeMap<String, Registry> {
    let marks = KeyPath::new(MARKS_KEY);
    for registry in registries.values_mut() {
        if let Some(values) = registry.get_mut(&marks) {
            values.retain(|name, _| !name.as_str().starts_with(PREFIX));
            if values.is_empty() {
                registry.remove(&marks);
            }
        }
    }
    registries
}

fn written(disk: &Memory) -> Written {
    History::of(&reader::parse(&disk.bytes()).unwrap().records).written()
}

fn look(fleet: &Fleet, original: &Plan, written: &Written) -> Survey {
    let questions: Vec<Question> = questions(original, written)
        .into_iter()
        .map(|(name, probe)| {
            let target = |path: &str| Target {
                host: name.clone(),
                endpoint: endpoint(name.as_str(), path),
                credential: "default".to_owned(),
                user: None,
                connect_timeout: Duration::from_secs(5),
                operation_timeout: Duration::from_secs(20),
            };
            let exchange = probe.organisation.then(|| target("/PowerShell/"));
            let (target, care) = (target("/wsman"), Care::default());
            Question { target, probe, exchange, farm: None, care }
        })
        .collect();
    wait(survey(
        fleet,
        fleet,
        &questions,
        &Limits { forks: 4, ..Limits::default() },
        &mut ImaginedSink(fleet.clone()),
    ))
    .unwrap()
}

/// The plan that takes back what a journal says of a run.
pub(super) fn back(fleet: &Fleet, original: &Plan, disk: &Memory, run: &str) -> Plan {
    back_but(fleet, original, disk, run, &[])
}

fn back_but(fleet: &Fleet, original: &Plan, disk: &Memory, run: &str, waivers: &[Waiver]) -> Plan {
    let written = written(disk);
    let survey = look(fleet, original, &written);
    undo(&UndoInput {
        id: format!("undo-{run}"),
        now: fleet.with(|world| world.now),
        tool: "rmsfleet test".to_owned(),
        run,
        original: &Sealed { plan: original.clone(), digest: "0123".to_owned() },
        written: &written,
        survey: &survey,
        since: &Since::default(),
        waivers,
        waived_servers: &[],
    })
}

/// As they were before an undo may begin: nothing is in anybody's way.
fn mend(fleet: &Fleet) {
    fleet.with(|world| {
        for machine in world.machines.values_mut() {
            machine.luck = Luck::default();
        }
    });
    pass_time(fleet, 4000);
}

const KEYS: [&str; 6] = [
    r"SOFTWARE\Microsoft\MSDRM",
    r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation",
    r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\EnterprisePublishing",
    r"SOFTWARE\Microsoft\MSIPC\ServiceLocation\LicensingRedirection",
    r"SOFTWARE\Microsoft\ExchangeServer\v15\IRM\LicenseServerRedirection",
    r"SOFTWARE\Contoso",
];
const VALUES: [&str; 4] = ["", "https://t1.rms.eu.aadrm.com", "a \"quoted\" \\ name", "ünïcode"];

fn random_value(dice: &mut Dice) -> Value {
    let number = dice.up_to(1000);
    match dice.up_to(5) {
        0 => Value::Dword(u32::MAX - u32::try_from(number).unwrap()),
        1 => Value::Qword(u64::MAX - u64::try_from(number).unwrap()),
        2 => Value::Binary(vec![0, 255, u8::try_from(number % 256).unwrap()]),
        3 => Value::MultiSz(vec![format!("one {number}"), "two".to_owned()]),
        _ => Value::Sz(["", "https://rms", "x y", "\u{e9}\u{1F600}"][number % 4].to_owned()),
    }
}

fn random_state(dice: &mut Dice) -> State {
    if dice.chance(35) { State::Absent } else { State::Present(random_value(dice)) }
}

/// A few machines with anything in their registries, and a plan that changes some of it.
fn random_world(dice: &mut Dice) -> (Fleet, Plan) {
    let names = &["FS1", "FS2", "FS3"][..=dice.up_to(3)];
    let fleet = Fleet::new(names);
    let mut hosts = Vec::new();
    for name in names {
        let mut host = planned(name);
        host.restart = dice.chance(60);
        for key in KEYS {
            // Also keys that are there with nothing in them.
            if dice.chance(25) {
                put(&fleet, name, &KeyPath::new(key), None);
            }
            for value in VALUES {
                let path = ValuePath::new(key, value);
                let before = if dice.chance(60) { State::Absent } else { random_state(dice) };
                if let State::Present(value) = &before {
                    put(&fleet, name, &path.key, Some((path.name.clone(), value.clone())));
                }
                let after = random_state(dice);
                if dice.chance(30) && before != after {
                    host.changes.push(Change { path, before, after, rule: "any".to_owned() });
                }
            }
        }
        hosts.push(host);
    }
    let names: Vec<HostName> =
        hosts.iter().filter(|host| host.has_work()).map(|host| host.name.clone()).collect();
    let restarted = |name: &&HostName| hosts.iter().any(|own| own.name == **name && own.restart);
    let restarts = names.iter().filter(restarted).cloned().collect();
    let stages = vec![hosts_stage("servers", vec![names], 9, restarts)];
    (fleet, plan(hosts, stages))
}

fn put(fleet: &Fleet, name: &str, key: &KeyPath, value: Option<(ValueName, Value)>) {
    fleet.with(|world| {
        let registry = &mut world.machines.get_mut(name).unwrap().registry;
        let mut next = Some(key.clone());
        while let Some(own) = next {
            next = own.parent();
            registry.entry(own).or_default();
        }
        registry.get_mut(key).unwrap().extend(value);
    });
}

fn random_luck(dice: &mut Dice) -> Luck {
    let mut luck = Luck::default();
    match dice.up_to(6) {
        0 => luck.refuse_write = Some(dice.up_to(6)),
        1 => luck.break_after_write = Some(dice.up_to(6)),
        2 => {
            luck.break_after_write = Some(dice.up_to(6));
            luck.gone_after_break = true;
        }
        3 => luck.lose_order = true,
        _ => {}
    }
    luck
}

/// 500 of them, or as many as `RMSFLEET_SIMULATIONS` says.
fn cases() -> u64 {
    let asked = std::env::var_os("RMSFLEET_SIMULATIONS");
    asked.map_or(500, |text| text.to_str().and_then(|text| text.parse().ok()).unwrap())
}

/// Applies a random plan under random luck, and takes it back; says how often anything changed.
fn there_and_back(seed: u64) -> bool {
    let dice = &mut Dice::new(seed);
    let (fleet, plan) = random_world(dice);
    if !plan.has_work() {
        return false;
    }
    let before = registries(&fleet);
    let unlucky = dice.chance(50);
    for name in plan.hosts.keys().filter(|_| unlucky) {
        fleet.luck(name.as_str(), random_luck(dice));
    }
    // What a record that is lost had announced, only a host can tell, and it tells of no key.
    let death = [Death::After, Death::Before, Death::Torn][dice.up_to(3)];
    let dies = dice.chance(30).then(|| (dice.up_to(40) + 1, death));
    let (disk, report) = start(&fleet, &plan, dies);
    let applied = without_leases(registries(&fleet));
    mend(&fleet);
    let undo = back(&fleet, &plan, &disk, "run-1");
    assert_eq!(undo.blockers, []);
    let (second, undone) = start_as("run-2", &fleet, &undo, None);
    assert_eq!(undone.unwrap().exit, Exit::Ok);
    assert_eq!(without_leases(registries(&fleet)), before, "taken back");
    if report.is_ok_and(|report| report.exit == Exit::Ok) {
        // The undo of an undo leads to where the run had led.
        mend(&fleet);
        let redo = back(&fleet, &undo, &second, "run-2");
        let (_, redone) = start_as("run-3", &fleet, &redo, None);
        assert_eq!(redone.unwrap().exit, Exit::Ok);
        assert_eq!(without_leases(registries(&fleet)), applied, "and there again");
    }
    applied != before
}

#[test]
fn taken_back_a_run_leaves_every_registry_as_it_was() {
    let mut changed = 0;
    for seed in 0..cases() {
        let run = std::panic::catch_unwind(|| there_and_back(seed));
        let Ok(one) = run else { panic!("seed {seed} is not taken back") };
        changed += u64::from(one);
    }
    assert!(changed > cases() / 2, "only {changed} runs changed anything");
}

#[test]
fn what_somebody_has_changed_since_stays_and_the_others_go_back() {
    let two = |name: &str| {
        let mut host = planned(name);
        host.changes = vec![change("One", Some("old"), Some("1")), change("Two", None, Some("2"))];
        host
    };
    let names = ["FS1", "FS2", "FS3"];
    let fleet = Fleet::new(&names);
    for name in names {
        fleet.put(name, &path("One"), "old");
    }
    let before = registries(&fleet);
    let all = names.map(HostName::new).to_vec();
    let stages = vec![hosts_stage("servers", vec![all], 0, Vec::new())];
    let original = plan(names.map(two).to_vec(), stages);
    let (disk, _) = start(&fleet, &original, None);
    fleet.put("FS1", &path("Two"), "mine");
    fleet.put("FS2", &path("One"), "old");
    let undo = back(&fleet, &original, &disk, "run-1");
    let ids = |name: &str| -> Vec<String> {
        undo.hosts[&HostName::new(name)].blockers.iter().map(|own| own.id.clone()).collect()
    };
    assert_eq!((ids("FS1"), ids("FS2"), ids("FS3")), (vec!["drifted".to_owned()], vec![], vec![]));
    let (_, report) = start_as("run-2", &fleet, &undo, None);
    let report = report.unwrap();
    assert_eq!(report.exit, Exit::UndoIncomplete);
    assert_eq!(report.outcomes[&HostName::new("FS1")], Outcome::Blocked);
    assert_eq!(fleet.value("FS1", &path("One")).as_deref(), Some("1"), "not touched at all");
    assert_eq!(registries(&fleet)["FS2"], before["FS2"]);
    assert_eq!(registries(&fleet)["FS3"], before["FS3"]);
    // Decided by name, the rest of the host goes back too.
    let host = HostName::new("FS1");
    let waived = [Waiver { host, id: "drifted".to_owned(), reason: None }];
    let undo = back_but(&fleet, &original, &disk, "run-1", &waived);
    let (_, report) = start_as("run-3", &fleet, &undo, None);
    // What was left on somebody's word is not back either.
    assert_eq!(report.unwrap().exit, Exit::UndoIncomplete);
    assert_eq!(fleet.value("FS1", &path("One")).as_deref(), Some("old"));
    assert_eq!(fleet.value("FS1", &path("Two")).as_deref(), Some("mine"));
    // A third time there is nothing left to do.
    assert!(!back_but(&fleet, &original, &disk, "run-1", &waived).has_work());
}

#[test]
fn a_host_that_moves_between_the_undo_plan_and_its_run_is_refused() {
    let fleet = Fleet::new(&["FS1"]);
    let mut host = planned("FS1");
    host.changes = vec![change("One", None, Some("1"))];
    let stages = vec![hosts_stage("servers", vec![vec![HostName::new("FS1")]], 0, Vec::new())];
    let original = plan(vec![host], stages);
    let (disk, _) = start(&fleet, &original, None);
    let undo = back(&fleet, &original, &disk, "run-1");
    fleet.put("FS1", &path("One"), "mine");
    let (_, report) = start_as("run-2", &fleet, &undo, None);
    let report = report.unwrap();
    assert!(matches!(report.outcomes[&HostName::new("FS1")], Outcome::Refused(_)));
    assert_eq!(report.exit, Exit::UndoIncomplete);
    assert_eq!(fleet.value("FS1", &path("One")).as_deref(), Some("mine"));
}

/// The organisation goes back before any server that IRM rests on; held, it keeps them as they are.
#[test]
fn the_organisation_goes_back_first_and_holds_its_servers() {
    let original = farm();
    let fleet = machines();
    let (disk, _) = start(&fleet, &original, None);
    pass_time(&fleet, 4000);
    let undo = back(&fleet, &original, &disk, "run-1");
    assert_eq!(undo.stages[0].name, "organisation");
    let applied = registries(&fleet);
    // Somebody turns one switch: it is neither as we left it nor as it was.
    fleet.with(|world| world.dn = "CN=ControlPoint Config,CN=Other,DC=contoso,DC=com".to_owned());
    let (_, report) = start_as("run-2", &fleet, &undo, None);
    let report = report.unwrap();
    assert_eq!(report.exit, Exit::UndoIncomplete);
    for name in ["EX1", "EX2", "EX3", "EX4"] {
        assert_eq!(report.outcomes[&HostName::new(name)], Outcome::NotStarted, "{name}");
        assert_eq!(registries(&fleet)[name], applied[name], "{name}");
    }
    assert_eq!(registries(&fleet)["FS5"], registries(&machines())["FS5"], "the others go back");
}
