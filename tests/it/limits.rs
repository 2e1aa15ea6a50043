//! Hosts that keep one waiting: mute ones, ones that drip, and ones that ask everybody to log on.
//!
//! The clock stands still once the host has the request, and jumps to whatever is waited for.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::channel;

use rmsfleet::host::doctor::Bedside as _;
use rmsfleet::host::doctor::Words;
use rmsfleet::host::link::Connect as _;
use rmsfleet::host::link::HostError;
use rmsfleet::host::link::Knock;
use rmsfleet::host::link::Target;
use rmsfleet::model::host::Scheme;
use rmsfleet::model::host::Transport;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;
use rmsfleet::model::tls::TlsTrust;
use rmsfleet::net::accounts::Accounts;
use rmsfleet::net::accounts::Login;
use rmsfleet::net::channel::Channel;
use rmsfleet::net::connect::Network;
use rmsfleet::net::guard::AccountGuard;
use rmsfleet::net::stats::Stats;

/// Runs `ask` against a host that takes one request, says `reply`, and then keeps the connection
/// open without a word. Virtual time begins when the reply is out.
async fn against<T: Send + 'static>(reply: &'static str, ask: impl AsyncFnOnce(Target) -> T) -> T {
    heard(reply, ask).await.0
}

/// The same, with the head of the request.
async fn heard<T: Send + 'static>(
    reply: &'static str,
    ask: impl AsyncFnOnce(Target) -> T,
) -> (T, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, said) = channel();
    let (end, ended) = channel::<()>();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let head = take_request(&mut socket);
        socket.write_all(reply.as_bytes()).unwrap();
        told.send(()).unwrap();
        let _ = ended.recv();
        head
    });
    let mut target = crate::tls::target(port, Transport::Ntlm, TlsTrust::default());
    (target.endpoint.scheme, target.endpoint.address) = (Scheme::Http, "127.0.0.1".to_owned());
    let stop = async {
        tokio::task::spawn_blocking(move || said.recv().unwrap()).await.unwrap();
        // What the host said is read before time goes on.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
    };
    let (answer, ()) = tokio::join!(ask(target), stop);
    tokio::time::resume();
    drop(end);
    (answer, thread.join().unwrap())
}

/// Its head, in small letters.
pub(crate) fn take_request(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(0, |length| length.trim().parse().unwrap());
    socket.read_exact(&mut vec![0; length]).unwrap();
    head
}

fn network() -> Network {
    Network::new(Accounts::default(), Stats::default()).unwrap()
}

#[tokio::test]
async fn a_mute_host_is_told_from_one_that_is_away() {
    let knock = async |target: Target| network().knock(&target).await.unwrap();
    assert_eq!(against("", knock).await, Knock::Silent);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let away = crate::tls::target(port, Transport::Ntlm, TlsTrust::default());
    let error = network().knock(&away).await.unwrap_err();
    assert!(matches!(error, HostError::NotConnected { .. }), "{error}");
}

#[tokio::test]
async fn a_host_that_wants_a_logon_even_for_identify_answers() {
    let reply = "HTTP/1.1 401 \r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n";
    let knock = async |target: Target| network().knock(&target).await.unwrap();
    assert_eq!(against(reply, knock).await, Knock::Answered);
    let greet = async |target: Target| network().greet(&target).await.unwrap().words;
    assert!(matches!(against(reply, greet).await, Words::Status(401)));
}

#[tokio::test]
async fn doctor_is_told_of_silence_and_goes_on() {
    let greet = async |target: Target| network().greet(&target).await.unwrap().words;
    assert!(matches!(against("", greet).await, Words::Silence));
}

/// openwsman's words for a good end, and a status line without any.
#[tokio::test]
async fn a_reason_that_is_odd_or_missing_is_none_of_our_business() {
    const BODY: &str = "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' \
        xmlns:i='http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd'><s:Body>\
        <i:IdentifyResponse><i:ProductVendor>V</i:ProductVendor><i:ProductVersion>1\
        </i:ProductVersion></i:IdentifyResponse></s:Body></s:Envelope>";
    for line in ["HTTP/1.1 200 (null)", "HTTP/1.1 200 ", "HTTP/1.1 200"] {
        let length = BODY.len();
        let reply = format!(
            "{line}\r\nContent-Type: application/soap+xml\r\nContent-Length: {length}\r\n\r\n{BODY}"
        );
        let greet = async |target: Target| network().greet(&target).await.unwrap().words;
        let words = against(reply.leak(), greet).await;
        assert!(matches!(words, Words::Identified { .. }), "{line}: {words:?}");
    }
}

async fn log_on(target: Target) -> String {
    let password = Secret::new("pw".to_owned());
    let login = Arc::new(Login::from(Account { user: r"LAB\u".to_owned(), password }));
    let (guard, stats) = (AccountGuard::default(), Stats::default());
    match Channel::open(&target, &login, &guard, &stats, "test").await {
        Ok(_) => "logged on".to_owned(),
        Err(error) => error.failure().text(),
    }
}

/// With Basic the first message holds the password, and nobody knows whether silence has judged it.
#[tokio::test]
async fn a_host_that_may_be_starting_gets_no_password_before_it_says_something() {
    let ask = async |mut target: Target| {
        target.endpoint.transport = Transport::BasicInClear;
        let mut accounts = Accounts::default();
        let password = Secret::new("pw".to_owned());
        accounts.insert("default", None, Account { user: "admin".to_owned(), password });
        target.credential = "default".to_owned();
        let network = Network::new(accounts, Stats::default()).unwrap();
        network.restarting().connect(&target).await.map(drop).unwrap_err().failure().text()
    };
    let (told, head) = heard("", ask).await;
    assert!(told.ends_with("no answer has begun within 20 seconds"), "{told}");
    assert!(!head.contains("authorization"), "{head}");
}

/// An operation may take 20 seconds on the host, its head ten more and the connection ten.
#[tokio::test]
async fn a_logon_has_a_limit_for_the_head_and_one_for_the_whole_reply() {
    let mute = against("", log_on).await;
    assert!(mute.ends_with("no answer has begun within 40 seconds"), "{mute}");
    let drip = "HTTP/1.1 401 \r\nContent-Length: 10\r\n\r\n1";
    let drips = against(drip, log_on).await;
    assert!(drips.ends_with("no answer has ended within 100 seconds"), "{drips}");
}
