//! The operating system, and what must not run on it.

use crate::model::facts::Observation;
use crate::model::facts::OperatingSystem;
use crate::model::particulars::Asked;
use crate::model::preflight::Check;
use crate::model::probe::Probe;
use crate::model::product::Role;
use crate::model::registry::KeyPath;
use crate::model::registry::Listing;
use crate::model::registry::ValuePath;
use crate::plan::preflight::Case;
use crate::plan::preflight::Line;
use crate::plan::preflight::Outcome;
use crate::plan::preflight::clients::PROGRAMS;

/// What a connector's setup leaves (`connector.md` 3.1).
const CONNECTOR: &str = r"SOFTWARE\Microsoft\AADRM\Connector";
/// What it installs below the programs' folder, and what stands among the programs of a host then
/// (`connector.md` 3.1: the names are documented, to take them as a mark is not).
const CONNECTOR_FILE: &str = r"Microsoft Rights Management connector\Web Service\web.config";
const CONNECTOR_PROGRAM: &str = "microsoft rights management connector";
const OS: &str = "Win32_OperatingSystem";
const WORKSTATION: u32 = 1;
const DOMAIN_CONTROLLER: u32 = 2;
/// A clock may differ by this much, in seconds; Kerberos bears no more.
pub(crate) const CLOCK_SKEW: i64 = 300;

pub(super) fn ask(role: Role, probe: &mut Probe) {
    if role != Role::Connector {
        probe.listings.insert(KeyPath::new(CONNECTOR));
        let programs = ValuePath::new(PROGRAMS.0, PROGRAMS.1);
        probe.values.insert(programs.clone());
        probe.files.insert((programs, CONNECTOR_FILE.to_owned()));
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
    let installed = "a connector is installed here";
    let (outcome, found) = match case.observation.listings.get(&key) {
        Some(Listing::Known(_)) => (Outcome::Bad, installed.to_owned()),
        _ if let Some(trace) = trace_of_connector(case.observation) => {
            (Outcome::Bad, format!("{installed}: {trace}"))
        }
        Some(Listing::NoKey) => (Outcome::Good, "no such key".to_owned()),
        Some(Listing::Unreadable(reason)) => (Outcome::Unread, reason.clone()),
        None => (Outcome::Unread, "never asked".to_owned()),
    };
    let expected = "no RMS connector on a server that uses it";
    Line::new(Check::NotConnectorServer, outcome, expected, found, key.to_string())
}

/// A connector's file, or its name among what can be uninstalled. That neither was read proves
/// nothing: the key decides then.
fn trace_of_connector(observation: &Observation) -> Option<String> {
    let particulars = &observation.particulars;
    let is_there = |told: &Asked<Option<String>>| matches!(told, Asked::Told(Some(_)));
    let ours = CONNECTOR_FILE.to_lowercase();
    let mut files = particulars.files.iter();
    let file = files.find(|(path, told)| path.to_lowercase().ends_with(&ours) && is_there(told));
    let programs =
        particulars.subkeys.iter().filter_map(|(key, names)| Some((key, names.told().ok()?)));
    let mut programs = programs.flat_map(|(key, names)| names.iter().map(move |name| (key, name)));
    file.map(|(path, _)| path.clone()).or_else(|| {
        let is_connector = |name: &str| name.to_lowercase().contains(CONNECTOR_PROGRAM);
        let (key, name) = programs.find(|(_, name)| is_connector(name))?;
        Some(format!(r"{key}\{name}"))
    })
}
