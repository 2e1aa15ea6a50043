//! Independent WS-Man clients against the lab, where they are at hand (`RMSFLEET_PEERS=1`).

use std::env;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use jiff::Timestamp;
use rmsfleet::lab::accounts::Accounts;
use rmsfleet::lab::edge::Edge;
use rmsfleet::lab::faults::FaultSet;
use rmsfleet::lab::power::Timing;
use rmsfleet::lab::serve::Farm;
use rmsfleet::lab::tour;
use rmsfleet::model::host::HostName;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;

const USER: &str = r"CONTOSO\rms-admin";
/// `reboot` comes last: the raw client does not reconnect by itself after its connection was reset.
const CHECKS: &str =
    "identify,registry,wmi,faults,winrs,shell_registry,ansible,bad_password,unencrypted,reboot";
const WRAPPED: &str = "identify,registry,wmi,faults,winrs,bad_password,unencrypted";
const PASSWORD: &str = "Passw0rd! with a space";

#[expect(clippy::disallowed_methods, reason = "the peers live in real time")]
fn edge() -> Edge {
    Edge::new(Timestamp::now, |bytes| getrandom::fill(bytes).unwrap())
}

fn accounts() -> Accounts {
    let password = Secret::new(PASSWORD.to_owned());
    Accounts::new(Account { user: USER.to_owned(), password })
}

/// Runs the clients against one address and expects that nothing failed.
async fn check(address: SocketAddr, arguments: &'static [&'static str]) -> usize {
    let shared = env::var_os("RMSFLEET_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let ran = tokio::task::spawn_blocking(move || {
        let install = shared.join("peers/install");
        let python = Command::new(install).arg("--python").output().unwrap().stdout;
        Command::new(String::from_utf8(python).unwrap().trim())
            .arg(shared.join("peers/clients.py"))
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--user", USER, "--password", PASSWORD])
            .args(arguments)
            .output()
            .unwrap()
    });
    let ran = ran.await.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains(" 0 failed"), "{said}{:?}", ran.stderr);
    for line in said.lines().filter(|line| line.starts_with("SKIP")) {
        crate::shared::skip(line);
    }
    let last = said.lines().last().unwrap_or_default();
    say(&format!("{}: {last}", arguments.join(" ")));
    last.split(' ').next().and_then(|count| count.parse().ok()).unwrap()
}

#[expect(clippy::print_stderr, reason = "the counts are what the gate is read for")]
fn say(line: &str) {
    eprintln!("{line}");
}

/// masterzen/winrm, the client of Packer and Terraform, does not encrypt: what it says in clear is
/// refused with a bare 401 or 500, as Windows does.
async fn masterzen(address: SocketAddr) {
    let client = env::var_os("RMSFLEET_PEERS_HOME").map_or_else(
        || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache/rmsfleet-peers"),
        PathBuf::from,
    );
    let client = client.join("masterzen_client");
    if !client.exists() {
        crate::shared::skip("masterzen/winrm is not installed (peers/install go)");
        return;
    }
    let ran = tokio::task::spawn_blocking(move || {
        let port = address.port().to_string();
        Command::new(client)
            .args(["127.0.0.1", &port, "http", "ntlm", USER, PASSWORD])
            .arg("echo out& exit 7")
            .output()
            .unwrap()
    });
    let ran = ran.await.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let refused = said.contains("error: 500") || said.contains("error: 401");
    assert!(!said.starts_with("out") && refused, "{said}{:?}", ran.stderr);
    say("masterzen/winrm, refused in clear: 1 passed, 0 failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn independent_clients_find_a_windows_server() {
    if env::var_os("RMSFLEET_PEERS").is_none_or(|value| value != "1") {
        crate::shared::skip("independent clients need RMSFLEET_PEERS=1");
        return;
    }
    let none = FaultSet::default();
    let farm = Farm::start(tour::hosts(), accounts(), &none, Timing::tour(), edge()).await.unwrap();
    let addresses = farm.addresses();
    let of = |name: &str| addresses[&HostName::new(format!("{name}.corp.contoso.com"))];
    let mut passed = 0;
    let all = &["--lib", "raw,pypsrp,pywinrm", "--checks", CHECKS];
    passed += check(of("FS01"), all).await;
    // NTLM inside SPNEGO, raw client and pypsrp.
    let wrapped = &["--auth", "negotiate", "--lib", "raw,pypsrp", "--checks", WRAPPED];
    passed += check(of("FS03"), wrapped).await;
    let bare = &["--lib", "raw", "--no-tab", "--checks", "identify,registry"];
    passed += check(of("FS02"), bare).await;
    let exchange = &["--lib", "pypsrp", "--path", "PowerShell", "--checks", "exchange"];
    passed += check(of("EX01"), exchange).await;
    masterzen(of("FS02")).await;
    let refused = &["--lib", "raw,pypsrp,pywinrm", "--password", "wrong", "--checks", "refused"];
    passed += check(of("FS02"), refused).await;
    say(&format!("independent clients against the lab: {passed} passed, 0 failed"));
    let stats = farm.stats();
    assert_eq!(stats.hosts[&HostName::new("FS01.corp.contoso.com")].reboots, 3);
    assert_eq!(stats.hosts[&HostName::new("RMSC01.corp.contoso.com")].requests, 0);
    let opened = stats.sum(|host| host.shells_opened);
    assert!(opened >= 6, "{opened} shells");
    assert_eq!(opened, stats.sum(|host| host.shells_closed), "a shell was left open");
}
