//! The recipe of `doctor`: from the name to the Exchange endpoint, one check on top of the other.

use std::future::Future;
use std::net::IpAddr;

use jiff::SignedDuration;

use crate::host::diagnosis;
use crate::host::exchange;
use crate::host::identity;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::link::Shell;
use crate::host::link::Target;
use crate::host::registry;
use crate::host::registry::unexpected;
use crate::model::checkup::Check;
use crate::model::checkup::Checkup;
use crate::model::checkup::Trouble;
use crate::model::facts::Access;
use crate::model::host::Scheme;
use crate::wire::operation::Answer;
use crate::wire::operation::Read;

use crate::host::doctor::sheet::Sheet;
use crate::host::doctor::sheet::trouble;

pub use crate::host::doctor::found::Greeting;
pub use crate::host::doctor::found::Patient;
pub use crate::host::doctor::found::Shown;
pub use crate::host::doctor::found::Words;

mod found;
mod service;
mod sheet;

/// What is looked at before anybody logs on, besides [`Connect`].
pub trait Bedside: Connect {
    /// The account's name, as it will be sent.
    fn user(&self, target: &Target) -> Option<String>;

    /// The addresses of the target's name, at least one.
    fn resolve(
        &self,
        target: &Target,
    ) -> impl Future<Output = Result<Vec<IpAddr>, HostError>> + Send;

    /// The TLS handshake alone.
    fn shake(&self, target: &Target) -> impl Future<Output = Result<Shown, HostError>> + Send;

    /// The service principal that a ticket will be asked for; `None` where the logon asks for none.
    fn service(&self, target: &Target) -> Option<String>;

    /// Anonymous Identify, whatever the reply is.
    fn greet(&self, target: &Target) -> impl Future<Output = Result<Greeting, HostError>> + Send;
}

/// Examines one host. Nothing is written to it, and after a refused logon there is no other.
pub async fn examine<B: Bedside>(bedside: &B, clock: &impl Clock, patient: &Patient) -> Checkup {
    let mut sheet = Sheet::default();
    // What ends the walk is on the sheet already.
    let (Ok(()) | Err(Stopped)) = walk(bedside, clock, patient, &mut sheet).await;
    sheet.close(patient)
}

/// A check failed that everything after it rests on.
struct Stopped;

async fn walk<B: Bedside>(
    bedside: &B,
    clock: &impl Clock,
    patient: &Patient,
    sheet: &mut Sheet,
) -> Result<(), Stopped> {
    let target = &patient.target;
    let skew = reach(bedside, clock, target, sheet).await?;
    let user = bedside.user(target);
    let service = bedside.service(target);
    let mut link = match (bedside.connect(target).await, &service) {
        (Ok(link), service) => {
            if let Some(service) = service {
                sheet.ok(Check::Spn, format!("the domain's ticket for {service} is taken"));
            }
            link
        }
        // Before the host was asked anything: the ticket is what failed.
        (Err(error @ HostError::Unsupported(_)), Some(service)) => {
            let remedy = diagnosis::ticket(service);
            return Err(sheet.fail(Check::Spn, Trouble::Wrong, error.failure().text(), remedy));
        }
        (Err(error), _) => {
            if let HostError::TicketRefused { service, .. } = &error {
                sheet.ok(Check::Spn, format!("the domain gives a ticket for {service}"));
            }
            return Err(sheet.logon(Check::Logon, &error, target, skew));
        }
    };
    let who = user.as_deref().unwrap_or("the account");
    match first_words(&mut link).await {
        Ok(version) => {
            let protected = match target.endpoint.scheme {
                Scheme::Http => "messages are encrypted",
                Scheme::Https => "messages go over TLS",
            };
            sheet.ok(Check::Logon, format!("`{who}` is let in; {protected}; {version}"));
        }
        Err(error) => return Err(sheet.call(Check::Logon, &error, user.as_deref())),
    }
    let host_time = match identity::read(&mut link).await {
        Err(error) => return Err(sheet.call(Check::Identity, &error, user.as_deref())),
        Ok((found, os)) => {
            if let Err(text) = identity::fits(&target.host, &found) {
                let remedy = "the name leads to another computer: check DNS, `ansible_host` and \
                              aliases";
                return Err(sheet.fail(Check::Identity, Trouble::Wrong, text, vec![remedy.into()]));
            }
            let domain = found.domain.as_deref().unwrap_or("no domain");
            let seen = format!("{} in {domain}, {}", found.computer, os.caption);
            sheet.ok(Check::Identity, seen);
            os.local_time
        }
    };
    sheet.clock(host_time.duration_since(clock.now()));
    if !patient.access.is_empty() {
        rights(&mut link, patient, user.as_deref(), sheet).await;
    }
    service::examine(&mut link, sheet).await;
    second(bedside, target, user.as_deref(), sheet).await?;
    drop(link);
    if let Some(target) = &patient.exchange {
        endpoint(bedside, target, sheet).await;
    }
    Ok(())
}

/// Name, TCP and HTTP: everything that costs no logon. What the clocks differ by, if told.
async fn reach<B: Bedside>(
    bedside: &B,
    clock: &impl Clock,
    target: &Target,
    sheet: &mut Sheet,
) -> Result<Option<SignedDuration>, Stopped> {
    let endpoint = &target.endpoint;
    match bedside.resolve(target).await {
        Ok(addresses) => {
            let seen = if endpoint.address.parse::<IpAddr>().is_ok() {
                format!("{} is an address, no name to look up", endpoint.address)
            } else {
                let list: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
                format!("{} is {}", endpoint.address, list.join(", "))
            };
            sheet.ok(Check::Name, seen);
        }
        Err(error) => {
            let remedy = format!(
                "`{}` has no address here: check its spelling and this workstation's DNS, or set \
                 `ansible_host`",
                endpoint.address
            );
            return Err(sheet.unreachable(Check::Name, &error, remedy));
        }
    }
    match bedside.dial(target).await {
        Ok(address) => sheet.ok(Check::Tcp, format!("{address} takes connections")),
        Err(error) => {
            let remedy = format!(
                "is the host up, WinRM running (`Enable-PSRemoting`), and port {} open in every \
                 firewall on the way? the rule for public networks lets only the own subnet in",
                endpoint.port
            );
            return Err(sheet.unreachable(Check::Tcp, &error, remedy));
        }
    }
    if endpoint.scheme == Scheme::Https {
        match bedside.shake(target).await {
            Ok(shown) => sheet.ok(Check::Tls, shown.words(&endpoint.tls, clock.now())),
            Err(error @ HostError::Unsupported(_)) => {
                return Err(sheet.call(Check::Tls, &error, None));
            }
            Err(error) => {
                let remedy = "is there an HTTPS listener with this certificate? `winrm enumerate \
                              winrm/config/listener` on the host shows port, name and thumbprint";
                return Err(sheet.fail(
                    Check::Tls,
                    Trouble::Wrong,
                    error.failure().text(),
                    vec![remedy.to_owned()],
                ));
            }
        }
    }
    let greeting = match bedside.greet(target).await {
        Ok(greeting) => greeting,
        Err(error @ HostError::Unsupported(_)) => {
            return Err(sheet.call(Check::Http, &error, None));
        }
        Err(error) => {
            let remedy = "the port is open and HTTP is silent: the host may be starting, a \
                          firewall may look into connections, or the port speaks HTTPS";
            return Err(sheet.unreachable(Check::Http, &error, remedy.to_owned()));
        }
    };
    let skew = greeting.date.map(|date| date.duration_since(clock.now()));
    sheet.dated(skew);
    match greeting.words {
        Words::Identified { vendor, version } => {
            sheet.ok(Check::Http, format!("WS-Management of {vendor}, {version}"));
        }
        // HTTP works; whether it is WS-Management, the logon will tell.
        Words::Status(401) => {
            sheet.ok(Check::Http, "answers, and wants a logon even for Identify".to_owned());
        }
        // Some servers answer no request without a logon; one that is ill says nothing to that either.
        Words::Silence => sheet.ok(
            Check::Http,
            "takes the connection and says nothing without a logon: the logon will tell".to_owned(),
        ),
        Words::Status(status) => {
            let remedy = diagnosis::status(status, target);
            let seen = format!("HTTP {status} to an anonymous Identify");
            return Err(sheet.fail(Check::Http, Trouble::Wrong, seen, remedy));
        }
        Words::Nonsense(text) => {
            let remedy = vec!["this is not WS-Management: check port and path".to_owned()];
            return Err(sheet.fail(Check::Http, Trouble::Wrong, text, remedy));
        }
    }
    Ok(skew)
}

/// The first sealed message and its sealed answer.
async fn first_words(link: &mut impl Reader) -> Result<String, HostError> {
    match link.read(&Read::Identify).await? {
        Answer::Identity { version, .. } => Ok(version),
        other => Err(unexpected("an identity", &other)),
    }
}

async fn rights(link: &mut impl Reader, patient: &Patient, user: Option<&str>, sheet: &mut Sheet) {
    let mut refused = Vec::new();
    for key in &patient.access {
        match registry::observe_access(link, key).await {
            Ok(Access::Granted) => {}
            Ok(Access::Denied) => refused.push(format!("`{key}` may not be written")),
            Ok(Access::NoKey) => refused.push(format!("`{key}` has no ancestor on this host")),
            Ok(Access::Unreadable(why)) => refused.push(format!("`{key}` tells nothing: {why}")),
            Err(error) => {
                sheet.call(Check::Rights, &error, user);
                return;
            }
        }
    }
    if refused.is_empty() {
        let count = patient.access.len();
        let keys = if count == 1 { "the key" } else { "all keys" };
        sheet.ok(Check::Rights, format!("{keys} of the role may be written ({count})"));
        return;
    }
    let remedy = "make the account a member of the host's Administrators group, or give it Full \
                  Control of the keys; look for an agent that guards them";
    sheet.fail(Check::Rights, Trouble::Wrong, refused.join("; "), vec![remedy.to_owned()]);
}

/// A second connection while the first is open.
async fn second<B: Bedside>(
    bedside: &B,
    target: &Target,
    user: Option<&str>,
    sheet: &mut Sheet,
) -> Result<(), Stopped> {
    let mut link = match bedside.connect(target).await {
        Ok(link) => link,
        Err(
            error @ (HostError::Denied { .. }
            | HostError::TicketRefused { .. }
            | HostError::Guarded { .. }),
        ) => {
            return Err(sheet.logon(Check::Quota, &error, target, None));
        }
        Err(error) => {
            sheet.quota(&error, user);
            return Ok(());
        }
    };
    match first_words(&mut link).await {
        Ok(_) => {
            let limits = limits(&mut link).await;
            let seen = format!("a second connection is let in beside the first; {limits}");
            sheet.ok(Check::Quota, seen);
        }
        Err(error) => sheet.quota(&error, user),
    }
    Ok(())
}

/// What the service allows one account, in its own words; who may not read it loses nothing.
async fn limits(link: &mut impl Reader) -> String {
    let told = match link.read(&Read::Settings).await {
        Ok(Answer::Settings(told)) => told,
        Ok(other) => return format!("limits not read: {}", unexpected("settings", &other)),
        Err(error) => return format!("limits not read: {}", error.failure().text()),
    };
    let mut parts: Vec<String> = [
        ("Service/MaxConnections", "connections"),
        ("Service/MaxConcurrentOperationsPerUser", "operations per user"),
        ("Winrs/MaxShellsPerUser", "shells per user"),
        ("MaxEnvelopeSizekb", "kB per message"),
    ]
    .into_iter()
    .filter_map(|(path, unit)| Some(format!("{} {unit}", told.get(path)?)))
    .collect();
    if told.get("Service/AllowUnencrypted").is_some_and(|value| value == "true") {
        parts.push("AllowUnencrypted is on, so that others may send in clear".to_owned());
    }
    if parts.is_empty() {
        return "limits not told".to_owned();
    }
    format!("at most {}", parts.join(", "))
}

/// Opens a pool, reads the IRM configuration, closes the pool.
async fn endpoint<B: Bedside>(bedside: &B, target: &Target, sheet: &mut Sheet) {
    let read = async {
        let mut shell = bedside.shell(target, exchange::CONFIGURATION).await?;
        let read = exchange::configuration(&mut shell).await;
        shell.close().await;
        read
    };
    match read.await {
        Ok((dn, irm)) => {
            let name = exchange::organisation_name(&dn).unwrap_or(dn);
            let on = |value| match value {
                Some(true) => "on",
                Some(false) => "off",
                None => "not told",
            };
            sheet.ok(
                Check::Exchange,
                format!(
                    "organisation {name}, internal licensing is {}",
                    on(irm.internal_licensing_enabled)
                ),
            );
        }
        Err(error) => {
            let remedy = diagnosis::exchange(&error, target);
            let trouble = trouble(&error);
            sheet.fail(Check::Exchange, trouble, error.failure().text(), remedy);
        }
    }
}

#[cfg(test)]
mod tests;
