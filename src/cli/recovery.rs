//! `recovery.md` in the run's folder: kept up to date while a run has something on its hands, since
//! nobody says good-bye before a power cut, and taken away once there is nothing to see to.

use std::io::ErrorKind;
use std::path::PathBuf;

use crate::cli::console::Console;
use crate::cli::stop::Stop;
use crate::event::Event;
use crate::event::Record;
use crate::journal::store::RunFolder;
use crate::model::plan::Plan;
use crate::model::visible::Visible;
use crate::report::recovery::Recovery;
use crate::report::style::Tint;

/// The file of a run.
pub struct Kept<'a> {
    plan: &'a Plan,
    run: String,
    path: PathBuf,
    recovery: Recovery,
    /// What the file holds; nothing where there is none.
    text: Option<String>,
    /// Whether this process has written it, or seen that none is there.
    is_known: bool,
}

impl<'a> Kept<'a> {
    /// `records` are those of earlier processes.
    pub fn new(plan: &'a Plan, folder: &RunFolder, records: &[Record]) -> Self {
        Self {
            plan,
            run: folder.id.clone(),
            path: folder.path.join("recovery.md"),
            recovery: Recovery::of(records),
            text: None,
            is_known: false,
        }
    }

    /// Takes an event in, and writes the file if it says something new.
    pub fn take(&mut self, event: &Event) {
        // They change nothing here, and come often.
        let is_told_only = matches!(
            event,
            Event::RestartWaiting { .. }
                | Event::MaintenanceWaiting { .. }
                | Event::PeersSeen { .. }
                | Event::CapacitySeen { .. }
                | Event::GateSeen { .. }
                | Event::PhaseStarted { .. }
        );
        self.recovery.take(event);
        if !is_told_only {
            self.write();
        }
    }

    /// Brings the file up to date. A run does not stop for it: the journal has everything.
    fn write(&mut self) {
        let text = self.recovery.text(self.plan, &self.run);
        if self.is_known && self.text == text {
            return;
        }
        let done = match &text {
            Some(text) => {
                let beside = self.path.with_extension("part");
                std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &self.path))
            }
            None => match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                other => other,
            },
        };
        if let Err(error) = done {
            tracing::warn!("`{}` cannot be written: {error}", self.path.display());
        }
        (self.text, self.is_known) = (text, true);
    }
}

/// Tells of what a run has left; `whole` prints all of it, for a run that ends in the middle.
pub fn tell(
    plan: &Plan,
    folder: &RunFolder,
    whole: bool,
    console: &mut Console,
) -> Result<(), Stop> {
    let Ok(journal) = folder.read() else { return Ok(()) };
    let mut kept = Kept::new(plan, folder, &journal.records);
    kept.write();
    let Some(text) = &kept.text else { return Ok(()) };
    if whole {
        for line in text.lines() {
            // An empty line is one too, and `say` leaves those out.
            let line = if line.is_empty() { " " } else { line };
            console.say(&Visible(line).to_string())?;
        }
    }
    let verb = console.style().paint(Tint::Change, &format!("{:>12}", "Recovery"));
    console.say(&format!("{verb}  what is left, host by host: {}", kept.path.display()))
}
