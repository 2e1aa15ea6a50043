//! The checks before a plan is sealed: what is asked of a host, and what each finding weighs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::model::host::HostName;

/// A check by its id, as `--waive` and the playbook's `preflight` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// A Windows Server on which the role is known to run.
    OsSupported,
    /// Product and build of the role; for file servers the File Server Resource Manager.
    ProductVersion,
    /// The RMS client 2.1 of a SharePoint server.
    MsipcClient,
    /// The RMS client 1 with Cryptographic Mode 2.
    MsdrmMode2,
    /// No connector runs here: it could not tell accounts apart.
    NotConnectorServer,
    NotDomainController,
    /// No restart is waiting already, by each of its causes.
    NoPendingReboot,
    ClockSkew,
    /// The connector answers a request from this host.
    ConnectorAnswers,
    /// Its certificate is trusted here, and its revocation list can be had.
    ConnectorTlsChainAndCrl,
    /// No Group Policy writes the values that the plan writes.
    NoPolicyConflict,
    /// No value is named `(default)` beside the default value that is meant.
    NamedDefault,
    /// No Office or RMS application of a person is installed.
    OfficeClientInstalled,
    /// Whether content encrypted with AES256-CBC can be read and written.
    Aes256CbcExchangeSetting,
    /// Every member of the host's DAG, farm or organisation stands in the inventory.
    InventoryComplete,
}

impl Check {
    pub const ALL: [Self; 15] = [
        Self::OsSupported,
        Self::ProductVersion,
        Self::MsipcClient,
        Self::MsdrmMode2,
        Self::NotConnectorServer,
        Self::NotDomainController,
        Self::NoPendingReboot,
        Self::ClockSkew,
        Self::ConnectorAnswers,
        Self::ConnectorTlsChainAndCrl,
        Self::NoPolicyConflict,
        Self::NamedDefault,
        Self::OfficeClientInstalled,
        Self::Aes256CbcExchangeSetting,
        Self::InventoryComplete,
    ];

    pub fn id(self) -> &'static str {
        match self {
            Self::OsSupported => "os-supported",
            Self::ProductVersion => "product-version",
            Self::MsipcClient => "msipc-client",
            Self::MsdrmMode2 => "msdrm-mode2",
            Self::NotConnectorServer => "not-connector-server",
            Self::NotDomainController => "not-domain-controller",
            Self::NoPendingReboot => "no-pending-reboot",
            Self::ClockSkew => "clock-skew",
            Self::ConnectorAnswers => "connector-answers",
            Self::ConnectorTlsChainAndCrl => "connector-tls-chain-and-crl",
            Self::NoPolicyConflict => "no-policy-conflict",
            Self::NamedDefault => "named-default",
            Self::OfficeClientInstalled => "office-client-installed",
            Self::Aes256CbcExchangeSetting => "aes256-cbc-exchange-setting",
            Self::InventoryComplete => "inventory-complete",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.id() == id)
    }

    /// What a plan demands where no playbook says otherwise.
    pub fn usual_demand(self) -> Demand {
        match self {
            Self::OsSupported
            | Self::ProductVersion
            | Self::MsipcClient
            | Self::MsdrmMode2
            | Self::NotConnectorServer => Demand::Proved,
            // What these ask may be closed to the account, and is open to doubt then, not wrong.
            Self::NoPendingReboot | Self::NoPolicyConflict => Demand::NotFailed,
            Self::NotDomainController
            | Self::ClockSkew
            | Self::ConnectorAnswers
            | Self::ConnectorTlsChainAndCrl
            | Self::NamedDefault
            | Self::OfficeClientInstalled
            | Self::Aes256CbcExchangeSetting
            | Self::InventoryComplete => Demand::Told,
        }
    }
}

/// What a finding that is not as expected does to its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// Blocks unless it was read and is as expected: the playbook's `require`.
    Proved,
    /// Blocks if it was read and is not as expected.
    NotFailed,
    /// Blocks nothing: the playbook's `warn`.
    Told,
    /// Is not even asked: the playbook's `skip`.
    Skipped,
}

/// The playbook's `preflight`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preflight {
    /// What the playbook says; a check that it does not name keeps its usual demand.
    pub demands: BTreeMap<Check, Demand>,
    /// The oldest MSIPC client that is taken, part by part.
    pub msipc_min: Vec<u32>,
}

impl Default for Preflight {
    /// `connector.md` 3.3.
    fn default() -> Self {
        Self { demands: BTreeMap::new(), msipc_min: vec![1, 0, 2004, 0] }
    }
}

impl Preflight {
    pub fn demand(&self, check: Check) -> Demand {
        self.demands.get(&check).copied().unwrap_or_else(|| check.usual_demand())
    }

    pub fn asks(&self, check: Check) -> bool {
        self.demand(check) != Demand::Skipped
    }
}

/// What a finding is worth to whoever seals the plan; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Block,
    Warn,
    /// Nobody answered, or it cannot be asked: neither good nor bad.
    NotRead,
    Ok,
}

/// One line of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's id, or that of a blocker with evidence of its own.
    pub id: String,
    pub expected: String,
    pub found: String,
    /// Registry path, WMI class or cmdlet.
    pub source: String,
    /// When the host was asked, by our clock.
    pub time: Timestamp,
    pub status: Status,
    /// It would block, and somebody took it upon himself: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
}

/// A blocker that a person takes upon himself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    pub host: HostName,
    /// The blocker's id.
    pub id: String,
    pub reason: Option<String>,
}

/// A version part by part, so that 622 comes before 2004; `None` if a part is no number.
pub fn version_parts(text: &str) -> Option<Vec<u32>> {
    text.trim().split('.').map(|part| part.trim().parse().ok()).collect()
}

/// A version of parts as text.
pub fn version_text(parts: &[u32]) -> String {
    parts.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_a_check() {
        for check in Check::ALL {
            assert_eq!(Check::parse(check.id()), Some(check));
            assert_eq!(serde_json::to_value(check).unwrap(), check.id());
        }
    }

    #[test]
    fn versions_compare_as_numbers() {
        let at_least = |text: &str, min: &str| {
            version_parts(text).is_some_and(|found| found >= version_parts(min).unwrap())
        };
        assert!(!at_least("1.0.622.34", "1.0.2004.0"));
        assert!(at_least("1.0.10000.0", "1.0.2004.0"));
        assert!(!at_least("", "1.0.2004.0") && !at_least("1.0.x.0", "1.0.2004.0"));
    }
}
