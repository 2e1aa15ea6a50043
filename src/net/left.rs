//! Shells that are not known to be deleted, whatever ended the call that opened them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::host::link::Target;
use crate::model::host::HostName;

/// Clones share what is left.
#[derive(Debug, Clone, Default)]
pub struct LeftShells(Arc<Mutex<BTreeMap<String, Left>>>);

#[derive(Debug, Clone)]
struct Left {
    target: Target,
    /// Of which resource it is a shell.
    resource: String,
    /// A logon for it was refused: nobody tries again.
    given_up: bool,
}

/// The same for one host.
#[derive(Debug, Clone)]
pub struct OwnShells {
    target: Target,
    all: LeftShells,
}

impl LeftShells {
    pub fn of(&self, target: &Target) -> OwnShells {
        OwnShells { target: target.clone(), all: self.clone() }
    }

    /// By id, with resource and host of each: those that may be tried.
    pub fn list(&self) -> Vec<(String, String, Target)> {
        let left = self.lock();
        let tried = left.iter().filter(|(_, left)| !left.given_up);
        tried.map(|(id, left)| (id.clone(), left.resource.clone(), left.target.clone())).collect()
    }

    /// The hosts of those that nobody tries to delete any more; each is told once.
    pub fn take_given_up(&self) -> Vec<HostName> {
        let mut hosts = Vec::new();
        self.lock().retain(|_, left| {
            if left.given_up {
                hosts.push(left.target.host.clone());
            }
            !left.given_up
        });
        hosts
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Left>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OwnShells {
    pub fn add(&self, id: &str, resource: &str) {
        let (target, resource) = (self.target.clone(), resource.to_owned());
        let left = Left { target, resource, given_up: false };
        self.all.lock().insert(id.to_owned(), left);
    }

    pub fn give_up(&self, id: &str) {
        if let Some(left) = self.all.lock().get_mut(id) {
            left.given_up = true;
        }
    }

    pub fn remove(&self, id: &str) {
        self.all.lock().remove(id);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::host::Endpoint;
    use crate::model::host::Scheme;
    use crate::model::host::Spn;
    use crate::model::host::Transport;
    use crate::model::tls::TlsTrust;

    pub(in crate::net) fn target() -> Target {
        Target {
            host: HostName::new("FS01"),
            endpoint: Endpoint {
                scheme: Scheme::Http,
                address: "fs01.invalid".to_owned(),
                port: 5985,
                path: "/wsman".to_owned(),
                transport: Transport::Ntlm,
                tls: TlsTrust::default(),
                spn: Spn::default(),
                client: None,
            },
            credential: "default".to_owned(),
            user: Some("admin".to_owned()),
            connect_timeout: Duration::from_secs(1),
            operation_timeout: Duration::from_secs(1),
        }
    }
}
