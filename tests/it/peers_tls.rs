//! The channel over TLS against a WinRM server that is not ours: NTLM bound to the certificate under
//! strict and relaxed channel binding, Basic, and the Exchange endpoint.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rmsfleet::host::exchange;
use rmsfleet::host::link::HostError;
use rmsfleet::host::link::Shell as _;
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
use rmsfleet::net::left::LeftShells;
use rmsfleet::net::shell::PsrpShell;
use rmsfleet::net::stats::Stats;
use rmsfleet::wire::certificate::end_point_binding;
use rmsfleet::wire::ntlm;
use rmsfleet::wire::ntlm::Entropy;
use rmsfleet::wire::ntlm::FileTime;
use rmsfleet::wire::ntlm::Service;
use rmsfleet::wire::session;
use rmsfleet::wire::soap::Header;
use rmsfleet::wire::wsman;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::StreamOwned;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use crate::certificates::Authority;
use crate::certificates::Identity;
use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;

/// A server that shows a certificate of an authority of its own.
struct Stand {
    server: PeerServer,
    authority: Authority,
    identity: Identity,
}

impl Stand {
    fn start(hosts: &[(&str, Value)]) -> Option<Self> {
        let authority = Authority::new();
        let identity = authority.issue("localhost", (2020, 2099));
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = identity.files(folder.path());
        let hosts: Vec<Value> = hosts
            .iter()
            .map(|(name, options)| {
                let mut host = options.clone();
                host["name"] = json!(name);
                host["listen"] = json!([{"address": "127.0.0.1:0", "tls": [certificate, key]}]);
                host
            })
            .collect();
        let server = PeerServer::start(&json!({"users": {USER: PASSWORD}, "hosts": hosts}))?;
        Some(Self { server, authority, identity })
    }

    fn target(&self, host: &str, path: &str, transport: Transport) -> Target {
        Target {
            host: HostName::new(host),
            endpoint: Endpoint {
                scheme: Scheme::Https,
                address: "localhost".to_owned(),
                port: self.server.port(host),
                path: path.to_owned(),
                transport,
                tls: TlsTrust::CaFile(self.authority.file()),
                spn: Spn::default(),
                client: None,
            },
            credential: "default".to_owned(),
            user: None,
            connect_timeout: Duration::from_secs(5),
            operation_timeout: Duration::from_secs(20),
        }
    }

    /// Logs on by NTLM with this binding, outside of the channel; the status that the host answers.
    fn bound(&self, host: &str, channel_binding: Option<[u8; 16]>) -> u16 {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.authority.file()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "localhost".try_into().unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = TcpStream::connect(("127.0.0.1", self.server.port(host))).unwrap();
        let mut stream = StreamOwned::new(session, socket);
        let mut post = |token: &ntlm::Token| {
            let authorization = session::authorization(token.as_bytes());
            let request = format!(
                "POST /wsman HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\
                 Authorization: {authorization}\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            String::from_utf8(head).unwrap()
        };
        let (negotiate, handshake) = ntlm::start();
        let head = post(&negotiate);
        let challenge = head
            .lines()
            .find_map(|line| session::token(line.split_once(": ")?.1))
            .unwrap_or_else(|| panic!("no challenge: {head}"));
        let service = Service { name: "HTTP/localhost", channel_binding };
        let entropy = Entropy { client_challenge: [7; 8], session_key: [9; 16].into() };
        let (answer, _) = handshake
            .answer(&challenge, &account(PASSWORD), &service, entropy, FileTime(0))
            .unwrap();
        post(&answer).split(' ').nth(1).unwrap().parse().unwrap()
    }
}

fn account(password: &str) -> Arc<Account> {
    Arc::new(Account { user: USER.to_owned(), password: Secret::new(password.to_owned()) })
}

async fn open(target: &Target, password: &str) -> Result<Channel, HostError> {
    let guard = AccountGuard::default();
    let mut account = account(password);
    if target.endpoint.transport == Transport::Basic {
        // A local account, spelled as Windows spells it.
        Arc::make_mut(&mut account).user = USER.replace("PEERS", ".");
    }
    let login = Arc::new(Login::from(Account::clone(&account)));
    Channel::open(target, &login, &guard, &Stats::default(), "test").await
}

/// Messages of all sizes over one connection.
async fn check(stand: &Stand, host: &str, transport: Transport) {
    let target = stand.target(host, "/wsman", transport);
    knock(&target, &Stats::default(), "test").await.unwrap();
    let before = stand.server.stats()["hosts"][host]["connections"].as_u64().unwrap();
    let fail = |error: HostError| -> Channel { panic!("{host}: {}", error.failure().text()) };
    let mut channel = open(&target, PASSWORD).await.unwrap_or_else(fail);
    for size in [0, 1, 400_000, 5, 400_000, 0] {
        let mut envelope = wsman::encode_identify().unwrap();
        envelope.extend(std::iter::repeat_n(b' ', size));
        let reply = channel.call("Identify", envelope).await;
        let reply = reply.unwrap_or_else(|error| panic!("{host}: {}", error.failure().text()));
        wsman::decode_identify(&reply).unwrap_or_else(|error| panic!("{host}: {error}"));
    }
    let text = String::from_utf8(wsman::encode_identify().unwrap()).unwrap();
    let fault = channel.call("Nonsense", text.replace("Identify", "Nonsense").into_bytes()).await;
    assert!(String::from_utf8_lossy(&fault.unwrap()).contains("Fault"));
    let after = stand.server.stats()["hosts"][host]["connections"].as_u64().unwrap();
    assert_eq!(after - before, 1, "{host}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ntlm_over_tls_passes_strict_channel_binding() {
    let hosts = [
        ("strict", json!({"epa": "strict"})),
        ("relaxed", json!({"epa": "relaxed"})),
        ("off", json!({"epa": "off"})),
        ("gss", json!({"epa": "relaxed", "ntlm": "gss"})),
        ("chunked", json!({"epa": "strict", "variant": {"chunked": true, "bom": true}})),
    ];
    let Some(stand) = Stand::start(&hosts) else { return };
    for (name, _) in &hosts {
        check(&stand, name, Transport::Ntlm).await;
    }
}

#[tokio::test]
async fn strict_refuses_no_binding_and_everybody_refuses_a_wrong_one() {
    let hosts = [("strict", json!({"epa": "strict"})), ("relaxed", json!({"epa": "relaxed"}))];
    let Some(stand) = Stand::start(&hosts) else { return };
    let right = ntlm::channel_binding(&end_point_binding(stand.identity.der()).unwrap());
    let wrong = ntlm::channel_binding(b"tls-server-end-point:another certificate");
    assert_eq!(stand.bound("strict", Some(right)), 200);
    assert_eq!(stand.bound("strict", None), 401);
    assert_eq!(stand.bound("strict", Some(wrong)), 401);
    assert_eq!(stand.bound("relaxed", Some(right)), 200);
    assert_eq!(stand.bound("relaxed", None), 200);
    assert_eq!(stand.bound("relaxed", Some(wrong)), 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn basic_goes_over_tls_and_over_nothing_else() {
    let hosts = [
        ("basic", json!({"wsman_auth": ["basic"]})),
        ("none", json!({"wsman_auth": ["negotiate"]})),
    ];
    let Some(stand) = Stand::start(&hosts) else { return };
    check(&stand, "basic", Transport::Basic).await;
    let target = |host| stand.target(host, "/wsman", Transport::Basic);
    let denied = open(&target("basic"), "wrong").await;
    assert!(matches!(denied, Err(HostError::Denied { .. })), "{denied:?}");
    let error = open(&target("none"), PASSWORD).await.unwrap_err().to_string();
    assert!(error.contains("an offer of Negotiate"), "{error}");
    let before = stand.server.stats()["hosts"]["basic"].clone();
    let mut clear = target("basic");
    clear.endpoint.scheme = Scheme::Http;
    let error = open(&clear, PASSWORD).await.unwrap_err();
    assert!(matches!(error, HostError::Unsupported(_)), "{error:?}");
    assert_eq!(stand.server.stats()["hosts"]["basic"], before, "something was sent");
}

#[tokio::test]
async fn a_wrong_password_over_tls_is_a_refusal_that_names_channel_binding_too() {
    let Some(stand) = Stand::start(&[("host", json!({"epa": "strict"}))]) else { return };
    let error = open(&stand.target("host", "/wsman", Transport::Ntlm), "wrong").await.unwrap_err();
    assert!(matches!(error, HostError::Denied { .. }), "{error:?}");
    assert!(error.to_string().contains("channel binding"), "{error}");
}

#[tokio::test]
async fn the_exchange_endpoint_answers_over_tls() {
    let exchange = json!({
        "roles": ["exchange"],
        "organisation": "Contoso",
        "epa": "strict",
        "powershell_auth": ["negotiate", "basic"],
    });
    let Some(stand) = Stand::start(&[("EX01", exchange)]) else { return };
    for transport in [Transport::Negotiate, Transport::Basic] {
        let target = stand.target("EX01", "/PowerShell/", transport);
        let channel = open(&target, PASSWORD).await.unwrap();
        let header = Header {
            message_id: String::new(),
            session_id: "uuid:11111111-1111-1111-1111-111111111111".to_owned(),
            to: target.endpoint.url(),
            operation_timeout: target.operation_timeout,
            max_envelope: 153_600,
        };
        let mut last = 0x7000;
        let ids = Box::new(move || {
            last += 1;
            Uuid::from_u128(last)
        });
        let patience = Duration::from_mins(1);
        let (name, shells) = (exchange::CONFIGURATION, LeftShells::default().of(&target));
        let mut shell = PsrpShell::open(channel, name, header, patience, ids, shells)
            .await
            .unwrap_or_else(|error| panic!("{transport:?}: {}", error.failure().text()));
        let seen = exchange::observe(&mut shell, &HostName::new("EX01")).await.unwrap();
        assert_eq!(seen.name, "Contoso");
        shell.close().await;
    }
}
