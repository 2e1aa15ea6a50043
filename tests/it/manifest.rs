//! Texts in, values or complaints out: what users will type, right and wrong.

mod broken;
mod conditions;
mod documents;
mod example;
mod fits;
mod hostile;
mod patterns;
mod resolved;
mod rulepack;
mod schema;

use rmsfleet::manifest::diagnostic::Diagnostic;
use rmsfleet::manifest::diagnostic::Diagnostics;
use rmsfleet::manifest::inventory;
use rmsfleet::manifest::inventory::Inventory;
use rmsfleet::manifest::inventory::InventorySources;

/// Reads an inventory with nothing beside it.
fn read(text: &str) -> Result<Inventory, Diagnostics> {
    inventory::parse(&InventorySources::alone("inv.yml", text), &[])
}

/// Asserts that one of the complaints stands at `line:column` and has these words; every error must
/// have a help, and every rendering its place and the line itself.
#[track_caller]
fn complains(diagnostics: &Diagnostics, text: &str, at: (usize, usize), message: &str, help: &str) {
    let list = diagnostics.render(false);
    let fits = |item: &&Diagnostic| {
        (item.line, item.column) == at
            && item.message.contains(message)
            && item.help.as_deref().unwrap_or_default().contains(help)
    };
    let Some(found) = diagnostics.items().iter().find(fits) else {
        panic!("no complaint at {at:?} with `{message}` and `{help}` in:\n{list}");
    };
    for item in diagnostics.errors() {
        assert!(item.help.is_some(), "no help: {item}");
    }
    let rendered = found.render(diagnostics.sources(), false);
    let place = format!("{}:{}:{}", found.source, at.0, at.1);
    assert!(rendered.contains(&place), "no place `{place}` in:\n{rendered}");
    let line = text.lines().nth(at.0 - 1).unwrap_or_default().trim();
    let key = line.split([':', '\t']).next().unwrap_or_default();
    assert!(rendered.contains(key), "no line `{key}` in:\n{rendered}");
    if !line.is_empty() {
        assert!(rendered.contains('^'), "no caret in:\n{rendered}");
    }
}
