//! What the scheduler asks for, and what it is told.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::error::Exit;
use crate::event::Event;
use crate::model::hook::Turn;
use crate::model::host::HostName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Outcome;
use crate::model::step::StepState;
use crate::run::order::Rank;

/// What the person at the keyboard decided before the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Organisations whose step was confirmed by name; names compare without ASCII case.
    pub confirmed: BTreeSet<String>,
    /// Hosts of the plan that the run leaves out.
    pub left_out: BTreeSet<HostName>,
    /// Told to the journal right after the run's start.
    pub preface: Vec<Event>,
    /// Everything but writes and restarts.
    pub rehearsal: bool,
}

impl Options {
    pub fn confirms(&self, organisation: &str) -> bool {
        self.confirmed.iter().any(|name| name.eq_ignore_ascii_case(organisation))
    }
}

/// How urgently the user wants the run to end (`features.md` 3.7). Each press is one more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    #[default]
    Go,
    /// Hosts in flight finish, none starts, and the run ends paused.
    Pause,
    /// Hosts in flight finish, none starts.
    Finish,
    /// Hosts in flight stop before their first write, or before the restart order.
    SafePoint,
    /// Exit now; what was in flight is in doubt.
    Now,
}

/// What to do next, in this order. Places count from 0 in the plan's lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    StageStarted {
        stage: usize,
    },
    BatchStarted {
        stage: usize,
        batch: usize,
        hosts: Vec<HostName>,
    },
    /// Compare, write and read back this host's values; answered by [`Happened::Configured`].
    Configure(HostName),
    /// Read what these hosts carry, for the order of their restarts; answered by
    /// [`Happened::Ranked`].
    Rank {
        stage: usize,
        hosts: Vec<HostName>,
    },
    /// Look at the other members of this host's failure domains, and wait for them within bounds;
    /// answered by [`Happened::Looked`].
    Look {
        host: HostName,
        /// Members that are down by this run.
        ours: Vec<HostName>,
    },
    /// Restart this host and prove it; answered by [`Happened::Restarted`].
    Restart(HostName),
    /// Carry out the organisation step of this stage; answered by [`Happened::StepEnded`].
    Step {
        stage: usize,
    },
    /// Look at the gates of this place; answered by [`Happened::GatesEnded`].
    Gates {
        stage: usize,
        place: GatePlace,
        /// The hosts that they are about.
        hosts: Vec<HostName>,
        /// An earlier process has seen them passed, and nothing that they judge is done anew: nobody
        /// waits for them or is asked again.
        again: bool,
    },
    /// Run the hooks around this stage, or around the run; answered by [`Happened::HooksEnded`].
    Hooks {
        stage: Option<usize>,
        turn: Turn,
    },
    StepUnchanged {
        stage: usize,
    },
    StepHeld {
        stage: usize,
        reason: String,
    },
    HostEnded {
        host: HostName,
        outcome: Outcome,
    },
    StageEnded {
        stage: usize,
    },
    /// Nothing new starts from here on.
    Halt {
        reason: String,
    },
    /// The last action.
    Finish(Exit),
}

/// What became of an action, or came from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// The host accepted its account. Told as soon as it is known.
    LoggedOn(HostName),
    Configured {
        host: HostName,
        result: Configured,
    },
    Ranked {
        stage: usize,
        ranks: BTreeMap<HostName, Rank>,
    },
    Looked {
        host: HostName,
        result: Looked,
    },
    Restarted {
        host: HostName,
        result: Restarted,
    },
    StepEnded {
        stage: usize,
        result: Result<StepDone, Failure>,
    },
    GatesEnded {
        stage: usize,
        place: GatePlace,
        result: Gated,
    },
    HooksEnded {
        stage: Option<usize>,
        turn: Turn,
        result: Hooked,
    },
    StopRequested(Stop),
}

/// How hooks around a stage or the run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hooked {
    Done,
    /// One did not do what it is there for, and why.
    Failed(String),
    /// The user ended the run meanwhile.
    Stopped,
}

/// Which of a stage's gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatePlace {
    Before,
    /// After the batch of this place, before the next.
    Between(usize),
    After,
}

/// How the gates of one place ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gated {
    /// All of them were seen green.
    Passed,
    /// One stayed red, and why.
    Failed(String),
    /// A person did not say go in time; nobody says go in his place.
    Awaiting(String),
    /// The user stopped the run first.
    Stopped,
}

/// How the registry work on a host ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Configured {
    /// Every value was read as planned, after so many were written.
    Verified(usize),
    Failed(Failure),
    /// The user stopped the run before the first write.
    Stopped,
    /// The user ended the run in the middle of the writes; nobody looked what they left.
    Abandoned(Failure),
}

/// What a look at a host's failure domains has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// It may go down.
    Clear,
    /// It may not, and the time to wait for it is over.
    Held(String),
    /// Another run is at work on it.
    Leased(String),
    /// The user stopped the run.
    Stopped,
}

/// How a restart ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restarted {
    Proved,
    /// It failed with nobody down because of us: no order was sent, or what follows the proof
    /// went wrong.
    Failed(Failure),
    /// The order may have reached the host and there is no proof, or what must hold after the
    /// proof does not: nobody else of its failure domains follows.
    NotProved(Failure),
    /// Not ordered, and nothing failed: the host stands as found, and the restart stays owed.
    Held(String),
    /// As held, because what is left of it does not fit into the host's window any more: it ends the
    /// run for now.
    Shut(String),
    /// The user stopped the run; nothing failed, and the restart stays owed.
    GivenUp(String),
}

/// An organisation step that ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepDone {
    /// Done, read again and as planned.
    Verified(StepState),
    /// What it wants held already when read before the act.
    Unchanged,
    /// The user stopped the run before the act.
    Stopped,
    /// Read and as the plan saw it; a rehearsal sets nothing.
    Rehearsed,
    /// Nobody said in time that it was done by hand.
    Awaited(String),
}

/// How an organisation step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    Unchanged,
    Verified(StepState),
    /// Not tried, and why; nothing was sent.
    Held(String),
    /// The organisation moved since the plan: nothing was set.
    Refused(Failure),
    Failed(Failure),
}

/// Where a failure leaves its host. No wildcard arm: a new kind must decide.
pub fn outcome_of(failure: Failure) -> Outcome {
    match failure.kind {
        FailureKind::Drifted | FailureKind::WrongHost | FailureKind::Leased => {
            Outcome::Refused(failure)
        }
        FailureKind::InDoubt => Outcome::InDoubt(failure),
        FailureKind::Unreachable => Outcome::Unreachable(failure),
        FailureKind::Denied
        | FailureKind::AccountGuarded
        | FailureKind::Fault
        | FailureKind::WriteRefused
        | FailureKind::NotBack
        | FailureKind::Hook
        | FailureKind::Maintenance
        | FailureKind::RestartNotBegun
        | FailureKind::Unsupported => Outcome::Failed(failure),
    }
}
