//! What ends the work on one host before its time.

use crate::event::SinkError;
use crate::host::link::HostError;
use crate::host::registry::WriteError;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;

/// What ends the work on one host before its time.
#[derive(Debug)]
pub enum Trouble {
    /// No event can be recorded: the whole run ends.
    Sink(SinkError),
    Host(HostError),
    /// Already in words.
    Failure(Failure),
}

impl From<SinkError> for Trouble {
    fn from(error: SinkError) -> Self {
        Self::Sink(error)
    }
}

impl From<HostError> for Trouble {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<WriteError> for Trouble {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Link(error) => Self::Host(error),
            WriteError::Drifted { .. } => Failure {
                kind: FailureKind::WriteRefused,
                chain: vec!["a write was accepted and not kept".to_owned(), error.to_string()],
                hint: Some("look for a policy or an agent that writes this value".to_owned()),
            }
            .into(),
            WriteError::Unread { .. } => {
                let mut failure = Failure::new(FailureKind::Fault, error.to_string());
                failure.chain.insert(0, "a write was accepted, and cannot be read back".to_owned());
                failure.into()
            }
            WriteError::Refused { .. } => {
                Failure::new(FailureKind::WriteRefused, error.to_string()).into()
            }
        }
    }
}

impl Trouble {
    /// The failure of the host, or the error that ends the run.
    pub fn failure(self) -> Result<Failure, SinkError> {
        match self {
            Self::Sink(error) => Err(error),
            Self::Host(error) => Ok(error.failure()),
            Self::Failure(failure) => Ok(failure),
        }
    }

    /// Whether the connection is gone with it.
    pub fn lost_connection(&self) -> bool {
        match self {
            Self::Host(HostError::NotConnected { .. } | HostError::Lost { .. }) => true,
            Self::Host(
                HostError::Denied { .. }
                | HostError::TicketRefused { .. }
                | HostError::Guarded { .. }
                | HostError::Fault(_)
                | HostError::Unexpected { .. }
                | HostError::Cmdlet { .. }
                | HostError::Unsupported(_),
            )
            | Self::Sink(_)
            | Self::Failure(_) => false,
        }
    }
}
