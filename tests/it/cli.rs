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
