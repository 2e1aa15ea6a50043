//! Asks every host what the plan needs to know. Nothing here can write.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream;

use crate::event::Event;
use crate::event::Phase;
use crate::event::Sink;
use crate::event::SinkError;
use crate::host::exchange;
use crate::host::farm;
use crate::host::gate;
use crate::host::gate::POWERSHELL;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::link::Shell;
use crate::host::link::Target;
use crate::host::maintenance;
use crate::host::observe::observe;
use crate::host::sharepoint;
use crate::model::care::Care;
use crate::model::care::Drain;
use crate::model::facts::HostSurvey;
use crate::model::facts::Observation;
use crate::model::facts::Survey;
use crate::model::host::HostName;
use crate::model::irm::ExchangeServer;
use crate::model::irm::Organisation;
use crate::model::maintenance::Membership;
use crate::model::outcome::Failure;
use crate::model::particulars::Asked;
use crate::model::particulars::FarmIrm;
use crate::model::particulars::Particulars;
use crate::model::particulars::WebAnswer;
use crate::model::probe::Probe;
use crate::model::rollout::Limits;
use crate::run::reach::reach;
use crate::run::recorder::Recorder;

/// One host and what is asked of it.
#[derive(Debug, Clone)]
pub struct Question {
    pub target: Target,
    pub probe: Probe,
    /// The host's Exchange endpoint, asked if the probe wants the organisation.
    pub exchange: Option<Target>,
    /// The SharePoint farm that is asked through this host.
    pub farm: Option<FarmQuestion>,
    /// What would be done around a restart of the host.
    pub care: Care,
}

/// A farm by the inventory's name, and the session configuration that has its cmdlets.
#[derive(Debug, Clone)]
pub struct FarmQuestion {
    pub name: String,
    pub configuration: String,
}

/// Asks all hosts, at most `limits.forks` at once and each over one connection, then the
/// organisations.
///
/// A host that fails is part of the survey; only a sink that fails ends it.
pub async fn survey<C: Connect, K: Clock>(
    connect: &C,
    clock: &K,
    questions: &[Question],
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Survey, SinkError> {
    let recorder = &Recorder::new(sink);
    let forks = usize::try_from(limits.forks.max(1)).unwrap_or(1);
    let mut hosts = BTreeMap::new();
    let mut answers = stream::iter(questions)
        .map(|question| ask(connect, clock, question, limits.retries, recorder))
        .buffer_unordered(forks);
    while let Some(answer) = answers.next().await {
        let (host, survey) = answer?;
        hosts.insert(host, survey);
    }
    drop(answers);
    let mut survey = Survey { hosts, ..Survey::default() };
    for question in questions {
        ask_organisation(connect, question, &mut survey).await;
        ask_farm(connect, question, &mut survey).await;
    }
    let mut standings = stream::iter(questions)
        .filter(|question| {
            let read = matches!(survey.hosts.get(&question.target.host), Some(HostSurvey::Read(_)));
            std::future::ready(read)
        })
        .map(|question| ask_standing(connect, question, &survey.hosts))
        .buffer_unordered(forks)
        .collect::<Vec<_>>()
        .await;
    for (host, standing) in standings.drain(..) {
        match standing {
            Ok(Standing { membership, open_files }) => {
                survey.memberships.extend(membership.map(|own| (host.clone(), own)));
                survey.open_files.extend(open_files.map(|count| (host, count)));
            }
            Err(error) => {
                survey.standing_failures.insert(host, error.failure());
            }
        }
    }
    Ok(survey)
}

/// What a restart of the host would meet.
#[derive(Default)]
struct Standing {
    membership: Option<Membership>,
    open_files: Option<usize>,
}

/// Asks a host what its restart would meet, as far as the playbook takes care of it.
async fn ask_standing<C: Connect>(
    connect: &C,
    question: &Question,
    hosts: &BTreeMap<HostName, HostSurvey>,
) -> (HostName, Result<Standing, HostError>) {
    let host = question.target.host.clone();
    let computer = match hosts.get(&host) {
        Some(HostSurvey::Read(observation)) => observation.identity.computer.clone(),
        Some(HostSurvey::Failed(_)) | None => host.short().to_owned(),
    };
    let standing = standing(connect, question, &computer).await;
    (host, standing)
}

async fn standing<C: Connect>(
    connect: &C,
    question: &Question,
    computer: &str,
) -> Result<Standing, HostError> {
    let mut standing = Standing::default();
    let care = &question.care;
    if let (Drain::ExchangeDag, Some(target)) = (&care.drain, &question.exchange) {
        let mut shell = connect.shell(target, exchange::CONFIGURATION).await?;
        let mailbox = maintenance::mailbox(&mut shell, computer).await;
        shell.close().await;
        standing.membership.get_or_insert_default().mailbox = Some(mailbox?);
    }
    let clustered = matches!(care.drain, Drain::ExchangeDag | Drain::FailoverCluster);
    if clustered || care.warn.is_some() {
        let mut shell = connect.shell(&question.target, POWERSHELL).await?;
        let read = async {
            if clustered {
                let node = maintenance::node(&mut shell, computer).await?;
                standing.membership.get_or_insert_default().node = Some(node);
            }
            if care.warn.is_some() {
                standing.open_files = Some(maintenance::open_files(&mut shell).await?);
            }
            Ok(())
        };
        let read: Result<(), HostError> = read.await;
        shell.close().await;
        read?;
    }
    Ok(standing)
}

async fn ask<C: Connect, K: Clock>(
    connect: &C,
    clock: &K,
    question: &Question,
    retries: u32,
    recorder: &Recorder<'_>,
) -> Result<(HostName, HostSurvey), SinkError> {
    let host = question.target.host.clone();
    recorder.emit(Event::HostStarted { host: host.clone(), phase: Phase::Survey })?;
    let read = async {
        let mut link = reach(connect, clock, &question.target, retries).await?;
        read_only(&mut link, clock, &question.probe).await
    };
    let survey = match read.await {
        Ok(mut observation) => {
            let found = &mut observation.particulars;
            let mut probe = question.probe.clone();
            // The farm's own question reads it, over the step's way, and is evidence as well.
            probe.farm &= question.farm.is_none();
            look_around(connect, &question.target, &probe, found).await;
            HostSurvey::Read(Box::new(observation))
        }
        Err(error) => HostSurvey::Failed(error.failure()),
    };
    let failure = failure_of(&survey).cloned();
    recorder.emit(Event::HostSurveyed { host: host.clone(), failure })?;
    Ok((host, survey))
}

/// What only the host's own PowerShell can tell. A host that keeps its endpoint shut is read all
/// the same: these answers are missing then, and say so.
async fn look_around<C: Connect>(
    connect: &C,
    target: &Target,
    probe: &Probe,
    found: &mut Particulars,
) {
    if probe.request.is_none() && !probe.farm {
        return;
    }
    let mut shell = match connect.shell(target, POWERSHELL).await {
        Ok(shell) => shell,
        Err(error) => {
            let reason = format!("its PowerShell does not answer: {}", error.failure().text());
            if probe.request.is_some() {
                found.connector = Asked::NotRead(reason.clone());
            }
            if probe.revocation.is_some() {
                found.revocation = Asked::NotRead(reason.clone());
            }
            if probe.farm {
                found.farm = Asked::NotRead(reason);
            }
            return;
        }
    };
    if let Some(url) = &probe.request {
        found.connector = asked(gate::request(&mut shell, url).await);
    }
    if probe.farm {
        found.farm = asked(farm::irm(&mut shell).await);
    }
    // Last, because whatever answers there may end the shell.
    if let Some(lists) = &probe.revocation {
        found.revocation = match lists {
            Ok(lists) => asked(fetched(&mut shell, lists).await),
            Err(reason) => Asked::NotRead(reason.clone()),
        };
    }
    shell.close().await;
}

/// What the host gets from each of the addresses that it can be asked for: LDAP is none of them.
async fn fetched(
    shell: &mut impl Shell,
    lists: &[String],
) -> Result<Vec<(String, WebAnswer)>, HostError> {
    let mut answers = Vec::new();
    for url in lists.iter().filter(|url| gate::is_web(url)) {
        match gate::head(shell, url).await {
            Ok(answer) => answers.push((url.clone(), answer)),
            Err(error) if answers.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(answers)
}

fn asked<T>(result: Result<T, HostError>) -> Asked<T> {
    result.map_or_else(|error| Asked::NotRead(error.failure().text()), Asked::Told)
}

/// INVARIANT: the survey sees a link only as a reader.
async fn read_only(
    link: &mut impl Reader,
    clock: &impl Clock,
    probe: &Probe,
) -> Result<Observation, HostError> {
    let taken = clock.now();
    observe(link, probe, taken).await
}

/// Asks one host for its organisation, unless an organisation that is known lists it already.
///
/// A host that could not be read is not asked: its account or its address is in question.
async fn ask_organisation<C: Connect>(connect: &C, question: &Question, survey: &mut Survey) {
    let (true, Some(target)) = (question.probe.organisation, &question.exchange) else { return };
    let host = &question.target.host;
    let Some(HostSurvey::Read(observation)) = survey.hosts.get(host) else { return };
    let computer = &observation.identity.computer;
    let listed = |organisation: &Organisation| {
        organisation.servers.iter().any(|server| is_same(server, host, computer))
    };
    if survey.organisations.iter().any(listed) {
        return;
    }
    let read = async {
        let mut shell = connect.shell(target, exchange::CONFIGURATION).await?;
        let organisation = exchange::observe(&mut shell, host).await;
        shell.close().await;
        organisation
    };
    match read.await {
        Ok(found) => {
            let known = |other: &Organisation| other.dn.eq_ignore_ascii_case(&found.dn);
            if !survey.organisations.iter().any(known) {
                survey.organisations.push(found);
            }
        }
        Err(error) => {
            survey.organisation_failures.insert(host.clone(), error.failure());
        }
    }
}

/// Asks one host for its farm. A host that could not be read is not asked.
async fn ask_farm<C: Connect>(connect: &C, question: &Question, survey: &mut Survey) {
    let Some(FarmQuestion { name, configuration }) = &question.farm else { return };
    let host = &question.target.host;
    let Some(HostSurvey::Read(observation)) = survey.hosts.get_mut(host) else { return };
    let read = async {
        let mut shell = connect.shell(&question.target, configuration).await?;
        let farm = match sharepoint::enter(&mut shell, configuration).await {
            Ok(()) => sharepoint::observe(&mut shell, host).await,
            Err(error) => Err(error),
        };
        shell.close().await;
        farm
    };
    let farm = read.await.map_err(|error| error.failure());
    observation.particulars.farm = match &farm {
        Ok(farm) => Asked::Told(FarmIrm::of(&farm.irm)),
        Err(failure) => Asked::NotRead(failure.text()),
    };
    survey.farms.insert(name.clone(), farm);
}

fn is_same(server: &ExchangeServer, host: &HostName, computer: &str) -> bool {
    server.name.eq_ignore_ascii_case(computer)
        || server.fqdn.as_ref().is_some_and(|fqdn| fqdn.eq_ignore_ascii_case(host.as_str()))
}

fn failure_of(survey: &HostSurvey) -> Option<&Failure> {
    match survey {
        HostSurvey::Read(_) => None,
        HostSurvey::Failed(failure) => Some(failure),
    }
}
