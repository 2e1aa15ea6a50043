//! One host's part of a plan, in full.

use crate::model::change::Change;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedWork;
use crate::model::plan::Scope;
use crate::model::rules::Support;
use crate::report::diff;
use crate::report::plan::RenderOptions;
use crate::report::plan::finding;
use crate::report::plan::preflight;
use crate::report::plan::remark;
use crate::report::plan::restarts;
use crate::report::plan::wrap::wrap;
use crate::report::plural::count;
use crate::report::style::Tint;

pub(super) fn lines(plan: &Plan, host: &PlannedHost, options: &RenderOptions) -> Vec<String> {
    let style = options.style;
    let mut lines = vec![style.paint(Tint::Strong, host.name.as_str())];
    lines.extend(about(host));
    match &host.scope {
        Scope::InScope => {}
        Scope::Connector => lines.push("    a connector node: read, never written".to_owned()),
        Scope::OutOfScope(why) => lines.push(format!("    out of scope: {why}")),
    }
    if !host.changes.is_empty() {
        let values: Vec<&Change> = host.changes.iter().collect();
        lines.push(format!("{} to change", count(values.len(), "value")));
        lines.extend(diff::changes(&values, options.width, style));
    }
    if !host.equal.is_empty() {
        lines.push(format!("{} as wanted", count(host.equal.len(), "value")));
        for (path, state) in &host.equal {
            lines.push(format!("      {path}"));
            lines.push(format!("        {state}"));
        }
    }
    if host.scope == Scope::InScope {
        let verdict = &host.verdict;
        let head = restarts::heading(style, verdict.need, host.restart);
        lines.push(format!("restart {head}  rule {}", verdict.rule));
        lines.extend(verdict.evidence.iter().flat_map(|one| restarts::piece(one, options.width)));
    }
    lines.extend(place(plan, host));
    lines.extend(preflight::of_host(host, options));
    if let Some(account) = &host.authorise {
        lines.extend(wrap("", &format!("authorise at the connector: {account}"), 0, options.width));
    }
    for blocker in &host.blockers {
        lines.extend(finding(options, host.name.as_str(), blocker));
    }
    for note in &host.notes {
        lines.extend(remark(note, "", options));
    }
    lines
}

fn about(host: &PlannedHost) -> Vec<String> {
    let mut lines = Vec::new();
    let role = host.role.map_or("no role", crate::model::product::Role::id);
    let product = host.product.map_or("product unknown", crate::model::product::Product::id);
    let support = match host.support {
        Some(Support::Documented) => ", documented",
        Some(Support::Undocumented) => ", undocumented",
        Some(Support::Unsupported) => ", unsupported",
        None => "",
    };
    lines.push(format!("    {role}, {product}{support}"));
    lines.push(format!("    {} as `{}`", host.endpoint.url(), host.credential));
    if let Some(identity) = &host.identity {
        let domain = identity.domain.as_deref().unwrap_or("a workgroup");
        lines.push(format!("    says it is {} of {domain}", identity.computer));
    }
    let domains: Vec<String> = host
        .domains
        .iter()
        .map(|domain| format!("{} (at most {} down)", domain.id, domain.max_unavailable))
        .collect();
    if !domains.is_empty() {
        lines.push(format!("    {}", domains.join(", ")));
    }
    lines
}

fn place(plan: &Plan, host: &PlannedHost) -> Option<String> {
    plan.stages.iter().find_map(|stage| match &stage.work {
        PlannedWork::Hosts { batches, .. } => batches
            .iter()
            .position(|batch| batch.contains(&host.name))
            .map(|at| format!("stage `{}`, batch {} of {}", stage.name, at + 1, batches.len())),
        PlannedWork::Step(_) => None,
    })
}
