//! What a plan changes, what keeps it from that, and the way back.

use crate::model::change::Change;
use crate::model::plan::Plan;
use crate::model::plan::PlannedWork;
use crate::model::registry::State;
use crate::plan::fold::ChangeSet;
use crate::plan::fold::compress;
use crate::report::paper::Block;
use crate::report::paper::Cell;
use crate::report::paper::Mood;
use crate::report::paper::Table;
use crate::report::paper::build::heading;
use crate::report::plural::count;

pub(super) fn steps(plan: &Plan) -> Vec<Block> {
    let mut blocks = Vec::new();
    for stage in &plan.stages {
        let PlannedWork::Step(step) = &stage.work else { continue };
        if blocks.is_empty() {
            blocks.push(heading("Once, for everybody"));
        }
        if step.satisfied {
            blocks.push(Block::Text(format!("{}: as wanted already.", step.organisation)));
            continue;
        }
        blocks.push(Block::Alert(format!(
            "{} affects {}: {}. It waits for {}.",
            step.act.verb(),
            step.act.reach(&step.organisation),
            step.identity,
            count(step.needs.len(), "verified server"),
        )));
        let row = |setting: &crate::model::step::Setting| {
            vec![
                Cell::exact(setting.name.as_str()),
                Cell::exact(setting.before.to_string()),
                Cell::exact(setting.after.to_string()),
            ]
        };
        let rows = step.act.settings().iter().map(row).collect();
        blocks.push(Block::Table(Table { columns: vec!["Setting", "Before", "After"], rows }));
        let held: Vec<String> = step
            .missing
            .iter()
            .filter(|name| !step.waived.contains(name))
            .map(|name| format!("{name} is not in the inventory; it holds the step until waived"))
            .collect();
        if !held.is_empty() {
            blocks.push(Block::List(held));
        }
    }
    blocks
}

pub(super) fn blockers(plan: &Plan) -> Vec<Block> {
    let of_hosts = plan
        .hosts
        .values()
        .flat_map(|host| host.blockers.iter().map(move |blocker| (host.name.as_str(), blocker)));
    let all = plan.blockers.iter().map(|blocker| ("the plan", blocker)).chain(of_hosts);
    let rows: Vec<Vec<Cell>> = all
        .map(|(about, blocker)| {
            let id = Cell { text: blocker.id.clone(), mood: Mood::Bad };
            let hint = blocker.hint.clone().unwrap_or_default();
            vec![Cell::exact(about), id, Cell::plain(blocker.text.as_str()), Cell::plain(hint)]
        })
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let columns = vec!["Host", "Blocked by", "Found", "What to do"];
    vec![heading("Blocked"), Block::Table(Table { columns, rows })]
}

pub(super) fn values(sets: &[ChangeSet]) -> Vec<Block> {
    let mut blocks = Vec::new();
    for set in sets {
        if blocks.is_empty() {
            blocks.push(heading("Values"));
        }
        let odd = set.outlier_of.as_ref().map_or_else(String::new, |main| {
            format!(" These differ from set {main} of the same role.")
        });
        blocks.push(Block::Text(format!(
            "Set {} ({}): {}: {}.{odd}",
            set.id,
            set.digest,
            count(set.hosts.len(), "host"),
            compress(&set.hosts)
        )));
        let row = |change: &Change| {
            vec![
                Cell::exact(change.path.to_string()),
                Cell::exact(change.before.to_string()),
                Cell::exact(change.after.to_string()),
                Cell::plain(change.rule.as_str()),
            ]
        };
        let rows = set.changes.iter().map(row).collect();
        blocks
            .push(Block::Table(Table { columns: vec!["Value", "Before", "After", "Rule"], rows }));
    }
    blocks
}

pub(super) fn back_out(plan: &Plan, sets: &[ChangeSet]) -> Vec<Block> {
    let acts: Vec<String> = plan
        .stages
        .iter()
        .filter_map(|stage| match &stage.work {
            PlannedWork::Hosts { .. } => None,
            PlannedWork::Step(step) => Some(step),
        })
        .filter(|step| !step.satisfied)
        .map(|step| match step.act.inverse() {
            Some(act) => {
                let settings: Vec<String> = act
                    .settings()
                    .iter()
                    .map(|setting| format!("{} = {}", setting.name, setting.after))
                    .collect();
                format!("first {} for {}: {}", act.verb(), step.organisation, settings.join(", "))
            }
            None => format!("{} for {}: nothing to take back", step.act.verb(), step.organisation),
        })
        .collect();
    if acts.is_empty() && sets.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![
        heading("Back-out"),
        Block::Text(
            "The way back, from the states that were read. A value is taken back only where it still \
             holds what this plan wrote."
                .to_owned(),
        ),
    ];
    if !acts.is_empty() {
        blocks.push(Block::List(acts));
    }
    for set in sets {
        let row = |change: &Change| {
            let back = match &change.before {
                State::Absent => "deleted".to_owned(),
                State::Present(value) => value.to_string(),
            };
            vec![
                Cell::exact(change.path.to_string()),
                Cell::exact(change.after.to_string()),
                Cell::exact(back),
            ]
        };
        let rows = set.changes.iter().map(row).collect();
        blocks.push(Block::Text(format!("Set {}: {}", set.id, compress(&set.hosts))));
        blocks.push(Block::Table(Table { columns: vec!["Value", "From", "Back to"], rows }));
    }
    blocks
}
