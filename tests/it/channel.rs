//! The channel against a scripted host on loopback: what it makes of a host that misbehaves.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

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
use rmsfleet::net::stats::Stats;
use rmsfleet::wire::multipart;
use rmsfleet::wire::ntlm::FileTime;
use rmsfleet::wire::ntlm::acceptor;
use rmsfleet::wire::session;
use rmsfleet::wire::session::Session;

use crate::tls::ended;

/// What the host does with a sealed request.
enum Act {
    /// Sends the request's envelope back, sealed, with this status.
    Echo(u16),
    /// As that, with a cookie; from then on every request must bring it along.
    Lead,
    /// Sends a body in clear.
    Clear(u16, &'static str, &'static str),
    /// Closes the connection after reading the request.
    Close,
    /// Closes the connection while nothing is under way, tells the test, and lets the client log on
    /// to a new one.
    Drop(Sender<()>),
}

/// A host that logs one connection on and then follows its script; at the script's end it closes
/// the connection without a word. Its thread tells how many more connections were tried.
fn host(script: Vec<Act>) -> (Target, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut cookie = "";
        let mut session = log_on(&mut socket, cookie);
        for act in script {
            if let Act::Drop(told) = act {
                drop(socket);
                told.send(()).unwrap();
                socket = listener.accept().unwrap().0;
                session = log_on(&mut socket, cookie);
                continue;
            }
            let (head, body) = request(&mut socket);
            assert!(head.to_lowercase().contains(cookie), "{head}");
            let envelope = session.unseal(&body).unwrap();
            match act {
                Act::Echo(status) => {
                    let sealed = session.seal(&envelope).unwrap();
                    reply(&mut socket, status, multipart::CONTENT_TYPE, &sealed);
                }
                Act::Lead => {
                    let sealed = session.seal(&envelope).unwrap();
                    let kind = format!(
                        "{}\r\nSet-Cookie: MS-WSMAN=a1; path=/wsman",
                        multipart::CONTENT_TYPE
                    );
                    reply(&mut socket, 200, &kind, &sealed);
                    cookie = "\ncookie: ms-wsman=a1\r";
                }
                Act::Clear(status, kind, body) => reply(&mut socket, status, kind, body.as_bytes()),
                Act::Close => break,
                Act::Drop(_) => unreachable!("before the request"),
            }
        }
        drop(socket);
        // Until the test is over: its last act is one connection that says so.
        let mut more = 0;
        loop {
            let (mut socket, _) = listener.accept().unwrap();
            let mut word = [0; 3];
            if socket.read_exact(&mut word).is_ok() && &word == b"END" {
                return more;
            }
            more += 1;
        }
    });
    let target = Target {
        host: HostName::new("FS01"),
        endpoint: Endpoint {
            scheme: Scheme::Http,
            address: "127.0.0.1".to_owned(),
            port,
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
    };
    (target, thread)
}

fn log_on(socket: &mut TcpStream, cookie: &str) -> Session {
    let names = acceptor::Names {
        netbios_domain: "LAB".to_owned(),
        netbios_computer: "FS01".to_owned(),
        dns_domain: "lab.test".to_owned(),
        dns_computer: "fs01.lab.test".to_owned(),
    };
    let (head, body) = request(socket);
    assert!(head.to_lowercase().contains(cookie), "{head}");
    assert!(body.is_empty() && head.to_lowercase().contains("content-length: 0"), "{head}");
    let (challenge, server) =
        acceptor::challenge(&token(&head), &names, [7; 8], FileTime(1 << 57)).unwrap();
    let header = format!("WWW-Authenticate: {}\r\n", session::authorization(challenge.as_bytes()));
    write(socket, 401, &header, b"");
    let (head, body) = request(socket);
    assert!(body.is_empty());
    let password = Secret::new("pw".to_owned());
    let accepted = server.verify(&token(&head), |_, _| Some(password)).unwrap();
    write(socket, 200, "", b"");
    Session::new(accepted.keys.unwrap())
}

fn token(head: &str) -> Vec<u8> {
    let line = head.lines().find(|line| line.to_lowercase().starts_with("authorization:"));
    session::token(line.unwrap().split_once(':').unwrap().1).unwrap()
}

fn request(socket: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap();
    let mut body = vec![0; length];
    socket.read_exact(&mut body).unwrap();
    (head, body)
}

fn reply(socket: &mut TcpStream, status: u16, kind: &str, body: &[u8]) {
    write(socket, status, &format!("Content-Type: {kind}\r\n"), body);
}

/// With an empty reason phrase, as http.sys writes it.
fn write(socket: &mut TcpStream, status: u16, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status} \r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    socket.write_all(&[head.as_bytes(), body].concat()).unwrap();
}

/// Makes as many calls as there are expectations; there is no second connection.
async fn check(script: Vec<Act>, expected: &[&str]) {
    let more = check_more(script, expected).await;
    assert_eq!(more, 0, "a second connection was opened");
}

/// As `check`; gives how many more connections were tried.
async fn check_more(script: Vec<Act>, expected: &[&str]) -> usize {
    let (target, thread) = host(script);
    let password = Secret::new("pw".to_owned());
    let account = Arc::new(Login::from(Account { user: r"LAB\u".to_owned(), password }));
    let (guard, stats) = (AccountGuard::default(), Stats::default());
    let mut channel = Channel::open(&target, &account, &guard, &stats, "test").await.unwrap();
    for expected in expected {
        let got = match channel.call("Call", b"<envelope/>".to_vec()).await {
            Ok(bytes) => String::from_utf8(bytes).unwrap(),
            Err(HostError::Lost { .. }) => "lost".to_owned(),
            Err(HostError::NotConnected { .. }) => "not connected".to_owned(),
            Err(error) => error.to_string(),
        };
        let fits = expected.split(" or ").any(|text| got.contains(text));
        assert!(fits, "expected {expected}, got {got}");
    }
    drop(channel);
    ended(target.endpoint.port, thread).await
}

const SOAP: &str = "application/soap+xml;charset=UTF-8";

#[tokio::test]
async fn faults_are_replies_and_the_connection_goes_on() {
    check(vec![Act::Echo(200), Act::Lead, Act::Echo(500), Act::Echo(200)], &["<envelope/>"; 4])
        .await;
}

#[tokio::test]
async fn a_reply_in_clear_ends_the_channel() {
    let refused = "is not encrypted, though the connection is";
    check(vec![Act::Clear(200, SOAP, "<s:Envelope/>")], &[refused, "not connected"]).await;
    check(vec![Act::Clear(500, SOAP, "<s:Envelope/>")], &[refused, "not connected"]).await;
    check(vec![Act::Clear(500, "text/html", "")], &["AllowUnencrypted", "not connected"]).await;
    check(vec![Act::Clear(401, "text/html", "")], &["lost", "not connected"]).await;
    check(vec![Act::Clear(503, "text/html", "")], &["WinRM is not ready", "not connected"]).await;
}

#[tokio::test]
async fn a_connection_closed_before_the_answer_is_lost() {
    check(vec![Act::Echo(200), Act::Close], &["<envelope/>", "lost", "not connected"]).await;
}

/// As http.sys does after two minutes without a request; a load balancer's cookie goes along.
#[tokio::test]
async fn a_connection_dropped_while_idle_is_replaced_with_its_context() {
    let (told, dropped) = std::sync::mpsc::channel();
    let (target, thread) = host(vec![Act::Lead, Act::Drop(told), Act::Echo(200)]);
    let password = Secret::new("pw".to_owned());
    let account = Arc::new(Login::from(Account { user: r"LAB\u".to_owned(), password }));
    let (guard, stats) = (AccountGuard::default(), Stats::default());
    let mut channel = Channel::open(&target, &account, &guard, &stats, "test").await.unwrap();
    channel.call("Call", b"<one/>".to_vec()).await.unwrap();
    tokio::task::spawn_blocking(move || dropped.recv().unwrap()).await.unwrap();
    // The end of the connection is read by a task of its own.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let reply = channel.call("Call", b"<two/>".to_vec()).await.unwrap();
    assert_eq!(reply, b"<two/>");
    let logons: u64 = stats.snapshot().values().map(|counters| counters.logons).sum();
    assert_eq!(logons, 2);
    drop(channel);
    assert_eq!(ended(target.endpoint.port, thread).await, 0);
}

/// The gate: a pool alone would send the second request on a new connection, without a logon.
#[tokio::test]
async fn a_connection_closed_while_idle_is_never_replaced_without_a_logon() {
    // Whether the request was on its way when the connection closed is a race, so either will do.
    for _ in 0..3 {
        check_more(
            vec![Act::Echo(200)],
            &["<envelope/>", "lost or not connected", "not connected"],
        )
        .await;
    }
}
