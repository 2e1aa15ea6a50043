//! Out of service before a restart, and back as found after it.
//!
//! Every step is the difference between a reading and what is wanted, so that an act that was cut
//! off, in this process or an earlier one, is neither lost nor done twice.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::event::Event;
use crate::event::Phase;
use crate::event::SinkError;
use crate::host::gate::POWERSHELL;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::Shell;
use crate::host::maintenance;
use crate::host::maintenance::Way;
use crate::host::service;
use crate::model::care::Drain;
use crate::model::maintenance::Act;
use crate::model::maintenance::HUB_TRANSPORT;
use crate::model::maintenance::Membership;
use crate::model::maintenance::NodeState;
use crate::model::maintenance::TRANSPORT_SERVICE;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedHost;
use crate::run::history::Maintenance;
use crate::run::means::Means;
use crate::run::means::lock;
use crate::run::means::target;
use crate::run::peers;
use crate::run::trouble::Trouble;

/// An act that has no effect is given so many times at most.
const TRIES: u32 = 3;

/// How taking a host out of service ended.
#[derive(Debug)]
pub enum Entered {
    Out,
    Failed(Failure),
    /// The run was stopped.
    Stopped,
}

/// Takes the host out of service. `open` is what must be brought back from then on.
pub async fn enter<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    open: &mut Option<Maintenance>,
) -> Result<Entered, SinkError> {
    let deadline = begin(means, host, Phase::Drain)?;
    match drain(means, host, open, deadline).await {
        Ok(ended) => Ok(ended),
        Err(trouble) => {
            let mut failure = trouble.failure()?;
            failure.chain.insert(0, "not taken out of service".to_owned());
            failure.kind = FailureKind::Maintenance;
            Ok(Entered::Failed(failure))
        }
    }
}

/// What would be done first to take the host out of service; nothing is done.
pub async fn rehearse<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<Vec<String>, Trouble> {
    let now = read(means, host).await?;
    refuse(host, &now)?;
    Ok(now.drain(None).iter().map(ToString::to_string).collect())
}

async fn drain<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    open: &mut Option<Maintenance>,
    deadline: Timestamp,
) -> Result<Entered, Trouble> {
    let mut now = read(means, host).await?;
    if open.is_none() {
        refuse(host, &now)?;
        // INVARIANT: how the host was found is on disk before the first act that changes it.
        means.emit(Event::MaintenanceFound { host: host.name.clone(), found: now.clone() })?;
        lock(&means.found).insert(host.name.clone(), now.clone());
        *open = Some(Maintenance { found: now.clone(), last: None });
    }
    let queued = now.mailbox.as_ref().is_some_and(|own| own.queued > 0);
    let refuge = if queued { refuge(means, host).await? } else { None };
    let mut tries = Tries::default();
    let mut told = String::new();
    loop {
        for act in now.drain(refuge.as_deref()) {
            if means.is_to_stop() {
                return Ok(Entered::Stopped);
            }
            if tries.allow(&act) {
                perform(means, host, &act).await?;
            }
        }
        now = read(means, host).await?;
        let busy = now.busy();
        if busy.is_empty() {
            break;
        }
        if now.node.as_ref().and_then(|node| node.drain.as_deref()) == Some("Failed") {
            return Err(failed(format!("the drain failed: {}", busy.join(", "))));
        }
        wait(means, host, &busy, deadline, &mut told).await?;
        if means.is_to_stop() {
            return Ok(Entered::Stopped);
        }
    }
    loop {
        if let Some(act) = now.offline().filter(|act| tries.allow(act)) {
            perform(means, host, &act).await?;
            now = read(means, host).await?;
        }
        let unready = if now.mailbox.is_some() { now.unready() } else { now.busy() };
        if unready.is_empty() {
            means.emit(Event::MaintenanceEntered { host: host.name.clone() })?;
            return Ok(Entered::Out);
        }
        wait(means, host, &unready, deadline, &mut told).await?;
        now = read(means, host).await?;
    }
}

/// Brings the host back to how it was found, and reads that it is.
pub async fn leave<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    open: &mut Option<Maintenance>,
) -> Result<Result<(), Failure>, SinkError> {
    let Some(own) = open.clone() else { return Ok(Ok(())) };
    let deadline = begin(means, host, Phase::Back)?;
    let mut tries = Tries::default();
    let mut told = String::new();
    let mut unsure = own.last.clone();
    loop {
        let seen = match come_back(means, host, &own.found, &mut tries, &mut unsure).await {
            Ok(Step::Back(foreign)) => {
                means.emit(Event::MaintenanceLeft { host: host.name.clone(), foreign })?;
                *open = None;
                return Ok(Ok(()));
            }
            Ok(Step::Acted) => continue,
            Ok(Step::Waits(text)) => text,
            Err(Trouble::Sink(error)) => return Err(error),
            Err(trouble) => trouble.failure()?.text(),
        };
        if let Err(trouble) = wait(means, host, &[seen], deadline, &mut told).await {
            let mut failure = trouble.failure()?;
            failure.chain.insert(0, "not brought back into service as found".to_owned());
            let typed = own.found.recovery().join("; ");
            let hint =
                format!("rmsfleet resume {}, or by hand on {}: {typed}", means.run, host.name);
            return Ok(Err(failure.hint(hint)));
        }
    }
}

enum Step {
    /// As found, but for what others have changed.
    Back(Vec<String>),
    Acted,
    Waits(String),
}

async fn come_back<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    found: &Membership,
    tries: &mut Tries,
    unsure: &mut Option<Act>,
) -> Result<Step, Trouble> {
    let now = read(means, host).await?;
    if let Some(node) = &now.node
        && node.state == NodeState::Down
        && found.node.as_ref().is_some_and(|before| before.state != NodeState::Down)
    {
        return Ok(Step::Waits(format!("node {} has not joined its cluster", node.name)));
    }
    let mut back = found.restore(&now);
    let again = transport_again(found, &now, &back.acts, unsure.take());
    back.acts.extend(again);
    if back.acts.is_empty() {
        return Ok(Step::Back(back.foreign));
    }
    let mut acted = false;
    for act in back.acts {
        if tries.allow(&act) {
            perform(means, host, &act).await?;
            acted = true;
        } else if !acted {
            return Ok(Step::Waits(format!("no effect yet: {act}")));
        }
    }
    Ok(Step::Acted)
}

/// The transport service takes the state of its component only when it starts. An earlier process
/// that set it may have died before it restarted the service, and no reading tells: then it is
/// restarted, at worst once more than needed.
fn transport_again(
    found: &Membership,
    now: &Membership,
    acts: &[Act],
    last: Option<Act>,
) -> Option<Act> {
    let before = found.mailbox.as_ref()?;
    let own = now.mailbox.as_ref().filter(|own| own.transport)?;
    let touched = match last? {
        Act::SetComponent { component, state, .. } => {
            component == HUB_TRANSPORT
                && before.components.get(HUB_TRANSPORT).is_some_and(|was| was.state == state)
        }
        Act::RestartTransport { .. } | Act::StartTransport { .. } => true,
        Act::Redirect { .. }
        | Act::SetPolicy { .. }
        | Act::MoveDatabase { .. }
        | Act::SuspendNode { .. }
        | Act::ResumeNode { .. } => false,
    };
    let restart = Act::RestartTransport { server: own.server.clone() };
    (touched && !acts.contains(&restart)).then_some(restart)
}

/// What keeps a host from being drained at all, before anything is done.
fn refuse(host: &PlannedHost, now: &Membership) -> Result<(), Trouble> {
    let outage = &host.care.outage;
    let mut single = now.single_copies();
    single.retain(|database| !outage.iter().any(|own| own.eq_ignore_ascii_case(database)));
    if !single.is_empty() {
        let text = format!("{} has no other copy and would go down with it", single.join(", "));
        let hint = format!("plan again and accept it: --waive {}:single-copy", host.name);
        return Err(Failure::new(FailureKind::Maintenance, text).hint(hint).into());
    }
    let Some(node) = &now.node else { return Ok(()) };
    match node.state {
        NodeState::Up => Ok(()),
        NodeState::Paused if node.groups.is_empty() => Ok(()),
        NodeState::Paused => Err(failed(format!(
            "node {} was paused by somebody else and still owns {}",
            node.name,
            node.groups.join(", ")
        ))),
        NodeState::Down => Err(failed(format!("node {} is not in its cluster", node.name))),
    }
}

/// The full name of a member of the DAG that is in service.
async fn refuge<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<Option<String>, Trouble> {
    let own = peers::server(host);
    let Some(dag) = host.domains.iter().find_map(|domain| domain.id.strip_prefix("dag:")) else {
        return Ok(None);
    };
    let mut shell = peers::exchange_shell(means, host).await?;
    let found = async {
        let view = crate::host::peers::dag(&mut shell, dag, &own, &host.care.outage).await?;
        let fit = view.members.iter().find(|one| one.name != own && one.away.is_none());
        match fit {
            Some(member) => maintenance::full_name(&mut shell, &member.name).await,
            None => Ok(None),
        }
    }
    .await;
    shell.close().await;
    Ok(found?)
}

async fn read<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<Membership, Trouble> {
    let name = peers::server(host);
    let mut now = Membership::default();
    // Makes sure that it is the host of the plan.
    let mut link = means.connect(host).await?;
    if host.care.drain == Drain::ExchangeDag {
        let transport = service::state(&mut link, TRANSPORT_SERVICE).await?;
        let mut shell = peers::exchange_shell(means, host).await?;
        let own = maintenance::mailbox(&mut shell, &name).await;
        shell.close().await;
        let mut own = own?;
        own.transport = transport.as_deref() == Some("Running");
        now.mailbox = Some(own);
    }
    drop(link);
    let mut shell = means.connect.shell(&target(host), POWERSHELL).await?;
    let node = maintenance::node(&mut shell, &name).await;
    shell.close().await;
    now.node = Some(node?);
    Ok(now)
}

async fn perform<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    act: &Act,
) -> Result<(), Trouble> {
    // INVARIANT: every act is on disk before it begins.
    means.emit(Event::MaintenanceIntended { host: host.name.clone(), act: act.clone() })?;
    match maintenance::way(act) {
        Way::Exchange => {
            let mut shell = peers::exchange_shell(means, host).await?;
            let done = maintenance::perform(&mut shell, act).await;
            shell.close().await;
            Ok(done?)
        }
        Way::PowerShell => {
            let mut shell = means.connect.shell(&target(host), POWERSHELL).await?;
            let done = maintenance::perform(&mut shell, act).await;
            shell.close().await;
            Ok(done?)
        }
        Way::Services => {
            let mut link = means.connect(host).await?;
            let pace = means.pace.knock;
            if matches!(act, Act::StartTransport { .. }) {
                service::start(&mut link, means.clock, pace, TRANSPORT_SERVICE).await?;
            } else {
                service::restart(&mut link, means.clock, pace, TRANSPORT_SERVICE).await?;
            }
            Ok(())
        }
    }
}

fn begin<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    phase: Phase,
) -> Result<Timestamp, SinkError> {
    let budget = host.restart_timeout;
    means.emit(Event::PhaseStarted { host: host.name.clone(), phase, budget })?;
    let now = means.clock.now();
    Ok(now.saturating_add(SignedDuration::from_secs(budget.into())).unwrap_or(now))
}

/// Tells what is waited for, and waits; an error once the time is over.
async fn wait<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    seen: &[String],
    deadline: Timestamp,
    told: &mut String,
) -> Result<(), Trouble> {
    let seen = seen.join(", ");
    if means.clock.now() >= deadline {
        return Err(failed(format!("its {} s are over: {seen}", host.restart_timeout)));
    }
    if *told != seen {
        told.clone_from(&seen);
        means.emit(Event::MaintenanceWaiting { host: host.name.clone(), seen })?;
    }
    means.clock.sleep(means.pace.look).await;
    Ok(())
}

fn failed(text: String) -> Trouble {
    Failure::new(FailureKind::Maintenance, text).into()
}

/// How often each act was given.
#[derive(Default)]
struct Tries(BTreeMap<String, u32>);

impl Tries {
    fn allow(&mut self, act: &Act) -> bool {
        let count = self.0.entry(act.to_string()).or_default();
        *count += 1;
        *count <= TRIES
    }
}
