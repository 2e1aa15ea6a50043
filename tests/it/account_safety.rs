//! One wrong password on two hundred hosts: what the hosts themselves count.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rmsfleet::cli::desk::Desk;
use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::event::Sink;
use rmsfleet::event::SinkError;
use rmsfleet::host::exchange;
use rmsfleet::host::link::Connect;
use rmsfleet::host::link::Target;
use rmsfleet::host::restart::Pace;
use rmsfleet::lab::accounts::Accounts as LabAccounts;
use rmsfleet::lab::edge::Edge;
use rmsfleet::lab::farm::FarmHost;
use rmsfleet::lab::faults::FaultSet;
use rmsfleet::lab::power::Timing;
use rmsfleet::lab::serve::Farm;
use rmsfleet::model::care::Care;
use rmsfleet::model::facts::HostSurvey;
use rmsfleet::model::facts::Identity;
use rmsfleet::model::facts::Survey;
use rmsfleet::model::gate::Gate;
use rmsfleet::model::host::Endpoint;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::probe::Probe;
use rmsfleet::model::product::Product;
use rmsfleet::model::product::Role;
use rmsfleet::model::program::RunOn;
use rmsfleet::model::rollout::Limits;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;
use rmsfleet::net::accounts::Accounts;
use rmsfleet::net::clock::SystemClock;
use rmsfleet::net::connect::Network;
use rmsfleet::net::stats::Stats;
use rmsfleet::run::action::Options;
use rmsfleet::run::action::Stop;
use rmsfleet::run::driver::RunContext;
use rmsfleet::run::driver::RunReport;
use rmsfleet::run::driver::execute;
use rmsfleet::run::survey::Question;
use rmsfleet::run::survey::survey;
use tokio::sync::watch;

use crate::imagined::change;
use crate::imagined::endpoint;
use crate::imagined::hosts_stage;
use crate::imagined::noon;
use crate::imagined::plan;
use crate::imagined::planned;

const MANY: usize = 200;
const FORKS: usize = 40;
const USER: &str = r"CORP\rms";

/// Nothing is journalled here: the hosts' own counters are what counts.
struct Nowhere;

impl Sink for Nowhere {
    fn emit(&mut self, _: Event) -> Result<(), SinkError> {
        Ok(())
    }
}

fn account(user: &str, password: &str) -> Account {
    Account { user: user.to_owned(), password: Secret::new(password.to_owned()) }
}

/// Every second host is an Exchange server of an organisation of its own, so that each is asked.
async fn farm(from: usize, hosts: usize, password: &str) -> Farm {
    let host = |number: usize| {
        let exchange = number.is_multiple_of(2);
        let (role, product) = if exchange {
            (Role::Exchange, Product::Exchange2019)
        } else {
            (Role::Fci, Product::Windows2016)
        };
        let mut host = FarmHost::new(HostName::new(format!("H{number:03}")), role, product);
        host.organisation = exchange.then(|| format!("Organisation {number}"));
        host
    };
    let edge = Edge::new(noon, |bytes| bytes.fill(7));
    let timing = Timing { latency: Duration::ZERO, ..Timing::tour() };
    let hosts = (from..from + hosts).map(host).collect();
    let accounts = LabAccounts::new(account(USER, password));
    Farm::start(hosts, accounts, &FaultSet::default(), timing, edge).await.unwrap()
}

/// A network in which these credentials hold these users, all with the same password.
fn network(credentials: &[(&str, &str)], password: &str) -> Network {
    let mut accounts = Accounts::default();
    for (credential, user) in credentials {
        accounts.insert(*credential, None, account(user, password));
    }
    Network::new(accounts, Stats::default()).unwrap()
}

fn at(address: SocketAddr, path: &str) -> Endpoint {
    Endpoint { port: address.port(), ..endpoint(&address.ip().to_string(), path) }
}

fn target(host: &HostName, endpoint: Endpoint, credential: &str) -> Target {
    Target {
        host: host.clone(),
        endpoint,
        credential: credential.to_owned(),
        user: None,
        connect_timeout: Duration::from_secs(20),
        operation_timeout: Duration::from_secs(20),
    }
}

/// Asks all hosts, and their Exchange endpoints; the credentials go round.
async fn ask(
    network: &Network,
    addresses: &BTreeMap<HostName, SocketAddr>,
    credentials: &[&str],
    forks: usize,
) -> Survey {
    let question = |(place, (name, address)): (usize, (&HostName, &SocketAddr))| {
        let credential = credentials[place % credentials.len()];
        let target = |path| target(name, at(*address, path), credential);
        let probe = Probe { organisation: true, ..Probe::default() };
        let exchange = Some(target("/PowerShell/"));
        let care = Care::default();
        Question { target: target("/wsman"), probe, exchange, farm: None, care }
    };
    let questions: Vec<Question> = addresses.iter().enumerate().map(question).collect();
    let forks = u32::try_from(forks).unwrap();
    let limits = Limits { forks, ..Limits::default() };
    survey(network, &SystemClock, &questions, &limits, &mut Nowhere).await.unwrap()
}

/// One new value on every host, all in one batch.
fn one_value(addresses: &BTreeMap<HostName, SocketAddr>, forks: usize, budget: u32) -> Plan {
    let host = |(name, address): (&HostName, &SocketAddr)| {
        let mut host = planned(name.as_str());
        host.endpoint = at(*address, "/wsman");
        host.identity = Some(Identity {
            computer: name.as_str().to_owned(),
            domain: Some("corp.contoso.com".to_owned()),
        });
        host.changes = vec![change("Account safety", None, Some("1"))];
        host
    };
    let names: Vec<HostName> = addresses.keys().cloned().collect();
    let stage = hosts_stage("all", vec![names], budget, Vec::new());
    let mut plan = plan(addresses.iter().map(host).collect(), vec![stage]);
    plan.limits.forks = u32::try_from(forks).unwrap();
    plan
}

async fn apply(network: &Network, plan: &Plan) -> RunReport {
    let (_sender, stop) = watch::channel(Stop::Go);
    execute(RunContext {
        plan,
        digest: "0123",
        run: "run-1",
        tool: "rmsfleet test",
        operator: "admin",
        workstation: "desk",
        connect: network,
        clock: &SystemClock,
        sink: &mut Nowhere,
        options: Options::default(),
        pace: Pace::default(),
        controller: &Desk { folder: std::path::PathBuf::new(), own: None },
        stop,
    })
    .await
    .unwrap()
}

/// What the hosts counted: logons that were refused, logons that were taken, values written.
#[track_caller]
fn check(farm: &Farm, refused: u64, taken: impl Fn(u64) -> bool, written: impl Fn(u64) -> bool) {
    let stats = farm.stats();
    let logons = stats.sum(|host| host.logons);
    let writes = stats.sum(|host| host.writes);
    assert_eq!(stats.sum(|host| host.failed_logons), refused, "logons that were refused");
    assert!(taken(logons), "{logons} logons were taken");
    assert!(written(writes), "{writes} writes");
}

const NONE: fn(u64) -> bool = |count| count == 0;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap().block_on(work)
}

fn kinds(survey: &Survey) -> BTreeMap<FailureKind, usize> {
    let mut kinds = BTreeMap::new();
    for host in survey.hosts.values() {
        if let HostSurvey::Failed(failure) = host {
            *kinds.entry(failure.kind).or_default() += 1;
        }
    }
    kinds
}

#[test]
fn a_wrong_password_is_tried_once_across_survey_shells_and_apply() {
    block_on(async {
        let farm = farm(0, MANY, "right").await;
        let network = network(&[("default", USER)], "wrong");
        let addresses = farm.addresses();
        let survey = ask(&network, &addresses, &["default"], FORKS).await;
        let expected = [(FailureKind::Denied, 1), (FailureKind::AccountGuarded, MANY - 1)];
        assert_eq!(kinds(&survey), BTreeMap::from(expected));
        check(&farm, 1, NONE, NONE);
        for (name, address) in addresses.iter().take(20) {
            let target = target(name, at(*address, "/PowerShell/"), "default");
            assert!(network.shell(&target, exchange::CONFIGURATION).await.is_err());
        }
        check(&farm, 1, NONE, NONE);
        let report = apply(&network, &one_value(&addresses, FORKS, 0)).await;
        assert_eq!(report.exit, Exit::Auth);
        check(&farm, 1, NONE, NONE);
    });
}

#[test]
fn a_wrong_password_is_tried_once_by_a_gate_that_runs_a_program_on_every_host() {
    block_on(async {
        let farm = farm(0, MANY, "right").await;
        let network = network(&[("default", USER)], "wrong");
        let mut plan = one_value(&farm.addresses(), FORKS, 0);
        let argv = vec![rmsfleet::lab::probe::PATH.to_owned()];
        let gate = Gate::Command { argv, timeout: 60, run_on: RunOn::Host };
        plan.conditions.gates.insert("fine".to_owned(), gate);
        plan.stages[0].gates.before = vec!["fine".to_owned()];
        let report = apply(&network, &plan).await;
        assert_ne!(report.exit, Exit::Ok);
        check(&farm, 1, NONE, NONE);
    });
}

#[test]
fn an_account_is_one_however_many_credentials_name_it() {
    block_on(async {
        let farm = farm(0, MANY, "right").await;
        let names =
            [("default", USER), ("exchange", r"corp\RMS"), ("mail", "rms@corp.contoso.com")];
        let network = network(&names, "wrong");
        let survey =
            ask(&network, &farm.addresses(), &["default", "exchange", "mail"], FORKS).await;
        assert_eq!(kinds(&survey)[&FailureKind::AccountGuarded], MANY - 1);
        check(&farm, 1, NONE, NONE);
    });
}

#[test]
fn a_password_that_changed_since_the_plan_stops_the_run_at_the_first_host() {
    block_on(async {
        let farm = farm(0, MANY, "new").await;
        let addresses = farm.addresses();
        let fresh = network(&[("default", USER)], "new");
        let survey = ask(&fresh, &addresses, &["default"], FORKS).await;
        assert_eq!(kinds(&survey), BTreeMap::new());
        let report =
            apply(&network(&[("default", USER)], "old"), &one_value(&addresses, FORKS, 0)).await;
        assert_eq!((report.exit, report.exit.code()), (Exit::Auth, 77));
        let at_least = |count| count >= u64::try_from(MANY).unwrap();
        check(&farm, 1, at_least, NONE);
    });
}

#[test]
fn a_refusal_after_a_success_fails_its_host_alone_and_is_not_tried_again() {
    block_on(async {
        let (farm, other) = (farm(0, 19, "right").await, farm(100, 1, "another").await);
        let mut addresses = farm.addresses();
        addresses.extend(other.addresses());
        let network = network(&[("default", USER)], "right");
        let survey = ask(&network, &addresses, &["default"], 1).await;
        assert_eq!(kinds(&survey), BTreeMap::from([(FailureKind::Denied, 1)]));
        check(&farm, 0, |count| count >= 19, NONE);
        check(&other, 1, NONE, NONE);

        let report = apply(&network, &one_value(&addresses, 4, 1)).await;
        let refused = &report.outcomes[&HostName::new("H100")];
        assert!(
            matches!(refused, Outcome::Failed(failure) if failure.kind == FailureKind::Denied),
            "{refused:?}"
        );
        let changed = |outcome: &&Outcome| matches!(outcome, Outcome::Changed { values: 1, .. });
        assert_eq!(report.outcomes.values().filter(changed).count(), 19);
        assert_eq!(report.exit, Exit::Partial);
        check(&farm, 0, |count| count >= 38, |count| count >= 19);
        check(&other, 1, NONE, NONE);
    });
}

/// Who waits asks again and again; the host is not asked again for them.
#[test]
fn whoever_waits_for_a_host_that_refuses_the_account_it_is_asked_once() {
    block_on(async {
        let (farm, other) = (farm(0, 1, "right").await, farm(100, 1, "another").await);
        let mut addresses = farm.addresses();
        addresses.extend(other.addresses());
        let network = network(&[("default", USER)], "right");
        ask(&network, &farm.addresses(), &["default"], 1).await;
        let refusing = other.addresses();
        let (name, address) = refusing.iter().next().unwrap();
        for _ in 0..5 {
            let target = |path| target(name, at(*address, path), "default");
            let error = network.connect(&target("/wsman")).await.map(drop).unwrap_err();
            assert_eq!(error.failure().kind, FailureKind::Denied);
            let shell = network.shell(&target("/PowerShell/"), exchange::CONFIGURATION).await;
            assert_eq!(shell.map(drop).unwrap_err().failure().kind, FailureKind::Denied);
        }
        check(&other, 1, NONE, NONE);
    });
}
