//! What a bare refusal can mean, in words (`winrm.md` 5.4, 5.6 and 6): "the specified credentials
//! were rejected" hides at least six causes.

use std::net::IpAddr;

use jiff::SignedDuration;

use crate::host::link::HostError;
use crate::host::link::Target;
use crate::model::host::Scheme;
use crate::model::host::Transport;
use crate::wire::fault::Fault;

/// Clocks further apart than this fail Kerberos, and say that something is wrong at all.
pub const LARGEST_SKEW: SignedDuration = SignedDuration::from_mins(5);
/// NTLM's response is refused beyond this, should the host's own time not have been told.
const NTLM_SKEW: SignedDuration = SignedDuration::from_mins(30);
/// `ERROR_ACCESS_DENIED`, as code and as HRESULT.
const ACCESS_DENIED: [u32; 2] = [5, 0x8007_0005];

/// What to look at when a logon was refused with 401, the likeliest first.
///
/// `skew` is the host's clock minus ours where the anonymous answer told it.
pub fn refused(user: &str, target: &Target, skew: Option<SignedDuration>) -> Vec<String> {
    let endpoint = &target.endpoint;
    let local = is_local(user);
    let mut causes = Vec::new();
    if matches!(endpoint.transport, Transport::Basic | Transport::BasicInClear) && !local {
        causes.push(
            "Basic knows local accounts only, and this is a domain account: use negotiate or \
             kerberos"
                .to_owned(),
        );
    }
    let tolerated = match endpoint.transport {
        Transport::Kerberos => LARGEST_SKEW,
        Transport::Ntlm
        | Transport::Negotiate
        | Transport::Basic
        | Transport::BasicInClear
        | Transport::Certificate => NTLM_SKEW,
    };
    if let Some(skew) = skew.filter(|skew| skew.abs() > tolerated) {
        causes.push(format!("the host's clock is {} ours: set the time first", apart(skew)));
    }
    if endpoint.transport == Transport::Certificate {
        causes.extend(certificate());
        return causes;
    }
    causes.push(format!(
        "password or name: `{user}` may be mistyped, locked, disabled or expired; look at event \
         4625 in the host's Security log, its SubStatus tells which"
    ));
    if local {
        causes.push(format!(
            "`{user}` is taken as an account of the host itself; for a domain account write \
             `DOMAIN\\{}`",
            user.trim_start_matches(r".\")
        ));
    }
    match endpoint.transport {
        Transport::Ntlm | Transport::Negotiate => causes.push(
            "NTLM may be off for this account or host: policy `Restrict NTLM`, or the group \
             Protected Users; then only Kerberos works"
                .to_owned(),
        ),
        Transport::Kerberos => causes.push(kerberos(&endpoint.address)),
        Transport::Basic | Transport::BasicInClear | Transport::Certificate => causes.push(
            "Basic may be off: `winrm get winrm/config/service/auth` on the host shows it"
                .to_owned(),
        ),
    }
    if endpoint.scheme == Scheme::Https {
        causes.push(
            "channel binding: with CbtHardeningLevel Strict, or a proxy that ends TLS in between, \
             a right password is refused; compare the certificate seen here with the host's own"
                .to_owned(),
        );
    }
    causes.push(
        "the right `Access this computer from the network` may be missing or denied to the account"
            .to_owned(),
    );
    causes
}

/// Why a host does not take a client certificate (`winrm.md` 4.1).
fn certificate() -> [String; 3] {
    [
        "certificate logon may be off: `winrm get winrm/config/service/auth` on the host shows it"
            .to_owned(),
        "the certificate may be mapped to no account there: `winrm enumerate \
         winrm/config/service/certmapping`; Subject is the UPN in the certificate's alternative \
         names, Issuer the thumbprint of its authority"
            .to_owned(),
        "the account of the mapping must be a local one, and the mapping must hold its present \
         password"
            .to_owned(),
    ]
}

/// What to look at when HTTP answers with a status where WS-Management should.
pub fn status(status: u16, target: &Target) -> Vec<String> {
    let path = &target.endpoint.path;
    let say = |cause: &str| match status {
        404 | 405 => format!("check the path `{path}`: {cause}"),
        _ => cause.to_owned(),
    };
    bare(status).into_iter().map(say).collect()
}

/// What can be behind a status without a SOAP message, the likeliest first.
pub fn bare(status: u16) -> Vec<&'static str> {
    match status {
        401 => vec![
            "the logon was refused: a wrong password, a locked or disabled account, Basic with a \
             domain account, a service principal that belongs to another account, clocks more than \
             five minutes apart, or a missing channel binding",
            "a message came on a connection that nobody had logged on to yet",
            "another web site (IIS, Exchange) owns this port, or a proxy asks; WinRM's own port is \
             5985",
        ],
        400 => vec![
            "a security context that belongs to another connection, after a longer silence mostly",
            "another product listens on this port, or the message was altered",
        ],
        403 => vec![
            "the URL reservation or an address filter (IPv4Filter, IPv6Filter) forbids it",
            "with a client certificate: it is mapped to no account of the host",
        ],
        404 | 405 => vec![
            "WS-Management's is `/wsman` on 5985 and 5986, Exchange's `/PowerShell` on 80 and 443",
        ],
        411 | 502 | 504 => vec!["a proxy stands in between: connect to the host itself"],
        413 => vec![
            "the message is larger than MaxEnvelopeSizekb of the host, or than a proxy lets through",
        ],
        415 => vec![
            "the host wants another kind of encryption, or does not take a sealed message here",
        ],
        500 => vec![
            "the host got a message in clear and demands encryption (AllowUnencrypted is false)",
            "another web application answers at this path",
        ],
        503 => vec![
            "HTTP is up and WinRM is not: start the service (`Start-Service WinRM`), or wait while \
             the host is starting",
            "MaxConnections of the service is reached",
        ],
        300..=399 => vec!["a redirection: this is another web site, WS-Management uses none"],
        _ => vec!["this is not WS-Management: check port and path"],
    }
}

/// What to look at when there is no ticket for a service.
pub fn ticket(service: &str) -> Vec<String> {
    vec![
        format!(
            "`setspn -Q {service}` tells who has the service principal: nobody (a wrong name, an \
             alias), or two accounts"
        ),
        format!("`kvno {service}` asks for the same ticket, `klist` shows what is at hand"),
        "an HTTP/ principal that belongs to another service: set `rms_spn_class: WSMAN` or HOST"
            .to_owned(),
    ]
}

/// What to look at when a call over a connection that was let in did not end well.
pub fn call(error: &HostError, user: Option<&str>) -> Vec<String> {
    match error {
        HostError::Fault(fault) => of_fault(fault, user),
        HostError::NotConnected { .. } | HostError::Lost { .. } => vec![
            "the connection or its logon was lost: look at firewall inspection, a load balancer that \
             shares connections, the host's load, or whether it is restarting just now"
                .to_owned(),
        ],
        HostError::Unexpected { .. } => vec![
            "a bare 500 or 401 to an encrypted message means that something in between alters \
             messages, or that the host wants another kind of encryption: take the proxy out, and \
             compare `winrm get winrm/config/service`"
                .to_owned(),
        ],
        HostError::Cmdlet { .. } => vec![
            "the account needs an Exchange role that holds the cmdlet (Organization Management, or \
             View-Only for reading)"
                .to_owned(),
        ],
        // Its own words say what to do.
        HostError::TicketRefused { .. }
        | HostError::Denied { .. }
        | HostError::Guarded { .. }
        | HostError::Unsupported(_) => Vec::new(),
    }
}

/// What to look at when the Exchange endpoint does not open, though the host itself lets the account
/// in.
pub fn exchange(error: &HostError, target: &Target) -> Vec<String> {
    let url = target.endpoint.url();
    let mut remedy = match error {
        HostError::NotConnected { .. } | HostError::Lost { .. } => {
            vec![format!("check `rms_exchange_url`: `{url}` is IIS's, port 80 or 443, not WinRM's")]
        }
        HostError::Denied { .. } => vec![
            "IIS has settings of its own: Windows authentication must be on for the virtual \
             directory PowerShell, and the user must have RemotePowerShellEnabled"
                .to_owned(),
        ],
        HostError::Unexpected { .. } => vec![format!(
            "is `{url}` really the virtual directory PowerShell? `Get-PowerShellVirtualDirectory \
             | fl InternalUrl,*Authentication` tells"
        )],
        HostError::Fault(_)
        | HostError::TicketRefused { .. }
        | HostError::Guarded { .. }
        | HostError::Cmdlet { .. }
        | HostError::Unsupported(_) => Vec::new(),
    };
    match error {
        HostError::Fault(_) | HostError::Cmdlet { .. } => remedy.extend(call(error, None)),
        HostError::NotConnected { .. }
        | HostError::Lost { .. }
        | HostError::Denied { .. }
        | HostError::TicketRefused { .. }
        | HostError::Unexpected { .. }
        | HostError::Guarded { .. }
        | HostError::Unsupported(_) => {}
    }
    remedy
}

/// `3 h 2 min behind`, `12 s ahead of`.
pub fn apart(skew: SignedDuration) -> String {
    let seconds = skew.abs().as_secs();
    let amount = match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    };
    let side = if skew.is_negative() { "behind" } else { "ahead of" };
    format!("{amount} {side}")
}

fn of_fault(fault: &Fault, user: Option<&str>) -> Vec<String> {
    let known = fault.meaning();
    let mut remedy: Vec<String> = known
        .map(|entry| format!("{}; {}", entry.meaning, entry.remedy))
        .into_iter()
        .chain(
            known
                .filter(|entry| !ACCESS_DENIED.contains(&entry.code))
                .map(|entry| entry.cause.to_owned()),
        )
        .collect();
    if fault.code.is_some_and(|code| ACCESS_DENIED.contains(&code)) {
        if user.is_some_and(is_local) {
            remedy.push(
                "a local account other than the built-in Administrator gets a filtered token over \
                 the network: use a domain account, or set LocalAccountTokenFilterPolicy to 1"
                    .to_owned(),
            );
        }
        remedy.push("make the account a member of the host's Administrators group".to_owned());
    }
    remedy
}

fn kerberos(address: &str) -> String {
    if address.parse::<IpAddr>().is_ok() {
        return "Kerberos knows no service at an address: write the host's name".to_owned();
    }
    format!(
        "the service principal `HTTP/{address}` may be missing or owned by another account (an \
         application pool, say): `setspn -Q HTTP/{address}` tells"
    )
}

/// Without a domain, or with the dot that stands for the host itself.
fn is_local(user: &str) -> bool {
    user.starts_with(r".\") || !(user.contains('\\') || user.contains('@'))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::host::Endpoint;
    use crate::model::host::HostName;

    fn target(scheme: Scheme, transport: Transport, address: &str) -> Target {
        Target {
            host: HostName::new("FS01"),
            endpoint: Endpoint {
                scheme,
                address: address.to_owned(),
                port: 5985,
                path: "/wsman".to_owned(),
                transport,
                tls: crate::model::tls::TlsTrust::default(),
                spn: crate::model::host::Spn::default(),
                client: None,
            },
            credential: "default".to_owned(),
            user: None,
            connect_timeout: Duration::from_secs(1),
            operation_timeout: Duration::from_secs(1),
        }
    }

    #[track_caller]
    fn check(user: &str, target: &Target, skew: i64, said: &[&str], unsaid: &[&str]) {
        let text = refused(user, target, Some(SignedDuration::from_secs(skew))).join("\n");
        for word in said {
            assert!(text.contains(word), "`{word}` is missing:\n{text}");
        }
        for word in unsaid {
            assert!(!text.contains(word), "`{word}` is out of place:\n{text}");
        }
    }

    #[test]
    fn a_refusal_names_what_can_be_behind_it_and_nothing_else() {
        let ntlm = target(Scheme::Http, Transport::Ntlm, "fs01");
        let others = ["Basic", "channel binding", "principal", "clock", "account of the host"];
        check(r"CORP\anna", &ntlm, 60, &["4625", "Protected Users"], &others);
        check("anna", &ntlm, 0, &["account of the host itself", r"DOMAIN\anna"], &["Basic"]);
        check(r"CORP\anna", &ntlm, -7800, &["2 h 10 min behind ours"], &[]);
        let https = target(Scheme::Https, Transport::Basic, "fs01");
        check(r"CORP\anna", &https, 0, &["local accounts only", "channel binding"], &["NTLM"]);
        let kerberos = target(Scheme::Http, Transport::Kerberos, "fs01");
        check("a@b.c", &kerberos, 400, &["HTTP/fs01", "6 min ahead of ours"], &["NTLM"]);
        let address = target(Scheme::Http, Transport::Kerberos, "10.0.0.1");
        check("a@b.c", &address, 0, &["no service at an address"], &["setspn"]);
    }

    #[test]
    fn access_denied_after_a_logon_means_a_filtered_token_only_for_local_accounts() {
        let fault = Fault { code: Some(5), ..Fault::default() };
        let text = |user| call(&HostError::Fault(Box::new(fault.clone())), Some(user)).join("\n");
        assert!(text("admin").contains("LocalAccountTokenFilterPolicy"));
        assert!(!text(r"CORP\admin").contains("LocalAccountTokenFilterPolicy"));
        assert!(text(r"CORP\admin").contains("Administrators"));
    }

    #[test]
    fn every_status_of_the_table_has_its_causes() {
        let check = |status, word: &str| {
            let text = bare(status).join("\n");
            assert!(text.contains(word), "{status}: {text}");
        };
        check(400, "another connection");
        for word in ["Basic with a domain", "service principal", "clocks", "channel binding"] {
            check(401, word);
        }
        check(403, "IPv4Filter");
        check(404, "`/wsman`");
        check(411, "proxy");
        check(413, "MaxEnvelopeSizekb");
        check(503, "Start-Service WinRM");
    }

    #[test]
    fn a_bare_500_is_about_encryption() {
        let target = target(Scheme::Http, Transport::Ntlm, "fs01");
        assert!(status(500, &target).join("").contains("AllowUnencrypted"));
        assert!(status(404, &target).join("").contains("`/wsman`"));
    }
}
