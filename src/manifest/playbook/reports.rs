//! `reports`: which files a plan or a run leaves behind.

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::report::Report;
use crate::model::report::ReportFormat;

const FORMATS: [(&str, ReportFormat); 4] = [
    ("html", ReportFormat::Html),
    ("markdown", ReportFormat::Markdown),
    ("junit", ReportFormat::Junit),
    ("jsonl", ReportFormat::Jsonl),
];

/// The list under `reports`.
pub(super) fn reports(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Vec<Report> {
    let Some(entry) = fields.take("reports") else { return Vec::new() };
    let Value::Sequence(items) = &entry.value.value else {
        let wrong = Mismatch::new(format!("needs a list, found {}", entry.value.kind()))
            .help("begin each report with `- format:`".to_owned());
        diagnostics.push(wrong.of(entry));
        return Vec::new();
    };
    let mut reports: Vec<Report> = Vec::new();
    for item in items {
        let Some(report) = report(item, diagnostics) else { continue };
        if reports.iter().any(|other| other.path == report.path) {
            diagnostics.push(
                Diagnostic::error(item.span, format!("two reports go to `{}`", report.path))
                    .help("give each report its own path".to_owned()),
            );
        }
        reports.push(report);
    }
    reports
}

fn report(node: &Node, diagnostics: &mut Diagnostics) -> Option<Report> {
    let mut inner = Fields::open(node, "a report", node.span, diagnostics)?;
    let format = inner.require("format", diagnostics, |node| scalar::choice(node, &FORMATS));
    let path = inner.require("path", diagnostics, path);
    inner.finish(diagnostics);
    Some(Report { format: format?, path: path? })
}

/// Every name between double braces must be one that a report can have.
fn path(node: &Node) -> Result<String, Mismatch> {
    let text = scalar::text(node)?;
    for part in text.split("{{").skip(1) {
        let name = part.split_once("}}").map(|(name, _)| name.trim());
        if !matches!(name, Some("change.id" | "run.id" | "run.kind")) {
            return Err(Mismatch::new(format!(
                "holds a template that means nothing: {}",
                node.kind()
            ))
            .help("use `{{ change.id }}`, `{{ run.id }}` or `{{ run.kind }}`".to_owned()));
        }
    }
    Ok(text.to_owned())
}
