//! `--stats`: what each host cost, per phase.

use crate::report::plural;
use crate::report::style::Style;
use crate::report::style::Tint;

/// One host in one phase.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatsRow {
    pub host: String,
    pub phase: String,
    pub requests: u64,
    pub sent: u64,
    pub received: u64,
    pub logons: u64,
    pub seconds: f64,
}

/// A table with a total for each phase and over all.
pub fn render(rows: &[StatsRow], style: Style) -> String {
    let width = rows.iter().map(|row| row.host.chars().count()).max().unwrap_or(0).max(8);
    let head = format!(
        "{:<width$}  {:<9} {:>8} {:>10} {:>10} {:>6} {:>8}",
        "host", "phase", "requests", "sent", "received", "logons", "time"
    );
    let mut text = format!("\n{}\n", style.paint(Tint::Strong, &head));
    for row in rows {
        text.push_str(&line(row, width));
    }
    let mut phases: Vec<&str> = Vec::new();
    for row in rows {
        if !phases.contains(&row.phase.as_str()) {
            phases.push(&row.phase);
        }
    }
    for phase in phases {
        let of_phase: Vec<&StatsRow> = rows.iter().filter(|row| row.phase == phase).collect();
        text.push_str(&line(&sum(&of_phase, phase), width));
    }
    let all: Vec<&StatsRow> = rows.iter().collect();
    text.push_str(&style.paint(Tint::Strong, &line(&sum(&all, "all"), width)));
    text
}

fn sum(rows: &[&StatsRow], phase: &str) -> StatsRow {
    let start =
        StatsRow { host: "total".to_owned(), phase: phase.to_owned(), ..Default::default() };
    rows.iter().fold(start, |sum, row| StatsRow {
        requests: sum.requests + row.requests,
        sent: sum.sent + row.sent,
        received: sum.received + row.received,
        logons: sum.logons + row.logons,
        seconds: sum.seconds + row.seconds,
        ..sum
    })
}

fn line(row: &StatsRow, width: usize) -> String {
    format!(
        "{:<width$}  {:<9} {:>8} {:>10} {:>10} {:>6} {:>8}\n",
        row.host,
        row.phase,
        row.requests,
        bytes(row.sent),
        bytes(row.received),
        row.logons,
        plural::duration(row.seconds)
    )
}

/// `412 B`, `31.2 kB`, `1.4 MB`.
fn bytes(number: u64) -> String {
    let (whole, tenth, unit) = match number {
        0..1_000 => return format!("{number} B"),
        1_000..1_000_000 => (number / 1_000, number % 1_000 / 100, "kB"),
        1_000_000.. => (number / 1_000_000, number % 1_000_000 / 100_000, "MB"),
    };
    format!("{whole}.{tenth} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(host: &str, phase: &str, requests: u64) -> StatsRow {
        StatsRow {
            host: host.into(),
            phase: phase.into(),
            requests,
            sent: 31_250,
            received: 1_400_000,
            logons: 1,
            seconds: 0.5,
        }
    }

    #[test]
    fn totals_stand_below_for_each_phase_and_over_all() {
        let rows = [row("FS01", "survey", 9), row("FS02", "survey", 9), row("FS01", "registry", 4)];
        let text = render(&rows, Style::PLAIN);
        let last: Vec<&str> = text.lines().rev().take(3).collect();
        assert_eq!(last[2], "total     survey          18    62.5 kB     2.8 MB      2    1.00s");
        assert_eq!(last[1], "total     registry         4    31.2 kB     1.4 MB      1    0.50s");
        assert_eq!(last[0], "total     all             22    93.7 kB     4.2 MB      3    1.50s");
    }
}
