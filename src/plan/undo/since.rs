//! What later runs have done to what a run wrote: so that an undo does not take back what is theirs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::host::HostName;
use crate::model::registry::ValuePath;

/// Only what was taken back already stands here. What a later run wrote over it is told apart by
/// what the host holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Since {
    pub values: BTreeMap<(HostName, ValuePath), Again>,
    /// What steps set, by [`crate::plan::compare::object`].
    pub objects: BTreeMap<String, Again>,
}

/// Something that was taken back already.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Again {
    pub undone_by: String,
    /// The last run that wrote it since, if one of ours did.
    pub written_by: Option<String>,
}

impl Since {
    /// The runs that have taken the run back, or parts of it.
    pub fn undone_by(&self) -> BTreeSet<&str> {
        let all = self.values.values().chain(self.objects.values());
        all.map(|again| again.undone_by.as_str()).collect()
    }
}

impl Again {
    /// That somebody has set since what a run took back, in words.
    pub(super) fn set_by_hand(&self) -> String {
        format!(
            "run {} has taken it back already, and somebody has set it since: it stays; find out \
             who, and set it by hand if it is to go back",
            self.undone_by
        )
    }

    /// What a run has set since, in words; `None` if none has.
    pub(super) fn overwritten(&self) -> Option<String> {
        let by = self.written_by.as_ref()?;
        Some(format!(
            "run {} has taken it back already, and run {by} has set it since: it stays; to take \
             that back: rmsfleet undo {by}",
            self.undone_by
        ))
    }
}
