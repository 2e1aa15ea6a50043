//! The command line: argv, then what was typed, then what is wanted, then one file per command.

pub mod args;
pub mod attend;
pub mod completions;
pub mod console;
pub mod credentials;
pub mod entry;
pub mod explain;
pub mod files;
pub mod help;
pub mod init;
pub mod inventory;
pub mod lint;
pub mod load;
pub mod log;
pub mod request;
pub mod rules;
pub mod runs;
pub mod stop;
pub mod surroundings;
pub mod terminal;

pub use crate::cli::entry::run;
