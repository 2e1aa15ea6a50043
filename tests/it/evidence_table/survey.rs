//! What a survey of one host as a row of the table has it brings home.

use std::collections::BTreeMap;

use jiff::Timestamp;

use rmsfleet::model::facts::Access;
use rmsfleet::model::facts::HostSurvey;
use rmsfleet::model::facts::Identity;
use rmsfleet::model::facts::Observation;
use rmsfleet::model::facts::OperatingSystem;
use rmsfleet::model::facts::Survey;
use rmsfleet::model::host::Host;
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
use rmsfleet::model::registry::Reading;
use rmsfleet::model::registry::ValuePath;
use rmsfleet::model::rules::RulePack;
use rmsfleet::plan::probe;

use crate::evidence_table::case::Beside;
use crate::evidence_table::case::Cache;
use crate::evidence_table::case::Case;
use crate::evidence_table::case::Trouble;
use crate::evidence_table::furnished::ADRMS;
use crate::evidence_table::furnished::C;
use crate::evidence_table::furnished::T;
use crate::evidence_table::furnished::furnished;
use crate::evidence_table::oracle;

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
