//! The cmd shell: recorded replies of Windows, and a server that is not ours.

use std::time::Duration;

use rmsfleet::wire::soap::Header;
use rmsfleet::wire::winrs::Piece;
use rmsfleet::wire::winrs::decode_receive;
use serde_json::json;

use crate::peers_rollout::Bench;
use crate::shared::captures;

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

/// Joins every recorded reply to a Receive of one conversation.
#[track_caller]
fn check(case: &str, stdout: &str, stderr: &str, exit_code: Option<u32>) {
    let Some(folder) = captures(&format!("derived/pypsrp-pairs/{case}")) else { return };
    let mut all = Piece::default();
    for number in 0.. {
        let part = |kind| folder.join(format!("{number:02}.{kind}.xml"));
        let Ok(request) = std::fs::read_to_string(part("request")) else { break };
        if !request.contains("/shell/Receive<") {
            continue;
        }
        let reply = std::fs::read(part("response")).unwrap();
        let header = Header {
            message_id: between(&request, "<wsa:MessageID>", "<").to_owned(),
            session_id: String::new(),
            to: String::new(),
            operation_timeout: Duration::from_secs(20),
            max_envelope: 153_600,
        };
        let piece = decode_receive(between(&request, "CommandId=\"", "\""), &header, &reply);
        // A timeout says nothing, and nothing is lost by it.
        let Ok(piece) = piece else { continue };
        all.stdout.extend(piece.stdout);
        all.stderr.extend(piece.stderr);
        all.ended = all.ended.or(piece.ended);
    }
    assert_eq!(String::from_utf8(all.stdout).unwrap(), stdout, "{case}");
    assert_eq!(String::from_utf8(all.stderr).unwrap(), stderr, "{case}");
    assert_eq!(all.ended, Some(exit_code), "{case}");
}

#[test]
fn recorded_output_and_exit_codes_are_read() {
    check("winrs_stderr_rc", "out \r\n", "err \r\n", Some(1));
    check("winrs_standard", "hi\r\n", "", Some(0));
    check("winrs_unicode", "こんにちは\n", "", Some(0));
    check("winrs_operation_timeout", "hi\nhi again\n", "", Some(0));
}

const PLAYBOOK: &str = r#"version: 1
name: programs
gates:
  fine: { type: command, argv: ['C:\rms\probe.exe'], run_on: host, timeout: 60s }
hooks:
  quiet: { argv: ['C:\rms\probe.exe', exit, "0", "quiet & {{ stage.name }}"], run_on: SP01, timeout: 60s, undo: loud }
  loud: { argv: ['C:\rms\probe.exe', exit, "0", loud], run_on: SP01, timeout: 60s }
  out: { argv: ['C:\rms\probe.exe', exit, "0", "out {{ host.short }}"], run_on: host, timeout: 60s, undo: in }
  in: { argv: ['C:\rms\probe.exe', exit, "0", in], run_on: host, timeout: 60s }
restart:
  fci: { drain: { hook: out }, gates_after: [fine] }
stages:
  - { name: files, hosts: "FS01:FS02", hooks_before: [quiet], gates_before: [fine], gates_after: [fine] }
  - { name: rest, hosts: "all:!FS01:!FS02" }
"#;

/// Shells that the server has opened on a host, every one of which it has also closed.
#[track_caller]
fn shells(bench: &Bench, host: &str) -> u64 {
    let stats = bench.server().stats()["hosts"][host].clone();
    assert_eq!(stats["shells_open"], 0, "{host}: {stats}");
    assert_eq!(stats["shells_opened"], stats["shells_closed"], "{host}: {stats}");
    stats["shells_opened"].as_u64().unwrap()
}

#[test]
fn peers_gates_and_hooks_run_on_hosts_and_leave_no_shell() {
    let Some(bench) = Bench::start() else { return };
    std::fs::write(bench.path().join("p.yml"), PLAYBOOK).unwrap();
    let plan = ["plan", "-i", "inventory.yml", "-p", "p.yml", "--no-input", "-o"];
    let said = bench.expect(&[&plan[..], &["change.rmsplan"]].concat(), 0);
    assert!(said.contains("PROGRAMS  on hosts, over WinRM"), "{said}");
    let before = ["FS01", "FS02", "SP01"].map(|host| shells(&bench, host));
    let said = bench
        .expect(&["apply", "change.rmsplan", "--yes", "--no-input", "-l", "FS01,FS02", "-v"], 0);
    assert!(said.contains("on SP01: exit 0: quiet & files"), "{said}");
    let after = ["FS01", "FS02", "SP01"].map(|host| shells(&bench, host));
    // A gate before and one after the stage, one after the restart, and the drain's two hooks; on the
    // third host the stage's hook and the one that takes it back.
    let used: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    assert_eq!(used, [5, 5, 2]);
}

#[test]
fn peers_a_hook_whose_connection_breaks_is_in_doubt_and_its_shell_is_deleted() {
    let Some(bench) = Bench::start() else { return };
    std::fs::write(bench.path().join("p.yml"), PLAYBOOK).unwrap();
    bench.expect(
        &["plan", "-i", "inventory.yml", "-p", "p.yml", "--no-input", "-o", "change.rmsplan"],
        0,
    );
    let before = shells(&bench, "SP01");
    bench.server().faults(&json!([
        {"host": "SP01", "match": "shell/Receive", "times": 1, "do": "close-before"},
    ]));
    let said =
        bench.expect(&["apply", "change.rmsplan", "--yes", "--no-input", "-l", "FS01,FS02"], 5);
    assert!(said.contains("the program is in doubt"), "{said}");
    assert_eq!(shells(&bench, "SP01") - before, 2, "the hook once, and the one that takes it back");
    let wrote = ["Set", "CreateKey"];
    assert_eq!(
        bench.server().actions("FS01", &wrote),
        0,
        "nothing was written behind a failed hook"
    );
}
