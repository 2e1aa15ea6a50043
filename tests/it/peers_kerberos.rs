//! Kerberos against a KDC and a WinRM server that are not ours. The library finds its files by
//! variables of the environment, so it is the program that runs, as a child.

use std::fmt::Write as _;
use std::process::Command;
use std::process::Output;

use serde_json::Value;
use serde_json::json;

use crate::kdc::ALICE;
use crate::kdc::Kdc;
use crate::kdc::kinit;
use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;

const TENANT: &str = "https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com";

pub(crate) struct Bench {
    pub(crate) kdc: Kdc,
    pub(crate) server: PeerServer,
    folder: tempfile::TempDir,
}

/// Hosts that differ in what they offer and in how they write.
pub(crate) fn hosts() -> Value {
    let listen = "127.0.0.1:0";
    json!([
        {"name": "FS01", "listen": listen, "roles": ["fileserver"]},
        {"name": "FS02", "listen": listen, "roles": ["fileserver"], "wsman_auth": ["kerberos"]},
        {"name": "FS03", "listen": listen, "roles": ["fileserver"],
         "variant": {"boundary_space": true, "tab": false}},
        {"name": "FS04", "listen": listen, "roles": ["fileserver"],
         "variant": {"kerberos_rrc0": true, "chunked": true}},
    ])
}

/// Two Exchange servers of one organisation, which take raw Kerberos only, as Exchange does.
pub(crate) fn exchange() -> Value {
    let listen = |path: &str| json!({"address": "127.0.0.1:0", "paths": [path]});
    let setup = json!({"HKLM\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\Setup": {
        "MsiProductMajor": ["REG_DWORD", 15], "MsiProductMinor": ["REG_DWORD", 2],
        "MsiBuildMajor": ["REG_DWORD", 1544], "MsiBuildMinor": ["REG_DWORD", 4]}});
    let host = |name: &str| {
        json!({"name": name, "listen": [listen("/wsman"), listen("/powershell")], "os": "2019",
               "roles": ["exchange"], "powershell_auth": ["kerberos"], "registry": setup})
    };
    json!([host("EX01"), host("EX02")])
}

impl Bench {
    pub(crate) fn start(hosts: &Value) -> Option<Self> {
        let kdc = Kdc::start()?;
        let fleet = json!({"users": {USER: PASSWORD}, "hosts": hosts,
            "defaults": {"domain": "peers.test", "os": "2016"}});
        let server = PeerServer::start_in(&fleet, &kdc.variables)?;
        let bench = Self { kdc, server, folder: tempfile::tempdir().unwrap() };
        bench.write("inventory.yml", &bench.inventory("localhost"));
        Some(bench)
    }

    pub(crate) fn inventory(&self, address: &str) -> String {
        let mut text = format!(
            "all:\n  vars:\n    rms_tenant_url: {TENANT}\n    \
             rms_connector_url: http://rmsconnector.contoso.com\n    rms_organization: Contoso\n    \
             ansible_winrm_scheme: http\n    ansible_winrm_transport: kerberos\n    \
             ansible_host: {address}\n  children:\n"
        );
        for (role, prefix) in [("exchange", "EX"), ("fci", "FS")] {
            let _ = write!(text, "    {role}:\n      vars: {{ rms_role: {role} }}\n      hosts:\n");
            for (name, ports) in
                self.server.ports.iter().filter(|(name, _)| name.starts_with(prefix))
            {
                let _ = write!(text, "        {name}: {{ ansible_port: {}", ports[0]);
                if let Some(shell) = ports.get(1) {
                    let url = format!("http://{address}:{shell}/powershell");
                    let _ = write!(text, ", rms_exchange_url: \"{url}\"");
                }
                text.push_str(" }\n");
            }
        }
        text
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// From here on it is a password that tickets are got with.
    pub(crate) fn by_password(&self) {
        self.write(
            "credentials.yml",
            &format!(
                "version: 1\ncredentials:\n  default: {{ type: env, username: \"{ALICE}\", \
                 variable: PEER_PASSWORD }}\n"
            ),
        );
    }

    pub(crate) fn kinit(&self) {
        kinit(self.command("kinit").arg(ALICE));
    }

    fn command(&self, program: &str) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .envs(self.kdc.variables.iter().cloned())
            .env("KRB5CCNAME", format!("FILE:{}", folder.join("tickets").display()))
            .env("XDG_STATE_HOME", folder.join("state"));
        command
    }

    fn run(&self, arguments: &[&str], password: &str) -> Output {
        self.command(env!("CARGO_BIN_EXE_rmsfleet"))
            .args(arguments)
            .env("PEER_PASSWORD", password)
            .output()
            .unwrap()
    }

    /// Both outputs, when the exit code is the expected one.
    #[track_caller]
    pub(crate) fn expect(&self, arguments: &[&str], password: &str, exit: i32) -> String {
        let output = self.run(arguments, password);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(output.status.code(), Some(exit), "rmsfleet {arguments:?}\n{text}");
        text
    }

    /// Logons that the server took from alice, by host.
    pub(crate) fn logons(&self) -> usize {
        let stats = self.server.stats();
        let accounts = stats["accounts"].as_object().unwrap();
        let alice = accounts.iter().find(|(name, _)| name.to_lowercase().starts_with("alice"));
        alice.and_then(|(_, alice)| alice["hosts"].as_object()).map_or(0, serde_json::Map::len)
    }
}

const PLAN: [&str; 4] = ["plan", "-i", "inventory.yml", "--no-input"];

#[test]
fn peers_every_form_of_host_is_read_by_ticket() {
    let Some(bench) = Bench::start(&hosts()) else { return };
    bench.kinit();
    let text = bench.expect(&PLAN, "", 0);
    assert!(text.contains("8 values"), "{text}");
    assert_eq!(bench.logons(), 4);
    assert_eq!(bench.kdc.asked(), 1, "kinit asked, and nobody else");
}

#[test]
fn peers_every_form_of_host_is_read_by_user_and_password() {
    let Some(bench) = Bench::start(&hosts()) else { return };
    bench.by_password();
    let text = bench.expect(&PLAN, PASSWORD, 0);
    assert!(text.contains("8 values"), "{text}");
    assert_eq!(bench.logons(), 4);
    assert_eq!(bench.kdc.asked(), 1, "one set of tickets serves all hosts");
}

#[test]
fn peers_a_wrong_password_is_tried_once_and_never_at_a_host() {
    let Some(bench) = Bench::start(&hosts()) else { return };
    bench.by_password();
    let text = bench.expect(&PLAN, "wrong", 77);
    assert!(text.contains("the password of `alice@PEERS.TEST` is wrong"), "{text}");
    assert_eq!(bench.kdc.asked(), 1);
    assert_eq!(bench.logons(), 0);
}

#[test]
fn peers_without_a_ticket_it_is_said_what_to_type() {
    let Some(bench) = Bench::start(&hosts()) else { return };
    let text = bench.expect(&PLAN, "", 65);
    assert!(text.contains("no Kerberos ticket is at hand") && text.contains("kinit"), "{text}");
    bench.kinit();
    bench.write("inventory.yml", &bench.inventory("127.0.0.1"));
    let text = bench.expect(&PLAN, "", 7);
    assert!(text.contains("Kerberos needs the host's name"), "{text}");
    // Another name of the service, and the class of WinRM's own.
    let other = "127.0.0.1\n    ansible_winrm_kerberos_hostname_override: localhost\n    \
                 rms_spn_class: WSMAN";
    bench.write("inventory.yml", &bench.inventory(other));
    bench.expect(&PLAN, "", 0);
    assert_eq!(bench.logons(), 4);
    assert!(bench.kdc.log().contains("for WSMAN/localhost@"), "{}", bench.kdc.log());
    // A name that resolves everywhere and that the realm has no service for.
    bench.write("inventory.yml", &bench.inventory("LOCALHOST.localdomain"));
    let text = bench.expect(&PLAN, "", 7);
    assert!(text.contains("Kerberos: "), "{text}");
}

#[test]
fn peers_an_exchange_organisation_is_rolled_out_over_kerberos() {
    let Some(bench) = Bench::start(&exchange()) else { return };
    bench.kinit();
    bench.expect(&PLAN, "", 0);
    let apply = ["apply", "-i", "inventory.yml", "--yes", "--no-input", "--confirm", "Contoso"];
    bench.expect(&apply, "", 0);
    let stats = bench.server.stats();
    let sets: u64 = ["EX01", "EX02"]
        .iter()
        .filter_map(|host| stats["hosts"][host]["cmdlets"]["Set-IRMConfiguration"].as_u64())
        .sum();
    assert_eq!(sets, 1, "Set-IRMConfiguration runs once for the organisation");
    let key = "HKLM\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\IRM\\LicenseServerRedirection";
    for host in ["EX01", "EX02"] {
        let registry = bench.server.registry(host).to_string().to_lowercase();
        let key = key.to_lowercase().replace('\\', "\\\\");
        assert!(registry.contains(&key), "{host}: {registry}");
        assert_eq!(stats["hosts"][host]["shells_open"], 0, "{host} has a shell left");
    }
    bench.expect(&apply, "", 0);
    assert_eq!(bench.kdc.asked(), 1, "kinit asked, and nobody else");
}

/// Kerberos keys of alice in a file that only its owner reads.
fn keytab(bench: &Bench, user: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = bench.folder.path().join("alice.keytab").display().to_string();
    let query = format!("ktadd -k {path} -norandkey {user}");
    let made = bench
        .command("kadmin.local")
        .args(["-r", "PEERS.TEST", "-q", &query])
        .env("KRB5_KDC_PROFILE", bench.kdc.folder.path().join("kdc.conf"))
        .env("PATH", "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin")
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn by_keytab(bench: &Bench, user: &str, path: &str) {
    bench.write(
        "credentials.yml",
        &format!(
            "version: 1\ncredentials:\n  default: {{ type: keytab, username: \"{user}\", \
             path: \"{path}\" }}\n"
        ),
    );
}

#[test]
fn peers_every_form_of_host_is_read_by_the_keys_in_a_file() {
    let Some(bench) = Bench::start(&hosts()) else { return };
    let path = keytab(&bench, "alice");
    by_keytab(&bench, ALICE, &path);
    let text = bench.expect(&PLAN, "", 0);
    assert!(text.contains("8 values"), "{text}");
    assert_eq!(bench.logons(), 4);
    assert_eq!(bench.kdc.asked(), 1, "one set of tickets serves all hosts");
    // Somebody whose keys the file does not hold: nobody is asked.
    by_keytab(&bench, "wsuser@PEERS.TEST", &path);
    let text = bench.expect(&PLAN, "", 7);
    assert!(text.contains("klist -k"), "{text}");
    assert_eq!(bench.kdc.asked(), 1);
}

#[test]
fn peers_keys_of_an_old_password_are_tried_once_and_never_at_a_host() {
    let Some(bench) = Bench::start(&hosts()) else { return };
    let path = keytab(&bench, "alice");
    by_keytab(&bench, ALICE, &path);
    let changed = bench
        .command("kadmin.local")
        .args(["-r", "PEERS.TEST", "-q", "cpw -pw Another1! alice"])
        .env("KRB5_KDC_PROFILE", bench.kdc.folder.path().join("kdc.conf"))
        .env("PATH", "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin")
        .output()
        .unwrap();
    assert!(changed.status.success(), "{changed:?}");
    let text = bench.expect(&PLAN, "", 77);
    assert!(text.contains("keytab"), "{text}");
    assert_eq!(bench.kdc.asked(), 1);
    assert_eq!(bench.logons(), 0);
}

/// A TLS endpoint in between: it shows its own certificate and forwards what it hears.
fn between(port: u16, shown: std::sync::Arc<rustls::ServerConfig>, roots: &str) -> u16 {
    use rustls::pki_types::pem::PemObject as _;
    let mut trusted = rustls::RootCertStore::empty();
    trusted.add(rustls::pki_types::CertificateDer::from_pem_file(roots).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let client = std::sync::Arc::new(client);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let near = rustls::ServerConnection::new(std::sync::Arc::clone(&shown)).unwrap();
            let mut near = rustls::StreamOwned::new(near, socket.unwrap());
            let far = rustls::ClientConnection::new(
                std::sync::Arc::clone(&client),
                "localhost".try_into().unwrap(),
            );
            let socket = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            let mut far = rustls::StreamOwned::new(far.unwrap(), socket);
            std::thread::spawn(move || {
                while pass(&mut near, &mut far).is_ok() && pass(&mut far, &mut near).is_ok() {}
            });
        }
    });
    own
}

/// One HTTP message, as long as its Content-Length says.
pub(crate) fn pass(
    from: &mut impl std::io::Read,
    to: &mut impl std::io::Write,
) -> std::io::Result<()> {
    let mut message = Vec::new();
    while !message.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        message.extend(byte);
    }
    let head = String::from_utf8_lossy(&message).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    from.read_exact(&mut body)?;
    message.extend(body);
    to.write_all(&message)?;
    to.flush()
}

#[test]
fn peers_kerberos_over_tls_is_bound_to_the_certificate_that_the_host_has() {
    let authority = crate::certificates::Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let identity = authority.issue("localhost", (2020, 2099));
    let (certificate, key) = identity.files(folder.path());
    let host = |name: &str, epa: &str, offers: &[&str]| {
        json!({"name": name, "roles": ["fileserver"], "epa": epa, "wsman_auth": offers,
               "listen": [{"address": "127.0.0.1:0", "tls": [certificate, key]}]})
    };
    let hosts = json!([
        host("FS01", "strict", &["negotiate", "kerberos"]),
        host("FS02", "relaxed", &["kerberos"]),
        host("FS03", "off", &["negotiate"]),
    ]);
    let Some(bench) = Bench::start(&hosts) else { return };
    bench.kinit();
    let inventory = |ports: &[(&str, u16)]| {
        let mut text = format!(
            "all:\n  vars:\n    rms_tenant_url: {TENANT}\n    \
             rms_connector_url: http://rmsconnector.contoso.com\n    \
             ansible_winrm_scheme: https\n    ansible_winrm_transport: kerberos\n    \
             ansible_host: localhost\n    rms_ca_file: {}\n    rms_role: fci\n  hosts:\n",
            authority.file()
        );
        for (name, port) in ports {
            let _ = writeln!(text, "    {name}: {{ ansible_port: {port} }}");
        }
        bench.write("inventory.yml", &text);
    };
    let port = |name: &str| bench.server.port(name);
    inventory(&["FS01", "FS02", "FS03"].map(|name| (name, port(name))));
    bench.expect(&PLAN, "", 0);
    assert_eq!(bench.logons(), 3);
    // Somebody in between shows another certificate of the same authority.
    let other = authority.issue("localhost", (2020, 2099));
    let shown = || other.server(&other.key, &[&rustls::version::TLS13, &rustls::version::TLS12]);
    for (name, exit) in [("FS01", 7), ("FS02", 7), ("FS03", 0)] {
        let port = between(port(name), shown(), &authority.file());
        inventory(&[(name, port)]);
        let text = bench.expect(&PLAN, "", exit);
        assert_eq!(text.contains("channel binding"), exit != 0, "{name}: {text}");
    }
}
