//! The built program from outside: usage, help, exit codes, what goes to which stream.

use std::path::Path;
use std::process::Command;
use std::process::Output;

/// A clean environment: no colour, no CI, no settings of whoever runs the tests.
fn rmsfleet(arguments: &[&str], state: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
        .args(arguments)
        .env_clear()
        .env("LANG", "C.UTF-8")
        .env("HOME", state)
        .env("XDG_STATE_HOME", state)
        .envs(std::env::var_os("SystemRoot").map(|root| ("SystemRoot", root)))
        .current_dir(state)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn run(arguments: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    run_in(arguments, folder.path())
}

fn run_in(arguments: &[&str], folder: &Path) -> Said {
    let output = rmsfleet(arguments, folder);
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[track_caller]
fn check_usage(arguments: &[&str], expected: &str) {
    let said = run(arguments);
    assert_eq!(said.code, 64, "{}", said.err);
    assert!(said.out.is_empty(), "{}", said.out);
    assert!(said.err.contains(expected), "{}", said.err);
    assert!(said.err.ends_with("exit 64 (usage)\n"), "{}", said.err);
}

#[test]
fn usage_errors_exit_64_and_never_2() {
    check_usage(&["--frobnicate"], "--frobnicate");
    check_usage(&[], "Usage");
    check_usage(&["plan", "--forks", "0"], "--forks");
    check_usage(&["plan", "--waive", "FS07"], "HOST:ID");
    check_usage(&["plan", "--var", "novalue"], "name=value");
    check_usage(&["apply", "--faults", "stale"], "--lab");
    check_usage(&["apply", "--password", "x"], "--password");
}

#[test]
fn help_and_version_are_success_and_teach() {
    let help = run(&["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.err.is_empty());
    for text in ["rmsfleet apply --lab", "Exit codes:", "rmsfleet init"] {
        assert!(help.out.contains(text), "{text} is missing:\n{}", help.out);
    }
    assert!(!help.out.contains("--password"));
    for verb in ["plan", "apply", "show", "lint", "init", "explain"] {
        let help = run(&[verb, "--help"]);
        assert_eq!(help.code, 0, "{verb}");
        let next = help.out.contains("Examples:") || help.out.contains("Next:");
        assert!(next, "{verb} teaches nothing:\n{}", help.out);
    }
    assert_eq!(run(&["--version"]).out, concat!("rmsfleet ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn help_shows_the_flags_that_matter_and_every_command_takes_them_all() {
    let has = |arguments: &[&str], flag: &str| run(arguments).out.contains(flag);
    assert!(has(&["apply", "--help"], "--waive-server") && has(&["plan", "-h"], "--forks"));
    assert!(has(&["lint", "--help"], "--inventory") && !has(&["lint", "--help"], "--waive"));
    assert!(has(&["runs", "show", "-h"], "--run-dir") && !has(&["runs", "show", "-h"], "--forks"));
    assert!(!has(&["explain", "--help"], "--waive") && has(&["explain", "-h"], "--color"));
    assert_eq!(run(&["explain", "5", "--limit", "fci", "--yes"]).code, 0);
}

#[test]
fn init_writes_a_start_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = run_in(&["init"], folder.path());
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.out.contains("inventory.yml"));
    std::fs::write(folder.path().join("inventory.yml"), "mine").unwrap();
    let second = run_in(&["init"], folder.path());
    assert_eq!(second.code, 65);
    assert!(second.err.contains("inventory.yml") && second.err.contains("exit 65 (data)"));
    assert_eq!(std::fs::read_to_string(folder.path().join("inventory.yml")).unwrap(), "mine");
}

#[test]
fn completions_and_manual_are_made_from_the_same_definition() {
    assert!(run(&["completions", "bash"]).out.contains("detailed-exitcode"));
    assert!(run(&["man"]).out.contains("detailed"));
}

#[test]
fn what_init_writes_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run_in(&["init"], folder.path()).code, 0);
    let lint = run_in(&["lint", "-p", "playbook.yml"], folder.path());
    assert_eq!(lint.code, 0, "{}{}", lint.out, lint.err);
    let hosts = run_in(&["inventory", "list", "fci:!FS01"], folder.path()).out;
    assert!(hosts.contains("FS12.example.com") && !hosts.contains("FS01."), "{hosts}");
}

#[cfg(windows)]
#[test]
fn lint_tells_of_hosts_that_this_version_cannot_reach() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run_in(&["init"], folder.path()).code, 0);
    let file = folder.path().join("inventory.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("transport: ntlm", "transport: kerberos")).unwrap();
    let lint = run_in(&["lint"], folder.path());
    assert_eq!(lint.code, 0, "{}", lint.err);
    let said = lint.out.contains("warning: 18 hosts") && lint.out.contains("Kerberos is not built");
    assert!(said, "{}", lint.out);
}

#[track_caller]
fn check_broken(inventory: &str, code: i32, expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("inventory.yml"), inventory).unwrap();
    let said = run_in(&["plan", "--no-input"], folder.path());
    assert_eq!(said.code, code, "{}", said.err);
    for text in expected {
        assert!(said.err.contains(text), "`{text}` is missing:\n{}", said.err);
    }
    assert!(!said.err.contains('\u{1b}'), "colour in a pipe");
}

#[test]
fn a_broken_inventory_names_place_and_remedy() {
    let text = "all:\n  hosts:\n    FS01:\n      rms_roll: fci\n";
    check_broken(text, 65, &["inventory.yml:4", "rms_role", "exit 65 (data)"]);
}

#[test]
fn a_missing_inventory_says_how_to_get_one() {
    let said = run(&["plan"]);
    assert_eq!(said.code, 65);
    assert!(said.err.contains("rmsfleet init"), "{}", said.err);
}

#[test]
fn a_pattern_that_matches_nothing_is_exit_69() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run_in(&["init"], folder.path()).code, 0);
    let said = run_in(&["inventory", "list", "nonsense"], folder.path());
    assert_eq!(said.code, 69, "{}", said.err);
    assert!(said.err.ends_with("exit 69 (no-match)\n"), "{}", said.err);
}

#[test]
fn machine_output_is_pure_and_starts_with_its_version() {
    let said = run(&["rules", "list", "--format", "jsonl"]);
    assert_eq!(said.code, 0);
    let lines: Vec<serde_json::Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["type"], "version");
    assert_eq!(lines[0]["schema"], "1.0");
    assert_eq!(lines[1]["type"], "rules");
}

#[test]
fn a_code_is_explained() {
    let said = run(&["explain", "0x80338029"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("2150858793"), "{}", said.out);
    assert_eq!(run(&["explain", "99999"]).code, 69);
}

#[test]
fn a_host_is_explained_by_the_files_alone() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run_in(&["init"], folder.path()).code, 0);
    let said = run_in(&["explain", "FS01"], folder.path());
    assert_eq!(said.code, 0, "{}", said.err);
    for text in ["yes: fci (inventory.yml:", "batch 1 of", "credential", "rules"] {
        assert!(said.out.contains(text), "{text} in {}", said.out);
    }
    let said = run_in(&["explain", "FS0l"], folder.path());
    assert_eq!(said.code, 69, "{}", said.err);
    let tree = run_in(&["inventory", "graph"], folder.path());
    assert!(tree.out.starts_with("@all  ") && tree.out.contains("|--@"), "{}", tree.out);
}

#[test]
fn a_schema_is_json_and_a_setting_says_where_it_comes_from() {
    for name in ["inventory", "playbook", "credentials", "events"] {
        let said = run(&["schema", name]);
        let schema: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        assert!(schema["$schema"].is_string(), "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rmsfleet.toml"), "forks = 7\ncolor = \"never\"\n").unwrap();
    let said = run_in(&["config", "show", "--origin", "--color", "always"], folder.path());
    let line = |name: &str| said.out.lines().find(|line| line.contains(name)).unwrap_or_default();
    assert!(
        line("forks").contains("7  (") && line("forks").contains("rmsfleet.toml:1)"),
        "{}",
        said.out
    );
    assert!(line("color").contains("always  (flag)"), "{}", said.out);
    std::fs::write(folder.path().join("rmsfleet.toml"), "yes = true\n").unwrap();
    let refused = run_in(&["runs", "list"], folder.path());
    assert_eq!(refused.code, 65, "{}", refused.out);
    assert!(refused.err.contains("rmsfleet.toml:1:1: `yes`"), "{}", refused.err);
}

#[test]
fn hosts_may_be_listed_in_a_file_and_variables_too() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run_in(&["init"], folder.path()).code, 0);
    std::fs::write(folder.path().join("hosts.txt"), "FS01  # the first\nFS02\n").unwrap();
    let said = run_in(&["inventory", "list", "@hosts.txt"], folder.path());
    assert!(said.out.contains("\n2 hosts,"), "{}{}", said.out, said.err);
    assert_eq!(run_in(&["inventory", "list", "@nowhere.txt"], folder.path()).code, 64);
    std::fs::write(folder.path().join("more.yml"), "rms_site: ams\nrms_owner: us\n").unwrap();
    let show = ["inventory", "show", "FS01", "--var-file", "more.yml", "--var", "rms_owner=them"];
    let said = run_in(&show, folder.path());
    assert!(said.out.contains("ams") && said.out.contains("them"), "{}{}", said.out, said.err);
    std::fs::write(folder.path().join("more.yml"), "rms_sites: ams\n").unwrap();
    let said = run_in(&show, folder.path());
    assert_eq!(said.code, 65, "{}", said.out);
    assert!(said.err.contains("more.yml:1:1"), "{}", said.err);
}

#[test]
fn no_runs_are_no_error() {
    let said = run(&["runs", "list"]);
    assert_eq!((said.code, said.out.as_str()), (0, "no runs are recorded here\n"));
    assert_eq!(run(&["runs", "show", "abc"]).code, 69);
}
