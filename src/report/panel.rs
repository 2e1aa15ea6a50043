//! The live panel on a terminal: a fixed block of rows under the lines that have scrolled away.

use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;
use jiff::Timestamp;

use crate::event::Record;
use crate::report::board::Board;

/// Draws a board. All rows are one message of one bar, so that they are drawn together or not.
pub struct Panel {
    board: Board,
    columns: usize,
    rows: usize,
    bar: ProgressBar,
}

impl Panel {
    pub fn open(board: Board, columns: usize, terminal_rows: usize) -> Self {
        let style =
            ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let target = ProgressDrawTarget::stdout();
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        let rows = board.height(terminal_rows);
        Self { board, columns, rows, bar }
    }

    pub fn absorb(&mut self, record: &Record) {
        self.board.absorb(record);
    }

    /// Draws the rows as they are now; an empty row still takes its line.
    pub fn draw(&self, now: Timestamp) {
        let rows: Vec<String> = self
            .board
            .rows(now, self.columns.saturating_sub(1), self.rows)
            .into_iter()
            .map(|row| if row.is_empty() { " ".to_owned() } else { row })
            .collect();
        self.bar.set_message(rows.join("\n"));
        self.bar.tick();
    }

    /// A line above the panel.
    pub fn line(&self, text: &str) {
        self.bar.println(text);
    }

    /// Takes the panel away; what scrolled above it stays.
    pub fn close(&self) {
        self.bar.finish_and_clear();
    }
}
