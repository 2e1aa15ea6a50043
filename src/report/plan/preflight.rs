//! Findings of the checks: the worst first, alike ones folded.

use crate::model::host::HostName;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::preflight::Finding;
use crate::model::preflight::Status;
use crate::plan::fold::compress;
use crate::report::plan::RenderOptions;
use crate::report::plan::more;
use crate::report::plan::wrap::wrap;
use crate::report::plural::count;
use crate::report::style::Sign;
use crate::report::style::Tint;

/// Without `full`: groups of findings shown.
const GROUPS: usize = 6;

pub(super) fn lines(plan: &Plan, options: &RenderOptions) -> Vec<String> {
    let all: Vec<&Finding> = plan.hosts.values().flat_map(|host| &host.findings).collect();
    if all.is_empty() {
        return Vec::new();
    }
    let number = |status: Status| all.iter().filter(|finding| finding.status == status).count();
    let counts: Vec<String> = [Status::Block, Status::Warn, Status::NotRead, Status::Ok]
        .into_iter()
        .filter(|status| number(*status) > 0)
        .map(|status| format!("{} {}", number(status), word(status)))
        .collect();
    let title = format!("PREFLIGHT  {}: {}", count(all.len(), "finding"), counts.join(", "));
    let mut lines = vec![options.style.paint(Tint::Strong, &title)];
    let groups = groups(plan);
    if options.full {
        lines.extend(groups.iter().flat_map(|(one, hosts)| group(one, hosts, options)));
        return lines;
    }
    // What blocks is told below, with what to do about it.
    let warned: Vec<_> = groups.iter().filter(|(one, _)| one.status == Status::Warn).collect();
    lines.extend(warned.iter().take(GROUPS).flat_map(|(one, hosts)| group(one, hosts, options)));
    lines.extend(more(warned.len().saturating_sub(GROUPS), "warning"));
    lines.extend(unread(&groups, options));
    lines
}

type Group<'a> = (&'a Finding, Vec<HostName>);

/// Findings that say the same of several hosts, whenever each was asked.
fn groups(plan: &Plan) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for host in plan.hosts.values() {
        for finding in &host.findings {
            let alike = |(other, _): &&mut Group<'_>| {
                let key = |one: &Finding| (one.status, one.id.clone(), one.found.clone());
                key(other) == key(finding)
                    && other.expected == finding.expected
                    && other.waived == finding.waived
            };
            match groups.iter_mut().find(alike) {
                Some((_, hosts)) if hosts.last() == Some(&host.name) => {}
                Some((_, hosts)) => hosts.push(host.name.clone()),
                None => groups.push((finding, vec![host.name.clone()])),
            }
        }
    }
    groups.sort_by_key(|(finding, hosts)| (finding.status, std::cmp::Reverse(hosts.len())));
    groups
}

fn group(finding: &Finding, hosts: &[HostName], options: &RenderOptions) -> Vec<String> {
    let sign = match finding.status {
        Status::Block => options.style.paint(Tint::Bad, options.style.sign(Sign::Cross)),
        Status::Warn => options.style.paint(Tint::Change, "!"),
        Status::NotRead => "?".to_owned(),
        Status::Ok => options.style.paint(Tint::Good, options.style.sign(Sign::Tick)),
    };
    let waived = finding.waived.as_ref().map_or("", |_| " (waived)");
    let text = format!(
        "{}  {}{waived}: found {}; expected {}",
        compress(hosts),
        finding.id,
        finding.found,
        finding.expected
    );
    wrap(&format!("{sign} "), &text, 4, options.width)
}

/// One line for everything that nobody could read: it is neither good nor bad.
fn unread(groups: &[Group<'_>], options: &RenderOptions) -> Vec<String> {
    let mut ids: Vec<&str> = Vec::new();
    let mut hosts: Vec<HostName> = Vec::new();
    for (finding, of) in groups.iter().filter(|(one, _)| one.status == Status::NotRead) {
        if !ids.contains(&finding.id.as_str()) {
            ids.push(&finding.id);
        }
        hosts.extend(of.iter().cloned());
    }
    if ids.is_empty() {
        return Vec::new();
    }
    hosts.sort();
    hosts.dedup();
    let text = format!("not read: {}, on {} (--full)", ids.join(", "), count(hosts.len(), "host"));
    wrap("? ", &text, 4, options.width)
}

/// Every finding of one host, with source and time.
pub(super) fn of_host(host: &PlannedHost, options: &RenderOptions) -> Vec<String> {
    let mut findings: Vec<&Finding> = host.findings.iter().collect();
    findings.sort_by_key(|finding| finding.status);
    let mut lines = Vec::new();
    if !findings.is_empty() {
        lines.push(count(findings.len(), "finding"));
    }
    for finding in findings {
        let tint = match finding.status {
            Status::Block => Tint::Bad,
            Status::Warn => Tint::Change,
            Status::NotRead | Status::Ok => Tint::Plain,
        };
        let waived = match finding.waived.as_deref() {
            Some("") => " (waived)".to_owned(),
            Some(reason) => format!(" (waived: {reason})"),
            None => String::new(),
        };
        let status = options.style.paint(tint, &format!("{:<8}  ", word(finding.status)));
        let text = format!("{}  found {}{waived}", finding.id, finding.found);
        lines.extend(wrap(&status, &text, 6, options.width));
        lines.extend(wrap("", &format!("expected {}", finding.expected), 18, options.width));
        let time = finding.time.strftime("%Y-%m-%d %H:%M:%SZ");
        lines.extend(wrap("", &format!("by {}, {time}", finding.source), 18, options.width));
    }
    lines
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Block => "block",
        Status::Warn => "warn",
        Status::NotRead => "not read",
        Status::Ok => "ok",
    }
}
