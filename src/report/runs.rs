//! Past runs: a table of all, and the story of one.

use jiff::Timestamp;

use crate::error::Exit;
use crate::model::visible::visible;
use crate::report::plural;
use crate::report::style::Style;
use crate::report::style::Tint;
use crate::report::style::fit;

/// One run of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    pub id: String,
    pub started: Option<Timestamp>,
    pub operator: String,
    pub lab: bool,
    /// It wrote nothing.
    pub rehearsal: bool,
    /// The run that this one takes back.
    pub undoes: Option<String>,
    /// The runs that have taken something of this one back.
    pub undone_by: Vec<Undone>,
    pub hosts: usize,
    pub state: RunState,
    pub restarts_owed: usize,
    pub in_doubt: usize,
}

/// A run that has taken another back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    pub by: String,
    /// Nothing was left as the other run had written it.
    pub is_whole: bool,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    Ended {
        code: u8,
        name: String,
    },
    /// It goes on, or its process died.
    Open,
    /// Its journal cannot be read.
    Unreadable(String),
}

/// A line for each run; owed restarts and hosts in doubt are named, they outlive the run.
pub fn table(rows: &[RunRow], style: Style) -> String {
    if rows.is_empty() {
        return "no runs are recorded here\n".to_owned();
    }
    let width = rows.iter().map(|row| row.id.chars().count()).max().unwrap_or(0);
    let head = format!(
        "{:<width$}  {:<17}  {:<20}  {:>5}  ended",
        "run", "started (UTC)", "operator", "hosts"
    );
    let mut text = format!("{}\n", style.paint(Tint::Strong, &head));
    for row in rows {
        let started = row.started.map_or_else(
            || "unknown".to_owned(),
            |time| time.strftime("%Y-%m-%d %H:%M").to_string(),
        );
        let (tint, state) = match &row.state {
            RunState::Ended { code, name } if *code == Exit::Ok.code() => {
                (Tint::Good, name.clone())
            }
            RunState::Ended { code, name } => (Tint::Bad, format!("{name} ({code})")),
            RunState::Open => (Tint::Change, "not ended".to_owned()),
            RunState::Unreadable(why) => (Tint::Bad, format!("unreadable: {why}")),
        };
        let mut extra = String::new();
        if row.lab {
            extra.push_str("  lab");
        }
        if row.rehearsal {
            extra.push_str("  rehearsal");
        }
        if let Some(run) = &row.undoes {
            extra.push_str(&format!("  undoes {}", visible(run)));
        }
        for Undone { by, is_whole } in &row.undone_by {
            let partly = if *is_whole { "" } else { "partly " };
            extra.push_str(&format!("  {partly}undone by {}", visible(by)));
        }
        if row.restarts_owed > 0 {
            extra.push_str(&format!("  {} owed", plural::count(row.restarts_owed, "restart")));
        }
        if row.in_doubt > 0 {
            extra.push_str(&format!("  {} in doubt", plural::count(row.in_doubt, "host")));
        }
        let operator = fit(&visible(&row.operator), 20, style);
        text.push_str(&format!(
            "{:<width$}  {started:<17}  {operator:<20}  {:>5}  {}{extra}\n",
            row.id,
            row.hosts,
            style.paint(tint, &visible(&state)),
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_outlives_a_run_is_named() {
        let row = RunRow {
            id: "r1".into(),
            started: Some(Timestamp::UNIX_EPOCH),
            operator: "CORP\\anna".into(),
            lab: true,
            rehearsal: true,
            undoes: Some("r0".into()),
            undone_by: vec![
                Undone { by: "r2".into(), is_whole: false },
                Undone { by: "r3".into(), is_whole: true },
            ],
            hosts: 8,
            state: RunState::Ended { code: 4, name: "partial".into() },
            restarts_owed: 1,
            in_doubt: 0,
        };
        let text = table(&[row], Style::PLAIN);
        let line = text.lines().nth(1).unwrap();
        assert_eq!(
            line,
            "r1  1970-01-01 00:00   CORP\\anna                 8  partial (4)  lab  rehearsal  undoes r0  \
             partly undone by r2  undone by r3  1 restart owed"
        );
    }
}
