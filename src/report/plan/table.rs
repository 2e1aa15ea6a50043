//! The summary, first and last.

use serde::Serialize;

use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedWork;
use crate::model::plan::Scope;
use crate::model::product::Role;
use crate::model::verdict::RestartNeed;
use crate::report::plan::RenderOptions;
use crate::report::plan::in_scope;
use crate::report::plan::wrap::wrap;
use crate::report::plural::count;
use crate::report::style::Sign;
use crate::report::style::Style;
use crate::report::style::Tint;

/// The numbers of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    pub(super) values: usize,
    pub(super) hosts: usize,
    pub(super) sets: usize,
    pub(super) organisation_steps: usize,
    pub(super) restarts: usize,
    pub(super) blocked: usize,
    pub(super) equal: usize,
    pub(super) out_of_scope: usize,
    pub(super) connectors: usize,
}

impl Summary {
    pub(super) fn of(plan: &Plan, sets: usize) -> Self {
        let working = || in_scope(plan).filter(|host| host.has_work());
        Self {
            values: working().map(|host| host.changes.len()).sum(),
            hosts: working().count(),
            sets,
            organisation_steps: plan
                .stages
                .iter()
                .filter(|stage| match &stage.work {
                    PlannedWork::Hosts { .. } => false,
                    PlannedWork::Step(step) => !step.satisfied,
                })
                .count(),
            restarts: working().filter(|host| host.restart).count(),
            blocked: in_scope(plan).filter(|host| host.is_blocked()).count(),
            equal: in_scope(plan).filter(|host| is_equal(host)).count(),
            out_of_scope: plan
                .hosts
                .values()
                .filter(|host| matches!(host.scope, Scope::OutOfScope(_)))
                .count(),
            connectors: plan.hosts.values().filter(|host| host.scope == Scope::Connector).count(),
        }
    }
}

pub(super) fn head(plan: &Plan, options: &RenderOptions) -> Vec<String> {
    let style = options.style;
    let dot = style.sign(Sign::Dot);
    let lab = if plan.lab { "  (lab: simulated hosts)" } else { "" };
    let connectors = plan.hosts.values().filter(|host| host.scope == Scope::Connector).count();
    let mut facts = vec![count(plan.hosts.len(), "host"), format!("rules {}", plan.rules)];
    if connectors > 0 {
        facts.push(count(connectors, "read-only connector"));
    }
    facts.push(format!("made {}", minute(plan.created)));
    let title = match &plan.undoes {
        None => format!("rmsfleet plan  {}{lab}", plan.playbook),
        Some(undoes) => format!("rmsfleet undo  run {}, {}{lab}", undoes.run, plan.playbook),
    };
    let title = style.paint(Tint::Strong, &title);
    let mut lines = vec![title];
    lines.extend(wrap("", &facts.join(&format!(" {dot} ")), 0, options.width));
    lines.push(String::new());
    lines
}

pub(super) fn lines(plan: &Plan, summary: &Summary, style: Style) -> Vec<String> {
    let title = " role        hosts  change  equal  blocked  not in scope  restart";
    let mut lines = vec![style.paint(Tint::Faint, title)];
    for role in [Role::Exchange, Role::Sharepoint, Role::Fci] {
        let hosts: Vec<&PlannedHost> =
            plan.hosts.values().filter(|host| host.role == Some(role)).collect();
        if !hosts.is_empty() {
            lines.push(row(role, &hosts));
        }
    }
    let bare = plan.hosts.values().filter(|host| host.role.is_none()).count();
    if bare > 0 {
        lines.push(format!(" {:<10} {bare:>6}  {:>6} {:>6} {:>8} {bare:>13}", "no role", 0, 0, 0));
    }
    let rule = style.sign(Sign::Rule).repeat(7);
    lines.push(format!(
        " {rule} {} on {}, {} {rule}",
        count(summary.values, "value"),
        count(summary.hosts, "host"),
        count(summary.sets, "change set"),
    ));
    lines
}

fn row(role: Role, hosts: &[&PlannedHost]) -> String {
    let number = |test: fn(&PlannedHost) -> bool| hosts.iter().filter(|host| test(host)).count();
    let (out, restarts) = (number(|host| host.scope != Scope::InScope), restarts(role, hosts));
    format!(
        " {:<10} {:>6}  {:>6} {:>6} {:>8} {out:>13}  {restarts}",
        role.id(),
        hosts.len(),
        number(|host| host.scope == Scope::InScope && host.has_work()),
        number(|host| host.scope == Scope::InScope && is_equal(host)),
        number(|host| host.scope == Scope::InScope && host.is_blocked()),
    )
}

fn restarts(role: Role, hosts: &[&PlannedHost]) -> String {
    let working = || hosts.iter().filter(|host| host.has_work());
    let restarting = working().filter(|host| host.restart).count();
    let left = hosts
        .iter()
        .filter(|host| {
            !host.is_blocked() && !host.restart && host.verdict.need == RestartNeed::Required
        })
        .count();
    let why = match (role, restarting) {
        (_, 0) => "none".to_owned(),
        (Role::Fci, number) => format!("{number} always"),
        (Role::Exchange | Role::Sharepoint, number) => format!("{number} required (AD RMS)"),
        (Role::Connector, number) => number.to_string(),
    };
    if left > 0 { format!("{why}, {left} left owed") } else { why }
}

/// Read, and as wanted.
fn is_equal(host: &PlannedHost) -> bool {
    !host.is_blocked() && !host.has_work()
}

pub(super) fn foot(plan: &Plan, summary: &Summary, options: &RenderOptions) -> Vec<String> {
    let style = options.style;
    let dot = format!(" {} ", style.sign(Sign::Dot));
    let mut parts = Vec::new();
    if plan.has_work() {
        parts.push(format!("Plan  {}", count(summary.values, "value")));
        parts.push(count(summary.hosts, "host"));
        if summary.organisation_steps > 0 {
            parts.push(count(summary.organisation_steps, "org-wide step"));
        }
        parts.push(count(summary.restarts, "restart"));
    } else if summary.blocked == 0 && plan.blockers.is_empty() {
        parts.push("Nothing to do: every value was read and is as wanted".to_owned());
    } else {
        parts.push("Plan  nothing that can be done".to_owned());
    }
    if summary.blocked > 0 {
        parts.push(format!("{} blocked", summary.blocked));
    }
    if !plan.blockers.is_empty() {
        parts.push("the plan itself is blocked".to_owned());
    }
    let mut lines = vec![style.paint(Tint::Strong, &parts.join(&dot))];
    if let Some(digest) = &options.digest {
        // Not "sealed": that is said where a file was written.
        lines.push(format!("Digest  sha256 {digest}"));
        if plan.blockers.is_empty() {
            lines.push(format!("        valid until {}", minute(plan.valid_until)));
        }
    }
    lines
}

/// To the minute, in UTC: `2026-11-02 20:00Z`.
pub(super) fn minute(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%MZ").to_string()
}
