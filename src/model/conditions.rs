//! What a run must keep to beside its changes: gates, hooks, windows, freezes, approvals.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::model::gate::Gate;
use crate::model::hook::Around;
use crate::model::hook::Hook;
use crate::model::report::Report;
use crate::model::window::Freeze;
use crate::model::window::Window;

/// Part of the sealed plan, so that what was reviewed is what holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conditions {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gates: BTreeMap<String, Gate>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hooks: BTreeMap<String, Hook>,
    /// Hooks around the run as a whole.
    #[serde(skip_serializing_if = "Around::is_empty")]
    pub around: Around,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub windows: BTreeMap<String, Window>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<Freeze>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Approvals>,
    /// The playbook's `change.id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<Report>,
}

impl Conditions {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Signatures that a plan needs before it may be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    pub required: u32,
    /// Whoever made the plan does not count.
    pub distinct_from_author: bool,
    /// SHA-256 of the allowed-signers file that the signatures are checked against.
    pub allowed_signers: String,
    /// Where that file was when the plan was made.
    #[serde(default)]
    pub signers: String,
    /// Who made the plan, as the environment named him.
    #[serde(default)]
    pub author: String,
}
