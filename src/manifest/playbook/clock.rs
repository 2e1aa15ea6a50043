//! `windows` and `change.freeze`: when hosts may be touched.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::playbook::named;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::window::Day;
use crate::model::window::Freeze;
use crate::model::window::Window;

const DAYS: [(&str, Day); 7] = [
    ("mon", Day::Mon),
    ("tue", Day::Tue),
    ("wed", Day::Wed),
    ("thu", Day::Thu),
    ("fri", Day::Fri),
    ("sat", Day::Sat),
    ("sun", Day::Sun),
];
/// A window that is longer than the week would overlap itself.
const WEEK: u32 = 7 * 24 * 3600;

/// The mapping under `windows`: name to window.
pub(super) fn windows(
    fields: &mut Fields<'_>,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, Window> {
    named(fields, "windows", diagnostics, |node, diagnostics| {
        let mut inner = Fields::open(node, "a window", node.span, diagnostics)?;
        let tz = inner.require("tz", diagnostics, zone);
        let days = inner.require("days", diagnostics, |node| {
            let days = scalar::list(node, |day| scalar::choice(day, &DAYS))?;
            if days.is_empty() {
                return Err(Mismatch::new("needs at least one day, found an empty list")
                    .help("write the days on which it opens: [tue, wed]".to_owned()));
            }
            Ok(days)
        });
        let start = inner.require("start", diagnostics, time_of_day);
        let duration = inner.require("duration", diagnostics, scalar::seconds);
        let cutoff = inner.read("cutoff", diagnostics, scalar::seconds).unwrap_or(0);
        let span = inner.span();
        inner.finish(diagnostics);
        let window = Window { tz: tz?, days: days?, start: start?, duration: duration?, cutoff };
        if window.duration == 0 || window.duration > WEEK || window.cutoff >= window.duration {
            diagnostics.push(
                Diagnostic::error(span, "nothing can start in this window")
                    .help("a window lasts up to `7d`, and longer than its cutoff".to_owned()),
            );
            return None;
        }
        Some(window)
    })
}

/// The list under `freeze`.
pub(super) fn freezes(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Vec<Freeze> {
    let Some(entry) = fields.take("freeze") else { return Vec::new() };
    let Value::Sequence(items) = &entry.value.value else {
        let wrong = Mismatch::new(format!("needs a list, found {}", entry.value.kind()))
            .help("begin each freeze with `- from:`".to_owned());
        diagnostics.push(wrong.of(entry));
        return Vec::new();
    };
    items.iter().filter_map(|node| freeze(node, diagnostics)).collect()
}

fn freeze(node: &Node, diagnostics: &mut Diagnostics) -> Option<Freeze> {
    let mut inner = Fields::open(node, "a freeze", node.span, diagnostics)?;
    let from = inner.require("from", diagnostics, moment);
    let to = inner.require("to", diagnostics, moment);
    let reason = inner.require("reason", diagnostics, |node| scalar::text(node).map(str::to_owned));
    inner.finish(diagnostics);
    let freeze = Freeze { from: from?, to: to?, reason: reason? };
    if freeze.to <= freeze.from {
        diagnostics.push(
            Diagnostic::error(node.span, "this freeze ends before it begins")
                .help("exchange `from` and `to`".to_owned()),
        );
        return None;
    }
    Some(freeze)
}

fn zone(node: &Node) -> Result<String, Mismatch> {
    let text = scalar::text(node)?;
    match TimeZone::get(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(Mismatch::new(format!("needs a time zone, found {}", node.kind()))
            .help("write its name in the IANA database: `Europe/Amsterdam`".to_owned())),
    }
}

/// `"22:00"`, in minutes after midnight.
fn time_of_day(node: &Node) -> Result<u16, Mismatch> {
    let wrong = || {
        Mismatch::new(format!("needs a time of day, found {}", node.kind()))
            .help("write hours and minutes in quotes: \"22:00\"".to_owned())
    };
    let Value::Scalar { text, .. } = &node.value else { return Err(wrong()) };
    let (hours, minutes) = text.trim().split_once(':').ok_or_else(wrong)?;
    let number = |text: &str, most: u16| {
        let two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| two && *number <= most)
    };
    match (number(hours, 23), number(minutes, 59)) {
        (Some(hours), Some(minutes)) => Ok(hours * 60 + minutes),
        (None, _) | (_, None) => Err(wrong()),
    }
}

fn moment(node: &Node) -> Result<Timestamp, Mismatch> {
    let wrong = || {
        Mismatch::new(format!("needs a moment with its zone, found {}", node.kind()))
            .help("write it in quotes: \"2026-12-15T00:00:00+01:00\"".to_owned())
    };
    let Value::Scalar { text, .. } = &node.value else { return Err(wrong()) };
    text.trim().parse().map_err(|_| wrong())
}
