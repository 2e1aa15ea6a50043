//! The whole client side, recipes' view, against a server that is not ours: registry over WMI and a
//! cmdlet over PSRP, each over its own sealed connection.

use std::time::Duration;

use rmsfleet::host::link::Cmdlet;
use rmsfleet::host::link::Connect as _;
use rmsfleet::host::link::Reader as _;
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
use rmsfleet::net::accounts::Accounts;
use rmsfleet::net::connect::Network;
use rmsfleet::net::stats::Stats;
use rmsfleet::wire::operation::Answer;
use rmsfleet::wire::operation::Read;
use serde_json::json;

use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;

fn target(port: u16, path: &str) -> Target {
    Target {
        host: HostName::new("EX01"),
        endpoint: Endpoint {
            scheme: Scheme::Http,
            address: "127.0.0.1".to_owned(),
            port,
            path: path.to_owned(),
            transport: Transport::Negotiate,
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

#[tokio::test]
async fn a_query_and_a_cmdlet_come_back_over_sealed_connections() {
    let listen = |path: &str| json!({"address": "127.0.0.1:0", "paths": [path]});
    let fleet = json!({
        "users": {USER: PASSWORD},
        "hosts": [{"name": "EX01", "listen": [listen("/wsman"), listen("/powershell")],
                   "roles": ["exchange"], "powershell_auth": ["negotiate"]}],
    });
    let Some(server) = PeerServer::start(&fleet) else { return };
    let mut accounts = Accounts::default();
    let account = Account { user: USER.to_owned(), password: Secret::new(PASSWORD.to_owned()) };
    accounts.insert("default", None, account);
    let stats = Stats::default();
    let network = Network::new(accounts, stats.clone()).unwrap().phase("survey");

    let wsman = target(server.ports["EX01"][0], "/wsman");
    network.knock(&wsman).await.unwrap();
    let mut link = network.connect(&wsman).await.unwrap();
    let query = Read::Query {
        namespace: "root/cimv2".to_owned(),
        wql: "select * from Win32_Service".to_owned(),
    };
    let Answer::Instances(services) = link.read(&query).await.unwrap() else { panic!("no list") };
    assert!(services.len() > 3, "{} services", services.len());

    let exchange = target(server.ports["EX01"][1], "/powershell");
    let mut shell = network.shell(&exchange, "Microsoft.Exchange").await.unwrap();
    let cmdlet = Cmdlet { name: "Get-IRMConfiguration", parameters: Vec::new() };
    let result = shell.run(&cmdlet).await.unwrap();
    assert_eq!(result.output.len(), 1, "{result:?}");
    assert!(result.output[0].property("InternalLicensingEnabled").is_some());
    shell.close().await;

    let snapshot = stats.snapshot();
    let counters = snapshot[&(HostName::new("EX01"), "survey".to_owned())];
    assert_eq!(counters.logons, 2);
    assert!(counters.time > Duration::ZERO);
}
