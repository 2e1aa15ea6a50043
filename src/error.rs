//! What stops a command, and the exit codes (`README.md`, Exit codes).

use std::fmt;

/// How a command ends. The numbers are an interface: a change is a change in CHANGELOG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Success.
    Ok,
    /// A fault of the tool itself.
    Internal,
    /// With `--detailed-exitcode`: differences were found.
    Changes,
    /// The sealed plan drifted, expired, was used or was tampered with.
    Refused,
    /// The run completed, with failures within the budget.
    Partial,
    /// The failure budget, a gate, a hook or a journal that takes no more lines stopped the run.
    Aborted,
    /// Only unreachable hosts, nothing failed.
    Unreachable,
    /// Blockers or lint errors.
    Blocked,
    /// Waiting for a confirmation; resumable.
    Paused,
    /// The window is closed.
    Window,
    /// Another run holds the lock.
    Locked,
    /// What a run wrote could not all be taken back, or did not read back as it was.
    UndoIncomplete,
    /// Bad flags or arguments.
    Usage,
    /// An inventory, playbook, rule pack or plan file is invalid, or a file cannot be read or written.
    Data,
    /// A host pattern matched nothing.
    NoMatch,
    /// Credentials were rejected; the run stopped early to protect the account.
    Auth,
    /// Stopped by the user after a clean stop.
    Interrupted,
}

impl Exit {
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::Internal,
        Self::Changes,
        Self::Refused,
        Self::Partial,
        Self::Aborted,
        Self::Unreachable,
        Self::Blocked,
        Self::Paused,
        Self::Window,
        Self::Locked,
        Self::UndoIncomplete,
        Self::Usage,
        Self::Data,
        Self::NoMatch,
        Self::Auth,
        Self::Interrupted,
    ];

    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Internal => 1,
            Self::Changes => 2,
            Self::Refused => 3,
            Self::Partial => 4,
            Self::Aborted => 5,
            Self::Unreachable => 6,
            Self::Blocked => 7,
            Self::Paused => 8,
            Self::Window => 9,
            Self::Locked => 10,
            Self::UndoIncomplete => 11,
            Self::Usage => 64,
            Self::Data => 65,
            Self::NoMatch => 69,
            Self::Auth => 77,
            Self::Interrupted => 130,
        }
    }

    /// The exit of a code, as a journal has it; one that is none of ours is a fault of ours.
    pub fn from_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Internal)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Internal => "internal",
            Self::Changes => "changes",
            Self::Refused => "refused",
            Self::Partial => "partial",
            Self::Aborted => "aborted",
            Self::Unreachable => "unreachable",
            Self::Blocked => "blocked",
            Self::Paused => "paused",
            Self::Window => "window",
            Self::Locked => "locked",
            Self::UndoIncomplete => "undo-incomplete",
            Self::Usage => "usage",
            Self::Data => "data",
            Self::NoMatch => "no-match",
            Self::Auth => "auth",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {} ({})", self.code(), self.name())
    }
}
