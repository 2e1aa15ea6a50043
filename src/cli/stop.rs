//! Why a command ended early: an exit code and words.

use std::error::Error;
use std::fmt;

use crate::cli::usage::UsageError;
use crate::error::Exit;

/// What stops a command. One host's failure is not one: that is an outcome.
#[derive(Debug)]
pub struct Stop {
    pub exit: Exit,
    /// What was expected and what came, outermost first.
    pub chain: Vec<String>,
    pub hint: Option<String>,
    /// Text to print before, as it is: complaints with lines and carets.
    pub report: Option<String>,
}

impl Stop {
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, chain: vec![text.into()], hint: None, report: None }
    }

    /// With an error and all its causes.
    pub fn because(exit: Exit, error: &dyn Error) -> Self {
        let mut chain = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(error) = cause {
            chain.push(error.to_string());
            cause = error.source();
        }
        Self { exit, chain, hint: None, report: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn report(mut self, report: impl Into<String>) -> Self {
        self.report = Some(report.into());
        self
    }

    /// With something to say before the cause: `the run folder: permission denied`.
    #[must_use]
    pub fn while_doing(mut self, what: impl Into<String>) -> Self {
        self.chain.insert(0, what.into());
        self
    }
}

/// What to do about a file that cannot be written.
pub fn about_folder(error: &(dyn Error + 'static)) -> &'static str {
    if is_full(error) {
        "make room there, then the same command again"
    } else {
        "choose another folder with --run-dir DIR"
    }
}

/// Whether a file system without room is behind an error.
pub fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let full = [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded];
        if error.downcast_ref::<std::io::Error>().is_some_and(|io| full.contains(&io.kind())) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain.join(": "))
    }
}

impl From<UsageError> for Stop {
    fn from(error: UsageError) -> Self {
        Self { exit: Exit::Usage, chain: vec![error.text], hint: error.hint, report: None }
    }
}

/// A value that has no JSON form.
impl From<serde_json::Error> for Stop {
    fn from(error: serde_json::Error) -> Self {
        Self::because(Exit::Internal, &error)
    }
}

/// Output that cannot be written: nothing the user asked for can be had.
impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::because(Exit::Internal, &error).while_doing("the output could not be written")
    }
}
