//! Who may log on, and how often they were refused.

use std::collections::BTreeMap;

use crate::model::secret::Account;
use crate::model::secret::Secret;

/// The accounts of a farm's domain, as its domain controller would know them.
#[derive(Debug)]
pub struct Accounts {
    known: Vec<Known>,
    /// Refusals after which an account is locked; 0 never locks.
    lockout: u32,
    refused: BTreeMap<String, u32>,
}

#[derive(Debug)]
struct Known {
    account: Account,
    admin: bool,
}

/// An account that logged on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// As the farm spells it.
    pub account: String,
    /// Whether it is a local administrator of every host.
    pub admin: bool,
}

impl Accounts {
    /// A farm with one administrator.
    pub fn new(administrator: Account) -> Self {
        let known = vec![Known { account: administrator, admin: true }];
        Self { known, lockout: 0, refused: BTreeMap::new() }
    }

    /// An account that logs on and is allowed nothing: every request is refused with code 5.
    #[must_use]
    pub fn with_user(mut self, account: Account) -> Self {
        self.known.push(Known { account, admin: false });
        self
    }

    #[must_use]
    pub fn with_lockout(mut self, refusals: u32) -> Self {
        self.lockout = refusals;
        self
    }

    /// The account that a logon names, unless it is locked.
    pub fn find(&self, user: &str, domain: &str) -> Option<(Identity, Secret)> {
        let known = self.known.iter().find(|known| fits(&known.account.user, user, domain))?;
        let refused = self.refused.get(&known.account.key()).copied().unwrap_or(0);
        if self.lockout != 0 && refused >= self.lockout {
            return None;
        }
        let identity = Identity { account: known.account.user.clone(), admin: known.admin };
        Some((identity, known.account.password.clone()))
    }

    /// Remembers how a logon of a known account ended; a success clears its refusals.
    pub fn record(&mut self, identity: &Identity, accepted: bool) {
        let key = identity.account.to_lowercase();
        if accepted {
            self.refused.remove(&key);
        } else {
            *self.refused.entry(key).or_default() += 1;
        }
    }
}

/// User and domain in lower case, of `DOMAIN\user`, `user@domain` or `user`.
fn parts(name: &str) -> (String, String) {
    let name = name.to_lowercase();
    let backwards = |(user, domain)| (domain, user);
    let (domain, user) = name
        .split_once('\\')
        .or_else(|| name.split_once('@').map(backwards))
        .unwrap_or(("", &name));
    (user.to_owned(), domain.to_owned())
}

/// Domains compare by their first label, as NetBIOS and DNS names of one domain do here.
fn fits(known: &str, user: &str, domain: &str) -> bool {
    let (known_user, known_domain) = parts(known);
    let (user, own_domain) = parts(user);
    let domain = if domain.is_empty() { own_domain } else { domain.to_lowercase() };
    let label = |domain: &str| domain.split('.').next().unwrap_or_default().to_owned();
    known_user == user
        && (domain.is_empty() || known_domain.is_empty() || label(&known_domain) == label(&domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        let account =
            |user: &str| Account { user: user.to_owned(), password: Secret::new("p".to_owned()) };
        Accounts::new(account(r"CONTOSO\rms")).with_user(account("guest")).with_lockout(2)
    }

    #[track_caller]
    fn check(user: &str, domain: &str, expected: Option<bool>) {
        let found = accounts().find(user, domain).map(|(identity, _)| identity.admin);
        assert_eq!(found, expected, "{user} {domain}");
    }

    #[test]
    fn an_account_is_known_however_it_is_spelled() {
        check("RMS", "contoso", Some(true));
        check("rms", "contoso.com", Some(true));
        check("rms@contoso.com", "", Some(true));
        check("rms", "", Some(true));
        check("rms", "other", None);
        check("guest", "anything", Some(false));
        check("nobody", "", None);
    }

    #[test]
    fn refusals_lock_an_account_and_a_success_forgets_them() {
        let mut accounts = accounts();
        let (identity, _) = accounts.find("rms", "").unwrap();
        accounts.record(&identity, false);
        accounts.record(&identity, true);
        accounts.record(&identity, false);
        assert!(accounts.find("rms", "").is_some());
        accounts.record(&identity, false);
        assert!(accounts.find("rms", "").is_none());
    }
}
