//! The recorded runs on real hosts, with their plans.

use std::io;
use std::path::Path;

use crate::cli::console::Console;
use crate::cli::runs;
use crate::cli::show;
use crate::cli::stop::Stop;
use crate::journal::reader::ReadError;
use crate::journal::store::Store;
use crate::run::written::LastWrites;

/// What a plan that does not open is to the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokenPlan {
    /// What the run left is the question.
    Stops,
    /// The question is another run, and the way back must not depend on it.
    IsSkipped,
}

/// Reads them all; a journal that cannot be read is said and left out.
pub fn recorded(
    state: &Path,
    broken: BrokenPlan,
    console: &mut Console,
) -> Result<LastWrites, Stop> {
    let folders = Store::new(state).list().map_err(|error| runs::stop(&error))?;
    let mut writes = LastWrites::default();
    for folder in folders {
        let journal = match folder.read() {
            Ok(journal) => journal,
            Err(ReadError::Empty) => continue,
            Err(ReadError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                continue;
            }
            Err(error) => {
                console.did("Skipped", &format!("run {}: {error}", folder.id))?;
                continue;
            }
        };
        let plan = match (show::open(&folder.plan()), broken) {
            (Ok(sealed), _) => sealed.plan,
            (Err(stop), BrokenPlan::Stops) => return Err(stop),
            (Err(stop), BrokenPlan::IsSkipped) => {
                console.did("Skipped", &format!("run {}: {stop}", folder.id))?;
                continue;
            }
        };
        if !plan.lab {
            writes.take(&folder.id, plan, &journal.records);
        }
    }
    Ok(writes)
}
