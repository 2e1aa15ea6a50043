//! What a host told beside its registry values: services, folders, policies, its own requests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::model::farm;
use crate::model::fileserver::FoundObject;
use crate::model::registry::KeyPath;
use crate::model::step::SettingValue;

/// The answer to a question that may never have been put.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked<T> {
    #[default]
    Never,
    Told(T),
    /// It was asked, and this came instead of an answer.
    NotRead(String),
}

/// Why there is no answer where nobody asked.
pub const NEVER: &str = "never asked";

impl<T> Asked<T> {
    /// What was told, or in words why nothing was.
    pub fn told(&self) -> Result<&T, &str> {
        match self {
            Self::Told(told) => Ok(told),
            Self::NotRead(reason) => Err(reason),
            Self::Never => Err(NEVER),
        }
    }
}

/// `Win32_Service`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// `Running`, `Stopped` …
    pub state: String,
    /// `StartName`: the account that it runs as.
    pub account: Option<String>,
}

/// One registry setting that a Group Policy delivers (`RSOP_RegistryPolicySetting`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySetting {
    /// `RSOP_GPO.name`; the policy's id where no name was told.
    pub policy: String,
    pub key: KeyPath,
    pub name: String,
}

/// One entry of a key's access list: who, which rights, whether subkeys inherit it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEntry {
    /// `S-1-5-20`.
    pub sid: String,
    pub allows: bool,
    pub mask: u32,
    /// `CONTAINER_INHERIT_ACE`.
    pub inherited_below: bool,
}

/// What came of a web request that the host made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebAnswer {
    /// Any HTTP status is an answer.
    Status(u16),
    /// No answer, with the words of the host's PowerShell.
    Silent(String),
}

/// A SharePoint farm's `Get-SPIRMSettings`; `None` is a property that was not told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FarmIrm {
    pub enabled: Option<bool>,
    /// The server is found by the service connection point in AD.
    pub use_directory: Option<bool>,
    /// Empty where none is set.
    pub server: Option<String>,
}

impl FarmIrm {
    /// The evidence in what a farm's step reads.
    pub fn of(told: &farm::FarmIrm) -> Self {
        let flag = |name: &str| match told.get(name) {
            Some(SettingValue::Bool(value)) => Some(*value),
            Some(SettingValue::Text(_) | SettingValue::List(_) | SettingValue::Untold) | None => {
                None
            }
        };
        let server = match told.get("CertificateServerUrl") {
            Some(SettingValue::Text(server)) => Some(server.clone()),
            Some(SettingValue::Bool(_) | SettingValue::List(_) | SettingValue::Untold) | None => {
                None
            }
        };
        Self {
            enabled: flag("IrmEnabled"),
            use_directory: flag("UseActiveDirectoryDiscovery"),
            server,
        }
    }
}

/// One event of a connector node's log (`connector.md` 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorEvent {
    pub id: u32,
    /// By the node's clock.
    pub time: Timestamp,
    pub message: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Particulars {
    /// By lower-case short name; one that was asked for and is missing is not installed.
    pub services: Asked<BTreeMap<String, Service>>,
    /// Names of subkeys; none where the key is not there.
    pub subkeys: BTreeMap<KeyPath, Asked<Vec<String>>>,
    /// Versions by path; `None` where there is no such file.
    pub files: BTreeMap<String, Asked<Option<String>>>,
    /// Nodes of the host's cluster; none where it belongs to none.
    pub members: Asked<Vec<String>>,
    /// How many files the Rights Management cache of the server's own account holds.
    pub cached: Asked<usize>,
    /// Registry settings of Group Policy that touch the keys asked about, and how many there are in
    /// all.
    pub policies: Asked<(Vec<PolicySetting>, usize)>,
    /// Whether Configuration Manager's client holds a restart pending.
    pub client_restart: Asked<bool>,
    pub access_lists: BTreeMap<KeyPath, Asked<Vec<AccessEntry>>>,
    pub connector: Asked<WebAnswer>,
    /// The lists of revoked certificates that the connector's names, and what the host got there.
    #[serde(default)]
    pub revocation: Asked<Vec<(String, WebAnswer)>>,
    pub farm: Asked<FarmIrm>,
    /// Rules and jobs of a file server.
    pub file_objects: Asked<Vec<FoundObject>>,
    /// Of a connector node.
    pub events: Asked<Vec<ConnectorEvent>>,
}
