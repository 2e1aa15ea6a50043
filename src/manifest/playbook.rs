//! Playbooks: the part of `features.md` 4.3 and 4.4 that this version keeps.
//!
//! A key of the format that is not honoured is an error that says so: a gate that is not checked
//! would be worse than none.

use std::collections::BTreeMap;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::pattern;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::source::Source;
use crate::manifest::source::Span;
use crate::manifest::tree;
use crate::manifest::tree::Entry;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::rollout::BatchSize;
use crate::model::rollout::Budget;
use crate::model::rollout::Limits;
use crate::model::rollout::Playbook;
use crate::model::rollout::PlaybookStage;
use crate::model::rollout::RestartSettings;
use crate::model::rollout::StageWork;

const FORKS: u32 = 20;
const RESTARTS: u32 = 1;
const PLAN_VALID_HOURS: u32 = 72;

const GATE: &str = "a gate that is not checked would be worse than none";
const WINDOW: &str = "a window that is not kept would be worse than none";
const APPROVAL: &str = "an approval that is not asked for would be worse than none";
const DRAIN: &str = "a restart here neither drains nor restores; do that around the run";
const FLAG: &str = "it is a flag of the command line";
const FIXED: &str = "this version has one fixed behaviour here";

/// Reads a playbook; all complaints come at once.
pub fn parse(source: &Source) -> Result<Playbook, Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    let playbook =
        tree::parse(source, &mut diagnostics).and_then(|root| read(&root, &mut diagnostics));
    diagnostics.settle(playbook).map(|(playbook, _)| playbook)
}

fn read(root: &Node, diagnostics: &mut Diagnostics) -> Option<Playbook> {
    let mut fields = Fields::open(root, "a playbook", root.span, diagnostics)?;
    fields.require("version", diagnostics, |node| scalar::integer(node, 1, 1));
    let name = fields.require("name", diagnostics, |node| scalar::text(node).map(str::to_owned));
    let description =
        fields.read("description", diagnostics, |node| scalar::prose(node).map(str::to_owned));
    for (key, why) in [
        ("inventory", FLAG),
        ("credentials", FLAG),
        ("rules", FLAG),
        ("windows", WINDOW),
        ("preflight", "the survey's own checks always run"),
        ("gates", GATE),
        ("hooks", "a hook that is not run would be worse than none"),
        ("reports", "reports are asked for on the command line"),
    ] {
        fields.refuse(key, why, diagnostics);
    }
    let limits = limits(&mut fields, diagnostics);
    let defaults = defaults(&mut fields, diagnostics);
    let plan_valid_hours = change(&mut fields, diagnostics);
    let marks = fields.read("marks", diagnostics, scalar::boolean).unwrap_or(true);
    let restarts = restarts(&mut fields, diagnostics);
    let stages = stages(&mut fields, defaults.budget, diagnostics);
    fields.finish(diagnostics);
    let [restart_exchange, restart_sharepoint, restart_fci] = restarts;
    Some(Playbook {
        name: name?,
        description,
        limits,
        count_unreachable_as_failed: defaults.count_unreachable_as_failed,
        plan_valid_hours,
        marks,
        restart_exchange,
        restart_sharepoint,
        restart_fci,
        stages: stages?,
    })
}

fn limits(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Limits {
    let mut limits = Limits { forks: FORKS, restart: RESTARTS };
    let Some(mut inner) = open(fields, "limits", diagnostics) else { return limits };
    let count = |node: &Node| scalar::integer(node, 1, 500);
    limits.forks = inner.read("forks", diagnostics, count).unwrap_or(FORKS);
    inner.refuse("per_host", "time limits of a host stand in the inventory", diagnostics);
    if let Some(mut throttle) = open(&mut inner, "throttle", diagnostics) {
        limits.restart = throttle.read("restart", diagnostics, count).unwrap_or(RESTARTS);
        throttle.refuse("exchange_shell", FIXED, diagnostics);
        throttle.finish(diagnostics);
    }
    inner.finish(diagnostics);
    limits
}

struct Defaults {
    budget: Budget,
    count_unreachable_as_failed: bool,
}

fn defaults(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Defaults {
    let mut defaults = Defaults { budget: Budget::Percent(0), count_unreachable_as_failed: true };
    let Some(mut inner) = open(fields, "defaults", diagnostics) else { return defaults };
    defaults.budget = budget(&mut inner, diagnostics).unwrap_or(defaults.budget);
    defaults.count_unreachable_as_failed =
        inner.read("count_unreachable_as_failed", diagnostics, scalar::boolean).unwrap_or(true);
    inner.refuse("on_abort", "hosts in flight are always finished", diagnostics);
    inner.finish(diagnostics);
    defaults
}

/// `max_fail_percentage` or `max_failures`, not both.
fn budget(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Budget> {
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

/// `change.plan_valid_for`, in hours.
fn change(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> u32 {
    let Some(mut inner) = open(fields, "change", diagnostics) else { return PLAN_VALID_HOURS };
    inner.refuse("id", "nothing is kept of it yet", diagnostics);
    inner.refuse("approvals", APPROVAL, diagnostics);
    inner.refuse("freeze", WINDOW, diagnostics);
    let hours = inner.read("plan_valid_for", diagnostics, |node| {
        let seconds = scalar::seconds(node)?;
        if seconds % 3600 == 0 {
            Ok(seconds / 3600)
        } else {
            Err(Mismatch::new(format!("needs whole hours, found {}", node.kind()))
                .help("write `72h` or `3d`".to_owned()))
        }
    });
    inner.finish(diagnostics);
    hours.unwrap_or(PLAN_VALID_HOURS)
}

/// Exchange, SharePoint, FCI: the failure domain each is counted in, and the time it may take.
fn restarts(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> [RestartSettings; 3] {
    let usual = |minutes: u32| RestartSettings { max_unavailable: 1, timeout: minutes * 60 };
    let mut settings = [usual(30), usual(20), usual(15)];
    let roles = [("exchange", "rms_dag"), ("sharepoint", "rms_farm"), ("fci", "rms_site")];
    let Some(mut inner) = open(fields, "restart", diagnostics) else { return settings };
    for ((role, domain), settings) in roles.into_iter().zip(&mut settings) {
        if let Some(mut role) = open(&mut inner, role, diagnostics) {
            restart(&mut role, domain, settings, diagnostics);
            role.finish(diagnostics);
        }
    }
    inner.finish(diagnostics);
    settings
}

fn restart(
    fields: &mut Fields<'_>,
    domain: &'static str,
    settings: &mut RestartSettings,
    diagnostics: &mut Diagnostics,
) {
    for (key, why) in [
        ("when", "the rule is fixed: file servers always, the others if they used AD RMS"),
        ("drain", DRAIN),
        ("restore", DRAIN),
        ("order", "hosts restart in the order of the inventory"),
        ("boot_proof", "a later boot time and a second witness are always asked for"),
        ("warn_users", "a warning that is not sent would be worse than none"),
        ("gates_after", GATE),
    ] {
        fields.refuse(key, why, diagnostics);
    }
    if let Some(timeout) = fields.read("timeout", diagnostics, scalar::seconds) {
        settings.timeout = timeout;
    }
    if let Some(mut inner) = open(fields, "max_unavailable", diagnostics) {
        inner.require("per", diagnostics, |node| {
            scalar::choice(node, &[(domain, ())])
                .map_err(|wrong| wrong.help(format!("this role is counted per `{domain}`")))
        });
        let count = inner.require("count", diagnostics, |node| scalar::integer(node, 1, 1000));
        settings.max_unavailable = count.unwrap_or(1);
        inner.finish(diagnostics);
    }
}

fn stages(
    fields: &mut Fields<'_>,
    usual: Budget,
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
        diagnostics.push(Diagnostic::error(value.span, "`stages` is empty"));
    }
    let mut names: BTreeMap<String, Span> = BTreeMap::new();
    let mut organisation: Option<Span> = None;
    let mut stages = Vec::new();
    for item in items {
        let Some(stage) = stage(item, usual, diagnostics) else { continue };
        if let Some(first) = names.insert(stage.name.clone(), item.span) {
            diagnostics.push(
                Diagnostic::error(item.span, format!("a second stage is named `{}`", stage.name))
                    .related(first, "first here")
                    .help("give each stage its own name".to_owned()),
            );
        }
        if stage.work == StageWork::ExchangeIrm
            && let Some(first) = organisation.replace(item.span)
        {
            diagnostics.push(
                Diagnostic::error(item.span, "the organisation step stands here a second time")
                    .related(first, "first here")
                    .help("it runs once per organisation; keep one".to_owned()),
            );
        }
        stages.push(stage);
    }
    Some(stages)
}

fn stage(node: &Node, usual: Budget, diagnostics: &mut Diagnostics) -> Option<PlaybookStage> {
    let mut fields = Fields::open(node, "a stage", node.span, diagnostics)?;
    let name = fields.require("name", diagnostics, |node| scalar::text(node).map(str::to_owned));
    for (key, why) in [
        ("gates_before", GATE),
        ("gates_between", GATE),
        ("gates_after", GATE),
        ("vars", "set variables in the inventory or with `--var`"),
        ("identity", "the organisation is always found in the directory"),
        ("needs", "an organisation step always waits for every server of the organisation"),
        ("set", FIXED),
        ("mode", FIXED),
    ] {
        fields.refuse(key, why, diagnostics);
    }
    let hosts = fields.take("hosts");
    let work = match (fields.take("org_step"), hosts) {
        (Some(step), None) => org_step(step, diagnostics),
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
            None
        }
        (None, Some(_)) => {
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
            None
        }
    };
    fields.finish(diagnostics);
    Some(PlaybookStage { name: name?, work: work? })
}

fn org_step(entry: &Entry, diagnostics: &mut Diagnostics) -> Option<StageWork> {
    let step = scalar::choice(
        &entry.value,
        &[
            ("exchange.set-irm-configuration", Some(StageKind::ExchangeIrm)),
            ("sharepoint.use-this-rms-server", None),
        ],
    );
    match step {
        Ok(Some(StageKind::ExchangeIrm)) => Some(StageWork::ExchangeIrm),
        Ok(None) => {
            diagnostics.push(
                Diagnostic::error(
                    entry.value.span,
                    "`sharepoint.use-this-rms-server` is not supported by this version",
                )
                .help("remove the stage and set it in Central Administration".to_owned()),
            );
            None
        }
        Err(_) => {
            let near = crate::manifest::suggest::did_you_mean(
                &entry.value.inline(),
                ["exchange.set-irm-configuration"],
            );
            let message = format!("unknown organisation step {}", entry.value.kind());
            diagnostics.push(
                Diagnostic::error(entry.value.span, message).help(
                    near.unwrap_or_else(|| "write `exchange.set-irm-configuration`".to_owned()),
                ),
            );
            None
        }
    }
}

#[derive(Clone, Copy)]
enum StageKind {
    ExchangeIrm,
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
    if matches!(&node.value, Value::Scalar { text, .. } if text.contains('%')) {
        return percent(node, 1).map(BatchSize::Percent);
    }
    scalar::integer(node, 1, 10_000)
        .map(BatchSize::Count)
        .map_err(|wrong| wrong.help("write a number of hosts, or `\"25%\"` of them".to_owned()))
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

/// The mapping under a key, if the key is there.
fn open<'n>(
    fields: &mut Fields<'n>,
    key: &'static str,
    diagnostics: &mut Diagnostics,
) -> Option<Fields<'n>> {
    let entry = fields.take(key)?;
    Fields::open(&entry.value, key, entry.key.span, diagnostics)
}
