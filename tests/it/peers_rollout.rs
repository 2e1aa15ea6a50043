//! `plan` and `apply` against a WinRM server that is not ours: the values arrive, the second run is
//! empty, and the server's own counters say who logged on, who wrote and how many were busy.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use serde_json::Value;
use serde_json::json;

use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;

const TENANT: &str = "https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com";
const CONNECTOR: &str = "https://rmsconnector.contoso.com";
// Not "Create" and "Delete": a shell for reading the organisation is opened and closed by those.
const WRITES: [&str; 5] = ["Set", "CreateKey", "DeleteKey", "DeleteValue", "Win32Shutdown"];

/// Two Exchange servers, a SharePoint front end and six file servers.
fn fleet() -> Value {
    let exchange = json!({"HKLM\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\Setup": {
        "MsiProductMajor": ["REG_DWORD", 15], "MsiProductMinor": ["REG_DWORD", 2],
        "MsiBuildMajor": ["REG_DWORD", 1544], "MsiBuildMinor": ["REG_DWORD", 4]}});
    let adrms = json!({"HKLM\\SOFTWARE\\Microsoft\\MSDRM\\ServiceLocation\\EnterprisePublishing": {
        "": ["REG_SZ", "https://adrms.corp.contoso.com/_wmcs/licensing"]}});
    let both = json!([exchange, adrms]);
    let quick = json!({"delay": 0.1, "down": 0.3, "silent": 0.1, "starting": 0.1, "logon": 0.2});
    let listen = |path: &str| json!({"address": "127.0.0.1:0", "paths": [path]});
    // Every file server takes its time once, so that hosts at work side by side do overlap.
    let slow = json!({"do": "slow", "host": "FS0*", "match": "SetStringValue", "seconds": 0.5});
    json!({
        "users": {USER: PASSWORD},
        "faults": [slow],
        "defaults": {"domain": "peers.test", "reboot": quick},
        "hosts": [
            {"name": "EX01", "listen": [listen("/wsman"), listen("/powershell")], "os": "2019",
             "roles": ["exchange"], "powershell_auth": ["negotiate", "kerberos"], "registry": both},
            {"name": "EX02", "listen": [listen("/wsman"), listen("/powershell")], "os": "2019",
             "roles": ["exchange"], "powershell_auth": ["negotiate", "kerberos"], "registry": exchange},
            {"name": "SP01", "listen": "127.0.0.1:0", "os": "2016", "roles": ["sharepoint"],
             "registry": {
                "HKLM\\SOFTWARE\\Microsoft\\Shared Tools\\Web Server Extensions\\16.0":
                    {"Version": ["REG_SZ", "16.0.10337.12109"]},
                "HKLM\\SOFTWARE\\Microsoft\\MSIPC\\CurrentVersion": {"": ["REG_SZ", "1.0.2004.0"]}}},
            {"name": "FS0{n}", "count": 6, "listen": "127.0.0.1:0", "os": "2016", "roles": ["fileserver"]},
        ]
    })
}

/// Every host of the server, by its role.
pub(crate) fn inventory(server: &PeerServer) -> String {
    let mut text = format!(
        "all:\n  vars:\n    rms_tenant_url: {TENANT}\n    rms_connector_url: {CONNECTOR}\n    \
         rms_organization: Contoso\n    ansible_winrm_scheme: http\n    \
         ansible_winrm_transport: ntlm\n    ansible_host: 127.0.0.1\n  children:\n"
    );
    for (role, prefix) in [("exchange", "EX"), ("sharepoint", "SP"), ("fci", "FS")] {
        let _ = write!(text, "    {role}:\n      vars: {{ rms_role: {role} }}\n      hosts:\n");
        for (name, ports) in server.ports.iter().filter(|(name, _)| name.starts_with(prefix)) {
            let _ = write!(text, "        {name}: {{ ansible_port: {}", ports[0]);
            if let Some(shell) = ports.get(1) {
                let _ = write!(
                    text,
                    ", rms_exchange_url: \"http://127.0.0.1:{shell}/powershell\", \
                     rms_exchange_auth: negotiate"
                );
            }
            text.push_str(" }\n");
        }
    }
    text
}

pub(crate) struct Bench {
    server: PeerServer,
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn start() -> Option<Self> {
        let server = PeerServer::start(&fleet())?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("inventory.yml"), inventory(&server)).unwrap();
        std::fs::write(
            folder.path().join("credentials.yml"),
            format!(
                "version: 1\ncredentials:\n  default:\n    type: env\n    username: {USER}\n    \
                 variable: PEER_PASSWORD\n"
            ),
        )
        .unwrap();
        Some(Self { server, folder })
    }

    pub(crate) fn server(&self) -> &PeerServer {
        &self.server
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
            .args(arguments)
            .current_dir(self.path())
            .env("XDG_STATE_HOME", self.path().join("state"))
            .env("PEER_PASSWORD", PASSWORD)
            .output()
            .unwrap()
    }

    #[track_caller]
    pub(crate) fn expect(&self, arguments: &[&str], exit: i32) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            output.status.code(),
            Some(exit),
            "rmsfleet {arguments:?}\n{text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    fn writes(&self) -> u64 {
        self.server.ports.keys().map(|host| self.server.actions(host, &WRITES)).sum()
    }
}

fn value<'a>(registry: &'a Value, key: &str, name: &str) -> Option<&'a str> {
    let keys = registry.as_object()?;
    let (_, values) = keys.iter().find(|(own, _)| own.eq_ignore_ascii_case(key))?;
    let (_, value) = values.as_object()?.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))?;
    assert_eq!(value[0], "REG_SZ");
    value[1].as_str()
}

#[test]
fn peers_the_values_arrive_and_the_second_run_is_empty() {
    let Some(bench) = Bench::start() else { return };
    let apply = [
        "apply",
        "-i",
        "inventory.yml",
        "--yes",
        "--no-input",
        "--confirm",
        "Contoso",
        "--confirm",
        "SP01",
        "-f",
        "3",
    ];

    bench.expect(&["plan", "-i", "inventory.yml", "--no-input", "-f", "3"], 0);
    assert_eq!(bench.writes(), 0, "`plan` wrote");
    let stats = bench.server.stats();
    let logons = stats["accounts"]["peers\\wsuser"]["hosts"].as_object().unwrap().clone();
    // One logon per host and one for its own PowerShell; the Exchange server that was asked for its
    // organisation and the SharePoint server that was asked for its farm have a third one.
    let extra: u64 = logons.values().map(|count| count.as_u64().unwrap() - 1).sum();
    assert_eq!((logons.len(), extra), (9, 11), "{logons:?}");

    bench.expect(&apply, 0);
    let stats = bench.server.stats();
    let busy = stats["peak_hosts_busy"].as_u64().unwrap();
    assert!((2..=3).contains(&busy), "{busy} hosts were busy at once, forks is 3");
    for host in ["EX01", "FS01", "FS02", "FS03", "FS04", "FS05", "FS06"] {
        assert_eq!(stats["hosts"][host]["reboots"], 1, "{host} restarts once");
        assert_eq!(stats["hosts"][host]["orders"].as_array().unwrap().len(), 1, "{host}");
    }
    for host in ["EX02", "SP01"] {
        assert_eq!(stats["hosts"][host]["reboots"], 0, "{host} never used AD RMS");
    }
    let sets: u64 = ["EX01", "EX02"]
        .iter()
        .map(|host| {
            stats["hosts"][host]["cmdlets"]["Set-IRMConfiguration"].as_u64().unwrap_or_default()
        })
        .sum();
    assert_eq!(sets, 1, "Set-IRMConfiguration runs once for the organisation");

    let farm = &stats["hosts"]["SP01"]["cmdlets"];
    assert_eq!(farm["Set-SPIRMSettings"], 1, "once for the farm: {farm}");

    let exchange = bench.server.registry("EX02");
    let v15 = "HKLM\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\IRM\\";
    for redirection in ["CertificationServerRedirection", "LicenseServerRedirection"] {
        assert_eq!(value(&exchange, &format!("{v15}{redirection}"), TENANT), Some(CONNECTOR));
    }
    let msipc = "HKLM\\SOFTWARE\\Microsoft\\MSIPC\\ServiceLocation\\";
    let licensing = format!("{CONNECTOR}/_wmcs/licensing");
    for host in ["EX01", "EX02", "SP01"] {
        let registry = bench.server.registry(host);
        assert_eq!(
            value(
                &registry,
                &format!("{msipc}LicensingRedirection"),
                &format!("{TENANT}/_wmcs/licensing")
            ),
            Some(licensing.as_str()),
            "{host}"
        );
        assert_eq!(value(&registry, "HKLM\\SOFTWARE\\rmsfleet", "RestartOwed"), None, "{host}");
    }
    for host in ["FS01", "FS06"] {
        assert_eq!(
            value(
                &bench.server.registry(host),
                "HKLM\\SOFTWARE\\Microsoft\\MSDRM\\ServiceLocation\\EnterprisePublishing",
                ""
            ),
            Some(licensing.as_str()),
            "{host}"
        );
    }

    let before = bench.writes();
    bench.expect(&apply, 0);
    assert_eq!(bench.writes(), before, "the second run wrote");
    let stats = bench.server.stats();
    for host in ["FS01", "EX01"] {
        assert_eq!(stats["hosts"][host]["reboots"], 1, "{host} restarted again");
    }
    for host in bench.server.ports.keys() {
        assert_eq!(stats["hosts"][host]["shells_open"], 0, "{host} has a shell left");
    }
}

#[test]
fn peers_a_host_that_moved_since_the_plan_refuses_alone() {
    let Some(bench) = Bench::start() else { return };
    bench.expect(&["plan", "-i", "inventory.yml", "--no-input", "-o", "change.rmsplan"], 0);
    bench.server.set_registry(
        "FS03",
        &json!({"HKLM\\SOFTWARE\\Microsoft\\MSDRM\\ServiceLocation\\Activation":
            {"": ["REG_SZ", "https://somebody.else/_wmcs/certification"]}}),
    );
    let before = bench.server.registry("FS03");
    let confirmed = ["apply", "change.rmsplan", "--yes", "--no-input", "--confirm", "Contoso"];
    bench.expect(&confirmed, 3);
    assert_eq!(bench.server.registry("FS03"), before, "something was written to FS03");
    assert_eq!(bench.server.actions("FS03", &WRITES), 0);
    assert_eq!(bench.server.stats()["hosts"]["FS04"]["reboots"], 1, "the others go on");
    // A sealed plan is used once.
    bench.expect(&confirmed, 3);
}

#[test]
fn peers_a_wrong_password_costs_the_account_one_logon() {
    let Some(bench) = Bench::start() else { return };
    let output = Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
        .args(["plan", "-i", "inventory.yml", "--no-input"])
        .current_dir(bench.path())
        .env("XDG_STATE_HOME", bench.path().join("state"))
        .env("PEER_PASSWORD", "wrong")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(77), "{}", String::from_utf8_lossy(&output.stdout));
    let stats = bench.server.stats();
    let failures: u64 = stats["accounts"]
        .as_object()
        .unwrap()
        .values()
        .map(|account| account["failures"].as_u64().unwrap_or_default())
        .sum();
    assert_eq!(failures, 1, "{}", stats["accounts"]);
}
