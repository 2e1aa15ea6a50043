//! Kerberos against a KDC and a WinRM server that are not ours. The library finds its files by
//! variables of the environment, so it is the program that runs, as a child.

use std::fmt::Write as _;
use std::process::Command;
use std::process::Output;

use serde_json::Value;
use serde_json::json;

use crate::kdc::ALICE;
use crate::kdc::Kdc;
use crate::kdc::kinit;
use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;

const TENANT: &str = "https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com";

struct Bench {
    kdc: Kdc,
    server: PeerServer,
    folder: tempfile::TempDir,
}

/// Hosts that differ in what they offer and in how they write.
fn hosts() -> Value {
    let listen = "127.0.0.1:0";
    json!([
        {"name": "FS01", "listen": listen, "roles": ["fileserver"]},
        {"name": "FS02", "listen": listen, "roles": ["fileserver"], "wsman_auth": ["kerberos"]},
        {"name": "FS03", "listen": listen, "roles": ["fileserver"],
         "variant": {"boundary_space": true, "tab": false}},
        {"name": "FS04", "listen": listen, "roles": ["fileserver"],
         "variant": {"kerberos_rrc0": true, "chunked": true}},
    ])
}

/// Two Exchange servers of one organisation, which take raw Kerberos only, as Exchange does.
fn exchange() -> Value {
    let listen = |path: &str| json!({"address": "127.0.0.1:0", "paths": [path]});
    let setup = json!({"HKLM\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\Setup": {
        "MsiProductMajor": ["REG_DWORD", 15], "MsiProductMinor": ["REG_DWORD", 2],
        "MsiBuildMajor": ["REG_DWORD", 1544], "MsiBuildMinor": ["REG_DWORD", 4]}});
    let host = |name: &str| {
        json!({"name": name, "listen": [listen("/wsman"), listen("/powershell")], "os": "2019",
               "roles": ["exchange"], "powershell_auth": ["kerberos"], "registry": setup})
    };
    json!([host("EX01"), host("EX02")])
}

impl Bench {
    fn start(hosts: &Value) -> Option<Self> {
        let kdc = Kdc::start()?;
        let fleet = json!({"users": {USER: PASSWORD}, "hosts": hosts,
            "defaults": {"domain": "peers.test", "os": "2016"}});
        let server = PeerServer::start_in(&fleet, &kdc.variables)?;
        let bench = Self { kdc, server, folder: tempfile::tempdir().unwrap() };
        bench.write("inventory.yml", &bench.inventory("localhost"));
        Some(bench)
    }

    fn inventory(&self, address: &str) -> String {
        let mut text = format!(
            "all:\n  vars:\n    rms_tenant_url: {TENANT}\n    \
             rms_connector_url: https://rmsconnector.contoso.com\n    rms_organization: Contoso\n    \
             ansible_winrm_scheme: http\n    ansible_winrm_transport: kerberos\n    \
             ansible_host: {address}\n  children:\n"
        );
        for (role, prefix) in [("exchange", "EX"), ("fci", "FS")] {
            let _ = write!(text, "    {role}:\n      vars: {{ rms_role: {role} }}\n      hosts:\n");
            for (name, ports) in
                self.server.ports.iter().filter(|(name, _)| name.starts_with(prefix))
            {
                let _ = write!(text, "        {name}: {{ ansible_port: {}", ports[0]);
                if let Some(shell) = ports.get(1) {
                    let url = format!("http://{address}:{shell}/powershell");
                    let _ = write!(text, ", rms_exchange_url: \"{url}\"");
                }
                text.push_str(" }\n");
            }
        }
        text
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// From here on it is a password that tickets are got with.
    fn by_password(&self) {
        self.write(
            "credentials.yml",
            &format!(
                "version: 1\ncredentials:\n  default: {{ type: env, username: \"{ALICE}\", \
                 variable: PEER_PASSWORD }}\n"
            ),
        );
    }

    fn kinit(&self) {
        kinit(self.command("kinit").arg(ALICE));
    }

    fn command(&self, program: &str) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .envs(self.kdc.variables.iter().cloned())
            .env("KRB5CCNAME", format!("FILE:{}", folder.join("tickets").display()))
            .env("XDG_STATE_HOME", folder.join("state"));
        command
    }

    fn run(&self, arguments: &[&str], password: &str) -> Output {
        self.command(env!("CARGO_BIN_EXE_rmsfleet"))
            .args(arguments)
            .env("PEER_PASSWORD", password)
            .output()
            .unwrap()
    }

    /// Both outputs, when the exit code is the expected one.
    #[track_caller]
    fn expect(&self, arguments: &[&str], password: &str, exit: i32) -> String {
        let output = self.run(arguments, password);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(output.status.code(), Some(exit), "rmsfleet {arguments:?}\n{text}");
        text
    }

    /// Logons that the server took from alice, by host.
    fn logons(&self) -> usize {
        let stats = self.server.stats();
        let accounts = stats["accounts"].as_object().unwrap();
        let alice = accounts.iter().find(|(name, _)| name.to_lowercase().starts_with("alice"));
        alice.and_then(|(_, alice)| alice["hosts"].as_object()).map_or(0, serde_json::Map::len)
    }
}

const PLAN: [&str; 4] = ["plan", "-i", "inventory.yml", "--no-input"];

#[test]
fn peers_every_form_of_host_is_read_by_ticket() {
    let Some(bench) = Bench::start(&hosts()) else { return };
    bench.kinit();
    let text = bench.expect(&PLAN, "", 0);
    assert!(text.contains("8 values"), "{text}");
    assert_eq!(bench.logons(), 4);
    assert_eq!(bench.kdc.asked(), 1, "kinit asked, and nobody else");
}

#[test]
fn peers_every_form_of_host_is_read_by_user_and_password() {
    let Some(bench) = Bench::start(&hosts()) else { return };
    bench.by_password();
    let text = bench.expect(&PLAN, PASSWORD, 0);
    assert!(text.contains("8 values"), "{text}");
    assert_eq!(bench.logons(), 4);
    assert_eq!(bench.kdc.asked(), 1, "one set of tickets serves all hosts");
}

#[test]
fn peers_a_wrong_password_is_tried_once_and_never_at_a_host() {
    let Some(bench) = Bench::start(&hosts()) else { return };
    bench.by_password();
    let text = bench.expect(&PLAN, "wrong", 77);
    assert!(text.contains("the password of `alice@PEERS.TEST` is wrong"), "{text}");
    assert_eq!(bench.kdc.asked(), 1);
    assert_eq!(bench.logons(), 0);
}

#[test]
fn peers_without_a_ticket_it_is_said_what_to_type() {
    let Some(bench) = Bench::start(&hosts()) else { return };
    let text = bench.expect(&PLAN, "", 65);
    assert!(text.contains("no Kerberos ticket is at hand") && text.contains("kinit"), "{text}");
    bench.kinit();
    bench.write("inventory.yml", &bench.inventory("127.0.0.1"));
    let text = bench.expect(&PLAN, "", 7);
    assert!(text.contains("Kerberos needs the host's name"), "{text}");
    // Another name of the service, and the class of WinRM's own.
    let other = "127.0.0.1\n    ansible_winrm_kerberos_hostname_override: localhost\n    \
                 rms_spn_class: WSMAN";
    bench.write("inventory.yml", &bench.inventory(other));
    bench.expect(&PLAN, "", 0);
    assert_eq!(bench.logons(), 4);
    assert!(bench.kdc.log().contains("for WSMAN/localhost@"), "{}", bench.kdc.log());
    // A name that resolves everywhere and that the realm has no service for.
    bench.write("inventory.yml", &bench.inventory("LOCALHOST.localdomain"));
    let text = bench.expect(&PLAN, "", 7);
    assert!(text.contains("Kerberos: "), "{text}");
}

#[test]
fn peers_an_exchange_organisation_is_rolled_out_over_kerberos() {
    let Some(bench) = Bench::start(&exchange()) else { return };
    bench.kinit();
    bench.expect(&PLAN, "", 0);
    let apply = ["apply", "-i", "inventory.yml", "--yes", "--no-input", "--confirm", "Contoso"];
    bench.expect(&apply, "", 0);
    let stats = bench.server.stats();
    let sets: u64 = ["EX01", "EX02"]
        .iter()
        .filter_map(|host| stats["hosts"][host]["cmdlets"]["Set-IRMConfiguration"].as_u64())
        .sum();
    assert_eq!(sets, 1, "Set-IRMConfiguration runs once for the organisation");
    let key = "HKLM\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\IRM\\LicenseServerRedirection";
    for host in ["EX01", "EX02"] {
        let registry = bench.server.registry(host).to_string().to_lowercase();
        let key = key.to_lowercase().replace('\\', "\\\\");
        assert!(registry.contains(&key), "{host}: {registry}");
        assert_eq!(stats["hosts"][host]["shells_open"], 0, "{host} has a shell left");
    }
    bench.expect(&apply, "", 0);
    assert_eq!(bench.kdc.asked(), 1, "kinit asked, and nobody else");
}
