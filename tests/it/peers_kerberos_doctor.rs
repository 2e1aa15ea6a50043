//! `doctor` over Kerberos, with a KDC and hosts that are not ours: the ticket, its service, and what a
//! host makes of it.

use std::io::Write as _;
use std::net::TcpListener;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::peer_server::PASSWORD;
use crate::peers_kerberos::Bench;
use crate::peers_kerberos::exchange;
use crate::peers_kerberos::hosts;
use crate::peers_kerberos::pass;

const DOCTOR: [&str; 5] = ["doctor", "-i", "inventory.yml", "--no-input", "FS01"];

#[test]
fn peers_doctor_sees_the_ticket_and_the_service_that_no_realm_has() {
    let Some(bench) = Bench::start(&hosts()) else { return };
    bench.kinit();
    let text = bench.expect(&DOCTOR, "", 0);
    assert!(text.contains("the domain's ticket for HTTP/localhost is taken"), "{text}");
    assert!(text.contains("messages are encrypted"), "{text}");
    let unknown = "localhost\n    ansible_winrm_kerberos_hostname_override: nobody.peers.test";
    bench.write("inventory.yml", &bench.inventory(unknown));
    let text = bench.expect(&DOCTOR, "", 7);
    assert!(text.contains("setspn -Q HTTP/nobody.peers.test"), "{text}");
    assert!(text.contains("logon     skipped: spn failed"), "{text}");
    assert_eq!(bench.logons(), 1, "no host was asked without a ticket");
}

#[test]
fn peers_doctor_logs_on_to_the_endpoint_of_exchange_by_ticket() {
    let Some(bench) = Bench::start(&exchange()) else { return };
    bench.kinit();
    let text = bench.expect(&["doctor", "-i", "inventory.yml", "--no-input", "EX01"], "", 0);
    assert!(text.contains("exchange"), "{text}");
    let wrong = bench.inventory("localhost").replace("/powershell\"", "/elsewhere\"");
    bench.write("inventory.yml", &wrong);
    let text = bench.expect(&["doctor", "-i", "inventory.yml", "--no-input", "EX01"], "", 7);
    assert!(text.contains("HTTP 404"), "{text}");
}

/// A host that answers every ticket with a KRB-ERROR inside SPNEGO, as Windows does.
fn refusing(code: u8) -> u16 {
    let element = |tag: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).unwrap();
        let long: &[u8] = if length < 128 { &[] } else { &[0x81] };
        [&[tag], long, &[length], content].concat()
    };
    let number = |place: u8, number: u8| element(0xa0 | place, &[2, 1, number]);
    let time = element(0xa4, &element(0x18, b"20261127212600Z"));
    let realm = element(0xa9, &element(0x1b, b"PEERS.TEST"));
    let words = [element(0x1b, b"HTTP"), element(0x1b, b"localhost")].concat();
    let name = [number(0, 2), element(0xa1, &element(0x30, &words))].concat();
    let name = element(0xaa, &element(0x30, &name));
    let fields = [number(0, 5), number(1, 30), time, number(5, 1), number(6, code), realm, name];
    let error = element(0x7e, &element(0x30, &fields.concat()));
    let kerberos = element(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2]);
    let framed = element(0x60, &[kerberos.clone(), vec![3, 0], error].concat());
    let state = element(0xa0, &[0x0a, 1, 2]);
    let token = element(0xa2, &element(4, &framed));
    let reply = [state, element(0xa1, &kerberos), token].concat();
    let reply = STANDARD.encode(element(0xa1, &element(0x30, &reply)));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut message = Vec::new();
            while pass(&mut socket, &mut message).is_ok() {
                let head = String::from_utf8_lossy(&message).to_lowercase();
                let token = if head.contains("authorization: negotiate") { &*reply } else { "" };
                let answer = format!(
                    "HTTP/1.1 401 \r\nWWW-Authenticate: Negotiate {token}\r\nWWW-Authenticate: \
                     Kerberos\r\nContent-Length: 0\r\n\r\n"
                );
                if socket.write_all(answer.as_bytes()).is_err() {
                    break;
                }
                message.clear();
            }
        }
    });
    port
}

#[test]
fn peers_a_host_that_refuses_its_ticket_is_told_from_a_domain_that_gives_none() {
    let Some(bench) = Bench::start(&hosts()) else { return };
    bench.by_password();
    let own = bench.inventory("localhost");
    let port = format!("ansible_port: {}", bench.server.port("FS01"));
    for (code, said) in [(37, "w32tm /resync"), (41, "setspn -Q HTTP/localhost"), (31, "setspn")] {
        let refusing = format!("ansible_port: {}", refusing(code));
        bench.write("inventory.yml", &own.replace(&port, &refusing));
        let text = bench.expect(&DOCTOR, PASSWORD, 77);
        assert!(text.contains(&format!("KRB-ERROR {code}")) && text.contains(said), "{text}");
        assert!(!text.contains("alice"), "the account is good: {text}");
        // It is that host's trouble alone: the others are read, and no account counts as refused.
        let text = bench.expect(&["plan", "-i", "inventory.yml", "--no-input"], PASSWORD, 7);
        assert!(text.contains(&format!("KRB-ERROR {code}")) && text.contains("6 values"), "{text}");
    }
    // The account itself is good: nobody else is kept out.
    bench.write("inventory.yml", &own);
    bench.expect(&DOCTOR, PASSWORD, 0);
}
