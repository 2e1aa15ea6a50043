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
    out: Option<Out>,
    lines: Lines,
    panel: Option<Panel>,
    /// JSON lines on standard output.
    stream: Option<Out>,
    /// JSON lines in a file.
    file: Option<Out>,
}

impl Screen {
    /// `hosts` are those that will end in this phase.
    pub fn human(look: Look, labels: &Labels, hosts: usize) -> Self {
        let lines = Lines::new(look.style, labels.clone(), look.verbosity.weight());
        let panel = match look.progress {
            Progress::Panel { columns, rows } if hosts > 0 => {
                Some(Panel::open(Board::new(look.style, labels.clone(), hosts), columns, rows))
            }
            Progress::Panel { .. } | Progress::Lines | Progress::None => None,
        };
        let out = (look.progress != Progress::None).then(Out::stdout);
        Self { out, lines, panel, stream: None, file: None }
    }

    /// Nothing for people.
    pub fn silent(look: Look) -> Self {
        let lines = Lines::new(look.style, Labels::default(), Weight::Problem);
        Self { out: None, lines, panel: None, stream: None, file: None }
    }

    #[must_use]
    pub fn streaming(mut self, stream: Option<Out>) -> Self {
        self.stream = stream;
        self
    }

    #[must_use]
    pub fn recording(mut self, file: Option<Out>) -> Self {
        self.file = file;
        self
    }

    /// Shows one record.
    pub fn show(&mut self, record: &Record) -> io::Result<()> {
        if self.stream.is_some() || self.file.is_some() {
            let line = json::event(record)?;
            for out in [&mut self.stream, &mut self.file].into_iter().flatten() {
                out.line(&line)?;
            }
        }
        if let Some(panel) = &mut self.panel {
            panel.absorb(record);
        }
        let Some(line) = self.lines.line(record) else { return Ok(()) };
        self.note(&line)?;
        if let Some(panel) = &self.panel {
            panel.draw(record.ts);
        }
        Ok(())
    }

    /// Says something to a person that is no event.
    pub fn note(&mut self, line: &str) -> io::Result<()> {
        match (&self.panel, &mut self.out) {
            (Some(panel), _) => panel.line(line),
            (None, Some(out)) => out.line(line),
            (None, None) => Ok(()),
        }
    }

    /// Redraws clocks; called a few times a second.
    pub fn tick(&mut self, now: Timestamp) {
        if let Some(panel) = &self.panel {
            panel.draw(now);
        }
    }

    /// Takes the panel away. The files stay with the caller for what comes after.
    pub fn close(mut self) -> (Option<Out>, Option<Out>) {
        if let Some(panel) = self.panel.take() {
            panel.close();
        }
        (self.stream.take(), self.file.take())
    }
}
