//! Our PowerShell client against an Exchange endpoint that is not ours, over sealed NTLM.

use std::sync::Arc;
use std::time::Duration;

use rmsfleet::host::exchange;
use rmsfleet::host::link::Argument;
use rmsfleet::host::link::Cmdlet;
use rmsfleet::host::link::HostError;
use rmsfleet::host::link::Shell as _;
use rmsfleet::host::link::Target;
use rmsfleet::model::host::Endpoint;
use rmsfleet::model::host::HostName;
use rmsfleet::model::host::Scheme;
use rmsfleet::model::host::Spn;
use rmsfleet::model::host::Transport;
use rmsfleet::model::irm::Organisation;
use rmsfleet::model::plan::OrganisationStep;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;
use rmsfleet::model::tls::TlsTrust;
use rmsfleet::net::accounts::Login;
use rmsfleet::net::channel::Channel;
use rmsfleet::net::guard::AccountGuard;
use rmsfleet::net::left::LeftShells;
use rmsfleet::net::shell::PsrpShell;
use rmsfleet::net::stats::Stats;
use rmsfleet::wire::soap::Header;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;

fn server(options: &Value) -> Option<PeerServer> {
    let mut host = json!({
        "name": "EX01",
        "listen": "127.0.0.1:0",
        "roles": ["exchange"],
        "organisation": "Contoso",
        "powershell_auth": ["negotiate", "kerberos"],
    });
    for (name, value) in options.as_object().unwrap() {
        host[name] = value.clone();
    }
    PeerServer::start(&json!({"users": {USER: PASSWORD}, "hosts": [host]}))
}

async fn open(
    server: &PeerServer,
    configuration: &str,
    max_envelope: u32,
) -> Result<PsrpShell<Channel>, HostError> {
    let target = Target {
        host: HostName::new("EX01"),
        endpoint: Endpoint {
            scheme: Scheme::Http,
            address: "localhost".to_owned(),
            port: server.port("EX01"),
            path: "/PowerShell/".to_owned(),
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
    let password = Secret::new(PASSWORD.to_owned());
    let account = Arc::new(Login::from(Account { user: USER.to_owned(), password }));
    let guard = AccountGuard::default();
    let channel = Channel::open(&target, &account, &guard, &Stats::default(), "test").await?;
    let header = Header {
        message_id: String::new(),
        session_id: "uuid:11111111-1111-1111-1111-111111111111".to_owned(),
        to: target.endpoint.url(),
        operation_timeout: target.operation_timeout,
        max_envelope,
    };
    let mut last = 0x7000;
    let ids = Box::new(move || {
        last += 1;
        Uuid::from_u128(last)
    });
    let shells = LeftShells::default().of(&target);
    PsrpShell::open(channel, configuration, header, Duration::from_mins(1), ids, shells).await
}

fn step(seen: &Organisation) -> OrganisationStep {
    OrganisationStep {
        identity: seen.dn.clone(),
        organisation: seen.name.clone(),
        via: seen.via.clone(),
        endpoint: Endpoint {
            scheme: Scheme::Http,
            address: "localhost".to_owned(),
            port: 80,
            path: "/PowerShell/".to_owned(),
            transport: Transport::Ntlm,
            tls: TlsTrust::default(),
            spn: Spn::default(),
            client: None,
        },
        credential: "default".to_owned(),
        user: None,
        act: crate::imagined::enabling(&seen.irm),
        satisfied: false,
        needs: Vec::new(),
        missing: Vec::new(),
        waived: Vec::new(),
        held: None,
        by_hand: None,
    }
}

fn text(error: &HostError) -> String {
    error.failure().chain.join(": ")
}

#[tokio::test]
async fn an_organisation_is_read_enabled_and_read_again() {
    // The second form answers with one message in each Receive.
    for options in
        [json!({}), json!({"psrp_messages": 1}), json!({"variant": {"odd_prefixes": true}})]
    {
        let Some(server) = server(&options) else { return };
        let via = HostName::new("EX01");
        let mut shell = open(&server, exchange::CONFIGURATION, 153_600).await.unwrap();
        let seen = exchange::observe(&mut shell, &via).await.unwrap();
        assert_eq!(seen.name, "Contoso");
        assert_eq!(seen.irm.internal_licensing_enabled, Some(false));
        assert_eq!(seen.servers.len(), 1);
        assert_eq!(seen.servers[0].name, "EX01");
        let step = step(&seen);
        assert!(exchange::verify(&mut shell, &step.identity, step.act.settings()).await.is_err());
        exchange::set(&mut shell, step.act.settings()).await.unwrap();
        let after =
            exchange::verify(&mut shell, &step.identity, step.act.settings()).await.unwrap();
        assert_eq!(after.internal_licensing_enabled, Some(true));
        shell.close().await;
        let stats = server.stats();
        let host = &stats["hosts"]["EX01"];
        assert_eq!(host["cmdlets"]["Set-IRMConfiguration"], json!(1), "{host}");
        assert_eq!(host["shells_opened"], json!(1), "{host}");
        assert_eq!(host["shells_closed"], json!(1), "{host}");
    }
}

#[tokio::test]
async fn large_requests_and_small_replies_are_cut_and_put_together() {
    let Some(server) = server(&json!({})) else { return };
    let mut shell = open(&server, exchange::CONFIGURATION, 8192).await.unwrap();
    let message = "x".repeat(100_000);
    let parameters = vec![("InputObject", Argument::Text(message.clone()))];
    let result = shell.run(&Cmdlet { name: "Write-Output", parameters }).await.unwrap();
    assert_eq!(result.output[0].text(), Some(message));
    shell.close().await;
}

#[tokio::test]
async fn failures_are_told_in_the_servers_words() {
    let Some(server) = server(&json!({})) else { return };
    let mut shell = open(&server, exchange::CONFIGURATION, 153_600).await.unwrap();
    let unknown = shell.run(&Cmdlet { name: "Get-Nothing", parameters: vec![] }).await;
    assert!(text(&unknown.unwrap_err()).contains("CommandNotFoundException"));
    let parameters = vec![("Nope", Argument::Bool(true))];
    let unknown = shell.run(&Cmdlet { name: "Get-IRMConfiguration", parameters }).await;
    assert!(text(&unknown.unwrap_err()).contains("NamedParameterNotFound"));
    let licensing = vec![("InternalLicensingEnabled", Argument::Bool(true))];
    let cmdlet = Cmdlet { name: "Set-IRMConfiguration", parameters: licensing };
    assert!(text(&shell.run(&cmdlet).await.unwrap_err()).contains("does not support user"));
    let parameters = vec![("Message", Argument::Text("a\r\nb <c>".to_owned()))];
    let result = shell.run(&Cmdlet { name: "Write-Error", parameters }).await.unwrap();
    assert!(result.errors[0].starts_with("a\r\nb <c> ("), "{:?}", result.errors);
    shell.close().await;
    let wrong = open(&server, "Microsoft.Nothing", 153_600).await.err().unwrap();
    assert!(text(&wrong).contains("2150858811"), "{}", text(&wrong));
    let host = server.stats()["hosts"]["EX01"].clone();
    assert_eq!(host["shells_opened"], host["shells_closed"], "{host}");
}
