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
const CHECKS: &str = "identify,registry,wmi,faults,bad_password,unencrypted,reboot";
const WRAPPED: &str = "identify,registry,wmi,faults,bad_password,unencrypted";
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
async fn check(address: SocketAddr, arguments: &'static [&'static str]) {
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
    check(of("FS01"), &["--lib", "raw,pypsrp,pywinrm", "--checks", CHECKS]).await;
    // NTLM inside SPNEGO, raw client and pypsrp.
    let wrapped = &["--auth", "negotiate", "--lib", "raw,pypsrp", "--checks", WRAPPED];
    check(of("FS03"), wrapped).await;
    check(of("FS02"), &["--lib", "raw", "--no-tab", "--checks", "identify,registry"]).await;
    let exchange = &["--lib", "pypsrp", "--path", "PowerShell", "--checks", "exchange"];
    check(of("EX01"), exchange).await;
    let stats = farm.stats();
    assert_eq!(stats.hosts[&HostName::new("FS01.corp.contoso.com")].reboots, 3);
    assert_eq!(stats.hosts[&HostName::new("RMSC01.corp.contoso.com")].requests, 0);
}
