//! The registry of a host as a row of the table has it.

use std::collections::BTreeMap;

use rmsfleet::model::product::Product;
use rmsfleet::model::product::Role;
use rmsfleet::model::registry::KeyPath;
use rmsfleet::model::registry::Listing;
use rmsfleet::model::registry::Reading;
use rmsfleet::model::registry::State;
use rmsfleet::model::registry::Value;
use rmsfleet::model::registry::ValueName;
use rmsfleet::model::registry::ValuePath;

use crate::evidence_table::case::Case;
use crate::evidence_table::case::Location;
use crate::evidence_table::case::Redirect;
use crate::evidence_table::case::Trouble;
use crate::evidence_table::oracle;

pub(super) const T: &str = "https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com";
pub(super) const C: &str = "https://rmsconnector.contoso.com";
pub(super) const ADRMS: &str = "https://adrms.corp.contoso.com";
const OLD: &str = "https://oldrms.contoso.com";

/// A registry: lower-case key to its values.
#[derive(Default)]
pub(super) struct Registry {
    pub(super) keys: BTreeMap<String, Vec<(String, Value)>>,
}

impl Registry {
    fn key(&mut self, key: &str) -> &mut Vec<(String, Value)> {
        self.keys.entry(key.to_lowercase()).or_default()
    }

    fn put(&mut self, key: &str, name: &str, value: Value) {
        let values = self.key(key);
        values.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        values.push((name.to_owned(), value));
    }

    fn sz(&mut self, key: &str, name: &str, text: &str) {
        self.put(key, name, Value::Sz(text.to_owned()));
    }

    pub(super) fn value(&self, path: &ValuePath) -> State {
        let values = self.keys.get(&path.key.as_str().to_lowercase());
        let mut values = values.into_iter().flatten();
        values
            .find(|(name, _)| name.eq_ignore_ascii_case(path.name.as_str()))
            .map_or(State::Absent, |(_, value)| State::Present(value.clone()))
    }

    pub(super) fn listing(&self, key: &KeyPath) -> Listing {
        match self.keys.get(&key.as_str().to_lowercase()) {
            None => Listing::NoKey,
            Some(values) => Listing::Known(
                values
                    .iter()
                    .map(|(name, value)| {
                        (ValueName::new(name), Reading::Known(State::Present(value.clone())))
                    })
                    .collect(),
            ),
        }
    }
}

pub(super) fn url(location: Location, path: &str) -> Option<String> {
    let origin = match location {
        Location::Absent => return None,
        Location::Tenant => T,
        Location::Connector => C,
        Location::OtherScheme => "http://rmsconnector.contoso.com",
        Location::Third => ADRMS,
        Location::OtherTenant => "https://00000000-1038-4eec-863d-49bded473437.rms.na.aadrm.com",
    };
    Some(format!("{origin}/_wmcs/{path}"))
}

/// Names and data of a key of redirections; `is_exchange` where bare origins are canonical.
pub(super) fn redirections(redirect: Redirect, is_exchange: bool) -> Option<(String, String)> {
    let long = |origin: &str| format!("{origin}/_wmcs/licensing");
    match (redirect, is_exchange) {
        (Redirect::None, _) => None,
        (Redirect::Ours, true) => Some((T.to_owned(), C.to_owned())),
        (Redirect::Ours, false) | (Redirect::Foreign, true) => Some((long(T), long(C))),
        (Redirect::Foreign, false) => Some(("/_wmcs/licensing".to_owned(), long(C))),
        (Redirect::Phase1, _) => Some((long(T), long(ADRMS))),
        (Redirect::Phase4, _) => Some((long(ADRMS), long(C))),
        (Redirect::OldConnector, true) => Some((T.to_owned(), OLD.to_owned())),
        (Redirect::OldConnector, false) => Some((long(T), long(OLD))),
    }
}

const SHARED: &str = r"SOFTWARE\Microsoft\Shared Tools\Web Server Extensions";

fn install(registry: &mut Registry, product: Product) {
    let mut exchange = |family: &str, build: [u32; 4]| {
        let key = format!(r"SOFTWARE\Microsoft\ExchangeServer\{family}\Setup");
        let names = ["MsiProductMajor", "MsiProductMinor", "MsiBuildMajor", "MsiBuildMinor"];
        for (name, number) in names.into_iter().zip(build) {
            registry.put(&key, name, Value::Dword(number));
        }
    };
    match product {
        Product::Exchange2010 => exchange("v14", [14, 3, 195, 1]),
        Product::Exchange2013 => exchange("v15", [15, 0, 775, 38]),
        Product::Exchange2016 => exchange("v15", [15, 1, 225, 42]),
        Product::Exchange2019 => exchange("v15", [15, 2, 2561, 0]),
        Product::ExchangeSe => exchange("v15", [15, 2, 2562, 17]),
        Product::Sharepoint2010 => {
            registry.sz(&format!(r"{SHARED}\14.0"), "Version", "14.0.0.7268");
        }
        Product::Sharepoint2013 => {
            registry.sz(&format!(r"{SHARED}\15.0"), "Version", "15.0.0.4420");
        }
        Product::Sharepoint2016 => {
            registry.sz(&format!(r"{SHARED}\16.0"), "Version", "16.0.9999.1");
        }
        Product::Sharepoint2019 => {
            registry.sz(&format!(r"{SHARED}\16.0"), "Version", "16.0.10000.0");
        }
        Product::SharepointSe => {
            registry.sz(&format!(r"{SHARED}\16.0"), "Version", "16.0.13000.0");
        }
        Product::Windows2012
        | Product::Windows2012R2
        | Product::Windows2016
        | Product::Windows2019
        | Product::Windows2022
        | Product::Windows2025 => {}
    }
    if product.role() == Role::Sharepoint {
        registry.sz(r"SOFTWARE\Microsoft\MSIPC\CurrentVersion", "", "1.0.2004.0");
    }
}

fn trouble(registry: &mut Registry, case: &Case) {
    let setup = format!(r"SOFTWARE\Microsoft\ExchangeServer\{}\Setup", case.family());
    let current = r"SOFTWARE\Microsoft\Windows\CurrentVersion";
    match (case.trouble, case.product.role()) {
        (Trouble::OneBuildTooOld, Role::Exchange) => match case.product {
            Product::Exchange2010 => registry.put(&setup, "MsiBuildMinor", Value::Dword(0)),
            Product::Exchange2013 => registry.put(&setup, "MsiBuildMinor", Value::Dword(37)),
            _ => {}
        },
        (Trouble::Edge, Role::Exchange) => {
            let family = case.family();
            registry.key(&format!(r"SOFTWARE\Microsoft\ExchangeServer\{family}\EdgeTransportRole"));
        }
        (Trouble::Fighting, Role::Exchange) => install(registry, Product::Sharepoint2010),
        (Trouble::Fighting, Role::Fci | Role::Sharepoint) => {
            install(registry, Product::Exchange2010);
        }
        (Trouble::Neighbour, Role::Fci) => {
            install(registry, Product::Sharepoint2010);
            install(registry, Product::Sharepoint2019);
        }
        (Trouble::Neighbour, Role::Exchange) => {
            // A later SharePoint keeps the key of 2010.
            install(registry, Product::Sharepoint2010);
            install(registry, Product::Sharepoint2013);
        }
        (Trouble::Neighbour, Role::Sharepoint) if case.product != Product::Sharepoint2010 => {
            install(registry, Product::Exchange2016);
        }
        (Trouble::ConnectorHere, _) => {
            registry.key(r"SOFTWARE\Microsoft\AADRM\Connector");
        }
        (Trouble::Renames, _) => registry.put(
            r"SYSTEM\CurrentControlSet\Control\Session Manager",
            "PendingFileRenameOperations",
            Value::MultiSz(vec![r"\??\C:\old.dll".to_owned()]),
        ),
        (Trouble::Servicing, _) => {
            registry.key(&format!(r"{current}\Component Based Servicing\RebootPending"));
        }
        (Trouble::WindowsUpdate, _) => {
            registry.key(&format!(r"{current}\WindowsUpdate\Auto Update\RebootRequired"));
        }
        (Trouble::UpdateExe, _) => {
            registry.put(r"SOFTWARE\Microsoft\Updates\UpdateExeVolatile", "Flags", Value::Dword(2));
        }
        (Trouble::ClientTooOld, Role::Sharepoint) => {
            // As text it comes after 1.0.2004.0.
            registry.sz(r"SOFTWARE\Microsoft\MSIPC\CurrentVersion", "", "1.0.622.34");
        }
        (Trouble::Denied, _) => {
            // A key that is not there has no access list.
            let first = oracle::wanted(case.product).into_iter().next();
            registry.key(&first.map_or_else(String::new, |(key, _, _)| key));
        }
        (Trouble::NoClient, _) => {
            registry.keys.remove(&r"SOFTWARE\Microsoft\MSIPC\CurrentVersion".to_lowercase());
        }
        (_, _) => {}
    }
}

pub(super) fn furnished(case: &Case) -> Registry {
    let mut registry = Registry::default();
    if case.trouble != Trouble::NotInstalled {
        install(&mut registry, case.product);
    }
    if case.holds_all {
        for (key, name, data) in oracle::wanted(case.product) {
            registry.sz(&key, &name, &data);
        }
    }
    let mut point = |key: &str, location, path| {
        if let Some(url) = url(location, path) {
            registry.sz(key, "", &url);
        }
    };
    let msdrm = r"Microsoft\MSDRM\ServiceLocation\Activation";
    point(&format!(r"SOFTWARE\{msdrm}"), case.activation, "certification");
    point(&format!(r"SOFTWARE\Wow6432Node\{msdrm}"), case.activation32, "certification");
    let msipc = r"Microsoft\MSIPC\ServiceLocation";
    point(
        &format!(r"SOFTWARE\{msipc}\EnterpriseCertification"),
        case.certification,
        "certification",
    );
    point(
        &format!(r"SOFTWARE\Wow6432Node\{msipc}\EnterprisePublishing"),
        case.publishing32,
        "licensing",
    );
    if let Some((name, data)) = redirections(case.client, false) {
        registry.sz(&format!(r"SOFTWARE\{msipc}\LicensingRedirection"), &name, &data);
    }
    if let Some((name, data)) = redirections(case.redirect, true) {
        let family = case.family();
        let key = format!(r"SOFTWARE\Microsoft\ExchangeServer\{family}\IRM");
        registry.sz(&format!(r"{key}\LicenseServerRedirection"), &name, &data);
    }
    trouble(&mut registry, case);
    registry
}
