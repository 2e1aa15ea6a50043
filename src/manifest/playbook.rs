//! Playbooks: the part of `features.md` 4.3 and 4.4 that this version keeps.
//!
//! A key of the format that is not honoured is an error that says so: an approval that is not asked
//! for would be worse than none.

mod clock;
mod file_object;
mod gates;
mod hooks;
mod org_step;
pub mod places;
mod preflight;
mod reports;
mod restart;
mod stage;

use std::collections::BTreeMap;

use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::source::Source;
use crate::manifest::tree;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::conditions::Approvals;
use crate::model::conditions::Conditions;
use crate::model::rollout::Budget;
use crate::model::rollout::Limits;
use crate::model::rollout::OnAbort;
use crate::model::rollout::PerHost;
use crate::model::rollout::Playbook;
use crate::model::rollout::Variants;

const PLAN_VALID_HOURS: u32 = 72;
const VARIANTS: [(&str, Variants); 2] =
    [("keep", Variants::Keep), ("converge", Variants::Converge)];

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
    let inventory = text(&mut fields, "inventory", diagnostics);
    let credentials = text(&mut fields, "credentials", diagnostics);
    let rules = fields.read("rules", diagnostics, rule_pack);
    let (limits, per_host) = limits(&mut fields, diagnostics);
    let defaults = defaults(&mut fields, diagnostics);
    let mut conditions = Conditions {
        windows: clock::windows(&mut fields, diagnostics),
        gates: gates::gates(&mut fields, diagnostics),
        hooks: hooks::hooks(&mut fields, diagnostics),
        reports: reports::reports(&mut fields, diagnostics),
        ..Conditions::default()
    };
    conditions.around = hooks::around(&mut fields, &conditions.hooks, diagnostics);
    let plan_valid_hours = change(&mut fields, &mut conditions, diagnostics);
    let marks = fields.read("marks", diagnostics, scalar::boolean).unwrap_or(true);
    let restarts = restart::restarts(&mut fields, &conditions, diagnostics);
    let stages = stage::stages(&mut fields, defaults.budget, &conditions, diagnostics);
    let variants = fields
        .read("variants", diagnostics, |node| scalar::choice(node, &VARIANTS))
        .unwrap_or_default();
    let preflight = preflight::preflight(&mut fields, diagnostics);
    fields.finish(diagnostics);
    Some(Playbook {
        name: name?,
        description,
        inventory,
        credentials,
        rules,
        limits,
        per_host,
        on_abort: defaults.on_abort,
        count_unreachable_as_failed: defaults.count_unreachable_as_failed,
        plan_valid_hours,
        marks,
        restart_exchange: restarts.exchange,
        restart_sharepoint: restarts.sharepoint,
        restart_fci: restarts.fci,
        restart_groups: restarts.groups,
        stages: stages?,
        conditions,
        preflight,
        variants,
    })
}

fn text(
    fields: &mut Fields<'_>,
    key: &'static str,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    fields.read(key, diagnostics, |node| scalar::text(node).map(str::to_owned))
}

/// `builtin/VERSION`, or the id and version of a pack that `--rules` brings.
fn rule_pack(node: &Node) -> Result<String, Mismatch> {
    let text = scalar::text(node)?;
    match text.split_once('/') {
        Some((pack, version)) if !pack.is_empty() && !version.is_empty() => Ok(text.to_owned()),
        Some(_) | None => {
            Err(Mismatch::new(format!("needs a rule pack and its version, found {}", node.kind()))
                .help("write `builtin/VERSION`; rmsfleet rules list shows the version".to_owned()))
        }
    }
}

fn limits(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> (Limits, PerHost) {
    let (mut limits, mut per_host) = (Limits::default(), PerHost::default());
    let Some(mut inner) = open(fields, "limits", diagnostics) else { return (limits, per_host) };
    let count = |node: &Node| scalar::integer(node, 1, 500);
    limits.forks = inner.read("forks", diagnostics, count).unwrap_or(limits.forks);
    if let Some(mut throttle) = open(&mut inner, "throttle", diagnostics) {
        limits.restart = throttle.read("restart", diagnostics, count).unwrap_or(limits.restart);
        let shells = throttle.read("exchange_shell", diagnostics, count);
        limits.exchange_shell = shells.unwrap_or(limits.exchange_shell);
        throttle.finish(diagnostics);
    }
    if let Some(mut host) = open(&mut inner, "per_host", diagnostics) {
        host.read("shells", diagnostics, |node| {
            scalar::integer(node, 1, 1)
                .map_err(|wrong| wrong.help("a host is never given more than one shell".to_owned()))
        });
        let timeout = |node: &Node| {
            scalar::seconds(node).and_then(|seconds| match seconds {
                1..=3600 => Ok(seconds),
                _ => Err(Mismatch::new("needs at most an hour").help("write `60s`".to_owned())),
            })
        };
        per_host.connect_timeout = host.read("connect_timeout", diagnostics, timeout);
        per_host.operation_timeout = host.read("operation_timeout", diagnostics, timeout);
        let retries = host.read("retries", diagnostics, |node| scalar::integer(node, 0, 10));
        limits.retries = retries.unwrap_or(limits.retries);
        host.finish(diagnostics);
    }
    inner.finish(diagnostics);
    (limits, per_host)
}

struct Defaults {
    budget: Budget,
    count_unreachable_as_failed: bool,
    on_abort: OnAbort,
}

/// The words of `on_abort`.
const ON_ABORT: [(&str, OnAbort); 2] = [
    ("finish-in-flight", OnAbort::FinishInFlight),
    ("stop-at-safe-point", OnAbort::StopAtSafePoint),
];

fn defaults(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Defaults {
    let mut defaults = Defaults {
        budget: Budget::Percent(0),
        count_unreachable_as_failed: true,
        on_abort: OnAbort::default(),
    };
    let Some(mut inner) = open(fields, "defaults", diagnostics) else { return defaults };
    defaults.budget = stage::budget(&mut inner, diagnostics).unwrap_or(defaults.budget);
    defaults.count_unreachable_as_failed =
        inner.read("count_unreachable_as_failed", diagnostics, scalar::boolean).unwrap_or(true);
    defaults.on_abort = inner
        .read("on_abort", diagnostics, |node| scalar::choice(node, &ON_ABORT))
        .unwrap_or_default();
    inner.finish(diagnostics);
    defaults
}

/// `change`: its id and freezes go to the conditions; `plan_valid_for` comes back, in hours.
fn change(
    fields: &mut Fields<'_>,
    conditions: &mut Conditions,
    diagnostics: &mut Diagnostics,
) -> u32 {
    let Some(mut inner) = open(fields, "change", diagnostics) else { return PLAN_VALID_HOURS };
    conditions.change = inner.read("id", diagnostics, |node| scalar::text(node).map(str::to_owned));
    conditions.freezes = clock::freezes(&mut inner, diagnostics);
    conditions.approvals = approvals(&mut inner, diagnostics);
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

/// Where the allowed signers stand beside a playbook that does not say.
const SIGNERS: &str = "allowed_signers";

/// `approvals: { required: 2, distinct_from_author: true, signers: FILE }`. The file's digest and
/// the plan's author are filled in where files are read.
fn approvals(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Approvals> {
    let mut inner = open(fields, "approvals", diagnostics)?;
    let required = inner.require("required", diagnostics, |node| scalar::integer(node, 1, 10));
    let distinct = inner.read("distinct_from_author", diagnostics, scalar::boolean);
    let signers = text(&mut inner, "signers", diagnostics);
    inner.finish(diagnostics);
    Some(Approvals {
        required: required?,
        distinct_from_author: distinct.unwrap_or(true),
        allowed_signers: String::new(),
        signers: signers.unwrap_or_else(|| SIGNERS.to_owned()),
        author: String::new(),
    })
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

/// A mapping of names to things of one kind.
fn named<T>(
    fields: &mut Fields<'_>,
    key: &'static str,
    diagnostics: &mut Diagnostics,
    mut read: impl FnMut(&Node, &mut Diagnostics) -> Option<T>,
) -> BTreeMap<String, T> {
    let Some(entry) = fields.take(key) else { return BTreeMap::new() };
    // Only to complain of what is no mapping.
    Fields::open(&entry.value, key, entry.key.span, diagnostics);
    let Value::Mapping(entries) = &entry.value.value else { return BTreeMap::new() };
    let mut things = BTreeMap::new();
    for entry in entries {
        if let Some(thing) = read(&entry.value, diagnostics) {
            things.insert(entry.key.text.clone(), thing);
        }
    }
    things
}
