//! A run whose journal is gone, told from one that never began: a run leaves more than its journal.

use std::io;
use std::path::Path;

use crate::event::Event;
use crate::journal::reader;
use crate::journal::reader::ReadError;
use crate::journal::store::RunFolder;

/// What a run writes beside its journal, and not before its first line.
const LATER: [&str; 4] = ["report.html", "report.md", "report.xml", "recovery.md"];

/// Whether a journal has nothing that could be read, because it is not there or has no line.
pub(super) fn is_nothing(error: &ReadError) -> bool {
    match error {
        ReadError::Empty => true,
        ReadError::File { source, .. } => source.kind() == io::ErrorKind::NotFound,
        ReadError::Lost { .. }
        | ReadError::Start { .. }
        | ReadError::Newer { .. }
        | ReadError::Damaged { .. }
        | ReadError::Gap { .. } => false,
    }
}

/// What proves that a run without a journal had begun; `None` for a folder with nothing but a plan.
pub(super) fn proof(run: &RunFolder) -> Option<String> {
    let later = LATER.into_iter().find(|name| run.path.join(name).exists());
    later.map(|name| format!("`{name}` in its folder")).or_else(|| undoing(run))
}

/// The run that takes this one back, by its own journal.
fn undoing(run: &RunFolder) -> Option<String> {
    let siblings = std::fs::read_dir(run.path.parent()?).ok()?;
    let mut found: Vec<String> = siblings
        .flatten()
        .filter(|sibling| takes_back(&sibling.path(), &run.id))
        .map(|sibling| sibling.file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    found.first().map(|undo| format!("run {undo}, which takes it back,"))
}

fn takes_back(folder: &Path, run: &str) -> bool {
    let undo = RunFolder { id: String::new(), path: folder.to_owned() };
    let start = reader::read_start(&undo.journal());
    start.is_ok_and(|start| {
        matches!(start.event, Event::RunStarted { undoes: Some(undone), .. } if undone == run)
    })
}
