//! An imagined host for tests of recipes: a registry and a few instances, behind the real traits.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;

use crate::host::link::HostError;
use crate::host::link::Launch;
use crate::host::link::ProgramError;
use crate::host::link::ProgramResult;
use crate::host::link::Reader;
use crate::host::link::Writer;
use crate::model::program::Program;
use crate::model::registry::KeyPath;
use crate::model::registry::Kind;
use crate::model::registry::Value;
use crate::model::registry::ValueName;
use crate::model::registry::ValuePath;
use crate::wire::operation::Answer;
use crate::wire::operation::Instance;
use crate::wire::operation::Read;
use crate::wire::operation::Write;
use crate::wire::wsman::Sent;

/// What stands under a value's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stored {
    Value(Value),
    /// A registry type that has no getter.
    Strange(u32),
    /// The getter says 0 and brings no data: an empty multi-string, say.
    Silent(Kind),
}

/// The state of one host, open to tests.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) keys: BTreeMap<KeyPath, BTreeMap<ValueName, Stored>>,
    /// Keys that refuse everything with code 5.
    pub(crate) denied: BTreeSet<KeyPath>,
    /// Return codes by call name (`StdRegProv.SetStringValue`), instead of carrying it out.
    pub(crate) codes: BTreeMap<String, u32>,
    /// Calls by name after which the connection breaks, the call having been carried out.
    pub(crate) breaks: BTreeSet<String>,
    /// What a getter says of a value that is not there: 1 or 2.
    pub(crate) missing_value: u32,
    /// Instances by class.
    pub(crate) instances: BTreeMap<String, Vec<Instance>>,
    /// Every call by name, in order.
    pub(crate) log: Vec<String>,
}

/// A connection to an imagined host; clones lead to the same host.
#[derive(Debug, Clone, Default)]
pub(crate) struct Imagined(Arc<Mutex<World>>);

impl Imagined {
    /// A host with the keys `SOFTWARE` and `SOFTWARE\Microsoft`.
    pub(crate) fn new() -> Self {
        let imagined = Self::default();
        imagined.world().missing_value = 2;
        imagined.with_key("SOFTWARE").with_key(r"SOFTWARE\Microsoft")
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub(crate) fn with_key(self, key: &str) -> Self {
        self.world().keys.entry(KeyPath::new(key)).or_default();
        self
    }

    pub(crate) fn with(self, key: &str, name: &str, stored: Stored) -> Self {
        let name = ValueName::new(name);
        self.world().keys.entry(KeyPath::new(key)).or_default().insert(name, stored);
        self
    }

    pub(crate) fn with_value(self, key: &str, name: &str, value: Value) -> Self {
        self.with(key, name, Stored::Value(value))
    }

    pub(crate) fn with_instance(self, class: &str, properties: &[(&str, &str)]) -> Self {
        let properties = properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), vec![Some((*value).to_owned())]))
            .collect();
        let instance = Instance { class: String::new(), properties };
        self.world().instances.entry(class.to_owned()).or_default().push(instance);
        self
    }

    pub(crate) fn denying(self, key: &str) -> Self {
        self.world().denied.insert(KeyPath::new(key));
        self
    }

    pub(crate) fn holds(&self, key: &str, name: &str) -> Option<Stored> {
        self.world().keys.get(&KeyPath::new(key))?.get(&ValueName::new(name)).cloned()
    }

    pub(crate) fn has_key(&self, key: &str) -> bool {
        self.world().keys.contains_key(&KeyPath::new(key))
    }

    /// Names of all calls so far that would change a host.
    pub(crate) fn acts(&self) -> Vec<String> {
        let acts = ["Set", "Create", "Delete", "Win32Shutdown"];
        let log = self.world().log.clone();
        log.into_iter().filter(|call| acts.iter().any(|act| call.contains(act))).collect()
    }

    fn end(&self, name: &str, answer: Answer) -> Result<Answer, HostError> {
        if self.world().breaks.remove(name) {
            return Err(HostError::Lost { call: name.to_owned(), source: "reset".into() });
        }
        Ok(answer)
    }
}

impl Reader for Imagined {
    async fn read(&mut self, read: &Read) -> Result<Answer, HostError> {
        let name = Sent::Read(read).name();
        let answer = self.world().answer(&name, read);
        self.end(&name, answer)
    }
}

impl Writer for Imagined {
    async fn write(&mut self, write: &Write) -> Result<Answer, HostError> {
        let name = Sent::Write(write).name();
        let answer = Answer::Done { code: self.world().act(&name, write) };
        self.end(&name, answer)
    }
}

impl Launch for Imagined {
    async fn launch(
        &mut self,
        _: &Program,
        _: &str,
        _: Duration,
    ) -> Result<ProgramResult, ProgramError> {
        let text = "this host runs no programs".to_owned();
        Err(ProgramError::NotStarted(HostError::Unsupported(text)))
    }
}

impl World {
    fn code(&self, name: &str, key: &KeyPath) -> u32 {
        match self.codes.get(name) {
            Some(code) => *code,
            None if self.denied.contains(key) => 5,
            None if !self.keys.contains_key(key) => 2,
            None => 0,
        }
    }

    fn answer(&mut self, name: &str, read: &Read) -> Answer {
        self.log.push(name.to_owned());
        match read {
            Read::Identify => Answer::Identity { vendor: "imagined".into(), version: "1".into() },
            Read::Settings => Answer::Settings([("MaxTimeoutms".into(), "60000".into())].into()),
            Read::Value { path, kind } => match self.code(name, &path.key) {
                0 => self.value(path, *kind),
                code => Answer::Value { code, value: None },
            },
            Read::EnumValues(key) => {
                let code = self.code(name, key);
                let listed = self.keys.get(key).filter(|_| code == 0);
                let alone = listed.is_some_and(|values| values.len() == 1);
                let values = listed
                    .into_iter()
                    .flatten()
                    .filter(|(name, _)| !(alone && name.is_default()))
                    .map(|(name, stored)| (name.as_str().to_owned(), stored.number()))
                    .collect();
                Answer::Values { code, values }
            }
            Read::EnumKeys(key) => {
                let code = self.code(name, key);
                let below = self.keys.keys().filter(|own| own.parent().as_ref() == Some(key));
                let names = below.map(|own| own.as_str().to_owned()).collect();
                Answer::Keys { code, names: if code == 0 { names } else { Vec::new() } }
            }
            Read::CheckAccess { key, .. } => {
                let code = self.code(name, key);
                Answer::Access { code, granted: Some(code == 0) }
            }
            Read::RmsTemplates => Answer::Templates { code: 0, names: Vec::new() },
            Read::AccessList(key) => {
                let code = self.code(name, key);
                Answer::AccessList { code, entries: (code == 0).then(Vec::new) }
            }
            Read::ClientRestart => Answer::ClientRestart { code: 0, pending: Some(false) },
            Read::Instance { class, keys } => {
                let class = class.rsplit('/').next().unwrap_or(class);
                let all = self.instances.get(class).into_iter().flatten();
                let chosen = |one: &&Instance| {
                    keys.iter().all(|(key, value)| one.text(key) == Some(value.as_str()))
                };
                Answer::Instances(all.filter(chosen).cloned().collect())
            }
            Read::Query { wql, .. } => {
                let class = wql.split(" FROM ").nth(1).and_then(|rest| rest.split(' ').next());
                let instances = self.instances.get(class.unwrap_or_default());
                Answer::Instances(instances.cloned().unwrap_or_default())
            }
        }
    }

    fn value(&self, path: &ValuePath, kind: Kind) -> Answer {
        let stored = self.keys.get(&path.key).and_then(|values| values.get(&path.name));
        let (code, value) = match stored {
            None => (self.missing_value, None),
            Some(Stored::Value(value)) if value.kind() == kind => (0, Some(value.clone())),
            Some(Stored::Silent(own)) if *own == kind => (0, None),
            Some(Stored::Value(_) | Stored::Silent(_) | Stored::Strange(_)) => {
                (2_147_749_893, None)
            }
        };
        Answer::Value { code, value }
    }

    fn act(&mut self, name: &str, write: &Write) -> u32 {
        self.log.push(name.to_owned());
        let key = match write {
            Write::CreateKey(key) | Write::DeleteKey(key) => key,
            Write::SetValue { path, .. } | Write::DeleteValue(path) => &path.key,
            Write::SetAccessList { .. }
            | Write::Restart { .. }
            | Write::StartService(_)
            | Write::StopService(_)
            | Write::CreateInstance { .. }
            | Write::DeleteInstance { .. } => {
                return self.codes.get(name).copied().unwrap_or(0);
            }
        };
        match (write, self.code(name, key)) {
            (Write::CreateKey(_), 2) if !self.codes.contains_key(name) => {}
            (_, 0) => {}
            (_, code) => return code,
        }
        match write {
            Write::CreateKey(key) => {
                let mut next = Some(key.clone());
                while let Some(key) = next {
                    next = key.parent();
                    self.keys.entry(key).or_default();
                }
                0
            }
            Write::DeleteKey(key) => {
                if self.keys.keys().any(|own| own.parent().as_ref() == Some(key)) {
                    return 5;
                }
                self.keys.remove(key);
                0
            }
            Write::SetValue { path, value } => {
                let values = self.keys.entry(path.key.clone()).or_default();
                values.insert(path.name.clone(), Stored::Value(value.clone()));
                0
            }
            Write::DeleteValue(path) => {
                let values = self.keys.entry(path.key.clone()).or_default();
                if values.remove(&path.name).is_some() { 0 } else { 2 }
            }
            Write::SetAccessList { .. }
            | Write::Restart { .. }
            | Write::StartService(_)
            | Write::StopService(_)
            | Write::CreateInstance { .. }
            | Write::DeleteInstance { .. } => 0,
        }
    }
}

impl Stored {
    fn number(&self) -> u32 {
        match self {
            Self::Value(value) => value.kind().number(),
            Self::Strange(number) => *number,
            Self::Silent(kind) => kind.number(),
        }
    }
}
