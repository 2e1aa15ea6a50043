//! How a host is taken down and brought back.

use serde::Deserialize;
use serde::Serialize;

/// What happens around a host's restart beside the restart itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Care {
    pub drain: Drain,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warn: Option<Warning>,
    /// Gates that the host must pass before the next one of its failure domains goes down.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates_after: Vec<String>,
    /// Which of the hosts that may restart goes first; ties keep the plan's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<RestartOrder>,
    /// Databases without another copy, whose outage somebody has accepted by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outage: Vec<String>,
}

impl Care {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `restart.<role>.drain`. Whatever was changed for the drain is restored as found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drain {
    #[default]
    None,
    ExchangeDag,
    FailoverCluster,
    /// A hook by name; its `undo` brings the host back.
    Hook(String),
}

/// `restart.<role>.warn_users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub message: String,
    /// Seconds between the warning and the restart.
    pub lead: u32,
}

/// `restart.<role>.order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartOrder {
    FewestActiveDatabases,
    AlternateSites,
    /// The Primary Active Manager last.
    PamLast,
    CentralAdminLast,
    FewestOwnedRoles,
}
