//! A DAG of four over two sites and a cluster of two, on a server that is not ours: what an
//! administrator had set is so afterwards, by that server's own word.

use std::process::Command;

use serde_json::Value;
use serde_json::json;

use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;

const PLAYBOOK: &str = "\
version: 1
name: maintenance
limits: { throttle: { restart: 2 } }
gates:
  healthy:
    type: exchange
    checks: [services-running, not-in-maintenance]
    within: 60s
restart:
  exchange:
    when: always
    drain: exchange-dag
    max_unavailable: { per: rms_dag, count: 1 }
    restore: as-found
    timeout: 3m
    gates_after: [healthy]
  cluster_one:
    drain: failover-cluster
    max_unavailable: { per: rms_cluster, count: 1 }
    timeout: 3m
stages:
  - { name: mail, hosts: exchange }
  - { name: files, hosts: cluster_one }
";

fn fleet() -> Value {
    let exchange = json!({"HKLM\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\Setup": {
        "MsiProductMajor": ["REG_DWORD", 15], "MsiProductMinor": ["REG_DWORD", 2],
        "MsiBuildMajor": ["REG_DWORD", 1544], "MsiBuildMinor": ["REG_DWORD", 4]}});
    let quick = json!({"delay": 0.1, "down": 0.3, "silent": 0.1, "starting": 0.1, "logon": 0.2});
    let listen = |path: &str| json!({"address": "127.0.0.1:0", "paths": [path]});
    let member = |name: &str, dag: Value| {
        json!({"name": name, "os": "2019", "roles": ["exchange"], "registry": exchange,
            "listen": [listen("/wsman"), listen("/powershell")],
            "powershell_auth": ["negotiate", "kerberos"], "dag": dag})
    };
    let node = |name: &str, groups: &[&str]| {
        json!({"name": name, "listen": "127.0.0.1:0", "os": "2016", "roles": ["fileserver"],
            "cluster": {"name": "CL1", "groups": groups}})
    };
    json!({
        "users": {USER: PASSWORD},
        "defaults": {"domain": "peers.test", "reboot": quick},
        "hosts": [
            member("EX01", json!({"name": "DAG1", "primary": true, "copies": {
                "DB1": {"active": true}, "DB2": {"preference": 3}, "DB3": {"preference": 2}}})),
            member("EX02", json!({"name": "DAG1", "queues": {"Submission": 3}, "copies": {
                "DB1": {"preference": 2}, "DB2": {"active": true},
                "DB3": {"preference": 3, "suspended": true, "activation_suspended": true}}})),
            member("EX03", json!({"name": "DAG1", "policy": "Blocked", "copies": {
                "DB1": {"preference": 3}, "DB3": {"active": true}}})),
            member("EX04", json!({"name": "DAG1", "components": {"ImapProxy": {"Functional": "Inactive"}},
                "copies": {"DB1": {"preference": 4}, "DB2": {"preference": 2}, "DB3": {"preference": 4}}})),
            node("FS01", &["Cluster Group", "Files A"]),
            node("FS02", &["Files B"]),
        ]
    })
}

fn inventory(server: &PeerServer) -> String {
    let mut text = "all:\n  vars:\n    rms_tenant_url: \
        https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com\n    rms_connector_url: \
        https://rmsconnector.contoso.com\n    ansible_winrm_scheme: http\n    \
        ansible_winrm_transport: ntlm\n    ansible_host: 127.0.0.1\n  children:\n"
        .to_owned();
    text.push_str("    exchange:\n      vars: { rms_role: exchange, rms_dag: DAG1, ");
    text.push_str("rms_exchange_auth: negotiate }\n      hosts:\n");
    for (name, site) in [("EX01", "ams"), ("EX02", "ams"), ("EX03", "fra"), ("EX04", "fra")] {
        let ports = &server.ports[name];
        text.push_str(&format!(
            "        {name}: {{ ansible_port: {}, rms_site: {site}, rms_exchange_url: \
             \"http://127.0.0.1:{}/powershell\" }}\n",
            ports[0], ports[1]
        ));
    }
    text.push_str("    cluster_one:\n      vars: { rms_role: fci, rms_cluster: CL1 }\n");
    text.push_str("      hosts:\n");
    for name in ["FS01", "FS02"] {
        text.push_str(&format!("        {name}: {{ ansible_port: {} }}\n", server.port(name)));
    }
    text
}

/// The cmdlets that change something, as the server received them: host, name, parameters.
fn orders(stats: &Value, host: &str) -> Vec<String> {
    let empty = Vec::new();
    let all = stats["hosts"][host]["cmdlet_orders"].as_array().unwrap_or(&empty);
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn peers_a_dag_and_a_cluster_are_restarted_and_stand_as_found() {
    let Some(server) = PeerServer::start(&fleet()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("inventory.yml", &inventory(&server));
    write("playbook.yml", PLAYBOOK);
    write(
        "credentials.yml",
        &format!(
            "version: 1\ncredentials:\n  default:\n    type: env\n    username: {USER}\n    \
             variable: PEER_PASSWORD\n"
        ),
    );
    let output = Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
        .args(["apply", "-i", "inventory.yml", "-p", "playbook.yml", "--yes", "--no-input", "-v"])
        .current_dir(folder.path())
        .env("XDG_STATE_HOME", folder.path().join("state"))
        .env("PEER_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}\n{wrong}");
    let stats = server.stats();
    for host in ["EX01", "EX02", "EX03", "EX04", "FS01", "FS02"] {
        assert_eq!(stats["hosts"][host]["reboots"], 1, "{host}\n{told}");
        assert_eq!(stats["hosts"][host]["orders"].as_array().unwrap().len(), 1, "{host}");
        assert_eq!(stats["hosts"][host]["shells_open"], 0, "{host} has a shell left");
    }
    // What was found set is told, and nobody has touched it.
    assert!(told.contains("copy DB3 is suspended"), "{told}");
    assert!(told.contains("the activation policy is Blocked"), "{told}");
    assert!(told.contains("ImapProxy is Inactive by Functional"), "{told}");
    for host in ["EX01", "EX02", "EX03", "EX04"] {
        for order in orders(&stats, host) {
            let copies = ["Suspend-MailboxDatabaseCopy", "Resume-MailboxDatabaseCopy"];
            assert!(!copies.iter().any(|name| order.contains(name)), "{host}: {order}");
            assert!(!order.contains("ImapProxy"), "{host}: {order}");
            assert!(!(host == "EX03" && order.contains("Unrestricted")), "{host}: {order}");
        }
    }
    let back = told.lines().filter(|line| line.contains("Back") && line.contains("as found"));
    assert_eq!(back.count(), 6, "{told}");
    // The primary goes last of the DAG.
    let restarted: Vec<&str> = told
        .lines()
        .filter(|line| line.contains(" Restarted "))
        .filter_map(|line| line.split_whitespace().nth(2))
        .collect();
    assert_eq!(restarted.iter().rfind(|name| name.starts_with("EX")), Some(&"EX01"));
}
