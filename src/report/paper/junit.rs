//! A run as JUnit XML: one test case per host, gate and organisation step.

use crate::event::Record;
use crate::model::outcome::Outcome;
use crate::model::plan::Plan;
use crate::model::plan::Scope;
use crate::report::paper::happened::Happened;
use crate::report::paper::happened::HostHappened;
use crate::report::paper::html::escape;

/// What a build server makes of one case.
enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Hosts that were not begun or are blocked are skipped, not passed.
pub fn junit(plan: &Plan, records: &[Record]) -> String {
    let happened = Happened::of(records).unwrap_or_default();
    let mut cases: Vec<(&str, String, Verdict)> = Vec::new();
    for host in plan.hosts.values().filter(|host| host.scope == Scope::InScope) {
        cases.push(("hosts", host.name.to_string(), verdict(happened.hosts.get(&host.name))));
    }
    for (stage, gate, red) in &happened.gates {
        let verdict = red.clone().map_or(Verdict::Passed, Verdict::Failed);
        cases.push(("gates", format!("{gate} of {stage}"), verdict));
    }
    for ((organisation, step), (well, text)) in &happened.steps {
        let verdict = if *well { Verdict::Passed } else { Verdict::Failed(text.clone()) };
        let name = if step.is_empty() { String::new() } else { format!(": {step}") };
        cases.push(("steps", format!("{organisation}{name}"), verdict));
    }
    for (what, well, said) in &happened.hooks {
        let verdict = if *well { Verdict::Passed } else { Verdict::Failed(said.clone()) };
        cases.push(("hooks", what.clone(), verdict));
    }
    let failed = cases.iter().filter(|(_, _, verdict)| matches!(verdict, Verdict::Failed(_)));
    let skipped = cases.iter().filter(|(_, _, verdict)| matches!(verdict, Verdict::Skipped(_)));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" \
         failures=\"{}\" skipped=\"{}\">\n",
        escape(&plan.playbook),
        cases.len(),
        failed.count(),
        skipped.count()
    );
    for (class, name, verdict) in &cases {
        text.push_str(&format!("  <testcase classname=\"{class}\" name=\"{}\"", escape(name)));
        match verdict {
            Verdict::Passed => text.push_str("/>\n"),
            Verdict::Failed(why) => {
                text.push_str(&format!("><failure message=\"{}\"/></testcase>\n", escape(why)));
            }
            Verdict::Skipped(why) => {
                text.push_str(&format!("><skipped message=\"{}\"/></testcase>\n", escape(why)));
            }
        }
    }
    text.push_str("</testsuite>\n");
    text
}

fn verdict(found: Option<&HostHappened>) -> Verdict {
    let Some((found, (verb, _, text))) = found.and_then(|found| Some((found, found.ending()?)))
    else {
        return Verdict::Failed("its end is not known".to_owned());
    };
    let words = format!("{verb}: {text}");
    match &found.outcome {
        Some(Outcome::Unchanged | Outcome::Changed { .. }) => Verdict::Passed,
        Some(Outcome::NotStarted | Outcome::Blocked) | None => Verdict::Skipped(words),
        Some(
            Outcome::RestartOwed { .. }
            | Outcome::Refused(_)
            | Outcome::InDoubt(_)
            | Outcome::Failed(_)
            | Outcome::Unreachable(_),
        ) => Verdict::Failed(words),
    }
}
