//! The tour from outside: the built program against its own simulated farm.

use std::io::BufRead;
use std::io::BufReader;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn command(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rmsfleet"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("LANG", "C.UTF-8")
        .env("XDG_STATE_HOME", folder)
        .env("HOME", folder)
        .envs(std::env::var_os("SystemRoot").map(|root| ("SystemRoot", root)))
        .stdin(Stdio::null());
    command
}

fn run(arguments: &[&str], folder: &TempDir) -> Said {
    let output = command(arguments, folder.path()).output().unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[track_caller]
fn check(arguments: &[&str], folder: &TempDir, code: i32, expected: &[&str]) -> Said {
    let said = run(arguments, folder);
    assert_eq!(said.code, code, "{arguments:?}\n{}{}", said.out, said.err);
    for text in expected {
        let there = said.out.contains(text) || said.err.contains(text);
        assert!(there, "`{text}` is missing:\n{}{}", said.out, said.err);
    }
    said
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_tour_changes_seven_hosts_restarts_four_and_asks_nothing() {
    let folder = folder();
    let said = check(
        &["apply", "--lab", "--stats"],
        &folder,
        0,
        &[
            "7 hosts: 7 changed",
            "26 values written",
            "4 restarts",
            "exchange-irm: the IRM settings read back",
        ],
    );
    assert!(said.err.is_empty(), "{}", said.err);
    for line in said.out.lines() {
        assert!(!line.contains('\u{1b}'), "colour in a pipe: {line}");
    }
    assert!(said.out.contains("total"), "--stats is missing");
    let list = check(&["runs", "list"], &folder, 0, &["ok  lab"]);
    let id = list.out.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    check(&["runs", "show", id], &folder, 0, &["Restarted", "ended with exit 0 (ok)"]);
    check(&["status"], &folder, 0, &["exit 0 (ok)", "7 with work: 7 changed", "Next"]);
    check(&["watch", id], &folder, 0, &["Restarted", "Next"]);
    check(&["explain", "FS01", "--run", id], &folder, 0, &["changed: ", " to restart"]);
}

#[test]
fn machine_output_is_json_lines_from_the_version_to_the_result() {
    let folder = folder();
    let said = check(&["apply", "--lab", "--format", "jsonl"], &folder, 0, &[]);
    let lines: Vec<Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.first().unwrap()["type"], "version");
    assert_eq!(lines.last().unwrap()["type"], "result");
    assert_eq!(lines.last().unwrap()["exit"], 0);
    assert!(lines.iter().all(|line| line["message"].is_string()));
    let versions = lines.iter().filter(|line| line["type"] == "version").count();
    assert_eq!(versions, 1);
    let json = check(&["plan", "--lab", "--format", "json"], &folder, 0, &[]);
    let document: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(document["type"], "plan");
}

#[test]
fn a_sealed_plan_is_applied_once_and_only_where_it_was_made() {
    let folder = folder();
    check(&["plan", "--lab", "-o", "change.rmsplan"], &folder, 0, &["Sealed"]);
    check(&["show", "change.rmsplan"], &folder, 0, &["26 values", "Next"]);
    check(&["apply", "change.rmsplan"], &folder, 3, &["simulated farm", "exit 3 (refused)"]);
    check(&["apply", "change.rmsplan", "--lab"], &folder, 0, &["7 changed"]);
    check(&["apply", "change.rmsplan", "--lab"], &folder, 3, &["a plan is used once"]);
    let path = folder.path().join("change.rmsplan");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("rmsconnector", "rmsc0nnector", 1)).unwrap();
    check(&["show", "change.rmsplan"], &folder, 3, &["changed after it was sealed"]);
}

#[test]
fn differences_and_blockers_have_their_exit_codes() {
    let folder = folder();
    check(&["plan", "--lab", "--detailed-exitcode"], &folder, 2, &["exit 2 (changes)"]);
    check(&["apply", "--lab", "--check"], &folder, 0, &["Next"]);
    check(
        &["plan", "--lab", "--faults", "access-denied,stale-host"],
        &folder,
        7,
        &["access-denied", "OLDFILER", "exit 7 (blocked)"],
    );
    check(&["plan", "--lab", "--faults", "acess-denied"], &folder, 64, &["access-denied"]);
    check(&["plan", "--lab", "-l", "nobody"], &folder, 69, &["exit 69 (no-match)"]);
}

#[test]
fn a_limit_keeps_the_others_as_they_are() {
    let folder = folder();
    check(&["apply", "--lab", "-l", "fci"], &folder, 0, &["3 hosts: 3 changed"]);
}

/// Ends the farm with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_served_farm_names_its_addresses_and_answers_there() {
    let folder = folder();
    let child = command(&["lab", "serve"], folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut serving = Serving(child);
    let out = BufReader::new(serving.0.stdout.take().unwrap());
    let lines: Vec<String> =
        out.lines().map(Result::unwrap).take_while(|line| line != "ready").collect();
    let hosts: Vec<(&str, &str)> = lines
        .iter()
        .filter_map(|line| line.split_once(' '))
        .filter(|(name, _)| name.contains('.'))
        .collect();
    assert_eq!(hosts.len(), 8, "{lines:?}");
    for (name, address) in hosts {
        assert!(TcpStream::connect(address).is_ok(), "{name} does not answer at {address}");
    }
    assert!(lines.iter().any(|line| line.starts_with("password ")));
}

#[cfg(unix)]
#[test]
fn a_first_ctrl_c_lets_hosts_in_flight_finish() {
    let folder = folder();
    let mut child =
        command(&["apply", "--lab"], folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("Restarting") {
        assert_ne!(out.read_line(&mut text).unwrap(), 0, "{text}");
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    while out.read_line(&mut text).unwrap() != 0 {}
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    assert!(text.contains("Ctrl-C again"), "{text}");
    assert!(text.contains("Restarted"), "the host in flight was not finished:\n{text}");
    assert!(text.contains("Not started"), "{text}");
}
