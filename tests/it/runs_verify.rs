//! Journals, resumes and locks from outside: the built program and its state folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use tempfile::TempDir;

const FIXTURE: &[u8] = include_bytes!("../fixtures/journal-1.jsonl");

/// Runs the program and looks for its exit code and words.
#[track_caller]
fn check(folder: &TempDir, arguments: &[&str], code: i32, expected: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .env("LANG", "C.UTF-8")
        .env("XDG_STATE_HOME", folder.path())
        .env("HOME", folder.path())
        .env("HOSTNAME", "desk")
        .envs(std::env::var_os("SystemRoot").map(|root| ("SystemRoot", root)))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{said}");
    for text in expected {
        assert!(said.contains(text), "`{text}` is missing:\n{said}");
    }
}

/// A finished run of the tour: its folder and its id.
fn tour(folder: &TempDir) -> (PathBuf, String) {
    check(folder, &["apply", "--lab"], 0, &["7 changed"]);
    let runs = folder.path().join("rmsfleet/runs");
    let run = fs::read_dir(runs).unwrap().next().unwrap().unwrap();
    (run.path(), run.file_name().into_string().unwrap())
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_journal_says_whether_it_was_touched() {
    let folder = folder();
    let (path, id) = tour(&folder);
    let verify = ["runs", "verify", id.as_str()];
    check(&folder, &verify, 0, &["Verified", "each as it was written"]);
    let journal = path.join("journal.jsonl");
    let good = fs::read_to_string(&journal).unwrap();
    let lines: Vec<&str> = good.lines().collect();

    fs::write(&journal, good.replacen("\"batch\":1", "\"batch\":2", 1)).unwrap();
    let changed = 1 + lines.iter().position(|line| line.contains("\"batch\":1")).unwrap();
    check(&folder, &verify, 3, &[&format!("line {changed} was changed")]);

    let missing: String = lines.iter().filter(|line| **line != lines[4]).map(line).collect();
    fs::write(&journal, missing).unwrap();
    check(&folder, &verify, 3, &["missing before line 5"]);

    fs::write(&journal, format!("{good}{{\"prev\":")).unwrap();
    let torn = format!("line {} breaks off", lines.len() + 1);
    check(&folder, &verify, 0, &["Verified", &torn]);

    let cut: String = lines[..lines.len() - 1].iter().map(line).collect();
    fs::write(&journal, cut).unwrap();
    check(&folder, &verify, 0, &["has not told its end"]);

    fs::write(&journal, &good).unwrap();
    let plan = path.join("plan");
    let sealed = fs::read_to_string(&plan).unwrap();
    fs::write(&plan, sealed.replacen("rmsconnector", "rmsc0nnector", 1)).unwrap();
    check(&folder, &verify, 3, &["changed after it was sealed"]);
}

fn line(text: impl AsRef<str>) -> String {
    format!("{}\n", text.as_ref())
}

#[test]
fn a_journal_of_another_plan_and_one_of_an_older_format_are_named() {
    let folder = folder();
    let (path, id) = tour(&folder);
    let journal = path.join("journal.jsonl");
    fs::write(&journal, FIXTURE).unwrap();
    check(&folder, &["runs", "verify", &id], 3, &["belongs to the plan with sha256 9f86d081"]);
    let digest = {
        let plan = fs::read_to_string(path.join("plan")).unwrap();
        plan.split('"').find(|word| word.len() == 64).unwrap().to_owned()
    };
    let text = String::from_utf8(FIXTURE.to_vec()).unwrap();
    fs::write(&journal, text.replace("9f86d081884c7d659a2feaa0c55ad015", &digest)).unwrap();
    check(&folder, &["runs", "verify", &id], 0, &["Unchained", "older format"]);
}

#[test]
fn a_run_of_the_simulated_farm_ends_with_its_farm() {
    let folder = folder();
    let (_, id) = tour(&folder);
    check(&folder, &["resume", &id], 3, &["the simulated farm of that run ended with it"]);
    check(&folder, &["resume", "nobody"], 69, &["no run begins with"]);
    check(&folder, &["resume", &id, "--limit", "FS01"], 64, &["--limit cannot change"]);
}

#[test]
fn locks_are_listed_and_broken_on_purpose_only() {
    let folder = folder();
    check(&folder, &["lock", "list"], 0, &["no locks are held"]);
    check(&folder, &["lock", "break", "farm:SP-1"], 69, &["there is no lock `farm:SP-1`"]);
    check(&folder, &["lock", "break", "a", "--force", "b"], 64, &["--force names `b`"]);
    let locks = folder.path().join("rmsfleet/locks");
    fs::create_dir_all(&locks).unwrap();
    // Another workstation that has given a sign of life in the year 2999.
    let owner = r#"{"name":"farm:SP-1","run":"run-9","operator":"eve","workstation":"other",
        "process":7,"started":"2026-01-09T12:00:00Z","heartbeat":"2999-01-09T12:00:00Z"}"#;
    fs::write(locks.join("farm-sp-1.json"), owner).unwrap();
    let said = ["farm:SP-1", "alive on another workstation", "run-9", "eve on other"];
    check(&folder, &["lock", "list"], 0, &said);
    let hint = "lock break farm:SP-1 --force farm:SP-1";
    check(&folder, &["lock", "break", "farm:SP-1"], 10, &["locked by run run-9 of eve", hint]);
    check(&folder, &["lock", "break", "farm:SP-1", "--force", "farm:SP-1"], 0, &["Broken"]);
    check(&folder, &["lock", "list"], 0, &["no locks are held"]);
}

#[test]
fn a_journal_that_is_lost_is_not_a_run_that_never_began() {
    let folder = folder();
    let apply = ["apply", "--lab", "x.rmsplan"];
    check(&folder, &["plan", "--lab", "-o", "x.rmsplan"], 0, &["Sealed"]);
    check(&folder, &apply, 0, &["7 changed"]);
    let run = fs::read_dir(folder.path().join("rmsfleet/runs")).unwrap().next().unwrap().unwrap();
    let id = run.file_name().into_string().unwrap();
    let journal = run.path().join("journal.jsonl");
    let lost = |folder: &TempDir| {
        let words = ["the journal is lost: `report.", "new plan: rmsfleet plan"];
        for command in [["runs", "verify"], ["runs", "show"]] {
            check(folder, &[&command[..], &[id.as_str()]].concat(), 3, &words);
        }
        check(folder, &["status"], 3, &words);
        check(folder, &["runs", "list"], 0, &["unreadable: ", "the journal is lost"]);
        let used = format!("used by run {id}, whose journal is lost; a plan is used once");
        check(folder, &apply, 3, &[&used, "make a new one"]);
    };
    fs::write(&journal, "").unwrap();
    lost(&folder);
    fs::remove_file(&journal).unwrap();
    lost(&folder);

    // With nothing but its plan the folder is one in which nothing began.
    for name in ["report.html", "report.md", "report.xml"] {
        fs::remove_file(run.path().join(name)).unwrap();
    }
    check(&folder, &["runs", "verify", &id], 65, &["before its first act"]);
    check(&folder, &apply, 0, &["7 changed"]);
}

#[test]
fn commands_name_the_folder_of_runs_that_was_typed() {
    let folder = folder();
    let shown = ["rmsfleet runs show --run-dir own 20"];
    check(&folder, &["apply", "--lab", "--run-dir", "own"], 0, &shown);
    check(&folder, &["promote", "20", "--run-dir", "own"], 3, &["hint: rmsfleet", shown[0]]);
}
