//! One host's part of the plan.

mod checks;
mod conflicts;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::facts::HostSurvey;
use crate::model::facts::Observation;
use crate::model::facts::Survey;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::host::PriorAdrms;
use crate::model::host::RestartPolicy;
use crate::model::host::Transport;
use crate::model::lease;
use crate::model::lease::FoundLease;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::particulars::FarmIrm;
use crate::model::plan::Blocker;
use crate::model::plan::Note;
use crate::model::plan::PlannedHost;
use crate::model::plan::Scope;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::registry::KeyPath;
use crate::model::registry::Listing;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::rollout::Playbook;
use crate::model::rollout::RestartWhen;
use crate::model::rules::RulePack;
use crate::model::tls::TlsTrust;
use crate::model::verdict::RestartNeed;
use crate::model::verdict::Verdict;
use crate::plan::authorise;
use crate::plan::debt;
use crate::plan::desired;
use crate::plan::diff;
use crate::plan::domain;
use crate::plan::evidence;
use crate::plan::farm;
use crate::plan::identity;
use crate::plan::identity::Fit;
use crate::plan::node;
use crate::plan::organisation;
use crate::plan::ours::Ours;
use crate::plan::preflight;
use crate::plan::preflight::CLOCK_SKEW;
use crate::plan::probe;
use crate::plan::standing;
use crate::plan::surroundings;
use crate::plan::tenant;
use crate::plan::verdict;
use crate::plan::window;
use crate::plan::worst;

/// What every host's plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub playbook: &'a Playbook,
    pub pack: &'a RulePack,
    pub survey: &'a Survey,
    /// Connector nodes of the inventory.
    pub nodes: &'a [HostName],
    /// Names that servers of the fleet used for the connector before.
    pub earlier: &'a BTreeSet<String>,
    pub twins: &'a BTreeMap<HostName, Vec<HostName>>,
    /// The whole inventory.
    pub hosts: &'a [Host],
}

/// A host that this run leaves alone, and why.
pub fn left_alone(host: &Host, context: Context<'_>, scope: Scope) -> PlannedHost {
    let settings = domain::restart_settings(host, context.playbook);
    PlannedHost {
        name: host.name.clone(),
        scope,
        role: host.role,
        product: host.product,
        support: None,
        endpoint: host.endpoint.clone(),
        credential: host.credential.clone(),
        user: host.user.clone(),
        connect_timeout: host.connect_timeout,
        operation_timeout: host.operation_timeout,
        identity: None,
        changes: Vec::new(),
        equal: Vec::new(),
        verdict: Verdict {
            need: RestartNeed::NotRequired,
            rule: "not-touched".to_owned(),
            evidence: Vec::new(),
        },
        restart: false,
        restart_owed: None,
        leases: Vec::new(),
        mark_paid: false,
        restart_timeout: settings.map_or(0, |settings| settings.timeout),
        care: settings.map(|settings| settings.care.clone()).unwrap_or_default(),
        window: host.window.clone(),
        connector: host.connector.as_ref().map(ToString::to_string),
        site: host.site.clone(),
        farm: host.farm.clone(),
        single_copies: Vec::new(),
        exchange: (host.role == Some(Role::Exchange)).then(|| host.exchange.clone()),
        empty_keys: Vec::new(),
        after_step: None,
        domains: domain::domains(host, context.playbook),
        blockers: Vec::new(),
        notes: Vec::new(),
        findings: Vec::new(),
        authorise: None,
    }
}

/// The note on a host whose certificate is taken unseen; it is shown in red, before all others.
pub const TLS_IGNORED: &str = "tls-ignored";
/// The note that the host's password goes in clear.
pub const BASIC_IN_CLEAR: &str = "basic-in-clear";

/// A connector node: read for who it is, never written, never in the way.
pub fn connector(host: &Host, context: Context<'_>) -> PlannedHost {
    let mut planned = left_alone(host, context, Scope::Connector);
    planned.notes.extend(unchecked(host).into_iter().chain(in_clear(host)));
    match context.survey.hosts.get(&host.name) {
        Some(HostSurvey::Read(observation)) => {
            planned.identity = Some(observation.identity.clone());
            planned.notes.extend(clock(observation));
            planned.findings = node::findings(observation);
            let case = preflight::Case {
                host,
                role: Role::Connector,
                product: None,
                observation,
                survey: context.survey,
                hosts: context.hosts,
                preflight: &context.playbook.preflight,
                defaults: &[],
            };
            planned.findings.extend(preflight::about_a_node(case));
        }
        Some(HostSurvey::Failed(failure)) => planned.notes.push(note(
            "connector-unread",
            format!("{} was not read: {}", host.name, failure.text()),
        )),
        None => {}
    }
    planned
}

/// A host in scope: what differs, what that means, what stands in the way.
pub fn target(host: &Host, role: Role, context: Context<'_>) -> PlannedHost {
    let mut planned = left_alone(host, context, Scope::InScope);
    planned.notes.extend(unchecked(host).into_iter().chain(in_clear(host)));
    planned.verdict =
        Verdict { need: RestartNeed::Unknown, rule: "not-read".to_owned(), evidence: Vec::new() };
    let observation = match context.survey.hosts.get(&host.name) {
        Some(HostSurvey::Read(observation)) => observation,
        Some(HostSurvey::Failed(failure)) => {
            planned.blockers.push(not_read(failure));
            return planned;
        }
        None => {
            planned.blockers.push(blocker("unread", "the survey has no answer of this host"));
            return planned;
        }
    };
    planned.identity = Some(observation.identity.clone());
    planned.notes.extend(clock(observation));
    planned.blockers.extend(who(host, observation, context));
    planned.blockers.extend(tenant::others(host, context.survey));
    match observation.value(&probe::restart_mark()) {
        Reading::Known(State::Absent) => {}
        Reading::Known(State::Present(mark)) => planned.restart_owed = Some(mark.to_string()),
        Reading::Unreadable(reason) => planned
            .blockers
            .push(blocker("unreadable", &format!("{}: {reason}", probe::restart_mark()))),
    }
    leased(&mut planned, observation, None);
    let (product, version) = checks::version(host, role, observation);
    planned.product = product;
    planned.authorise = authorise::account(role, observation);
    checks::check(&mut planned, host, role, version, observation, context);
    let Some(product) = product else { return planned };
    checks::label(&mut planned, product, context.pack);
    match desired::desired(host, product, context.pack) {
        Ok(wanted) if wanted.is_empty() => planned
            .blockers
            .push(blocker("no-rules", &format!("the rule pack has no values for {product}"))),
        Ok(wanted) => {
            let diff = diff::diff(&wanted, observation, context.playbook.variants);
            planned.changes = diff.changes;
            planned.equal = diff.equal;
            planned.blockers.extend(diff.blockers);
            planned.notes.extend(diff.notes);
        }
        Err(error) => planned.blockers.push(blocker("no-values", &error.to_string())),
    }
    decide(&mut planned, host, product, observation, context);
    if planned.restart {
        standing::tell(&mut planned, host, context.survey);
    }
    let writes = !planned.changes.is_empty() || planned.restart || planned.mark_paid;
    if let (Some(window), true) = (&host.window, writes) {
        planned.blockers.extend(window_blocker(&planned, window, context.playbook));
    }
    let marked = ((context.playbook.marks && writes) || planned.mark_paid)
        .then(|| KeyPath::new(lease::MARKS_KEY));
    let keys = planned.changes.iter().map(|change| change.path.key.clone()).chain(marked);
    let rights = diff::rights(keys, observation);
    planned.blockers.extend(rights);
    planned
}

fn decide(
    planned: &mut PlannedHost,
    host: &Host,
    product: Product,
    observation: &Observation,
    context: Context<'_>,
) {
    let role = product.role();
    let ours = Ours {
        tenant: host.tenant.as_ref(),
        connector: host.connector.as_ref(),
        nodes: context.nodes,
        earlier: context.earlier,
        adrms: &host.adrms,
    };
    let mut traces = evidence::traces(role, observation, ours);
    let asked = surroundings::Asked {
        organisation: organisation::organisation_of(host, context.survey),
        failure: context.survey.organisation_failures.get(&host.name),
        observation,
        farm: farm::told_of(host, context.survey).map(|farm| FarmIrm::of(&farm.irm)),
    };
    traces.evidence.extend(surroundings::evidence(product, &asked, ours));
    // A host whose values are right already holds what contradicts them all the same.
    conflicts::against(planned, &traces.leftovers, &traces.other_connectors);
    planned.notes.extend(conflicts::elsewhere(&traces.elsewhere));
    planned.blockers.extend(conflicts::file_server_beside(&host.name, product, observation, ours));
    let paid = debt::paid(observation);
    if let Some(boot) = paid {
        planned.notes.push(note(
            "restart-paid",
            format!(
                "{} owed a restart and has booted since, at {boot}; {}",
                host.name,
                if planned.changes.is_empty() {
                    "only its mark is removed"
                } else {
                    "what is written now decides about another"
                }
            ),
        ));
    }
    let decided = verdict::decide(verdict::Case {
        role,
        changes: planned.changes.len(),
        evidence: traces.evidence,
        prior: host.prior_adrms,
        owed: planned.restart_owed.as_deref(),
        paid,
    });
    planned.verdict = decided.verdict;
    if planned.verdict.need == RestartNeed::NotRequired
        && !planned.changes.is_empty()
        && !host.adrms.is_empty()
        && host.prior_adrms == PriorAdrms::Auto
    {
        planned.notes.push(note(
            "prior-adrms-open",
            format!(
                "the inventory names AD RMS clusters for {}, and nothing on it tells of them any \
                 more: a migration's own steps take such traces away; if Rights Management was in \
                 use there before, say `rms_prior_adrms: used`, and it is restarted",
                host.name
            ),
        ));
    }
    let required = planned.verdict.need == RestartNeed::Required;
    let always = domain::restart_settings(host, context.playbook)
        .is_some_and(|settings| settings.when == RestartWhen::Always);
    match host.restart {
        RestartPolicy::Auto => {
            planned.restart = required || always && !planned.changes.is_empty();
        }
        RestartPolicy::Always => planned.restart = required || !planned.changes.is_empty(),
        RestartPolicy::Never | RestartPolicy::Manual if required => {
            planned.notes.push(note(
                "restart-left-owed",
                format!("{} must restart, and `rms_restart` leaves that to people", host.name),
            ));
        }
        RestartPolicy::Never | RestartPolicy::Manual => {}
    }
    // One that is restarted has a mark of its own until then.
    planned.mark_paid = paid.is_some() && !planned.restart;
    planned.blockers.extend(decided.blocker);
}

/// A window that the playbook does not know, or in which the host's work cannot end.
fn window_blocker(planned: &PlannedHost, name: &str, playbook: &Playbook) -> Option<Blocker> {
    let worst = worst::of_host(planned, &playbook.conditions, planned.restart);
    let text = match playbook.conditions.windows.get(name) {
        None => format!("the playbook defines no window `{name}`"),
        Some(found) if !window::can_fit(found, worst) => format!(
            "its work may take {} min, and window `{name}` has {} min before its cutoff",
            worst.div_ceil(60),
            found.duration.saturating_sub(found.cutoff) / 60
        ),
        Some(_) => return None,
    };
    let hint = format!(
        "correct `windows` in the playbook, or run at any time with --waive {}:window",
        planned.name
    );
    Some(Blocker { hint: Some(hint), ..blocker("window", &text) })
}

pub(crate) fn not_read(failure: &Failure) -> Blocker {
    let id = match failure.kind {
        FailureKind::Unreachable => "unreachable",
        FailureKind::Denied => "denied",
        FailureKind::AccountGuarded => "account-guarded",
        FailureKind::WrongHost => "wrong-host",
        FailureKind::Unsupported => "unsupported",
        FailureKind::Fault
        | FailureKind::Drifted
        | FailureKind::Leased
        | FailureKind::WriteRefused
        | FailureKind::InDoubt
        | FailureKind::NotBack
        | FailureKind::Hook
        | FailureKind::Maintenance
        | FailureKind::RestartNotBegun => "survey-failed",
    };
    Blocker { id: id.to_owned(), text: failure.text(), hint: failure.hint.clone() }
}

/// Another run's lease keeps the host out, unless a person knows better and waives it. `over` is a
/// run whose lease is taken over.
pub fn leased(planned: &mut PlannedHost, observation: &Observation, over: Option<&str>) {
    let found = match observation.listings.get(&lease::key()) {
        Some(Listing::Known(values)) => values,
        Some(Listing::Unreadable(reason)) => {
            let text = format!("the leases on it are unreadable: {reason}");
            planned.blockers.push(blocker("unreadable", &text));
            return;
        }
        Some(Listing::NoKey) | None => return,
    };
    let leases = found.iter().filter_map(|(name, reading)| FoundLease::read(name, reading));
    for other in leases.filter(|other| other.counts(observation.taken)) {
        planned.leases.push(other.told());
        if over == Some(other.run.as_str()) {
            continue;
        }
        planned.blockers.push(Blocker {
            id: "leased".to_owned(),
            text: other.told(),
            hint: Some(format!(
                "wait for its end; if that run is lost: rmsfleet resume {} on its workstation, or \
                 --waive {}:leased",
                other.run, planned.name
            )),
        });
    }
}

fn who(host: &Host, observation: &Observation, context: Context<'_>) -> Vec<Blocker> {
    let found = &observation.identity;
    let domain = found.domain.as_deref().unwrap_or("a workgroup");
    let mut blockers = Vec::new();
    match identity::fits(&host.name, found) {
        Fit::Fits | Fit::NoName => {}
        Fit::OtherComputer | Fit::OtherDomain => blockers.push(Blocker {
            id: "identity".to_owned(),
            text: format!("the host says it is {} of {domain}", found.computer),
            hint: Some(format!(
                "correct `ansible_host` or the DNS record, or --waive {}:identity",
                host.name
            )),
        }),
    }
    if let Some(others) = context.twins.get(&host.name) {
        let others: Vec<&str> = others.iter().map(HostName::as_str).collect();
        blockers.push(Blocker {
            id: "identity-twice".to_owned(),
            text: format!(
                "the host says it is {} of {domain}, and so does {}",
                found.computer,
                others.join(", ")
            ),
            hint: Some("keep one of the names in the inventory".to_owned()),
        });
    }
    blockers
}

/// What everybody who reads the plan must see: this host could be anybody.
fn unchecked(host: &Host) -> Option<Note> {
    let ignored = [&host.endpoint, &host.exchange].map(|endpoint| endpoint.tls == TlsTrust::Ignore);
    ignored.contains(&true).then(|| {
        let text = "the certificate is not checked, so whoever is in between can read and change \
                    what is written; give its thumbprint as `rms_tls_pin` instead";
        note(TLS_IGNORED, text.to_owned())
    })
}

/// And this password could be read by anybody.
fn in_clear(host: &Host) -> Option<Note> {
    let basic = [&host.endpoint, &host.exchange]
        .map(|endpoint| endpoint.transport == Transport::BasicInClear);
    basic.contains(&true).then(|| {
        let text = "Basic over http: everybody on the way reads the password and can change what is \
                    written (--danger-basic-over-http)";
        note(BASIC_IN_CLEAR, text.to_owned())
    })
}

fn clock(observation: &Observation) -> Option<Note> {
    let skew = observation.os.local_time.as_second() - observation.taken.as_second();
    (skew.abs() > CLOCK_SKEW).then(|| {
        let way = if skew > 0 { "ahead" } else { "behind" };
        note("clock-skew", format!("the host's clock is {} s {way}", skew.abs()))
    })
}

pub(crate) fn blocker(id: &str, text: &str) -> Blocker {
    Blocker { id: id.to_owned(), text: text.to_owned(), hint: None }
}

fn note(id: &str, text: String) -> Note {
    Note { id: id.to_owned(), text }
}
