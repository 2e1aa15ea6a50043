//! Freeing what a conversation holds on a host: Signal and Delete of shells, programs' and PowerShell's.

use std::future::Future;

use crate::host::link::HostError;
use crate::model::outcome::FailureKind;
use crate::net::left::OwnShells;
use crate::wire::fault::CIM_NOT_FOUND;
use crate::wire::shell;
use crate::wire::shell::ShellRequest;

/// What became of a Signal or Delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tidied {
    Done,
    Not,
    /// The logon was refused.
    Refused,
}

/// A conversation with a host that has shells there.
pub(super) trait Tidy: Send {
    fn own_shells(&self) -> &OwnShells;

    /// Whether the connection is there and both sides agree about it.
    fn is_sound(&self) -> bool;

    /// A new connection, for what is safe to say again.
    fn renew(&mut self) -> impl Future<Output = Result<(), HostError>> + Send;

    /// Signal or Delete of a shell of a resource.
    fn say(
        &mut self,
        request: &ShellRequest,
        resource: &str,
    ) -> impl Future<Output = Result<(), HostError>> + Send;

    /// As `say`; that it fails changes nothing for whoever is through with the shell.
    fn tidy(
        &mut self,
        request: &ShellRequest,
        resource: &str,
    ) -> impl Future<Output = Tidied> + Send {
        async move {
            let tidied = match self.say(request, resource).await {
                Ok(()) => Tidied::Done,
                // A shell that is not there any more needs no deleting.
                Err(HostError::Fault(fault))
                    if fault.code.is_some_and(|code| shell::GONE.contains(&code))
                        || fault.cim_status == Some(CIM_NOT_FOUND) =>
                {
                    Tidied::Done
                }
                Err(error) => Tidied::after(&error),
            };
            if tidied != Tidied::Done {
                tracing::debug!(call = request.name(), "not carried out");
            }
            tidied
        }
    }

    /// Deletes a shell, over a new connection where the old one is gone; whether it is gone too.
    /// After a refused logon nobody logs on again for it.
    fn delete(&mut self, shell: &str, resource: &str) -> impl Future<Output = bool> + Send {
        // Rare, and large by the logon in it.
        Box::pin(async move {
            let request = ShellRequest::Delete { shell_id: shell.to_owned() };
            for _ in 0..2 {
                let renewed = if self.is_sound() { Ok(()) } else { self.renew().await };
                let (tidied, is_last) = match renewed {
                    Ok(()) => (self.tidy(&request, resource).await, self.is_sound()),
                    Err(error) => (Tidied::after(&error), true),
                };
                match tidied {
                    Tidied::Done => {
                        self.own_shells().remove(shell);
                        return true;
                    }
                    Tidied::Refused => {
                        self.own_shells().give_up(shell);
                        return false;
                    }
                    Tidied::Not if is_last => return false,
                    Tidied::Not => {}
                }
            }
            false
        })
    }
}

impl Tidied {
    fn after(error: &HostError) -> Self {
        match error.failure().kind {
            FailureKind::Denied | FailureKind::AccountGuarded => Self::Refused,
            _ => Self::Not,
        }
    }
}
