//! `plan` and `apply` over https against a WinRM server that is not ours, restarts and the Exchange
//! organisation included: from the inventory's words on certificates to the values on the host.

use std::process::Command;

use serde_json::json;

use crate::certificates::Authority;
use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;

const TENANT: &str = "https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com";
const CONNECTOR: &str = "https://rmsconnector.contoso.com";

#[test]
fn a_rollout_over_https_ends_with_the_values_written_and_says_what_is_not_checked() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = authority.issue("localhost", (2020, 2099)).files(folder.path());
    std::fs::copy(authority.file(), folder.path().join("corp.pem")).unwrap();
    let listen = json!([{"address": "127.0.0.1:0", "tls": [certificate, key]}]);
    let quick = json!({"delay": 0.1, "down": 0.3, "silent": 0.1, "starting": 0.1, "logon": 0.2});
    let setup = json!({"HKLM\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\Setup": {
        "MsiProductMajor": ["REG_DWORD", 15], "MsiProductMinor": ["REG_DWORD", 2],
        "MsiBuildMajor": ["REG_DWORD", 1544], "MsiBuildMinor": ["REG_DWORD", 4]}});
    let fleet = json!({
        "users": {USER: PASSWORD},
        "defaults": {"domain": "peers.test", "reboot": quick, "epa": "strict", "listen": listen},
        "hosts": [
            {"name": "EX01", "os": "2019", "roles": ["exchange"], "registry": setup,
             "powershell_auth": ["negotiate"]},
            {"name": "FS01", "os": "2016", "roles": ["fileserver"]},
            {"name": "FS02", "os": "2016", "roles": ["fileserver"]},
        ]
    });
    let Some(server) = PeerServer::start(&fleet) else { return };
    let port = |host: &str| server.port(host);
    let inventory = format!(
        "\
all:
  vars:
    rms_tenant_url: {TENANT}
    rms_connector_url: {CONNECTOR}
    rms_organization: Contoso
    rms_ca_file: corp.pem
    ansible_winrm_transport: ntlm
    ansible_host: localhost
  hosts:
    EX01:
      rms_role: exchange
      ansible_port: {}
      rms_exchange_url: https://localhost:{}/powershell
      rms_exchange_auth: negotiate
    FS01: {{ rms_role: fci, ansible_port: {} }}
    FS02: {{ rms_role: fci, ansible_port: {}, ansible_winrm_server_cert_validation: ignore }}
",
        port("EX01"),
        port("EX01"),
        port("FS01"),
        port("FS02"),
    );
    std::fs::write(folder.path().join("inventory.yml"), inventory).unwrap();
    let credentials = format!(
        "version: 1\ncredentials:\n  default:\n    type: env\n    username: {USER}\n    \
         variable: PEER_PASSWORD\n"
    );
    std::fs::write(folder.path().join("credentials.yml"), credentials).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
            .args(arguments)
            .args(["-i", "inventory.yml", "--no-input"])
            .current_dir(folder.path())
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .env("PEER_PASSWORD", PASSWORD)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{text}\n{errors}");
        text
    };
    let text = run(&["plan"]);
    assert!(text.contains("! FS02  tls-ignored: the certificate is not checked"), "{text}");
    run(&["apply", "--yes", "--confirm", "Contoso"]);
    let stats = server.stats();
    assert_eq!(stats["hosts"]["FS01"]["reboots"], 1);
    assert_eq!(stats["hosts"]["EX01"]["cmdlets"]["Set-IRMConfiguration"], 1);
    let failures = &stats["accounts"]["peers\\wsuser"]["failures"];
    assert_eq!(*failures, 0, "{}", stats["accounts"]);
    for host in ["EX01", "FS01", "FS02"] {
        assert!(server.registry(host).to_string().contains(CONNECTOR), "{host}");
    }
    let writes = || -> u64 {
        let one = |host| server.actions(host, &["Set", "Create", "Win32Shutdown"]);
        ["EX01", "FS01", "FS02"].map(one).iter().sum()
    };
    let before = writes();
    assert!(before > 0);
    run(&["apply", "--yes", "--confirm", "Contoso"]);
    assert_eq!(writes(), before, "the second run wrote");
}
