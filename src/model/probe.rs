//! The questions for one host.

use std::collections::BTreeSet;

use crate::model::registry::KeyPath;
use crate::model::registry::ValuePath;

/// Where a product's rights clients keep what they have fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cache {
    /// A folder with the files.
    Folder(String),
    /// A folder with one folder of files for each account.
    ByAccount(String),
}

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
    /// Services by their short names, all in one question.
    pub services: BTreeSet<String>,
    /// Keys of which the names of subkeys are read.
    pub subkeys: BTreeSet<KeyPath>,
    /// Files whose versions are read where the installation's folder stands in a value: folder,
    /// file below it.
    pub files: BTreeSet<(ValuePath, String)>,
    /// Whether the file that carries the RMS client 1 is asked for its version, where Windows is
    /// too old to have it by nature.
    pub rights_client: bool,
    /// A key below which each member of a cluster has a key with its `NodeName`.
    pub members: Option<KeyPath>,
    /// Where files of the rights clients are counted.
    pub cache: Option<Cache>,
    /// Keys that no Group Policy should write below.
    pub policies: BTreeSet<KeyPath>,
    /// Whether Configuration Manager's client is asked for a pending restart, if there is one.
    pub client_restart: bool,
    /// Keys whose access lists are read.
    pub access_lists: BTreeSet<KeyPath>,
    /// An address that the host itself is asked to request.
    pub request: Option<String>,
    /// Lists of revoked certificates that the host is asked to fetch, or why they are not known.
    pub revocation: Option<Result<Vec<String>, String>>,
    /// Whether the SharePoint farm's IRM settings are asked.
    pub farm: bool,
    /// Whether classification rules and file management jobs are read.
    pub file_objects: bool,
    /// Whether the connector's event log is read.
    pub events: bool,
}
