//! Product builds, and the clients of Rights Management that the products need (`connector.md` 3.2
//! to 3.4).

use crate::model::facts::Observation;
use crate::model::particulars::Asked;
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
use crate::plan::product::EXCHANGE_SETUPS;
use crate::plan::product::exchange_setup;

const MSIPC: &str = r"SOFTWARE\Microsoft\MSIPC\CurrentVersion";
/// Where its folder stands: key and name.
/// Where programs are installed.
pub(super) const PROGRAMS: (&str, &str) =
    (r"SOFTWARE\Microsoft\Windows\CurrentVersion", "ProgramFilesDir");
const MSIPC_FILE: &str = r"Active Directory Rights Management Services Client 2.1\msipc.dll";
/// The service of the File Server Resource Manager.
pub const RESOURCE_MANAGER: &str = "SrmSvc";
/// The oldest files with Cryptographic Mode 2, by the Windows that they belong to.
const MODE2: [(u32, u32, [u32; 4]); 2] = [(6, 0, [6, 0, 6002, 22761]), (6, 1, [6, 1, 7600, 17000])];

pub(super) fn ask(role: Role, probe: &mut Probe) {
    match role {
        Role::Exchange => {
            for setup in EXCHANGE_SETUPS {
                probe.values.insert(ValuePath::new(setup, "MsiBuildMinor"));
            }
            // A file server beside it would need other data in the same values.
            probe.services.insert(RESOURCE_MANAGER.to_owned());
            probe.rights_client = true;
        }
        Role::Sharepoint => {
            probe.values.insert(ValuePath::new(MSIPC, ""));
            let programs = ValuePath::new(PROGRAMS.0, PROGRAMS.1);
            probe.values.insert(programs.clone());
            probe.files.insert((programs, MSIPC_FILE.to_owned()));
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

/// The oldest version of an Exchange product that the connector works with.
fn minimum_version(product: Product) -> Option<[u32; 4]> {
    match product {
        // Service Pack 3 with Update Rollup 6.
        Product::Exchange2010 => Some([14, 3, 195, 1]),
        // Cumulative Update 3.
        Product::Exchange2013 => Some([15, 0, 775, 38]),
        Product::Exchange2016 => Some([15, 1, 225, 42]),
        Product::Exchange2019 => Some([15, 2, 221, 12]),
        Product::ExchangeSe => Some([15, 2, 2562, 17]),
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

/// The registry tells the release, `ExSetup.exe` the updates since: whichever is later counts.
fn minimum(case: Case<'_>) -> Option<Line> {
    let product = case.product?;
    let minimum = minimum_version(product)?;
    let setup = exchange_setup(product);
    let part = |name| setup_number(case.observation, setup, name);
    let noted = ["MsiProductMajor", "MsiProductMinor", "MsiBuildMajor", "MsiBuildMinor"]
        .into_iter()
        .map(part)
        .collect::<Result<Vec<u32>, String>>();
    let file = setup_file(case.observation);
    let told = file.and_then(|(_, answer)| answer.told().ok()?.as_deref());
    let told = told.and_then(version_parts).filter(|parts| parts.len() == minimum.len());
    let (outcome, found) = match (noted, told) {
        (Ok(noted), told) => {
            let version = told.clone().map_or(noted.clone(), |told| told.max(noted));
            let found = format!("version {}", version_text(&version));
            match version.as_slice() >= minimum.as_slice() {
                true => (Outcome::Good, found),
                // The rollups of Exchange 2010 leave no trace in the registry.
                false if product == Product::Exchange2010 && told.is_none() => {
                    (Outcome::Unread, format!("{found}, and no version of ExSetup.exe"))
                }
                false => (Outcome::Bad, found),
            }
        }
        (Err(reason), _) => (Outcome::Unread, reason),
    };
    let update = match product {
        Product::Exchange2010 => " (Service Pack 3, Update Rollup 6)",
        Product::Exchange2013 => " (Cumulative Update 3)",
        _ => "",
    };
    Some(Line::new(
        Check::ProductVersion,
        outcome,
        format!("{product}, version {} or later{update}", version_text(&minimum)),
        found,
        format!(r"HKLM\{setup}, and the version of ExSetup.exe"),
    ))
}

/// The version of the file that Exchange's updates replace.
pub(super) fn setup_file(observation: &Observation) -> Option<(&String, &Asked<Option<String>>)> {
    let mut files = observation.particulars.files.iter();
    files.find(|(path, _)| path.to_lowercase().ends_with(r"\exsetup.exe"))
}

/// A number of Exchange's setup, or why there is none.
fn setup_number(observation: &Observation, setup: &str, name: &str) -> Result<u32, String> {
    match observation.value(&ValuePath::new(setup, name)) {
        Reading::Known(State::Present(Value::Dword(number))) => Ok(number),
        Reading::Known(State::Present(other)) => Err(format!("{name} is a {}", other.kind())),
        Reading::Known(State::Absent) => Err(format!("{name} is absent")),
        Reading::Unreadable(reason) => Err(format!("{name}: {reason}")),
    }
}

fn msipc(case: Case<'_>) -> Line {
    let minimum = &case.preflight.msipc_min;
    let path = ValuePath::new(MSIPC, "");
    // SharePoint 2010 needs the older client, so that nothing is asked of a product nobody can tell.
    let is_documented = case.product.is_some_and(|product| product != Product::SharepointSe);
    let bad = if is_documented { Outcome::Bad } else { Outcome::Odd };
    // The file is the client; the registry tells of it where there is no file in the usual place.
    let mut files = case.observation.particulars.files.iter();
    let file = files.find(|(path, _)| path.to_lowercase().ends_with(r"\msipc.dll"));
    let told = file.and_then(|(path, answer)| {
        let version = answer.told().ok()?.as_deref()?;
        Some((path, version, version_parts(version)?))
    });
    let path = told
        .as_ref()
        .map_or_else(|| path.to_string(), |(path, _, _)| format!("CIM_DataFile {path}"));
    let (outcome, found) = match case.observation.value(&ValuePath::new(MSIPC, "")) {
        _ if let Some((_, text, version)) = told => {
            (if version >= *minimum { Outcome::Good } else { bad }, text.to_owned())
        }
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
    } else if case.product.is_none() {
        format!("{expected}, from SharePoint 2013 on")
    } else {
        format!("{expected}, though no document says that SharePoint SE needs it")
    };
    Line::new(Check::MsipcClient, outcome, expected, found, path)
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
