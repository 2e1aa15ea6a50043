//! Playbooks: the part of `features.md` 4.3 and 4.4 that this version keeps.
//!
//! A key of the format that is not honoured is an error that says so: a gate that is not checked
//! would be worse than none.

mod stage;

use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::source::Source;
use crate::manifest::tree;
use crate::manifest::tree::Node;
use crate::model::care::Care;
use crate::model::conditions::Conditions;
use crate::model::rollout::Budget;
use crate::model::rollout::Limits;
use crate::model::rollout::Playbook;
use crate::model::rollout::RestartSettings;

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
    let stages = stage::stages(&mut fields, defaults.budget, diagnostics);
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
        restart_groups: Vec::new(),
        stages: stages?,
        conditions: Conditions::default(),
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
    defaults.budget = stage::budget(&mut inner, diagnostics).unwrap_or(defaults.budget);
    defaults.count_unreachable_as_failed =
        inner.read("count_unreachable_as_failed", diagnostics, scalar::boolean).unwrap_or(true);
    inner.refuse("on_abort", "hosts in flight are always finished", diagnostics);
    inner.finish(diagnostics);
    defaults
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
    let usual = |minutes: u32| RestartSettings {
        max_unavailable: 1,
        timeout: minutes * 60,
        care: Care::default(),
    };
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

/// The mapping under a key, if the key is there.
fn open<'n>(
    fields: &mut Fields<'n>,
    key: &'static str,
    diagnostics: &mut Diagnostics,
) -> Option<Fields<'n>> {
    let entry = fields.take(key)?;
    Fields::open(&entry.value, key, entry.key.span, diagnostics)
}
