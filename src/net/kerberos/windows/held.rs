//! The credentials of one login, one for each package; tickets are kept behind them by Windows.

use std::sync::Arc;
use std::sync::OnceLock;

use crate::net::accounts::Who;
use crate::net::kerberos::mechanism::LibraryError;
use crate::net::kerberos::mechanism::Mechanism;
use crate::net::kerberos::mechanism::Trouble;
use crate::net::sspi::Context;
use crate::net::sspi::Credential;
use crate::net::sspi::Identity;

/// One login, as the packages want to be given it.
///
/// Each is asked for when it is first needed: a package may look at the password by itself, and a
/// wrong one shall be tried by one of them only.
#[derive(Debug)]
pub(in crate::net::kerberos) struct Held {
    who: Who,
    kerberos: Package,
    negotiate: Package,
    ntlm: Package,
}

/// A package may be missing or switched off, which matters only to who needs it.
type Package = OnceLock<Result<Arc<Credential>, LibraryError>>;

impl Held {
    /// The user's own logon, or a name and a password. No domain controller is asked yet.
    pub(in crate::net::kerberos) fn get(who: &Who) -> Result<Self, Trouble> {
        match who {
            Who::Ticket { .. } | Who::Password(_) => Ok(Self {
                who: who.clone(),
                kerberos: OnceLock::new(),
                negotiate: OnceLock::new(),
                ntlm: OnceLock::new(),
            }),
            Who::Certificate { name } => {
                Err(Trouble::Unsupported(format!("{name} is shown over TLS only")))
            }
            Who::Keytab { .. } => Err(Trouble::Unsupported(
                "Windows takes no keytab for a logon: use `current-user` or a password".to_owned(),
            )),
        }
    }

    pub(in crate::net::kerberos) fn context(
        &self,
        mechanism: Mechanism,
        class: &str,
        host: &str,
    ) -> Result<Context, LibraryError> {
        let (package, name) = match mechanism {
            Mechanism::Kerberos => (&self.kerberos, "Kerberos"),
            // Windows chooses Kerberos inside: it has just got a ticket for the service.
            Mechanism::Spnego | Mechanism::Negotiate => (&self.negotiate, "Negotiate"),
            Mechanism::Ntlm => (&self.ntlm, "NTLM"),
        };
        let credential =
            package.get_or_init(|| Credential::new(name, identity(&self.who)).map(Arc::new));
        Ok(Context::new(credential.clone()?, mechanism, class, host))
    }

    /// Windows renews what it keeps.
    #[expect(clippy::unused_self, reason = "GSSAPI's tickets run out here")]
    pub(in crate::net::kerberos) fn good(&self) -> bool {
        true
    }
}

/// `None` is the current user.
fn identity(who: &Who) -> Option<Identity<'_>> {
    match who {
        Who::Password(account) => {
            let (domain, user) = split(&account.user);
            Some(Identity { user, domain, password: account.password.expose() })
        }
        Who::Ticket { .. } | Who::Keytab { .. } | Who::Certificate { .. } => None,
    }
}

/// Domain and name; `user@domain` is one name, which Windows looks up itself.
fn split(user: &str) -> (&str, &str) {
    user.split_once('\\').unwrap_or(("", user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_stands_before_the_name_or_in_it() {
        assert_eq!(split(r"CORP\anna"), ("CORP", "anna"));
        assert_eq!(split("anna@corp.example"), ("", "anna@corp.example"));
        assert_eq!(split("anna"), ("", "anna"));
    }
}
