//! The revocation list that the connector's certificate names, fetched by a server that is not ours.

use rustls::version::TLS12;
use rustls::version::TLS13;
use serde_json::Value;
use serde_json::json;

use crate::certificates::Authority;
use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;
use crate::planned;
use crate::tls::Manner;
use crate::tls::NOW;
use crate::tls::ended;
use crate::tls::host;

const LIST: &str = "http://crl.peers.test/issuing.crl";
const STAGES: &str = "version: 1
name: lists
stages:
  - { name: file-servers, hosts: fci }
";
const REQUIRED: &str = "preflight: { require: [connector-tls-chain-and-crl] }\n";
const SKIPPED: &str = "preflight: { skip: [connector-tls-chain-and-crl] }\n";

/// What the plan finds of the check on one host, and what blocks it.
async fn found(preflight: &str, lists: &[&str], web: Value) -> Option<(Vec<String>, usize)> {
    let authority = Authority::new();
    let identity = authority.issue_listed("127.0.0.1", NOW, lists);
    let (port, connector) = host(Manner::Tls(
        identity.server(&identity.key, &[&TLS13, &TLS12]),
        vec![(200, "text/plain", "")],
    ));
    let url = format!("https://127.0.0.1:{port}");
    let mut pages = json!({format!("{url}/_wmcs/licensing"): 401});
    pages.as_object_mut().unwrap().extend(web.as_object().unwrap().clone());
    let fleet = json!({
        "users": {USER: PASSWORD},
        "defaults": {"domain": "peers.test", "web": pages},
        "hosts": [{"name": "FS01", "listen": "127.0.0.1:0", "os": "2016", "roles": ["fileserver"],
                   "powershell_auth": ["negotiate", "kerberos"]}]});
    let plan = PeerServer::start(&fleet).map(|server| {
        let inventory = format!(
            "all:\n  vars:\n    rms_connector_url: {url}\n    ansible_winrm_scheme: http\n    \
             ansible_winrm_transport: ntlm\n    ansible_host: 127.0.0.1\n  \
             children:\n    fci:\n      vars: {{ rms_role: fci }}\n      hosts:\n        FS01: {{ \
             ansible_port: {} }}\n",
            server.ports["FS01"][0]
        );
        // As the system's trust: that is what holds for a connector.
        let trusted = authority.file();
        planned::plan_with(
            &inventory,
            Some(&format!("{STAGES}{preflight}")),
            &[("SSL_CERT_FILE", &trusted)],
        )
    });
    ended(port, connector).await;
    let host = &plan?["hosts"]["FS01"];
    let of_check = |line: &&Value| line["id"] == "connector-tls-chain-and-crl";
    let words = |line: &Value| format!("{}: {}", line["status"].as_str().unwrap(), line["found"]);
    let lines = host["findings"].as_array().unwrap().iter().filter(of_check).map(words).collect();
    Some((lines, host["blockers"].as_array().unwrap().iter().filter(of_check).count()))
}

#[tokio::test]
async fn peers_a_host_is_asked_for_the_list_that_the_connectors_certificate_names() {
    let check = |got: Option<(Vec<String>, usize)>, expected: &str, blockers| {
        let Some((lines, blocked)) = got else { return };
        assert!(lines.iter().any(|line| line.contains(expected)), "{lines:?}");
        assert_eq!(blocked, blockers, "{lines:?}");
    };
    let there = found(REQUIRED, &["ldap:///CN=ca", LIST], json!({LIST: 200})).await;
    check(there, &format!("ok: \"HTTP 200 from {LIST}"), 0);
    let missing = found(REQUIRED, &[LIST], json!({LIST: 404})).await;
    check(missing, &format!("block: \"HTTP 404 from {LIST}"), 1);
    // Whoever says nothing is told, and whoever skips it asks nobody.
    let told = found("", &[LIST], json!({LIST: 404})).await;
    check(told, &format!("warn: \"HTTP 404 from {LIST}"), 0);
    let skipped = found(SKIPPED, &[LIST], json!({LIST: 404})).await;
    assert!(skipped.is_none_or(|(lines, _)| lines.is_empty()), "it was asked all the same");
    check(
        found(REQUIRED, &[], json!({})).await,
        "not-read: \"the connector's certificate names no list",
        0,
    );
}
