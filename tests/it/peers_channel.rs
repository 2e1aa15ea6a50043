//! The channel against a WinRM server that is not ours: handshake, sealed messages in every form
//! that servers write, refusals. The server's counters say what really reached it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use rmsfleet::host::link::HostError;
use rmsfleet::host::link::Target;
use rmsfleet::model::host::Endpoint;
use rmsfleet::model::host::HostName;
use rmsfleet::model::host::Scheme;
use rmsfleet::model::host::Spn;
use rmsfleet::model::host::Transport;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;
use rmsfleet::model::tls::TlsTrust;
use rmsfleet::net::accounts::Login;
use rmsfleet::net::channel::Channel;
use rmsfleet::net::channel::SoapCall as _;
use rmsfleet::net::guard::AccountGuard;
use rmsfleet::net::knock::knock;
use rmsfleet::net::stats::Stats;
use rmsfleet::wire::wsman;
use serde_json::Value;
use serde_json::json;

use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;

/// Hosts that a wrong password is tried on.
const MANY: usize = 200;

/// A server with one host per variant, named after it.
fn server(hosts: &[(&str, Value)]) -> Option<PeerServer> {
    let hosts: Vec<Value> = hosts
        .iter()
        .map(|(name, options)| {
            let mut host = options.clone();
            host["name"] = json!(name);
            host["listen"] = json!("127.0.0.1:0");
            host
        })
        .collect();
    PeerServer::start(&json!({"users": {USER: PASSWORD}, "hosts": hosts}))
}

fn target(server: &PeerServer, host: &str) -> Target {
    Target {
        host: HostName::new(host),
        endpoint: Endpoint {
            scheme: Scheme::Http,
            address: "localhost".to_owned(),
            port: server.port(host),
            path: "/wsman".to_owned(),
            transport: Transport::Ntlm,
            tls: TlsTrust::default(),
            spn: Spn::default(),
            client: None,
        },
        credential: "default".to_owned(),
        user: None,
        connect_timeout: Duration::from_secs(5),
        operation_timeout: Duration::from_secs(20),
    }
}

fn account(password: &str) -> Arc<Login> {
    let password = Secret::new(password.to_owned());
    Arc::new(Login::from(Account { user: USER.to_owned(), password }))
}

async fn open(
    target: &Target,
    password: &str,
    guard: &AccountGuard,
    stats: &Stats,
) -> Result<Channel, HostError> {
    Channel::open(target, &account(password), guard, stats, "test").await
}

/// A large Identify: white space in the body makes a message of about `size` bytes.
fn identify(size: usize) -> Vec<u8> {
    let mut envelope = wsman::encode_identify().unwrap();
    envelope.extend(std::iter::repeat_n(b' ', size));
    envelope
}

/// On several threads, because a pool that takes another connection does so by a race.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_messages_pass_in_every_form_that_servers_write() {
    let forms = [
        ("plain", json!({})),
        ("gss", json!({"ntlm": "gss"})),
        ("no-tab", json!({"variant": {"tab": false}})),
        ("bom", json!({"variant": {"bom": true}})),
        ("chunked", json!({"variant": {"chunked": true}})),
        ("space", json!({"variant": {"boundary_space": true}})),
        ("crlf", json!({"variant": {"extra_crlf": true}})),
        ("prefixes", json!({"variant": {"odd_prefixes": true}})),
        ("reason", json!({"variant": {"reason": "normal"}})),
    ];
    let Some(server) = server(&forms) else { return };
    let (guard, stats) = (AccountGuard::default(), Stats::default());
    for (name, _) in &forms {
        let mut channel = open(&target(&server, name), PASSWORD, &guard, &stats)
            .await
            .unwrap_or_else(|error| panic!("{name}: {}", error.failure().text()));
        for size in [0, 1, 400_000, 5, 400_000, 400_000, 0, 0] {
            let reply = channel
                .call("Identify", identify(size))
                .await
                .unwrap_or_else(|error| panic!("{name}: {}", error.failure().text()));
            wsman::decode_identify(&reply).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let key = (HostName::new(*name), "test".to_owned());
        let counters = stats.snapshot()[&key];
        assert_eq!((counters.requests, counters.logons), (10, 1), "{name}");
        assert!(counters.sent > 400_000 && counters.received > 0, "{name}: {counters:?}");
        assert_eq!(server.stats()["hosts"][*name]["connections"], json!(1), "{name}");
    }
}

#[tokio::test]
async fn a_host_that_closes_after_every_reply_is_logged_on_to_anew() {
    let Some(server) = server(&[("closes", json!({"variant": {"close_each": true}}))]) else {
        return;
    };
    let (guard, stats) = (AccountGuard::default(), Stats::default());
    let mut channel = open(&target(&server, "closes"), PASSWORD, &guard, &stats).await.unwrap();
    for _ in 0..3 {
        let reply = channel.call("Identify", identify(0)).await.unwrap();
        wsman::decode_identify(&reply).unwrap();
    }
    assert_eq!(server.stats()["hosts"]["closes"]["connections"], json!(3));
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_in_the_whole_fleet() {
    let names: Vec<String> = (0..MANY).map(|number| format!("H{number:03}")).collect();
    let hosts: Vec<(&str, Value)> = names
        .iter()
        .zip(0..)
        .map(|(name, number)| {
            (name.as_str(), json!({"ntlm": if number % 2 == 0 { "gss" } else { "pyspnego" }}))
        })
        .collect();
    let Some(server) = server(&hosts) else { return };
    let (guard, stats) = (AccountGuard::default(), Stats::default());
    let targets: Vec<Target> = names.iter().map(|host| target(&server, host)).collect();
    // As many at once as a run has forks, the first ones racing for the first logon.
    let results: Vec<_> =
        stream::iter(targets.iter().map(|target| open(target, "wrong", &guard, &stats)))
            .buffer_unordered(40)
            .collect()
            .await;
    let count = |kind: fn(&HostError) -> bool| {
        results.iter().filter(|result| result.as_ref().is_err_and(kind)).count()
    };
    assert_eq!(count(|error| matches!(error, HostError::Denied { .. })), 1, "{results:?}");
    assert_eq!(count(|error| matches!(error, HostError::Guarded { .. })), MANY - 1);
    let logons: u64 = stats.snapshot().values().map(|counters| counters.logons).sum();
    assert_eq!(logons, 1);
    let accounts = server.stats()["accounts"].clone();
    let failures: u64 = accounts
        .as_object()
        .unwrap()
        .values()
        .map(|account| account["failures"].as_u64().unwrap())
        .sum();
    assert_eq!(failures, 1, "{accounts}");
}

#[tokio::test]
async fn a_connection_lost_in_the_middle_is_lost_and_stays_so() {
    let Some(server) = server(&[("breaks", json!({}))]) else { return };
    let (guard, stats) = (AccountGuard::default(), Stats::default());
    let mut channel = open(&target(&server, "breaks"), PASSWORD, &guard, &stats).await.unwrap();
    channel.call("Identify", identify(0)).await.unwrap();
    server.faults(&json!([{"host": "breaks", "do": "close-after"}]));
    let lost = channel.call("Identify", identify(0)).await;
    assert!(matches!(lost, Err(HostError::Lost { .. })), "{lost:?}");
    server.faults(&json!([]));
    let after = channel.call("Identify", identify(0)).await;
    assert!(matches!(after, Err(HostError::NotConnected { .. })), "{after:?}");
}

#[tokio::test]
async fn a_fault_is_a_reply_and_a_knock_needs_no_logon() {
    let Some(server) = server(&[("host", json!({}))]) else { return };
    let (guard, stats) = (AccountGuard::default(), Stats::default());
    let target = target(&server, "host");
    knock(&target, &stats, "test").await.unwrap();
    assert_eq!(server.stats()["accounts"], json!({}));
    let mut channel = open(&target, PASSWORD, &guard, &stats).await.unwrap();
    let text = String::from_utf8(identify(0)).unwrap().replace("Identify", "Nonsense");
    let fault = channel.call("Nonsense", text.into_bytes()).await.unwrap();
    assert!(String::from_utf8_lossy(&fault).contains("Fault"));
    let reply = channel.call("Identify", identify(0)).await.unwrap();
    wsman::decode_identify(&reply).unwrap();
}

#[tokio::test]
async fn a_wrong_path_or_nobody_there_is_said_in_words() {
    let Some(server) = server(&[("host", json!({}))]) else { return };
    let (guard, stats) = (AccountGuard::default(), Stats::default());
    let mut astray = target(&server, "host");
    astray.endpoint.path = "/wsmna".to_owned();
    let error = open(&astray, PASSWORD, &guard, &stats).await.unwrap_err();
    assert!(error.to_string().contains("HTTP 404: nothing at this path"), "{error}");
    let error = knock(&astray, &stats, "test").await.unwrap_err();
    assert!(error.to_string().contains("HTTP 404: nothing at this path"), "{error}");
    let mut nobody = target(&server, "host");
    drop(server);
    nobody.endpoint.path = "/wsman".to_owned();
    let error = open(&nobody, PASSWORD, &guard, &stats).await.unwrap_err();
    assert!(matches!(error, HostError::NotConnected { .. }), "{error:?}");
}
