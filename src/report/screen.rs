//! Shows a stream of records the way that was asked for: panel, lines, JSON lines, or nothing.

use std::io;

use jiff::Timestamp;

use crate::event::Record;
use crate::report::board::Board;
use crate::report::human::Labels;
use crate::report::human::Lines;
use crate::report::json;
use crate::report::out::Out;
use crate::report::panel::Panel;
use crate::report::style::Style;
use crate::report::words::Weight;

/// What the output looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub style: Style,
    pub progress: Progress,
    pub verbosity: Verbosity,
    /// Of the terminal, or what is assumed without one.
    pub columns: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Panel { columns: usize, rows: usize },
    Lines,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

impl Verbosity {
    /// Events that weigh less are left out.
    pub fn weight(self) -> Weight {
        match self {
            Self::Quiet => Weight::Problem,
            Self::Normal => Weight::Normal,
            Self::Verbose => Weight::Detail,
        }
    }
}

/// One phase of work on show: a survey or a run.
pub struct Screen {
    /// Lines for people; none under a machine format.
    out: Option<Out>,
    lines: Lines,
    panel: Option<Panel>,
    /// JSON lines, on standard output or in a file.
    machine: Vec<Out>,
}

impl Screen {
    /// `hosts` is how many will end in this phase; `machine` gets every event as a JSON line.
    pub fn open(look: Look, labels: &Labels, hosts: usize, machine: Vec<Out>) -> Self {
        let lines = Lines::new(look.style, labels.clone(), look.verbosity.weight());
        let panel = match look.progress {
            Progress::Panel { columns, rows } if hosts > 0 => {
                Some(Panel::open(Board::new(look.style, labels.clone(), hosts), columns, rows))
            }
            Progress::Panel { .. } | Progress::Lines | Progress::None => None,
        };
        let out = (look.progress != Progress::None).then(Out::stdout);
        Self { out, lines, panel, machine }
    }

    /// With the flag that names the folder of runs in what is told.
    #[must_use]
    pub fn run_dir(self, flag: Option<String>) -> Self {
        Self { lines: self.lines.run_dir(flag), ..self }
    }

    /// Shows one record.
    pub fn show(&mut self, record: &Record) -> io::Result<()> {
        if !self.machine.is_empty() {
            let line = json::event(record)?;
            for out in &mut self.machine {
                out.line(&line)?;
            }
        }
        if let Some(panel) = &mut self.panel {
            panel.absorb(record);
        }
        let Some(line) = self.lines.line(record) else { return Ok(()) };
        self.note(&line)?;
        self.tick(record.ts);
        Ok(())
    }

    /// Says something to a person that is no event.
    pub fn note(&mut self, line: &str) -> io::Result<()> {
        match (&self.panel, &mut self.out) {
            (Some(panel), _) => {
                panel.line(line);
                Ok(())
            }
            (None, Some(out)) => out.line(line),
            (None, None) => Ok(()),
        }
    }

    /// Redraws clocks; called a few times a second.
    pub fn tick(&self, now: Timestamp) {
        if let Some(panel) = &self.panel {
            panel.draw(now);
        }
    }

    /// Takes the panel away and gives the JSON lines back for what comes after.
    pub fn close(&mut self) -> Vec<Out> {
        if let Some(panel) = self.panel.take() {
            panel.close();
        }
        std::mem::take(&mut self.machine)
    }
}
