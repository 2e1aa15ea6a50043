//! What hosts say of the organisation, DAG, cluster or farm that they belong to, beside the inventory.

use serde::Serialize;

use crate::model::host::HostName;
use crate::model::plan::Plan;
use crate::model::preflight::Check;
use crate::model::preflight::Finding;
use crate::model::preflight::Status;
use crate::plan::fold::compress;
use crate::report::answers::pieces;
use crate::report::plural;
use crate::report::style::Style;
use crate::report::style::Tint;

/// What several hosts say alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Members {
    pub hosts: Vec<HostName>,
    pub finding: Finding,
}

/// Everything that was asked about completeness, the worst first.
pub fn of(plan: &Plan) -> Vec<Members> {
    let mut all: Vec<Members> = Vec::new();
    for host in plan.hosts.values() {
        for finding in &host.findings {
            if finding.id != Check::InventoryComplete.id() {
                continue;
            }
            let alike = |own: &&mut Members| {
                let known = &own.finding;
                (known.status, &known.expected, &known.found)
                    == (finding.status, &finding.expected, &finding.found)
            };
            match all.iter_mut().find(alike) {
                Some(own) => own.hosts.push(host.name.clone()),
                None => {
                    all.push(Members { hosts: vec![host.name.clone()], finding: finding.clone() });
                }
            }
        }
    }
    all.sort_by_key(|own| own.finding.status);
    all
}

pub fn render(all: &[Members], style: Style, columns: usize) -> String {
    let mut lines = Vec::new();
    let room = columns.saturating_sub(14).max(24);
    for Members { hosts, finding } in all {
        let (tint, verb) = match finding.status {
            Status::Block | Status::Warn => (Tint::Bad, "Differs"),
            Status::NotRead => (Tint::Change, "Not read"),
            Status::Ok => (Tint::Good, "Agrees"),
        };
        let text = format!(
            "{}: {}; expected {} ({})",
            compress(hosts),
            finding.found,
            finding.expected,
            finding.source
        );
        for (place, part) in pieces(&text, room).iter().enumerate() {
            let verb = if place == 0 { verb } else { "" };
            lines.push(
                style.line(&format!("{}  {part}", style.paint(tint, &format!("{verb:>12}")))),
            );
        }
    }
    let count = |status: Status| all.iter().filter(|own| own.finding.status == status).count();
    let differs = count(Status::Block) + count(Status::Warn);
    lines.push(format!(
        "{}: {} agree, {differs} differ, {} not read; what was not read proves nothing",
        plural::count(all.len(), "answer"),
        count(Status::Ok),
        count(Status::NotRead),
    ));
    lines.join("\n") + "\n"
}
