//! The built program killed in the middle of a rollout, with `kill -9`, and resumed: what happened
//! is counted by a server that is not ours. `RMSFLEET_KILLS` says how many kills are tried.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;
use crate::peers_rollout::inventory;

/// How many kills by default; each costs a rollout.
const KILLS: usize = 3;

const APPLY: [&str; 6] = ["apply", "-i", "inventory.yml", "--yes", "--confirm", "Contoso"];

/// An Exchange server that restarts and whose organisation is set, a front end, two file servers.
fn fleet() -> Value {
    let quick = json!({"delay": 0.1, "down": 0.3, "silent": 0.1, "starting": 0.1, "logon": 0.2});
    let listen = |path: &str| json!({"address": "127.0.0.1:0", "paths": [path]});
    json!({
        "users": {USER: PASSWORD},
        "defaults": {"domain": "peers.test", "reboot": quick},
        "hosts": [
            {"name": "EX01", "listen": [listen("/wsman"), listen("/powershell")], "os": "2019",
             "roles": ["exchange"], "powershell_auth": ["negotiate", "kerberos"], "registry": [
                {"HKLM\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\Setup": {
                    "MsiProductMajor": ["REG_DWORD", 15], "MsiProductMinor": ["REG_DWORD", 2],
                    "MsiBuildMajor": ["REG_DWORD", 1544], "MsiBuildMinor": ["REG_DWORD", 4]}},
                {"HKLM\\SOFTWARE\\Microsoft\\MSDRM\\ServiceLocation\\EnterprisePublishing": {
                    "": ["REG_SZ", "https://adrms.corp.contoso.com/_wmcs/licensing"]}}]},
            {"name": "FS0{n}", "count": 2, "listen": "127.0.0.1:0", "os": "2016",
             "roles": ["fileserver"]},
        ]
    })
}

pub(crate) struct Bench {
    pub(crate) server: PeerServer,
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn start() -> Option<Self> {
        let server = PeerServer::start(&fleet())?;
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        // Limits of a second: a silent host holds nobody up for long.
        let brief = "vars:\n    ansible_winrm_operation_timeout_sec: 1\n";
        write("inventory.yml", inventory(&server).replacen("vars:\n", brief, 1));
        let account = format!(
            "version: 1\ncredentials:\n  default:\n    type: env\n    username: {USER}\n    \
             variable: PEER_PASSWORD\n"
        );
        write("credentials.yml", account);
        Some(Self { server, folder })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rmsfleet"));
        command
            .args(arguments)
            .arg("--no-input")
            .current_dir(self.path())
            .env("XDG_STATE_HOME", self.path().join("state"))
            .env("PEER_PASSWORD", PASSWORD)
            .stdin(Stdio::null());
        command
    }

    #[track_caller]
    pub(crate) fn expect(&self, arguments: &[&str], exit: i32) -> String {
        let output = self.command(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "rmsfleet {arguments:?}\n{text}");
        text
    }

    /// Starts a rollout and kills it as soon as it has told so many events.
    fn kill_after(&self, events: usize) {
        let mut child = self
            .command(&APPLY)
            .args(["--format", "jsonl"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let run = lines
            .map(Result::unwrap)
            .skip_while(|line| !line.contains("\"type\":\"run-started\""))
            .take(events);
        assert_eq!(run.count(), events, "the run ended before it was killed");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn run(&self) -> String {
        let runs = fs::read_dir(self.path().join("state/rmsfleet/runs")).unwrap();
        let mut names: Vec<String> =
            runs.map(|run| run.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names.pop().unwrap()
    }

    pub(crate) fn journal(&self) -> String {
        let path = self.path().join("state/rmsfleet/runs").join(self.run()).join("journal.jsonl");
        fs::read_to_string(path).unwrap()
    }

    /// What the server counted, by host: values set, restarts, orders; and cmdlets that act.
    fn counted(&self) -> BTreeMap<String, u64> {
        let stats = self.server.stats();
        let mut counted = BTreeMap::new();
        for host in self.server.ports.keys() {
            let of = &stats["hosts"][host];
            // Values and the mark; the lease is of another type, and a resume takes it again.
            let values = self.server.actions(host, &["SetString", "SetDWORD"]);
            counted.insert(format!("{host} values"), values);
            counted.insert(format!("{host} restarts"), of["reboots"].as_u64().unwrap());
            let orders = of["orders"].as_array().map_or(0, Vec::len);
            counted.insert(format!("{host} orders"), orders as u64);
            let set = of["cmdlets"]["Set-IRMConfiguration"].as_u64().unwrap_or_default();
            counted.insert(format!("{host} cmdlets"), set);
        }
        counted
    }
}

#[test]
fn peers_a_run_killed_for_real_and_resumed_does_everything_once() {
    let Some(bench) = Bench::start() else { return };
    bench.expect(&APPLY, 0);
    let (undisturbed, events) = (bench.counted(), bench.journal().lines().count());
    assert_eq!(undisturbed["EX01 restarts"], 1);
    assert_eq!(undisturbed["EX01 cmdlets"], 1);
    drop(bench);
    let wanted = std::env::var_os("RMSFLEET_KILLS").and_then(|text| text.into_string().ok());
    let kills = wanted.and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    for kill in 1..=kills {
        // Never after the last event: the run would have ended.
        let at = (events - 2) * kill / (kills + 1) + 1;
        let Some(bench) = Bench::start() else { return };
        bench.kill_after(at);
        let run = bench.run();
        bench.expect(&["runs", "verify", &run], 0);
        assert!(bench.expect(&["lock", "list"], 0).contains("expired"));
        let resume = ["resume", run.as_str(), "--yes", "--confirm", "Contoso", "--settle", "3"];
        bench.expect(&resume, 0);
        assert_eq!(bench.counted(), undisturbed, "killed after event {at} of {events}");
        assert!(bench.expect(&resume, 0).contains("nothing to resume"));
        bench.expect(&["runs", "verify", &run], 0);
        bench.expect(&["plan", "-i", "inventory.yml", "--detailed-exitcode"], 0);
    }
}
