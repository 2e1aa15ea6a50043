//! NTLM against implementations that are not ours, each as client and as server, without HTTP.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rmsfleet::host::link::Clock as _;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;
use rmsfleet::net::clock::SystemClock;
use rmsfleet::wire::ntlm;
use rmsfleet::wire::ntlm::Entropy;
use rmsfleet::wire::ntlm::FileTime;
use rmsfleet::wire::ntlm::Seal;
use rmsfleet::wire::ntlm::Service;
use rmsfleet::wire::ntlm::acceptor;

use crate::peer_server::PASSWORD;
use crate::peer_server::USER;
use crate::peer_server::peers;
use crate::peer_server::python;

/// One side of a handshake, driven line by line.
struct Peer {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Peer {
    fn start(side: &str, kind: &str, variables: &[(&str, &str)]) -> Option<Self> {
        let peers = peers()?;
        let mut child = Command::new(python(&peers))
            .arg(peers.join("ntlm_matrix.py"))
            .args([side, kind])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, stdin, stdout })
    }

    /// Sends a line and gives the words of the answer, which must begin with one of `expected`.
    fn ask(&mut self, word: &str, blobs: &[&[u8]], expected: &[&str]) -> Vec<Vec<u8>> {
        let blobs: Vec<String> = blobs
            .iter()
            .map(|blob| if blob.is_empty() { "-".into() } else { BASE64_STANDARD.encode(blob) })
            .collect();
        writeln!(self.stdin, "{word} {}", blobs.join(" ")).unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        assert!(expected.contains(&first), "{word}: expected {expected:?}, peer said {line}");
        words
            .map(
                |word| if word == "-" { Vec::new() } else { BASE64_STANDARD.decode(word).unwrap() },
            )
            .collect()
    }

    /// Three sealed messages each way.
    fn talk(&mut self, mut seal: Seal) {
        for size in [1, 40, 5000] {
            let text = vec![b'x'; size];
            let (signature, cipher) = seal.seal(&text).unwrap();
            let plain = self.ask("UNSEAL", &[&signature, &cipher], &["PLAIN"]);
            assert_eq!(plain, std::slice::from_ref(&text));
            let sealed = self.ask("SEAL", &[&text], &["SEALED"]);
            assert_eq!(seal.unseal(&sealed[0], &sealed[1]).unwrap(), text);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn secret() -> Secret {
    Secret::new(PASSWORD.to_owned())
}

/// Our client against a server of this kind, as this user.
pub(crate) fn check_client(kind: &str, user: &str, variables: &[(&str, &str)]) {
    let Some(mut peer) = Peer::start("--stdio-server", kind, variables) else { return };
    let (negotiate, client) = ntlm::start();
    let challenge = peer.ask("AUTH", &[negotiate.as_bytes()], &["TOKEN"]).remove(0);
    let account = Account { user: user.to_owned(), password: secret() };
    let service = Service { name: "HTTP/localhost", channel_binding: None };
    let entropy = Entropy { client_challenge: [0x5a; 8], session_key: [0xa5; 16].into() };
    let (token, keys) =
        client.answer(&challenge, &account, &service, entropy, FileTime(0)).unwrap();
    peer.ask("AUTH", &[token.as_bytes()], &["DONE"]);
    peer.talk(Seal::new(keys));
}

/// Our acceptor against a client of this kind.
pub(crate) fn check_acceptor(kind: &str) {
    let Some(mut peer) = Peer::start("--stdio-client", kind, &[]) else { return };
    let negotiate = peer.ask("AUTH", &[b""], &["TOKEN"]).remove(0);
    let names = acceptor::Names {
        netbios_domain: "PEERS".to_owned(),
        netbios_computer: "FS01".to_owned(),
        dns_domain: "peers.test".to_owned(),
        dns_computer: "fs01.peers.test".to_owned(),
    };
    // gss-ntlmssp refuses a server whose clock is far from its own.
    let now = FileTime::from_timestamp(SystemClock.now());
    let (challenge, server) = acceptor::challenge(&negotiate, &names, [0x3c; 8], now).unwrap();
    let token = peer.ask("AUTH", &[challenge.as_bytes()], &["TOKEN", "DONE"]).remove(0);
    let accepted = server
        .verify(&token, |user, domain| (user == "wsuser" && domain == "PEERS").then(secret))
        .unwrap();
    peer.talk(Seal::new(accepted.keys.expect("a client that seals")));
}

#[test]
fn our_client_is_understood_by_other_servers() {
    check_client("pyspnego", USER, &[]);
    check_client("gss", USER, &[]);
}

#[test]
fn our_acceptor_understands_other_clients() {
    check_acceptor("pyspnego");
    check_acceptor("gss");
}
