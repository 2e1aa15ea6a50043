//! The eight hosts of the tour, and what their past left behind.

use crate::lab::farm::FarmHost;
use crate::lab::furnish::sz;
use crate::model::host::HostName;
use crate::model::product::Product;
use crate::model::product::Role;

pub const TENANT: &str = "https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com";
pub const CONNECTOR: &str = "https://rmsconnector.contoso.com";

const HOSTS: [(&str, Role, Product); 8] = [
    ("EX01.corp.contoso.com", Role::Exchange, Product::Exchange2019),
    ("EX02.corp.contoso.com", Role::Exchange, Product::Exchange2019),
    ("SPWFE01.corp.contoso.com", Role::Sharepoint, Product::Sharepoint2019),
    ("SPWFE02.corp.contoso.com", Role::Sharepoint, Product::Sharepoint2019),
    ("FS01.corp.contoso.com", Role::Fci, Product::Windows2016),
    ("FS02.corp.contoso.com", Role::Fci, Product::Windows2016),
    ("FS03.corp.contoso.com", Role::Fci, Product::Windows2016),
    ("RMSC01.corp.contoso.com", Role::Connector, Product::Windows2019),
];

/// Two Exchange servers, two SharePoint front ends, three file servers, one connector node.
pub fn hosts() -> Vec<FarmHost> {
    let mut hosts: Vec<FarmHost> = HOSTS
        .into_iter()
        .map(|(name, role, product)| FarmHost::new(HostName::new(name), role, product))
        .collect();
    age(&mut hosts, CONNECTOR);
    hosts
}

/// Gives the hosts of the tour their past, by their short names; other hosts stay as they are.
///
/// EX01 used AD RMS, so it must restart (`connector.md` 5.2). Somebody typed SPWFE02's values by
/// the printed page, whose table lacks the tenant in a value's name (`connector.md` 1.3 a).
pub fn age(hosts: &mut [FarmHost], connector: &str) {
    for host in hosts {
        match host.name.short().to_uppercase().as_str() {
            "EX01" => {
                let cache = r"c:\programdata\microsoft\drm\server\s-1-5-18";
                let left = ["CERT-Machine.drm", "GIC-4f1c.drm", "CLC-9a02.drm"];
                host.folders.insert(cache.to_owned(), left.map(str::to_owned).into());
                let location = r"SOFTWARE\Microsoft\MSIPC\ServiceLocation";
                let rms = "https://adrms.corp.contoso.com/_wmcs";
                let mut put = |key: &str, name: &str, data: &str| {
                    sz(&mut host.registry, key, name, data);
                };
                put(
                    &format!(r"{location}\EnterpriseCertification"),
                    "",
                    &format!("{rms}/certification"),
                );
                put(&format!(r"{location}\EnterprisePublishing"), "", &format!("{rms}/licensing"));
                put(
                    r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation",
                    "",
                    "http://adrms.corp.contoso.com/_wmcs/certification",
                );
            }
            "SPWFE02" => sz(
                &mut host.registry,
                r"SOFTWARE\Microsoft\MSIPC\ServiceLocation\LicensingRedirection",
                "/_wmcs/licensing",
                &format!("{connector}/_wmcs/licensing"),
            ),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::registry::ValuePath;

    fn holds(short: &str, key: &str, name: &str) -> bool {
        let hosts = hosts();
        let host = hosts.iter().find(|host| host.name.short() == short).unwrap();
        host.registry.value(&ValuePath::new(key, name)).is_ok()
    }

    #[test]
    fn one_exchange_server_used_ad_rms_and_one_did_not() {
        let key = r"SOFTWARE\Microsoft\MSIPC\ServiceLocation\EnterpriseCertification";
        assert!(holds("EX01", key, ""));
        assert!(!holds("EX02", key, ""));
    }

    #[test]
    fn one_front_end_holds_a_foreign_variant() {
        let key = r"SOFTWARE\Microsoft\MSIPC\ServiceLocation\LicensingRedirection";
        assert!(!holds("SPWFE01", key, "/_wmcs/licensing"));
        assert!(holds("SPWFE02", key, "/_wmcs/licensing"));
    }

    #[test]
    fn every_host_says_its_version() {
        let setup = r"SOFTWARE\Microsoft\ExchangeServer\v15\Setup";
        assert!(holds("EX02", setup, "MsiProductMajor"));
        let extensions = r"SOFTWARE\Microsoft\Shared Tools\Web Server Extensions\16.0";
        assert!(holds("SPWFE01", extensions, "Version"));
        let windows = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";
        assert!(holds("FS01", windows, "CurrentBuild"));
    }
}
