//! A plan, and what became of it, as blocks.

use crate::event::Record;
use crate::model::hook::Around;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedWork;
use crate::model::plan::Scope;
use crate::model::rollout::OnAbort;
use crate::model::rollout::OwnDefaults;
use crate::model::verdict::Evidence;
use crate::model::verdict::RestartNeed;
use crate::model::verdict::Weight;
use crate::plan::fold::ChangeSet;
use crate::plan::fold::compress;
use crate::plan::fold::fold;
use crate::plan::programs;
use crate::report::paper::Block;
use crate::report::paper::Cell;
use crate::report::paper::Mood;
use crate::report::paper::Paper;
use crate::report::paper::Table;
use crate::report::paper::change;
use crate::report::paper::happened::Happened;
use crate::report::plural;
use crate::report::plural::count;
use crate::report::style::Tint;

/// Pieces of evidence shown of each verdict.
const EVIDENCE: usize = 3;

pub(super) fn build(plan: &Plan, digest: &str, records: &[Record]) -> Paper {
    let happened = Happened::of(records);
    let sets = fold(plan);
    let title = match &plan.conditions.change {
        Some(change) => format!("{change}: {}", plan.playbook),
        None => plan.playbook.clone(),
    };
    let mut blocks = summary(plan, digest, &sets);
    blocks.extend(happened.iter().flat_map(|happened| run(plan, happened)));
    blocks.extend(change::steps(plan));
    blocks.extend(change::blockers(plan));
    blocks.extend(change::values(&sets));
    blocks.extend(stages(plan));
    blocks.extend(programs(plan));
    blocks.extend(clock(plan));
    blocks.extend(restarts(plan));
    blocks.extend(hosts(plan, &sets, happened.as_ref()));
    blocks.extend(change::back_out(plan, &sets));
    blocks.extend(remarks(plan));
    blocks.extend(inputs(plan));
    Paper { title, digest: digest.to_owned(), blocks }
}

pub(super) fn heading(text: &str) -> Block {
    Block::Heading(text.to_owned())
}

fn working(plan: &Plan) -> impl Iterator<Item = &PlannedHost> {
    plan.hosts.values().filter(|host| host.scope == Scope::InScope && host.has_work())
}

fn facts(rows: &[(&str, String)]) -> Block {
    let row = |(key, text): &(&str, String)| vec![Cell::plain(*key), Cell::exact(text.as_str())];
    Block::Table(Table { columns: vec!["", ""], rows: rows.iter().map(row).collect() })
}

fn summary(plan: &Plan, digest: &str, sets: &[ChangeSet]) -> Vec<Block> {
    let values: usize = working(plan).map(|host| host.changes.len()).sum();
    let restarts = working(plan).filter(|host| host.restart).count();
    let blocked = plan.hosts.values().filter(|host| host.is_blocked()).count();
    let line = format!(
        "{} on {} in {}, {}, {} blocked.",
        count(values, "value"),
        count(working(plan).count(), "host"),
        count(sets.len(), "change set"),
        count(restarts, "restart"),
        count(blocked, "host"),
    );
    let mut rows = vec![
        ("Plan", plan.id.clone()),
        ("sha256", digest.to_owned()),
        ("Made", format!("{} by {}", second(plan.created), plan.tool)),
        ("Valid until", second(plan.valid_until)),
        ("Playbook", plan.playbook.clone()),
        ("Rules", plan.rules.clone()),
    ];
    rows.extend(plan.conditions.change.clone().map(|change| ("Change", change)));
    let mut blocks = vec![heading("Summary"), Block::Text(line), facts(&rows)];
    if plan.lab {
        blocks
            .insert(1, Block::Alert("Made for the simulated farm, not for real hosts.".to_owned()));
    }
    blocks
}

fn run(plan: &Plan, happened: &Happened) -> Vec<Block> {
    let time = |time: Option<jiff::Timestamp>| time.map_or_else(|| "not".to_owned(), second);
    let exit = happened.exit.as_ref().map_or_else(
        || "the records end before the run's end".to_owned(),
        |(code, name)| format!("exit {code} ({name})"),
    );
    let rows = [
        ("Run", happened.run.clone()),
        ("By", format!("{} on {}", happened.operator, happened.workstation)),
        ("Began", time(happened.started)),
        ("Ended", time(happened.ended)),
        ("Result", exit),
    ];
    let mut blocks = vec![heading("What actually happened"), facts(&rows)];
    blocks.extend(happened.halted.iter().map(|reason| Block::Alert(format!("Stopped: {reason}"))));
    let bad: Vec<Vec<Cell>> = plan
        .hosts
        .keys()
        .filter_map(|name| {
            let (verb, tint, text) = happened.hosts.get(name)?.ending()?;
            matches!(tint, Tint::Bad | Tint::Unreachable).then(|| {
                let verb = Cell { text: verb.to_owned(), mood: Mood::Bad };
                vec![Cell::exact(name.as_str()), verb, Cell::plain(text)]
            })
        })
        .collect();
    if !bad.is_empty() {
        blocks.push(Block::Table(Table { columns: vec!["Host", "Ended", "Why"], rows: bad }));
    }
    let mut rows = Vec::new();
    for ((organisation, step), (well, text)) in &happened.steps {
        let mood = if *well { Mood::Good } else { Mood::Bad };
        let what = if step.is_empty() {
            organisation.clone()
        } else {
            format!("{step} for {organisation}")
        };
        rows.push(vec![Cell::plain(what), Cell { text: text.clone(), mood }]);
    }
    for (stage, gate, red) in &happened.gates {
        let cell = match red {
            None => Cell { text: "green".to_owned(), mood: Mood::Good },
            Some(reason) => Cell { text: format!("red: {reason}"), mood: Mood::Bad },
        };
        rows.push(vec![Cell::plain(format!("gate {gate} of {stage}")), cell]);
    }
    for (what, well, said) in &happened.hooks {
        let mood = if *well { Mood::Good } else { Mood::Bad };
        rows.push(vec![Cell::plain(what.as_str()), Cell { text: said.clone(), mood }]);
    }
    if !rows.is_empty() {
        blocks.push(Block::Table(Table { columns: vec!["Step, gate or hook", "Seen"], rows }));
    }
    blocks
}

fn counts(unreachable: bool) -> &'static str {
    if unreachable { "counts" } else { "does not count" }
}

fn flight(on_abort: OnAbort) -> &'static str {
    match on_abort {
        OnAbort::FinishInFlight => "are finished",
        OnAbort::StopAtSafePoint => "stop at their next safe point",
    }
}

fn stages(plan: &Plan) -> Vec<Block> {
    let mut rows = Vec::new();
    for stage in &plan.stages {
        let gates = [
            ("before", &stage.gates.before),
            ("between", &stage.gates.between),
            ("after", &stage.gates.after),
        ];
        let gates: Vec<String> = gates
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(place, names)| format!("{place}: {}", names.join(", ")))
            .chain(hooks(&stage.hooks))
            .collect();
        let (work, stops) = match &stage.work {
            PlannedWork::Hosts { batches, budget, .. } => {
                let batches: Vec<String> = batches.iter().map(|batch| compress(batch)).collect();
                (batches.join(" | "), format!("at failed host {}", budget.saturating_add(1)))
            }
            PlannedWork::Step(step) => {
                (format!("{} for {}", step.act.verb(), step.organisation), "if it fails".to_owned())
            }
        };
        let OwnDefaults { on_abort, count_unreachable_as_failed } = stage.own;
        let own = [
            count_unreachable_as_failed
                .map(|counted| format!("a host that is not reached {}", counts(counted))),
            on_abort.map(|what| format!("hosts in flight {}", flight(what))),
        ];
        let stops = std::iter::once(stops).chain(own.into_iter().flatten());
        let stops = stops.collect::<Vec<_>>().join("; ");
        rows.push(vec![
            Cell::plain(stage.name.as_str()),
            Cell::exact(work),
            Cell::plain(gates.join("; ")),
            Cell::plain(stops),
        ]);
    }
    if rows.is_empty() {
        return Vec::new();
    }
    let columns = vec!["Stage", "Batches, in order", "Gates and hooks", "Aborts"];
    let counts = counts(plan.count_unreachable_as_failed);
    let flight = flight(plan.on_abort);
    let limits = format!(
        "At most {} at once for values, {} for restarts. A host that is not reached {counts} as failed. \
         On an abort, hosts in flight {flight}.",
        count(usize::try_from(plan.limits.forks).unwrap_or(usize::MAX), "host"),
        plan.limits.restart
    );
    let mut blocks = vec![heading("Order"), Block::Table(Table { columns, rows })];
    let around: Vec<String> = hooks(&plan.conditions.around).collect();
    if !around.is_empty() {
        blocks.push(Block::Text(format!("Around the whole run, {}.", around.join("; "))));
    }
    blocks.push(Block::Text(limits));
    blocks
}

/// What is started on the controller and on hosts, word by word.
fn programs(plan: &Plan) -> Vec<Block> {
    let rows: Vec<Vec<Cell>> = programs::programs(plan)
        .into_iter()
        .map(|one| {
            vec![
                Cell::plain(one.what),
                Cell::plain(one.place),
                Cell::plain(one.run_on.place()),
                Cell::exact(programs::line(one.argv)),
                Cell::plain(plural::clock(u64::from(one.timeout))),
            ]
        })
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let columns = vec!["Program of", "When", "Where", "Command line", "At most"];
    let says =
        "What runs on a host is started by its own shell service over WinRM, as it stands here.";
    vec![heading("Programs"), Block::Table(Table { columns, rows }), Block::Text(says.to_owned())]
}

/// `hooks before: suspend-alerts`.
fn hooks(around: &Around) -> impl Iterator<Item = String> {
    let lists = [("before", &around.before), ("after", &around.after)];
    let some = lists.into_iter().filter(|(_, names)| !names.is_empty());
    some.map(|(place, names)| format!("hooks {place}: {}", names.join(", ")))
}

fn clock(plan: &Plan) -> Vec<Block> {
    let mut rows = Vec::new();
    for (name, window) in &plan.conditions.windows {
        let days: Vec<String> =
            window.days.iter().map(|day| format!("{day:?}").to_lowercase()).collect();
        let hosts: Vec<_> = working(plan)
            .filter(|host| host.window.as_deref() == Some(name))
            .map(|host| host.name.clone())
            .collect();
        rows.push(vec![
            Cell::plain(name.as_str()),
            Cell::exact(format!(
                "{} {:02}:{:02} {}, {} min, nothing starts in the last {} min",
                days.join(","),
                window.start / 60,
                window.start % 60,
                window.tz,
                window.duration / 60,
                window.cutoff / 60
            )),
            Cell::exact(compress(&hosts)),
        ]);
    }
    for freeze in &plan.conditions.freezes {
        let text = format!("{} to {}: nothing is written or restarted", freeze.from, freeze.to);
        let name = Cell { text: format!("freeze: {}", freeze.reason), mood: Mood::Bad };
        rows.push(vec![name, Cell::exact(text), Cell::plain("all hosts")]);
    }
    if rows.is_empty() {
        return Vec::new();
    }
    let columns = vec!["Window", "Open", "Hosts"];
    vec![heading("Clock"), Block::Table(Table { columns, rows })]
}

fn restarts(plan: &Plan) -> Vec<Block> {
    let mut rows = Vec::new();
    for host in working(plan) {
        let need = match (host.verdict.need, host.restart) {
            (RestartNeed::Required, true) => "required",
            (RestartNeed::Required, false) => "required, left to people",
            (RestartNeed::NotRequired, true) => "asked for by the inventory",
            (RestartNeed::NotRequired, false) => "not required",
            (RestartNeed::Unknown, _) => "unknown",
        };
        // What speaks for a restart tells more than what is absent.
        let mut evidence: Vec<&Evidence> = host.verdict.evidence.iter().collect();
        evidence.sort_by_key(|one| match one.weight {
            Weight::For => 0,
            Weight::Unknown => 1,
            Weight::Against | Weight::NotRead => 2,
        });
        let evidence: Vec<&str> =
            evidence.into_iter().take(EVIDENCE).map(|one| one.text.as_str()).collect();
        let domains: Vec<String> = host
            .domains
            .iter()
            .map(|domain| format!("{} (at most {} down)", domain.id, domain.max_unavailable))
            .collect();
        rows.push(vec![
            Cell::exact(host.name.as_str()),
            Cell::plain(format!("{need}, {}", host.verdict.rule)),
            Cell::plain(evidence.join("; ")),
            Cell::plain(domains.join(", ")),
        ]);
    }
    if rows.is_empty() {
        return Vec::new();
    }
    let columns = vec!["Host", "Restart", "Because", "Not at once with"];
    vec![heading("Restarts"), Block::Table(Table { columns, rows })]
}

/// `2026-11-27 04:19:51Z`.
fn second(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn hosts(plan: &Plan, sets: &[ChangeSet], happened: Option<&Happened>) -> Vec<Block> {
    let mut columns = vec!["Host", "Role", "Product", "Set", "Window"];
    if happened.is_some() {
        columns.push("What happened");
    }
    let mut rows = Vec::new();
    for host in plan.hosts.values() {
        let set = sets.iter().find(|set| set.hosts.contains(&host.name));
        let part = match (&host.scope, set) {
            (Scope::OutOfScope(why), _) => format!("left out: {why}"),
            (Scope::Connector, _) => "read only".to_owned(),
            (Scope::InScope, Some(set)) => set.id.clone(),
            (Scope::InScope, None) if host.is_blocked() => "blocked".to_owned(),
            (Scope::InScope, None) => "as wanted".to_owned(),
        };
        let mut row = vec![
            Cell::exact(host.name.as_str()),
            Cell::plain(host.role.map_or("", crate::model::product::Role::id)),
            Cell::plain(host.product.map_or_else(String::new, |product| product.to_string())),
            Cell::plain(part),
            Cell::plain(host.window.clone().unwrap_or_default()),
        ];
        row.extend(happened.map(|happened| told(host, happened)));
        rows.push(row);
    }
    vec![heading("Hosts"), Block::Table(Table { columns, rows })]
}

/// What became of one host, and when.
fn told(host: &PlannedHost, happened: &Happened) -> Cell {
    let Some(found) = happened.hosts.get(&host.name) else { return Cell::plain("") };
    let Some((verb, tint, text)) = found.ending() else {
        return Cell { text: "begun, and its end is not known".to_owned(), mood: Mood::Bad };
    };
    let mut words = format!("{verb}: {text}");
    if let Some(booted) = found.booted {
        words.push_str(&format!("; booted {}", second(booted)));
    }
    if let Some(ended) = found.ended {
        words.push_str(&format!("; ended {}", second(ended)));
    }
    let mood = match tint {
        Tint::Bad | Tint::Unreachable => Mood::Bad,
        Tint::Good => Mood::Good,
        Tint::Change | Tint::Strong | Tint::Faint | Tint::Plain => Mood::Plain,
    };
    Cell { text: words, mood }
}

fn remarks(plan: &Plan) -> Vec<Block> {
    let of_hosts = plan.hosts.values().flat_map(|host| {
        host.notes.iter().map(move |note| format!("{}: {} ({})", host.name, note.text, note.id))
    });
    let all: Vec<String> = plan
        .notes
        .iter()
        .map(|note| format!("{} ({})", note.text, note.id))
        .chain(of_hosts)
        .collect();
    if all.is_empty() { Vec::new() } else { vec![heading("Notes"), Block::List(all)] }
}

fn inputs(plan: &Plan) -> Vec<Block> {
    let row = |input: &crate::model::plan::Input| {
        vec![
            Cell::plain(input.what.as_str()),
            Cell::exact(input.name.as_str()),
            Cell::exact(input.sha256.as_str()),
        ]
    };
    let rows: Vec<Vec<Cell>> = plan.inputs.iter().map(row).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let columns = vec!["Made from", "Name", "sha256"];
    vec![heading("Inputs"), Block::Table(Table { columns, rows })]
}
