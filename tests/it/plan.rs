//! Plan files from outside: yesterday's is read, a changed one is refused, both in words.

use std::path::Path;

use rmsfleet::manifest::builtin;
use rmsfleet::manifest::inventory;
use rmsfleet::manifest::inventory::Inventory;
use rmsfleet::manifest::inventory::InventorySources;
use rmsfleet::manifest::pattern::select_surveyed;
use rmsfleet::model::facts::Access;
use rmsfleet::model::facts::HostSurvey;
use rmsfleet::model::facts::Identity;
use rmsfleet::model::facts::Observation;
use rmsfleet::model::facts::OperatingSystem;
use rmsfleet::model::facts::Survey;
use rmsfleet::model::host::Host;
use rmsfleet::model::host::HostName;
use rmsfleet::model::irm::ExchangeServer;
use rmsfleet::model::irm::IrmConfiguration;
use rmsfleet::model::irm::Organisation;
use rmsfleet::model::particulars::Asked;
use rmsfleet::model::particulars::FarmIrm;
use rmsfleet::model::particulars::Particulars;
use rmsfleet::model::particulars::Service;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedWork;
use rmsfleet::model::plan::Scope;
use rmsfleet::model::product::Product;
use rmsfleet::model::product::Role;
use rmsfleet::model::registry::Listing;
use rmsfleet::model::registry::Reading;
use rmsfleet::model::registry::State;
use rmsfleet::model::registry::Value;
use rmsfleet::model::registry::ValuePath;
use rmsfleet::model::rules::RulePack;
use rmsfleet::model::surveyed::Surveyed;
use rmsfleet::plan::PlanInput;
use rmsfleet::plan::Refusal;
use rmsfleet::plan::SealError;
use rmsfleet::plan::check_usable;
use rmsfleet::plan::desired::desired;
use rmsfleet::plan::is_contacted;
use rmsfleet::plan::make;
use rmsfleet::plan::open;
use rmsfleet::plan::probe;
use rmsfleet::plan::seal;
use rmsfleet::report::plan::RenderOptions;
use rmsfleet::report::plan::render;
use rmsfleet::report::style::Style;

/// A plan that was sealed when format 1 was new. It is never written again.
fn yesterday() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/plan-format-1.rmsplan");
    std::fs::read(path).unwrap()
}

fn lab() -> Inventory {
    let source = builtin::lab_inventory();
    let sources = InventorySources::alone(source.name, source.text);
    inventory::parse(&sources, &[]).unwrap()
}

#[test]
fn a_plan_file_of_format_1_is_read() {
    let sealed = open(&yesterday()).unwrap();
    let plan = &sealed.plan;
    assert_eq!(plan.id, "7f9c24e8-3b1a-4d5e-9c6f-0a1b2c3d4e5f");
    assert_eq!(plan.hosts.len(), 8);
    assert_eq!(plan.hosts[&HostName::new("RMSC1")].scope, Scope::Connector);
    assert_eq!(plan.hosts[&HostName::new("EX1")].changes.len(), 3);
    assert!(plan.hosts[&HostName::new("FS2")].is_blocked());
    let again = open(&seal(plan).unwrap()).unwrap();
    assert_eq!(again.plan, *plan);
}

#[test]
fn it_expires_and_is_shown_for_ever() {
    let sealed = open(&yesterday()).unwrap();
    let early = "2026-11-02T20:00:01Z".parse().unwrap();
    assert_eq!(check_usable(&sealed, early), Ok(()));
    let late = "2030-01-01T00:00:00Z".parse().unwrap();
    assert!(matches!(check_usable(&sealed, late), Err(Refusal::Expired { .. })));
    let options = RenderOptions {
        width: 100,
        style: Style::PLAIN,
        full: true,
        host: None,
        digest: Some(sealed.digest.clone()),
        now: None,
    };
    let text = render(&sealed.plan, &options);
    assert!(text.contains("valid until 2026-11-05 20:00Z"), "{text}");
    assert!(text.contains(&sealed.digest), "{text}");
}

#[test]
fn a_changed_value_is_noticed() {
    let text = String::from_utf8(yesterday()).unwrap();
    let changed = text.replacen("https://rms.contoso.com", "https://rms.attacker.io", 1);
    assert!(matches!(open(changed.as_bytes()), Err(SealError::Tampered { .. })));
}

#[test]
fn the_shipped_rules_give_every_product_its_column() {
    let pack = builtin::rules().unwrap();
    let inventory = lab();
    let host = inventory.hosts.iter().find(|host| host.tenant.is_some()).unwrap();
    let counts: Vec<usize> = Product::ALL
        .into_iter()
        .map(|product| desired(host, product, &pack).unwrap().len())
        .collect();
    assert_eq!(counts, [4, 4, 7, 7, 7, 2, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2]);
}

fn running() -> Service {
    Service { state: "Running".to_owned(), account: None }
}

/// A server as it is before anybody configured it.
fn fresh(host: &Host, pack: &RulePack) -> HostSurvey {
    let questions = probe(host, pack);
    let taken = "2026-11-02T20:00:00Z".parse().unwrap();
    let version = |path: &ValuePath| match (path.key.as_str(), path.name.as_str()) {
        (_, "MsiProductMajor") if host.role == Some(Role::Exchange) => Some(Value::Dword(15)),
        (_, "MsiProductMinor") => Some(Value::Dword(2)),
        (_, "MsiBuildMajor") => Some(Value::Dword(1544)),
        (_, "MsiBuildMinor") => Some(Value::Dword(4)),
        (key, "") if key.ends_with(r"MSIPC\CurrentVersion") => Some(Value::Sz("1.0.2456.0".into())),
        (key, "Version") if key.ends_with("16.0") => Some(Value::Sz("16.0.10337.12109".into())),
        (_, _) => None,
    };
    let read = |path: ValuePath| {
        let state = version(&path).map_or(State::Absent, State::Present);
        (path, Reading::Known(state))
    };
    HostSurvey::Read(Box::new(Observation {
        taken,
        identity: Identity {
            computer: host.name.short().to_owned(),
            domain: Some("corp.contoso.com".into()),
        },
        os: OperatingSystem {
            caption: "Microsoft Windows Server 2016 Standard".into(),
            version: "10.0.14393".into(),
            product_type: 3,
            last_boot: taken,
            local_time: taken,
        },
        values: questions.values.into_iter().map(read).collect(),
        listings: questions.listings.into_iter().map(|key| (key, Listing::NoKey)).collect(),
        access: questions.access.into_iter().map(|key| (key, Access::Granted)).collect(),
        up_seconds: None,
        particulars: Particulars {
            services: Asked::Told([("srmsvc".to_owned(), running())].into()),
            farm: Asked::Told(FarmIrm { enabled: Some(false), ..FarmIrm::default() }),
            cached: Asked::Told(0),
            ..Particulars::default()
        },
    }))
}

fn organisation(via: &HostName) -> Organisation {
    Organisation {
        dn: "CN=ControlPoint Config,CN=Transport Settings,CN=Contoso,DC=contoso,DC=com".into(),
        name: "Contoso".into(),
        via: via.clone(),
        irm: IrmConfiguration {
            internal_licensing_enabled: Some(false),
            external_licensing_enabled: Some(false),
            client_access_server_enabled: Some(true),
            service_location: Some(String::new()),
            publishing_location: Some(String::new()),
            licensing_location: Some(Vec::new()),
        },
        servers: ["EX01", "EX02"]
            .map(|name| ExchangeServer {
                name: name.into(),
                fqdn: Some(format!("{name}.corp.contoso.com")),
                version: "Version 15.2 (Build 1544.4)".into(),
                is_edge: false,
            })
            .into(),
    }
}

fn plan_of(inventory: &Inventory, survey: &Survey) -> Plan {
    let (playbook, pack) = (builtin::playbook().unwrap(), builtin::rules().unwrap());
    let select = |pattern: &str, surveyed: &Surveyed| {
        select_surveyed(pattern, &inventory.hosts, surveyed).map_err(|error| error.to_string())
    };
    make(&PlanInput {
        id: "id".into(),
        now: "2026-11-02T20:00:00Z".parse().unwrap(),
        tool: "rmsfleet".into(),
        lab: true,
        inputs: Vec::new(),
        hosts: &inventory.hosts,
        playbook: &playbook,
        pack: &pack,
        survey,
        select: &select,
        limit: None,
        waivers: &[],
        waived_servers: &[],
    })
}

/// Stages with their batches in short names: `canary FS01 | SPWFE01`.
fn outline(plan: &Plan) -> Vec<String> {
    plan.stages
        .iter()
        .map(|stage| match &stage.work {
            PlannedWork::Step(step) => format!("{} {}", stage.name, step.organisation),
            PlannedWork::Hosts { batches, .. } => {
                let batches: Vec<String> = batches
                    .iter()
                    .map(|batch| batch.iter().map(HostName::short).collect::<Vec<_>>().join(" "))
                    .collect();
                format!("{} {}", stage.name, batches.join(" | "))
            }
        })
        .collect()
}

#[test]
fn the_shipped_files_make_a_plan_and_its_apply_leaves_nothing_to_do() {
    let (inventory, pack) = (lab(), builtin::rules().unwrap());
    let mut survey = Survey::default();
    for host in inventory.hosts.iter().filter(|host| is_contacted(host)) {
        survey.hosts.insert(host.name.clone(), fresh(host, &pack));
    }
    survey.organisations = vec![organisation(&inventory.hosts[0].name)];
    let plan = plan_of(&inventory, &survey);
    assert_eq!(plan.blockers, []);
    assert!(plan.hosts.values().all(|host| !host.is_blocked()), "{plan:#?}");
    assert_eq!(
        outline(&plan),
        [
            "canary EX01 | SPWFE01 | FS01",
            "file-servers FS02 | FS03",
            "sharepoint SPWFE02",
            "exchange EX02",
            "exchange-irm Contoso",
        ]
    );
    let restarting = plan.hosts.values().filter(|host| host.restart).count();
    assert_eq!(restarting, 3, "file servers restart, first-time servers do not");

    for planned in plan.hosts.values() {
        let Some(HostSurvey::Read(seen)) = survey.hosts.get_mut(&planned.name) else { continue };
        for change in &planned.changes {
            seen.values.insert(change.path.clone(), Reading::Known(change.after.clone()));
        }
    }
    survey.organisations[0].irm.internal_licensing_enabled = Some(true);
    let again = plan_of(&inventory, &survey);
    assert!(!again.has_work(), "{:#?}", outline(&again));
}
