//! `doctor` at the bedside of hosts that are not ours and are broken on purpose: what it says is what
//! somebody reads at two in the morning.

use std::fmt::Write as _;
use std::process::Command;

use serde_json::Value;
use serde_json::json;

use crate::certificates::Authority;
use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;

/// A host, how the server differs, how the inventory names it, and what must be said of it.
struct Case {
    name: &'static str,
    options: Value,
    inventory: &'static str,
    said: &'static [&'static str],
}

fn case(
    name: &'static str,
    options: Value,
    inventory: &'static str,
    said: &'static [&'static str],
) -> Case {
    Case { name, options, inventory, said }
}

fn cases() -> Vec<Case> {
    vec![
        case(
            "WELL",
            json!({}),
            "",
            &[
                "messages are encrypted",
                "(3)",
                "service   WinRM: start mode Auto, Running",
                "second connection",
                "500 kB per message",
            ],
        ),
        case("BARE500", json!({}), "", &["logon     expected", "HTTP 500", "AllowUnencrypted"]),
        case("BARE401", json!({}), "", &["logon     the connection", "HTTP 401", "load balancer"]),
        case(
            "CUT",
            json!({}),
            "",
            &["identity  the connection broke", "clock     agrees with ours, by the date"],
        ),
        case("QUOTA", json!({}), "", &["fault 2150859174", "delete the shell", "open a new shell"]),
        case("NORIGHTS", json!({}), "", &["rights    `HKLM", "may not be written", "guards them"]),
        case("LATE", json!({"clock_offset": -1200}), "", &["min behind ours", "w32tm /resync"]),
        case("RENAMED", json!({"name": "OTHER"}), "", &["`OTHER` answers", "check DNS"]),
        case(
            "NOADMIN",
            json!({"admins": [r"PEERS\somebody"]}),
            "",
            &["fault 5", "Administrators group"],
        ),
        case(
            "ELSEWHERE",
            json!({"paths": ["/other"]}),
            "",
            &["HTTP 404", "check the path `/wsman`"],
        ),
        case(
            "TICKETS",
            json!({"wsman_auth": ["kerberos"]}),
            "",
            &["only Kerberos", "`ansible_winrm_transport: kerberos`"],
        ),
        case(
            "SECURE",
            json!({"tls": true, "epa": "strict"}),
            "ansible_winrm_scheme: https, rms_ca_file: ca.pem",
            &["tls       TLS 1.3; certificate", "`rms_ca_file`, valid until 2099", "go over TLS"],
        ),
        case(
            "UNTRUSTED",
            json!({"tls": true}),
            "ansible_winrm_scheme: https",
            &["tls       no connection", "authority that is not trusted", "winrm/config/listener"],
        ),
        case(
            "NOTLS",
            json!({}),
            "ansible_winrm_scheme: https, rms_ca_file: ca.pem",
            &["does not speak TLS on this port", "http      skipped: tls failed"],
        ),
    ]
}

#[test]
fn what_is_broken_is_named_and_what_to_do_is_said() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = authority.issue("localhost", (2020, 2099)).files(folder.path());
    std::fs::copy(authority.file(), folder.path().join("ca.pem")).unwrap();
    let cases = cases();
    let hosts: Vec<Value> = cases
        .iter()
        .map(|case| {
            let mut listen = json!({"address": "127.0.0.1:0"});
            let mut host = json!({"name": case.name});
            for (name, value) in case.options.as_object().unwrap() {
                match name.as_str() {
                    "tls" => listen["tls"] = json!([certificate, key]),
                    "paths" => listen["paths"] = value.clone(),
                    _ => host[name] = value.clone(),
                }
            }
            host["listen"] = json!([listen]);
            host
        })
        .collect();
    let faults = json!([
        {"host": "BARE500", "do": "http", "status": 500, "match": "Identify"},
        {"host": "BARE401", "do": "http", "status": 401, "match": "Identify", "times": 0},
        {"host": "CUT", "do": "close-after", "match": "Win32_OperatingSystem"},
        {"host": "QUOTA", "do": "fault", "code": 2_150_859_174_u32, "sub": "w:QuotaLimit",
         "match": "Win32_OperatingSystem", "times": 0},
        {"host": "NORIGHTS", "do": "return", "match": "CheckAccess", "value": 5, "times": 0},
    ]);
    let fleet = json!({"users": {USER: PASSWORD}, "hosts": hosts, "faults": faults,
        "defaults": {"domain": "peers.test", "os": "2016", "roles": ["fileserver"]}});
    let Some(server) = PeerServer::start(&fleet) else { return };

    let mut inventory = "all:\n  vars:\n    rms_tenant_url: https://a.rms.eu.aadrm.com\n    \
                         rms_connector_url: https://rms.corp.contoso.com\n    \
                         ansible_winrm_scheme: http\n    ansible_winrm_transport: ntlm\n    \
                         ansible_host: localhost\n  children:\n    fci:\n      vars: { rms_role: \
                         fci }\n      hosts:\n"
        .to_owned();
    for case in &cases {
        let port = server.port(case.options["name"].as_str().unwrap_or(case.name));
        let more = if case.inventory.is_empty() { "" } else { ", " };
        let (name, words) = (case.name, case.inventory);
        let _ = writeln!(inventory, "        {name}: {{ ansible_port: {port}{more}{words} }}");
    }
    std::fs::write(folder.path().join("inventory.yml"), inventory).unwrap();
    let credentials = format!(
        "version: 1\ncredentials:\n  default: {{ type: env, username: \"{}\", variable: \
         PEER_PASSWORD }}\n",
        USER.replace('\\', "\\\\")
    );
    std::fs::write(folder.path().join("credentials.yml"), credentials).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
        .args(["doctor", "-i", "inventory.yml", "--color", "never"])
        .current_dir(folder.path())
        .env("PEER_PASSWORD", PASSWORD)
        .env("XDG_STATE_HOME", folder.path().join("state"))
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(7), "{text}");
    for case in &cases {
        let heading = format!("{}\n", case.name);
        let from = text.find(&heading).unwrap_or_else(|| panic!("{text}"));
        let (_, rest) = text.split_at(from);
        // Up to the next line that is not indented: another host, or the summary.
        let mut lines = rest.lines();
        let head = lines.next().unwrap_or_default();
        let own: Vec<&str> = lines.take_while(|line| line.starts_with(' ')).collect();
        let own = format!("{head}\n{}", own.join("\n"));
        for word in case.said {
            assert!(own.contains(word), "`{word}` is missing:\n{own}");
        }
    }
}
