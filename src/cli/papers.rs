//! The change document as files: in the run's folder, and where the playbook wants it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::cli::beside;
use crate::cli::console::Console;
use crate::cli::stop::Stop;
use crate::cli::usage::Format;
use crate::event::Record;
use crate::journal::store::RunFolder;
use crate::model::plan::Plan;
use crate::model::report::ReportFormat;
use crate::report::json;
use crate::report::paper;
use crate::report::style::Tint;

/// What a document is about.
pub struct Subject<'a> {
    pub plan: &'a Plan,
    /// The sealed plan's.
    pub digest: &'a str,
    /// Empty for a plan that no run has begun.
    pub records: &'a [Record],
}

/// Writes the document alone to standard output; `false` for a format that is none.
pub fn show(subject: &Subject<'_>, console: &mut Console) -> Result<bool, Stop> {
    let Subject { plan, digest, records } = subject;
    let text = match console.output.format {
        Format::Html => paper::html(plan, digest, records),
        Format::Markdown => paper::markdown(plan, digest, records),
        Format::Human | Format::Json | Format::Jsonl => return Ok(false),
    };
    console.out.line(&text)?;
    Ok(true)
}

/// After a run: into its folder, and where the playbook asks for it. A file that cannot be written is
/// told; the run has ended as it has.
pub fn keep(
    subject: &Subject<'_>,
    folder: &RunFolder,
    kind: &str,
    console: &mut Console,
) -> Result<(), Stop> {
    let own = [
        (ReportFormat::Html, "report.html"),
        (ReportFormat::Markdown, "report.md"),
        (ReportFormat::Junit, "report.xml"),
    ];
    for (format, name) in own {
        put(&folder.path.join(name), &text(subject, format)?, false, console)?;
    }
    asked(subject, kind, Some(&folder.id), console)
}

/// Where the playbook asks for it. Before there is a run, what is named after one is left out.
pub fn asked(
    subject: &Subject<'_>,
    kind: &str,
    run: Option<&str>,
    console: &mut Console,
) -> Result<(), Stop> {
    for report in &subject.plan.conditions.reports {
        let is_of_run = matches!(report.format, ReportFormat::Junit | ReportFormat::Jsonl);
        let change = subject.plan.conditions.change.as_deref();
        let Some(path) = filled(&report.path, change, kind, run) else { continue };
        if run.is_none() && is_of_run {
            continue;
        }
        put(&path, &text(subject, report.format)?, true, console)?;
    }
    Ok(())
}

fn text(subject: &Subject<'_>, format: ReportFormat) -> Result<String, Stop> {
    let Subject { plan, digest, records } = subject;
    Ok(match format {
        ReportFormat::Html => paper::html(plan, digest, records),
        ReportFormat::Markdown => paper::markdown(plan, digest, records),
        ReportFormat::Junit => paper::junit(plan, records),
        ReportFormat::Jsonl => {
            let mut lines = json::version(&plan.tool) + "\n";
            for record in *records {
                lines.push_str(&json::event(record)?);
                lines.push('\n');
            }
            lines
        }
    })
}

/// `None` if the path is named after a run, and there is none.
fn filled(path: &str, change: Option<&str>, kind: &str, run: Option<&str>) -> Option<PathBuf> {
    let mut filled = String::new();
    let mut rest = path;
    while let Some((before, inner)) = rest.split_once("{{") {
        let (name, after) = inner.split_once("}}")?;
        filled.push_str(before);
        filled.push_str(&plain(match name.trim() {
            "change.id" => change.unwrap_or("no-change-id"),
            "run.kind" => kind,
            "run.id" => run?,
            _ => return None,
        }));
        rest = after;
    }
    filled.push_str(rest);
    Some(PathBuf::from(filled))
}

/// INVARIANT: what is filled in names no other folder.
fn plain(text: &str) -> String {
    let safe = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    let text: String = text.chars().map(|letter| if safe(letter) { letter } else { '-' }).collect();
    text.replace("..", "-")
}

/// Written beside and moved into place: a report is whole or not there.
fn put(path: &Path, text: &str, is_told: bool, console: &mut Console) -> Result<(), Stop> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let written = parent
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| beside::write(path, text.as_bytes()));
    match written {
        Ok(()) if is_told => console.did("Reported", &path.display().to_string()),
        Ok(()) => Ok(()),
        Err(error) => {
            let word = console.style().paint(Tint::Bad, "warning:");
            console.say(&format!("{word} report `{}` cannot be written: {error}", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_filled_in_and_stays_in_its_folder() {
        let check = |path: &str, run: Option<&str>, expected: Option<&str>| {
            let got = filled(path, Some("CHG/../1"), "apply", run);
            assert_eq!(got, expected.map(PathBuf::from), "{path}");
        };
        check("r/{{ change.id }}-{{run.kind}}.html", None, Some("r/CHG---1-apply.html"));
        check("r/{{ run.id }}.xml", Some("7"), Some("r/7.xml"));
        check("r/{{ run.id }}.xml", None, None);
        check("plain.md", None, Some("plain.md"));
    }
}
