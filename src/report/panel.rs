//! The live panel on a terminal: a fixed block of rows under the lines that have scrolled away.

use indicatif::MultiProgress;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;
use jiff::Timestamp;

use crate::event::Record;
use crate::report::board::Board;

/// Draws a board; every row is one bar without a bar.
pub struct Panel {
    board: Board,
    columns: usize,
    bars: MultiProgress,
    rows: Vec<ProgressBar>,
}

impl Panel {
    /// Takes its rows at once and keeps them until `close`.
    pub fn open(board: Board, columns: usize, terminal_rows: usize) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let style =
            ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let rows = (0..board.height(terminal_rows))
            .map(|_| bars.add(ProgressBar::new(0).with_style(style.clone())))
            .collect();
        Self { board, columns, bars, rows }
    }

    pub fn absorb(&mut self, record: &Record) {
        self.board.absorb(record);
    }

    /// Draws the rows as they are now.
    pub fn draw(&self, now: Timestamp) {
        let texts = self.board.rows(now, self.columns.saturating_sub(1), self.rows.len());
        for (row, text) in self.rows.iter().zip(texts) {
            row.set_message(text);
            row.tick();
        }
    }

    /// A line above the panel.
    pub fn line(&self, text: &str) -> std::io::Result<()> {
        self.bars.println(text)
    }

    /// Takes the panel away; what scrolled above it stays.
    pub fn close(&self) {
        for row in &self.rows {
            row.finish_and_clear();
        }
        // The panel is decoration: a terminal that has gone away is nobody's failure.
        drop(self.bars.clear());
    }
}
