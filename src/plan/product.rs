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

/// Where Exchange's setup notes its version.
pub(crate) const EXCHANGE_SETUP: &str = r"SOFTWARE\Microsoft\ExchangeServer\v15\Setup";
const EXCHANGE_EDGE: &str = r"SOFTWARE\Microsoft\ExchangeServer\v15\EdgeTransportRole";
const SHAREPOINT: &str = r"SOFTWARE\Microsoft\Shared Tools\Web Server Extensions";

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

/// The values that tell the version of a role's product.
pub fn version_values(role: Role) -> Vec<ValuePath> {
    match role {
        Role::Exchange => ["MsiProductMajor", "MsiProductMinor", "MsiBuildMajor"]
            .map(|name| ValuePath::new(EXCHANGE_SETUP, name))
            .into_iter()
            .chain([sharepoint_2010()])
            .collect(),
        Role::Sharepoint => ["16.0", "15.0", "14.0"]
            .map(|hive| ValuePath::new(format!(r"{SHAREPOINT}\{hive}"), "Version"))
            .to_vec(),
        // Exchange keeps other data in the same default values (`connector.md` 1.4).
        Role::Fci => {
            vec![ValuePath::new(EXCHANGE_SETUP, "MsiProductMajor"), sharepoint_2010()]
        }
        Role::Connector => Vec::new(),
    }
}

/// The keys whose mere presence tells something about a role's product.
pub fn version_keys(role: Role) -> Vec<KeyPath> {
    match role {
        Role::Exchange => vec![KeyPath::new(EXCHANGE_EDGE)],
        Role::Sharepoint | Role::Fci | Role::Connector => Vec::new(),
    }
}

/// Where the product of a role is told.
pub fn source(role: Role) -> &'static str {
    match role {
        Role::Exchange => r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v15\Setup",
        Role::Sharepoint => r"HKLM\SOFTWARE\Microsoft\Shared Tools\Web Server Extensions",
        Role::Fci | Role::Connector => "Win32_OperatingSystem.Version",
    }
}

/// Tells the product of a host from what was read there.
pub fn discover(role: Role, observation: &Observation) -> Found {
    match role {
        Role::Exchange => beside_sharepoint_2010(observation, exchange(observation)),
        Role::Sharepoint => sharepoint(observation),
        Role::Fci => match number(observation, &exchange_value("MsiProductMajor")) {
            Ok(None) => beside_sharepoint_2010(observation, windows(&observation.os)),
            Ok(Some(_)) => Found::Conflict(
                "Exchange is installed here, and it keeps other data in the MSDRM values that a \
                 file server needs"
                    .to_owned(),
            ),
            Err(reason) => Found::Unreadable(reason),
        },
        Role::Connector => windows(&observation.os),
    }
}

fn sharepoint_2010() -> ValuePath {
    ValuePath::new(format!(r"{SHAREPOINT}\14.0"), "Version")
}

/// SharePoint 2010 keeps its connector in the MSDRM values too (`connector.md` 1.4).
fn beside_sharepoint_2010(observation: &Observation, found: Found) -> Found {
    match (observation.value(&sharepoint_2010()), found) {
        (Reading::Known(State::Present(version)), Found::Product(_, _)) => {
            Found::Conflict(format!(
                "SharePoint {version} is installed here, and it keeps its own data in the MSDRM \
                 values that this role needs"
            ))
        }
        (Reading::Unreadable(reason), Found::Product(_, _)) => Found::Unreadable(reason),
        (_, found) => found,
    }
}

fn exchange(observation: &Observation) -> Found {
    match observation.listings.get(&KeyPath::new(EXCHANGE_EDGE)) {
        Some(Listing::NoKey) => {}
        Some(Listing::Known(_)) => return Found::EdgeTransport,
        Some(Listing::Unreadable(reason)) => {
            return Found::Unreadable(format!("HKLM\\{EXCHANGE_EDGE}: {reason}"));
        }
        None => return Found::Unreadable(format!("HKLM\\{EXCHANGE_EDGE}: never read")),
    }
    let read = |name| number(observation, &exchange_value(name));
    let (major, minor, build) =
        match (read("MsiProductMajor"), read("MsiProductMinor"), read("MsiBuildMajor")) {
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
        (Some(15), Some(0), _) => Found::Product(Product::Exchange2013, version),
        (Some(15), Some(1), _) => Found::Product(Product::Exchange2016, version),
        (Some(15), Some(2), Some(build)) if build >= EXCHANGE_SE_BUILD => {
            Found::Product(Product::ExchangeSe, version)
        }
        (Some(15), Some(2), _) => Found::Product(Product::Exchange2019, version),
        (_, _, _) => Found::UnknownVersion(format!("Exchange {version}")),
    }
}

fn exchange_value(name: &str) -> ValuePath {
    ValuePath::new(EXCHANGE_SETUP, name)
}

/// A later SharePoint keeps its predecessor's key, so the highest one present decides.
fn sharepoint(observation: &Observation) -> Found {
    for path in version_values(Role::Sharepoint) {
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
        observation.values.remove(&exchange_value("MsiBuildMajor"));
        assert!(matches!(discover(Role::Exchange, &observation), Found::Unreadable(_)));
        observation.listings.clear();
        assert!(matches!(discover(Role::Exchange, &observation), Found::Unreadable(_)));
    }

    #[test]
    fn an_edge_server_and_exchange_on_a_file_server_are_refused() {
        let mut observation = sample::observation("EX1", Role::Exchange);
        observation.listings.insert(KeyPath::new(EXCHANGE_EDGE), Listing::Known(Vec::new()));
        assert_eq!(discover(Role::Exchange, &observation), Found::EdgeTransport);
        check(Role::Fci, &exchange_version(15, 2, 1)[..1], Err("Conflict"));
        let older = format!(r"{SHAREPOINT}\14.0\Version");
        let older = (older.as_str(), Value::Sz("14.0.0.4762".to_owned()));
        check(Role::Fci, std::slice::from_ref(&older), Err("Conflict"));
        let [major, minor, build] = exchange_version(15, 1, 2507);
        check(Role::Exchange, &[major, minor, build, older], Err("Conflict"));
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
