//! Runs killed at every record, and resumed: the end is the one of a run that nobody disturbed.

use std::collections::BTreeSet;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;

use jiff::SignedDuration;
use tokio::sync::watch;

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::event::Record;
use rmsfleet::host::restart::Pace;
use rmsfleet::journal::chain;
use rmsfleet::journal::chain::Chain;
use rmsfleet::journal::reader;
use rmsfleet::journal::reader::ReadError;
use rmsfleet::journal::writer;
use rmsfleet::journal::writer::Disk;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::FailureDomain;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::registry::ValuePath;
use rmsfleet::run::action::Options;
use rmsfleet::run::action::Stop;
use rmsfleet::run::driver::RunContext;
use rmsfleet::run::driver::RunError;
use rmsfleet::run::driver::RunReport;
use rmsfleet::run::driver::execute;
use rmsfleet::run::driver::resume;
use rmsfleet::run::history::History;
use rmsfleet::run::history::Past;
use rmsfleet::run::scheduler::is_finished;

use crate::imagined::KEY;
use crate::imagined::change;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::Luck;
use crate::imagined::hosts_stage;
use crate::imagined::plan;
use crate::imagined::planned;
use crate::imagined::state;
use crate::imagined::step;
use crate::imagined::step_stage;

mod claims;
mod disk;
mod halted;
mod hooks;
mod maintenance;
mod passed;
mod rollout;
mod settled;
mod struck;
mod truth;
mod two;
mod undone;
mod wire;

const SETTLE: SignedDuration = SignedDuration::from_secs(300);

const NAMES: [&str; 12] =
    ["EX1", "EX2", "EX3", "EX4", "SP1", "SP2", "SP3", "FS1", "FS2", "FS3", "FS4", "FS5"];

/// What the disk does to the line at which the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// The line is on disk; what it announces has not begun.
    After,
    /// Nothing of the line is on disk; what the line before it announces may have happened.
    Before,
    /// Half of the line is.
    Torn,
    /// The line before it is lost too, although its act has happened.
    Lost,
    /// And of that one a half is left.
    LostTorn,
}

const DEATHS: [Death; 5] = [Death::After, Death::Before, Death::Torn, Death::Lost, Death::LostTorn];

/// A disk in memory that dies at a line.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Stored>>);

#[derive(Default)]
struct Stored {
    bytes: Vec<u8>,
    lines: usize,
    dies: Option<(usize, Death)>,
}

impl Memory {
    fn dying(at: usize, death: Death) -> Self {
        let stored = Stored { dies: Some((at, death)), ..Stored::default() };
        Self(Arc::new(Mutex::new(stored)))
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }

    /// Lines written by one process.
    fn lines(&self) -> usize {
        self.0.lock().unwrap().lines
    }

    /// The journal after a death, opened by the next process.
    fn reopened(&self, chain: &Chain, dies: Option<(usize, Death)>) -> Self {
        let mut bytes = self.bytes();
        bytes.truncate(chain.whole);
        Self(Arc::new(Mutex::new(Stored { bytes, lines: 0, dies })))
    }
}

impl Write for Memory {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut stored = self.0.lock().unwrap();
        let place = stored.lines;
        stored.lines += 1;
        let Some((_, death)) = stored.dies.filter(|(at, _)| *at == place) else {
            stored.bytes.extend_from_slice(line);
            return Ok(line.len());
        };
        let half = |line: &[u8]| line.len() / 2;
        match death {
            Death::After => stored.bytes.extend_from_slice(line),
            Death::Before => {}
            Death::Torn => stored.bytes.extend_from_slice(&line[..half(line)]),
            Death::Lost | Death::LostTorn => {
                let end = stored.bytes.len();
                let before = stored.bytes[..end.saturating_sub(1)].iter();
                let start = before.clone().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let keep = if death == Death::Lost { 0 } else { (end - start) / 2 };
                stored.bytes.truncate(start + keep);
            }
        }
        Err(io::Error::other("the process died"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Memory {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn path(name: &str) -> ValuePath {
    ValuePath::new(KEY, name)
}

/// A canary per role, then the rest; two DAGs, a farm, a cluster, a site; the organisation last.
fn farm() -> Plan {
    let mut hosts = Vec::new();
    for (place, name) in NAMES.into_iter().enumerate() {
        let mut host = planned(name);
        host.changes = vec![change("One", Some("old"), Some("1")), change("Two", None, Some("2"))];
        host.equal = vec![(path("Kept"), state(Some("kept")))];
        if name.starts_with("FS") {
            // A value in a key that is not there yet.
            host.changes[1].path = ValuePath::new(r"SOFTWARE\Microsoft\DRM\New", "Two");
        }
        // FS5 needs none.
        host.restart = name != "FS5";
        let domain = match (name.get(..2).unwrap_or_default(), place % 2) {
            ("EX", 0) => "dag:DAG-1",
            ("EX", _) => "dag:DAG-2",
            ("SP", _) => "farm:SP-1",
            _ => "cluster:FSCL-1",
        };
        host.domains.push(FailureDomain { id: domain.to_owned(), max_unavailable: 1 });
        hosts.push(host);
    }
    let names =
        |wanted: &[&str]| wanted.iter().map(|name| HostName::new(*name)).collect::<Vec<_>>();
    let canary = names(&["EX1", "SP1", "FS1"]);
    let rest = names(&["EX2", "EX3", "EX4", "SP2", "SP3", "FS2", "FS3", "FS4", "FS5"]);
    let (first, second) = rest.split_at(5);
    let restarts = rest.iter().filter(|host| host.as_str() != "FS5").cloned().collect();
    let mut irm = step("Contoso");
    irm.needs = names(&["EX1", "EX2", "EX3", "EX4"]);
    // What the organisation has beyond them is waived.
    irm.waived = NAMES.iter().map(|name| (*name).to_owned()).collect();
    plan(
        hosts,
        vec![
            hosts_stage("canary", vec![canary.clone()], 0, canary),
            hosts_stage("rest", vec![first.to_vec(), second.to_vec()], 0, restarts),
            step_stage("organisation", irm),
        ],
    )
}

/// Machines as [`farm`] has seen them. Some take their time to go down.
fn machines() -> Fleet {
    let fleet = Fleet::new(&NAMES);
    for (place, name) in NAMES.into_iter().enumerate() {
        fleet.put(name, &path("One"), "old").put(name, &path("Kept"), "kept");
        let lingers = if place % 2 == 0 { 0 } else { 45 };
        fleet.luck(name, Luck { lingers, ..Luck::default() });
    }
    fleet
}

fn context<'a>(
    fleet: &'a Fleet,
    plan: &'a Plan,
    sink: &'a mut dyn rmsfleet::event::Sink,
) -> RunContext<'a, Fleet, Fleet> {
    RunContext {
        plan,
        digest: "0123",
        run: "run-1",
        tool: "rmsfleet test",
        operator: "admin",
        workstation: "desk",
        connect: fleet,
        clock: fleet,
        sink,
        options: Options {
            confirmed: BTreeSet::from(["Contoso".to_owned()]),
            ..Options::default()
        },
        pace: Pace::default(),
        controller: fleet,
        stop: watch::channel(Stop::Go).1,
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Starts the run; its journal is what the disk holds afterwards.
fn start(
    fleet: &Fleet,
    plan: &Plan,
    dies: Option<(usize, Death)>,
) -> (Memory, Result<RunReport, RunError>) {
    start_as("run-1", fleet, plan, dies)
}

fn start_as(
    run: &str,
    fleet: &Fleet,
    plan: &Plan,
    dies: Option<(usize, Death)>,
) -> (Memory, Result<RunReport, RunError>) {
    let (disk, mut sink) = sink(fleet, run, dies);
    let report = wait(execute(RunContext { run, ..context(fleet, plan, &mut sink) }));
    (disk, report)
}

/// A new journal, on a disk that may die.
fn sink(
    fleet: &Fleet,
    run: &str,
    dies: Option<(usize, Death)>,
) -> (Memory, impl rmsfleet::event::Sink + use<>) {
    let disk = Memory(Arc::new(Mutex::new(Stored { dies, ..Stored::default() })));
    let clock = fleet.clone();
    let now = move || clock.with(|world| world.now);
    let sink = writer::over(Box::new(disk.clone()), run, now, told(fleet));
    (disk, sink)
}

/// Puts every event that is on the disk into the log of acts, in its place; what announces an act
/// with the act's own words.
fn told(fleet: &Fleet) -> impl FnMut(&Record) + Send + use<> {
    let fleet = fleet.clone();
    move |record: &Record| fleet.with(|world| world.log.push(line(&record.event)))
}

/// An event as it stands among the acts.
fn line(event: &Event) -> String {
    let tag = serde_json::to_value(event).unwrap();
    let word = |key: &str| tag.get(key).and_then(|word| word.as_str()).unwrap_or("run").to_owned();
    let act = match event {
        Event::ChangeIntended { index, change, .. } => format!(" {index} {}", change.path.name),
        Event::RestoreIntended { index, .. } => format!(" {index}"),
        Event::KeyIntended { key, create: true, .. } => format!(" create {key}"),
        Event::KeyIntended { key, create: false, .. } => format!(" drop {key}"),
        _ => String::new(),
    };
    format!("[{} {}{act}]", word("host"), word("type"))
}

/// How much of an exhaustive check is done: one in so many, or all if `RMSFLEET_EXHAUSTIVE` is set.
fn one_in(many: usize) -> usize {
    if std::env::var_os("RMSFLEET_EXHAUSTIVE").is_some() { 1 } else { many }
}

/// Goes on from what the disk holds.
fn go_on(
    fleet: &Fleet,
    plan: &Plan,
    disk: &Memory,
    dies: Option<(usize, Death)>,
) -> (Memory, Result<RunReport, RunError>) {
    go_on_as("run-1", fleet, plan, disk, dies)
}

fn go_on_as(
    run: &str,
    fleet: &Fleet,
    plan: &Plan,
    disk: &Memory,
    dies: Option<(usize, Death)>,
) -> (Memory, Result<RunReport, RunError>) {
    go_on_under(Stop::Go, run, fleet, plan, disk, dies)
}

/// Goes on while somebody stops the run at once.
fn go_on_under(
    stop: Stop,
    run: &str,
    fleet: &Fleet,
    plan: &Plan,
    disk: &Memory,
    dies: Option<(usize, Death)>,
) -> (Memory, Result<RunReport, RunError>) {
    let bytes = disk.bytes();
    let (journal, chain) = match (reader::parse(&bytes), chain::verify(&bytes, Some("0123"))) {
        (Ok(journal), Ok(chain)) => (journal, chain),
        // Nothing had begun: the run starts as if for the first time.
        (Err(ReadError::Empty), _) => return start_as(run, fleet, plan, dies),
        (journal, chain) => panic!("{journal:?} {chain:?}"),
    };
    let past = Past {
        history: History::of(&journal.records),
        torn: chain.torn.clone().map(|(_, text)| text),
        settle: SETTLE,
    };
    let disk = disk.reopened(&chain, dies);
    let clock = fleet.clone();
    let now = move || clock.with(|world| world.now);
    let boxed = Box::new(disk.clone());
    let mut sink = writer::follow(boxed, run, &chain, now, told(fleet)).unwrap();
    let stop = watch::channel(stop).1;
    let context = RunContext { run, stop, ..context(fleet, plan, &mut sink) };
    let report = wait(resume(context, &past));
    (disk, report)
}

pub(crate) fn pass_time(fleet: &Fleet, seconds: i64) {
    fleet.with(|world| {
        world.now = world.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    });
}

fn exactly(fleet: &Fleet, line: &str) -> usize {
    fleet.with(|world| world.log.iter().filter(|own| *own == line).count())
}

/// Everything that the run was to do was done, and once.
#[track_caller]
fn check_end(fleet: &Fleet, report: &RunReport, untouched: &Fleet, what: &str) {
    assert_eq!(report.exit, Exit::Ok, "{what}: {report:?}");
    for name in NAMES {
        let restarts = usize::from(name != "FS5");
        assert_eq!(
            report.outcomes[&HostName::new(name)],
            Outcome::Changed { values: 2, restarted: restarts == 1 },
            "{what}: {name}"
        );
        for value in ["One", "Two"] {
            assert_eq!(exactly(fleet, &format!("{name} set {value}")), 1, "{what}: {name} {value}");
        }
        let (machine, same) = (
            fleet.with(|world| {
                (world.machines[name].reboots, world.machines[name].registry.clone())
            }),
            untouched.with(|world| world.machines[name].registry.clone()),
        );
        assert_eq!(machine.0, restarts, "{what}: restarts of {name}");
        assert_eq!(machine.1, same, "{what}: {name}");
    }
    assert_eq!(exactly(fleet, "EX1 Set-IRMConfiguration"), 1, "{what}");
    check_domains(fleet, &farm(), what);
}

/// Nobody was down while another of its failure domain was.
#[track_caller]
fn check_domains(fleet: &Fleet, plan: &Plan, what: &str) {
    let mut down = Vec::new();
    for (name, host) in &plan.hosts {
        let span = fleet.with(|world| world.machines[name.as_str()].down);
        let one = host.domains.iter().filter(|domain| domain.max_unavailable == 1);
        for domain in one {
            down.extend(span.map(|(from, until)| (domain.id.clone(), name, from, until)));
        }
    }
    for (domain, one, from, until) in &down {
        let met = down.iter().find(|(other, name, begins, _)| {
            other == domain && name != one && from <= begins && begins < until
        });
        assert_eq!(met, None, "{what}: down at once with {one}");
    }
}

/// An undisturbed run: how many lines it writes, and what it leaves.
fn undisturbed(plan: &Plan) -> (Fleet, usize) {
    let fleet = machines();
    let (disk, report) = start(&fleet, plan, None);
    let report = report.unwrap();
    let bytes = disk.bytes();
    assert_eq!(chain::verify(&bytes, Some("0123")).unwrap().lines, disk.lines());
    check_end(&fleet, &report, &fleet, "undisturbed");
    let history = History::of(&reader::parse(&bytes).unwrap().records);
    assert!(is_finished(plan, &history), "there is nothing to resume");
    (fleet, disk.lines())
}

/// Kills a run at each of its lines in turn, in one way.
#[track_caller]
fn check_deaths(death: Death) {
    let plan = farm();
    let (untouched, lines) = undisturbed(&plan);
    assert!(lines > 100, "{lines} lines");
    // A line that breaks off tells no more than one that is not there.
    let every = match death {
        Death::After | Death::Before | Death::Lost => 1,
        Death::Torn | Death::LostTorn => 7,
    };
    for at in (0..lines).step_by(every) {
        let what = format!("{death:?} at line {at}");
        let fleet = machines();
        let (disk, died) = start(&fleet, &plan, Some((at, death)));
        assert!(matches!(died, Err(RunError::Journal(_))), "{what}");
        claims::check(&fleet, &plan, &disk.bytes(), &what);
        // From at once to long after everything has come back.
        pass_time(&fleet, [0, 20, 50, 4000][at % 4]);
        let (disk, report) = go_on(&fleet, &plan, &disk, None);
        check_end(&fleet, &report.unwrap(), &untouched, &what);
        let bytes = disk.bytes();
        chain::verify(&bytes, Some("0123")).unwrap();
        let records = reader::parse(&bytes).unwrap().records;
        assert!(is_finished(&plan, &History::of(&records)), "{what}");
    }
}

#[test]
fn killed_after_any_record_a_run_ends_like_one_that_was_not() {
    check_deaths(Death::After);
}

#[test]
fn killed_before_any_record_a_run_ends_like_one_that_was_not() {
    check_deaths(Death::Before);
}

#[test]
fn killed_within_any_record_a_run_ends_like_one_that_was_not() {
    check_deaths(Death::Torn);
}

#[test]
fn with_any_last_record_lost_a_run_ends_like_one_that_was_not() {
    check_deaths(Death::Lost);
}

#[test]
fn with_any_last_record_torn_afterwards_a_run_ends_like_one_that_was_not() {
    check_deaths(Death::LostTorn);
}

#[test]
fn a_run_may_die_again_and_again() {
    let plan = farm();
    let (untouched, lines) = undisturbed(&plan);
    for step in [3, 7, 11, 17, 29] {
        for death in DEATHS {
            let what = format!("{death:?} every {step} lines");
            let fleet = machines();
            let (mut disk, mut report) = start(&fleet, &plan, Some((step, death)));
            let mut processes = 1;
            while report.is_err() {
                processes += 1;
                // Each process tells a little before it acts, so that it needs some lines.
                let breath = step + processes;
                (disk, report) = go_on(&fleet, &plan, &disk, Some((breath, death)));
                assert!(processes < 400, "{what}: no end after {} lines of {lines}", disk.lines());
            }
            check_end(&fleet, &report.unwrap(), &untouched, &what);
        }
    }
}
