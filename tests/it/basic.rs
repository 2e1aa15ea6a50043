//! Basic: each message holds the password, so each refusal is one of the account's.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;

use rmsfleet::host::link::Connect as _;
use rmsfleet::host::link::Reader as _;
use rmsfleet::host::link::Target;
use rmsfleet::model::host::Scheme;
use rmsfleet::model::host::Transport;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::registry::KeyPath;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;
use rmsfleet::model::tls::TlsTrust;
use rmsfleet::net::accounts::Accounts;
use rmsfleet::net::connect::Network;
use rmsfleet::net::stats::Stats;
use rmsfleet::wire::operation::Read;

use crate::limits::take_request;

const IDENTITY: &str =
    "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body/></s:Envelope>";

/// A host that takes the first message, and refuses every other: the heads of what it was sent.
fn host() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            while socket.peek(&mut [0]).is_ok_and(|there| there > 0) {
                let head = take_request(&mut socket);
                let mut heads = kept.lock().unwrap();
                let reply = if heads.is_empty() {
                    format!(
                        "HTTP/1.1 200 \r\nContent-Type: application/soap+xml\r\n\
                         Content-Length: {}\r\n\r\n{IDENTITY}",
                        IDENTITY.len()
                    )
                } else {
                    "HTTP/1.1 401 \r\nWWW-Authenticate: Basic realm=\"WSMAN\"\r\n\
                     Content-Length: 0\r\n\r\n"
                        .to_owned()
                };
                heads.push(head);
                drop(heads);
                socket.write_all(reply.as_bytes()).unwrap();
            }
        }
    });
    (port, heads)
}

#[tokio::test]
async fn a_refusal_in_the_middle_is_one_of_the_account_and_not_asked_for_again() {
    let (port, heads) = host();
    let mut accounts = Accounts::default();
    let password = Secret::new("pw".to_owned());
    accounts.insert("default", None, Account { user: "admin".to_owned(), password });
    let network = Network::new(accounts, Stats::default()).unwrap();
    let mut target: Target = crate::tls::target(port, Transport::BasicInClear, TlsTrust::default());
    (target.endpoint.scheme, target.endpoint.address) = (Scheme::Http, "127.0.0.1".to_owned());
    target.credential = "default".to_owned();
    let mut link = network.connect(&target).await.unwrap();
    let read = Read::EnumKeys(KeyPath::new("SOFTWARE"));
    let refused = link.read(&read).await.unwrap_err().failure();
    assert_eq!(refused.kind, FailureKind::Denied, "{}", refused.text());
    assert_eq!(heads.lock().unwrap().len(), 2);
    for _ in 0..3 {
        assert!(link.read(&read).await.is_err());
        let again = network.connect(&target).await.map(drop).unwrap_err().failure();
        assert_eq!(again.kind, FailureKind::Denied, "{}", again.text());
    }
    let heads = heads.lock().unwrap();
    assert!(heads.iter().all(|head| head.contains("authorization: basic ")));
    assert_eq!(heads.len(), 2);
}
