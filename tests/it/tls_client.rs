//! Logons by client certificate, against a server on loopback that demands and verifies it.

use std::path::Path;
use std::sync::Arc;

use rmsfleet::host::link::HostError;
use rmsfleet::model::host::Transport;
use rmsfleet::model::tls::ClientCertificate;
use rmsfleet::model::tls::TlsTrust;
use rmsfleet::net::accounts::Login;
use rmsfleet::net::channel::Channel;
use rmsfleet::net::channel::SoapCall as _;
use rmsfleet::net::guard::AccountGuard;
use rmsfleet::net::stats::Stats;
use rustls::version::TLS12;
use rustls::version::TLS13;

use crate::certificates::Authority;
use crate::certificates::Identity;
use crate::tls::Manner;
use crate::tls::NOW;
use crate::tls::SOAP;
use crate::tls::ended;
use crate::tls::host;
use crate::tls::target;

const HEADER: &str =
    "authorization: http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual\r\n";

/// Certificate and key as files; only the owner reads the key.
fn files(identity: &Identity, folder: &Path) -> ClientCertificate {
    let (certificate, key) = identity.files(folder);
    owners_only(&key);
    let text = |path: &Path| path.display().to_string();
    ClientCertificate { certificate: text(&certificate), key: text(&key) }
}

#[cfg(unix)]
fn owners_only(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn owners_only(_: &Path) {}

/// Logs on with the certificate and makes a call; what came, and what the host heard.
async fn talk(
    manner: Manner,
    client: &ClientCertificate,
) -> (Result<String, HostError>, Vec<String>) {
    let (port, thread) = host(manner);
    let mut target = target(port, Transport::Certificate, TlsTrust::Ignore);
    target.endpoint.client = Some(client.clone());
    let login = Arc::new(Login::certificate(&client.certificate));
    let (guard, stats) = (AccountGuard::default(), Stats::default());
    let got = match Channel::open(&target, &login, &guard, &stats, "test").await {
        Ok(mut channel) => channel
            .call("Call", b"<envelope/>".to_vec())
            .await
            .map(|bytes| String::from_utf8(bytes).unwrap()),
        Err(error) => Err(error),
    };
    (got, ended(port, thread).await)
}

#[track_caller]
fn failed(got: Result<String, HostError>, words: &str) -> HostError {
    let error = got.unwrap_err();
    let text = error.failure().text();
    assert!(text.contains(words), "expected `{words}` in `{text}`");
    error
}

#[tokio::test]
async fn the_certificate_is_shown_and_every_message_says_so_in_both_versions_of_tls() {
    let authority = Authority::new();
    let server = authority.issue("localhost", NOW);
    let folder = tempfile::tempdir().unwrap();
    let client = files(&authority.issue("rollout@corp.test", NOW), folder.path());
    for version in [&TLS12, &TLS13] {
        let config = server.server_for(&authority, &[version]);
        let replies = vec![(200, SOAP, "<identified/>"), (200, SOAP, "<answer/>")];
        let (got, heard) = talk(Manner::Tls(config, replies), &client).await;
        assert_eq!(got.unwrap(), "<answer/>");
        assert_eq!(heard.len(), 1, "more than one connection");
        assert_eq!(heard[0].matches(HEADER).count(), 2, "{heard:?}");
    }
}

#[tokio::test]
async fn a_host_that_trusts_another_authority_refuses_the_handshake() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = theirs.issue("localhost", NOW);
    let folder = tempfile::tempdir().unwrap();
    let client = files(&ours.issue("rollout@corp.test", NOW), folder.path());
    for version in [&TLS12, &TLS13] {
        let config = server.server_for(&theirs, &[version]);
        let replies = vec![(200, SOAP, "<identified/>")];
        let (got, heard) = talk(Manner::Tls(config, replies), &client).await;
        failed(got, "the host does not take the client certificate");
        assert_eq!(heard, [""], "something was said");
    }
}

#[tokio::test]
async fn a_refusal_says_whether_the_host_has_asked_for_the_certificate() {
    let authority = Authority::new();
    let server = authority.issue("localhost", NOW);
    let folder = tempfile::tempdir().unwrap();
    let client = files(&authority.issue("rollout@corp.test", NOW), folder.path());
    let refusal = || vec![(401, "", "Negotiate")];
    let asking = server.server_for(&authority, &[&TLS13]);
    let (got, _) = talk(Manner::Tls(asking, refusal()), &client).await;
    let error = failed(got, "winrm/config/service/certmapping");
    assert!(matches!(error, HostError::Denied { .. }), "{error:?}");
    let silent = server.server(&server.key, &[&TLS13]);
    let (got, _) = talk(Manner::Tls(silent, refusal()), &client).await;
    let error = failed(got, "clientcertnegotiation=enable");
    assert!(matches!(error, HostError::Unexpected { .. }), "{error:?}");
}

#[tokio::test]
async fn a_host_that_demands_a_certificate_says_so_to_who_has_none() {
    let authority = Authority::new();
    let server = authority.issue("localhost", NOW);
    let config = server.server_for(&authority, &[&TLS13]);
    let (port, thread) = host(Manner::Tls(config, vec![(200, SOAP, "<identified/>")]));
    let target = target(port, Transport::Ntlm, TlsTrust::Ignore);
    let password = rmsfleet::model::secret::Secret::new("pw".to_owned());
    let account = rmsfleet::model::secret::Account { user: "admin".to_owned(), password };
    let (login, guard) = (Arc::new(Login::from(account)), AccountGuard::default());
    let opened = Channel::open(&target, &login, &guard, &Stats::default(), "test").await;
    failed(opened.map(|_| String::new()), "ansible_winrm_cert_pem");
    ended(port, thread).await;
}

/// Nothing of this reaches a host: the port is nobody's.
#[tokio::test]
async fn files_that_cannot_be_shown_stop_before_anything_is_sent() {
    let authority = Authority::new();
    let folders: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let good = files(&authority.issue("a@corp.test", NOW), folders[0].path());
    let other = files(&authority.issue("b@corp.test", NOW), folders[1].path());
    let old = files(&authority.issue("c@corp.test", (2001, 2002)), folders[2].path());
    let early = files(&authority.issue("d@corp.test", (2098, 2099)), folders[3].path());
    let check = async |client: ClientCertificate, words: &str| {
        let mut target = target(9, Transport::Certificate, TlsTrust::Ignore);
        target.endpoint.client = Some(client.clone());
        let login = Arc::new(Login::certificate(&client.certificate));
        let (guard, stats) = (AccountGuard::default(), Stats::default());
        let opened = Channel::open(&target, &login, &guard, &stats, "test").await;
        let error = failed(opened.map(|_| String::new()), words);
        assert!(matches!(error, HostError::Unsupported(_)), "{error:?}");
    };
    let with = |certificate: &str, key: &str| ClientCertificate {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    };
    check(with("/no/such.pem", &good.key), "correct `ansible_winrm_cert_pem`").await;
    check(with(&good.certificate, "/no/such.key"), "correct `ansible_winrm_cert_key_pem`").await;
    check(with(&good.key, &good.key), "holds no certificate").await;
    check(with(&good.certificate, &other.key), "does not belong to the certificate").await;
    check(old, "has expired (2002-01-01T00:00:00Z)").await;
    check(early, "is valid from 2098-01-01T00:00:00Z only").await;
    let written = |name: &str, text: &str| {
        let path = folders[0].path().join(name);
        std::fs::write(&path, text).unwrap();
        owners_only(&path);
        path.display().to_string()
    };
    let none = written("none.key", "no key");
    check(with(&good.certificate, &none), "holds no private key").await;
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let encrypted = written("encrypted.key", encrypted);
    check(with(&good.certificate, &encrypted), "encrypted with a passphrase").await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(&good.key, mode).unwrap();
        check(good, "can be read by others (mode 0640)").await;
    }
}
