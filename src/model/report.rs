//! Reports that a playbook asks for.

use serde::Deserialize;
use serde::Serialize;

/// One entry of the playbook's `reports`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub format: ReportFormat,
    /// May name `change.id`, `run.id` and `run.kind` between double braces; seen from the folder in
    /// which the program runs.
    pub path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportFormat {
    Html,
    Markdown,
    /// One test case per host and check, for build servers.
    Junit,
    /// The journal.
    Jsonl,
}
