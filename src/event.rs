//! Everything a run can say. One stream feeds the journal, the terminal and JSON.

mod about;
pub mod ledger;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::model::change::Change;
use crate::model::hook::Errand;
use crate::model::host::HostName;
use crate::model::maintenance::Act;
use crate::model::maintenance::Membership;
use crate::model::outcome::Failure;
use crate::model::outcome::Outcome;
use crate::model::registry::KeyPath;
use crate::model::step::StepState;

/// The journal's format. Minor additions keep the number; readers ignore unknown fields. Since 2
/// every line is chained to the one before it.
pub const JOURNAL_FORMAT: u32 = 2;

/// One journal line: an event with its place in the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub seq: u64,
    pub ts: Timestamp,
    pub run: String,
    #[serde(flatten)]
    pub event: Event,
}

/// What happened, or is about to. An `…Intended` event is on disk before its act begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    RunStarted {
        format: u32,
        tool: String,
        plan: String,
        digest: String,
        operator: String,
        workstation: String,
        lab: bool,
        /// The run that this one takes back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undoes: Option<String>,
        /// Nothing is written and nothing restarted; the plan is not used up.
        #[serde(default, skip_serializing_if = "is_false")]
        rehearsal: bool,
    },
    /// A signature under the plan, checked before the run began.
    PlanApproved {
        /// As the allowed-signers file names the signer.
        by: String,
        /// The key's fingerprint: `SHA256:…`.
        key: String,
    },
    /// Hosts of the plan that this run leaves out; nothing else differs from what was sealed.
    HostsLeftOut {
        /// As it was typed.
        limit: String,
        hosts: Vec<HostName>,
    },
    /// Another process goes on with a run that died or was stopped.
    RunResumed {
        /// The run's process by number: the one that started it was 1.
        segment: u32,
        tool: String,
        operator: String,
        workstation: String,
        /// What stood behind the last whole line when the run died, and was taken off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        torn: Option<String>,
    },
    StageStarted {
        stage: String,
    },
    BatchStarted {
        stage: String,
        batch: usize,
        batches: usize,
        hosts: Vec<HostName>,
    },
    HostStarted {
        host: HostName,
        phase: Phase,
    },
    /// The change about to be made: `index` counts within the host's changes.
    ChangeIntended {
        host: HostName,
        index: usize,
        change: Change,
    },
    /// The host took the write and read back as planned.
    ChangeVerified {
        host: HostName,
        index: usize,
    },
    /// A write did not end well; what was written on this host is taken back.
    RestoreIntended {
        host: HostName,
        index: usize,
    },
    RestoreVerified {
        host: HostName,
        index: usize,
    },
    /// The survey of a host ended; what was read stands in the plan.
    HostSurveyed {
        host: HostName,
        failure: Option<Failure>,
    },
    /// Every value of the host was read and is as planned.
    HostVerified {
        host: HostName,
        values: usize,
    },
    /// A mark under `HKLM\SOFTWARE\rmsfleet` is about to be set or removed.
    MarkIntended {
        host: HostName,
        mark: String,
        set: bool,
    },
    /// The run's lease on the host is about to be set, or a lease to be removed that counts no more.
    LeaseIntended {
        host: HostName,
        /// The value's path.
        lease: String,
        set: bool,
    },
    /// The run is at its end, and its lease or the empty key below which it stood may still be there.
    LeaseLeft {
        host: HostName,
        why: String,
    },
    /// A key is about to be created for a value of ours, or one that we created to be deleted.
    KeyIntended {
        host: HostName,
        key: KeyPath,
        create: bool,
    },
    /// A restart is owed until proved or given up by name; told before the first write that
    /// causes it.
    RestartOwed {
        host: HostName,
        reason: String,
        /// An earlier run left it; it is owed even if this run writes nothing.
        #[serde(default)]
        inherited: bool,
    },
    /// What the host said before its restart. An order may follow at any time from here on.
    RestartReady {
        host: HostName,
        boot: Timestamp,
        /// By no clock: how long the host had been up then.
        up_seconds: u64,
        /// What ran then, and must run again.
        services: Vec<String>,
        /// Other services that started by themselves and ran then.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        others: Vec<String>,
    },
    RestartIntended {
        host: HostName,
        boot_before: Timestamp,
    },
    /// The reply to the order; it proves nothing. `None` if the reply was lost.
    RestartOrdered {
        host: HostName,
        code: Option<u32>,
    },
    /// Somebody else's shutdown was on its way when the order came, which was not taken.
    RestartForeign {
        host: HostName,
        code: u32,
    },
    /// After the proof the host was found to have restarted once more, by nobody's order here.
    RestartRepeated {
        host: HostName,
        boot: Timestamp,
    },
    /// Services that ran before the restart and do not after it, their time being over. The run
    /// goes on.
    ServicesMissing {
        host: HostName,
        services: Vec<String>,
    },
    /// Shown while waiting; what was seen last.
    RestartWaiting {
        host: HostName,
        seen: String,
    },
    RestartProved {
        host: HostName,
        boot_after: Timestamp,
        up_seconds: u64,
    },
    /// A phase of a restart begins; it has so many seconds by the wall clock.
    PhaseStarted {
        host: HostName,
        phase: Phase,
        budget: u32,
    },
    /// What was seen of the other members of a host's failure domains before it goes down.
    PeersSeen {
        host: HostName,
        clear: bool,
        seen: String,
    },
    /// How many members of a failure domain are up, by live state.
    CapacitySeen {
        domain: String,
        up: usize,
        of: usize,
        /// Votes of the cluster that are up, and all of them, where that was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        votes: Option<(u32, u32)>,
    },
    /// How the host stands in its DAG or cluster. From here on it may be out of service.
    MaintenanceFound {
        host: HostName,
        found: Membership,
    },
    MaintenanceIntended {
        host: HostName,
        act: Act,
    },
    /// Shown while waiting; what was seen last.
    MaintenanceWaiting {
        host: HostName,
        seen: String,
    },
    /// Out of service, and read so.
    MaintenanceEntered {
        host: HostName,
    },
    /// As found again, and read so, but for what others have changed meanwhile.
    MaintenanceLeft {
        host: HostName,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        foreign: Vec<String>,
    },
    /// A gate is looked at from now on, for so many seconds by the wall clock at most.
    GateStarted {
        stage: String,
        gate: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget: Option<u32>,
    },
    /// Evidence, told when it changes. `host` is `None` where the gate is about no single one.
    GateSeen {
        stage: String,
        gate: String,
        host: Option<HostName>,
        green: bool,
        seen: String,
    },
    GatePassed {
        stage: String,
        gate: String,
    },
    GateFailed {
        stage: String,
        gate: String,
        reason: String,
    },
    /// A program of the controller is about to run for a host.
    HookIntended {
        host: HostName,
        hook: String,
        /// An earlier process announced it and nobody saw it end well.
        #[serde(default, skip_serializing_if = "is_false")]
        again: bool,
    },
    HookEnded {
        host: HostName,
        hook: String,
        ok: bool,
        said: String,
    },
    /// A program of the controller is about to run around a stage or the run.
    StageHookIntended {
        #[serde(flatten)]
        errand: Errand,
        /// An earlier part of the run announced it and nobody saw it end well.
        #[serde(default, skip_serializing_if = "is_false")]
        again: bool,
    },
    StageHookEnded {
        #[serde(flatten)]
        errand: Errand,
        ok: bool,
        said: String,
    },
    /// Its turn came, and it did not run.
    StageHookSkipped {
        #[serde(flatten)]
        errand: Errand,
        reason: String,
    },
    StepHeld {
        organisation: String,
        /// The step's stage; an organisation may have several steps. Not told by the first version.
        #[serde(default)]
        step: String,
        reason: String,
    },
    StepIntended {
        organisation: String,
        #[serde(default)]
        step: String,
        /// What the step is keyed by.
        #[serde(alias = "dn")]
        identity: String,
        /// The cmdlet or method about to go out.
        #[serde(default = "first_verb")]
        verb: String,
        via: HostName,
    },
    /// A person does it; the run goes on when it is told so.
    StepAwaited {
        organisation: String,
        step: String,
        instructions: Vec<String>,
        /// What to type when it is done.
        then: String,
    },
    StepVerified {
        organisation: String,
        #[serde(default)]
        step: String,
        after: StepState,
    },
    StepUnchanged {
        organisation: String,
        #[serde(default)]
        step: String,
    },
    StepFailed {
        organisation: String,
        #[serde(default)]
        step: String,
        failure: Failure,
    },
    HostEnded {
        host: HostName,
        #[serde(flatten)]
        outcome: Outcome,
    },
    StageEnded {
        stage: String,
    },
    /// Nothing new starts from here on.
    Halted {
        reason: String,
    },
    RunEnded {
        exit: u8,
        name: String,
    },
}

/// The only verb that the first version had.
fn first_verb() -> String {
    "Set-IRMConfiguration".to_owned()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What a host is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Survey,
    Registry,
    /// Looking at the other members of its failure domains.
    Peers,
    /// Being taken out of service.
    Drain,
    Restart,
    /// After the proof: what started by itself before starts again.
    Settle,
    /// The gates behind its restart.
    Gates,
    /// Being brought back as found.
    Back,
    Step,
}

/// An event could not be recorded; no new act may begin.
#[derive(Debug, thiserror::Error)]
#[error("the event could not be recorded")]
pub struct SinkError(#[from] pub std::io::Error);

/// Where events go. It returns only when the event is as safe as the sink can make it.
pub trait Sink: Send {
    fn emit(&mut self, event: Event) -> Result<(), SinkError>;
}
