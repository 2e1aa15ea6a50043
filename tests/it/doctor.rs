//! `doctor` as a user meets it, and what a wrong password costs the account.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use rmsfleet::lab::accounts::Accounts;
use rmsfleet::lab::edge::Edge;
use rmsfleet::lab::faults::FaultSet;
use rmsfleet::lab::power::Timing;
use rmsfleet::lab::serve::Farm;
use rmsfleet::lab::tour;
use rmsfleet::model::host::HostName;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;

/// Runs the program in a folder of its own; exit code and both streams.
fn doctor(arguments: &[&str], folder: &Path) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
        .arg("doctor")
        .args(arguments)
        .env_clear()
        .env("LANG", "C.UTF-8")
        .env("HOME", folder)
        .env("XDG_STATE_HOME", folder)
        .env("DOCTOR_TEST_PASSWORD", "not the one")
        .envs(std::env::var_os("SystemRoot").map(|root| ("SystemRoot", root)))
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[track_caller]
fn check(arguments: &[&str], code: i32, said: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    check_in(folder.path(), arguments, code, said);
}

#[track_caller]
fn check_in(folder: &Path, arguments: &[&str], code: i32, said: &[&str]) {
    let (got, text) = doctor(arguments, folder);
    assert_eq!(got, code, "{text}");
    for word in said {
        assert!(text.contains(word), "`{word}` is missing:\n{text}");
    }
}

/// An inventory of file servers at loopback ports, with the wrong password in the environment.
fn inventory(folder: &Path, hosts: &[(&str, u16)]) {
    let lines: Vec<String> = hosts
        .iter()
        .map(|(name, port)| {
            format!("        {name}: {{ ansible_host: 127.0.0.1, ansible_port: {port} }}\n")
        })
        .collect();
    let text = format!(
        "all:\n  vars:\n    rms_tenant_url: https://a.rms.eu.aadrm.com\n    rms_connector_url: \
         https://rms.corp.contoso.com\n    ansible_winrm_scheme: http\n    \
         ansible_winrm_transport: ntlm\n  children:\n    fci:\n      vars:\n        rms_role: \
         fci\n      hosts:\n{}  hosts:\n    PLAIN:\n",
        lines.concat()
    );
    std::fs::write(folder.join("inventory.yml"), text).unwrap();
    let text = "version: 1\ncredentials:\n  default:\n    type: env\n    username: \
                CORP\\rmsadmin\n    variable: DOCTOR_TEST_PASSWORD\n";
    std::fs::write(folder.join("credentials.yml"), text).unwrap();
}

#[test]
fn the_simulated_farm_is_well_until_it_is_broken() {
    check(&["--lab"], 0, &["organisation Contoso", "all keys of the role", "8 hosts are well"]);
    check(
        &["--lab", "--faults", "access-denied"],
        7,
        &["may not be written", "Administrators", "exit 7 (blocked)"],
    );
    let wrong = ["`OLDFILER` answers", "clock     agrees with ours, by the date"];
    check(&["--lab", "--faults", "stale-host", "-l", "fci"], 7, &wrong);
    check(&["FS01", "--lab"], 0, &["1 host is well"]);
}

#[test]
fn machines_read_one_document_per_host() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = doctor(&["EX01", "--lab", "--format", "jsonl"], folder.path());
    assert_eq!(code, 0, "{text}");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[1]["type"], "checkup");
    let last = lines[1]["checks"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["check"], &last["verdict"]), (&"exchange".into(), &"ok".into()));
}

#[test]
fn a_closed_port_is_unreachable_and_spends_no_logon() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    inventory(folder.path(), &[("FS01", port)]);
    let said = ["tcp", "Enable-PSRemoting", "logon     skipped: tcp failed", "exit 6"];
    check_in(folder.path(), &[], 6, &said);
    check_in(folder.path(), &["PLAIN"], 69, &["has no role"]);
    check_in(folder.path(), &["FS02"], 69, &["no host `FS02`"]);
}

#[test]
fn a_port_that_is_no_wsman_is_told_from_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    inventory(folder.path(), &[("FS01", listener.local_addr().unwrap().port())]);
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let mut request = [0; 4096];
            if socket.read(&mut request).is_ok_and(|count| count > 0) {
                let reply = b"HTTP/1.1 500 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                drop(socket.write_all(reply));
            }
        }
    });
    check_in(folder.path(), &[], 7, &["HTTP 500", "AllowUnencrypted", "logon     skipped"]);
}

#[test]
fn a_wrong_password_costs_one_refusal_however_many_hosts_there_are() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let farm = runtime.block_on(async {
        let clock = || jiff::Timestamp::from_second(1_700_000_000).unwrap();
        let edge = Edge::new(clock, |bytes| bytes.fill(7));
        let right = Account {
            user: r"CORP\rmsadmin".to_owned(),
            password: Secret::new("the right one".to_owned()),
        };
        let accounts = Accounts::new(right);
        Farm::start(tour::hosts(), accounts, &FaultSet::default(), Timing::tour(), edge).await
    });
    let farm = farm.unwrap();
    let port = |name: &str| farm.addresses()[&HostName::new(name)].port();
    let folder = tempfile::tempdir().unwrap();
    let names = ["FS01.corp.contoso.com", "FS02.corp.contoso.com", "FS03.corp.contoso.com"];
    inventory(folder.path(), &names.map(|name| (name, port(name))));
    let said = ["4625", "Protected Users", "spared a second refusal", "exit 77 (auth)"];
    check_in(folder.path(), &[], 77, &said);
    assert_eq!(farm.stats().sum(|host| host.failed_logons), 1);
    assert_eq!(farm.stats().sum(|host| host.logons), 0);
}
