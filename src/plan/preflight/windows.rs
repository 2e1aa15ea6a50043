//! The operating system, and what must not run on it.

use crate::model::facts::Observation;
use crate::model::facts::OperatingSystem;
use crate::model::preflight::Check;
use crate::model::probe::Probe;
use crate::model::product::Role;
use crate::model::registry::KeyPath;
use crate::model::registry::Listing;
use crate::plan::preflight::Case;
use crate::plan::preflight::Line;
use crate::plan::preflight::Outcome;

/// What a connector's setup leaves (`connector.md` 3.1).
const CONNECTOR: &str = r"SOFTWARE\Microsoft\AADRM\Connector";
const OS: &str = "Win32_OperatingSystem";
const WORKSTATION: u32 = 1;
const DOMAIN_CONTROLLER: u32 = 2;
/// A clock may differ by this much, in seconds; Kerberos bears no more.
pub(crate) const CLOCK_SKEW: i64 = 300;

pub(super) fn ask(role: Role, probe: &mut Probe) {
    if role != Role::Connector {
        probe.listings.insert(KeyPath::new(CONNECTOR));
    }
}

pub(super) fn lines(case: Case<'_>) -> Vec<Line> {
    let mut lines = vec![supported(case), domain_controller(case.observation), clock(case)];
    if case.role != Role::Connector {
        lines.push(connector(case));
    }
    lines
}

fn supported(case: Case<'_>) -> Line {
    let os = &case.observation.os;
    let least = match case.role {
        Role::Exchange | Role::Sharepoint => (6, 0),
        Role::Fci | Role::Connector => (6, 2),
    };
    let expected = match case.role {
        Role::Exchange | Role::Sharepoint => "a Windows Server",
        Role::Fci => "Windows Server 2012 or later (6.2)",
        Role::Connector => "Windows Server 2012 or later (6.2), 2019 at most by the documents",
    };
    let found = format!("{} ({})", os.caption, os.version);
    let outcome = match version(os) {
        _ if os.product_type == WORKSTATION => Outcome::Bad,
        Some(version) if version >= least => Outcome::Good,
        Some(_) => Outcome::Bad,
        None => Outcome::Unread,
    };
    Line::new(Check::OsSupported, outcome, expected, found, format!("{OS}.Version"))
}

/// Major and minor version of Windows.
pub(super) fn version(os: &OperatingSystem) -> Option<(u32, u32)> {
    let mut parts = os.version.split('.').map(|part| part.parse::<u32>().ok());
    Some((parts.next()??, parts.next()??))
}

fn domain_controller(observation: &Observation) -> Line {
    let (outcome, found) = match observation.os.product_type {
        DOMAIN_CONTROLLER => (Outcome::Bad, "a domain controller"),
        WORKSTATION => (Outcome::Good, "a workstation"),
        _ => (Outcome::Good, "a server that is none"),
    };
    let source = format!("{OS}.ProductType");
    Line::new(Check::NotDomainController, outcome, "no domain controller", found, source)
}

fn clock(case: Case<'_>) -> Line {
    let observation = case.observation;
    let skew = observation.os.local_time.as_second() - observation.taken.as_second();
    let outcome = if skew.abs() > CLOCK_SKEW { Outcome::Bad } else { Outcome::Good };
    let way = if skew < 0 { "behind" } else { "ahead" };
    Line::new(
        Check::ClockSkew,
        outcome,
        format!("at most {CLOCK_SKEW} s from ours"),
        format!("{} s {way}", skew.abs()),
        format!("{OS}.LocalDateTime"),
    )
}

fn connector(case: Case<'_>) -> Line {
    let key = KeyPath::new(CONNECTOR);
    let (outcome, found) = match case.observation.listings.get(&key) {
        Some(Listing::NoKey) => (Outcome::Good, "no such key".to_owned()),
        Some(Listing::Known(_)) => (Outcome::Bad, "a connector is installed here".to_owned()),
        Some(Listing::Unreadable(reason)) => (Outcome::Unread, reason.clone()),
        None => (Outcome::Unread, "never asked".to_owned()),
    };
    let expected = "no RMS connector on a server that uses it";
    Line::new(Check::NotConnectorServer, outcome, expected, found, key.to_string())
}
