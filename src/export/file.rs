//! What an export consists of, and why one cannot be made.

use crate::model::registry::ValuePath;

/// One file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// With `/` between folders, below the folder that the user names.
    pub name: String,
    pub bytes: Vec<u8>,
    /// What it holds, for people.
    pub about: String,
}

/// What a format has no way to say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    #[error("{format} cannot hold {path}: its name has a control character")]
    Name { format: &'static str, path: ValuePath },
    #[error("{format} cannot hold the data of {path}: it has a control character")]
    Data { format: &'static str, path: ValuePath },
    #[error("{format} cannot take {path} away: plan the way forward and export that")]
    Absent { format: &'static str, path: ValuePath },
    #[error(
        "{format} cannot take {path} away, a foreign variant that `variants: converge` deletes: plan \
         with `variants: report` or `leave` and export that, and take it away by other means"
    )]
    Variant { format: &'static str, path: ValuePath },
    #[error("no host of the plan gets values: there is nothing to export")]
    Nothing,
}

/// Control characters break lines and literals, wherever they stand.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// Lines that end as Windows ends them.
pub(crate) fn crlf(text: &str) -> String {
    text.replace('\n', "\r\n")
}
