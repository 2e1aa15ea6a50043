//! Which account logs on to a host. Filled before the first connection, then only read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::host::link::Target;
use crate::model::secret::Account;

/// Accounts by credential name and by the user of the host that asks for it.
#[derive(Debug, Clone, Default)]
pub struct Accounts(BTreeMap<(String, Option<String>), Arc<Account>>);

impl Accounts {
    pub fn insert(
        &mut self,
        credential: impl Into<String>,
        user: Option<String>,
        account: Account,
    ) {
        self.0.insert((credential.into(), user), Arc::new(account));
    }

    /// The account for a target, looked up by its credential and user.
    pub fn find(&self, target: &Target) -> Option<Arc<Account>> {
        self.0.get(&(target.credential.clone(), target.user.clone())).map(Arc::clone)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
