//! What can be asked of a host. Reads and writes are different types: who holds only [`Read`]s
//! cannot change anything.

use std::collections::BTreeMap;

use crate::model::particulars::AccessEntry;
use crate::model::registry::KeyPath;
use crate::model::registry::Kind;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;

/// Access rights for [`Read::CheckAccess`] (`KEY_SET_VALUE`, `KEY_CREATE_SUB_KEY`).
pub const SET_VALUE: u32 = 2;
pub const CREATE_SUB_KEY: u32 = 4;

/// A question. None of these changes the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// WS-Man Identify, authenticated.
    Identify,
    /// Get of `winrm/config`: the service's limits and switches.
    Settings,
    /// `StdRegProv.Get<Kind>Value`.
    Value { path: ValuePath, kind: Kind },
    /// `StdRegProv.EnumValues`.
    EnumValues(KeyPath),
    /// `StdRegProv.EnumKey`.
    EnumKeys(KeyPath),
    /// `StdRegProv.CheckAccess`; `required` is a sum of access rights.
    CheckAccess { key: KeyPath, required: u32 },
    /// `MSFT_FSRMFMJAction.EnumRmsTemplates`: what a file server sees of the tenant's templates.
    RmsTemplates,
    /// `StdRegProv.GetSecurityDescriptor`, of which the access list is kept.
    AccessList(KeyPath),
    /// `CCM_ClientUtilities.DetermineIfRebootPending` of Configuration Manager's client.
    ClientRestart,
    /// WS-Transfer Get of the one instance that its keys select; none for a singleton. The class
    /// with its namespace: `root/cimv2/Win32_Service`.
    Instance { class: &'static str, keys: Vec<(&'static str, String)> },
    /// Enumerate with WQL, e.g. namespace `root/cimv2`.
    Query { namespace: String, wql: String },
}

/// An act. Only the executor holds one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// `StdRegProv.CreateKey`: creates intermediate keys, 0 if the key is there.
    CreateKey(KeyPath),
    /// `StdRegProv.DeleteKey`: refused while there are subkeys.
    DeleteKey(KeyPath),
    /// `StdRegProv.Set<Kind>Value`.
    SetValue { path: ValuePath, value: Value },
    /// `StdRegProv.DeleteValue`.
    DeleteValue(ValuePath),
    /// `StdRegProv.SetSecurityDescriptor` with who may what alone: owner, group and audit list are
    /// not sent. No playbook's step does this.
    SetAccessList { key: KeyPath, entries: Vec<AccessEntry> },
    /// `Win32_OperatingSystem.Win32ShutdownTracker` with the reboot flag.
    Restart { delay_seconds: u32, comment: String },
    /// `Win32_Service.StartService` on the instance of that short name.
    StartService(String),
    /// `Win32_Service.StopService`.
    StopService(String),
    /// A new instance of a class (namespace and name), by WS-Transfer.
    CreateInstance { class: &'static str, properties: Vec<(&'static str, CimValue)> },
    /// The instance with this key is removed, by WS-Transfer.
    DeleteInstance { class: &'static str, key: (&'static str, String) },
}

/// A property's value of a [`Write::CreateInstance`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CimValue {
    Text(String),
    Number(i64),
    Bool(bool),
    /// RFC 3339.
    Moment(String),
    /// An array; an empty one is left out, as it is a property's default.
    Many(Vec<Self>),
    /// An instance of another class, by namespace and name.
    Embedded {
        class: &'static str,
        properties: Vec<(&'static str, Self)>,
    },
}

/// What came back. StdRegProv refuses with HTTP 200 and a return code, so codes are data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Identity {
        vendor: String,
        version: String,
    },
    /// The return code, and the data where the code is 0 and the data is not nil.
    Value {
        code: u32,
        value: Option<Value>,
    },
    /// Names with type numbers. Empty and absent arrays look alike on the wire.
    Values {
        code: u32,
        values: Vec<(String, u32)>,
    },
    Keys {
        code: u32,
        names: Vec<String>,
    },
    Access {
        code: u32,
        granted: Option<bool>,
    },
    /// `None` where no descriptor came.
    AccessList {
        code: u32,
        entries: Option<Vec<AccessEntry>>,
    },
    ClientRestart {
        code: u32,
        pending: Option<bool>,
    },
    Instances(Vec<Instance>),
    /// By path, as in `Service/MaxConnections`.
    Settings(BTreeMap<String, String>),
    Templates {
        code: u32,
        names: Vec<String>,
    },
    /// The return code of a [`Write`].
    Done {
        code: u32,
    },
}

/// One CIM instance: property name to its values. `None` is nil; an array is several values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instance {
    pub class: String,
    pub properties: BTreeMap<String, Vec<Option<String>>>,
}

impl Instance {
    /// The first value of a property; nil and missing are both `None`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.properties.get(name)?.first()?.as_deref()
    }
}
