//! `runs list` and `runs show RUN`: told from the journals alone.

use std::path::Path;

use crate::cli::console::Console;
use crate::cli::console::TOOL;
use crate::cli::papers;
use crate::cli::papers::Subject;
use crate::cli::show;
use crate::cli::stop::Stop;
use crate::cli::usage::Format;
use crate::error::Exit;
use crate::journal::chain;
use crate::journal::chain::Broken;
use crate::journal::chain::Chain;
use crate::journal::reader;
use crate::journal::reader::Journal;
use crate::journal::reader::ReadError;
use crate::journal::store::RunFolder;
use crate::journal::store::Store;
use crate::journal::store::StoreError;
use crate::journal::summary::RunSummary;
use crate::journal::summary::summarise;
use crate::model::visible::Visible;
use crate::plan::Sealed;
use crate::report::human::Labels;
use crate::report::human::Lines;
use crate::report::json;
use crate::report::plural;
use crate::report::runs::RunRow;
use crate::report::runs::RunState;
use crate::report::runs::Undone;
use crate::report::runs::table;
use crate::report::style::Tint;
use crate::report::words::Weight;

/// Newest first.
pub fn list(state: &Path, console: &mut Console) -> Result<Exit, Stop> {
    let folders = Store::new(state).list().map_err(|error| stop(&error))?;
    let mut rows: Vec<RunRow> = Vec::new();
    let mut documents = Vec::new();
    let mut undone: Vec<(String, Undone)> = Vec::new();
    for folder in folders {
        match folder.read() {
            Ok(journal) => {
                let summary = summarise(&journal.records);
                documents.push(serde_json::to_value(&summary)?);
                undone.extend(undoing(&folder.id, &summary));
                rows.push(row(folder.id, &summary));
            }
            Err(error) => {
                let why = Stop::because(Exit::Data, &error).to_string();
                documents.push(serde_json::json!({ "run": folder.id, "unreadable": why }));
                rows.push(RunRow {
                    state: RunState::Unreadable(why),
                    ..row(folder.id, &RunSummary::default())
                });
            }
        }
    }
    for (run, by) in undone {
        rows.iter_mut().filter(|row| row.id == run).for_each(|row| row.undone_by.push(by.clone()));
    }
    rows.sort_by(|left, right| right.started.cmp(&left.started).then(left.id.cmp(&right.id)));
    console.say(&table(&rows, console.style()))?;
    console.document("runs", "recorded runs", serde_json::json!({ "runs": documents }))?;
    Ok(Exit::Ok)
}

/// Every event, as the run showed it, and what is left to do.
pub fn show(state: &Path, run: &str, console: &mut Console) -> Result<Exit, Stop> {
    let folder = Store::new(state).find(run).map_err(|error| stop(&error))?;
    let journal = folder.read().map_err(|error| unread(&folder, &error))?;
    match console.output.format {
        Format::Human => {
            if let Some(why) = distrust(&folder) {
                console.warn("Edited", &why)?;
            }
            tell(&folder, &journal, console)?;
        }
        Format::Json => {
            let body = serde_json::to_value(summarise(&journal.records))?;
            console.document("run", "one recorded run", body)?;
        }
        Format::Markdown | Format::Html => {
            let Sealed { plan, digest } = show::open(&folder.plan())?;
            let records = &journal.records;
            papers::show(&Subject { plan: &plan, digest: &digest, records }, console)?;
        }
        Format::Jsonl => {
            console.out.line(&json::version(TOOL))?;
            for record in &journal.records {
                console.out.line(&json::event(record)?)?;
            }
        }
    }
    Ok(Exit::Ok)
}

/// A run whose journal and plan belong together, with no line changed, missing or added.
pub struct Checked {
    pub sealed: Sealed,
    pub journal: Journal,
    pub chain: Chain,
}

/// The one run whose id begins so.
pub fn find(state: &Path, run: &str) -> Result<RunFolder, Stop> {
    Store::new(state).find(run).map_err(|error| stop(&error))
}

/// The same, or the run with the latest beginning if `latest` is asked for.
pub fn find_or_latest(state: &Path, run: &str) -> Result<RunFolder, Stop> {
    if run != "latest" {
        return find(state, run);
    }
    let mut folders = Store::new(state).list().map_err(|error| stop(&error))?;
    // Ids begin with their time; a folder in which nothing began is passed over, not one whose
    // journal is lost: an older run would be told as the latest.
    folders.retain(|folder| folder.read().is_ok() || folder.lost().is_some());
    folders.pop().ok_or_else(|| {
        Stop::new(Exit::NoMatch, "no runs are recorded here")
            .hint("choose another with --run-dir DIR")
    })
}

/// What to say of a run whose journal cannot be read.
pub fn unread(folder: &RunFolder, error: &ReadError) -> Stop {
    let doing = format!("run {}", folder.id);
    if let ReadError::Lost { .. } = error {
        let place = folder.path.display();
        return Stop::because(Exit::Refused, error).while_doing(doing).hint(format!(
            "its plan, and what else is left of it, stands in `{place}`; read the hosts with a new \
             plan: rmsfleet plan"
        ));
    }
    Stop::because(Exit::Data, error).while_doing(doing)
}

/// Reads plan and journal, and checks one against the other.
pub fn check(folder: &RunFolder) -> Result<Checked, Stop> {
    if let Some(error) = folder.lost() {
        return Err(unread(folder, &error));
    }
    let path = folder.journal();
    let doing = format!("run {}", folder.id);
    let bytes = std::fs::read(&path).map_err(|error| {
        Stop::because(Exit::Data, &error)
            .while_doing(format!("`{}` cannot be read", path.display()))
            .hint("the run died before its first act: apply its plan again")
    })?;
    let sealed = show::open(&folder.plan())?;
    let chain = chain::verify(&bytes, Some(&sealed.digest)).map_err(|error| {
        let (exit, hint) = match &error {
            Broken::Empty => (
                Exit::Data,
                format!(
                    "nothing had begun: rmsfleet apply {} starts it anew",
                    folder.plan().display()
                ),
            ),
            Broken::Changed { .. }
            | Broken::Inserted { .. }
            | Broken::Missing { .. }
            | Broken::Stray { .. }
            | Broken::OtherPlan { .. } => {
                (Exit::Refused, "read the hosts with a new plan: rmsfleet plan".to_owned())
            }
        };
        Stop::because(exit, &error).while_doing(doing.clone()).hint(hint)
    })?;
    let journal = reader::parse(&bytes)
        .map_err(|error| Stop::because(Exit::Data, &error).while_doing(doing))?;
    Ok(Checked { sealed, journal, chain })
}

/// What keeps a journal that can be read from being believed; `None` if nothing does.
pub fn distrust(folder: &RunFolder) -> Option<String> {
    let bytes = std::fs::read(folder.journal()).ok()?;
    let digest = show::open(&folder.plan()).ok().map(|sealed| sealed.digest);
    match chain::verify(&bytes, digest.as_deref()) {
        Ok(_) | Err(Broken::Empty) => None,
        Err(error) => Some(format!("{error}; what follows is told by a journal that was edited")),
    }
}

/// Whether the journal is as it was written, and belongs to the plan beside it.
pub fn verify(state: &Path, run: &str, console: &mut Console) -> Result<Exit, Stop> {
    let folder = find(state, run)?;
    let Checked { sealed, journal, chain } = check(&folder)?;
    let ended = summarise(&journal.records).ended.is_some();
    let lines = plural::count(chain.lines, "line");
    let what = if chain.chained {
        format!("{lines}, each as it was written and in its place")
    } else {
        format!("{lines} of an older format that is not chained: nothing can be said about edits")
    };
    console.did(if chain.chained { "Verified" } else { "Unchained" }, &what)?;
    if let Some((line, _)) = &chain.torn {
        console.did("Torn", &format!("line {line} breaks off: the process died there"))?;
    }
    if !ended {
        console.did("Open", "the run has not told its end; later lines could be missing")?;
    }
    let body = serde_json::json!({
        "run": folder.id, "lines": chain.lines, "chained": chain.chained, "ended": ended,
        "torn": chain.torn.as_ref().map(|(line, _)| line), "plan_sha256": sealed.digest,
    });
    console.document("verified", &format!("run {}", folder.id), body)?;
    Ok(Exit::Ok)
}

fn tell(folder: &RunFolder, journal: &Journal, console: &mut Console) -> Result<(), Stop> {
    let summary = summarise(&journal.records);
    let labels = Labels::new(summary.hosts.keys());
    let style = console.style();
    // A journal is read for its details; `--quiet` still leaves only the problems.
    let least = console.output.look.verbosity.weight().min(Weight::Normal);
    let mut lines = Lines::new(style, labels, least).run_dir(console.run_dir());
    for record in &journal.records {
        if let Some(line) = lines.line(record) {
            console.say(&line)?;
        }
    }
    if let Some((line, _)) = &journal.torn {
        let note = format!("line {line} breaks off: the process died there");
        console.say(&style.paint(Tint::Change, &note))?;
    }
    if journal.unknown > 0 {
        let note = format!("{} events of a newer version are not shown", journal.unknown);
        console.say(&style.paint(Tint::Change, &note))?;
    }
    for (host, part) in &summary.hosts {
        if let Some(reason) = &part.restart_owed {
            console.say(&format!("{} owes a restart: {}", host.as_str(), Visible(reason)))?;
        }
        if part.is_in_doubt() {
            let next = if summary.lab { "read it with a new plan" } else { "resume reads it" };
            console.say(&format!("{} is in doubt: {next}", host.as_str()))?;
        }
    }
    let ended = match &summary.exit {
        Some((code, name)) => format!("ended with exit {code} ({name})"),
        None => "has not ended, or its process died".to_owned(),
    };
    console.say(&format!(
        "run {} {ended}; its plan: rmsfleet show {}",
        folder.id,
        folder.plan().display()
    ))
}

/// The run that this one takes back, if it took anything back.
fn undoing(id: &str, summary: &RunSummary) -> Option<(String, Undone)> {
    let run = summary.undoes.clone().filter(|_| summary.has_written())?;
    let is_whole = summary.exit.as_ref().is_some_and(|(code, _)| *code == Exit::Ok.code())
        && summary.left_out.is_empty();
    Some((run, Undone { by: id.to_owned(), is_whole }))
}

fn row(id: String, summary: &RunSummary) -> RunRow {
    RunRow {
        id,
        started: summary.started,
        operator: summary.operator.clone(),
        lab: summary.lab,
        rehearsal: summary.rehearsal,
        undoes: summary.undoes.clone(),
        undone_by: Vec::new(),
        hosts: summary.hosts.len(),
        state: match &summary.exit {
            Some((code, name)) => RunState::Ended { code: *code, name: name.clone() },
            None => RunState::Open,
        },
        restarts_owed: summary.restarts_owed(),
        in_doubt: summary.in_doubt(),
    }
}

pub fn stop(error: &StoreError) -> Stop {
    let (exit, hint) = match error {
        StoreError::NotFound { .. } => (Exit::NoMatch, Some("rmsfleet runs list shows them all")),
        StoreError::Ambiguous { .. } => (Exit::NoMatch, Some("type more of the run's id")),
        StoreError::Name { .. } => (Exit::Usage, None),
        StoreError::Folder { .. } => (Exit::Data, Some("choose another with --run-dir DIR")),
        StoreError::Taken { .. } | StoreError::Unreadable { .. } => (Exit::Data, None),
    };
    let stop = Stop::because(exit, error);
    match hint {
        Some(hint) => stop.hint(hint),
        None => stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::summary::HostSummary;
    use crate::model::host::HostName;

    /// What an undo with so many values written and this end is told as: whole, partly, or not at
    /// all.
    #[track_caller]
    fn check(rehearsal: bool, verified: usize, code: Option<u8>, expected: Option<bool>) {
        let host = HostSummary { verified, ..HostSummary::default() };
        let summary = RunSummary {
            undoes: Some("r1".to_owned()),
            rehearsal,
            exit: code.map(|code| (code, String::new())),
            hosts: [(HostName::new("FS1"), host)].into(),
            ..RunSummary::default()
        };
        let got = undoing("r2", &summary);
        assert!(got.iter().all(|(run, undone)| run == "r1" && undone.by == "r2"));
        assert_eq!(got.map(|(_, undone)| undone.is_whole), expected);
    }

    #[test]
    fn only_what_was_taken_back_makes_a_run_undone() {
        check(false, 2, Some(0), Some(true));
        check(false, 2, Some(11), Some(false));
        check(false, 2, None, Some(false));
        check(false, 0, Some(9), None);
        check(true, 2, Some(0), None);
    }
}
