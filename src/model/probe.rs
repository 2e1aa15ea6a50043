//! The questions for one host.

use std::collections::BTreeSet;

use crate::model::registry::KeyPath;
use crate::model::registry::ValuePath;

/// What the survey must read on one host, besides its identity and operating system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    /// Single values, read by name (a lone default value is invisible to `EnumValues`).
    pub values: BTreeSet<ValuePath>,
    /// Keys of which every value is read.
    pub listings: BTreeSet<KeyPath>,
    /// Keys on which the rights to set values and create subkeys are asked.
    pub access: BTreeSet<KeyPath>,
    /// Whether the Exchange endpoint is asked for the organisation.
    pub organisation: bool,
}
