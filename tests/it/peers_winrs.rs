//! The cmd shell: recorded replies of Windows, and a server that is not ours.

use std::time::Duration;

use rmsfleet::host::link::CommandShell as _;
use rmsfleet::host::link::Target;
use rmsfleet::model::host::HostName;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;
use rmsfleet::net::accounts::Accounts;
use rmsfleet::net::connect::Network;
use rmsfleet::net::stats::Stats;
use rmsfleet::wire::soap::Header;
use rmsfleet::wire::winrs::Piece;
use rmsfleet::wire::winrs::decode_receive;
use serde_json::json;

use crate::imagined::endpoint;
use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;
use crate::shared::captures;

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

/// Joins every recorded reply to a Receive of one conversation.
#[track_caller]
fn check(case: &str, stdout: &str, stderr: &str, exit_code: Option<u32>) {
    let Some(folder) = captures(&format!("derived/pypsrp-pairs/{case}")) else { return };
    let mut all = Piece::default();
    for number in 0.. {
        let part = |kind| folder.join(format!("{number:02}.{kind}.xml"));
        let Ok(request) = std::fs::read_to_string(part("request")) else { break };
        if !request.contains("/shell/Receive<") {
            continue;
        }
        let reply = std::fs::read(part("response")).unwrap();
        let header = Header {
            message_id: between(&request, "<wsa:MessageID>", "<").to_owned(),
            session_id: String::new(),
            to: String::new(),
            operation_timeout: Duration::from_secs(20),
            max_envelope: 153_600,
        };
        let piece = decode_receive(between(&request, "CommandId=\"", "\""), &header, &reply);
        // A timeout says nothing, and nothing is lost by it.
        let Ok(piece) = piece else { continue };
        all.stdout.extend(piece.stdout);
        all.stderr.extend(piece.stderr);
        all.ended = all.ended.or(piece.ended);
    }
    assert_eq!(String::from_utf8(all.stdout).unwrap(), stdout, "{case}");
    assert_eq!(String::from_utf8(all.stderr).unwrap(), stderr, "{case}");
    assert_eq!(all.ended, Some(exit_code), "{case}");
}

#[test]
fn recorded_output_and_exit_codes_are_read() {
    check("winrs_stderr_rc", "out \r\n", "err \r\n", Some(1));
    check("winrs_standard", "hi\r\n", "", Some(0));
    check("winrs_unicode", "こんにちは\n", "", Some(0));
    check("winrs_operation_timeout", "hi\nhi again\n", "", Some(0));
}

#[tokio::test]
async fn a_program_runs_on_a_server_that_is_not_ours_and_the_shell_is_deleted() {
    let fleet = json!({
        "users": {USER: PASSWORD},
        "hosts": [{"name": "FS01", "shell": "sh",
                   "listen": [{"address": "127.0.0.1:0", "paths": ["/wsman"]}]}],
    });
    let Some(server) = PeerServer::start(&fleet) else { return };
    let mut accounts = Accounts::default();
    let account = Account { user: USER.to_owned(), password: Secret::new(PASSWORD.to_owned()) };
    accounts.insert("default", None, account);
    let network = Network::new(accounts, Stats::default()).unwrap();
    let mut endpoint = endpoint("127.0.0.1", "/wsman");
    endpoint.port = server.port("FS01");
    let target = Target {
        host: HostName::new("FS01"),
        endpoint,
        credential: "default".to_owned(),
        user: None,
        connect_timeout: Duration::from_secs(5),
        operation_timeout: Duration::from_secs(20),
    };
    let mut shell = network.winrs(&target).await.unwrap();
    let result = shell.run("echo", &["grüße"]).await.unwrap();
    assert_eq!((result.stdout.trim(), result.exit_code), ("grüße", Some(0)));
    let result = shell.run("exit", &["3"]).await.unwrap();
    assert_eq!(result.exit_code, Some(3));
    shell.close().await;
    let stats = server.stats().to_string();
    assert!(stats.contains("Delete"), "{stats}");
}
