//! The lab's HTTP on real sockets: what it does with bodies and connections that are not in order.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rmsfleet::lab::accounts::Accounts;
use rmsfleet::lab::edge::Edge;
use rmsfleet::lab::faults::FaultSet;
use rmsfleet::lab::power::Timing;
use rmsfleet::lab::serve::Farm;
use rmsfleet::lab::tour;
use rmsfleet::model::host::HostName;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;
use rmsfleet::wire::multipart;
use rmsfleet::wire::multipart::Indent;
use rmsfleet::wire::multipart::Sealed;
use rmsfleet::wire::namespace;
use rmsfleet::wire::ntlm;
use rmsfleet::wire::ntlm::Entropy;
use rmsfleet::wire::ntlm::FileTime;
use rmsfleet::wire::ntlm::Seal;
use rmsfleet::wire::ntlm::Service;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const SOAP: &str = "application/soap+xml;charset=UTF-8";

fn account(password: &str) -> Account {
    Account { user: r"CONTOSO\rms".to_owned(), password: Secret::new(password.to_owned()) }
}

async fn farm() -> (Farm, SocketAddr) {
    let edge = Edge::new(|| Timestamp::from_second(1_700_000_000).unwrap(), |bytes| bytes.fill(7));
    let none = FaultSet::default();
    let accounts = Accounts::new(account("right"));
    let farm = Farm::start(tour::hosts(), accounts, &none, Timing::tour(), edge).await.unwrap();
    let address = farm.addresses()[&HostName::new("FS01.corp.contoso.com")];
    (farm, address)
}

fn identify() -> Vec<u8> {
    let (soap, space) = (namespace::SOAP, namespace::IDENTIFY);
    format!(
        "<s:Envelope xmlns:s='{soap}'><s:Body><i:Identify xmlns:i='{space}'/></s:Body></s:Envelope>"
    )
    .into_bytes()
}

/// A client that says exactly what the test wants.
struct Client {
    stream: TcpStream,
    seal: Option<Seal>,
}

struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn all(&self, name: &str) -> Vec<&str> {
        let own = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        own.map(|(_, value)| value.as_str()).collect()
    }

    fn closes(&self) -> bool {
        self.all("Connection") == ["close"]
    }
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), seal: None }
    }

    async fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut text =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        text.push_str("\r\n");
        self.stream.write_all(&[text.as_bytes(), body].concat()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let lengths: BTreeMap<String, &String> =
            headers.iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
        let length = lengths.get("content-length").map_or(0, |value| value.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        Reply { status, headers, body }
    }

    async fn log_on(&mut self, password: &str) -> u16 {
        let (token, state) = ntlm::start();
        let authorization = |token: &[u8]| format!("Negotiate {}", STANDARD.encode(token));
        let first = authorization(token.as_bytes());
        let reply = self.post("/wsman", &[("Authorization", &first)], b"").await;
        assert_eq!(reply.status, 401);
        let challenge = reply.all("WWW-Authenticate")[0].strip_prefix("Negotiate ").unwrap();
        let challenge = STANDARD.decode(challenge).unwrap();
        let service = Service { name: "HTTP/x", channel_binding: None };
        let entropy = Entropy { client_challenge: [1; 8], session_key: [2; 16].into() };
        let (token, keys) =
            state.answer(&challenge, &account(password), &service, entropy, FileTime(0)).unwrap();
        let second = authorization(token.as_bytes());
        let reply = self.post("/wsman", &[("Authorization", &second)], b"").await;
        self.seal = (reply.status == 200).then(|| Seal::new(keys));
        reply.status
    }

    fn sealed(&mut self, plain: &[u8]) -> Vec<u8> {
        let (signature, cipher) = self.seal.as_mut().unwrap().seal(plain).unwrap();
        multipart::render(Sealed { signature: &signature, cipher: &cipher }, Indent::Tab)
    }

    async fn post_sealed(&mut self, body: &[u8]) -> Reply {
        self.post("/wsman?PSVersion=5.1", &[("Content-Type", multipart::CONTENT_TYPE)], body).await
    }
}

#[tokio::test]
async fn a_sealed_request_gets_a_sealed_reply() {
    let (farm, address) = farm().await;
    let mut client = Client::connect(address).await;
    assert_eq!(client.log_on("right").await, 200);
    let body = client.sealed(&identify());
    let reply = client.post_sealed(&body).await;
    assert_eq!(reply.status, 200);
    let sealed = multipart::parse(&reply.body).unwrap();
    let plain = client.seal.as_mut().unwrap().unseal(sealed.signature, sealed.cipher).unwrap();
    assert!(String::from_utf8(plain).unwrap().contains("OS: 10.0.14393"));
    let stats = farm.stats();
    let host = &stats.hosts[&HostName::new("FS01.corp.contoso.com")];
    assert_eq!((host.logons, host.failed_logons, host.requests, host.connections), (1, 0, 1, 1));
    assert_eq!(stats.busy_peak, 1);
}

#[tokio::test]
async fn a_wrong_password_gets_the_schemes_again() {
    let (farm, address) = farm().await;
    let mut client = Client::connect(address).await;
    assert_eq!(client.log_on("wrong").await, 401);
    let reply = client.post("/wsman", &[("Content-Type", SOAP)], &identify()).await;
    assert_eq!((reply.status, reply.closes()), (401, false));
    assert_eq!(reply.all("WWW-Authenticate"), ["Negotiate", "Kerberos"]);
    assert_eq!(farm.stats().sum(|host| host.failed_logons), 1);
}

#[tokio::test]
async fn a_body_in_clear_after_the_logon_gets_500_and_no_soap() {
    let (_farm, address) = farm().await;
    let mut client = Client::connect(address).await;
    client.log_on("right").await;
    let reply = client.post("/wsman", &[("Content-Type", SOAP)], &identify()).await;
    assert_eq!((reply.status, reply.body.len()), (500, 0));
}

#[tokio::test]
async fn a_sealed_body_on_a_new_connection_gets_401_and_the_end() {
    let (_farm, address) = farm().await;
    let mut known = Client::connect(address).await;
    known.log_on("right").await;
    let body = known.sealed(&identify());
    let mut new = Client::connect(address).await;
    let reply = new.post_sealed(&body).await;
    assert_eq!((reply.status, reply.closes()), (401, true));
}

#[tokio::test]
async fn messages_out_of_order_get_400_and_the_end() {
    let (_farm, address) = farm().await;
    let mut client = Client::connect(address).await;
    client.log_on("right").await;
    client.sealed(&identify());
    let second = client.sealed(&identify());
    let reply = client.post_sealed(&second).await;
    assert_eq!((reply.status, reply.closes()), (400, true));
}

#[tokio::test]
async fn a_message_that_was_altered_gets_400_and_the_end() {
    let (_farm, address) = farm().await;
    let mut client = Client::connect(address).await;
    client.log_on("right").await;
    let mut body = client.sealed(&identify());
    let place = body.len() - 40;
    body[place] ^= 1;
    let reply = client.post_sealed(&body).await;
    assert_eq!((reply.status, reply.closes()), (400, true));
}

#[tokio::test]
async fn an_anonymous_identify_tells_no_version() {
    let (farm, address) = farm().await;
    let mut client = Client::connect(address).await;
    let wish = [("Content-Type", SOAP), ("WSMANIDENTIFY", "unauthenticated")];
    let reply = client.post("/WSMAN/", &wish, &identify()).await;
    assert_eq!(reply.status, 200);
    assert!(String::from_utf8(reply.body).unwrap().contains("OS: 0.0.0 SP"));
    assert_eq!(farm.stats().sum(|host| host.knocks), 1);
    assert_eq!(farm.stats().sum(|host| host.requests), 0);
}

#[tokio::test]
async fn paths_types_and_sizes_are_judged() {
    let (farm, address) = farm().await;
    let exchange = farm.addresses()[&HostName::new("EX02.corp.contoso.com")];
    for (address, path, kind, size, expected) in [
        (address, "/wsman", SOAP, 10, 401),
        (address, "/other", SOAP, 10, 404),
        (address, "/PowerShell", SOAP, 10, 404),
        (exchange, "/powershell/?serializationLevel=Full", SOAP, 10, 401),
        (address, "/wsman", "text/xml", 10, 415),
        (address, "/wsman", SOAP, 600_000, 413),
    ] {
        let mut client = Client::connect(address).await;
        let reply = client.post(path, &[("Content-Type", kind)], &vec![b'x'; size]).await;
        assert_eq!(reply.status, expected, "{path} {kind} {size}");
    }
}

/// A farm whose clock the test turns.
async fn farm_with_clock() -> (Farm, SocketAddr, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(1_700_000_000_000));
    let shown = clock.clone();
    let now = move || Timestamp::from_millisecond(shown.load(Ordering::SeqCst)).unwrap();
    let edge = Edge::new(now, |bytes| bytes.fill(7));
    let none = FaultSet::default();
    let accounts = Accounts::new(account("right"));
    let farm = Farm::start(tour::hosts(), accounts, &none, Timing::tour(), edge).await.unwrap();
    let address = farm.addresses()[&HostName::new("FS01.corp.contoso.com")];
    (farm, address, clock)
}

/// Turns the clock, and lets the host notice.
async fn turn(farm: &Farm, clock: &AtomicI64, milliseconds: i64) {
    clock.fetch_add(milliseconds, Ordering::SeqCst);
    farm.with_host(&HostName::new("FS01.corp.contoso.com"), |_| ()).unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

async fn status(address: SocketAddr) -> Option<u16> {
    let mut client = Client { stream: TcpStream::connect(address).await.ok()?, seal: None };
    let headers = [("Content-Type", SOAP)];
    let answer = client.post("/wsman", &headers, b"");
    // A host that takes the connection and says nothing must fail the test, not hang it.
    Some(tokio::time::timeout(Duration::from_secs(5), answer).await.map_or(0, |reply| reply.status))
}

#[tokio::test]
async fn a_reboot_is_seen_on_the_socket_phase_by_phase() {
    let (farm, address, clock) = farm_with_clock().await;
    let name = HostName::new("FS01.corp.contoso.com");
    let mut client = Client::connect(address).await;
    assert_eq!(client.log_on("right").await, 200);
    let before = farm.with_host(&name, |host| host.power.boot_time()).unwrap();
    let now = Timestamp::from_millisecond(clock.load(Ordering::SeqCst)).unwrap();
    farm.with_host(&name, |host| host.power.order(now, None, true)).unwrap();

    turn(&farm, &clock, 70).await;
    assert!(client.stream.read_u8().await.is_err(), "open connections are reset");
    assert_eq!(status(address).await, None, "new ones are refused");
    turn(&farm, &clock, 300 + 120).await;
    assert_eq!(status(address).await, Some(503));
    turn(&farm, &clock, 150).await;
    let mut client = Client::connect(address).await;
    let (token, _) = ntlm::start();
    let token = format!("Negotiate {}", STANDARD.encode(token.as_bytes()));
    let reply = client.post("/wsman", &[("Authorization", &token)], b"").await;
    assert_eq!(reply.all("WWW-Authenticate"), ["Negotiate", "Kerberos"], "no challenge yet");
    turn(&farm, &clock, 150).await;
    assert_eq!(Client::connect(address).await.log_on("right").await, 200);
    let after = farm.with_host(&name, |host| host.power.boot_time()).unwrap();
    assert!(after > before);
    assert_eq!(farm.stats().sum(|host| host.reboots), 1);
}
