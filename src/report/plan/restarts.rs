//! Restarts with their verdicts: who, in which order, why, and why not.

use std::collections::BTreeMap;

use crate::model::host::HostName;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedWork;
use crate::model::verdict::Evidence;
use crate::model::verdict::RestartNeed;
use crate::model::verdict::Weight;
use crate::plan::fold::compress;
use crate::report::plan::RenderOptions;
use crate::report::plan::in_scope;
use crate::report::plan::wrap::wrap;
use crate::report::plural::count;
use crate::report::style::Sign;
use crate::report::style::Style;
use crate::report::style::Tint;

/// Without `full`: verdicts shown, reasons shown of each, hosts shown in order one by one.
const VERDICTS: usize = 6;
const REASONS: usize = 2;
const ORDERED: usize = 6;

pub(super) fn lines(plan: &Plan, options: &RenderOptions) -> Vec<String> {
    let style = options.style;
    let restarting = in_scope(plan).filter(|host| host.has_work() && host.restart).count();
    let mut lines = Vec::new();
    for stage in &plan.stages {
        match &stage.work {
            PlannedWork::Hosts { restarts, .. } if !restarts.is_empty() => {
                lines.push(format!("    {}  {}", stage.name, order(restarts, options)));
            }
            PlannedWork::Hosts { .. } | PlannedWork::Step(_) => {}
        }
    }
    lines.extend(verdicts(plan, options));
    if !lines.is_empty() {
        let limits = limits(plan);
        let comma = if limits.is_empty() { "" } else { ", " };
        let title = format!("RESTARTS  {restarting}{comma}{limits}");
        lines.insert(0, style.paint(Tint::Strong, &title));
    }
    lines
}

fn order(hosts: &[HostName], options: &RenderOptions) -> String {
    if hosts.len() > ORDERED && !options.full {
        return format!("{}: {}", count(hosts.len(), "host"), compress(hosts));
    }
    let names: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
    names.join(&format!(" {} ", options.style.sign(Sign::Arrow)))
}

/// `at most 1 per dag, 2 per site`, for the domains of the hosts that restart.
fn limits(plan: &Plan) -> String {
    let mut kinds: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for host in in_scope(plan).filter(|host| host.has_work() && host.restart) {
        for domain in &host.domains {
            let own = domain.max_unavailable;
            let (least, most) = kinds.entry(kind(&domain.id)).or_insert((own, own));
            (*least, *most) = (own.min(*least), own.max(*most));
        }
    }
    let words = kinds.into_iter().map(|(kind, (least, most))| {
        if least == most {
            format!("{most} per {kind}")
        } else {
            format!("{least} to {most} per {kind}")
        }
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { String::new() } else { format!("at most {}", words.join(", ")) }
}

/// `dag` of `dag:DAG1`, since all DAGs share a limit; a role is named.
fn kind(id: &str) -> String {
    match id.split_once(':') {
        Some(("role", role)) => format!("role {role}"),
        Some((kind, _)) => kind.to_owned(),
        None => id.to_owned(),
    }
}

type Group<'a> = (RestartNeed, &'a str, bool, Vec<&'a Evidence>);

/// Hosts with the same verdict for the same reasons are told together.
fn verdicts(plan: &Plan, options: &RenderOptions) -> Vec<String> {
    let mut groups: Vec<(Group<'_>, Vec<HostName>)> = Vec::new();
    for host in in_scope(plan).filter(|host| concerns(host)) {
        let verdict = &host.verdict;
        let told = told(host, options.full);
        let group = (verdict.need, verdict.rule.as_str(), host.restart, told);
        match groups.iter_mut().find(|(other, _)| *other == group) {
            Some((_, hosts)) => hosts.push(host.name.clone()),
            None => groups.push((group, vec![host.name.clone()])),
        }
    }
    groups.sort_by_key(|((need, _, _, _), hosts)| (*need, std::cmp::Reverse(hosts.len())));
    let shown = if options.full { usize::MAX } else { VERDICTS };
    let mut lines = Vec::new();
    for ((need, rule, restart, evidence), hosts) in groups.iter().take(shown) {
        let head = heading(options.style, *need, *restart);
        lines.push(format!("    {head}  {}  rule {rule}", compress(hosts)));
        let reasons = if options.full { usize::MAX } else { REASONS };
        lines.extend(evidence.iter().take(reasons).flat_map(|one| piece(one, options.width)));
        let places = hosts.first().and_then(|name| plan.hosts.get(name)).map_or(0, places);
        if evidence.is_empty() && places > 0 {
            lines.push(format!("      not seen  AD RMS, in {}", count(places, "place")));
        }
        let hidden = evidence.len().saturating_sub(reasons);
        if hidden > 0 {
            lines.push(format!("      and {hidden} more (--full)"));
        }
    }
    let hidden = groups.len().saturating_sub(shown);
    if hidden > 0 {
        lines.push(format!("      and {} more (--full)", count(hidden, "verdict")));
    }
    lines
}

/// A verdict worth telling: something changes, or a restart is due. Blocked hosts are told apart.
fn concerns(host: &PlannedHost) -> bool {
    let owes = host.restart_owed.is_some() && !host.mark_paid;
    !host.is_blocked() && (!host.changes.is_empty() || host.restart || owes)
}

/// How many places were looked at for traces.
fn places(host: &PlannedHost) -> usize {
    let looked_at = |one: &&Evidence| one.row.is_some() && one.weight != Weight::NotRead;
    host.verdict.evidence.iter().filter(looked_at).count()
}

/// In short, what speaks for a restart and what is not known; in full, everything that was found.
fn told(host: &PlannedHost, full: bool) -> Vec<&Evidence> {
    let evidence = &host.verdict.evidence;
    let telling = |one: &&Evidence| match one.weight {
        Weight::For | Weight::Unknown => true,
        Weight::Against | Weight::NotRead => full,
    };
    evidence.iter().filter(telling).collect()
}

pub(super) fn heading(style: Style, need: RestartNeed, restart: bool) -> String {
    let (tint, text) = match (need, restart) {
        (RestartNeed::Required, true) => (Tint::Change, "required"),
        (RestartNeed::Required, false) => (Tint::Bad, "required, left owed"),
        (RestartNeed::NotRequired, true) => (Tint::Change, "asked for by `rms_restart`"),
        (RestartNeed::NotRequired, false) => (Tint::Good, "not needed"),
        (RestartNeed::Unknown, _) => (Tint::Bad, "unknown"),
    };
    style.paint(tint, text)
}

pub(super) fn piece(evidence: &Evidence, width: usize) -> Vec<String> {
    let word = match evidence.weight {
        Weight::For => "because",
        Weight::Against => "against",
        Weight::Unknown => "unknown",
        Weight::NotRead => "not read",
    };
    let row = evidence.row.map_or_else(String::new, |row| format!(" (row {row})"));
    wrap(&format!("{word}  "), &format!("{}{row}", evidence.text), 6, width)
}
