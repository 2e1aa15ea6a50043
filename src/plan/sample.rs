//! Small hosts, packs and surveys for the tests of planning and reporting.

mod sound;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::care::Care;
use crate::model::conditions::Conditions;
use crate::model::facts::Access;
use crate::model::facts::HostSurvey;
use crate::model::facts::Identity;
use crate::model::facts::Observation;
use crate::model::facts::OperatingSystem;
use crate::model::facts::Survey;
use crate::model::gate::StageGates;
use crate::model::hook::Around;
use crate::model::host::Configure;
use crate::model::host::Endpoint;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::host::PriorAdrms;
use crate::model::host::RestartPolicy;
use crate::model::host::Scheme;
use crate::model::host::Spn;
use crate::model::host::Transport;
use crate::model::irm::ExchangeServer;
use crate::model::irm::IrmConfiguration;
use crate::model::irm::Organisation;
use crate::model::origin::Origin;
use crate::model::plan::Plan;
use crate::model::preflight::Preflight;
use crate::model::preflight::Waiver;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::registry::Listing;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;
use crate::model::rollout::BatchSize;
use crate::model::rollout::Budget;
use crate::model::rollout::IrmOrder;
use crate::model::rollout::Limits;
use crate::model::rollout::OnAbort;
use crate::model::rollout::OwnDefaults;
use crate::model::rollout::PerHost;
use crate::model::rollout::Playbook;
use crate::model::rollout::PlaybookStage;
use crate::model::rollout::RestartSettings;
use crate::model::rollout::RestartWhen;
use crate::model::rollout::StageWork;
use crate::model::rollout::StepOrder;
use crate::model::rollout::Variants;
use crate::model::rules::Confidence;
use crate::model::rules::ProductLabel;
use crate::model::rules::Rule;
use crate::model::rules::RulePack;
use crate::model::rules::Support;
use crate::model::surveyed::Surveyed;
use crate::model::tls::TlsTrust;
use crate::plan::PlanInput;
use crate::plan::make;
use crate::plan::probe;

pub(crate) fn now() -> Timestamp {
    "2026-11-02T20:00:00Z".parse().unwrap()
}

fn endpoint(name: &str, port: u16, path: &str) -> Endpoint {
    Endpoint {
        scheme: Scheme::Http,
        address: name.to_owned(),
        port,
        path: path.to_owned(),
        transport: Transport::Ntlm,
        tls: TlsTrust::default(),
        spn: Spn::default(),
        client: None,
    }
}

pub(crate) fn host(name: &str, role: Role) -> Host {
    Host {
        name: HostName::new(name),
        groups: vec!["all".into()],
        role: Some(role),
        product: None,
        configure: Configure::Auto,
        endpoint: endpoint(name, 5985, "/wsman"),
        credential: "default".into(),
        user: None,
        tenant: Some(Origin::parse("https://t1.rms.eu.aadrm.com").unwrap()),
        connector: Some(Origin::parse("https://rms.contoso.com").unwrap()),
        prior_adrms: PriorAdrms::Auto,
        restart: RestartPolicy::Auto,
        dag: None,
        farm: None,
        cluster: None,
        site: None,
        farm_roles: Vec::new(),
        canary: None,
        window: None,
        tags: Vec::new(),
        owner: None,
        exchange: endpoint(name, 80, "/PowerShell/"),
        organization: None,
        sharepoint: "Microsoft.PowerShell".to_owned(),
        adrms: Vec::new(),
        connect_timeout: 15,
        operation_timeout: 60,
    }
}

/// What a fresh server of the role answers: its version, and none of our values.
pub(crate) fn observation(name: &str, role: Role) -> Observation {
    let questions = probe(&host(name, role), &pack());
    let absent = Reading::Known(State::Absent);
    Observation {
        taken: now(),
        identity: Identity {
            computer: HostName::new(name).short().to_uppercase(),
            domain: Some("corp.contoso.com".into()),
        },
        os: OperatingSystem {
            caption: "Microsoft Windows Server 2016 Standard".into(),
            version: "10.0.14393".into(),
            product_type: 3,
            last_boot: "2026-10-01T03:00:00Z".parse().unwrap(),
            local_time: now(),
        },
        particulars: sound::particulars(&questions),
        values: questions.values.into_iter().map(|path| (path, absent.clone())).collect(),
        listings: questions.listings.into_iter().map(|key| (key, Listing::NoKey)).collect(),
        access: questions.access.into_iter().map(|key| (key, Access::Granted)).collect(),
        up_seconds: None,
    }
}

pub(crate) fn install_exchange_2016(observation: &mut Observation) {
    let key = r"SOFTWARE\Microsoft\ExchangeServer\v15\Setup";
    for (name, number) in [
        ("MsiProductMajor", 15),
        ("MsiProductMinor", 1),
        ("MsiBuildMajor", 2507),
        ("MsiBuildMinor", 6),
    ] {
        set(observation, &ValuePath::new(key, name), State::Present(Value::Dword(number)));
    }
}

pub(crate) fn install_sharepoint_2016(observation: &mut Observation) {
    let key = r"SOFTWARE\Microsoft\Shared Tools\Web Server Extensions\16.0";
    let version = Value::Sz("16.0.4351.1000".into());
    set(observation, &ValuePath::new(key, "Version"), State::Present(version));
    let client = ValuePath::new(r"SOFTWARE\Microsoft\MSIPC\CurrentVersion", "");
    set(observation, &client, State::Present(Value::Sz("1.0.2456.0".into())));
}

/// Puts a value where a host would show it: under its path, and in its key's listing.
pub(crate) fn set(observation: &mut Observation, path: &ValuePath, state: State) {
    let reading = Reading::Known(state);
    if let Some(listing) = observation.listings.get_mut(&path.key) {
        let mut values = match std::mem::replace(listing, Listing::NoKey) {
            Listing::Known(values) => values,
            Listing::NoKey | Listing::Unreadable(_) => Vec::new(),
        };
        values.retain(|(name, _)| *name != path.name);
        values.push((path.name.clone(), reading.clone()));
        *listing = Listing::Known(values);
    }
    observation.values.insert(path.clone(), reading);
}

/// A waiver without a reason.
pub(crate) fn waiver(host: &str, id: &str) -> Waiver {
    Waiver { host: HostName::new(host), id: id.to_owned(), reason: None }
}

/// A survey in which every host in scope answers as freshly installed.
pub(crate) fn survey(hosts: &[Host]) -> Survey {
    let mut survey = Survey::default();
    for host in hosts {
        let Some(role) = host.role else { continue };
        if !crate::plan::is_contacted(host) {
            continue;
        }
        let mut observation = observation(host.name.as_str(), role);
        match role {
            Role::Exchange => install_exchange_2016(&mut observation),
            Role::Sharepoint => install_sharepoint_2016(&mut observation),
            Role::Fci | Role::Connector => {}
        }
        survey.hosts.insert(host.name.clone(), HostSurvey::Read(Box::new(observation)));
    }
    survey
}

pub(crate) fn organisation(servers: &[&str]) -> Organisation {
    Organisation {
        dn: "CN=ControlPoint Config,CN=Transport Settings,CN=Contoso,DC=contoso,DC=com".into(),
        name: "Contoso".into(),
        via: HostName::new(servers[0]),
        irm: IrmConfiguration {
            internal_licensing_enabled: Some(false),
            external_licensing_enabled: Some(false),
            client_access_server_enabled: Some(true),
            service_location: Some(String::new()),
            publishing_location: Some(String::new()),
            licensing_location: Some(Vec::new()),
        },
        servers: servers
            .iter()
            .map(|&name| ExchangeServer {
                name: name.to_owned(),
                fqdn: Some(format!("{name}.corp.contoso.com")),
                version: "Version 15.1 (Build 2507.6)".into(),
                is_edge: false,
            })
            .collect(),
    }
}

fn rule(id: &str, row: u8, products: &[Product], key: &str, name: &str, data: &str) -> Rule {
    Rule {
        id: id.into(),
        row,
        products: products.to_vec(),
        key: key.into(),
        name: name.into(),
        data: data.into(),
        source: "rms-connector-registry-settings".into(),
        confidence: Confidence::Documented,
        note: None,
        variants: Vec::new(),
    }
}

/// A small pack with rules of each role's shape.
pub(crate) fn pack() -> RulePack {
    use Product::*;
    let msdrm = r"SOFTWARE\Microsoft\MSDRM\ServiceLocation";
    let msipc = r"SOFTWARE\Microsoft\MSIPC\ServiceLocation";
    RulePack {
        id: "sample".into(),
        version: "1".into(),
        sha256: String::new(),
        products: vec![ProductLabel {
            product: Windows2019,
            support: Support::Undocumented,
            source: "deploy-rms-connector".into(),
            date: "2026-01-09".into(),
            note: None,
        }],
        rules: vec![
            rule(
                "fci.activation",
                8,
                &[Windows2016, Windows2019],
                &format!(r"{msdrm}\Activation"),
                "",
                "{{ connector }}/_wmcs/certification",
            ),
            rule(
                "fci.publishing",
                9,
                &[Windows2016, Windows2019],
                &format!(r"{msdrm}\EnterprisePublishing"),
                "",
                "{{ connector }}/_wmcs/licensing",
            ),
            rule(
                "exchange.activation",
                1,
                &[Exchange2013, Exchange2016],
                &format!(r"{msdrm}\Activation"),
                "",
                "{{ tenant }}/_wmcs/certification",
            ),
            rule(
                "exchange.licensing",
                4,
                &[Exchange2013, Exchange2016],
                r"SOFTWARE\Microsoft\ExchangeServer\v15\IRM\LicenseServerRedirection",
                "{{ tenant }}",
                "{{ connector }}",
            ),
            rule(
                "msipc.certification",
                5,
                &[Exchange2016, Sharepoint2016],
                &format!(r"{msipc}\EnterpriseCertification"),
                "",
                "{{ connector }}/_wmcs/certification",
            ),
        ],
    }
}

pub(crate) fn stage(name: &str, pattern: &str) -> PlaybookStage {
    PlaybookStage {
        name: name.into(),
        vars: Vec::new(),
        work: StageWork::Hosts {
            pattern: pattern.into(),
            serial: vec![BatchSize::Count(1), BatchSize::Percent(50)],
            budget: Budget::Percent(10),
        },
        gates: StageGates::default(),
        hooks: Around::default(),
        own: OwnDefaults::default(),
    }
}

/// Everything in one stage, then the organisation.
pub(crate) fn playbook() -> Playbook {
    let restart = |max_unavailable| RestartSettings {
        when: RestartWhen::Required,
        per: None,
        max_unavailable,
        timeout: 900,
        care: Care::default(),
    };
    Playbook {
        name: "sample".into(),
        description: None,
        inventory: None,
        credentials: None,
        rules: None,
        limits: Limits { restart: 4, ..Limits::default() },
        per_host: PerHost::default(),
        on_abort: OnAbort::default(),
        count_unreachable_as_failed: true,
        plan_valid_hours: 72,
        marks: true,
        restart_exchange: restart(1),
        restart_sharepoint: restart(1),
        restart_fci: restart(2),
        restart_groups: Vec::new(),
        stages: vec![
            stage("servers", "all"),
            PlaybookStage {
                name: "organisation".into(),
                vars: Vec::new(),
                work: StageWork::Step(StepOrder::ExchangeIrm(IrmOrder::default())),
                gates: StageGates::default(),
                hooks: Around::default(),
                own: OwnDefaults::default(),
            },
        ],
        conditions: Conditions::default(),
        preflight: Preflight::default(),
        variants: Variants::default(),
    }
}

/// A fleet with what a test needs to change before it is planned.
pub(crate) struct Fleet {
    pub(crate) hosts: Vec<Host>,
    pub(crate) survey: Survey,
    pub(crate) playbook: Playbook,
    pub(crate) pack: RulePack,
    pub(crate) limit: Option<BTreeSet<HostName>>,
    pub(crate) waivers: Vec<Waiver>,
    pub(crate) waived_servers: Vec<String>,
}

impl Fleet {
    /// Names with their roles by prefix: `EX`, `SP`, `FS`, `RMSC`.
    pub(crate) fn new(names: &[&str]) -> Self {
        let hosts: Vec<Host> = names
            .iter()
            .map(|name| match *name {
                name if name.starts_with("EX") => host(name, Role::Exchange),
                name if name.starts_with("SP") => host(name, Role::Sharepoint),
                name if name.starts_with("RMSC") => host(name, Role::Connector),
                name => host(name, Role::Fci),
            })
            .collect();
        let mut survey = survey(&hosts);
        let exchange: Vec<&str> =
            names.iter().copied().filter(|name| name.starts_with("EX")).collect();
        if !exchange.is_empty() {
            survey.organisations = vec![organisation(&exchange)];
        }
        Self {
            hosts,
            survey,
            playbook: playbook(),
            pack: pack(),
            limit: None,
            waivers: Vec::new(),
            waived_servers: Vec::new(),
        }
    }

    pub(crate) fn host(&mut self, name: &str) -> &mut Host {
        self.hosts.iter_mut().find(|host| host.name.as_str() == name).unwrap()
    }

    pub(crate) fn seen(&mut self, name: &str) -> &mut Observation {
        match self.survey.hosts.get_mut(&HostName::new(name)).unwrap() {
            HostSurvey::Read(observation) => observation,
            HostSurvey::Failed(failure) => panic!("{failure:?}"),
        }
    }

    pub(crate) fn set(&mut self, name: &str, key: &str, value: &str, data: &str) {
        let state = State::Present(Value::Sz(data.to_owned()));
        set(self.seen(name), &ValuePath::new(key, value), state);
    }

    pub(crate) fn plan(&self) -> Plan {
        let all: Vec<HostName> = self.hosts.iter().map(|host| host.name.clone()).collect();
        let select = |pattern: &str, _: &Surveyed| match pattern {
            "all" => Ok(all.clone()),
            other => {
                Ok(all.iter().filter(|name| name.as_str().starts_with(other)).cloned().collect())
            }
        };
        make(&PlanInput {
            id: "7f9c24e8-3b1a-4d5e-9c6f-0a1b2c3d4e5f".into(),
            now: now(),
            tool: "rmsfleet 0.1.0".into(),
            lab: false,
            inputs: Vec::new(),
            hosts: &self.hosts,
            playbook: &self.playbook,
            pack: &self.pack,
            survey: &self.survey,
            select: &select,
            limit: self.limit.as_ref(),
            waivers: &self.waivers,
            waived_servers: &self.waived_servers,
        })
    }

    /// Writes every planned change into the survey, as applying the plan would.
    pub(crate) fn apply(&mut self, plan: &Plan) {
        for host in plan.hosts.values().filter(|host| host.has_work()) {
            for change in &host.changes {
                set(self.seen(host.name.as_str()), &change.path, change.after.clone());
            }
        }
        for organisation in &mut self.survey.organisations {
            organisation.irm.internal_licensing_enabled = Some(true);
            organisation.irm.client_access_server_enabled = Some(true);
        }
    }
}

/// A small plan with something of everything.
pub(crate) fn plan() -> Plan {
    Fleet::new(&["EX1", "SP1", "FS1", "FS2", "RMSC1"]).plan()
}
