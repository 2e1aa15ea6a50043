//! `recovery.md` in the run's folder: written when a run leaves something, and taken away by the
//! resume that sees to it.

use std::path::PathBuf;

use crate::cli::console::Console;
use crate::cli::stop::Stop;
use crate::journal::store::RunFolder;
use crate::model::plan::Plan;
use crate::model::visible::Visible;
use crate::report::recovery::render;
use crate::report::style::Tint;

/// Writes what the journal says is left, or removes an older file if nothing is. Gives the file.
pub fn write(plan: &Plan, folder: &RunFolder) -> Option<(PathBuf, String)> {
    let path = folder.path.join("recovery.md");
    let text = render(plan, &folder.id, &folder.read().ok()?.records);
    match text {
        None => {
            // It may never have been there.
            drop(std::fs::remove_file(&path));
            None
        }
        Some(text) => {
            if let Err(error) = std::fs::write(&path, &text) {
                tracing::warn!("`{}` cannot be written: {error}", path.display());
            }
            Some((path, text))
        }
    }
}

/// Tells of what a run has left; `whole` prints all of it, for a run that ends in the middle.
pub fn tell(
    plan: &Plan,
    folder: &RunFolder,
    whole: bool,
    console: &mut Console,
) -> Result<(), Stop> {
    let Some((path, text)) = write(plan, folder) else { return Ok(()) };
    if whole {
        for line in text.lines() {
            // An empty line is one too, and `say` leaves those out.
            let line = if line.is_empty() { " " } else { line };
            console.say(&Visible(line).to_string())?;
        }
    }
    let verb = console.style().paint(Tint::Change, &format!("{:>12}", "Recovery"));
    console.say(&format!("{verb}  what is left, host by host: {}", path.display()))
}
