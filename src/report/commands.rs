//! Commands within texts: those about a run name the folder that the run is found in, where it is not
//! the usual one.

/// What every command begins with.
const TOOL: &str = "rmsfleet ";

/// Verbs that look for runs or locks.
const ABOUT_RUNS: [&str; 11] = [
    "apply", "resume", "undo", "status", "watch", "pause", "promote", "abort", "drift", "runs",
    "lock",
];

/// Those of them with a verb below them.
const WITH_VERB: [&str; 2] = ["runs", "lock"];

/// The text, with the flag after the verb of each command about a run that has none yet. Where a
/// command ends in a sentence nobody can tell.
pub fn in_folder(text: &str, flag: Option<&str>) -> String {
    let Some(flag) = flag else { return text.to_owned() };
    let mut written = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(TOOL) {
        written.push_str(before);
        written.push_str(TOOL);
        let (verb, behind) = after.split_at(verb(after));
        written.push_str(verb);
        if !verb.is_empty() && !behind.starts_with(flag) {
            written.push_str(flag);
        }
        rest = behind;
    }
    written + rest
}

/// The length of the verb that a command begins with; 0 if it is not about a run.
fn verb(command: &str) -> usize {
    let word = |text: &str| text.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(text.len());
    let (name, behind) = command.split_at(word(command));
    if !ABOUT_RUNS.contains(&name) {
        return 0;
    }
    match behind.strip_prefix(' ') {
        Some(below) if WITH_VERB.contains(&name) => name.len() + 1 + word(below),
        Some(_) | None => name.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let got = in_folder(text, Some(" --run-dir /srv/r"));
        assert_eq!(got, expected);
        assert_eq!(in_folder(&got, Some(" --run-dir /srv/r")), expected, "it is named once");
        assert_eq!(in_folder(text, None), text);
    }

    #[test]
    fn every_command_about_a_run_names_the_folder_once() {
        check(
            "Switch over? (somebody says go with: rmsfleet promote r1)",
            "Switch over? (somebody says go with: rmsfleet promote --run-dir /srv/r r1)",
        );
        check(
            "rmsfleet lock break hosts, then rmsfleet resume r1",
            "rmsfleet lock break --run-dir /srv/r hosts, then rmsfleet resume --run-dir /srv/r r1",
        );
        check("`rmsfleet undo`", "`rmsfleet undo --run-dir /srv/r`");
        check("rmsfleet runs show r1", "rmsfleet runs show --run-dir /srv/r r1");
    }

    #[test]
    fn other_commands_stay_as_they_are() {
        check("rmsfleet plan -l FS1, or rmsfleet", "rmsfleet plan -l FS1, or rmsfleet");
        check("rmsfleet undoing", "rmsfleet undoing");
    }
}
