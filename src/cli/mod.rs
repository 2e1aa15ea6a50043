//! The command line: argv, then what was typed, then what is wanted, then one file per command.

pub mod again;
pub mod apply;
pub mod args;
pub mod attend;
pub mod completions;
pub mod consent;
pub mod console;
pub mod credentials;
pub mod doctor;
pub mod entry;
pub mod explain;
pub mod files;
pub mod help;
pub mod init;
pub mod inventory;
pub mod lab;
pub mod lint;
pub mod load;
pub mod log;
pub mod passing;
pub mod plan;
pub mod prepare;
pub mod reopen;
pub mod request;
pub mod rules;
pub mod runs;
pub mod sealed;
pub mod show;
pub mod stats;
pub mod stop;
pub mod surroundings;
pub mod terminal;
mod usage;
pub mod wired;

pub use crate::cli::entry::run;
pub use crate::cli::entry::runtime;
