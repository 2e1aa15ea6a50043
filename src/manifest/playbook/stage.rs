//! The stages of a playbook.

use std::collections::BTreeMap;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::pattern;
use crate::manifest::playbook::ON_ABORT;
use crate::manifest::playbook::gates;
use crate::manifest::playbook::hooks;
use crate::manifest::playbook::org_step;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::source::Span;
use crate::manifest::suggest::did_you_mean;
use crate::manifest::tree::Entry;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::conditions::Conditions;
use crate::model::gate::StageGates;
use crate::model::rollout::BatchSize;
use crate::model::rollout::Budget;
use crate::model::rollout::OwnDefaults;
use crate::model::rollout::PlaybookStage;
use crate::model::rollout::StageWork;
use crate::model::rollout::StepOrder;

/// The list under `stages`; every stage inherits the playbook's usual budget.
pub(super) fn stages(
    fields: &mut Fields<'_>,
    usual: Budget,
    conditions: &Conditions,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<PlaybookStage>> {
    let Some(Entry { key, value }) = fields.take("stages") else {
        diagnostics.push(
            Diagnostic::error(fields.span(), "a playbook needs the key `stages`")
                .help("add `stages:` with a list below it".to_owned()),
        );
        return None;
    };
    let Value::Sequence(items) = &value.value else {
        let message = format!("`stages` needs a list, found {}", value.kind());
        diagnostics.push(
            Diagnostic::error(key.span, message).help("begin each stage with `- name:`".to_owned()),
        );
        return None;
    };
    if items.is_empty() {
        diagnostics.push(
            Diagnostic::error(value.span, "`stages` is empty")
                .help("begin each stage with `- name:`".to_owned()),
        );
    }
    let mut names: BTreeMap<String, Span> = BTreeMap::new();
    let mut orders: Vec<(StepOrder, Span)> = Vec::new();
    let mut stages = Vec::new();
    for item in items {
        let Some(stage) = stage(item, usual, conditions, diagnostics) else { continue };
        if let Some(first) = names.insert(stage.name.clone(), item.span) {
            diagnostics.push(
                Diagnostic::error(item.span, format!("a second stage is named `{}`", stage.name))
                    .related(first, "first here")
                    .help("give each stage its own name".to_owned()),
            );
        }
        if let StageWork::Step(order) = &stage.work
            && let Some(first) = orders.iter().find(|(known, _)| known == order)
        {
            diagnostics.push(
                Diagnostic::error(
                    item.span,
                    "the same organisation step stands here a second time",
                )
                .related(first.1, "first here")
                .help("it runs once per organisation; keep one".to_owned()),
            );
        }
        if let StageWork::Step(order) = &stage.work {
            orders.push((order.clone(), item.span));
        }
        stages.push(stage);
    }
    Some(stages)
}

fn stage(
    node: &Node,
    usual: Budget,
    conditions: &Conditions,
    diagnostics: &mut Diagnostics,
) -> Option<PlaybookStage> {
    let mut fields = Fields::open(node, "a stage", node.span, diagnostics)?;
    let name = fields.require("name", diagnostics, |node| scalar::text(node).map(str::to_owned));
    let vars = vars(&mut fields, diagnostics);
    let known = &conditions.gates;
    let gates = StageGates {
        before: gates::names(&mut fields, "gates_before", known, diagnostics),
        between: gates::names(&mut fields, "gates_between", known, diagnostics),
        after: gates::names(&mut fields, "gates_after", known, diagnostics),
    };
    let hooks = hooks::around(&mut fields, &conditions.hooks, diagnostics);
    let own = OwnDefaults {
        on_abort: fields.read("on_abort", diagnostics, |node| scalar::choice(node, &ON_ABORT)),
        count_unreachable_as_failed: fields.read(
            "count_unreachable_as_failed",
            diagnostics,
            scalar::boolean,
        ),
    };
    let hosts = fields.take("hosts");
    let work = match (fields.take("org_step"), hosts) {
        (Some(step), None) => {
            org_step::read(step, None, &mut fields, diagnostics).map(StageWork::Step)
        }
        (Some(step), Some(_)) if org_step::is_of_servers(step) => {
            let only = fields.read("hosts", diagnostics, pattern_text);
            org_step::read(step, only, &mut fields, diagnostics).map(StageWork::Step)
        }
        (Some(step), Some(_)) => {
            diagnostics.push(
                Diagnostic::error(step.key.span, "`org_step` stands beside `hosts`").help(
                    "an organisation step is not narrowed to hosts; make it a stage of its own"
                        .to_owned(),
                ),
            );
            fields.take("serial");
            fields.take("max_fail_percentage");
            fields.take("max_failures");
            org_step::skip(&mut fields);
            None
        }
        (None, Some(_)) => {
            org_step::refuse(&mut fields, diagnostics);
            let pattern = fields.read("hosts", diagnostics, pattern_text);
            let serial = fields.read("serial", diagnostics, serial);
            let budget = budget(&mut fields, diagnostics).unwrap_or(usual);
            let serial = serial.unwrap_or_else(|| vec![BatchSize::Percent(100)]);
            pattern.map(|pattern| StageWork::Hosts { pattern, serial, budget })
        }
        (None, None) => {
            diagnostics.push(
                Diagnostic::error(fields.span(), "a stage needs `hosts` or `org_step`")
                    .help("add `hosts:` with a host pattern".to_owned()),
            );
            // They may belong to the `hosts` that is misspelt: one mistake, one complaint.
            fields.take("serial");
            fields.take("max_fail_percentage");
            fields.take("max_failures");
            org_step::skip(&mut fields);
            None
        }
    };
    fields.finish(diagnostics);
    if let Some((at, _)) = vars.as_ref().filter(|_| matches!(work, Some(StageWork::Step(_)))) {
        diagnostics.push(
            Diagnostic::error(*at, "an organisation step has no hosts to give `vars` to")
                .help("put them into the stage of the hosts".to_owned()),
        );
    }
    let vars = vars.map_or_else(Vec::new, |(_, vars)| vars);
    Some(PlaybookStage { name: name?, vars, work: work?, gates, hooks, own })
}

/// Variables that a stage may set. The others say what a host is or how it is found, and patterns
/// are resolved by them.
const STAGE_VARS: [&str; 5] =
    ["rms_tenant_url", "rms_connector_url", "rms_window", "rms_restart", "rms_credential"];

/// `vars`: names to plain values, checked as the inventory's are once the hosts are known.
fn vars(
    fields: &mut Fields<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<(Span, Vec<(String, String)>)> {
    let entry = fields.take("vars")?;
    // Only to complain of what is no mapping.
    Fields::open(&entry.value, "vars", entry.key.span, diagnostics);
    let Value::Mapping(entries) = &entry.value.value else { return None };
    let mut vars = Vec::new();
    for entry in entries {
        let name = entry.key.text.as_str();
        if !STAGE_VARS.contains(&name) {
            let near = did_you_mean(name, STAGE_VARS);
            let words = STAGE_VARS.map(|word| format!("`{word}`")).join(", ");
            diagnostics.push(
                Diagnostic::error(entry.key.span, format!("a stage cannot set `{name}`"))
                    .help(near.unwrap_or_else(|| format!("it can set {words}"))),
            );
            continue;
        }
        match scalar::text(&entry.value) {
            Ok(text) => vars.push((name.to_owned(), text.to_owned())),
            Err(wrong) => diagnostics.push(wrong.of(entry)),
        }
    }
    Some((entry.key.span, vars))
}

fn pattern_text(node: &Node) -> Result<String, Mismatch> {
    let text = scalar::text(node)?;
    match pattern::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            Err(Mismatch::new(format!("is not a host pattern: {error}")).help(error.help()))
        }
    }
}

/// A batch size, or a list of them; the last repeats.
fn serial(node: &Node) -> Result<Vec<BatchSize>, Mismatch> {
    match &node.value {
        Value::Sequence(items) if items.is_empty() => {
            Err(Mismatch::new("needs a batch size, found an empty list"))
        }
        Value::Sequence(_) => scalar::list(node, batch_size),
        Value::Null | Value::Scalar { .. } | Value::Mapping(_) | Value::Vault => {
            batch_size(node).map(|size| vec![size])
        }
    }
}

fn batch_size(node: &Node) -> Result<BatchSize, Mismatch> {
    if let Value::Scalar { text, .. } = &node.value {
        if text.contains('%') {
            return percent(node, 1).map(BatchSize::Percent);
        }
        if text.trim() == "auto" {
            return Ok(BatchSize::Doubling);
        }
    }
    scalar::integer(node, 1, 10_000).map(BatchSize::Count).map_err(|wrong| {
        wrong.help("write a number of hosts, `\"25%\"` of them, or `auto`".to_owned())
    })
}

/// `max_fail_percentage` or `max_failures`, not both.
pub(super) fn budget(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Budget> {
    let at = fields.take("max_failures").map(|entry| entry.key.span);
    let percent = fields.read("max_fail_percentage", diagnostics, |node| percent(node, 0));
    let count = fields.read("max_failures", diagnostics, |node| scalar::integer(node, 0, 10_000));
    if let (Some(_), Some(_), Some(at)) = (percent, count, at) {
        diagnostics.push(
            Diagnostic::error(at, "`max_failures` stands beside `max_fail_percentage`")
                .help("keep one of the two".to_owned()),
        );
    }
    count.map(Budget::Failures).or(percent.map(Budget::Percent))
}

/// A percentage, with or without its sign.
fn percent(node: &Node, least: u32) -> Result<u32, Mismatch> {
    let wrong = || {
        Mismatch::new(format!("needs a percentage from {least} to 100, found {}", node.kind()))
            .help("write `\"25%\"`".to_owned())
    };
    let Value::Scalar { text, .. } = &node.value else { return Err(wrong()) };
    let text = text.trim();
    let number = text.strip_suffix('%').unwrap_or(text).trim_end().parse::<u32>().ok();
    number.filter(|number| (least..=100).contains(number)).ok_or_else(wrong)
}
