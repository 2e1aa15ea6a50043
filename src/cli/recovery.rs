//! `recovery.md` in the run's folder: kept up to date while a run has something on its hands, since
//! nobody says good-bye before a power cut, and taken away once there is nothing to see to.

use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;

use crate::cli::again;
use crate::cli::beside;
use crate::cli::console::Console;
use crate::cli::stop::Stop;
use crate::event::Event;
use crate::event::Record;
use crate::journal::store::RunFolder;
use crate::model::plan::Plan;
use crate::model::visible::Visible;
use crate::report::commands::in_folder;
use crate::report::recovery::Recovery;
use crate::report::style::Tint;

/// The file of a run.
pub struct Kept<'a> {
    plan: &'a Plan,
    run: String,
    path: PathBuf,
    /// What its commands are told with; absolute, for whoever reads it stands elsewhere.
    run_dir: Option<String>,
    recovery: Recovery,
    /// What the file holds; nothing where there is none.
    text: Option<String>,
    /// Whether this process has written it, or seen that none is there.
    is_known: bool,
}

impl<'a> Kept<'a> {
    /// `records` are those of earlier processes; `run_dir` is where runs are found, if that was typed.
    pub fn new(
        plan: &'a Plan,
        folder: &RunFolder,
        records: &[Record],
        run_dir: Option<&Path>,
    ) -> Self {
        let run_dir = run_dir.map(|typed| {
            again::run_dir(&std::path::absolute(typed).unwrap_or_else(|_| typed.to_owned()))
        });
        Self {
            plan,
            run: folder.id.clone(),
            path: folder.path.join("recovery.md"),
            run_dir,
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
        let text = text.map(|text| in_folder(&text, self.run_dir.as_deref()));
        if self.is_known && self.text == text {
            return;
        }
        let done = match &text {
            Some(text) => beside::write(&self.path, text.as_bytes()),
            None => match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                other => other,
            },
        };
        self.is_known = done.is_ok();
        if let Err(error) = done {
            tracing::warn!("`{}` cannot be written: {error}", self.path.display());
        }
        self.text = text;
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
    let run_dir = console.output.run_dir.as_deref();
    let mut kept = Kept::new(plan, folder, &journal.records, run_dir);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Phase;
    use crate::model::host::HostName;
    use crate::plan::sample;

    #[test]
    fn its_commands_find_the_run_where_it_is() {
        let (plan, at) = (sample::plan(), tempfile::tempdir().unwrap());
        let folder = RunFolder { id: "r1".to_owned(), path: at.path().to_owned() };
        let began = || Event::HostStarted { host: HostName::new("FS1"), phase: Phase::Registry };
        let text = |run_dir: Option<&Path>| {
            let mut kept = Kept::new(&plan, &folder, &[], run_dir);
            kept.take(&began());
            std::fs::read_to_string(at.path().join("recovery.md")).unwrap()
        };
        assert!(text(None).contains("\n    rmsfleet resume r1\n"));
        let elsewhere = text(Some(at.path()));
        let expected = format!("resume --run-dir {} r1\n", at.path().display());
        assert!(elsewhere.contains(&expected), "{elsewhere}");
        assert!(!elsewhere.contains("resume r1"), "{elsewhere}");
    }

    #[test]
    fn what_could_not_be_written_is_written_later() {
        let (plan, at) = (sample::plan(), tempfile::tempdir().unwrap());
        let folder = RunFolder { id: "r1".to_owned(), path: at.path().join("not there yet") };
        let began =
            |name: &str| Event::HostStarted { host: HostName::new(name), phase: Phase::Registry };
        let mut kept = Kept::new(&plan, &folder, &[], None);
        kept.take(&began("FS1"));
        std::fs::create_dir(&folder.path).unwrap();
        kept.take(&began("FS1"));
        assert!(folder.path.join("recovery.md").exists());
    }
}
