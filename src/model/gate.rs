//! Gates: what must be true before a run goes on. A gate is checked, never assumed.

use serde::Deserialize;
use serde::Serialize;

use crate::model::program::RunOn;

/// One of the playbook's `gates`. All times in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Gate {
    /// Asked from the host itself; any HTTP status counts as an answer.
    Http { url: String, within: u32 },
    /// Evidence in the connector nodes' event log about each host.
    EventLog { need: Vec<u32>, forbid: Vec<u32>, within: u32 },
    /// The Exchange server's own view of itself.
    Exchange { checks: Vec<ExchangeCheck>, within: u32 },
    /// Services that must run, by their short names.
    Service { names: Vec<String>, within: u32 },
    /// RMS templates that a file server must see; any one, if none is named.
    RmsTemplates { expect: Vec<String>, within: u32 },
    /// A port of the host that must accept a connection from the controller.
    Tcp { port: u16, within: u32 },
    /// The other gates of the same list stay green for so long, looked at again and again.
    Soak { duration: u32, recheck_every: u32 },
    /// A person says go. When the time is over the run stays paused; it never goes on by itself.
    Approval { prompt: String, role: Option<String>, timeout: u32 },
    /// A program: JSON on its standard input, JSON on its output.
    Command {
        argv: Vec<String>,
        timeout: u32,
        #[serde(default, skip_serializing_if = "RunOn::is_controller")]
        run_on: RunOn,
    },
}

impl Gate {
    /// The program of a gate that runs one, and where.
    pub fn command(&self) -> Option<(&[String], &RunOn)> {
        match self {
            Self::Command { argv, run_on, timeout: _ } => Some((argv, run_on)),
            Self::Http { .. }
            | Self::EventLog { .. }
            | Self::Exchange { .. }
            | Self::Service { .. }
            | Self::RmsTemplates { .. }
            | Self::Tcp { .. }
            | Self::Soak { .. }
            | Self::Approval { .. } => None,
        }
    }

    /// How long it is looked at, at most.
    pub fn seconds(&self) -> u32 {
        match self {
            Self::Http { within, .. }
            | Self::EventLog { within, .. }
            | Self::Exchange { within, .. }
            | Self::Service { within, .. }
            | Self::RmsTemplates { within, .. }
            | Self::Tcp { within, .. } => *within,
            Self::Soak { duration, .. } => *duration,
            Self::Command { timeout, .. } | Self::Approval { timeout, .. } => *timeout,
        }
    }

    /// Whether it can be green only while the host is in service.
    pub fn needs_service(&self) -> bool {
        match self {
            Self::Exchange { checks, .. } => checks.iter().any(|check| match check {
                ExchangeCheck::NotInMaintenance | ExchangeCheck::ComponentStatesAsFound => true,
                ExchangeCheck::ServicesRunning
                | ExchangeCheck::CopiesHealthy
                | ExchangeCheck::QueuesBelow(_)
                | ExchangeCheck::TestIrmConfiguration { .. } => false,
            }),
            Self::Http { .. }
            | Self::EventLog { .. }
            | Self::Service { .. }
            | Self::Tcp { .. }
            | Self::RmsTemplates { .. }
            | Self::Soak { .. }
            | Self::Approval { .. }
            | Self::Command { .. } => false,
        }
    }
}

/// One question of an `exchange` gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExchangeCheck {
    /// `Test-ServiceHealth` finds every required service running.
    ServicesRunning,
    /// Every component is as it was before the run took the server out of service; on a server
    /// that it did not take out, none is held down in the name that such work is done in.
    ComponentStatesAsFound,
    /// Every database copy is Mounted or Healthy.
    CopiesHealthy,
    /// `ServerWideOffline` is Active.
    NotInMaintenance,
    /// Every queue holds fewer messages.
    QueuesBelow(u32),
    /// `Test-IRMConfiguration -Sender` passes.
    TestIrmConfiguration { sender: String },
}

/// Which gates a stage has, by their names in the plan's conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageGates {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// After each batch but the last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub between: Vec<String>,
    /// After the stage's restarts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

impl StageGates {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
