//! Product builds, and the clients of Rights Management that the products need (`connector.md` 3.2
//! to 3.4).

use crate::model::facts::Observation;
use crate::model::preflight::Check;
use crate::model::preflight::version_parts;
use crate::model::preflight::version_text;
use crate::model::probe::Probe;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;
use crate::plan::preflight::Case;
use crate::plan::preflight::Line;
use crate::plan::preflight::Outcome;
use crate::plan::preflight::windows;
use crate::plan::product::EXCHANGE_SETUP;

const MSIPC: &str = r"SOFTWARE\Microsoft\MSIPC\CurrentVersion";
/// The service of the File Server Resource Manager.
const RESOURCE_MANAGER: &str = "SrmSvc";
/// The oldest files with Cryptographic Mode 2, by the Windows that they belong to.
const MODE2: [(u32, u32, [u32; 4]); 2] = [(6, 0, [6, 0, 6002, 22761]), (6, 1, [6, 1, 7600, 17000])];

pub(super) fn ask(role: Role, probe: &mut Probe) {
    match role {
        Role::Exchange => {
            probe.values.insert(ValuePath::new(EXCHANGE_SETUP, "MsiBuildMinor"));
            probe.rights_client = true;
        }
        Role::Sharepoint => {
            probe.values.insert(ValuePath::new(MSIPC, ""));
            probe.rights_client = true;
            // It runs as the farm's account, which is the one to authorise.
            probe.services.insert("SPTimerV4".to_owned());
        }
        Role::Fci => {
            probe.services.insert(RESOURCE_MANAGER.to_owned());
            probe.rights_client = true;
        }
        Role::Connector => {}
    }
}

pub(super) fn lines(case: Case<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    lines.extend(minimum(case));
    match case.role {
        Role::Exchange => lines.push(msdrm(case)),
        Role::Fci => lines.extend([msdrm(case), resource_manager(case)]),
        Role::Sharepoint if case.product == Some(Product::Sharepoint2010) => {
            lines.push(msdrm(case));
        }
        Role::Sharepoint => lines.push(msipc(case)),
        Role::Connector => {}
    }
    lines
}

/// The oldest build of an Exchange version that the connector works with.
pub fn minimum_build(product: Product) -> Option<[u32; 2]> {
    match product {
        // Cumulative Update 3.
        Product::Exchange2013 => Some([775, 38]),
        Product::Exchange2016 => Some([225, 42]),
        Product::Exchange2019 => Some([221, 12]),
        Product::ExchangeSe => Some([2562, 17]),
        Product::Sharepoint2010
        | Product::Sharepoint2013
        | Product::Sharepoint2016
        | Product::Sharepoint2019
        | Product::SharepointSe
        | Product::Windows2012
        | Product::Windows2012R2
        | Product::Windows2016
        | Product::Windows2019
        | Product::Windows2022
        | Product::Windows2025 => None,
    }
}

fn minimum(case: Case<'_>) -> Option<Line> {
    let product = case.product?;
    let minimum = minimum_build(product)?;
    let part = |name| setup_number(case.observation, name);
    let (outcome, found) = match (part("MsiBuildMajor"), part("MsiBuildMinor")) {
        (Ok(major), Ok(minor)) if [major, minor] >= minimum => {
            (Outcome::Good, format!("build {major}.{minor}"))
        }
        (Ok(major), Ok(minor)) => (Outcome::Bad, format!("build {major}.{minor}")),
        (Err(reason), _) | (_, Err(reason)) => (Outcome::Unread, reason),
    };
    let update = if product == Product::Exchange2013 { " (Cumulative Update 3)" } else { "" };
    Some(Line::new(
        Check::ProductVersion,
        outcome,
        format!("{product}, build {} or later{update}", version_text(&minimum)),
        found,
        format!(r"HKLM\{EXCHANGE_SETUP}\MsiBuildMajor and MsiBuildMinor"),
    ))
}

/// A number of Exchange's setup, or why there is none.
pub(super) fn setup_number(observation: &Observation, name: &str) -> Result<u32, String> {
    match observation.value(&ValuePath::new(EXCHANGE_SETUP, name)) {
        Reading::Known(State::Present(Value::Dword(number))) => Ok(number),
        Reading::Known(State::Present(other)) => Err(format!("{name} is a {}", other.kind())),
        Reading::Known(State::Absent) => Err(format!("{name} is absent")),
        Reading::Unreadable(reason) => Err(format!("{name}: {reason}")),
    }
}

fn msipc(case: Case<'_>) -> Line {
    let minimum = &case.preflight.msipc_min;
    let path = ValuePath::new(MSIPC, "");
    let is_documented = case.product != Some(Product::SharepointSe);
    let bad = if is_documented { Outcome::Bad } else { Outcome::Odd };
    let (outcome, found) = match case.observation.value(&path) {
        Reading::Known(State::Absent) => (bad, "no RMS client 2.1".to_owned()),
        Reading::Known(State::Present(value)) => {
            let outcome = match value.as_sz().and_then(version_parts) {
                Some(version) if version >= *minimum => Outcome::Good,
                Some(_) | None => bad,
            };
            (outcome, value.to_string())
        }
        Reading::Unreadable(reason) => (Outcome::Unread, reason),
    };
    let expected = format!("MSIPC {} or later", version_text(minimum));
    let expected = if is_documented {
        expected
    } else {
        format!("{expected}, though no document says that SharePoint SE needs it")
    };
    Line::new(Check::MsipcClient, outcome, expected, found, path.to_string())
}

fn msdrm(case: Case<'_>) -> Line {
    let os = &case.observation.os;
    let line = |outcome, expected: String, found: String, source: &str| {
        Line::new(Check::MsdrmMode2, outcome, expected, found, source)
    };
    let by_nature = "Cryptographic Mode 2, which Windows has by nature from 6.2 on".to_owned();
    let windows = windows::version(os);
    if windows.is_some_and(|version| version >= (6, 2)) {
        let found = format!("Windows {}", os.version);
        return line(Outcome::Good, by_nature, found, "Win32_OperatingSystem.Version");
    }
    let files = &case.observation.particulars.files;
    let file = files.iter().find(|(path, _)| path.to_lowercase().ends_with(r"\msdrm.dll"));
    let minimum = MODE2
        .iter()
        .find(|(major, minor, _)| windows == Some((*major, *minor)))
        .map(|(_, _, minimum)| minimum);
    let expected = minimum.map_or(by_nature, |minimum| {
        format!("msdrm.dll {} or later (Cryptographic Mode 2)", version_text(minimum))
    });
    let Some((path, answer)) = file else {
        return line(Outcome::Unread, expected, "never asked".to_owned(), "CIM_DataFile.Version");
    };
    let (outcome, found) = match answer.told() {
        Ok(Some(version)) => match (version_parts(version), minimum) {
            (Some(parts), Some(minimum)) if parts.as_slice() >= minimum.as_slice() => {
                (Outcome::Good, version.clone())
            }
            (Some(_), Some(_) | None) => (Outcome::Bad, version.clone()),
            (None, _) => (Outcome::Unread, format!("the version `{version}`")),
        },
        Ok(None) => (Outcome::Unread, "no such file".to_owned()),
        Err(reason) => (Outcome::Unread, reason.to_owned()),
    };
    line(outcome, expected, found, &format!("CIM_DataFile {path}"))
}

fn resource_manager(case: Case<'_>) -> Line {
    let (outcome, found) = match case.observation.particulars.services.told() {
        Ok(services) => match services.get(&RESOURCE_MANAGER.to_lowercase()) {
            Some(service) => (Outcome::Good, format!("{RESOURCE_MANAGER} {}", service.state)),
            None => (Outcome::Bad, format!("no service {RESOURCE_MANAGER}")),
        },
        Err(reason) => (Outcome::Unread, reason.to_owned()),
    };
    let expected = "the File Server Resource Manager (FS-Resource-Manager)";
    let source = format!("Win32_Service {RESOURCE_MANAGER}");
    Line::new(Check::ProductVersion, outcome, expected, found, source)
}
