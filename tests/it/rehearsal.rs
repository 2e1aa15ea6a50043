//! Rehearsals from outside: nothing is written, no plan is used up, and facts make a farm.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

#[track_caller]
fn check(folder: &Path, line: &str, code: i32, expected: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
        .args(line.split(' '))
        .env_clear()
        .env("LANG", "C.UTF-8")
        .env("USER", "anna")
        .env("HOME", folder)
        .env("XDG_STATE_HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "rmsfleet {line}\n{said}");
    for text in expected {
        assert!(said.contains(text), "`{text}` is missing\nrmsfleet {line}\n{said}");
    }
    said
}

#[test]
fn a_rehearsal_goes_through_every_stage_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    check(at, "plan --lab -o x.rmsplan", 0, &["Sealed"]);
    let said = check(at, "apply --lab x.rmsplan --rehearse --format jsonl", 0, &["run-started"]);
    assert!(said.contains(r#""rehearsal":true"#), "{said}");
    for act in
        ["change-intended", "mark-intended", "lease-intended", "restart-intended", "step-intended"]
    {
        assert!(!said.contains(act), "{act} in a rehearsal");
    }
    for told in ["stage-started", "restart-waiting", "step-held", "host-ended"] {
        assert!(said.contains(told), "{told} is missing");
    }
    let list = check(at, "runs list", 0, &["ok"]);
    let id = list.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    check(at, &format!("runs show {id}"), 0, &["rehearsal"]);
    // The plan is as good as new.
    check(at, "apply --lab x.rmsplan", 0, &["7 changed"]);
    check(at, "apply --lab x.rmsplan --rehearse", 0, &["Rehearsed"]);
}

#[test]
fn what_hosts_said_makes_a_farm_with_faults_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    check(at, "plan --lab --save-facts fleet.facts", 0, &["Saved"]);
    let facts = fs::read_to_string(at.join("fleet.facts")).unwrap();
    assert!(!facts.contains("Lab-Passw0rd"));
    check(at, "apply --lab --facts fleet.facts", 0, &["7 hosts: 7 changed", "26 values written"]);
    let faults = "apply --lab --facts fleet.facts --faults FS02:no-answer-after-reboot";
    check(at, faults, 5, &["FS02", "was not back"]);
    check(at, "apply --lab --faults FS99:write-denied", 69, &["FS99"]);
    check(at, "apply --lab --facts missing.facts", 65, &["--save-facts"]);
    fs::write(at.join("bad.facts"), "{}").unwrap();
    check(at, "apply --lab --facts bad.facts", 65, &["bad.facts"]);
}

#[test]
fn a_sealed_plan_can_be_limited_and_keeps_its_organisation_whole() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    check(at, "plan --lab -o x.rmsplan", 0, &["Sealed"]);
    check(at, "apply --lab x.rmsplan -l nobody", 69, &[]);
    check(
        at,
        "apply --lab x.rmsplan -l all:!EX02.corp.contoso.com",
        8,
        &["Leaving out", "EX02", "not verified: EX02.corp.contoso.com"],
    );
    check(at, "apply --lab x.rmsplan", 3, &["a plan is used once"]);
}
