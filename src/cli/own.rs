//! The machine that the program runs on: never restarted by it, and kept awake while a run is on.

use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::net::UdpSocket;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::Command;

use crate::model::plan::Blocker;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;

/// How long a system service may take to say that the machine stays awake.
const PATIENCE: Duration = Duration::from_secs(5);

/// What this machine is called, as far as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnMachine {
    pub name: String,
}

impl OwnMachine {
    /// Why a host may be this machine; `None` if nothing says so.
    ///
    /// A loopback address proves nothing: it may be the near end of a tunnel.
    pub fn is(&self, host: &PlannedHost) -> Option<String> {
        let named =
            [Some(host.name.short()), host.identity.as_ref().map(|one| one.computer.as_str())];
        let own = self.name.split('.').next().unwrap_or(&self.name);
        if !own.is_empty() && named.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(own))
        {
            return Some(format!("it is called {own}, as this machine is"));
        }
        let endpoint = (host.endpoint.address.as_str(), host.endpoint.port);
        let addresses = endpoint.to_socket_addrs().ok()?;
        let own = addresses.map(|address| address.ip()).find(|ip| {
            // Only an address of this machine can be bound.
            !ip.is_loopback() && UdpSocket::bind(SocketAddr::new(*ip, 0)).is_ok()
        })?;
        Some(format!("its address {own} is this machine's"))
    }

    /// Keeps every host that is this machine from being restarted from here.
    pub fn block(&self, plan: &mut Plan) {
        for host in plan.hosts.values_mut().filter(|host| host.restart && host.has_work()) {
            if let Some(why) = self.is(host) {
                host.blockers.push(Blocker {
                    id: "own-machine".to_owned(),
                    text: format!("the plan would restart the machine that it runs on: {why}"),
                    hint: Some(
                        "run rmsfleet from another machine, or set `rms_restart: manual` and \
                         restart it yourself"
                            .to_owned(),
                    ),
                });
            }
        }
    }
}

/// Keeps the machine awake until it is dropped, or its process ends in any way.
#[derive(Debug)]
pub struct Awake {
    /// Ends when its standard input does, hence with this process.
    _keeper: Child,
}

/// Asks the system to stay awake for a run. The error says why it does not.
pub async fn keep_awake(run: &str) -> Result<Awake, String> {
    let why = format!("--why=rollout {run}");
    let argv: &[&str] = if cfg!(target_os = "macos") {
        &["caffeinate", "-i", "cat"]
    } else if cfg!(target_os = "linux") {
        &["systemd-inhibit", "--what=sleep:idle", "--who=rmsfleet", &why, "cat"]
    } else {
        return Err("this system is not asked to by this version".to_owned());
    };
    let Some((name, arguments)) = argv.split_first() else { return Err(String::new()) };
    let asked = tokio::time::timeout(PATIENCE, ask(name, arguments)).await;
    asked.unwrap_or_else(|_| Err(format!("`{name}` does not answer")))
}

/// The program inside is `cat`: what it echoes proves that the system has granted the wish.
async fn ask(name: &str, arguments: &[&str]) -> Result<Awake, String> {
    let failed = |error: std::io::Error| format!("`{name}`: {error}");
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let mut line = String::new();
    if let (Some(stdin), Some(stdout)) = (&mut child.stdin, &mut child.stdout) {
        // One that refuses has ended already, and its output with it.
        drop(stdin.write_all(b"awake\n").await);
        BufReader::new(stdout).read_line(&mut line).await.map_err(failed)?;
    }
    if line == "awake\n" { Ok(Awake { _keeper: child }) } else { Err(format!("`{name}` refused")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::Identity;
    use crate::plan::sample;

    fn check(own: &str, change: impl FnOnce(&mut PlannedHost), expected: bool) {
        let mut plan = sample::plan();
        let name = plan.hosts.values().find(|host| host.restart).unwrap().name.clone();
        let host = plan.hosts.get_mut(&name).unwrap();
        host.endpoint.address = "127.0.0.1".to_owned();
        change(host);
        OwnMachine { name: own.to_owned() }.block(&mut plan);
        let blocked = plan.hosts[&name].blockers.iter().any(|one| one.id == "own-machine");
        assert_eq!(blocked, expected, "{own}");
    }

    #[test]
    fn a_host_that_is_called_as_this_machine_is_never_restarted_from_it() {
        let named = |host: &mut PlannedHost| {
            host.identity = Some(Identity { computer: "ADMIN7".to_owned(), domain: None });
        };
        check("admin7", named, true);
        check("admin7.corp.contoso.com", named, true);
        check("admin8", named, false);
        check("", named, false);
    }

    #[test]
    fn one_that_is_not_restarted_may_be_this_machine() {
        let left = |host: &mut PlannedHost| {
            host.identity = Some(Identity { computer: "ADMIN7".to_owned(), domain: None });
            host.restart = false;
        };
        check("admin7", left, false);
    }

    #[test]
    fn a_tunnel_on_loopback_is_not_taken_for_this_machine() {
        check("admin7", |_| {}, false);
    }
}
