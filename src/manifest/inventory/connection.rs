//! The `ansible_*` connection names to an [`Endpoint`].
//!
//! As Ansible does: port 5986 unless given; the scheme follows the port (5985 is http, everything
//! else https) unless given; `ansible_psrp_*` names count when `ansible_connection` is `psrp`,
//! `ansible_winrm_*` otherwise. Without a transport it is `negotiate`: Ansible chooses by the look
//! of the user name, which is one rule too many; `negotiate` takes a ticket if there is one.

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::inventory::BasicScope;
use crate::manifest::inventory::draft::Level;
use crate::manifest::inventory::keys;
use crate::manifest::inventory::resolve::Resolved;
use crate::manifest::inventory::trust;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::tree::Node;
use crate::model::host::Endpoint;
use crate::model::host::Scheme;
use crate::model::host::Spn;
use crate::model::host::Transport;
use crate::model::tls::ClientCertificate;
use crate::model::tls::TlsTrust;

/// Seconds to reach a host, unless the inventory says otherwise.
const CONNECT_TIMEOUT: u32 = 15;
/// WS-Man OperationTimeout in seconds, unless the inventory says otherwise.
const OPERATION_TIMEOUT: u32 = 60;

/// How a host is reached.
pub(super) struct Connection {
    pub(super) endpoint: Endpoint,
    /// What holds for the host's other https endpoints too.
    pub(super) trust: TlsTrust,
    pub(super) user: Option<String>,
    pub(super) connect_timeout: u32,
    pub(super) operation_timeout: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plugin {
    Winrm,
    Psrp,
}

pub(super) fn read(
    name: &str,
    variables: &Resolved<'_>,
    basic: BasicScope,
    diagnostics: &mut Diagnostics,
) -> Connection {
    let mut reader = Reader { variables, diagnostics };
    let plugin = reader.read("ansible_connection", plugin).unwrap_or(Plugin::Winrm);
    let pick = |winrm: &'static str, psrp: &'static str| match plugin {
        Plugin::Winrm => winrm,
        Plugin::Psrp => psrp,
    };
    let address = reader.read("ansible_host", address).unwrap_or_else(|| name.to_owned());
    let port = reader.read("ansible_port", port).unwrap_or(5986);
    let by_port = if port == 5985 { Scheme::Http } else { Scheme::Https };
    let scheme = reader
        .read(pick("ansible_winrm_scheme", "ansible_psrp_protocol"), scheme)
        .unwrap_or(by_port);
    let transport_key = pick("ansible_winrm_transport", "ansible_psrp_auth");
    let transport = reader.read(transport_key, transport).unwrap_or(Transport::Negotiate);
    let transport = scoped(transport, scheme, basic);
    if transport == Transport::Basic && scheme == Scheme::Http {
        reader.complain(
            transport_key,
            "sends the password in clear text over http",
            "use `negotiate`, or https with `ansible_port: 5986`; in a test network, \
             `--danger-basic-over-http` lets it pass",
        );
    }
    // Complained about where it is written, as all keys of ours.
    let class = variables.get("rms_spn_class").filter(|found| !found.broken);
    let class = class.and_then(|found| keys::spn_class(&found.value).ok()).unwrap_or_default();
    let host = reader.read("ansible_winrm_kerberos_hostname_override", self::address);
    let path = reader
        .read(pick("ansible_winrm_path", "ansible_psrp_path"), path)
        .unwrap_or_else(|| "/wsman".to_owned());
    let names = match plugin {
        Plugin::Winrm => trust::WINRM,
        Plugin::Psrp => trust::PSRP,
    };
    let trust = trust::read(&mut reader, &names);
    let client = match transport {
        Transport::Certificate => client(
            &mut reader,
            transport_key,
            scheme,
            pick("ansible_winrm_cert_pem", "ansible_psrp_certificate_pem"),
            pick("ansible_winrm_cert_key_pem", "ansible_psrp_certificate_key_pem"),
        ),
        Transport::Ntlm
        | Transport::Negotiate
        | Transport::Kerberos
        | Transport::Basic
        | Transport::BasicInClear => None,
    };
    let seconds = |node: &Node| scalar::integer(node, 1, 3600);
    let operation_key =
        pick("ansible_winrm_operation_timeout_sec", "ansible_psrp_operation_timeout");
    let operation = reader.read(operation_key, seconds);
    let read_key = pick("ansible_winrm_read_timeout_sec", "ansible_psrp_read_timeout");
    let read = reader.read(read_key, seconds);
    if let (Some(read), Some(operation)) = (read, operation)
        && read <= operation
    {
        reader.complain(
            read_key,
            &format!("must be longer than `{operation_key}`, which is {operation}"),
            &format!("write {} or more", operation.saturating_add(10)),
        );
    }
    let connect = reader
        .read(pick("ansible_winrm_connection_timeout", "ansible_psrp_connection_timeout"), seconds);
    let user = reader.read("ansible_user", |node| scalar::text(node).map(str::to_owned));
    Connection {
        endpoint: Endpoint {
            scheme,
            address,
            port,
            path,
            transport,
            tls: of(scheme, &trust),
            spn: Spn { class, host },
            client,
        },
        trust,
        user,
        connect_timeout: connect.unwrap_or(CONNECT_TIMEOUT),
        operation_timeout: operation.unwrap_or(OPERATION_TIMEOUT),
    }
}

/// The files of a client certificate, where the transport wants one.
fn client(
    reader: &mut Reader<'_, '_>,
    transport_key: &str,
    scheme: Scheme,
    certificate_key: &str,
    key_key: &str,
) -> Option<ClientCertificate> {
    if scheme == Scheme::Http {
        reader.complain(
            transport_key,
            "shows its certificate in the TLS handshake, and http has none",
            "use https with `ansible_port: 5986`",
        );
    }
    let path = |node: &Node| scalar::text(node).map(str::to_owned);
    let certificate = reader.read(certificate_key, path);
    let key = reader.read(key_key, path);
    for (name, found) in [(certificate_key, &certificate), (key_key, &key)] {
        if found.is_none() && reader.level(name).is_none() {
            reader.complain(
                transport_key,
                &format!("needs `{name}`"),
                "give the certificate and its key as two PEM files",
            );
        }
    }
    Some(ClientCertificate { certificate: certificate?, key: key? })
}

/// Basic over http is another transport, and only where somebody asked for it by name.
pub(super) fn scoped(transport: Transport, scheme: Scheme, basic: BasicScope) -> Transport {
    match (transport, scheme, basic) {
        (Transport::Basic, Scheme::Http, BasicScope::Anywhere) => Transport::BasicInClear,
        (transport, _, _) => transport,
    }
}

/// What is trusted at an endpoint; without TLS there is nothing to say.
pub(super) fn of(scheme: Scheme, trust: &TlsTrust) -> TlsTrust {
    match scheme {
        Scheme::Http => TlsTrust::default(),
        Scheme::Https => trust.clone(),
    }
}

pub(super) struct Reader<'r, 'd> {
    variables: &'r Resolved<'d>,
    diagnostics: &'r mut Diagnostics,
}

impl Reader<'_, '_> {
    pub(super) fn read<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Node) -> Result<T, Mismatch>,
    ) -> Option<T> {
        let found = self.variables.get(key)?;
        let result = if keys::is_template(&found.value) {
            Err(Mismatch::new("holds a template")
                .help("write the value itself; inventories are not templated".to_owned()))
        } else {
            read(&found.value)
        };
        match result {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.diagnostics.push(wrong.of_value(&found.key, &found.value));
                None
            }
        }
    }

    /// A value that was checked where it is written; one that failed there counts as not given.
    pub(super) fn checked<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Node) -> Result<T, Mismatch>,
    ) -> Option<T> {
        let found = self.variables.get(key).filter(|found| !found.broken)?;
        read(&found.value).ok()
    }

    /// Where the definition that holds comes from.
    pub(super) fn level(&self, key: &str) -> Option<&Level> {
        self.variables.get(key).map(|found| &found.level)
    }

    fn complain(&mut self, key: &str, what: &str, help: &str) {
        if let Some(found) = self.variables.get(key) {
            self.diagnostics.push(
                Diagnostic::error(found.value.span, format!("`{key}` {what}"))
                    .help(help.to_owned()),
            );
        }
    }

    pub(super) fn warn(&mut self, key: &str, what: &str) {
        if let Some(found) = self.variables.get(key) {
            let message = format!("`{key}` {what}");
            self.diagnostics.push(Diagnostic::warning(found.value.span, message));
        }
    }
}

fn plugin(node: &Node) -> Result<Plugin, Mismatch> {
    let words = [
        ("winrm", Plugin::Winrm),
        ("psrp", Plugin::Psrp),
        ("ansible.builtin.winrm", Plugin::Winrm),
        ("ansible.builtin.psrp", Plugin::Psrp),
    ];
    scalar::choice(node, &words).map_err(|_| {
        Mismatch::new(format!(
            "needs `winrm` or `psrp` for a host with a role, found {}",
            node.kind()
        ))
        .help("write `winrm`, or take `rms_role` away from this host".to_owned())
    })
}

/// A DNS name, an IPv4 or an IPv6 address.
fn address(node: &Node) -> Result<String, Mismatch> {
    let text = scalar::text(node)?;
    let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '%');
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let colons = bare.matches(':').count();
    if bare.len() <= 253 && bare.chars().all(letter) && colons != 1 {
        return Ok(bare.to_owned());
    }
    let help = match (text.contains("://"), colons == 1) {
        (true, _) => "write the name or address only; the scheme is `ansible_winrm_scheme`",
        (false, true) => "write the name or address only; the port is `ansible_port`",
        (false, false) => "write a name or an address, such as `10.0.0.7`",
    };
    Err(Mismatch::new(format!("needs a host name or address, found {}", node.kind()))
        .help(help.to_owned()))
}

fn port(node: &Node) -> Result<u16, Mismatch> {
    scalar::integer(node, 1, 65_535)
        .and_then(|port| u16::try_from(port).map_err(|_| Mismatch::new("needs a port")))
}

fn scheme(node: &Node) -> Result<Scheme, Mismatch> {
    scalar::choice(node, &[("http", Scheme::Http), ("https", Scheme::Https)])
}

fn transport(node: &Node) -> Result<Transport, Mismatch> {
    let words = [
        ("ntlm", Transport::Ntlm),
        ("negotiate", Transport::Negotiate),
        ("kerberos", Transport::Kerberos),
        ("basic", Transport::Basic),
        ("certificate", Transport::Certificate),
    ];
    let result = scalar::choice(node, &words);
    result.map_err(|wrong| match node.inline().as_str() {
        word @ ("credssp" | "ssl" | "plaintext") => {
            Mismatch::new(format!("`{word}` is not supported by this version")).help(
                "use `negotiate`, `kerberos`, `ntlm`, or over https `basic` or `certificate`"
                    .to_owned(),
            )
        }
        _ => wrong,
    })
}

/// With its leading slash; Ansible writes `wsman` for psrp.
fn path(node: &Node) -> Result<String, Mismatch> {
    let text = scalar::text(node)?;
    if text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\')) {
        Ok(format!("/{}", text.trim_start_matches('/')))
    } else {
        Err(Mismatch::new(format!("needs the path of a URL, found {}", node.kind())))
    }
}
