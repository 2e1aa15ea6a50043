//! Shells of programs that are not known to be deleted, whatever ended the call that opened them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::host::link::Target;

/// Clones share what is left.
#[derive(Debug, Clone, Default)]
pub struct LeftShells(Arc<Mutex<BTreeMap<String, Target>>>);

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

    /// By id, with the host that each stands on.
    pub fn list(&self) -> Vec<(String, Target)> {
        self.lock().iter().map(|(id, target)| (id.clone(), target.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Target>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OwnShells {
    pub fn add(&self, id: &str) {
        self.all.lock().insert(id.to_owned(), self.target.clone());
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
    use crate::model::host::HostName;
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
