//! The channel over TLS against a server on loopback: which certificates are taken, what is said of
//! the others, and that nothing reaches a host that is not believed.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rmsfleet::host::link::HostError;
use rmsfleet::host::link::Target;
use rmsfleet::model::host::Endpoint;
use rmsfleet::model::host::HostName;
use rmsfleet::model::host::Scheme;
use rmsfleet::model::host::Spn;
use rmsfleet::model::host::Transport;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;
use rmsfleet::model::tls::Thumbprint;
use rmsfleet::model::tls::TlsTrust;
use rmsfleet::net::accounts::Login;
use rmsfleet::net::channel::Channel;
use rmsfleet::net::channel::SoapCall as _;
use rmsfleet::net::guard::AccountGuard;
use rmsfleet::net::stats::Stats;
use rmsfleet::wire::certificate::end_point_binding;
use rmsfleet::wire::multipart;
use rmsfleet::wire::ntlm::channel_binding;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;
use rustls::version::TLS12;
use rustls::version::TLS13;
use sha1::Sha1;
use sha2::Digest as _;
use sha2::Sha256;

use crate::certificates::Authority;
use crate::certificates::Identity;
use crate::shared;

pub(crate) const SOAP: &str = "application/soap+xml;charset=UTF-8";
pub(crate) const NOW: (i32, i32) = (2020, 2099);

/// What the host makes of a connection.
pub(crate) enum Manner {
    /// TLS; answers requests with these types and bodies, then closes without a word.
    Tls(Arc<ServerConfig>, Vec<(u16, &'static str, &'static str)>),
    /// Sends these bytes at once, whatever it gets.
    Bytes(&'static [u8]),
}

/// What one connection after the other sent in clear, until one says that the test is over.
pub(crate) fn host(manner: Manner) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut heard = Vec::new();
        loop {
            let (mut socket, _) = listener.accept().unwrap();
            let mut first = [0; 3];
            if socket.peek(&mut first).is_ok() && &first == b"END" {
                return heard;
            }
            let mut text = String::new();
            match &manner {
                Manner::Tls(config, replies) => {
                    let session = ServerConnection::new(Arc::clone(config)).unwrap();
                    let mut stream = StreamOwned::new(session, socket);
                    drop(serve(&mut stream, replies, &mut text));
                }
                Manner::Bytes(bytes) => {
                    socket.write_all(bytes).unwrap();
                    drop(socket.read(&mut [0; 4096]));
                }
            }
            heard.push(text);
        }
    });
    (port, thread)
}

fn serve(
    stream: &mut (impl Read + Write),
    replies: &[(u16, &str, &str)],
    text: &mut String,
) -> std::io::Result<()> {
    for (status, kind, body) in replies {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        text.push_str(&head);
        let mut length = head.lines().filter_map(|line| {
            line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
        });
        let mut envelope = vec![0; length.next().unwrap()];
        stream.read_exact(&mut envelope)?;
        let length = body.len();
        let type_ = format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n");
        let offer =
            if *status == 401 { format!("WWW-Authenticate: {body}\r\n") } else { String::new() };
        stream.write_all(format!("HTTP/1.1 {status} \r\n{type_}{offer}\r\n{body}").as_bytes())?;
        stream.flush()?;
    }
    Ok(())
}

pub(crate) fn target(port: u16, transport: Transport, tls: TlsTrust) -> Target {
    Target {
        host: HostName::new("FS01"),
        endpoint: Endpoint {
            scheme: Scheme::Https,
            address: "localhost".to_owned(),
            port,
            path: "/wsman".to_owned(),
            transport,
            tls,
            spn: Spn::default(),
            client: None,
        },
        credential: "default".to_owned(),
        user: None,
        connect_timeout: Duration::from_secs(10),
        operation_timeout: Duration::from_secs(20),
    }
}

/// Logs on by Basic and makes the calls; what came, and what the host heard on each connection.
async fn talk(manner: Manner, tls: TlsTrust, calls: usize) -> (Vec<String>, Vec<String>) {
    let (port, thread) = host(manner);
    let target = target(port, Transport::Basic, tls);
    let password = Secret::new("pw".to_owned());
    let login = Arc::new(Login::from(Account { user: "admin".to_owned(), password }));
    let guard = AccountGuard::default();
    let words = |error: &HostError| error.failure().text();
    let mut got = Vec::new();
    match Channel::open(&target, &login, &guard, &Stats::default(), "test").await {
        Ok(mut channel) => {
            for _ in 0..calls {
                let reply = channel.call("Call", b"<envelope/>".to_vec()).await;
                got.push(match reply {
                    Ok(bytes) => String::from_utf8(bytes).unwrap(),
                    Err(error) => words(&error),
                });
            }
        }
        Err(error) => got.push(words(&error)),
    }
    (got, ended(port, thread).await)
}

/// Tells a host of a script that the test is over; what it gives. Waits beside the runtime, because
/// the host waits for connections to end, and those end in tasks of their own.
pub(crate) async fn ended<T: Send + 'static>(port: u16, thread: JoinHandle<T>) -> T {
    TcpStream::connect(("127.0.0.1", port)).unwrap().write_all(b"END").unwrap();
    tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap()
}

/// A server with this certificate that answers two requests.
fn polite(identity: &Identity) -> Manner {
    let config = identity.server(&identity.key, &[&TLS13, &TLS12]);
    Manner::Tls(config, vec![(200, SOAP, "<identified/>"), (200, SOAP, "<answer/>")])
}

/// The certificate is taken.
#[track_caller]
fn taken((got, heard): (Vec<String>, Vec<String>)) {
    assert_eq!(got, ["<answer/>"]);
    assert_eq!(heard.len(), 1, "more than one connection");
    assert_eq!(heard[0].matches("authorization: Basic YWRtaW46cHc=").count(), 2, "{heard:?}");
}

/// The connection is given up with these words, and nothing was said to the host.
#[track_caller]
fn refused((got, heard): (Vec<String>, Vec<String>), words: &[&str]) {
    assert_eq!(got.len(), 1);
    for words in words {
        assert!(got[0].contains(words), "expected `{words}` in `{}`", got[0]);
    }
    assert_eq!(heard, [""], "said before the host was believed, or said twice");
}

fn sha256(identity: &Identity) -> TlsTrust {
    TlsTrust::Pin(Thumbprint::Sha256(Sha256::digest(identity.der()).into()))
}

#[tokio::test]
async fn a_private_authority_is_trusted_by_its_file_in_both_versions_of_tls() {
    let authority = Authority::new();
    let server = authority.issue("localhost", NOW);
    for version in [&TLS12, &TLS13] {
        let replies = vec![(200, SOAP, "<identified/>"), (200, SOAP, "<answer/>")];
        let manner = Manner::Tls(server.server(&server.key, &[version]), replies);
        taken(talk(manner, TlsTrust::CaFile(authority.file()), 1).await);
    }
}

#[tokio::test]
async fn a_pin_and_ignore_need_no_authority_and_no_name() {
    let server = Authority::new().issue("elsewhere.test", (2001, 2002));
    taken(talk(polite(&server), sha256(&server), 1).await);
    let sha1 = TlsTrust::Pin(Thumbprint::Sha1(Sha1::digest(server.der()).into()));
    taken(talk(polite(&server), sha1, 1).await);
    taken(talk(polite(&server), TlsTrust::Ignore, 1).await);
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_with_what_to_do() {
    let authority = Authority::new();
    let file = || TlsTrust::CaFile(authority.file());
    let good = authority.issue("localhost", NOW);
    let answer = talk(polite(&good), TlsTrust::System, 1).await;
    if answer.0[0].contains("cannot be loaded from the operating system") {
        shared::skip("this machine trusts no authority at all");
    } else {
        refused(answer, &["not trusted here", "rms_ca_file", "rms_tls_pin"]);
    }
    let expired = authority.issue("localhost", (2001, 2002));
    refused(talk(polite(&expired), file(), 1).await, &["has expired"]);
    let early = authority.issue("localhost", (2098, 2099));
    refused(talk(polite(&early), file(), 1).await, &["not valid yet", "clocks"]);
    let other = authority.issue("ex01.corp.test", NOW);
    let words = ["is for ex01.corp.test, not for localhost", "ansible_host"];
    refused(talk(polite(&other), file(), 1).await, &words);
    let TlsTrust::Pin(shown) = sha256(&good) else { unreachable!() };
    let words = [format!("thumbprint is {shown}, and "), "correct `rms_tls_pin`".to_owned()];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    refused(talk(polite(&good), sha256(&other), 1).await, &words);
}

/// Certificates are public: showing the pinned one proves nothing without its key.
#[tokio::test]
async fn a_host_without_the_certificates_key_is_never_believed() {
    let server = Authority::new().issue("localhost", NOW);
    let thief = Authority::new().issue("localhost", NOW);
    for version in [&TLS12, &TLS13] {
        for trust in [sha256(&server), TlsTrust::Ignore] {
            let config = server.server(&thief.key, &[version]);
            let manner = Manner::Tls(config, vec![(200, SOAP, "<identified/>")]);
            refused(talk(manner, trust, 1).await, &["signed with another key"]);
        }
    }
}

#[tokio::test]
async fn a_port_that_is_not_ours_is_said_in_words() {
    let manner = Manner::Bytes(b"HTTP/1.1 400 \r\nContent-Length: 0\r\n\r\n");
    let words = ["does not speak TLS on this port", "ansible_port: 5985"];
    refused(talk(manner, TlsTrust::Ignore, 1).await, &words);
    // The alerts protocol_version and handshake_failure, as servers of another age send them.
    for alert in [&[0x15, 3, 1, 0, 2, 2, 70], &[0x15, 3, 3, 0, 2, 2, 40]] {
        let words = ["neither TLS 1.2", "TLS 1.3", "port 5985"];
        refused(talk(Manner::Bytes(alert), TlsTrust::Ignore, 1).await, &words);
    }
}

#[tokio::test]
async fn http_on_a_port_of_https_is_said_in_words() {
    let server = Authority::new().issue("localhost", NOW);
    let (port, thread) = host(polite(&server));
    let mut target = target(port, Transport::Ntlm, TlsTrust::System);
    target.endpoint.scheme = Scheme::Http;
    let account = Account { user: "admin".to_owned(), password: Secret::new("pw".to_owned()) };
    let (guard, stats) = (AccountGuard::default(), Stats::default());
    let error = Channel::open(&target, &Arc::new(Login::from(account)), &guard, &stats, "test")
        .await
        .unwrap_err();
    let text = error.failure().text();
    assert!(text.contains("does not answer in HTTP on this port"), "{text}");
    assert_eq!(ended(port, thread).await, [""]);
}

#[tokio::test]
async fn a_file_of_authorities_that_is_none_stops_before_anything_is_sent() {
    let check = async |file: String, words: &str| {
        let target = target(9, Transport::Basic, TlsTrust::CaFile(file));
        let account = Account { user: "admin".to_owned(), password: Secret::new("pw".to_owned()) };
        let (guard, stats) = (AccountGuard::default(), Stats::default());
        let error = Channel::open(&target, &Arc::new(Login::from(account)), &guard, &stats, "test")
            .await
            .unwrap_err();
        assert!(matches!(error, HostError::Unsupported(_)), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem").display().to_string();
    check(file.clone(), "cannot be read; correct `rms_ca_file`").await;
    std::fs::write(&file, "certificate").unwrap();
    check(file.clone(), "holds no certificate").await;
    std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n").unwrap();
    check(file.clone(), "holds what is no certificate").await;
    std::fs::write(&file, [0x30, 0]).unwrap();
    check(file, "trusted authorities cannot be loaded").await;
}

/// Basic: what is a refusal of the password, and what is not.
#[tokio::test]
async fn a_refused_basic_logon_says_whether_the_password_was_looked_at() {
    let server = Authority::new().issue("localhost", NOW);
    let check = async |reply: (u16, &'static str, &'static str), words: &str| {
        let manner = Manner::Tls(server.server(&server.key, &[&TLS13]), vec![reply]);
        let (got, heard) = talk(manner, TlsTrust::Ignore, 1).await;
        assert!(got[0].contains(words), "expected `{words}` in `{}`", got[0]);
        assert_eq!(heard.len(), 1);
    };
    check((401, "", "Basic realm=\"WSMAN\""), "Basic takes local ones only").await;
    check((401, "", "Negotiate"), "an offer of Negotiate; set `ansible_winrm_transport: ntlm`")
        .await;
    check((404, "text/html", ""), "nothing at this path").await;
}

#[tokio::test]
async fn over_tls_replies_come_in_clear_and_the_connection_stays_one() {
    let server = Authority::new().issue("localhost", NOW);
    let config = || server.server(&server.key, &[&TLS13]);
    let identified = (200, SOAP, "<identified/>");
    let replies = vec![identified, (500, SOAP, "<fault/>"), (200, SOAP, "<answer/>")];
    let (got, heard) = talk(Manner::Tls(config(), replies), TlsTrust::Ignore, 2).await;
    assert_eq!(got, ["<fault/>", "<answer/>"]);
    assert_eq!(heard.len(), 1);
    let sealed = vec![identified, (200, multipart::CONTENT_TYPE, "sealed")];
    let (got, _) = talk(Manner::Tls(config(), sealed), TlsTrust::Ignore, 1).await;
    assert!(got[0].contains("from WS-Management, host sent HTTP 200"), "{got:?}");
}

#[test]
fn recorded_certificates_give_the_recorded_channel_bindings() {
    let Some(folder) = shared::captures("ntlm") else { return };
    let text = std::fs::read(folder.join("cbt_certificates.json")).unwrap();
    let all: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
    assert_eq!(all.len(), 10);
    let hex =
        |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    for one in all {
        let field = |name: &str| one[name].as_str().unwrap().to_lowercase();
        let der = BASE64_STANDARD.decode(one["cert_der_base64"].as_str().unwrap()).unwrap();
        let Some(data) = end_point_binding(&der) else {
            assert_eq!(field("name"), "test_invalid_signature_algorithm");
            continue;
        };
        let hash = data.strip_prefix(b"tls-server-end-point:").unwrap();
        assert_eq!(hex(hash), field("expected_hash"), "{}", field("name"));
        let binding = hex(&channel_binding(&data));
        assert_eq!(binding, field("ntlm_channel_binding_md5"), "{}", field("name"));
    }
}
