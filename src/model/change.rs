//! One difference to be made.

use serde::Deserialize;
use serde::Serialize;

use crate::model::registry::State;
use crate::model::registry::ValuePath;

/// One difference: what was seen and what shall be. Its undo is the same change, ends swapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub path: ValuePath,
    pub before: State,
    pub after: State,
    /// Which rule of the rule pack asks for it.
    pub rule: String,
}

impl Change {
    #[must_use]
    pub fn swapped(&self) -> Self {
        Self {
            path: self.path.clone(),
            before: self.after.clone(),
            after: self.before.clone(),
            rule: self.rule.clone(),
        }
    }
}
