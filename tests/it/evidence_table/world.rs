//! The simulated state of one host: a registry and what else a survey brings home.

use std::collections::BTreeMap;

use jiff::Timestamp;

use rmsfleet::model::facts::Access;
use rmsfleet::model::facts::HostSurvey;
use rmsfleet::model::facts::Identity;
use rmsfleet::model::facts::Observation;
use rmsfleet::model::facts::OperatingSystem;
use rmsfleet::model::facts::Survey;
use rmsfleet::model::host::Host;
use rmsfleet::model::host::PriorAdrms;
use rmsfleet::model::irm::ExchangeServer;
use rmsfleet::model::irm::IrmConfiguration;
use rmsfleet::model::irm::Organisation;
use rmsfleet::model::outcome::Failure;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::particulars::Asked;
use rmsfleet::model::particulars::FarmIrm;
use rmsfleet::model::particulars::Particulars;
use rmsfleet::model::particulars::Service;
use rmsfleet::model::particulars::WebAnswer;
use rmsfleet::model::product::Product;
use rmsfleet::model::product::Role;
use rmsfleet::model::registry::KeyPath;
use rmsfleet::model::registry::Listing;
use rmsfleet::model::registry::Reading;
use rmsfleet::model::registry::State;
use rmsfleet::model::registry::Value;
use rmsfleet::model::registry::ValueName;
use rmsfleet::model::registry::ValuePath;
use rmsfleet::model::rules::RulePack;
use rmsfleet::plan::probe;

use crate::evidence_table::oracle;

pub(super) const T: &str = "https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com";
pub(super) const C: &str = "https://rmsconnector.contoso.com";
pub(super) const ADRMS: &str = "https://adrms.corp.contoso.com";
const OLD: &str = "https://oldrms.contoso.com";

/// Where a default value points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Location {
    Absent,
    Tenant,
    Connector,
    /// The connector by http.
    OtherScheme,
    Third,
    OtherTenant,
}

/// What stands in a key of redirections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirect {
    None,
    Ours,
    /// Rows 3 and 4 with paths, row 7 with its path alone: known, and not canonical.
    Foreign,
    /// The tenant's licensing led to AD RMS.
    Phase1,
    /// AD RMS led to the connector.
    Phase4,
    /// The tenant led to a connector of another name.
    OldConnector,
}

/// The organisation's or the farm's own settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    Off,
    OnForeign,
    OnOurs,
    /// On, and nothing says where.
    OnNowhere,
    Unread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    Empty,
    Filled,
    Unread,
}

/// What stands in the way, one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    OneBuildTooOld,
    Edge,
    /// Exchange beside a file server or SharePoint 2010, SharePoint 2010 beside Exchange.
    Fighting,
    /// Products whose values do not touch each other.
    Neighbour,
    ConnectorHere,
    Renames,
    Servicing,
    WindowsUpdate,
    UpdateExe,
    ConfigurationManager,
    ClientTooOld,
    NoClient,
    NoResourceManager,
    Workstation,
    Windows2008R2,
    Denied,
    WantedUnreadable,
    OtherComputer,
    NotInstalled,
}

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub product: Product,
    /// `MSDRM\ServiceLocation\Activation`, 64-bit view.
    pub activation: Location,
    /// The same in the 32-bit view.
    pub activation32: Location,
    /// `MSIPC\ServiceLocation\EnterpriseCertification`, 64-bit view.
    pub certification: Location,
    /// `MSIPC\ServiceLocation\EnterprisePublishing`, 32-bit view.
    pub publishing32: Location,
    /// `MSIPC\ServiceLocation\LicensingRedirection`.
    pub client: Redirect,
    /// Exchange's `LicenseServerRedirection`.
    pub redirect: Redirect,
    pub beside: Beside,
    pub cache: Cache,
    pub prior: PriorAdrms,
    pub trouble: Trouble,
    /// Every wanted value stands there already, but for what the fields above put there.
    pub holds_all: bool,
}

const LOCATIONS: [Location; 6] = [
    Location::Absent,
    Location::Tenant,
    Location::Connector,
    Location::OtherScheme,
    Location::Third,
    Location::OtherTenant,
];
const REDIRECTS: [Redirect; 6] = [
    Redirect::None,
    Redirect::Ours,
    Redirect::Foreign,
    Redirect::Phase1,
    Redirect::Phase4,
    Redirect::OldConnector,
];
const BESIDES: [Beside; 5] =
    [Beside::Off, Beside::OnForeign, Beside::OnOurs, Beside::OnNowhere, Beside::Unread];
const CACHES: [Cache; 3] = [Cache::Empty, Cache::Filled, Cache::Unread];
const PRIORS: [PriorAdrms; 3] = [PriorAdrms::Auto, PriorAdrms::Used, PriorAdrms::Never];
const TROUBLES: [Trouble; 20] = [
    Trouble::None,
    Trouble::OneBuildTooOld,
    Trouble::Edge,
    Trouble::Fighting,
    Trouble::Neighbour,
    Trouble::ConnectorHere,
    Trouble::Renames,
    Trouble::Servicing,
    Trouble::WindowsUpdate,
    Trouble::UpdateExe,
    Trouble::ConfigurationManager,
    Trouble::ClientTooOld,
    Trouble::NoClient,
    Trouble::NoResourceManager,
    Trouble::Workstation,
    Trouble::Windows2008R2,
    Trouble::Denied,
    Trouble::WantedUnreadable,
    Trouble::OtherComputer,
    Trouble::NotInstalled,
];
// What is crossed. One loud piece decides a row, so that the quiet ones come more often.
const CROSSED: [Location; 8] = [
    Location::Absent,
    Location::Absent,
    Location::Tenant,
    Location::Tenant,
    Location::Connector,
    Location::OtherScheme,
    Location::Third,
    Location::OtherTenant,
];
const FEW: [Location; 4] =
    [Location::Absent, Location::Absent, Location::Connector, Location::Third];
const CROSSED_REDIRECTS: [Redirect; 8] = [
    Redirect::None,
    Redirect::None,
    Redirect::Ours,
    Redirect::Ours,
    Redirect::Foreign,
    Redirect::Phase1,
    Redirect::Phase4,
    Redirect::OldConnector,
];
const CROSSED_BESIDES: [Beside; 6] = [
    Beside::Off,
    Beside::OnOurs,
    Beside::Off,
    Beside::OnForeign,
    Beside::OnNowhere,
    Beside::Unread,
];

impl Case {
    pub(super) fn plain(product: Product) -> Self {
        Self {
            product,
            activation: Location::Absent,
            activation32: Location::Absent,
            certification: Location::Absent,
            publishing32: Location::Absent,
            client: Redirect::None,
            redirect: Redirect::None,
            beside: Beside::Off,
            cache: Cache::Empty,
            prior: PriorAdrms::Auto,
            trouble: Trouble::None,
            holds_all: false,
        }
    }

    pub(super) fn count() -> usize {
        let quiet = 8 * 8 * 8 * 6 * 4 * 4 * 4;
        Product::ALL.len() * TROUBLES.len() * PRIORS.len() * CACHES.len() * quiet
    }

    /// The row of this number.
    pub(super) fn numbered(mut number: usize) -> Self {
        fn take<T: Copy>(number: &mut usize, all: &[T]) -> T {
            let one = all[*number % all.len()];
            *number /= all.len();
            one
        }
        let number = &mut number;
        let mut case = Self::plain(take(number, &Product::ALL));
        case.activation = take(number, &CROSSED);
        case.trouble = take(number, &TROUBLES);
        case.client = take(number, &CROSSED_REDIRECTS);
        case.redirect = take(number, &CROSSED_REDIRECTS);
        case.beside = take(number, &CROSSED_BESIDES);
        case.prior = take(number, &PRIORS);
        case.cache = take(number, &CACHES);
        case.certification = take(number, &FEW);
        case.publishing32 = take(number, &FEW);
        case.activation32 = take(number, &FEW);
        case
    }

    /// A plain host with each single piece in turn, and each answer of the inventory.
    pub(super) fn alone(product: Product) -> Vec<Self> {
        let plain = Self::plain(product);
        let mut cases = vec![plain.clone()];
        let mut put = |edit: &dyn Fn(&mut Self)| {
            for prior in PRIORS {
                let mut case = plain.clone();
                case.prior = prior;
                edit(&mut case);
                cases.push(case);
            }
        };
        for location in LOCATIONS {
            put(&|case| case.activation = location);
            put(&|case| case.activation32 = location);
            put(&|case| case.certification = location);
            put(&|case| case.publishing32 = location);
        }
        for redirect in REDIRECTS {
            put(&|case| case.client = redirect);
            put(&|case| case.redirect = redirect);
        }
        for beside in BESIDES {
            put(&|case| case.beside = beside);
        }
        for cache in CACHES {
            put(&|case| case.cache = cache);
        }
        for trouble in TROUBLES {
            put(&|case| case.trouble = trouble);
        }
        cases
    }

    /// `v14` for Exchange 2010.
    pub(super) fn family(&self) -> &'static str {
        if self.product == Product::Exchange2010 { "v14" } else { "v15" }
    }
}

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

    fn value(&self, path: &ValuePath) -> State {
        let values = self.keys.get(&path.key.as_str().to_lowercase());
        let mut values = values.into_iter().flatten();
        values
            .find(|(name, _)| name.eq_ignore_ascii_case(path.name.as_str()))
            .map_or(State::Absent, |(_, value)| State::Present(value.clone()))
    }

    fn listing(&self, key: &KeyPath) -> Listing {
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

pub(super) fn now() -> Timestamp {
    "2026-11-02T20:00:00Z".parse().unwrap()
}

fn windows(case: &Case) -> (&'static str, u32) {
    match case.trouble {
        Trouble::Workstation => return ("10.0.19045", 1),
        Trouble::Windows2008R2 => return ("6.1.7601", 3),
        _ => {}
    }
    let version = match case.product {
        Product::Windows2012 => "6.2.9200",
        Product::Windows2012R2 => "6.3.9600",
        Product::Windows2019 => "10.0.17763",
        Product::Windows2022 => "10.0.20348",
        Product::Windows2025 => "10.0.26100",
        _ => "10.0.14393",
    };
    (version, 3)
}

fn particulars(case: &Case) -> Particulars {
    let running = || Service { state: "Running".to_owned(), account: Some("LocalSystem".into()) };
    let mut services: BTreeMap<String, Service> = [("sptimerv4".to_owned(), running())].into();
    if case.trouble != Trouble::NoResourceManager {
        services.insert("srmsvc".to_owned(), running());
    }
    let is_pending = case.trouble == Trouble::ConfigurationManager;
    if is_pending {
        services.insert("ccmexec".to_owned(), running());
    }
    let farm = |use_directory, server: &str| {
        Asked::Told(FarmIrm {
            enabled: Some(true),
            use_directory: Some(use_directory),
            server: Some(server.to_owned()),
        })
    };
    let old = Asked::Told(Some("6.1.7600.16385".to_owned()));
    let files = [(r"C:\Windows\System32\msdrm.dll".to_owned(), old)];
    let is_old = case.trouble == Trouble::Windows2008R2;
    Particulars {
        services: Asked::Told(services),
        files: files.into_iter().filter(|_| is_old).collect(),
        members: Asked::Told(Vec::new()),
        cached: match case.cache {
            Cache::Empty => Asked::Told(0),
            Cache::Filled => Asked::Told(3),
            Cache::Unread => Asked::NotRead("access denied".to_owned()),
        },
        policies: Asked::Told((Vec::new(), 200)),
        client_restart: Asked::Told(is_pending),
        connector: Asked::Told(WebAnswer::Status(401)),
        farm: match case.beside {
            Beside::Off => Asked::Told(FarmIrm {
                enabled: Some(false),
                use_directory: Some(false),
                server: None,
            }),
            Beside::OnForeign => farm(false, ADRMS),
            Beside::OnOurs => farm(false, C),
            Beside::OnNowhere => farm(true, ""),
            Beside::Unread => Asked::NotRead("the local farm is not accessible".to_owned()),
        },
        ..Particulars::default()
    }
}

fn organisation(case: &Case, host: &Host) -> Option<Organisation> {
    let locations = match case.beside {
        Beside::Unread => return None,
        Beside::Off | Beside::OnNowhere => Vec::new(),
        Beside::OnForeign => {
            vec![format!("{T}/_wmcs/licensing"), format!("{ADRMS}/_wmcs/licensing")]
        }
        Beside::OnOurs => vec![format!("{T}/_wmcs/licensing")],
    };
    Some(Organisation {
        dn: "CN=ControlPoint Config,CN=Transport Settings,CN=Contoso,DC=contoso,DC=com".into(),
        name: "Contoso".into(),
        via: host.name.clone(),
        irm: IrmConfiguration {
            internal_licensing_enabled: Some(case.beside != Beside::Off),
            external_licensing_enabled: Some(false),
            client_access_server_enabled: Some(true),
            service_location: Some(String::new()),
            publishing_location: Some(String::new()),
            licensing_location: Some(locations),
        },
        servers: vec![ExchangeServer {
            name: host.name.short().to_owned(),
            fqdn: Some(host.name.as_str().to_owned()),
            version: "Version 15.2 (Build 1544.4)".into(),
            is_edge: false,
        }],
    })
}

/// What a survey of this one host brings home.
pub(super) fn survey(case: &Case, host: &Host, pack: &RulePack) -> Survey {
    let questions = probe(host, pack);
    let registry = furnished(case);
    let (version, product_type) = windows(case);
    let computer = if case.trouble == Trouble::OtherComputer { "OTHER" } else { host.name.short() };
    let first = oracle::wanted(case.product).into_iter().next();
    let is_first = |path: &ValuePath| {
        first.as_ref().is_some_and(|(key, name, _)| {
            path.key == KeyPath::new(key) && path.name.as_str().eq_ignore_ascii_case(name)
        })
    };
    let reading = |path: ValuePath| {
        let reading = if case.trouble == Trouble::WantedUnreadable && is_first(&path) {
            Reading::Unreadable("access denied".to_owned())
        } else {
            Reading::Known(registry.value(&path))
        };
        (path, reading)
    };
    let access = |key: KeyPath| {
        let is_denied = case.trouble == Trouble::Denied
            && first.as_ref().is_some_and(|(own, _, _)| key == KeyPath::new(own));
        (key, if is_denied { Access::Denied } else { Access::Granted })
    };
    let observation = Observation {
        taken: now(),
        identity: Identity {
            computer: computer.to_owned(),
            domain: Some("corp.contoso.com".to_owned()),
        },
        os: OperatingSystem {
            caption: "Microsoft Windows".to_owned(),
            version: version.to_owned(),
            product_type,
            last_boot: "2026-10-01T03:00:00Z".parse().unwrap(),
            local_time: now(),
        },
        listings: questions
            .listings
            .into_iter()
            .map(|key| {
                let listing = registry.listing(&key);
                (key, listing)
            })
            .collect(),
        values: questions.values.into_iter().map(reading).collect(),
        access: questions.access.into_iter().map(access).collect(),
        up_seconds: None,
        particulars: particulars(case),
    };
    let mut survey = Survey::default();
    survey.hosts.insert(host.name.clone(), HostSurvey::Read(Box::new(observation)));
    if host.role == Some(Role::Exchange) {
        survey.organisations.extend(organisation(case, host));
        if survey.organisations.is_empty() {
            let failure = Failure::new(FailureKind::Denied, "access denied");
            survey.organisation_failures.insert(host.name.clone(), failure);
        }
    }
    survey
}
