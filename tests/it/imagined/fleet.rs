//! Servers that exist only in memory, with a clock that moves when somebody waits.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::SignedDuration;
use jiff::Timestamp;

use rmsfleet::event::Event;
use rmsfleet::event::Sink;
use rmsfleet::event::SinkError;
use rmsfleet::host::link::Clock;
use rmsfleet::host::link::Connect;
use rmsfleet::host::link::HostError;
use rmsfleet::host::link::ProgramResult;
use rmsfleet::host::link::Reader;
use rmsfleet::host::link::Target;
use rmsfleet::host::link::Writer;
use rmsfleet::lab::availability::Availability;
use rmsfleet::model::registry::KeyPath;
use rmsfleet::model::registry::Value;
use rmsfleet::model::registry::ValueName;
use rmsfleet::model::registry::ValuePath;
use rmsfleet::run::controller::Controller;
use rmsfleet::wire::fault::Fault;
use rmsfleet::wire::operation::Answer;
use rmsfleet::wire::operation::Instance;
use rmsfleet::wire::operation::Read;
use rmsfleet::wire::operation::Write;

use crate::imagined::noon;
use crate::imagined::shell::ImaginedShell;

#[derive(Clone)]
pub(crate) struct Fleet(pub(crate) Arc<Mutex<World>>);

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) machines: BTreeMap<String, Machine>,
    /// Acts on hosts and recorded events, in the order in which they happened.
    pub(crate) log: Vec<String>,
    pub(crate) dn: String,
    pub(crate) enabled: bool,
    pub(crate) servers: Vec<String>,
    /// The cmdlet is carried out, and its answer is lost.
    pub(crate) lose_cmdlet: bool,
    /// The cmdlet is cut off with its connection, and nobody knows whether it goes on.
    pub(crate) cut_cmdlet: bool,
    /// The sink fails at the event of this number.
    pub(crate) sink_fails_at: usize,
    pub(crate) events: Vec<Event>,
    /// How programs of the controller end, by name; others end well.
    pub(crate) programs: BTreeMap<String, u32>,
    /// DAGs and clusters, and what was done to them.
    pub(crate) availability: Availability,
    /// How often somebody has said go.
    pub(crate) promotions: usize,
    /// Messages to hosts so far.
    pub(crate) messages: usize,
    /// What befalls the message of that number.
    pub(crate) strike: Option<(usize, Strike)>,
}

/// What can befall one message, as it looks from the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    /// Nobody takes the connection, or it is gone before the message is sent.
    Refused,
    /// The connection breaks before the host has the message.
    ResetBefore,
    /// The host does what it is asked, and the connection breaks before its answer.
    ResetAfter,
    /// The host does what it is asked and says nothing.
    Silence,
    /// The host does what it is asked; half of its answer arrives.
    Half,
    /// As before, with the number of another message.
    WrongSequence,
    /// A fault; nothing was done.
    Fault500,
    /// The service is starting; nothing was done.
    Busy503,
    /// The logon is refused: the domain controller is starting.
    Denied401,
    /// The account lacks the right.
    AccessDenied,
    /// The host goes down and never comes back.
    NeverReturns,
    /// The host restarts by itself.
    SecondBoot,
}

/// How a call ends that was struck.
enum Struck {
    /// As if nothing had happened.
    No,
    /// Not carried out.
    Before(HostError),
    /// Carried out, and answered so.
    After(HostError),
    /// Answered with a code of Windows, and not carried out.
    Code(u32),
}

pub(crate) struct Machine {
    pub(crate) computer: String,
    pub(crate) registry: BTreeMap<KeyPath, BTreeMap<ValueName, Value>>,
    pub(crate) boot: Timestamp,
    pub(crate) down_until: Option<Timestamp>,
    pub(crate) luck: Luck,
    /// How often it has restarted.
    pub(crate) reboots: usize,
    /// From when to when it was last down.
    pub(crate) down: Option<(Timestamp, Timestamp)>,
    /// When an order that it took will bring it down.
    pending: Option<Timestamp>,
    writes: usize,
    /// Services that do not run.
    pub(crate) stopped: BTreeSet<String>,
}

/// What goes wrong on a machine.
#[derive(Clone, Copy, Default)]
pub(crate) struct Luck {
    pub(crate) denied: bool,
    pub(crate) unreachable: bool,
    /// The write of this number is refused with code 5.
    pub(crate) refuse_write: Option<usize>,
    /// After the write of this number was carried out, the connection breaks.
    pub(crate) break_after_write: Option<usize>,
    /// After the connection broke, there is no other.
    pub(crate) gone_after_break: bool,
    /// The Exchange endpoint does not answer.
    pub(crate) no_shell: bool,
    /// A restart is ordered and does not begin.
    pub(crate) hangs: bool,
    /// Seconds from the order until the machine goes down.
    pub(crate) lingers: i64,
    /// The answer to the restart order is lost.
    pub(crate) lose_order: bool,
    /// The restart order is carried out and answered with a fault of this code.
    pub(crate) fault_order: Option<u32>,
}

impl Fleet {
    /// Machines with nothing in the registry but `HKLM\SOFTWARE`.
    pub(crate) fn new(names: &[&str]) -> Self {
        let machines = names.iter().map(|name| {
            let machine = Machine {
                computer: (*name).to_owned(),
                registry: BTreeMap::from([(KeyPath::new("SOFTWARE"), BTreeMap::new())]),
                boot: "2026-01-01T00:00:00Z".parse().unwrap(),
                down_until: None,
                luck: Luck::default(),
                reboots: 0,
                down: None,
                pending: None,
                writes: 0,
                stopped: BTreeSet::new(),
            };
            ((*name).to_owned(), machine)
        });
        Self(Arc::new(Mutex::new(World {
            now: noon(),
            machines: machines.collect(),
            log: Vec::new(),
            dn: "CN=ControlPoint Config,CN=Contoso,DC=contoso,DC=com".to_owned(),
            enabled: false,
            servers: names.iter().map(|name| (*name).to_owned()).collect(),
            lose_cmdlet: false,
            cut_cmdlet: false,
            sink_fails_at: usize::MAX,
            events: Vec::new(),
            programs: BTreeMap::new(),
            availability: Availability::default(),
            promotions: 0,
            messages: 0,
            strike: None,
        })))
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    pub(crate) fn luck(&self, name: &str, luck: Luck) -> &Self {
        self.with(|world| world.machines.get_mut(name).unwrap().luck = luck);
        self
    }

    pub(crate) fn put(&self, name: &str, path: &ValuePath, text: &str) -> &Self {
        self.put_value(name, path, Value::Sz(text.to_owned()))
    }

    pub(crate) fn put_value(&self, name: &str, path: &ValuePath, value: Value) -> &Self {
        self.with(|world| {
            let registry = &mut world.machines.get_mut(name).unwrap().registry;
            create(registry, &path.key);
            let values = registry.get_mut(&path.key).unwrap();
            values.insert(path.name.clone(), value);
        });
        self
    }

    pub(crate) fn value(&self, name: &str, path: &ValuePath) -> Option<String> {
        self.with(|world| {
            let value = world.machines[name].registry.get(&path.key)?.get(&path.name)?;
            value.as_sz().map(str::to_owned)
        })
    }

    /// Every key of a machine, in order.
    pub(crate) fn keys(&self, name: &str) -> Vec<String> {
        self.with(|world| world.machines[name].registry.keys().map(KeyPath::to_string).collect())
    }

    /// How many lines of the log hold this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.with(|world| world.log.iter().filter(|line| line.contains(text)).count())
    }

    /// For the shells of a host.
    pub(crate) fn cmdlet_passes(&self, name: &str) -> Result<(), (bool, HostError)> {
        match self.struck(name, "cmdlet") {
            Struck::No => Ok(()),
            Struck::Before(error) => Err((false, error)),
            Struck::After(error) => Err((true, error)),
            Struck::Code(code) => Err((
                false,
                HostError::Cmdlet {
                    cmdlet: "a cmdlet".to_owned(),
                    message: format!("code {code}"),
                },
            )),
        }
    }

    fn answers(&self, target: &Target) -> Result<(), HostError> {
        self.with(|world| {
            let now = world.now;
            world.power();
            let machine = world.machines.get_mut(target.host.as_str()).expect("a known host");
            let down = machine.down_until.is_some_and(|until| now < until);
            if machine.luck.unreachable || down {
                return Err(HostError::NotConnected {
                    endpoint: target.endpoint.url(),
                    source: "nobody is there".into(),
                });
            }
            Ok(())
        })
    }
}

impl World {
    /// Lets what is due go down or come up.
    pub(crate) fn power(&mut self) {
        let now = self.now;
        for machine in self.machines.values_mut() {
            machine.tick(now);
            let down = machine.down_until.is_some_and(|until| now < until);
            self.availability.set_up(&machine.computer, !down && !machine.luck.unreachable);
        }
    }
}

impl Fleet {
    /// Counts a message, and gives what befalls it.
    fn struck(&self, name: &str, call: &str) -> Struck {
        self.with(|world| {
            let number = world.messages;
            world.messages += 1;
            let Some((_, strike)) = world.strike.filter(|(at, _)| *at == number) else {
                return Struck::No;
            };
            world.log.push(format!("{name} struck by {strike:?} at {call}"));
            let lost = || HostError::Lost { call: call.to_owned(), source: "reset by peer".into() };
            let odd = |got: &str| HostError::Unexpected {
                expected: "an answer".to_owned(),
                got: got.to_owned(),
            };
            let now = world.now;
            let machine = world.machines.get_mut(name).unwrap();
            match strike {
                Strike::Refused | Strike::ResetBefore if call == "connect" => {
                    Struck::Before(HostError::NotConnected {
                        endpoint: name.to_owned(),
                        source: "refused".into(),
                    })
                }
                Strike::Refused | Strike::ResetBefore => Struck::Before(lost()),
                Strike::ResetAfter => Struck::After(lost()),
                Strike::Half => Struck::After(odd("half an envelope")),
                Strike::WrongSequence => Struck::After(odd("the answer to another message")),
                Strike::Silence => {
                    world.now = now.checked_add(SignedDuration::from_secs(80)).unwrap();
                    Struck::After(lost())
                }
                Strike::Fault500 => Struck::Before(HostError::Fault(Box::default())),
                Strike::Busy503 => Struck::Before(odd("HTTP status 503")),
                Strike::Denied401 => Struck::Before(HostError::Denied {
                    user: "admin".to_owned(),
                    detail: "no logon server".to_owned(),
                }),
                Strike::AccessDenied => Struck::Code(5),
                Strike::NeverReturns => {
                    machine.luck.unreachable = true;
                    Struck::Before(lost())
                }
                Strike::SecondBoot => {
                    machine.boot = now.checked_add(SignedDuration::from_secs(20)).unwrap();
                    machine.down_until = now.checked_add(SignedDuration::from_secs(30)).ok();
                    machine.pending = None;
                    Struck::Before(lost())
                }
            }
        })
    }

    /// For calls that answer with no code of Windows.
    fn passes(&self, name: &str, call: &str) -> Result<(), HostError> {
        match self.struck(name, call) {
            Struck::No => Ok(()),
            Struck::Before(error) | Struck::After(error) => Err(error),
            Struck::Code(code) => {
                Err(HostError::Fault(Box::new(Fault { code: Some(code), ..Fault::default() })))
            }
        }
    }
}

fn create(registry: &mut BTreeMap<KeyPath, BTreeMap<ValueName, Value>>, key: &KeyPath) {
    let mut next = Some(key.clone());
    while let Some(key) = next {
        next = key.parent();
        registry.entry(key).or_default();
    }
}

impl Connect for Fleet {
    type Link = ImaginedLink;
    type Shell = ImaginedShell;

    async fn connect(&self, target: &Target) -> Result<ImaginedLink, HostError> {
        tokio::task::yield_now().await;
        self.answers(target)?;
        self.passes(target.host.as_str(), "connect")?;
        self.with(|world| {
            let name = target.host.to_string();
            if world.machines[&name].luck.denied {
                let user = target.credential.clone();
                return Err(HostError::Denied { user, detail: "wrong password".to_owned() });
            }
            world.log.push(format!("{name} logon"));
            let boot = world.machines[&name].boot;
            Ok(ImaginedLink { fleet: self.clone(), name, boot, broken: false })
        })
    }

    async fn shell(&self, target: &Target, which: &str) -> Result<ImaginedShell, HostError> {
        self.answers(target)?;
        self.passes(target.host.as_str(), "connect")?;
        if self.with(|world| world.machines[target.host.as_str()].luck.no_shell) {
            return Err(HostError::NotConnected {
                endpoint: target.endpoint.url(),
                source: "no such endpoint".into(),
            });
        }
        self.with(|world| world.log.push(format!("{} shell", target.host)));
        let exchange = which == "Microsoft.Exchange";
        Ok(ImaginedShell { fleet: self.clone(), name: target.host.to_string(), exchange })
    }

    async fn knock(&self, target: &Target) -> Result<(), HostError> {
        self.answers(target)
    }

    async fn dial(&self, target: &Target) -> Result<SocketAddr, HostError> {
        self.answers(target)?;
        self.passes(target.host.as_str(), "connect")?;
        Ok(([127, 0, 0, 1], target.endpoint.port).into())
    }
}

impl Controller for Fleet {
    fn program<'a>(
        &'a self,
        argv: &'a [String],
        _input: String,
        _timeout: Duration,
    ) -> BoxFuture<'a, Result<ProgramResult, String>> {
        let exit_code = self.with(|world| {
            world.log.push(format!("program {}", argv.join(" ")));
            world.programs.get(&argv[0]).copied().unwrap_or_default()
        });
        let stdout = r#"{"green": true, "seen": "all is well"}"#.to_owned();
        let stderr = String::new();
        async move { Ok(ProgramResult { stdout, stderr, exit_code: Some(exit_code) }) }.boxed()
    }

    fn promoted(&self) -> bool {
        self.with(|world| {
            let said = world.promotions > 0;
            world.promotions = world.promotions.saturating_sub(1);
            said
        })
    }
}

impl Clock for Fleet {
    fn now(&self) -> Timestamp {
        self.with(|world| world.now)
    }

    async fn sleep(&self, duration: Duration) {
        self.with(|world| {
            world.now = world.now.checked_add(SignedDuration::try_from(duration).unwrap()).unwrap();
            world.power();
        });
        tokio::task::yield_now().await;
    }
}

pub(crate) struct ImaginedLink {
    fleet: Fleet,
    name: String,
    /// It ends with the boot that it belongs to.
    boot: Timestamp,
    broken: bool,
}

impl Machine {
    /// Goes down if an order's time has come.
    fn tick(&mut self, now: Timestamp) {
        if let Some(down) = self.pending.take_if(|down| *down <= now) {
            self.boot = down.checked_add(SignedDuration::from_secs(20)).unwrap();
            self.down_until = down.checked_add(SignedDuration::from_secs(30)).ok();
            self.reboots += 1;
            self.stopped.clear();
            self.down = self.down_until.map(|until| (down, until));
        }
    }
}

impl ImaginedLink {
    /// The machine restarted under the connection.
    fn is_stale(&self) -> bool {
        self.fleet.with(|world| {
            let now = world.now;
            let machine = world.machines.get_mut(&self.name).unwrap();
            machine.tick(now);
            machine.boot != self.boot
        })
    }

    fn lost(&mut self, call: &str) -> HostError {
        self.broken = true;
        HostError::Lost { call: call.to_owned(), source: "reset by peer".into() }
    }
}

impl Reader for ImaginedLink {
    async fn read(&mut self, read: &Read) -> Result<Answer, HostError> {
        tokio::task::yield_now().await;
        if self.broken || self.is_stale() {
            return Err(self.lost("a read"));
        }
        match self.fleet.struck(&self.name, "read") {
            Struck::No => {}
            Struck::Before(error) | Struck::After(error) => {
                self.broken = true;
                return Err(error);
            }
            Struck::Code(code) => return Ok(refused(read, code)),
        }
        Ok(self.fleet.with(|world| answer(world.now, &world.machines[&self.name], read)))
    }
}

/// The answer of a provider that refuses with a code.
fn refused(read: &Read, code: u32) -> Answer {
    match read {
        Read::Identify => Answer::Identity { vendor: "none".into(), version: "1".into() },
        Read::Value { .. } => Answer::Value { code, value: None },
        Read::EnumValues(_) => Answer::Values { code, values: Vec::new() },
        Read::EnumKeys(_) => Answer::Keys { code, names: Vec::new() },
        Read::CheckAccess { .. } => Answer::Access { code, granted: None },
        Read::RmsTemplates => Answer::Templates { code, names: Vec::new() },
        Read::AccessList(_) => Answer::AccessList { code, entries: None },
        Read::ClientRestart => Answer::ClientRestart { code, pending: None },
        Read::Query { .. } => Answer::Instances(Vec::new()),
    }
}

fn answer(now: Timestamp, machine: &Machine, read: &Read) -> Answer {
    match read {
        Read::Identify => Answer::Identity { vendor: "none".into(), version: "1".into() },
        Read::Value { path, .. } => match machine.registry.get(&path.key) {
            None => Answer::Value { code: 2, value: None },
            Some(values) => match values.get(&path.name) {
                None => Answer::Value { code: 1, value: None },
                Some(value) => Answer::Value { code: 0, value: Some(value.clone()) },
            },
        },
        Read::EnumValues(key) => match machine.registry.get(key) {
            None => Answer::Values { code: 2, values: Vec::new() },
            Some(values) => {
                let values = values
                    .iter()
                    .map(|(name, value)| (name.as_str().to_owned(), value.kind().number()));
                Answer::Values { code: 0, values: values.collect() }
            }
        },
        Read::EnumKeys(key) => {
            let names = machine.registry.keys().filter(|own| own.parent().as_ref() == Some(key));
            Answer::Keys { code: 0, names: names.map(KeyPath::to_string).collect() }
        }
        Read::CheckAccess { .. } => Answer::Access { code: 0, granted: Some(true) },
        Read::RmsTemplates => Answer::Templates { code: 0, names: Vec::new() },
        Read::AccessList(_) => Answer::AccessList { code: 0, entries: None },
        Read::ClientRestart => Answer::ClientRestart { code: 0, pending: Some(false) },
        Read::Query { wql, .. } => Answer::Instances(query(now, machine, wql)),
    }
}

fn query(now: Timestamp, machine: &Machine, wql: &str) -> Vec<Instance> {
    let up = now.duration_since(machine.boot).as_secs().to_string();
    let pairs: Vec<(&str, String)> = if wql.contains("FROM Win32_OperatingSystem") {
        vec![
            ("Caption", "Windows Server".to_owned()),
            ("CSName", machine.computer.clone()),
            ("LastBootUpTime", machine.boot.to_string()),
            ("LocalDateTime", now.to_string()),
            ("ProductType", "3".to_owned()),
            ("Version", "10.0.20348".to_owned()),
        ]
    } else if wql.contains("FROM Win32_ComputerSystem") {
        vec![("Domain", "contoso.com".to_owned()), ("PartOfDomain", "true".to_owned())]
    } else if wql.contains("FROM Win32_PerfFormattedData_PerfOS_System") {
        vec![("SystemUpTime", up)]
    } else if wql.contains("FROM Win32_Service WHERE Name='MSExchangeTransport'") {
        let runs = !machine.stopped.contains("MSExchangeTransport");
        let state = if runs { "Running" } else { "Stopped" };
        vec![("Name", "MSExchangeTransport".to_owned()), ("State", state.to_owned())]
    } else {
        return Vec::new();
    };
    let properties =
        pairs.into_iter().map(|(name, value)| (name.to_owned(), vec![Some(value)])).collect();
    vec![Instance { class: String::new(), properties }]
}

impl Writer for ImaginedLink {
    async fn write(&mut self, write: &Write) -> Result<Answer, HostError> {
        tokio::task::yield_now().await;
        if self.broken || self.is_stale() {
            return Err(self.lost("a write"));
        }
        let after = match self.fleet.struck(&self.name, "write") {
            Struck::No => None,
            Struck::Before(error) => {
                self.broken = true;
                return Err(error);
            }
            Struck::After(error) => Some(error),
            Struck::Code(code) => return Ok(Answer::Done { code }),
        };
        let fleet = self.fleet.clone();
        let (answer, breaks) = fleet.with(|world| {
            let line = match write {
                Write::CreateKey(key) => format!("create {key}"),
                Write::DeleteKey(key) => format!("drop {key}"),
                Write::SetValue { path, .. } => format!("set {}", path.name),
                Write::DeleteValue(path) => format!("delete {}", path.name),
                Write::Restart { .. } => "restart".to_owned(),
                Write::StartService(name) => format!("start {name}"),
                Write::StopService(name) => format!("stop {name}"),
            };
            world.log.push(format!("{} {line}", self.name));
            let now = world.now;
            let machine = world.machines.get_mut(&self.name).unwrap();
            let number = machine.writes;
            let counts = matches!(write, Write::SetValue { .. } | Write::DeleteValue(_));
            machine.writes += usize::from(counts);
            if counts && machine.luck.refuse_write == Some(number) {
                return (Answer::Done { code: 5 }, false);
            }
            let breaks = counts && machine.luck.break_after_write == Some(number);
            machine.luck.unreachable |= breaks && machine.luck.gone_after_break;
            (act(machine, write, now), breaks)
        });
        if let Some(error) = after {
            self.broken = true;
            return Err(error);
        }
        let order = matches!(write, Write::Restart { .. });
        let luck = fleet.with(|world| world.machines[&self.name].luck);
        if order && luck.lose_order {
            return Err(self.lost("the order"));
        }
        if order && luck.fault_order.is_some() {
            let fault = Fault { code: luck.fault_order, ..Fault::default() };
            return Err(HostError::Fault(Box::new(fault)));
        }
        self.broken |= breaks || order;
        Ok(answer)
    }
}

fn act(machine: &mut Machine, write: &Write, now: Timestamp) -> Answer {
    let registry = &mut machine.registry;
    let code = match write {
        Write::CreateKey(key) => {
            create(registry, key);
            0
        }
        Write::DeleteKey(key) => match registry.remove(key) {
            Some(_) => 0,
            None => 2,
        },
        Write::SetValue { path, value } => match registry.get_mut(&path.key) {
            Some(values) => {
                values.insert(path.name.clone(), value.clone());
                0
            }
            None => 2,
        },
        Write::DeleteValue(path) => {
            match registry.get_mut(&path.key).and_then(|values| values.remove(&path.name)) {
                Some(_) => 0,
                None => 2,
            }
        }
        Write::StartService(name) => {
            machine.stopped.remove(name);
            0
        }
        Write::StopService(name) => {
            machine.stopped.insert(name.clone());
            0
        }
        Write::Restart { .. } => {
            if machine.luck.hangs {
                0
            } else if machine.pending.is_some() {
                1115
            } else {
                let down = SignedDuration::from_secs(machine.luck.lingers);
                machine.pending = now.checked_add(down).ok();
                machine.tick(now);
                0
            }
        }
    };
    Answer::Done { code }
}

/// Writes events into the world's log, so that they stand in order with the acts.
pub(crate) struct ImaginedSink(pub(crate) Fleet);

impl Sink for ImaginedSink {
    fn emit(&mut self, event: Event) -> Result<(), SinkError> {
        self.0.with(|world| {
            if world.events.len() >= world.sink_fails_at {
                return Err(io::Error::other("the disk is full").into());
            }
            let tag = serde_json::to_value(&event).unwrap();
            let host = tag.get("host").and_then(|host| host.as_str()).unwrap_or("run");
            let kind = tag.get("type").and_then(|kind| kind.as_str()).unwrap();
            world.log.push(format!("[{host} {kind}]"));
            world.events.push(event);
            Ok(())
        })
    }
}
