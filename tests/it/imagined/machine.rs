//! One server in memory: a registry, a boot time, services, and what goes wrong with it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use rmsfleet::model::lease::MARKS_KEY;
use rmsfleet::model::registry::KeyPath;
use rmsfleet::model::registry::Value;
use rmsfleet::model::registry::ValueName;
use rmsfleet::wire::operation::Answer;
use rmsfleet::wire::operation::Instance;
use rmsfleet::wire::operation::Read;
use rmsfleet::wire::operation::Write;

pub(crate) struct Machine {
    pub(crate) computer: String,
    pub(crate) registry: BTreeMap<KeyPath, BTreeMap<ValueName, Value>>,
    pub(crate) boot: Timestamp,
    pub(crate) down_until: Option<Timestamp>,
    pub(crate) luck: Luck,
    /// How often it has restarted by an order.
    pub(crate) reboots: usize,
    /// It has started since the last write of a value that is not a mark of ours.
    pub(crate) fresh: bool,
    /// From when to when it was last down.
    pub(crate) down: Option<(Timestamp, Timestamp)>,
    /// When an order that it took will bring it down.
    pub(crate) pending: Option<Timestamp>,
    /// Values set and deleted so far.
    pub(crate) writes: usize,
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
    /// Restart orders are refused with this code.
    pub(crate) refuse_order: Option<u32>,
    /// Seconds from the order until the machine goes down.
    pub(crate) lingers: i64,
    /// The answer to the restart order is lost.
    pub(crate) lose_order: bool,
    /// The restart order is carried out and answered with a fault of this code.
    pub(crate) fault_order: Option<u32>,
}

impl Machine {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            computer: name.to_owned(),
            registry: BTreeMap::from([(KeyPath::new("SOFTWARE"), BTreeMap::new())]),
            boot: "2026-01-01T00:00:00Z".parse().unwrap(),
            down_until: None,
            luck: Luck::default(),
            reboots: 0,
            fresh: false,
            down: None,
            pending: None,
            writes: 0,
            stopped: BTreeSet::new(),
        }
    }

    /// Goes down if an order's time has come.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        if let Some(down) = self.pending.take_if(|down| *down <= now) {
            self.goes_down(down);
            self.reboots += 1;
            self.down = self.down_until.map(|until| (down, until));
        }
    }

    /// Whether it answers nobody at this time.
    pub(crate) fn is_away(&self, now: Timestamp) -> bool {
        self.luck.unreachable || self.down_until.is_some_and(|until| now < until)
    }

    /// Starts anew, whoever wanted it.
    pub(crate) fn goes_down(&mut self, at: Timestamp) {
        self.boot = at.checked_add(SignedDuration::from_secs(20)).unwrap();
        self.down_until = at.checked_add(SignedDuration::from_secs(30)).ok();
        self.pending = None;
        self.stopped.clear();
        self.fresh = true;
    }
}

pub(crate) fn create(registry: &mut BTreeMap<KeyPath, BTreeMap<ValueName, Value>>, key: &KeyPath) {
    let mut next = Some(key.clone());
    while let Some(key) = next {
        next = key.parent();
        registry.entry(key).or_default();
    }
}

pub(crate) fn answer(now: Timestamp, machine: &Machine, read: &Read) -> Answer {
    match read {
        Read::Identify => Answer::Identity { vendor: "none".into(), version: "1".into() },
        Read::Settings => Answer::Settings(BTreeMap::new()),
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
        // No recipe of a run asks so.
        Read::Instance { .. } => Answer::Instances(Vec::new()),
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
    } else if wql.contains("FROM Win32_Service WHERE StartMode='Auto'") {
        vec![("Name", "Spooler".to_owned()), ("State", "Running".to_owned())]
    } else {
        return Vec::new();
    };
    let properties =
        pairs.into_iter().map(|(name, value)| (name.to_owned(), vec![Some(value)])).collect();
    vec![Instance { class: String::new(), properties }]
}

pub(crate) fn act(machine: &mut Machine, write: &Write, now: Timestamp) -> Answer {
    if let Write::SetValue { path, .. } | Write::DeleteValue(path) = write {
        machine.fresh &= path.key == KeyPath::new(MARKS_KEY);
    }
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
        Write::SetAccessList { .. }
        | Write::CreateInstance { .. }
        | Write::DeleteInstance { .. } => 0,
        Write::Restart { .. } => {
            if let Some(code) = machine.luck.refuse_order {
                code
            } else if machine.luck.hangs {
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
