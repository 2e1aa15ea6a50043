//! The programs that a plan names: of hooks around stages, the run and restarts, and of gates.

use std::collections::BTreeSet;

use crate::model::care::Drain;
use crate::model::conditions::Conditions;
use crate::model::gate::Gate;
use crate::model::hook::Around;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::plan::Blocker;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::Scope;
use crate::model::program::RunOn;

/// One program at one place of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use<'p> {
    /// `hook suspend-alerts`, `gate farm-ready`.
    pub what: String,
    /// `before stage mail`, `around each restart`.
    pub place: String,
    pub argv: &'p [String],
    /// In seconds.
    pub timeout: u32,
    pub run_on: &'p RunOn,
}

/// A command line for people to read: what holds a blank stands in quotes.
pub fn line(argv: &[String]) -> String {
    let word = |word: &String| {
        let is_plain = !word.is_empty() && !word.contains([' ', '"']);
        if is_plain { word.clone() } else { format!("\"{word}\"") }
    };
    argv.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Every program that the run may start, in the order of the plan.
pub fn programs(plan: &Plan) -> Vec<Use<'_>> {
    let conditions = &plan.conditions;
    let mut found = around(conditions, &conditions.around, "the run");
    for stage in &plan.stages {
        let name = format!("stage {}", stage.name);
        for (word, names) in [
            ("before", &stage.gates.before),
            ("between the batches of", &stage.gates.between),
            ("after", &stage.gates.after),
        ] {
            let place = format!("{word} {name}");
            found.extend(names.iter().filter_map(|gate| of_gate(conditions, gate, &place)));
        }
        found.extend(around(conditions, &stage.hooks, &name));
    }
    let restarting = plan.hosts.values().filter(|host| host.has_work() && host.restart);
    for host in restarting {
        let place = "around each restart";
        if let Drain::Hook(name) = &host.care.drain {
            found.extend(of_hook(conditions, name, place));
        }
        let gates = host.care.gates_after.iter();
        found.extend(gates.filter_map(|gate| of_gate(conditions, gate, "after each restart")));
    }
    let mut seen = BTreeSet::new();
    found.retain(|one| seen.insert((one.what.clone(), one.place.clone())));
    found
}

fn around<'p>(conditions: &'p Conditions, around: &'p Around, whose: &str) -> Vec<Use<'p>> {
    let lists = [("before", &around.before), ("after", &around.after)];
    let named = lists.into_iter().flat_map(|(word, names)| names.iter().map(move |it| (word, it)));
    named.flat_map(|(word, name)| of_hook(conditions, name, &format!("{word} {whose}"))).collect()
}

/// A hook, and the one that takes it back.
fn of_hook<'p>(conditions: &'p Conditions, name: &str, place: &str) -> Vec<Use<'p>> {
    let one = |name: &str, place: String| {
        let hook = conditions.hooks.get(name)?;
        let what = format!("hook {name}");
        let (argv, timeout, run_on) = (hook.argv.as_slice(), hook.timeout, &hook.run_on);
        Some(Use { what, place, argv, timeout, run_on })
    };
    let undo = conditions.hooks.get(name).and_then(|hook| hook.undo.as_ref());
    let back = undo.and_then(|undo| one(undo, format!("to take {name} back")));
    one(name, place.to_owned()).into_iter().chain(back).collect()
}

fn of_gate<'p>(conditions: &'p Conditions, name: &str, place: &str) -> Option<Use<'p>> {
    let Gate::Command { argv, timeout, run_on } = conditions.gates.get(name)? else { return None };
    let (what, place) = (format!("gate {name}"), place.to_owned());
    Some(Use { what, place, argv, timeout: *timeout, run_on })
}

/// Hosts that the run asks or runs programs on, whether or not it changes anything there.
pub fn hosts(plan: &Plan) -> impl Iterator<Item = &PlannedHost> {
    let named: BTreeSet<&HostName> = programs(plan)
        .into_iter()
        .filter_map(|one| match one.run_on {
            RunOn::Named(host) => Some(host),
            RunOn::Controller | RunOn::Host => None,
        })
        .collect();
    let logs = plan.conditions.gates.values().any(|gate| matches!(gate, Gate::EventLog { .. }));
    plan.hosts
        .values()
        .filter(move |host| named.contains(&host.name) || logs && host.scope == Scope::Connector)
}

/// The host of this full or short name.
pub fn find<'a>(
    name: &HostName,
    hosts: impl Iterator<Item = &'a HostName> + Clone,
) -> Option<&'a HostName> {
    let wanted = name.as_str();
    let full = hosts.clone().find(|host| host.as_str().eq_ignore_ascii_case(wanted));
    let mut short = hosts.filter(|host| host.short().eq_ignore_ascii_case(wanted));
    full.or_else(|| short.next().filter(|_| short.next().is_none()))
}

/// The conditions with every host spelled as the inventory does.
pub fn spelled(mut conditions: Conditions, hosts: &[Host]) -> Conditions {
    let gates = conditions.gates.values_mut().filter_map(|gate| match gate {
        Gate::Command { run_on, .. } => Some(run_on),
        Gate::Http { .. }
        | Gate::EventLog { .. }
        | Gate::Exchange { .. }
        | Gate::Service { .. }
        | Gate::RmsTemplates { .. }
        | Gate::Tcp { .. }
        | Gate::Soak { .. }
        | Gate::Approval { .. } => None,
    });
    for run_on in gates.chain(conditions.hooks.values_mut().map(|hook| &mut hook.run_on)) {
        if let RunOn::Named(name) = run_on
            && let Some(found) = find(name, hosts.iter().map(|host| &host.name))
        {
            *name = found.clone();
        }
    }
    conditions
}

/// Programs that could not be started: a host is given one only if the plan knows who it is.
pub fn stranded(plan: &Plan) -> Vec<Blocker> {
    let stranded = programs(plan).into_iter().filter_map(|one| {
        let RunOn::Named(name) = one.run_on else { return None };
        let why = match plan.hosts.get(name) {
            None => "is not in the inventory",
            Some(host) if host.identity.is_none() => "was not read, so that nobody knows who it is",
            Some(_) => return None,
        };
        Some(Blocker {
            id: "program-host".to_owned(),
            text: format!("{} {} runs on {name}, which {why}", one.what, one.place),
            hint: Some(
                "name a host that has an `rms_role`, answers and is not left out".to_owned(),
            ),
        })
    });
    stranded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hook::Hook;
    use crate::plan::sample;

    fn hook(run_on: RunOn, undo: Option<&str>) -> Hook {
        let argv = vec![r"C:\T\mute.exe".to_owned()];
        Hook { argv, timeout: 60, undo: undo.map(str::to_owned), run_on }
    }

    fn named(name: &str) -> RunOn {
        RunOn::Named(HostName::new(name))
    }

    #[test]
    fn a_hook_and_what_takes_it_back_are_named_with_their_places() {
        let mut plan = sample::plan();
        let first = plan.hosts.keys().next().unwrap().clone();
        plan.conditions.hooks.insert("quiet".to_owned(), hook(named(&first.0), Some("loud")));
        plan.conditions.hooks.insert("loud".to_owned(), hook(RunOn::Controller, None));
        plan.conditions.around.before = vec!["quiet".to_owned()];
        let told: Vec<_> =
            programs(&plan).iter().map(|one| format!("{} {}", one.what, one.place)).collect();
        assert_eq!(told, ["hook quiet before the run", "hook loud to take quiet back"]);
        assert_eq!(hosts(&plan).map(|host| &host.name).collect::<Vec<_>>(), [&first]);
    }

    #[test]
    fn a_program_on_a_host_that_nobody_knows_blocks_the_plan() {
        let check = |run_on, why: Option<&str>| {
            let mut plan = sample::plan();
            plan.conditions.hooks.insert("quiet".to_owned(), hook(run_on, None));
            plan.conditions.around.before = vec!["quiet".to_owned()];
            let found = stranded(&plan);
            assert_eq!(found.first().map(|blocker| blocker.text.as_str()), why);
        };
        let known = sample::plan()
            .hosts
            .values()
            .find(|host| host.identity.is_some())
            .unwrap()
            .name
            .clone();
        check(named(&known.0), None);
        check(RunOn::Controller, None);
        let text = "hook quiet before the run runs on NOPE, which is not in the inventory";
        check(named("NOPE"), Some(text));
    }

    #[test]
    fn a_line_shows_where_its_words_end() {
        let argv = [r"C:\T\a.exe", "-q", "two words", ""].map(str::to_owned);
        assert_eq!(line(&argv), r#"C:\T\a.exe -q "two words" """#);
    }

    #[test]
    fn a_short_name_finds_its_host_unless_two_have_it() {
        let names = ["FS01.a.test", "FS01.b.test", "FS02.a.test"].map(HostName::new);
        let found = |name: &str| find(&HostName::new(name), names.iter()).map(HostName::as_str);
        assert_eq!(found("fs02"), Some("FS02.a.test"));
        assert_eq!(found("fs01.b.TEST"), Some("FS01.b.test"));
        assert_eq!(found("FS01"), None);
    }
}
