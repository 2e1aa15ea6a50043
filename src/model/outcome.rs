//! How a host ended, and why.

use serde::Deserialize;
use serde::Serialize;

/// What kind of failure ended a host's work. Exit codes and budgets are decided by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// No connection, no answer.
    Unreachable,
    /// The logon was refused.
    Denied,
    /// The account guard kept the account from being tried.
    AccountGuarded,
    /// The host answered with a fault or with bytes that make no sense.
    Fault,
    /// The host is not the one that the inventory names.
    WrongHost,
    /// A value is not what the plan saw: nothing was written.
    Drifted,
    /// Another run has a lease on the host: nothing was written.
    Leased,
    /// A write was refused by the host; what had been written was restored and read back.
    WriteRefused,
    /// The connection broke between a write and its read-back, or a restore was not read back.
    InDoubt,
    /// The restart was ordered and the host did not come back in time.
    NotBack,
    /// The host answers with its old boot time: the restart did not begin.
    RestartNotBegun,
    /// A program of the controller failed, or a gate stayed red after a restart.
    Hook,
    /// The host could not be taken out of service, or not be brought back as found.
    Maintenance,
    /// Something this version cannot do, said before anything was sealed.
    Unsupported,
}

/// One host's failure: data, not an `Err`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// What was expected and what came, outermost first, causes after.
    pub chain: Vec<String>,
    /// What to type or look at next.
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Self { kind, chain: vec![text.into()], hint: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `a: b: c`.
    pub fn text(&self) -> String {
        self.chain.join(": ")
    }
}

/// Where a host stands at the end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// Nothing had to be done, and that was read.
    Unchanged,
    /// Values written and read back; restarted and proved where the plan says so.
    Changed {
        values: usize,
        restarted: bool,
    },
    /// Values written and read back, and a restart is owed.
    RestartOwed {
        values: usize,
        reason: String,
    },
    /// The host moved since the plan: nothing was written. Outside the failure budget.
    Refused(Failure),
    /// What the host holds is not known; `resume` and `undo` settle it by reading.
    InDoubt(Failure),
    Failed(Failure),
    Unreachable(Failure),
    /// The run ended before this host's turn.
    NotStarted,
    /// The plan had blocked it.
    Blocked,
}

impl Outcome {
    /// Whether the host was read to hold every value that the plan wants. It may owe a restart.
    pub fn is_well(&self) -> bool {
        match self {
            Self::Unchanged | Self::Changed { .. } | Self::RestartOwed { .. } => true,
            Self::Refused(_)
            | Self::InDoubt(_)
            | Self::Failed(_)
            | Self::Unreachable(_)
            | Self::NotStarted
            | Self::Blocked => false,
        }
    }
}
