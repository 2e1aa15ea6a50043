//! A playbook: stages, batches, limits and restarts, before any host is known.

use serde::Deserialize;
use serde::Serialize;

use crate::model::care::Care;
use crate::model::conditions::Conditions;
use crate::model::fileserver::FileObject;
use crate::model::gate::StageGates;
use crate::model::hook::Around;
use crate::model::preflight::Preflight;
use crate::model::product::Role;
use crate::model::step::SettingValue;

/// How many hosts a batch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchSize {
    Count(u32),
    /// Of the stage's hosts, rounded up, at least one. 1 to 100.
    Percent(u32),
    /// Twice the batch before it, 1 at first, and at most as many as may be in flight.
    Doubling,
}

/// How many of a stage's hosts may fail before the run stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Budget {
    Failures(u32),
    /// `floor(percent * hosts / 100)` failures are borne; one more stops.
    Percent(u32),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Hosts in flight for reads and registry writes.
    pub forks: u32,
    /// Hosts restarting at once, over all failure domains.
    pub restart: u32,
    /// Exchange servers asked at once by a gate; their throttling policy counts shells.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub exchange_shell: u32,
    /// How often a host that did not take the connection is tried again, with growing pauses.
    #[serde(default, skip_serializing_if = "is_none")]
    pub retries: u32,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_none(number: &u32) -> bool {
    *number == 0
}

impl Default for Limits {
    fn default() -> Self {
        Self { forks: 20, restart: 1, exchange_shell: 1, retries: 0 }
    }
}

/// `limits.per_host`: what holds for a host whose inventory says nothing, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerHost {
    pub connect_timeout: Option<u32>,
    pub operation_timeout: Option<u32>,
}

/// `defaults.on_abort`: what becomes of hosts in flight when the budget or a gate ends the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnAbort {
    #[default]
    FinishInFlight,
    /// They stop before their first write, or before the restart order.
    StopAtSafePoint,
}

impl OnAbort {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `restart.<role>.when`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RestartWhen {
    /// Where the rule asks for it: file servers always, the others if they used AD RMS before.
    #[default]
    Required,
    /// Wherever something changes.
    Always,
}

/// `restart.<role>.max_unavailable.per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartDomain {
    RmsDag,
    RmsFarm,
    /// The servers of one farm that do the same work.
    RmsFarmRole,
    RmsSite,
    RmsCluster,
}

/// Restart settings of a role or a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartSettings {
    pub when: RestartWhen,
    /// What `max_unavailable` counts in; `None` where the role's own domain does.
    pub per: Option<RestartDomain>,
    /// Hosts of one failure domain (DAG, farm, cluster, site) that may be down at once.
    pub max_unavailable: u32,
    /// One wall-clock budget from the order to stable services, in seconds.
    pub timeout: u32,
    pub care: Care,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageWork {
    /// Hosts by pattern, in batches by `serial`.
    Hosts { pattern: String, serial: Vec<BatchSize>, budget: Budget },
    /// What is done once, for an organisation, a farm or each server of a role.
    Step(StepOrder),
}

/// An organisation step as a playbook orders it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOrder {
    /// `exchange.set-irm-configuration`, once per Exchange organisation.
    ExchangeIrm(IrmOrder),
    /// `exchange.refresh-server-certificates`, once per Exchange organisation.
    RefreshCertificates,
    /// `sharepoint.use-this-rms-server`, once per farm.
    Farm(FarmOrder),
    /// Server by server: all of the role, or those of a host pattern.
    Servers {
        role: Role,
        act: ServerOrder,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        only: Option<String>,
    },
}

/// `set` and `verify` of `exchange.set-irm-configuration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IrmOrder {
    pub internal_licensing: Option<bool>,
    pub client_access_server: Option<bool>,
    /// The tenant's licensing URL goes first in `LicensingLocation`.
    pub tenant_first: bool,
    /// `Test-IRMConfiguration -Sender`, on every server, once it is set.
    pub sender: Option<String>,
}

impl Default for IrmOrder {
    fn default() -> Self {
        Self {
            internal_licensing: Some(true),
            client_access_server: Some(true),
            tenant_first: false,
            sender: None,
        }
    }
}

/// `set` and `mode` of `sharepoint.use-this-rms-server`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FarmOrder {
    pub enabled: bool,
    /// `mode: manual`: how long the run waits for the word, in seconds.
    pub by_hand: Option<u32>,
}

/// What is done on each server of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerOrder {
    /// Everything in the folder that holds the rights management certificates is removed.
    ClearCache,
    /// The web services are stopped and started.
    RestartIis,
    /// A classification rule or file management job is made, with these settings.
    FileObject { object: FileObject, name: String, settings: Vec<(String, SettingValue)> },
}

/// What a stage says in place of the playbook's `defaults`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnDefaults {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_abort: Option<OnAbort>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_unreachable_as_failed: Option<bool>,
}

impl OwnDefaults {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookStage {
    pub name: String,
    /// Inventory variables of this stage's hosts; they beat the inventory's.
    pub vars: Vec<(String, String)>,
    pub work: StageWork,
    pub gates: StageGates,
    #[serde(default)]
    pub hooks: Around,
    #[serde(default)]
    pub own: OwnDefaults,
}

/// What becomes of known other forms of our values that stand under names of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variants {
    /// They are told, and stay.
    #[default]
    Keep,
    /// They are removed beside the values that are written.
    Converge,
}

/// A playbook as read from its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playbook {
    pub name: String,
    pub description: Option<String>,
    /// Files that count where the command line names none, as seen from the playbook's folder.
    pub inventory: Option<String>,
    pub credentials: Option<String>,
    /// `builtin/2026.1`: which rule pack the playbook was written for.
    pub rules: Option<String>,
    pub limits: Limits,
    pub per_host: PerHost,
    pub on_abort: OnAbort,
    pub count_unreachable_as_failed: bool,
    /// How long a sealed plan may be applied, in hours.
    pub plan_valid_hours: u32,
    /// Keep the restart owed as a mark on the host until it is proved.
    pub marks: bool,
    pub restart_exchange: RestartSettings,
    pub restart_sharepoint: RestartSettings,
    pub restart_fci: RestartSettings,
    /// Settings of groups, in the file's order; a host in one takes them over its role's.
    pub restart_groups: Vec<(String, RestartSettings)>,
    pub stages: Vec<PlaybookStage>,
    pub conditions: Conditions,
    /// What the checks before sealing demand.
    #[serde(default)]
    pub preflight: Preflight,
    #[serde(default)]
    pub variants: Variants,
}
