//! What a run needs of the machine that it runs on.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::host::link::ProgramResult;
use crate::model::plan::PlannedHost;

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

    /// Why a host may be the machine that the run is carried out from; `None` if it is another.
    fn is_own(&self, _host: &PlannedHost) -> Option<String> {
        None
    }

    /// Who said that the run may go on, if somebody did; asking takes the word.
    fn promoted(&self) -> Option<String>;
}
