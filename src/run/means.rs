//! What every piece of work on a host is given.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::watch;

use crate::event::Event;
use crate::event::SinkError;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::link::Target;
use crate::host::registry::WriteError;
use crate::host::restart::Pace;
use crate::model::host::HostName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::run::action::Stop;
use crate::run::identity;
use crate::run::recorder::Recorder;

/// The plan, the edge, and the way to tell what happens.
pub struct Means<'a, C, K> {
    pub plan: &'a Plan,
    pub run: &'a str,
    pub connect: &'a C,
    pub clock: &'a K,
    pub recorder: &'a Recorder<'a>,
    pub pace: Pace,
    pub stop: watch::Receiver<Stop>,
    /// Hosts that accepted their account, not yet told to the scheduler.
    pub logged_on: Mutex<BTreeSet<HostName>>,
    /// Hosts with a write announced that may not have ended.
    pub touched: Mutex<BTreeSet<HostName>>,
}

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

impl<C: Connect, K> Means<'_, C, K> {
    pub fn emit(&self, event: Event) -> Result<(), SinkError> {
        self.recorder.emit(event)
    }

    pub fn stopped(&self) -> Stop {
        *self.stop.borrow()
    }

    /// Logs on and makes sure that the host is the one of the plan.
    pub async fn connect(&self, host: &PlannedHost) -> Result<C::Link, Trouble> {
        let mut link = self.connect.connect(&target(host)).await?;
        lock(&self.logged_on).insert(host.name.clone());
        identity::check(&mut link, host).await?;
        Ok(link)
    }

    /// From here on the host is in doubt if nobody hears of it again.
    pub fn touch(&self, host: &HostName) {
        lock(&self.touched).insert(host.clone());
    }

    pub fn release(&self, host: &HostName) {
        lock(&self.touched).remove(host);
    }

    pub fn is_touched(&self, host: &HostName) -> bool {
        lock(&self.touched).contains(host)
    }
}

/// How to reach a planned host.
pub fn target(host: &PlannedHost) -> Target {
    Target {
        host: host.name.clone(),
        endpoint: host.endpoint.clone(),
        credential: host.credential.clone(),
        user: host.user.clone(),
        connect_timeout: Duration::from_secs(host.connect_timeout.into()),
        operation_timeout: Duration::from_secs(host.operation_timeout.into()),
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
