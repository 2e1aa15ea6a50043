//! Plans and fleets that exist only here.

use std::collections::BTreeMap;

use jiff::Timestamp;

use rmsfleet::model::care::Care;
use rmsfleet::model::change::Change;
use rmsfleet::model::conditions::Conditions;
use rmsfleet::model::facts::Identity;
use rmsfleet::model::gate::StageGates;
use rmsfleet::model::hook::Around;
use rmsfleet::model::host::Endpoint;
use rmsfleet::model::host::HostName;
use rmsfleet::model::host::Scheme;
use rmsfleet::model::host::Spn;
use rmsfleet::model::host::Transport;
use rmsfleet::model::irm::IrmConfiguration;
use rmsfleet::model::plan::FORMAT;
use rmsfleet::model::plan::OrganisationStep;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedHost;
use rmsfleet::model::plan::PlannedStage;
use rmsfleet::model::plan::PlannedWork;
use rmsfleet::model::plan::Scope;
use rmsfleet::model::product::Role;
use rmsfleet::model::registry::State;
use rmsfleet::model::registry::Value;
use rmsfleet::model::registry::ValuePath;
use rmsfleet::model::rollout::Limits;
use rmsfleet::model::rollout::OnAbort;
use rmsfleet::model::rollout::OwnDefaults;
use rmsfleet::model::step::Act;
use rmsfleet::model::step::Setting;
use rmsfleet::model::step::SettingValue;
use rmsfleet::model::tls::TlsTrust;
use rmsfleet::model::verdict::RestartNeed;
use rmsfleet::model::verdict::Verdict;

pub(crate) mod dice;
pub(crate) mod fleet;
pub(crate) mod link;
pub(crate) mod machine;
pub(crate) mod shell;
pub(crate) mod sink;
pub(crate) mod strike;

pub(crate) const KEY: &str = r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation";

pub(crate) fn noon() -> Timestamp {
    "2026-01-09T12:00:00Z".parse().unwrap()
}

pub(crate) fn state(text: Option<&str>) -> State {
    text.map_or(State::Absent, |text| State::Present(Value::Sz(text.to_owned())))
}

pub(crate) fn change(name: &str, before: Option<&str>, after: Option<&str>) -> Change {
    Change {
        path: ValuePath::new(KEY, name),
        before: state(before),
        after: state(after),
        rule: "test.rule".to_owned(),
    }
}

pub(crate) fn endpoint(address: &str, path: &str) -> Endpoint {
    Endpoint {
        scheme: Scheme::Http,
        address: address.to_owned(),
        port: 5985,
        path: path.to_owned(),
        transport: Transport::Ntlm,
        tls: TlsTrust::default(),
        spn: Spn::default(),
        client: None,
    }
}

/// A host in scope with nothing to do.
pub(crate) fn planned(name: &str) -> PlannedHost {
    PlannedHost {
        name: HostName::new(name),
        scope: Scope::InScope,
        role: Some(Role::Fci),
        product: None,
        support: None,
        endpoint: endpoint(name, "/wsman"),
        credential: "default".to_owned(),
        user: None,
        connect_timeout: 5,
        operation_timeout: 20,
        identity: Some(Identity {
            computer: name.to_owned(),
            domain: Some("contoso.com".to_owned()),
        }),
        changes: Vec::new(),
        equal: Vec::new(),
        verdict: Verdict {
            need: RestartNeed::NotRequired,
            rule: "no-change".to_owned(),
            evidence: Vec::new(),
        },
        restart: false,
        restart_owed: None,
        mark_paid: false,
        leases: Vec::new(),
        restart_timeout: 600,
        care: Care::default(),
        window: None,
        connector: None,
        site: None,
        farm: None,
        single_copies: Vec::new(),
        exchange: None,
        empty_keys: Vec::new(),
        after_step: None,
        domains: Vec::new(),
        blockers: Vec::new(),
        notes: Vec::new(),
        findings: Vec::new(),
        authorise: None,
    }
}

pub(crate) fn irm(enabled: bool) -> IrmConfiguration {
    IrmConfiguration {
        internal_licensing_enabled: Some(enabled),
        external_licensing_enabled: Some(false),
        client_access_server_enabled: Some(enabled),
        service_location: Some(String::new()),
        publishing_location: Some(String::new()),
        licensing_location: Some(Vec::new()),
    }
}

pub(crate) fn step(organisation: &str) -> OrganisationStep {
    OrganisationStep {
        identity: format!("CN=ControlPoint Config,CN={organisation},DC=contoso,DC=com"),
        organisation: organisation.to_owned(),
        via: HostName::new("EX1"),
        endpoint: endpoint("EX1", "/PowerShell/"),
        credential: "default".to_owned(),
        user: None,
        act: enabling(&irm(false)),
        satisfied: false,
        needs: Vec::new(),
        missing: Vec::new(),
        waived: Vec::new(),
        held: None,
        by_hand: None,
    }
}

/// `Set-IRMConfiguration` with both switches, from what the organisation holds.
pub(crate) fn enabling(before: &IrmConfiguration) -> Act {
    let settings = ["InternalLicensingEnabled", "ClientAccessServerEnabled"].map(|name| Setting {
        name: name.to_owned(),
        before: before.setting(name),
        after: SettingValue::Bool(true),
    });
    Act::ExchangeIrm { settings: settings.into(), before: before.clone(), sender: None }
}

pub(crate) fn hosts_stage(
    name: &str,
    batches: Vec<Vec<HostName>>,
    budget: u32,
    restarts: Vec<HostName>,
) -> PlannedStage {
    let work = PlannedWork::Hosts { batches, budget, restarts };
    PlannedStage {
        name: name.to_owned(),
        work,
        gates: StageGates::default(),
        hooks: Around::default(),
        own: OwnDefaults::default(),
    }
}

pub(crate) fn step_stage(name: &str, step: OrganisationStep) -> PlannedStage {
    PlannedStage {
        name: name.to_owned(),
        work: PlannedWork::Step(Box::new(step)),
        gates: StageGates::default(),
        hooks: Around::default(),
        own: OwnDefaults::default(),
    }
}

pub(crate) fn plan(hosts: Vec<PlannedHost>, stages: Vec<PlannedStage>) -> Plan {
    let hosts: BTreeMap<HostName, PlannedHost> =
        hosts.into_iter().map(|host| (host.name.clone(), host)).collect();
    Plan {
        format: FORMAT,
        id: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff".to_owned(),
        created: noon(),
        valid_until: "2026-01-10T12:00:00Z".parse().unwrap(),
        tool: "rmsfleet test".to_owned(),
        playbook: "test".to_owned(),
        rules: "test".to_owned(),
        inputs: Vec::new(),
        limits: Limits { forks: 8, restart: 2, ..Limits::default() },
        count_unreachable_as_failed: false,
        on_abort: OnAbort::default(),
        marks: true,
        lab: false,
        hosts,
        stages,
        conditions: Conditions::default(),
        undoes: None,
        blockers: Vec::new(),
        notes: Vec::new(),
    }
}
