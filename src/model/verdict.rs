//! The restart verdict as an argument: the answer with its evidence.

use serde::Deserialize;
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartNeed {
    Required,
    NotRequired,
    /// Evidence could not be read; the inventory must answer (`rms_prior_adrms`).
    Unknown,
}

/// What one piece of evidence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    For,
    Against,
    Unknown,
    /// It was not read, and the rest decides without it.
    NotRead,
}

/// One piece of evidence as found; `row` is the row of `connector.md` 5.2 where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub row: Option<u8>,
    pub weight: Weight,
    pub text: String,
}

/// Decided from the state before the change, and kept with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub need: RestartNeed,
    /// `fci.always`, `exchange.if-adrms`, `restart-owed`, `no-change`, `inventory`.
    pub rule: String,
    pub evidence: Vec<Evidence>,
}
