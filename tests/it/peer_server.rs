//! The peers' WinRM server as a child process: an independent implementation on loopback.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;

use crate::shared;

pub(crate) const USER: &str = "PEERS\\wsuser";
pub(crate) const PASSWORD: &str = "Passw0rd!";

/// The peers' folder, when `RMSFLEET_PEERS=1` asks for these tests; says so when it does not.
pub(crate) fn peers() -> Option<PathBuf> {
    if std::env::var_os("RMSFLEET_PEERS").is_none_or(|value| value != "1") {
        shared::skip("set RMSFLEET_PEERS=1 to run the checks against independent peers");
        return None;
    }
    let folder = shared::root().join("peers");
    assert!(folder.is_dir(), "RMSFLEET_PEERS=1, but {} is missing", folder.display());
    Some(folder)
}

/// The Python that has the peers' packages.
pub(crate) fn python(peers: &std::path::Path) -> PathBuf {
    let out = Command::new(peers.join("install")).arg("--python").output().unwrap();
    PathBuf::from(String::from_utf8(out.stdout).unwrap().trim())
}

pub(crate) struct PeerServer {
    child: Child,
    pub(crate) ports: std::collections::BTreeMap<String, Vec<u16>>,
    control: u16,
    _programs: tempfile::TempDir,
}

/// The program that hosts of the server have, as a shell script. The server gives command lines to
/// `/bin/sh`, which takes the backslashes out of `C:\rms\probe.exe`.
const PROBE: &str = r#"#!/bin/sh
case "$1" in
exit) echo "$3"; exit "$2" ;;
wait) exec sleep 600 ;;
red) echo '{"green": false, "seen": "not yet"}' ;;
*) printf '{"green": true, "seen": "%s bytes"}' "$(wc -c)" ;;
esac
"#;

fn programs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("C:rmsprobe.exe");
    std::fs::write(&file, PROBE).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

impl PeerServer {
    /// Starts the fleet that `config` describes (the peers' README has the format).
    pub(crate) fn start(config: &Value) -> Option<Self> {
        Self::start_in(config, &[])
    }

    /// As `start`, with variables of the environment: Kerberos finds its files by them.
    pub(crate) fn start_in(config: &Value, variables: &[(String, String)]) -> Option<Self> {
        let peers = peers()?;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fleet.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let programs = programs();
        let mut path = programs.path().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut child = Command::new(python(&peers))
            .arg(peers.join("winrm_server.py"))
            .arg("--hosts")
            .arg(&file)
            .args(["--control", "127.0.0.1:0"])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PATH", path)
            .envs(variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut ports = std::collections::BTreeMap::<String, Vec<u16>>::new();
        let mut control = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let words: Vec<&str> = line.split_whitespace().collect();
            let port = |address: &str| address.rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
            match *words.as_slice() {
                ["listening", name, address, ..] => {
                    ports.entry(name.to_owned()).or_default().push(port(address));
                }
                ["control", address] => control = port(address),
                ["ready"] => break,
                _ => {}
            }
        }
        assert!(!ports.is_empty() && control != 0, "the peer server did not come up");
        Some(Self { child, ports, control, _programs: programs })
    }

    pub(crate) fn port(&self, host: &str) -> u16 {
        self.ports[host][0]
    }

    fn http(&self, method: &str, path: &str, body: &str) -> Value {
        let mut socket = TcpStream::connect(("127.0.0.1", self.control)).unwrap();
        write!(socket, "{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .unwrap();
        let mut reply = String::new();
        socket.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{method} {path}: {head}\n{body}");
        serde_json::from_str(body).unwrap()
    }

    pub(crate) fn stats(&self) -> Value {
        self.http("GET", "/stats", "")
    }

    pub(crate) fn registry(&self, host: &str) -> Value {
        self.http("GET", &format!("/registry/{host}"), "")
    }

    pub(crate) fn set_registry(&self, host: &str, content: &Value) {
        self.http("PUT", &format!("/registry/{host}"), &content.to_string());
    }

    /// Changes options of a host (the peers' README has them).
    pub(crate) fn set(&self, host: &str, options: &Value) {
        self.http("PUT", &format!("/set/{host}"), &options.to_string());
    }

    pub(crate) fn faults(&self, rules: &Value) {
        self.http("PUT", "/faults", &rules.to_string());
    }

    /// How often a host answered a CIM method whose name begins with one of these; opening and
    /// ending a shell is not one.
    pub(crate) fn actions(&self, host: &str, names: &[&str]) -> u64 {
        let stats = self.stats();
        let Some(actions) = stats["hosts"][host]["actions"].as_object() else { return 0 };
        actions
            .iter()
            .filter(|(action, _)| {
                let cim = action.contains("/StdRegProv/") || action.contains("/Win32_");
                let last = action.rsplit('/').next().unwrap_or_default();
                cim && names.iter().any(|name| last.starts_with(name))
            })
            .map(|(_, count)| count.as_u64().unwrap_or_default())
            .sum()
    }
}

impl Drop for PeerServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
