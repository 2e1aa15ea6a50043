//! The plan: all changes for all hosts, staged; immutable, and it leaves the executor no choice.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::model::care::Care;
use crate::model::change::Change;
use crate::model::conditions::Conditions;
use crate::model::facts::Identity;
use crate::model::gate::StageGates;
use crate::model::hook::Around;
use crate::model::host::Endpoint;
use crate::model::host::HostName;
use crate::model::preflight::Finding;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::registry::KeyPath;
use crate::model::registry::State;
use crate::model::registry::ValuePath;
use crate::model::rollout::Limits;
use crate::model::rollout::OnAbort;
use crate::model::rollout::OwnDefaults;
use crate::model::rules::Support;
pub use crate::model::step::OrganisationStep;
use crate::model::verdict::Verdict;

/// The plan file's format. A reader refuses a newer major with a clear word.
pub const FORMAT: u32 = 1;

/// A file or embedded text that the plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// `inventory`, `playbook`, `rules`, `credentials`, `var`.
    pub what: String,
    pub name: String,
    pub sha256: String,
}

/// A set of hosts of which only so many may be down at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailureDomain {
    /// `dag:DAG-EU1`, `farm:SP-PROD`, `cluster:FSCL01`, `site:ams`, `role:fci`.
    pub id: String,
    pub max_unavailable: u32,
}

impl FailureDomain {
    /// Whether its members stand in for each other, so that one that does not answer is one that is
    /// down. A site or a role only sets the pace.
    pub fn stands_in(&self) -> bool {
        ["dag:", "farm:", "farm-role:", "cluster:"].iter().any(|kind| self.id.starts_with(kind))
    }
}

/// Why a host is kept out of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// `unreachable`, `unreadable`, `access-denied`, `product-version`, `restart-unknown`, `identity` …
    pub id: String,
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Something the reader of the plan should know; it blocks nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// `foreign-variant`, `undocumented`, `odd-peer` …
    pub id: String,
    pub text: String,
}

/// Why a host gets no values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    InScope,
    /// Read for evidence, never written.
    Connector,
    /// No role, or `rms_configure` says no.
    OutOfScope(String),
}

/// One host's part of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedHost {
    pub name: HostName,
    pub scope: Scope,
    pub role: Option<Role>,
    pub product: Option<Product>,
    pub support: Option<Support>,
    pub endpoint: Endpoint,
    pub credential: String,
    pub user: Option<String>,
    pub connect_timeout: u32,
    pub operation_timeout: u32,
    /// What the host must still say it is before a write or restart. `None` if it was not read.
    pub identity: Option<Identity>,
    pub changes: Vec<Change>,
    /// Values that are as wanted and were read so.
    pub equal: Vec<(ValuePath, State)>,
    pub verdict: Verdict,
    /// Whether the run restarts the host; `false` with a required verdict leaves it owed.
    pub restart: bool,
    /// A restart that an earlier run left owed, as its mark on the host says.
    pub restart_owed: Option<String>,
    /// The host has provably restarted since that mark was set, so that only the mark has to go.
    #[serde(default)]
    pub mark_paid: bool,
    /// Leases of other runs that the plan saw, in words. They block the host; where a person waived
    /// that, the run removes exactly these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leases: Vec<String>,
    pub restart_timeout: u32,
    /// How it is taken down and brought back.
    #[serde(default, skip_serializing_if = "Care::is_default")]
    pub care: Care,
    /// The window of the plan's conditions in which it may be touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// The connector that it is pointed at, for gates that ask from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<String>,
    /// Where it stands, for orders in which sites take turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The SharePoint farm that it belongs to, as the inventory names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub farm: Option<String>,
    /// Databases that are active here and have no other copy, as the plan saw them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub single_copies: Vec<String>,
    /// Where the Exchange PSRP endpoint answers; Exchange servers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Endpoint>,
    /// Keys that go once every value is verified, if nothing is left in them; leaf first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub empty_keys: Vec<KeyPath>,
    /// The stage of the organisation step that must be done before this host is touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_step: Option<String>,
    pub domains: Vec<FailureDomain>,
    pub blockers: Vec<Blocker>,
    pub notes: Vec<Note>,
    /// Evidence of the checks, as found when the plan was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// The account that must be authorised at the connector for this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorise: Option<String>,
}

impl PlannedHost {
    pub fn is_blocked(&self) -> bool {
        !self.blockers.is_empty()
    }

    /// Whether a server that its organisation or farm names is this host.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.as_str().eq_ignore_ascii_case(name)
            || self.name.short().eq_ignore_ascii_case(name)
            || self.identity.as_ref().is_some_and(|own| own.computer.eq_ignore_ascii_case(name))
    }

    /// Whether the run has anything to do here.
    pub fn has_work(&self) -> bool {
        !self.is_blocked() && self.would_work()
    }

    /// The same if nothing were in the way, as a waiver may decide.
    pub fn would_work(&self) -> bool {
        let writes = !self.changes.is_empty() || !self.empty_keys.is_empty();
        writes || self.restart || self.mark_paid
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlannedWork {
    Hosts {
        /// In order; a host without work is in no batch.
        batches: Vec<Vec<HostName>>,
        /// Failures borne; one more stops the run.
        budget: u32,
        /// Hosts to restart once the stage's registry phase is done, in order.
        restarts: Vec<HostName>,
    },
    Step(Box<OrganisationStep>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStage {
    pub name: String,
    pub work: PlannedWork,
    #[serde(default, skip_serializing_if = "StageGates::is_empty")]
    pub gates: StageGates,
    #[serde(default, skip_serializing_if = "Around::is_empty")]
    pub hooks: Around,
    #[serde(default, skip_serializing_if = "OwnDefaults::is_empty")]
    pub own: OwnDefaults,
}

/// The run that a plan takes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undoes {
    pub run: String,
    /// The digest of that run's sealed plan.
    pub digest: String,
    /// How many times ends were swapped: 1 for an undo, 2 for the undo of an undo.
    pub depth: u32,
    /// Values of the run that a person has decided to leave as they are.
    #[serde(default, skip_serializing_if = "is_none")]
    pub left: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

impl Undoes {
    /// Whether the plan leads back to where a configuring run had led.
    pub fn is_forward(&self) -> bool {
        self.depth.is_multiple_of(2)
    }
}

/// All that a run will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub format: u32,
    /// A UUID; the sealed plan's single use is recorded under it.
    pub id: String,
    pub created: Timestamp,
    pub valid_until: Timestamp,
    /// `rmsfleet 0.1.0`.
    pub tool: String,
    pub playbook: String,
    pub rules: String,
    pub inputs: Vec<Input>,
    pub limits: Limits,
    pub count_unreachable_as_failed: bool,
    #[serde(default, skip_serializing_if = "OnAbort::is_default")]
    pub on_abort: OnAbort,
    pub marks: bool,
    pub lab: bool,
    pub hosts: BTreeMap<HostName, PlannedHost>,
    pub stages: Vec<PlannedStage>,
    #[serde(default, skip_serializing_if = "Conditions::is_empty")]
    pub conditions: Conditions,
    /// `None` for a plan that was made from an inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<Undoes>,
    /// Findings about the fleet as a whole that keep the plan from being sealed or applied.
    pub blockers: Vec<Blocker>,
    pub notes: Vec<Note>,
}

impl Plan {
    /// Whether applying it would write, restart or set anything.
    pub fn has_work(&self) -> bool {
        self.hosts.values().any(PlannedHost::has_work)
            || self.stages.iter().any(|stage| match &stage.work {
                PlannedWork::Hosts { .. } => false,
                PlannedWork::Step(step) => !step.satisfied,
            })
    }
}
