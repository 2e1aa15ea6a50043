//! Which account logs on to a host. Filled before the first connection, then only read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::host::link::Target;
use crate::model::secret::Account;
use crate::net::kerberos::Tickets;

/// How to log on as whom, and the tickets that were got for it. Clones share the tickets.
#[derive(Debug, Clone)]
pub struct Login {
    who: Who,
    pub(super) tickets: Arc<Tickets>,
}

/// Who logs on.
#[derive(Debug, Clone)]
pub enum Who {
    /// An account whose password is known: NTLM, or Kerberos with tickets got by the password.
    Password(Account),
    /// The Kerberos ticket of the person at the keyboard, by its principal: `anna@CORP.EXAMPLE`.
    Ticket { principal: String },
    /// The keys of a principal in a file, that Kerberos tickets are got with.
    Keytab { user: String, path: PathBuf },
    /// Whoever the host maps the client certificate of the endpoint to.
    Certificate { name: String },
}

impl Login {
    pub fn ticket(principal: String) -> Self {
        Self { who: Who::Ticket { principal }, tickets: Arc::default() }
    }

    pub fn keytab(user: String, path: PathBuf) -> Self {
        Self { who: Who::Keytab { user, path }, tickets: Arc::default() }
    }

    /// The certificate in this file, which TLS shows.
    pub fn certificate(path: &str) -> Self {
        let name = format!("the client certificate `{path}`");
        Self { who: Who::Certificate { name }, tickets: Arc::default() }
    }

    pub fn who(&self) -> &Who {
        &self.who
    }

    /// The account as it is spoken of.
    pub fn user(&self) -> &str {
        match &self.who {
            Who::Password(account) => &account.user,
            Who::Ticket { principal } => principal,
            Who::Keytab { user, .. } => user,
            Who::Certificate { name } => name,
        }
    }
}

impl From<Account> for Login {
    fn from(account: Account) -> Self {
        Self { who: Who::Password(account), tickets: Arc::default() }
    }
}

/// Logins by credential name and by the user of the host that asks for it.
#[derive(Debug, Clone, Default)]
pub struct Accounts(BTreeMap<(String, Option<String>), Arc<Login>>);

impl Accounts {
    pub fn insert(
        &mut self,
        credential: impl Into<String>,
        user: Option<String>,
        login: impl Into<Login>,
    ) {
        self.0.insert((credential.into(), user), Arc::new(login.into()));
    }

    /// The login for a target, looked up by its credential and user.
    pub fn find(&self, target: &Target) -> Option<Arc<Login>> {
        if !target.endpoint.needs_account() {
            let client = target.endpoint.client.as_ref()?;
            return Some(Arc::new(Login::certificate(&client.certificate)));
        }
        self.0.get(&(target.credential.clone(), target.user.clone())).map(Arc::clone)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
