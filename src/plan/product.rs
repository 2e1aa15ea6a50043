//! Which product a host runs, told from readings; an assertion must agree with it.

use crate::model::facts::Observation;
use crate::model::facts::OperatingSystem;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::registry::KeyPath;
use crate::model::registry::Listing;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;

/// Where Exchange's setup notes its version: 2013 and later, and 2010. The later one decides.
pub(crate) const EXCHANGE_SETUPS: [&str; 2] = [
    r"SOFTWARE\Microsoft\ExchangeServer\v15\Setup",
    r"SOFTWARE\Microsoft\ExchangeServer\v14\Setup",
];
const EXCHANGE_EDGES: [&str; 2] = [
    r"SOFTWARE\Microsoft\ExchangeServer\v15\EdgeTransportRole",
    r"SOFTWARE\Microsoft\ExchangeServer\v14\EdgeTransportRole",
];
const MAJOR: &str = "MsiProductMajor";
const VERSION: [&str; 3] = [MAJOR, "MsiProductMinor", "MsiBuildMajor"];
const SHAREPOINT: &str = r"SOFTWARE\Microsoft\Shared Tools\Web Server Extensions";
/// The highest first: a later SharePoint keeps its predecessor's key.
const SHAREPOINT_HIVES: [&str; 3] = ["16.0", "15.0", "14.0"];

/// The first build of Exchange SE within 15.2 (`connector.md` 3.2).
const EXCHANGE_SE_BUILD: u32 = 2562;

/// What the readings say about a host's product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The product, and the version as the host gives it.
    Product(Product, String),
    /// Nothing of the role is installed there.
    NotInstalled,
    /// Installed, in a version that no rule knows.
    UnknownVersion(String),
    /// An Edge Transport server: not a target of the connector.
    EdgeTransport,
    /// The role's values would fight with another product on this machine.
    Conflict(String),
    Unreadable(String),
}

/// Where the setup of an Exchange version notes its build.
pub(crate) fn exchange_setup(product: Product) -> &'static str {
    let [later, first] = EXCHANGE_SETUPS;
    if product == Product::Exchange2010 { first } else { later }
}

/// The values that tell the version of a role's product, and what else would fight for its values.
pub fn version_values(role: Role) -> Vec<ValuePath> {
    let majors = || EXCHANGE_SETUPS.map(|setup| ValuePath::new(setup, MAJOR));
    let hives = || SHAREPOINT_HIVES.map(hive);
    match role {
        Role::Exchange => EXCHANGE_SETUPS
            .iter()
            .flat_map(|setup| VERSION.map(|name| ValuePath::new(setup, name)))
            .chain(hives())
            .collect(),
        Role::Sharepoint => hives().into_iter().chain(majors()).collect(),
        // Exchange keeps other data in the same default values (`connector.md` 1.4).
        Role::Fci => majors().into(),
        Role::Connector => Vec::new(),
    }
}

/// The keys whose mere presence tells something about a role's product.
pub fn version_keys(role: Role) -> Vec<KeyPath> {
    match role {
        Role::Exchange => EXCHANGE_EDGES.map(KeyPath::new).into(),
        Role::Sharepoint | Role::Fci | Role::Connector => Vec::new(),
    }
}

/// Where the product of a role is told.
pub fn source(role: Role) -> &'static str {
    match role {
        Role::Exchange => r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v15\Setup, or v14",
        Role::Sharepoint => r"HKLM\SOFTWARE\Microsoft\Shared Tools\Web Server Extensions",
        Role::Fci | Role::Connector => "Win32_OperatingSystem.Version",
    }
}

/// Tells the product of a host from what was read there.
pub fn discover(role: Role, observation: &Observation) -> Found {
    match role {
        Role::Exchange => beside_sharepoint_2010(observation, exchange(observation)),
        Role::Sharepoint => match sharepoint(observation) {
            Found::Product(Product::Sharepoint2010, version) => {
                let found = Found::Product(Product::Sharepoint2010, version);
                beside_exchange(observation, found, "SharePoint 2010")
            }
            other => other,
        },
        // SharePoint 2010 writes the same data as a file server: there is nothing to fight about.
        Role::Fci => beside_exchange(observation, windows(&observation.os), "a file server"),
        Role::Connector => windows(&observation.os),
    }
}

fn hive(version: &str) -> ValuePath {
    ValuePath::new(format!(r"{SHAREPOINT}\{version}"), "Version")
}

/// Exchange leads the MSDRM values to the tenant, others to the connector (`connector.md` 1.4).
fn beside_exchange(observation: &Observation, found: Found, whose: &str) -> Found {
    for setup in EXCHANGE_SETUPS {
        match number(observation, &ValuePath::new(setup, MAJOR)) {
            Ok(None) => {}
            Ok(Some(_)) => {
                return Found::Conflict(format!(
                    "Exchange is installed here, and it keeps other data in the MSDRM values that \
                     {whose} needs"
                ));
            }
            Err(reason) => return Found::Unreadable(reason),
        }
    }
    found
}

/// SharePoint 2010 keeps its connector in the MSDRM values too (`connector.md` 1.4).
fn beside_sharepoint_2010(observation: &Observation, found: Found) -> Found {
    if !matches!(found, Found::Product(_, _)) {
        return found;
    }
    match sharepoint(observation) {
        Found::Product(Product::Sharepoint2010, version) => Found::Conflict(format!(
            "SharePoint {version} is installed here, and it keeps its own data in the MSDRM values \
             that Exchange needs"
        )),
        Found::Unreadable(reason) => Found::Unreadable(reason),
        Found::Product(_, _)
        | Found::NotInstalled
        | Found::UnknownVersion(_)
        | Found::EdgeTransport
        | Found::Conflict(_) => found,
    }
}

fn exchange(observation: &Observation) -> Found {
    for edge in EXCHANGE_EDGES {
        match observation.listings.get(&KeyPath::new(edge)) {
            Some(Listing::NoKey) => {}
            Some(Listing::Known(_)) => return Found::EdgeTransport,
            Some(Listing::Unreadable(reason)) => {
                return Found::Unreadable(format!("HKLM\\{edge}: {reason}"));
            }
            None => return Found::Unreadable(format!("HKLM\\{edge}: never read")),
        }
    }
    EXCHANGE_SETUPS
        .iter()
        .map(|setup| exchange_of(observation, setup))
        .find(|found| *found != Found::NotInstalled)
        .unwrap_or(Found::NotInstalled)
}

fn exchange_of(observation: &Observation, setup: &str) -> Found {
    let [major, minor, build] =
        VERSION.map(|name| number(observation, &ValuePath::new(setup, name)));
    let (major, minor, build) = match (major, minor, build) {
        (Ok(major), Ok(minor), Ok(build)) => (major, minor, build),
        (Err(reason), _, _) | (_, Err(reason), _) | (_, _, Err(reason)) => {
            return Found::Unreadable(reason);
        }
    };
    let version = match (major, minor, build) {
        (None, None, None) => return Found::NotInstalled,
        (Some(major), Some(minor), Some(build)) => format!("{major}.{minor}.{build}"),
        (_, _, _) => return Found::UnknownVersion("incomplete version values".to_owned()),
    };
    match (major, minor, build) {
        (Some(14), Some(_), _) => Found::Product(Product::Exchange2010, version),
        (Some(15), Some(0), _) => Found::Product(Product::Exchange2013, version),
        (Some(15), Some(1), _) => Found::Product(Product::Exchange2016, version),
        (Some(15), Some(2), Some(build)) if build >= EXCHANGE_SE_BUILD => {
            Found::Product(Product::ExchangeSe, version)
        }
        (Some(15), Some(2), _) => Found::Product(Product::Exchange2019, version),
        (_, _, _) => Found::UnknownVersion(format!("Exchange {version}")),
    }
}

/// The highest hive that is there decides.
fn sharepoint(observation: &Observation) -> Found {
    for path in SHAREPOINT_HIVES.map(hive) {
        let text = match observation.value(&path) {
            Reading::Known(State::Absent) => continue,
            Reading::Known(State::Present(value)) => value.to_string(),
            Reading::Unreadable(reason) => return Found::Unreadable(format!("{path}: {reason}")),
        };
        let parts: Vec<Option<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        let product = match parts.as_slice() {
            [Some(14), ..] => Some(Product::Sharepoint2010),
            [Some(15), ..] => Some(Product::Sharepoint2013),
            // `16.0.0.10417` in the registry, `16.0.10417.20003` in the files.
            [Some(16), Some(0), Some(0), Some(build)] | [Some(16), Some(_), Some(build), ..] => {
                Some(match build {
                    0..10_000 => Product::Sharepoint2016,
                    10_000..13_000 => Product::Sharepoint2019,
                    _ => Product::SharepointSe,
                })
            }
            _ => None,
        };
        return match product {
            Some(product) => Found::Product(product, text),
            None => Found::UnknownVersion(format!("SharePoint {text}")),
        };
    }
    Found::NotInstalled
}

fn windows(os: &OperatingSystem) -> Found {
    let version = format!("{} {}", os.caption.trim(), os.version);
    if os.product_type == 1 {
        return Found::UnknownVersion(format!("{version}, which is no server"));
    }
    let parts: Vec<Option<u32>> = os.version.split('.').map(|part| part.parse().ok()).collect();
    let product = match parts.as_slice() {
        [Some(6), Some(2), ..] => Some(Product::Windows2012),
        [Some(6), Some(3), ..] => Some(Product::Windows2012R2),
        [Some(10), Some(0), Some(build), ..] => match build {
            14_393..17_763 => Some(Product::Windows2016),
            17_763..20_348 => Some(Product::Windows2019),
            20_348..26_100 => Some(Product::Windows2022),
            26_100.. => Some(Product::Windows2025),
            _ => None,
        },
        _ => None,
    };
    match product {
        Some(product) => Found::Product(product, version),
        None => Found::UnknownVersion(version),
    }
}

fn number(observation: &Observation, path: &ValuePath) -> Result<Option<u32>, String> {
    match observation.value(path) {
        Reading::Known(State::Absent) => Ok(None),
        Reading::Known(State::Present(Value::Dword(number))) => Ok(Some(number)),
        Reading::Known(State::Present(other)) => {
            Err(format!("{path}: expected REG_DWORD, host sent {}", other.kind()))
        }
        Reading::Unreadable(reason) => Err(format!("{path}: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    #[track_caller]
    fn check(role: Role, values: &[(&str, Value)], expected: Result<&str, &str>) {
        let mut observation = sample::observation("H1", role);
        for (path, value) in values {
            let (key, name) = path.rsplit_once('\\').unwrap();
            let state = State::Present(value.clone());
            observation.values.insert(ValuePath::new(key, name), Reading::Known(state));
        }
        let found = match discover(role, &observation) {
            Found::Product(product, _) => Ok(product.id().to_owned()),
            other => Err(format!("{other:?}")),
        };
        match expected {
            Ok(id) => assert_eq!(found, Ok(id.to_owned())),
            Err(part) => assert!(found.as_ref().unwrap_err().contains(part), "{found:?}"),
        }
    }

    fn exchange_version(major: u32, minor: u32, build: u32) -> [(&'static str, Value); 3] {
        [
            (r"SOFTWARE\Microsoft\ExchangeServer\v15\Setup\MsiProductMajor", Value::Dword(major)),
            (r"SOFTWARE\Microsoft\ExchangeServer\v15\Setup\MsiProductMinor", Value::Dword(minor)),
            (r"SOFTWARE\Microsoft\ExchangeServer\v15\Setup\MsiBuildMajor", Value::Dword(build)),
        ]
    }

    #[test]
    fn exchange_is_told_by_its_setup_key() {
        check(Role::Exchange, &exchange_version(15, 0, 775), Ok("exchange-2013"));
        check(Role::Exchange, &exchange_version(15, 1, 2507), Ok("exchange-2016"));
        check(Role::Exchange, &exchange_version(15, 2, 2561), Ok("exchange-2019"));
        check(Role::Exchange, &exchange_version(15, 2, 2562), Ok("exchange-se"));
        check(Role::Exchange, &exchange_version(16, 0, 1), Err("UnknownVersion"));
        check(Role::Exchange, &exchange_version(15, 1, 1)[..2], Err("incomplete"));
        let old = [("MsiProductMajor", 14), ("MsiProductMinor", 3), ("MsiBuildMajor", 123)].map(
            |(name, number)| (format!(r"{}\{name}", EXCHANGE_SETUPS[1]), Value::Dword(number)),
        );
        let old = old.each_ref().map(|(path, value)| (path.as_str(), value.clone()));
        check(Role::Exchange, &old, Ok("exchange-2010"));
        let both = [&old[..], &exchange_version(15, 0, 775)].concat();
        check(Role::Exchange, &both, Ok("exchange-2013"));
    }

    #[test]
    fn sharepoint_is_told_by_the_highest_hive() {
        let hive = |hive: &str| format!("{SHAREPOINT}\\{hive}\\Version");
        let sz = |text: &str| Value::Sz(text.to_owned());
        let (h14, h15, h16) = (hive("14.0"), hive("15.0"), hive("16.0"));
        check(Role::Sharepoint, &[(&h14, sz("14.0.0.4762"))], Ok("sharepoint-2010"));
        check(
            Role::Sharepoint,
            &[(&h14, sz("14.0.0.4762")), (&h15, sz("15.0.0.4569"))],
            Ok("sharepoint-2013"),
        );
        check(Role::Sharepoint, &[(&h16, sz("16.0.9999.1"))], Ok("sharepoint-2016"));
        check(Role::Sharepoint, &[(&h16, sz("16.0.10337.12109"))], Ok("sharepoint-2019"));
        check(Role::Sharepoint, &[(&h16, sz("16.0.13000.0"))], Ok("sharepoint-se"));
        check(Role::Sharepoint, &[(&h16, sz("16.0.0.5508"))], Ok("sharepoint-2016"));
        check(Role::Sharepoint, &[(&h16, sz("16.0.0.10417"))], Ok("sharepoint-2019"));
        check(Role::Sharepoint, &[(&h16, sz("16.x"))], Err("UnknownVersion"));
        check(Role::Sharepoint, &[], Err("NotInstalled"));
    }

    #[test]
    fn a_version_nobody_read_is_unreadable_not_missing() {
        let mut observation = sample::observation("EX1", Role::Exchange);
        observation.values.remove(&ValuePath::new(EXCHANGE_SETUPS[0], "MsiBuildMajor"));
        assert!(matches!(discover(Role::Exchange, &observation), Found::Unreadable(_)));
        observation.listings.clear();
        assert!(matches!(discover(Role::Exchange, &observation), Found::Unreadable(_)));
    }

    #[test]
    fn an_edge_server_is_refused() {
        for edge in EXCHANGE_EDGES {
            let mut observation = sample::observation("EX1", Role::Exchange);
            observation.listings.insert(KeyPath::new(edge), Listing::Known(Vec::new()));
            assert_eq!(discover(Role::Exchange, &observation), Found::EdgeTransport);
        }
    }

    #[test]
    fn only_those_conflict_that_want_other_data_in_the_same_values() {
        let hive = |hive: &str| format!("{SHAREPOINT}\\{hive}\\Version");
        let (h14, h15) = (hive("14.0"), hive("15.0"));
        let older = || (h14.as_str(), Value::Sz("14.0.0.4762".to_owned()));
        let newer = || (h15.as_str(), Value::Sz("15.0.0.4569".to_owned()));
        let first = (r"SOFTWARE\Microsoft\ExchangeServer\v14\Setup\MsiProductMajor", 14);
        let first = || (first.0, Value::Dword(first.1));
        let [major, minor, build] = exchange_version(15, 1, 2507);
        let exchange = || [major.clone(), minor.clone(), build.clone()];
        check(Role::Fci, &exchange()[..1], Err("Conflict"));
        check(Role::Fci, &[first()], Err("Conflict"));
        check(Role::Fci, &[older()], Ok("windows-2016"));
        check(Role::Exchange, &[&exchange()[..], &[older()]].concat(), Err("Conflict"));
        // SharePoint 2013 keeps the key of 2010, and its own values are others.
        check(
            Role::Exchange,
            &[&exchange()[..], &[older(), newer()]].concat(),
            Ok("exchange-2016"),
        );
        check(Role::Sharepoint, &[older(), major.clone()], Err("Conflict"));
        check(Role::Sharepoint, &[older(), first()], Err("Conflict"));
        check(Role::Sharepoint, &[newer(), major.clone()], Ok("sharepoint-2013"));
    }

    #[test]
    fn windows_is_told_by_its_build() {
        for (version, expected) in [
            ("6.2.9200", Some(Product::Windows2012)),
            ("6.3.9600", Some(Product::Windows2012R2)),
            ("10.0.14393", Some(Product::Windows2016)),
            ("10.0.17763", Some(Product::Windows2019)),
            ("10.0.20348", Some(Product::Windows2022)),
            ("10.0.26100", Some(Product::Windows2025)),
            ("6.1.7601", None),
            ("10.0", None),
            ("", None),
        ] {
            let mut observation = sample::observation("FS1", Role::Fci);
            observation.os.version = version.to_owned();
            let product = match discover(Role::Fci, &observation) {
                Found::Product(product, _) => Some(product),
                _ => None,
            };
            assert_eq!(product, expected, "{version}");
        }
    }
}
