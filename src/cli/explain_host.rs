//! `explain HOST`: why it is in scope, why in this order, why it restarts, and why not yet.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::cli::console::Console;
use crate::cli::inventory;
use crate::cli::load;
use crate::cli::load::Loaded;
use crate::cli::plan;
use crate::cli::request::Files;
use crate::cli::runs;
use crate::cli::show;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::host::link::Clock;
use crate::manifest::inventory::VariableOrigin;
use crate::manifest::pattern;
use crate::model::host::Configure;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedWork;
use crate::model::plan::Scope;
use crate::model::rollout::RestartWhen;
use crate::model::rollout::StageWork;
use crate::model::surveyed::Surveyed;
use crate::model::verdict::RestartNeed;
use crate::model::verdict::Weight;
use crate::net::clock::SystemClock;
use crate::plan::domain;
use crate::plan::stage;
use crate::plan::window;
use crate::plan::window::Opening;
use crate::plan::worst;
use crate::report::answers;
use crate::report::standing::HostStanding;
use crate::report::standing::Standing;
use crate::report::words;

/// Where the answers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    Files,
    Plan(PathBuf),
    Run { state: PathBuf, run: String },
}

/// What is asked, and the answer.
type Answers = Vec<(&'static str, String)>;

/// From the files alone, or with what a plan or a run says of the host.
pub fn run(name: &str, files: &Files, from: &From, console: &mut Console) -> Result<Exit, Stop> {
    let (host, answers) = match from {
        From::Files => of_files(name, files, console)?,
        From::Plan(path) => {
            let plan = show::open(path)?.plan;
            let host = plan::find(&plan, name)?;
            let answers = of_plan(&plan, &host, None, console.output.full);
            (host, answers)
        }
        From::Run { state, run } => {
            let folder = runs::find_or_latest(state, run)?;
            let plan = show::open(&folder.plan())?.plan;
            let journal = folder.read().map_err(|error| {
                Stop::because(Exit::Data, &error).while_doing(format!("run {}", folder.id))
            })?;
            let host = plan::find(&plan, name)?;
            let owed = BTreeMap::new();
            let standing = Standing::of(&plan, &journal.records, owed);
            let answers = of_plan(&plan, &host, Some(&standing), console.output.full);
            (host, answers)
        }
    };
    let look = console.output.look;
    console.say(answers::render(host.as_str(), &answers, look.style, look.columns).trim_end())?;
    let body: Vec<serde_json::Value> = answers
        .iter()
        .map(|(question, answer)| serde_json::json!({ "question": question, "answer": answer }))
        .collect();
    let body = serde_json::json!({ "host": host, "answers": body });
    console.document("explanation", &format!("why {host} is as it is"), body)?;
    Ok(Exit::Ok)
}

fn of_files(name: &str, files: &Files, console: &Console) -> Result<(HostName, Answers), Stop> {
    let loaded = load::all(files, console.style().colour)?;
    let host = inventory::find(&loaded.inventory, name)?;
    let origins = loaded.inventory.origins(&host.name);
    let place = |key: &str| origins.iter().find(|origin| origin.key == key).map(said);
    let mut answers: Answers = vec![("in scope", scope(host, place("rms_role")))];
    let Some(role) = host.role else { return Ok((host.name.clone(), answers)) };
    if host.in_scope() {
        answers.extend(stage_of(&loaded, host));
    }
    if let Some(settings) = domain::restart_settings(host, &loaded.playbook) {
        let when = match settings.when {
            RestartWhen::Required => {
                "where the rule asks for it; a plan gives the verdict with its evidence"
            }
            RestartWhen::Always => "whenever a value changes here (`when: always`)",
        };
        let at_most = settings.timeout / 60;
        answers.push(("restart", format!("{when}; at most {at_most} minutes")));
        let domains = domain::domains(host, &loaded.playbook);
        let domains =
            domains.iter().map(|own| format!("{} (at most {} down)", own.id, own.max_unavailable));
        answers.push(("not at once with", domains.collect::<Vec<_>>().join(", ")));
        let conditions = &loaded.playbook.conditions;
        let writes = worst::of_writes(host.operation_timeout);
        let worst = worst::before_plan(&settings.care, settings.timeout, conditions, writes);
        let window = host.window.as_deref();
        let at = place("rms_window").map(|at| format!(" ({at})")).unwrap_or_default();
        let text =
            clock(window, window::opening(window, conditions, SystemClock.now(), worst), worst);
        answers.push(("window", format!("{text}{at}")));
    }
    let at =
        place("rms_credential").map_or_else(|| " (by default)".to_owned(), |at| format!(" ({at})"));
    let user = host.user.as_ref().map(|user| format!(", user {user}")).unwrap_or_default();
    answers
        .push(("credential", format!("{}{user}{at}, at {}", host.credential, host.endpoint.url())));
    let rules = loaded.rules.rules.iter().filter(|rule| match host.product {
        Some(product) => rule.products.contains(&product),
        None => rule.products.iter().any(|product| product.role() == role),
    });
    let rules: Vec<&str> = rules.map(|rule| rule.id.as_str()).collect();
    let known = if host.product.is_some() {
        ""
    } else {
        "; which of them, its version decides once it is read"
    };
    if !rules.is_empty() && host.in_scope() {
        answers.push(("rules", format!("{}{known}", rules.join(", "))));
    }
    Ok((host.name.clone(), answers))
}

fn said(origin: &VariableOrigin) -> String {
    format!("{}:{}, {}", origin.source, origin.line, origin.level)
}

fn scope(host: &Host, at: Option<String>) -> String {
    let at = at.map(|at| format!(" ({at})")).unwrap_or_default();
    match (host.role, host.configure) {
        (None, _) => format!("no: it has no `rms_role`, or `none`{at}"),
        (Some(role), Configure::No) => format!("no: {role}{at}, and `rms_configure: false`"),
        (Some(role), _) if host.in_scope() => format!("yes: {role}{at}"),
        (Some(role), Configure::Auto | Configure::Yes) => {
            format!("no: {role}{at} is known and read, and gets no values")
        }
    }
}

/// The stage that takes the host, its batch, and what decides its order.
fn stage_of(loaded: &Loaded, host: &Host) -> Answers {
    let hosts = &loaded.inventory.hosts;
    let stages = &loaded.playbook.stages;
    let select = |text: &str, surveyed: &Surveyed| {
        pattern::select_surveyed(text, hosts, surveyed).map_err(|error| error.to_string())
    };
    let eligible: BTreeSet<&HostName> =
        hosts.iter().filter(|host| host.in_scope()).map(|host| &host.name).collect();
    let dealt = stage::deal(stages, &select, &Surveyed::default(), &eligible);
    let place = dealt.stages.iter().position(|names| names.contains(&host.name));
    let Some((place, own)) = place.and_then(|place| Some((place, stages.get(place)?))) else {
        let text = "none of the playbook's stages takes it, as far as the files tell";
        return vec![("stage", text.to_owned())];
    };
    let StageWork::Hosts { pattern, serial, .. } = &own.work else { return Vec::new() };
    let names = dealt.stages.get(place).cloned().unwrap_or_default();
    let batches = stage::batches(&names, serial, loaded.playbook.limits.forks);
    let batch = batches.iter().position(|batch| batch.contains(&host.name)).map_or(0, |at| at + 1);
    let canary = host.canary.map(|rank| format!("; canary of rank {rank}")).unwrap_or_default();
    vec![
        (
            "stage",
            format!(
                "{} (the {} of {}), by `{pattern}`",
                own.name,
                ordinal(place + 1),
                stages.len()
            ),
        ),
        (
            "order",
            format!(
                "batch {batch} of {}, in the inventory's order{canary}; hosts that are equal already \
                 are left out of the batches",
                batches.len()
            ),
        ),
    ]
}

fn ordinal(place: usize) -> String {
    match place {
        1 => "1st".to_owned(),
        2 => "2nd".to_owned(),
        3 => "3rd".to_owned(),
        other => format!("{other}th"),
    }
}

fn clock(window: Option<&str>, opening: Opening, worst: u32) -> String {
    let name = window.map_or_else(|| "any time".to_owned(), str::to_owned);
    let minutes = worst.div_ceil(60);
    match opening {
        Opening::Open => format!("{name}: open now for the {minutes} minutes that it may take"),
        Opening::Closed { opens: Some(opens), why } => {
            format!("{name}: not now ({why}); opens {opens}, for at most {minutes} minutes of work")
        }
        Opening::Closed { opens: None, why } => format!("{name}: no opening in sight ({why})"),
    }
}

/// What a sealed plan says, and how far its run has come.
fn of_plan(plan: &Plan, name: &HostName, standing: Option<&Standing>, full: bool) -> Answers {
    let Some(host) = plan.hosts.get(name) else { return Vec::new() };
    let role = host.role.map_or_else(|| "no role".to_owned(), |role| role.to_string());
    let product = host.product.map(|product| format!(", {product}")).unwrap_or_default();
    let in_scope = match &host.scope {
        Scope::InScope => format!("yes: {role}{product}"),
        Scope::Connector => format!("no: {role} is read for evidence, and never written"),
        Scope::OutOfScope(why) => format!("no: {why}"),
    };
    let mut answers: Answers = vec![("in scope", in_scope)];
    for blocker in &host.blockers {
        answers.push(("blocked", format!("{}: {}", blocker.id, blocker.text)));
    }
    if host.scope != Scope::InScope {
        return answers;
    }
    answers.push((
        "changes",
        format!("{} values; {} as wanted already", host.changes.len(), host.equal.len()),
    ));
    answers.extend(planned_stage(plan, host));
    answers.push(("restart", restart(host)));
    for evidence in &host.verdict.evidence {
        let word = match evidence.weight {
            Weight::For => "because",
            Weight::Unknown => "unknown",
            Weight::NotRead => "not read",
            Weight::Against if full => "against",
            Weight::Against => continue,
        };
        answers.push((word, evidence.text.clone()));
    }
    let domains =
        host.domains.iter().map(|own| format!("{} (at most {} down)", own.id, own.max_unavailable));
    answers.push(("not at once with", domains.collect::<Vec<_>>().join(", ")));
    let worst = worst::of_host(host, &plan.conditions, host.restart);
    let window = host.window.as_deref();
    let opening = window::opening(window, &plan.conditions, SystemClock.now(), worst);
    answers.push(("window", clock(window, opening, worst)));
    let user = host.user.as_ref().map(|user| format!(", user {user}")).unwrap_or_default();
    answers.push(("credential", format!("{}{user}, at {}", host.credential, host.endpoint.url())));
    let rules: BTreeSet<&str> = host.changes.iter().map(|change| change.rule.as_str()).collect();
    if !rules.is_empty() {
        answers.push(("rules", rules.into_iter().collect::<Vec<_>>().join(", ")));
    }
    if let Some(standing) = standing {
        answers.push(("now", now(plan, host, standing)));
    }
    answers
}

fn restart(host: &PlannedHost) -> String {
    let need = match host.verdict.need {
        RestartNeed::Required => "required",
        RestartNeed::NotRequired => "not required",
        RestartNeed::Unknown => "not known whether it is required",
    };
    let does = if host.restart { "the run restarts it" } else { "the run does not restart it" };
    format!("{need} by rule {}; {does}", host.verdict.rule)
}

fn planned_stage(plan: &Plan, host: &PlannedHost) -> Answers {
    let mut answers = Answers::new();
    for (place, stage) in plan.stages.iter().enumerate() {
        let PlannedWork::Hosts { batches, restarts, .. } = &stage.work else { continue };
        let batch = batches.iter().position(|batch| batch.contains(&host.name));
        let turn = restarts.iter().position(|name| *name == host.name);
        if batch.is_none() && turn.is_none() {
            continue;
        }
        answers.push((
            "stage",
            format!("{} (the {} of {})", stage.name, ordinal(place + 1), plan.stages.len()),
        ));
        let batch = batch.map(|batch| format!("batch {} of {}", batch + 1, batches.len()));
        let turn =
            turn.map(|turn| format!("{} of {} to restart", ordinal(turn + 1), restarts.len()));
        let order: Vec<String> = batch.into_iter().chain(turn).collect();
        answers.push(("order", order.join("; ")));
    }
    if let Some(step) = &host.after_step {
        answers.push(("order", format!("not touched before step {step} is done")));
    }
    answers
}

/// Why it is done, or why not yet.
fn now(plan: &Plan, host: &PlannedHost, standing: &Standing) -> String {
    match standing.hosts.get(&host.name) {
        Some(HostStanding::Ended(outcome)) => {
            let (verb, _, text) = words::ending(outcome);
            format!("{}: {text}", verb.to_lowercase())
        }
        Some(HostStanding::Busy(busy)) => {
            format!("at work: {} {}", words::phase(busy.phase), busy.seen)
        }
        Some(HostStanding::Verified) => "its values stand; its restart has not begun".to_owned(),
        Some(HostStanding::Waiting) => {
            let stage = standing.stage.and_then(|stage| plan.stages.get(stage));
            let stage = stage.map_or("its first stage", |stage| stage.name.as_str());
            match (&standing.gate, &standing.halted) {
                (_, Some(reason)) => format!("not begun: the run stopped: {reason}"),
                (Some((gate, _)), None) => {
                    format!("not begun: the run stands in stage {stage}, at gate {gate}")
                }
                (None, None) => format!("not begun: the run works on stage {stage}"),
            }
        }
        None if host.is_blocked() => "left alone: the plan has a blocker for it".to_owned(),
        None => "nothing to do on it".to_owned(),
    }
}
