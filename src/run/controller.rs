//! What a run needs of the machine that it runs on.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::host::link::ProgramResult;

/// The controller's own programs, and the words of people at other terminals.
pub trait Controller: Sync {
    /// Runs a program and hands it a text; nothing is split, expanded or given to a shell. It is
    /// ended when its time is over, and the error says so.
    fn program<'a>(
        &'a self,
        argv: &'a [String],
        input: String,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<ProgramResult, String>>;

    /// Whether somebody said that the run may go on; asking takes the word.
    fn promoted(&self) -> bool;
}
