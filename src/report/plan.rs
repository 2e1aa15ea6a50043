//! A plan for people, and as JSON: the same facts, in the order in which a reader needs them.

mod authorise;
mod clock;
mod host;
mod preflight;
mod programs;
mod restarts;
mod table;
mod wrap;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::host::HostName;
use crate::model::plan::Blocker;
use crate::model::plan::Note;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedWork;
use crate::model::plan::Scope;
use crate::model::step::Act;
use crate::model::step::FARM_SERVER;
use crate::model::step::Setting;
use crate::plan::fold::ChangeSet;
use crate::plan::fold::compress;
use crate::plan::fold::fold;
use crate::plan::host::BASIC_IN_CLEAR;
use crate::plan::host::TLS_IGNORED;
use crate::report::diff;
use crate::report::plan::wrap::wrap;
use crate::report::plural::count;
use crate::report::style::Sign;
use crate::report::style::Style;
use crate::report::style::Tint;

/// Without `full`: values shown of each set, sets of which values are shown, and findings shown.
const VALUES: usize = 3;
const SETS: usize = 3;
const FINDINGS: usize = 8;

/// How a plan is shown.
#[derive(Debug, Clone)]
pub struct RenderOptions {
    /// Columns of the terminal. Data is never cut for it, only laid out.
    pub width: usize,
    pub style: Style,
    /// Every value, every finding and every piece of evidence.
    pub full: bool,
    /// One host's part alone.
    pub host: Option<HostName>,
    /// The sealed plan's digest.
    pub digest: Option<String>,
    /// The moment that windows are looked at for; without one, when the plan was made.
    pub now: Option<Timestamp>,
}

/// The plan as text, with a line break at the end.
pub fn render(plan: &Plan, options: &RenderOptions) -> String {
    let lines = match options.host.as_ref().map(|name| (name, plan.hosts.get(name))) {
        Some((_, Some(host))) => host::lines(plan, host, options),
        Some((name, None)) => vec![format!("the plan has no host `{name}`")],
        None => whole(plan, options),
    };
    // What hosts say stands in many places of a plan; here it meets the terminal.
    lines.iter().map(|line| options.style.line(line) + "\n").collect()
}

/// The plan as one JSON document, with what is derived from it: sets and summary.
pub fn json(plan: &Plan, digest: Option<&str>) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Set {
        id: String,
        digest: String,
        hosts: Vec<HostName>,
        values: usize,
    }
    #[derive(Serialize)]
    struct Document<'a> {
        kind: &'static str,
        format: u32,
        digest: Option<&'a str>,
        summary: table::Summary,
        sets: Vec<Set>,
        plan: &'a Plan,
    }
    let sets = fold(plan);
    let document = Document {
        kind: "plan",
        format: plan.format,
        digest,
        summary: table::Summary::of(plan, sets.len()),
        sets: sets
            .into_iter()
            .map(|set| Set {
                id: set.id,
                digest: set.digest,
                hosts: set.hosts,
                values: set.changes.len(),
            })
            .collect(),
        plan,
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

fn whole(plan: &Plan, options: &RenderOptions) -> Vec<String> {
    let style = options.style;
    let sets = fold(plan);
    let summary = table::Summary::of(plan, sets.len());
    let mut lines = table::head(plan, options);
    lines.extend(table::lines(plan, &summary, style));
    for section in [
        values(&sets, options),
        steps(plan, options),
        restarts::lines(plan, options),
        stages(plan, options),
        clock::lines(plan, options),
        programs::on_hosts(plan, options),
        preflight::lines(plan, options),
        authorise::lines(plan, options),
        notes(plan, options),
        blocked(plan, options),
    ] {
        if !section.is_empty() {
            lines.push(String::new());
            lines.extend(section);
        }
    }
    lines.push(String::new());
    lines.extend(table::foot(plan, &summary, options));
    lines
}

fn values(sets: &[ChangeSet], options: &RenderOptions) -> Vec<String> {
    let mut lines = Vec::new();
    for (place, set) in sets.iter().enumerate() {
        let shown = match (options.full, place < SETS) {
            (true, _) => usize::MAX,
            (false, true) => VALUES,
            (false, false) => 0,
        };
        lines.extend(diff::change_set(set, shown, options.width, options.style));
    }
    lines
}

fn steps(plan: &Plan, options: &RenderOptions) -> Vec<String> {
    let mut lines = Vec::new();
    for stage in &plan.stages {
        match &stage.work {
            PlannedWork::Hosts { .. } => {}
            PlannedWork::Step(step) => lines.extend(step_box(plan, step, options)),
        }
    }
    lines
}

fn step_box(plan: &Plan, step: &OrganisationStep, options: &RenderOptions) -> Vec<String> {
    let style = options.style;
    let name = &step.organisation;
    if step.satisfied {
        let what = match &step.act {
            act if act.is_local() => "SERVER",
            Act::SharepointIrm { .. } => "FARM",
            _ => "ORGANISATION",
        };
        return vec![format!(
            "{what} {name}  has all that {verb} would set; nothing to do",
            verb = step.act.verb()
        )];
    }
    let dash = if style.unicode { "—" } else { "-" };
    let scope = if step.act.is_local() {
        format!("ON {}, ONCE", step.via.short())
    } else {
        "ORG-WIDE, ONCE".to_owned()
    };
    let title = format!("{scope} {dash} affects {}", step.act.reach(name));
    let mut lines: Vec<String> = wrap("", &title, 4, options.width)
        .iter()
        .map(|line| style.paint(Tint::Change, line.trim_start()))
        .collect();
    // An object that is made has no before: what is not given is not told.
    let is_told =
        |one: &&Setting| !(matches!(step.act, Act::FileObject { .. }) && one.is_satisfied());
    for setting in step.act.settings().iter().filter(is_told) {
        let Setting { name, before, after } = setting;
        let (sign, change) = if setting.is_satisfied() {
            (" ", after.to_string())
        } else {
            ("~", format!("{before} {} {after}", style.sign(Sign::Arrow)))
        };
        let text = format!("{}  {name}  {change}", step.act.verb());
        lines.extend(wrap(&format!("{sign} "), &text, 8, options.width));
    }
    if let Some(server) = step.act.guarded_server() {
        lines.extend(wrap(
            "  ",
            &format!("only while {FARM_SERVER} is {server}"),
            8,
            options.width,
        ));
    }
    if step.act.settings().is_empty() {
        lines.push(format!("    ~ {}", step.act.verb()));
    }
    if let Some(loss) = step.act.loss() {
        // What is switched off can be switched on again; what happens meanwhile is told all the same.
        let text = match step.act.inverse() {
            Some(_) => loss,
            None => format!("cannot be taken back: {loss}"),
        };
        lines.extend(
            wrap("! ", &text, 4, options.width).iter().map(|line| style.paint(Tint::Bad, line)),
        );
    }
    match (&step.by_hand, &step.act) {
        (Some(by_hand), _) => {
            lines.push("      done by hand; the run waits for `rmsfleet promote`:".to_owned());
            for (place, text) in by_hand.instructions.iter().enumerate() {
                let text = format!("{}. {text}", place + 1);
                lines.extend(wrap("", &text, 8, options.width));
            }
        }
        (None, Act::SharepointIrm { configuration, .. }) => {
            let text = format!(
                "over {configuration} of {}: its cmdlets ask the farm's database, which a remote \
                 session reaches only with delegated or own credentials (docs/routes.md)",
                step.via.short()
            );
            lines.extend(wrap("", &text, 6, options.width));
        }
        (None, _) => {}
    }
    if let Act::ExchangeIrm { sender: Some(sender), .. } = &step.act {
        let text = format!("then Test-IRMConfiguration -Sender {sender} on each server");
        lines.extend(wrap("", &text, 6, options.width));
    }
    // Of a distinguished name, too, no part is cut.
    let dn = step.identity.replace(",CN=", ", CN=").replace(",DC=", ", DC=");
    let dn =
        if 6 + step.identity.chars().count() > options.width { dn } else { step.identity.clone() };
    lines.extend(wrap("", &dn, 6, options.width).iter().map(|line| style.paint(Tint::Faint, line)));
    let text = if step.needs.is_empty() {
        format!("by {}, whatever the other servers hold", step.via)
    } else {
        let needs = count(step.needs.len(), "verified server");
        format!("by {}, after {needs}: {}", step.via, compress(&step.needs))
    };
    lines.extend(wrap("", &text, 6, options.width));
    let stuck: Vec<HostName> = step
        .needs
        .iter()
        .filter(|name| {
            plan.hosts
                .get(name)
                .is_none_or(|host| host.is_blocked() || host.scope != Scope::InScope)
        })
        .cloned()
        .collect();
    if !stuck.is_empty() {
        lines.push(held(style, &format!("{} will not be verified by this plan", compress(&stuck))));
    }
    if let Some(reason) = &step.held {
        let text = format!("held back: {reason}");
        lines.extend(
            wrap("! ", &text, 4, options.width).iter().map(|line| style.paint(Tint::Bad, line)),
        );
    }
    if !step.missing.is_empty() {
        let names = step.missing.join(", ");
        let flag = step.missing.first().map_or("", String::as_str);
        lines.push(held(
            style,
            &format!("{names} not in scope of the inventory (--waive-server {flag})"),
        ));
    }
    if !step.waived.is_empty() {
        lines.push(format!("      waived by name: {}", step.waived.join(", ")));
    }
    if let Some(name) = step.confirmation() {
        lines.push(format!("      asks for --confirm {name}"));
    }
    lines
}

fn held(style: Style, text: &str) -> String {
    style.paint(Tint::Bad, &format!("    ! held back: {text}"))
}

fn stages(plan: &Plan, options: &RenderOptions) -> Vec<String> {
    let mut lines = Vec::new();
    let width = plan.stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0);
    for stage in &plan.stages {
        let text = match &stage.work {
            PlannedWork::Step(step) if step.satisfied => continue,
            PlannedWork::Step(step) => format!("once for {}", step.organisation),
            PlannedWork::Hosts { batches, budget, .. } => {
                let hosts: usize = batches.iter().map(Vec::len).sum();
                let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
                format!(
                    "{} in {}{}, stops at the {} failed host",
                    count(hosts, "host"),
                    if sizes.len() == 1 {
                        "1 batch".to_owned()
                    } else {
                        format!("{} batches", sizes.len())
                    },
                    batch_sizes(&sizes),
                    ordinal(budget.saturating_add(1)),
                )
            }
        };
        lines.push(format!("    {:width$}  {text}", stage.name));
        lines.extend(programs::around(plan, &stage.hooks, width + 6, options));
        if let (true, PlannedWork::Hosts { batches, .. }) = (options.full, &stage.work) {
            for (place, batch) in batches.iter().enumerate() {
                lines.push(format!("    {:width$}    {}  {}", "", place + 1, compress(batch)));
            }
        }
    }
    if !lines.is_empty() {
        let limits = &plan.limits;
        let title = format!(
            "STAGES  in this order, at most {} at once, {} restarting",
            count(usize::try_from(limits.forks).unwrap_or(usize::MAX), "host"),
            limits.restart
        );
        lines.insert(0, options.style.paint(Tint::Strong, &title));
        let around = programs::around(plan, &plan.conditions.around, 4, options);
        lines.splice(1..1, around);
    }
    lines
}

/// ` (1, 5 times 10, 3)`, ` (1 each)`; nothing for a single batch.
fn batch_sizes(sizes: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &size in sizes {
        match runs.last_mut() {
            Some((times, last)) if *last == size => *times += 1,
            Some(_) | None => runs.push((1, size)),
        }
    }
    if sizes.len() < 2 {
        return String::new();
    }
    if let [(_, each)] = runs.as_slice() {
        return format!(" ({each} each)");
    }
    let words: Vec<String> = runs
        .into_iter()
        .map(
            |(times, size)| {
                if times == 1 { size.to_string() } else { format!("{times} times {size}") }
            },
        )
        .collect();
    format!(" ({})", words.join(", "))
}

/// `1st`, `2nd`, `3rd`, `11th`.
fn ordinal(number: u32) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        (_, _) => "th",
    };
    format!("{number}{ending}")
}

fn blocked(plan: &Plan, options: &RenderOptions) -> Vec<String> {
    let style = options.style;
    let mut findings: Vec<(String, &Blocker)> =
        plan.blockers.iter().map(|blocker| ("the plan".to_owned(), blocker)).collect();
    let mut folded: Vec<(Vec<HostName>, &Blocker)> = Vec::new();
    for host in plan.hosts.values() {
        for blocker in &host.blockers {
            let same = |(_, other): &&mut (Vec<HostName>, &Blocker)| {
                other.id == blocker.id && other.text == blocker.text
            };
            match folded.iter_mut().find(same) {
                Some((hosts, _)) => hosts.push(host.name.clone()),
                None => folded.push((vec![host.name.clone()], blocker)),
            }
        }
    }
    findings.extend(folded.into_iter().map(|(hosts, blocker)| (compress(&hosts), blocker)));
    if findings.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![style.paint(Tint::Bad, "BLOCKED")];
    let shown = if options.full { usize::MAX } else { FINDINGS };
    for (who, blocker) in findings.iter().take(shown) {
        lines.extend(finding(options, who, blocker));
    }
    lines.extend(more(findings.len().saturating_sub(shown), "blocker"));
    lines
}

fn finding(options: &RenderOptions, who: &str, blocker: &Blocker) -> Vec<String> {
    let style = options.style;
    let cross = format!("{} ", style.paint(Tint::Bad, style.sign(Sign::Cross)));
    let text = format!("{who}  {}: {}", blocker.id, blocker.text);
    let mut lines = wrap(&cross, &text, 4, options.width);
    if let Some(hint) = &blocker.hint {
        lines.extend(wrap("fix: ", hint, 6, options.width));
    }
    lines
}

fn notes(plan: &Plan, options: &RenderOptions) -> Vec<String> {
    let mut folded: Vec<(&Note, Vec<HostName>)> =
        plan.notes.iter().map(|note| (note, Vec::new())).collect();
    for host in plan.hosts.values() {
        for note in &host.notes {
            match folded.iter_mut().find(|(other, _)| *other == note) {
                Some((_, hosts)) => hosts.push(host.name.clone()),
                None => folded.push((note, vec![host.name.clone()])),
            }
        }
    }
    if folded.is_empty() {
        return Vec::new();
    }
    folded.sort_by_key(|(note, _)| !is_alarming(note));
    let mut lines = vec![options.style.paint(Tint::Strong, "NOTES")];
    let shown = if options.full { usize::MAX } else { FINDINGS };
    for (note, hosts) in folded.iter().take(shown) {
        let who = compress(hosts);
        // A text that names its one host needs no second name before it.
        let who = if who.is_empty() || note.text.contains(&who) {
            String::new()
        } else {
            format!("{who}  ")
        };
        lines.extend(remark(note, &who, options));
    }
    lines.extend(more(folded.len().saturating_sub(shown), "note"));
    lines
}

/// What must stand out, because somebody else may read or change what is sent.
fn is_alarming(note: &Note) -> bool {
    note.id == TLS_IGNORED || note.id == BASIC_IN_CLEAR
}

/// A note in lines, `who` before it.
fn remark(note: &Note, who: &str, options: &RenderOptions) -> Vec<String> {
    let tint = if is_alarming(note) { Tint::Bad } else { Tint::Plain };
    wrap("! ", &format!("{who}{}: {}", note.id, note.text), 4, options.width)
        .into_iter()
        .map(|line| options.style.paint(tint, &line))
        .collect()
}

fn more(hidden: usize, noun: &str) -> Option<String> {
    (hidden > 0).then(|| format!("      and {} more (--full)", count(hidden, noun)))
}

/// Hosts that the run may touch.
fn in_scope(plan: &Plan) -> impl Iterator<Item = &PlannedHost> {
    plan.hosts.values().filter(|host| host.scope == Scope::InScope)
}

#[cfg(test)]
mod tests;
