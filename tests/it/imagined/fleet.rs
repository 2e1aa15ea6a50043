//! Servers that exist only in memory, with a clock that moves when somebody waits.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::SignedDuration;
use jiff::Timestamp;

use rmsfleet::event::Event;
use rmsfleet::host::link::Clock;
use rmsfleet::host::link::Connect;
use rmsfleet::host::link::HostError;
use rmsfleet::host::link::Knock;
use rmsfleet::host::link::ProgramResult;
use rmsfleet::host::link::Target;
use rmsfleet::lab::availability::Availability;
use rmsfleet::model::plan::PlannedHost;
use rmsfleet::model::registry::KeyPath;
use rmsfleet::model::registry::Value;
use rmsfleet::model::registry::ValuePath;
use rmsfleet::run::controller::Controller;

use crate::imagined::link::ImaginedLink;
use crate::imagined::machine::Machine;
use crate::imagined::machine::create;
use crate::imagined::noon;
use crate::imagined::shell::ImaginedShell;
use crate::imagined::strike::Blow;

pub(crate) use crate::imagined::machine::Luck;
pub(crate) use crate::imagined::sink::ImaginedSink;

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
    /// When somebody says go; a word lies there until it is taken.
    pub(crate) promotions: Vec<Timestamp>,
    /// The host that the run is carried out from, if it is one of them.
    pub(crate) own: Option<String>,
    /// Messages to hosts so far.
    pub(crate) messages: usize,
    /// What befalls some of them.
    pub(crate) strike: Option<Blow>,
}

impl Fleet {
    /// Machines with nothing in the registry but `HKLM\SOFTWARE`.
    pub(crate) fn new(names: &[&str]) -> Self {
        let machines = names.iter().map(|name| ((*name).to_owned(), Machine::new(name)));
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
            promotions: Vec::new(),
            own: None,
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

    fn answers(&self, target: &Target) -> Result<(), HostError> {
        self.with(|world| {
            let now = world.now;
            world.power();
            if world.machines[target.host.as_str()].is_away(now) {
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
            self.availability.set_up(&machine.computer, !machine.is_away(now));
        }
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
        let (name, exchange) = (target.host.to_string(), which == "Microsoft.Exchange");
        let boot = self.with(|world| world.machines[&name].boot);
        Ok(ImaginedShell { fleet: self.clone(), name, boot, exchange })
    }

    async fn knock(&self, target: &Target) -> Result<Knock, HostError> {
        self.answers(target)?;
        self.passes(target.host.as_str(), "connect")?;
        Ok(Knock::Answered)
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

    fn is_own(&self, host: &PlannedHost) -> Option<String> {
        let is_own = self.with(|world| world.own.as_deref() == Some(host.name.as_str()));
        is_own.then(|| "it has this name".to_owned())
    }

    fn promoted(&self) -> Option<String> {
        self.with(|world| {
            let (before, now) = (world.promotions.len(), world.now);
            world.promotions.retain(|said| *said > now);
            (world.promotions.len() < before).then(|| "anna".to_owned())
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
