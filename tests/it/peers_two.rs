//! Two workstations with one plan on one fleet that is not ours, at the same time: each value is
//! written once, and whoever comes second says whom it met.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;
use crate::peers_rollout::inventory;

fn bench(name: &str) -> Option<(PeerServer, tempfile::TempDir)> {
    let quick = json!({"delay": 0.1, "down": 0.3, "silent": 0.1, "starting": 0.1, "logon": 0.2});
    // The key of the rights management client is part of Windows.
    let client = json!({"HKLM\\SOFTWARE\\Microsoft\\MSDRM": {}});
    let server = PeerServer::start(&json!({
        "users": {USER: PASSWORD},
        "defaults": {"domain": "peers.test", "reboot": quick},
        "hosts": [{"name": format!("{name}0{{n}}"), "count": 4, "listen": "127.0.0.1:0",
                   "os": "2016", "roles": ["fileserver"], "registry": client}],
    }))?;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("inventory.yml"), inventory(&server)).unwrap();
    let account = format!(
        "version: 1\ncredentials:\n  default:\n    type: env\n    username: {USER}\n    \
         variable: PEER_PASSWORD\n"
    );
    fs::write(folder.path().join("credentials.yml"), account).unwrap();
    Some((server, folder))
}

fn command(folder: &Path, workstation: &str, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rmsfleet"));
    command
        .args(line.split(' '))
        .args(["--no-input", "--yes"])
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder.join(workstation))
        .env("COMPUTERNAME", workstation)
        .env("PEER_PASSWORD", PASSWORD)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn values(server: &PeerServer) -> u64 {
    server.ports.keys().map(|host| server.actions(host, &["SetString", "SetDWORD"])).sum()
}

#[test]
fn peers_two_workstations_write_no_value_twice() {
    let Some((server, folder)) = bench("FS") else { return };
    let at = folder.path();
    let planned = command(at, "WS1", "plan -i inventory.yml -o x.rmsplan").output().unwrap();
    assert!(planned.status.success(), "{}", String::from_utf8_lossy(&planned.stderr));
    let started = ["WS1", "WS2"].map(|workstation| {
        let line = "apply x.rmsplan --format jsonl";
        command(at, workstation, line).spawn().unwrap()
    });
    let ended = started.map(|child| child.wait_with_output().unwrap());
    let codes = ended.each_ref().map(|output| output.status.code().unwrap());
    let told = ended.each_ref().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let all = format!("{codes:?}\n{}\n{}", told[0], told[1]);
    assert!(codes.iter().filter(|code| **code == 0).count() <= 1, "{all}");
    assert!(codes.iter().any(|code| [3, 10].contains(code)), "{all}");
    let count = |kind: &str| {
        let kind = format!("\"type\":\"{kind}\"");
        let lines = told.iter().flat_map(|text| text.lines());
        // A mark or lease that goes is no value that comes.
        lines.filter(|line| line.contains(&kind) && !line.contains("\"set\":false")).count()
    };
    // Every value and every mark was written by one of them; none is there that nobody told of.
    let intended = count("change-intended");
    let verified = count("change-verified");
    assert_eq!(intended, verified, "{all}");
    assert_eq!(values(&server), (verified + count("mark-intended")) as u64, "{all}");
    let orders: usize = server
        .ports
        .keys()
        .map(|host| server.stats()["hosts"][host]["orders"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!(orders, count("restart-intended"), "{all}");
    assert!(orders <= server.ports.len(), "{all}");
    for host in server.ports.keys() {
        assert!(!server.registry(host).to_string().contains("Lease"), "{host}");
    }
}

/// The types of what a run told of one host, in order. How often one waited is a matter of time.
fn types(jsonl: &str, host: &str) -> Vec<String> {
    let lines = jsonl.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|event| event["host"].as_str().is_some_and(|name| name.starts_with(host)))
        .filter_map(|event| event["type"].as_str().map(str::to_owned))
        .filter(|kind| kind != "restart-waiting" && kind != "host-surveyed")
        .collect()
}

#[test]
fn peers_a_rollout_to_simulated_hosts_made_from_facts_goes_as_the_real_one() {
    let Some((_server, folder)) = bench("FS") else { return };
    let at = folder.path();
    let saved = "plan -i inventory.yml --save-facts fleet.facts";
    assert!(command(at, "WS1", saved).output().unwrap().status.success());
    let run = |line: &str| {
        let output = command(at, "WS1", line).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{line}\n{text}");
        text
    };
    let simulated = run("apply --lab --facts fleet.facts -i inventory.yml --format jsonl");
    let real = run("apply -i inventory.yml --format jsonl");
    for host in ["FS01", "FS02", "FS03", "FS04"] {
        let told = types(&real, host);
        assert!(told.len() > 8, "{told:?}");
        assert_eq!(types(&simulated, host), told, "{host}");
    }
}
