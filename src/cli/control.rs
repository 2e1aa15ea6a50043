//! `pause`, `promote` and `abort RUN`: words to a run from another terminal.

use std::path::Path;

use crate::cli::console::Console;
use crate::cli::runs;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::journal::control;
use crate::journal::control::Word;
use crate::journal::summary::summarise;

/// Leaves the word; the process that works on the run takes it within a second.
pub fn tell(
    state: &Path,
    run: &str,
    word: Word,
    by: &str,
    console: &mut Console,
) -> Result<Exit, Stop> {
    let folder = runs::find(state, run)?;
    let journal = folder.read().map_err(|error| {
        Stop::because(Exit::Data, &error).while_doing(format!("run {}", folder.id))
    })?;
    let summary = summarise(&journal.records);
    if let Some((exit, name)) = &summary.exit {
        let text = format!("run {} has ended: exit {exit} ({name})", folder.id);
        return Err(
            Stop::new(Exit::Refused, text).hint(format!("rmsfleet runs show {}", folder.id))
        );
    }
    control::leave(&folder.path, word, by).map_err(|error| {
        Stop::because(Exit::Internal, &error).while_doing("the word cannot be left for the run")
    })?;
    let (verb, text) = match word {
        Word::Pause => ("Pausing", "hosts in flight finish, none starts; `resume` goes on"),
        Word::Promote => ("Promoted", "the gate that waits for a person opens"),
        Word::Abort => ("Aborting", "hosts in flight finish, none starts"),
    };
    console.did(verb, &format!("run {}: {text}", folder.id))?;
    Ok(Exit::Ok)
}
