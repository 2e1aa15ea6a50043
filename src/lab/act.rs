//! What is done to a host, told in the moment in which it is done.

use std::fmt;
use std::sync::Arc;

use crate::model::registry::KeyPath;
use crate::model::registry::ValuePath;

/// One thing that a client did; what was refused is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Set(ValuePath),
    DeleteValue(ValuePath),
    /// The key's access list was replaced.
    SetAccess(KeyPath),
    CreateKey(KeyPath),
    DeleteKey(KeyPath),
    /// An order to restart was taken.
    Restart,
    /// A cmdlet was called, whether it reads or writes and whatever it answered.
    Cmdlet(String),
    /// An object of this class and name was made.
    Made(String, String),
    /// It was removed.
    Removed(String, String),
}

/// Whoever is told of a host's acts; nobody by default.
#[derive(Clone, Default)]
pub struct Witness(Option<Arc<Told>>);

type Told = dyn Fn(&Act) + Send + Sync;

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
    }
}

impl Witness {
    pub fn new(told: impl Fn(&Act) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    pub fn tell(&self, act: &Act) {
        if let Some(told) = &self.0 {
            told(act);
        }
    }
}
