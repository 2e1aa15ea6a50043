//! A farm behind real sockets, the real client, and what happened in its order.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use tokio::sync::watch;

use rmsfleet::cli::desk::Desk;
use rmsfleet::cli::wired::Wired;
use rmsfleet::error::Exit;
use rmsfleet::event::Record;
use rmsfleet::host::link::Clock;
use rmsfleet::host::restart::Pace;
use rmsfleet::journal::chain;
use rmsfleet::journal::chain::Chain;
use rmsfleet::journal::reader;
use rmsfleet::journal::writer;
use rmsfleet::lab::accounts::Accounts as LabAccounts;
use rmsfleet::lab::act::Act;
use rmsfleet::lab::act::Witness;
use rmsfleet::lab::edge::Edge;
use rmsfleet::lab::farm::FarmHost;
use rmsfleet::lab::faults::FaultSet;
use rmsfleet::lab::power::Timing;
use rmsfleet::lab::serve::Farm;
use rmsfleet::lab::strike::Blow;
use rmsfleet::lab::strike::Line;
use rmsfleet::lab::strike::Strike;
use rmsfleet::lab::tour;
use rmsfleet::model::host::HostName;
use rmsfleet::model::lease;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedHost;
use rmsfleet::model::product::Product;
use rmsfleet::model::product::Role;
use rmsfleet::model::registry::State;
use rmsfleet::model::registry::Value;
use rmsfleet::model::registry::ValuePath;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;
use rmsfleet::net::accounts::Accounts;
use rmsfleet::net::clock::SystemClock;
use rmsfleet::net::connect::Network;
use rmsfleet::net::stats::Stats;
use rmsfleet::plan;
use rmsfleet::run::action::Options;
use rmsfleet::run::action::StepOutcome;
use rmsfleet::run::action::Stop;
use rmsfleet::run::driver::RunContext;
use rmsfleet::run::driver::RunError;
use rmsfleet::run::driver::RunReport;
use rmsfleet::run::driver::execute;
use rmsfleet::run::driver::resume;
use rmsfleet::run::history::History;
use rmsfleet::run::history::Past;
use rmsfleet::wire::psrp::object::PsObject;

use crate::resume::Memory;
use crate::resume::line;
use crate::resume::truth;

/// An Exchange server that used AD RMS and restarts, a front end, a file server that restarts.
const HOSTS: [(&str, Role, Product); 3] = [
    ("EX01.corp.contoso.com", Role::Exchange, Product::Exchange2019),
    ("SPWFE01.corp.contoso.com", Role::Sharepoint, Product::Sharepoint2019),
    ("FS01.corp.contoso.com", Role::Fci, Product::Windows2016),
];

pub(super) const INVENTORY: &str = "all:
  vars:
    rms_tenant_url: https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com
    rms_connector_url: https://rmsconnector.contoso.com
    ansible_winrm_operation_timeout_sec: 1
  children:
    exchange: { vars: { rms_role: exchange }, hosts: { EX01.corp.contoso.com: } }
    sharepoint: { vars: { rms_role: sharepoint }, hosts: { SPWFE01.corp.contoso.com: } }
    fci: { vars: { rms_role: fci }, hosts: { FS01.corp.contoso.com: } }
";

/// A restart is over in a quarter of a second.
const TIMING: Timing = Timing {
    delay: Duration::from_millis(10),
    second: Duration::from_millis(5),
    refused: Duration::from_millis(80),
    silent: Duration::from_millis(30),
    starting: Duration::from_millis(40),
    logon: Duration::from_millis(40),
    latency: Duration::ZERO,
};

const PACE: Pace = Pace {
    knock: Duration::from_millis(20),
    look: Duration::from_millis(20),
    refused: Duration::from_millis(50),
};

/// What a host has for its restart, in seconds; one that never returns costs a run as much.
const PATIENCE: u32 = 4;

/// Nothing here takes longer: a run that does has no end.
const ENOUGH: Duration = Duration::from_mins(5);

/// The machine's clock, on which pauses between tries are a twentieth as long.
#[derive(Debug, Clone, Copy)]
struct Hasty;

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    async fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration / 20).await;
    }
}

fn account() -> Account {
    Account { user: r"CORP\rms".to_owned(), password: Secret::new("pw".to_owned()) }
}

/// A plan as the program makes it, for a farm of the same hosts.
pub(super) fn planned(inventory: &str, playbook: &str) -> Plan {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("inventory.yml"), inventory).unwrap();
    std::fs::write(folder.path().join("playbook.yml"), playbook).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
        .args(["plan", "--lab", "-i", "inventory.yml", "-p", "playbook.yml", "-o", "x.rmsplan"])
        .current_dir(folder.path())
        .env("XDG_STATE_HOME", folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let bytes = std::fs::read(folder.path().join("x.rmsplan")).unwrap();
    let mut plan = plan::seal::open(&bytes).unwrap().plan;
    for host in plan.hosts.values_mut() {
        host.restart_timeout = PATIENCE;
    }
    plan
}

/// Acts and records of a run in the order in which they happened.
pub(super) type Log = Arc<Mutex<Vec<String>>>;

/// A farm, and what happens on it.
pub(super) struct Ground {
    farm: Farm,
    pub(super) log: Log,
}

impl Ground {
    /// Must run on a runtime.
    pub(super) async fn new(blow: Option<&(HostName, Blow)>, log: Log) -> Self {
        let hosts = HOSTS.map(|(name, role, product)| {
            let mut host = FarmHost::new(HostName::new(name), role, product);
            host.blow = blow.filter(|(name, _)| *name == host.name).map(|(_, blow)| *blow);
            host
        });
        let mut hosts = hosts.to_vec();
        tour::age(&mut hosts, tour::CONNECTOR);
        let edge = Edge::new(|| SystemClock.now(), |bytes| getrandom::fill(bytes).unwrap());
        let (accounts, none) = (LabAccounts::new(account()), FaultSet::default());
        let farm = Farm::start(hosts, accounts, &none, TIMING, edge).await.unwrap();
        let ground = Self { farm, log };
        for (name, ..) in HOSTS {
            let log = ground.log.clone();
            let told = move |act: &Act| {
                let words = match act {
                    Act::Set(path) => format!("set {}", path.name),
                    Act::SetAccess(key) => format!("rights {key}"),
                    Act::DeleteValue(path) => format!("delete {}", path.name),
                    Act::CreateKey(key) => format!("create {key}"),
                    Act::DeleteKey(key) => format!("drop {key}"),
                    Act::Restart => "restart".to_owned(),
                    Act::Cmdlet(cmdlet) => cmdlet.clone(),
                    Act::Made(class, _) => format!("make {class}"),
                    Act::Removed(class, _) => format!("unmake {class}"),
                };
                log.lock().unwrap().push(format!("{name} {words}"));
            };
            ground.host(&HostName::new(name), |host| host.witness = Witness::new(told));
        }
        ground
    }

    pub(super) fn host<T>(
        &self,
        name: &HostName,
        look: impl FnOnce(&mut rmsfleet::lab::host::LabHost) -> T,
    ) -> T {
        self.farm.with_host(name, look).unwrap()
    }

    /// One process of the run: from the beginning, or from what the disk holds.
    pub(super) async fn process(
        &self,
        plan: &Plan,
        disk: &Memory,
        from: Option<(&Past, &Chain)>,
    ) -> Result<RunReport, RunError> {
        let mut accounts = Accounts::default();
        accounts.insert("default", None, account());
        let network = Network::new(accounts, Stats::default()).unwrap();
        let wired = Wired::new(network, Some(self.farm.addresses()));
        let (noted, log) = (wired.clone(), self.log.clone());
        let told = move |record: &Record| {
            noted.note(&record.event);
            log.lock().unwrap().push(line(&record.event));
        };
        let now = || SystemClock.now();
        let store = Box::new(disk.clone());
        let mut sink = match from {
            Some((_, chain)) => writer::follow(store, "run-1", chain, now, told).unwrap(),
            None => writer::over(store, "run-1", now, told),
        };
        let controller = Desk { folder: std::path::PathBuf::new(), own: None };
        let context = RunContext {
            plan,
            digest: "0123",
            run: "run-1",
            tool: "rmsfleet test",
            operator: "admin",
            workstation: "desk",
            connect: &wired,
            clock: &Hasty,
            sink: &mut sink,
            options: Options {
                confirmed: BTreeSet::from(["Contoso".to_owned()]),
                ..Options::default()
            },
            pace: PACE,
            controller: &controller,
            stop: watch::channel(Stop::Go).1,
        };
        match from {
            None => execute(context).await,
            Some((past, _)) => resume(context, past).await,
        }
    }

    /// Goes on from what the disk holds.
    pub(super) async fn resumed(&self, plan: &Plan, disk: &Memory) -> RunReport {
        let bytes = disk.bytes();
        let chain = chain::verify(&bytes, Some("0123")).unwrap();
        let past = Past {
            history: History::of(&reader::parse(&bytes).unwrap().records),
            torn: chain.torn.clone().map(|(_, text)| text),
            settle: SignedDuration::from_secs(1),
        };
        let disk = disk.reopened(&chain, None);
        self.process(plan, &disk, Some((&past, &chain))).await.unwrap()
    }

    /// Whatever it was is over: somebody has switched the host on, and it is up.
    pub(super) async fn mend(&self) {
        for (name, ..) in HOSTS {
            self.host(&HostName::new(name), |host| {
                host.line = Line { messages: host.line.messages, blow: None };
                host.power.switch_on(SystemClock.now());
            });
        }
        tokio::time::sleep(TIMING.refused + TIMING.silent + TIMING.starting + TIMING.logon).await;
    }

    pub(super) fn messages(&self) -> BTreeMap<HostName, u64> {
        let count =
            |name| (HostName::new(name), self.host(&HostName::new(name), |h| h.line.messages));
        HOSTS.map(|(name, ..)| count(name)).into()
    }

    fn value(&self, host: &HostName, path: &ValuePath) -> Option<Value> {
        self.host(host, |host| host.registry.value(path).ok().cloned())
    }

    /// How many of a host's changes hold what was there, and how many what was planned.
    fn held(&self, host: &PlannedHost) -> (usize, usize) {
        let holds = |path: &ValuePath, state: &State| match (self.value(&host.name, path), state) {
            (None, State::Absent) => true,
            (Some(value), State::Present(wanted)) => value == *wanted,
            (None, State::Present(_)) | (Some(_), State::Absent) => false,
        };
        let count = |fits: &dyn Fn(&rmsfleet::model::change::Change) -> bool| {
            host.changes.iter().filter(|change| fits(change)).count()
        };
        (
            count(&|change| holds(&change.path, &change.before)),
            count(&|change| holds(&change.path, &change.after)),
        )
    }

    fn reboots(&self, host: &HostName) -> u64 {
        // A restart counts once the host has come up again.
        self.host(host, |host| {
            host.look(SystemClock.now());
            host.stats.reboots
        })
    }

    /// Whether IRM is on, and how often somebody set it.
    fn organisation(&self) -> (bool, usize) {
        let organisation = self.farm.organisation("Contoso").unwrap();
        let on = organisation.lock().unwrap().setting("InternalLicensingEnabled").cloned();
        let log = self.log.lock().unwrap();
        let set = log.iter().filter(|line| line.ends_with(" Set-IRMConfiguration")).count();
        (on == Some(PsObject::Bool(true)), set)
    }

    fn orders(&self, host: &HostName) -> usize {
        let order = format!("{host} restart");
        self.log.lock().unwrap().iter().filter(|line| **line == order).count()
    }

    fn owes(&self, host: &HostName) -> bool {
        self.value(host, &ValuePath::new(lease::MARKS_KEY, "RestartOwed")).is_some()
    }

    /// What the report says is what the hosts bear out, and each act was in the journal before it.
    #[track_caller]
    pub(super) fn check_told(&self, plan: &Plan, report: &RunReport, blow: Option<Blow>) {
        truth::check_log(&self.log.lock().unwrap(), "on the wire");
        let mut well = true;
        for (name, outcome) in &report.outcomes {
            let host = &plan.hosts[name];
            let ((before, after), all) = (self.held(host), host.changes.len());
            let (reboots, owes) = (self.reboots(name), self.owes(name));
            let fits = match outcome {
                Outcome::Changed { restarted, .. } => {
                    after == all && (!restarted || reboots > 0) && !owes
                }
                Outcome::Unchanged => after == all && !owes,
                Outcome::RestartOwed { .. } => after == all && owes,
                Outcome::NotStarted | Outcome::Refused(_) | Outcome::Blocked => before == all,
                Outcome::Failed(failure) | Outcome::Unreachable(failure) => {
                    let back = failure.chain.iter().any(|text| text.starts_with("taken back"));
                    before == all || (after == all && !back)
                }
                Outcome::InDoubt(_) => true,
            };
            assert!(
                fits,
                "{name} is told as {outcome:?}, and holds {before} old, {after} new of {all}, \
                 {reboots} restarts, owes one: {owes}"
            );
            well &= matches!(outcome, Outcome::Changed { .. } | Outcome::Unchanged);
            let by_itself = blow.map_or(0, |blow| match blow.strike {
                Strike::SecondBoot
                | Strike::SecondBootAfter
                | Strike::NeverReturns
                | Strike::NeverReturnsAfter => blow.times,
                _ => 0,
            });
            assert!(self.orders(name) <= usize::from(host.restart), "{name}: orders");
            assert!(reboots <= u64::from(host.restart) + by_itself, "{name}: {reboots} restarts");
        }
        let (on, set) = self.organisation();
        assert!(set <= 1, "Set-IRMConfiguration was called {set} times");
        for (_, outcome) in &report.steps {
            match outcome {
                StepOutcome::Verified(_) | StepOutcome::Unchanged => assert!(on),
                StepOutcome::Held(_) | StepOutcome::Refused(_) => {
                    assert!(!on);
                    well = false;
                }
                StepOutcome::Failed(_) => well = false,
            }
        }
        assert_eq!(report.exit == Exit::Ok, well, "exit {}: {report:#?}", report.exit);
        for name in plan.hosts.keys().filter(|_| well) {
            let told = self.has_left(&format!("[{name} "));
            assert!(told || !self.keeps_ours(name), "nobody tells of our key on {name}");
        }
    }

    fn keeps_ours(&self, host: &HostName) -> bool {
        self.host(host, |host| host.registry.has_key(&lease::key()))
    }

    /// Whether the run told that a lease was left behind.
    pub(super) fn has_left(&self, by: &str) -> bool {
        let log = self.log.lock().unwrap();
        log.iter().any(|line| line.starts_with(by) && line.ends_with(" lease-left]"))
    }

    #[track_caller]
    pub(super) fn check_end(&self, plan: &Plan) {
        for (name, host) in &plan.hosts {
            assert_eq!(self.held(host).1, host.changes.len(), "{name}");
            assert!(self.reboots(name) >= u64::from(host.restart), "{name} was not restarted");
            assert!(!self.keeps_ours(name), "something of ours is left on {name}");
        }
        assert_eq!(self.organisation(), (true, 1));
    }
}

/// On a runtime and a thread of its own, with an end.
pub(super) fn alone<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = runtime.block_on(async { tokio::time::timeout(ENOUGH, work).await });
    done.expect("a run without an end")
}
