//! Programs that are to run on this machine and are not on it: told before the first write.

use crate::model::plan::Plan;
use crate::model::program::RunOn;
use crate::model::rollout::Playbook;
use crate::plan::fits::Finding;
use crate::plan::fits::Place;
use crate::plan::programs;

const HINT: &str = "name a program that stands in PATH, or write its whole path";

/// What a run of the plan would miss here, each program once.
pub fn of_plan(plan: &Plan) -> Vec<String> {
    let mut missing: Vec<String> = programs::programs(plan)
        .iter()
        .filter(|one| *one.run_on == RunOn::Controller && is_absent(one.argv))
        .map(|one| words(&one.what, one.argv))
        .collect();
    missing.dedup();
    missing
}

/// The same of a playbook. It may be read on another machine than the one that carries it out.
pub fn of_playbook(playbook: &Playbook) -> Vec<Finding> {
    let gates = playbook.conditions.gates.iter();
    let gates = gates.filter_map(|(name, gate)| {
        gate.command().map(|(argv, run_on)| ("gates", name, argv, run_on))
    });
    let hooks = playbook.conditions.hooks.iter();
    let hooks = hooks.map(|(name, hook)| ("hooks", name, hook.argv.as_slice(), &hook.run_on));
    gates
        .chain(hooks)
        .filter(|(_, _, argv, run_on)| run_on.is_controller() && is_absent(argv))
        .map(|(key, name, argv, _)| Finding {
            place: Place::Playbook([key, name, "argv"].map(str::to_owned).into()),
            is_error: false,
            text: words(&format!("{} {name}", key.trim_end_matches('s')), argv),
            hint: HINT.to_owned(),
        })
        .collect()
}

fn words(what: &str, argv: &[String]) -> String {
    let name = argv.first().map_or("", String::as_str);
    format!("{what}: `{name}` is no program on this machine")
}

/// What stands between double braces is known in the run only.
fn is_absent(argv: &[String]) -> bool {
    argv.first().is_some_and(|name| !name.contains("{{") && which::which(name).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_by_name_and_by_path() {
        let absent = |name: &str| is_absent(&[name.to_owned()]);
        assert!(absent("./no-such-program") && absent("no-such-program-anywhere"));
        let own = std::env::current_exe().unwrap().display().to_string();
        assert!(!absent(&own) && !absent("{{ host.name }}"));
        // A file that nobody may run is no program.
        #[cfg(unix)]
        assert!(absent(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")));
    }
}
