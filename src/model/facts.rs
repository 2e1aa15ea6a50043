//! What a survey brought home.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::model::farm::Farm;
use crate::model::host::HostName;
use crate::model::irm::Organisation;
use crate::model::maintenance::Membership;
use crate::model::outcome::Failure;
use crate::model::particulars::Particulars;
use crate::model::registry::KeyPath;
use crate::model::registry::Listing;
use crate::model::registry::Reading;
use crate::model::registry::ValuePath;
use crate::model::tenant::Fetched;

/// Who a host says it is, by CIM; the NTLM challenge's names are not evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `Win32_OperatingSystem.CSName`.
    pub computer: String,
    /// `Win32_ComputerSystem.Domain`; `None` for a workgroup.
    pub domain: Option<String>,
}

impl Identity {
    /// Names compare without regard to case.
    pub fn is_same(&self, other: &Self) -> bool {
        let domain = |identity: &Self| identity.domain.as_deref().map(str::to_ascii_lowercase);
        self.computer.eq_ignore_ascii_case(&other.computer) && domain(self) == domain(other)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.domain {
            Some(domain) => write!(f, "{} in {domain}", self.computer),
            None => f.write_str(&self.computer),
        }
    }
}

/// `Win32_OperatingSystem`, as far as we need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatingSystem {
    pub caption: String,
    /// `10.0.17763`.
    pub version: String,
    /// 1 workstation, 2 domain controller, 3 server.
    pub product_type: u32,
    pub last_boot: Timestamp,
    /// The host's own clock when it answered.
    pub local_time: Timestamp,
}

/// The answer to `CheckAccess` for set-value and create-subkey on one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    Granted,
    /// A write would be denied.
    Denied,
    /// The key is not there; the nearest existing ancestor decides and is asked instead.
    NoKey,
    Unreadable(String),
}

/// Everything one host told us, at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    pub taken: Timestamp,
    pub identity: Identity,
    pub os: OperatingSystem,
    #[serde(with = "crate::model::facts::pairs")]
    pub values: BTreeMap<ValuePath, Reading>,
    pub listings: BTreeMap<KeyPath, Listing>,
    pub access: BTreeMap<KeyPath, Access>,
    /// Seconds since the last start, by no clock; read only where a restart mark stands.
    #[serde(default)]
    pub up_seconds: Option<u64>,
    #[serde(default)]
    pub particulars: Particulars,
}

impl Observation {
    /// The reading of a path; one that was never read is not known to be absent.
    pub fn value(&self, path: &ValuePath) -> Reading {
        self.values
            .get(path)
            .cloned()
            .unwrap_or_else(|| Reading::Unreadable("never read".to_owned()))
    }
}

/// The outcome of asking one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostSurvey {
    Read(Box<Observation>),
    /// No answer, or an answer that ended the survey of this host.
    Failed(Failure),
}

/// The whole fleet as it was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    pub hosts: BTreeMap<HostName, HostSurvey>,
    /// One entry per Exchange organisation that could be asked.
    pub organisations: Vec<Organisation>,
    /// Hosts whose Exchange endpoint was asked for the organisation and did not tell.
    pub organisation_failures: BTreeMap<HostName, Failure>,
    /// SharePoint farms that were asked, by the inventory's name for them.
    #[serde(default)]
    pub farms: BTreeMap<String, Result<Farm, Failure>>,
    /// What connectors told of the tenant, where they were asked.
    #[serde(default)]
    pub tenants: Vec<Fetched>,
    /// How members of DAGs and clusters stand that a restart would take out of service.
    #[serde(default)]
    pub memberships: BTreeMap<HostName, Membership>,
    /// Files that users have open, on hosts whose users are warned.
    #[serde(default)]
    pub open_files: BTreeMap<HostName, usize>,
    /// Hosts that did not tell one of these two, and why.
    #[serde(default)]
    pub standing_failures: BTreeMap<HostName, Failure>,
}

/// JSON has no maps with structured keys: a list of pairs serves.
pub mod pairs {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serialize;
    use serde::Serializer;

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
