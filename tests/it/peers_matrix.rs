//! Our client against servers that are not ours, in every form that they can write and under every
//! logon, each through the whole exercise. What is printed is what was counted.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

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
use rmsfleet::net::accounts::Login;
use rmsfleet::net::connect::Network;
use rmsfleet::net::stats::Stats;
use serde_json::Value;
use serde_json::json;

use crate::certificates::Authority;
use crate::exercise::Place;
use crate::exercise::Sheet;
use crate::exercise::exercise;
use crate::kdc::ALICE;
use crate::kdc::Kdc;
use crate::kdc::kinit;
use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;
use crate::spnego::deaf_to_raw_ntlm;

/// Which part of the matrix a child of this test runs.
const INSIDE: &str = "RMSFLEET_MATRIX";
/// Whose ticket the child has, if it is not alice's.
pub(crate) const AS: &str = "RMSFLEET_MATRIX_AS";

/// Every form that the peer server knows, by name (`winrm_server.py --list-options`).
fn forms() -> Vec<(&'static str, Value)> {
    vec![
        ("plain", json!({})),
        ("no-tab", json!({"variant": {"tab": false}})),
        ("bom", json!({"variant": {"bom": true}})),
        ("chunked", json!({"variant": {"chunked": true}})),
        ("space", json!({"variant": {"boundary_space": true}})),
        ("crlf", json!({"variant": {"extra_crlf": true}})),
        ("code-first", json!({"variant": {"return_value": "first"}})),
        ("code-middle", json!({"variant": {"return_value": "middle"}})),
        ("nulls", json!({"variant": {"nulls": "missing"}})),
        ("reason", json!({"variant": {"reason": "normal"}})),
        ("closes", json!({"variant": {"close_each": true}})),
        ("prefixes", json!({"variant": {"odd_prefixes": true}})),
        ("cim", json!({"variant": {"cim_fault": true}})),
        ("absent-2", json!({"missing_value": 2})),
        ("small-pages", json!({"page": 2, "first_page_over": 1})),
        ("fractions", json!({"fraction_digits": 0})),
        ("one-message", json!({"psrp_messages": 1})),
        (
            "everything",
            json!({"psrp_messages": 1, "page": 3, "missing_value": 2, "variant": {
                "tab": false, "bom": true, "chunked": true, "boundary_space": true,
                "extra_crlf": true, "return_value": "first", "nulls": "missing",
                "odd_prefixes": true, "cim_fault": true}}),
        ),
    ]
}

/// How the hosts of one part of the matrix differ from the default, and how they are reached.
struct Part<'a> {
    name: &'a str,
    options: Value,
    forms: Vec<(&'static str, Value)>,
    transport: Transport,
    authority: Option<&'a Authority>,
    /// Whether the client is kept from raw NTLM, so that SPNEGO is all that is left.
    spnego: bool,
    login: Login,
}

impl<'a> Part<'a> {
    fn ntlm(name: &'a str, options: Value) -> Self {
        let password = Secret::new(PASSWORD.to_owned());
        Self {
            name,
            options,
            forms: forms(),
            transport: Transport::Ntlm,
            authority: None,
            spnego: false,
            login: Login::from(Account { user: USER.to_owned(), password }),
        }
    }

    fn kerberos(name: &'a str, options: Value) -> Self {
        let login = Login::ticket(ALICE.to_owned());
        Self { transport: Transport::Kerberos, login, ..Self::ntlm(name, options) }
    }

    /// Starts the hosts and puts each through the exercise. `None` where the peers are not wanted.
    fn run(self) -> Option<(usize, Vec<String>)> {
        let folder = tempfile::tempdir().unwrap();
        let listen = match self.authority {
            None => json!("127.0.0.1:0"),
            Some(authority) => {
                let identity = authority.issue("localhost", (2020, 2099));
                let (certificate, key) = identity.files(folder.path());
                json!({"address": "127.0.0.1:0", "tls": [certificate, key]})
            }
        };
        let hosts: Vec<Value> = self
            .forms
            .iter()
            .map(|(form, options)| {
                let mut host = json!({"name": form, "listen": listen, "roles": ["exchange"],
                "organisation": "Contoso", "powershell_auth": ["negotiate", "kerberos", "basic"]});
                for (name, value) in
                    self.options.as_object().into_iter().chain(options.as_object()).flatten()
                {
                    host[name] = value.clone();
                }
                host
            })
            .collect();
        let local = USER.trim_start_matches(r"PEERS\");
        let fleet = json!({"users": {USER: PASSWORD, local: PASSWORD}, "hosts": hosts});
        let server = PeerServer::start(&fleet)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (mut passed, mut failed) = (0, Vec::new());
        for (form, _) in &self.forms {
            let place = self.place(&server, form);
            let mut accounts = Accounts::default();
            accounts.insert("default", None, self.login.clone());
            let network = Network::new(accounts, Stats::default()).unwrap();
            let mut sheet = Sheet::new(&format!("{} {form}", self.name));
            runtime.block_on(exercise(&network, &place, &mut sheet));
            let stats = server.stats()["hosts"][*form].clone();
            sheet.note(
                "no shell is left",
                if stats["shells_opened"] == stats["shells_closed"] && stats["shells_open"] == 0 {
                    Ok(())
                } else {
                    Err(stats.to_string())
                },
            );
            passed += sheet.passed;
            failed.extend(sheet.failed);
        }
        say(&format!(
            "{}: {} forms, {passed} passed, {} failed",
            self.name,
            self.forms.len(),
            failed.len()
        ));
        Some((passed, failed))
    }

    fn place(&self, server: &PeerServer, form: &str) -> Place {
        let mut port = server.port(form);
        if self.spnego {
            port = deaf_to_raw_ntlm(SocketAddr::from(([127, 0, 0, 1], port)));
        }
        let target = |path: &str| Target {
            host: HostName::new(form),
            endpoint: Endpoint {
                scheme: if self.authority.is_some() { Scheme::Https } else { Scheme::Http },
                address: "localhost".to_owned(),
                port,
                path: path.to_owned(),
                transport: self.transport,
                tls: match self.authority {
                    Some(authority) => TlsTrust::CaFile(authority.file()),
                    None => TlsTrust::default(),
                },
                spn: Spn::default(),
                client: None,
            },
            credential: "default".to_owned(),
            user: None,
            connect_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(30),
        };
        Place { wsman: target("/wsman"), powershell: Some(target("/PowerShell/")) }
    }
}

#[expect(clippy::print_stderr, reason = "the counts are what the gate is read for")]
fn say(line: &str) {
    eprintln!("{line}");
}

#[track_caller]
fn check(part: Part<'_>) {
    if let Some((passed, failed)) = part.run() {
        assert!(failed.is_empty() && passed > 0, "{}", failed.join("\n"));
    }
}

#[test]
fn peers_ntlm_by_pyspnego_in_every_form() {
    check(Part::ntlm("ntlm, pyspnego", json!({})));
}

#[test]
fn peers_ntlm_by_gss_ntlmssp_in_every_form() {
    check(Part::ntlm("ntlm, gss-ntlmssp", json!({"ntlm": "gss"})));
}

#[test]
fn peers_ntlm_inside_spnego_in_every_form() {
    let mut part = Part::ntlm("ntlm inside spnego, pyspnego", json!({}));
    part.transport = Transport::Negotiate;
    part.spnego = true;
    // Every connection would have to go through the front anew.
    part.forms.retain(|(name, _)| *name != "closes");
    check(part);
}

#[test]
fn peers_ntlm_over_tls_with_strict_channel_binding_in_every_form() {
    let authority = Authority::new();
    let mut part = Part::ntlm("ntlm over tls, strict binding", json!({"epa": "strict"}));
    part.authority = Some(&authority);
    check(part);
}

#[test]
fn peers_basic_over_tls_in_every_form() {
    let authority = Authority::new();
    let options = json!({"wsman_auth": ["basic"], "powershell_auth": ["basic"]});
    let mut part = Part::ntlm("basic over tls", options);
    part.authority = Some(&authority);
    part.transport = Transport::Basic;
    let password = Secret::new(PASSWORD.to_owned());
    part.login = Login::from(Account { user: "wsuser".to_owned(), password });
    check(part);
}

/// Kerberos finds its files by variables of the environment, so a child of this test has them.
fn with_tickets(kdc: &Kdc, what: &str, more: &[(&str, String)]) {
    let folder = tempfile::tempdir().unwrap();
    let tickets = format!("FILE:{}", folder.path().join("tickets").display());
    let prepared = |program: &str| {
        let mut command = Command::new(program);
        command.envs(kdc.variables.iter().cloned()).env("KRB5CCNAME", &tickets);
        for (name, value) in more {
            command.env(name, value);
        }
        command
    };
    kinit(prepared("kinit").arg(ALICE));
    inside(&mut prepared(std::env::current_exe().unwrap().to_str().unwrap()), what);
}

/// Runs [`kerberos_in_a_child`] in a prepared child, and passes on what it counts.
pub(crate) fn inside(command: &mut Command, what: &str) {
    let out = command
        .args(["--exact", "peers_matrix::kerberos_in_a_child", "--nocapture"])
        .env(INSIDE, what)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    for line in said.lines().filter(|line| line.contains(" passed, ")) {
        say(line);
    }
    let ran = said.contains(" passed, 0 failed");
    let told = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && ran, "{what}\n{said}\n{told}");
}

/// Does nothing unless a test here has started it.
#[test]
fn kerberos_in_a_child() {
    let Some(what) = variable(INSIDE) else { return };
    let authority = Authority::new();
    let all = || {
        let mut forms = forms();
        forms.push(("rrc-0", json!({"variant": {"kerberos_rrc0": true}})));
        forms
    };
    let raw = json!({"wsman_auth": ["kerberos"], "powershell_auth": ["kerberos"]});
    let part = match what.as_str() {
        "spnego" => {
            Part { forms: all(), ..Part::kerberos("kerberos inside spnego, MIT", json!({})) }
        }
        "raw" => Part { forms: all(), ..Part::kerberos("raw kerberos, MIT", raw) },
        "tls" => Part {
            authority: Some(&authority),
            ..Part::kerberos("kerberos over tls, strict binding", json!({"epa": "strict"}))
        },
        other => {
            let mut part = Part::kerberos(other, json!({}));
            part.forms = vec![
                ("plain", json!({})),
                ("raw", raw),
                ("rrc-0", json!({"variant": {"kerberos_rrc0": true}})),
                ("no-tab", json!({"variant": {"tab": false, "chunked": true}})),
            ];
            if other.contains("RC4") {
                // Its tokens know no rotation (RFC 4757 7.3).
                part.forms.retain(|(name, _)| *name != "rrc-0");
            }
            if let Some(user) = variable(AS) {
                part.login = Login::ticket(user);
            }
            part
        }
    };
    check(part);
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

#[test]
fn peers_kerberos_in_every_form() {
    let Some(kdc) = Kdc::start() else { return };
    for what in ["spnego", "raw", "tls"] {
        with_tickets(&kdc, what, &[]);
    }
}

/// MIT's names of the encryption types, the strong ones first. For RC4, which MIT's KDC refuses to
/// issue unless it is told to when it starts, there is Samba's.
const TYPES: [&str; 4] = [
    "aes256-cts-hmac-sha384-192",
    "aes128-cts-hmac-sha256-128",
    "aes256-cts-hmac-sha1-96",
    "aes128-cts-hmac-sha1-96",
];

#[test]
fn peers_kerberos_with_every_encryption_type() {
    let Some(kdc) = Kdc::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let own = kdc.variables.iter().find(|(name, _)| name == "KRB5_CONFIG").unwrap().1.clone();
    for name in TYPES {
        // The ticket is sealed by the service's first key, which the acceptor must be allowed too.
        kdc.keys(&[name]);
        // The library reads the first file's word first.
        let file = folder.path().join(format!("{name}.conf"));
        let text = format!(
            "[libdefaults]\n permitted_enctypes = {name}\n default_tkt_enctypes = {name}\n \
             default_tgs_enctypes = {name}\n allow_weak_crypto = true\n allow_rc4 = true\n"
        );
        std::fs::write(&file, text).unwrap();
        let configuration = format!("{}:{own}", file.display());
        with_tickets(&kdc, name, &[("KRB5_CONFIG", configuration)]);
        let issued = kdc.log();
        let last = issued.lines().rfind(|line| line.contains("TGS_REQ") && line.contains("ISSUE"));
        let session = last.and_then(|line| line.split("ses=").nth(1)).unwrap_or_default();
        assert!(session.contains(name), "{name}: {session}");
    }
}
