//! NTLM inside SPNEGO over HTTP: against the lab, and against servers and clients that are not ours.

use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::time::Duration;

use rmsfleet::host::link::Connect as _;
use rmsfleet::host::link::HostError;
use rmsfleet::host::link::Reader as _;
use rmsfleet::host::link::Target;
use rmsfleet::lab::accounts::Accounts as LabAccounts;
use rmsfleet::lab::edge::Edge;
use rmsfleet::lab::faults::FaultSet;
use rmsfleet::lab::power::Timing;
use rmsfleet::lab::serve::Farm;
use rmsfleet::lab::tour;
use rmsfleet::model::host::Endpoint;
use rmsfleet::model::host::HostName;
use rmsfleet::model::host::Scheme;
use rmsfleet::model::host::Transport;
use rmsfleet::model::registry::KeyPath;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;
use rmsfleet::net::accounts::Accounts;
use rmsfleet::net::connect::Network;
use rmsfleet::net::stats::Stats;
use rmsfleet::wire::operation::Answer;
use rmsfleet::wire::operation::Read;
use serde_json::json;

use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;

/// Stands before a server and has no answer to raw NTLM, as a host that takes SPNEGO only; whatever
/// comes after that, on another connection, goes through.
pub(crate) fn deaf_to_raw_ntlm(server: SocketAddr) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut is_asked_raw = false;
        while let Ok((mut client, _)) = listener.accept() {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            // The base64 form of `NTLMSSP`. What follows comes over a connection of its own.
            if String::from_utf8_lossy(&head).contains("Negotiate TlRMTVNTUA") {
                is_asked_raw = true;
                let deaf = b"HTTP/1.1 401 \r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: \
                             Kerberos\r\nContent-Length: 0\r\n\r\n";
                client.write_all(deaf).unwrap();
                continue;
            }
            assert!(is_asked_raw, "raw NTLM is offered first");
            let mut upstream = TcpStream::connect(server).unwrap();
            upstream.write_all(&head).unwrap();
            pump(client.try_clone().unwrap(), upstream.try_clone().unwrap());
            pump(upstream, client);
        }
    });
    port
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
}

fn target(port: u16) -> Target {
    Target {
        host: HostName::new("FS01"),
        endpoint: Endpoint {
            scheme: Scheme::Http,
            address: "127.0.0.1".to_owned(),
            port,
            path: "/wsman".to_owned(),
            transport: Transport::Negotiate,
            tls: rmsfleet::model::tls::TlsTrust::default(),
            spn: rmsfleet::model::host::Spn::default(),
            client: None,
        },
        credential: "default".to_owned(),
        user: None,
        connect_timeout: Duration::from_secs(5),
        operation_timeout: Duration::from_secs(20),
    }
}

fn account(password: &str) -> Account {
    Account { user: USER.to_owned(), password: Secret::new(password.to_owned()) }
}

/// Logs on through the deaf front, and reads a list of keys over the sealed connection.
async fn read_keys(server: SocketAddr, password: &str) -> Result<Answer, HostError> {
    let mut accounts = Accounts::default();
    accounts.insert("default", None, account(password));
    let network = Network::new(accounts, Stats::default()).unwrap();
    let mut link = network.connect(&target(deaf_to_raw_ntlm(server))).await?;
    link.read(&Read::Identify).await?;
    link.read(&Read::EnumKeys(KeyPath::new("SOFTWARE"))).await
}

#[expect(clippy::disallowed_methods, reason = "the peers live in real time")]
async fn farm() -> (Farm, SocketAddr) {
    let edge = Edge::new(jiff::Timestamp::now, |bytes| getrandom::fill(bytes).unwrap());
    let accounts = LabAccounts::new(account(PASSWORD));
    let none = FaultSet::default();
    let farm = Farm::start(tour::hosts(), accounts, &none, Timing::tour(), edge).await.unwrap();
    let address = farm.addresses()[&HostName::new("FS01.corp.contoso.com")];
    (farm, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_takes_spnego_only_is_logged_on_to_and_sealed() {
    let (farm, address) = farm().await;
    let keys = read_keys(address, PASSWORD).await.unwrap();
    assert!(matches!(&keys, Answer::Keys { code: 0, names } if !names.is_empty()), "{keys:?}");
    assert_eq!(farm.stats().sum(|host| host.logons), 1);
    let refused = read_keys(address, "wrong").await;
    assert!(matches!(refused, Err(HostError::Denied { .. })), "{refused:?}");
    assert_eq!(farm.stats().sum(|host| host.failed_logons), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_inside_spnego_is_understood_by_a_server_that_is_not_ours() {
    let fleet = json!({
        "users": {USER: PASSWORD},
        "hosts": [{"name": "FS01", "listen": [{"address": "127.0.0.1:0", "paths": ["/wsman"]}]}],
    });
    let Some(server) = PeerServer::start(&fleet) else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], server.port("FS01")));
    let keys = read_keys(address, PASSWORD).await.unwrap();
    assert!(matches!(&keys, Answer::Keys { code: 0, .. }), "{keys:?}");
}
