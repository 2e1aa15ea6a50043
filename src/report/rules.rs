//! The rule pack: a table of all rules, and one rule with its sources.

use crate::model::rules::Confidence;
use crate::model::rules::Rule;
use crate::model::rules::RulePack;
use crate::model::rules::Support;
use crate::report::plural;
use crate::report::style::Style;
use crate::report::style::Tint;

/// A line for each rule: id, row of the value table, products, confidence.
pub fn table(pack: &RulePack, style: Style) -> String {
    let width = pack.rules.iter().map(|rule| rule.id.chars().count()).max().unwrap_or(0);
    let head = format!("{:<width$}  {:>3}  {:<12}  products", "rule", "row", "confidence");
    let mut text = format!(
        "{} {}\n\n{}\n",
        style.paint(Tint::Strong, &pack.id),
        pack.version,
        style.paint(Tint::Strong, &head)
    );
    for rule in &pack.rules {
        let products: Vec<&str> = rule.products.iter().map(|product| product.id()).collect();
        let confidence = confidence(rule.confidence);
        text.push_str(&format!(
            "{:<width$}  {:>3}  {confidence:<12}  {}\n",
            rule.id,
            rule.row,
            products.join(" ")
        ));
    }
    text.push_str(&format!("\n{}\n", plural::count(pack.rules.len(), "rule")));
    text
}

/// One rule: what it writes, for whom, who says so, and what else is known in the field.
pub fn explain(pack: &RulePack, rule: &Rule, style: Style) -> String {
    let name = if rule.name.is_empty() { "(Default)" } else { &rule.name };
    let mut text = format!(
        "{}\n\n  HKLM\\{}\n  {name} = {}\n\n",
        style.paint(Tint::Strong, &rule.id),
        rule.key.trim_matches('\\'),
        rule.data
    );
    text.push_str(&format!("source      {}\n", rule.source));
    text.push_str(&format!("confidence  {}\n", confidence(rule.confidence)));
    if let Some(note) = &rule.note {
        text.push_str(&format!("note        {note}\n"));
    }
    text.push_str("\nproducts\n");
    for product in &rule.products {
        let label = pack.products.iter().find(|label| label.product == *product);
        let label = label.map_or_else(
            || "without a label".to_owned(),
            |label| format!("{} ({}, {})", support(label.support), label.source, label.date),
        );
        text.push_str(&format!("  {:<16}  {label}\n", product.id()));
    }
    if !rule.variants.is_empty() {
        text.push_str("\nknown foreign variants\n");
    }
    for variant in &rule.variants {
        text.push_str(&format!("  {}  {}\n", style.paint(Tint::Change, &variant.id), variant.note));
        if let Some(name) = &variant.name {
            text.push_str(&format!("    name    {name}\n"));
        }
        if let Some(data) = &variant.data {
            text.push_str(&format!("    data    {data}\n"));
        }
        text.push_str(&format!("    source  {}\n", variant.source));
    }
    text
}

fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Documented => "documented",
        Confidence::Script => "script",
        Confidence::ThirdParty => "third-party",
        Confidence::Inferred => "inferred",
    }
}

fn support(support: Support) -> &'static str {
    match support {
        Support::Documented => "documented",
        Support::Undocumented => "undocumented",
        Support::Unsupported => "unsupported",
    }
}
