//! `pause`, `promote` and `abort RUN`: words to a run from another terminal.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::console::Console;
use crate::cli::request::By;
use crate::cli::runs;
use crate::cli::show;
use crate::cli::status;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::host::link::Clock;
use crate::journal::control;
use crate::journal::control::Word;
use crate::journal::summary::summarise;
use crate::net::clock::SystemClock;
use crate::report::standing::Pulse;
use crate::report::standing::Standing;

/// Leaves the word; the process that works on the run takes it within a second.
pub fn tell(
    state: &Path,
    run: &str,
    word: Word,
    by: &By,
    console: &mut Console,
) -> Result<Exit, Stop> {
    let folder = runs::find(state, run)?;
    let journal = folder.read().map_err(|error| runs::unread(&folder, &error))?;
    let summary = summarise(&journal.records);
    if let Some((exit, name)) = &summary.exit {
        let text = format!("run {} has ended: exit {exit} ({name})", folder.id);
        return Err(
            Stop::new(Exit::Refused, text).hint(format!("rmsfleet runs show {}", folder.id))
        );
    }
    let plan = show::open(&folder.plan())?.plan;
    // A word that nobody takes would be told as one that was heard.
    if status::pulse(state, &folder.id, &plan, by, SystemClock.now())? == Pulse::Gone {
        let text = format!("the process of run {} is gone: nothing goes on by itself", folder.id);
        return Err(Stop::new(Exit::Refused, text).hint(format!(
            "rmsfleet resume {0}, or leave it as it is: rmsfleet status {0}",
            folder.id
        )));
    }
    let standing = Standing::of(&plan, &journal.records, BTreeMap::new());
    let waits = standing.approval(&plan).is_some() || standing.awaited.is_some();
    if word == Word::Promote && !waits {
        let text = format!("nothing in run {} waits for a person now", folder.id);
        return Err(Stop::new(Exit::Refused, text)
            .hint(format!("rmsfleet status {} shows what it does", folder.id)));
    }
    control::leave(&folder.path, word, &by.operator).map_err(|error| {
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
