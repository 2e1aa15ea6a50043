//! Gates in a run: looked at until they are green, or until their time is over.

mod command;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use jiff::SignedDuration;
use jiff::Timestamp;

use crate::event::Event;
use crate::event::SinkError;
use crate::host::exchange::CONFIGURATION;
use crate::host::gate;
use crate::host::gate::Look;
use crate::host::gate::POWERSHELL;
use crate::host::gate::events;
use crate::host::gate::events::Told;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::Shell;
use crate::model::gate::Gate;
use crate::model::host::HostName;
use crate::model::plan::PlannedHost;
use crate::model::plan::Scope;
use crate::model::product::Role;
use crate::model::program::RunOn;
use crate::model::template;
use crate::run::action::GatePlace;
use crate::run::action::Gated;
use crate::run::action::Stop;
use crate::run::means::Means;
use crate::run::means::lock;
use crate::run::means::target;
use crate::run::rehearse;

/// Between two looks at a gate that is red, and between two questions whether a person said go.
const PACE: Duration = Duration::from_secs(5);

/// Looks at the gates of a place, one after the other. `again` says that an earlier process has seen
/// them passed: nobody waits or is asked a second time.
pub async fn gates<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    stage: usize,
    place: GatePlace,
    hosts: &[HostName],
    again: bool,
) -> Result<Gated, SinkError> {
    let Some(planned) = means.plan.stages.get(stage) else { return Ok(Gated::Passed) };
    let names = match place {
        GatePlace::Before => &planned.gates.before,
        GatePlace::Between(_) => &planned.gates.between,
        GatePlace::After => &planned.gates.after,
    };
    let hosts: Vec<&PlannedHost> =
        hosts.iter().filter_map(|name| means.plan.hosts.get(name)).collect();
    if means.rehearsal {
        return rehearse::gates(means, &planned.name, names, &hosts, place == GatePlace::Before)
            .await;
    }
    let place = Gates { at: &planned.name, names, again, until: Stop::Pause };
    pass(means, &place, &hosts).await
}

/// A list of gates, for a stage or around a host.
pub struct Gates<'a> {
    pub at: &'a str,
    pub names: &'a [String],
    /// An earlier process has seen them passed, and what they judge is as it was.
    pub again: bool,
    /// From this level on a stop ends the waiting; for a person's word every stop does.
    pub until: Stop,
}

/// Looks at gates about some hosts, one after the other, until one stays red.
pub async fn pass<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    gates: &Gates<'_>,
    hosts: &[&PlannedHost],
) -> Result<Gated, SinkError> {
    let Gates { at, again, until, .. } = *gates;
    let mut looks: Vec<(&str, &Gate)> = Vec::new();
    for name in gates.names {
        let Some(gate) = means.plan.conditions.gates.get(name) else {
            return Ok(Gated::Failed(format!("gate `{name}` does not stand in the plan")));
        };
        let place = Place { at, name, until };
        means.emit(place.started(Some(gate.seconds())))?;
        let result = match gate {
            Gate::Soak { .. } | Gate::Approval { .. } if again => {
                let look = Look::green("it was passed in an earlier part of this run");
                means.emit(place.seen(None, &look))?;
                Gated::Passed
            }
            Gate::Soak { duration, recheck_every } => {
                soak(means, &place, &looks, hosts, *duration, *recheck_every).await?
            }
            Gate::Approval { prompt, role, timeout } => {
                approval(means, &place, prompt, role.as_deref(), *timeout).await?
            }
            Gate::Http { within, .. }
            | Gate::EventLog { within, .. }
            | Gate::Exchange { within, .. }
            | Gate::Service { within, .. }
            | Gate::RmsTemplates { within, .. }
            | Gate::Tcp { within, .. } => until_green(means, &place, gate, hosts, *within).await?,
            // A program decides at once: it can wait by itself.
            Gate::Command { .. } => until_green(means, &place, gate, hosts, 0).await?,
        };
        match &result {
            Gated::Passed => means.emit(place.passed())?,
            Gated::Failed(reason) | Gated::Awaiting(reason) => {
                means.emit(place.failed(reason.clone()))?;
                return Ok(result);
            }
            Gated::Stopped => return Ok(result),
        }
        if !matches!(gate, Gate::Soak { .. } | Gate::Approval { .. }) {
            looks.push((name, gate));
        }
    }
    Ok(Gated::Passed)
}

/// Where a gate stands, for its events.
pub(super) struct Place<'a> {
    pub(super) at: &'a str,
    pub(super) name: &'a str,
    /// The stop that ends the waiting.
    pub(super) until: Stop,
}

impl Place<'_> {
    /// `budget` in seconds; `None` where nobody waits.
    pub(super) fn started(&self, budget: Option<u32>) -> Event {
        let (stage, gate) = (self.at.to_owned(), self.name.to_owned());
        Event::GateStarted { stage, gate, budget }
    }

    pub(super) fn seen(&self, host: Option<&HostName>, look: &Look) -> Event {
        Event::GateSeen {
            stage: self.at.to_owned(),
            gate: self.name.to_owned(),
            host: host.cloned(),
            green: look.green,
            seen: look.seen.clone(),
        }
    }

    pub(super) fn passed(&self) -> Event {
        Event::GatePassed { stage: self.at.to_owned(), gate: self.name.to_owned() }
    }

    pub(super) fn failed(&self, reason: String) -> Event {
        Event::GateFailed { stage: self.at.to_owned(), gate: self.name.to_owned(), reason }
    }
}

pub(super) type Seen = BTreeMap<Option<HostName>, Look>;

async fn until_green<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    place: &Place<'_>,
    gate: &Gate,
    hosts: &[&PlannedHost],
    within: u32,
) -> Result<Gated, SinkError> {
    let opened = means.clock.now();
    let deadline = later(opened, within);
    let mut before = Seen::new();
    loop {
        let seen = look(means, gate, hosts, opened).await;
        for (host, look) in &seen {
            if before.get(host) != Some(look) {
                means.emit(place.seen(host.as_ref(), look))?;
            }
        }
        let Some(red) = first_red(&seen) else { return Ok(Gated::Passed) };
        if means.stopped() >= place.until {
            return Ok(Gated::Stopped);
        }
        if means.clock.now() >= deadline {
            return Ok(Gated::Failed(format!("gate `{}` stays red: {red}", place.name)));
        }
        before = seen;
        pause(means, deadline).await;
    }
}

/// The gates before it must stay green; every look counts, the first one too.
async fn soak<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    place: &Place<'_>,
    looks: &[(&str, &Gate)],
    hosts: &[&PlannedHost],
    duration: u32,
    every: u32,
) -> Result<Gated, SinkError> {
    let opened = means.clock.now();
    let deadline = later(opened, duration);
    let mut next = later(opened, every);
    loop {
        if means.stopped() >= place.until {
            return Ok(Gated::Stopped);
        }
        if means.clock.now() < next {
            means.clock.sleep(PACE.min(Duration::from_secs(every.into()))).await;
            continue;
        }
        for (name, gate) in looks {
            let seen = look(means, gate, hosts, opened).await;
            if let Some(red) = first_red(&seen) {
                for (host, look) in seen.iter().filter(|(_, look)| !look.green) {
                    means.emit(place.seen(host.as_ref(), look))?;
                }
                return Ok(Gated::Failed(format!("`{name}` turned red in the soak: {red}")));
            }
        }
        if next >= deadline {
            return Ok(Gated::Passed);
        }
        next = later(next, every).min(deadline);
    }
}

async fn approval<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    place: &Place<'_>,
    prompt: &str,
    role: Option<&str>,
    timeout: u32,
) -> Result<Gated, SinkError> {
    let _one_at_a_time = means.asking.lock().await;
    // INVARIANT: a word counts for what waits when it is said; one that lies there opens nothing.
    let _surplus = means.controller.promoted();
    let who = role.map_or_else(|| "somebody".to_owned(), |role| format!("role {role}"));
    let run = means.run;
    means.emit(place.seen(
        None,
        &Look::red(format!("{prompt} ({who} says go with: rmsfleet promote {run})")),
    ))?;
    let deadline = later(means.clock.now(), timeout);
    loop {
        if let Some(by) = means.controller.promoted() {
            // INVARIANT: who said go stands in the journal.
            let by = if by.is_empty() { "somebody" } else { &by };
            means.emit(place.seen(None, &Look::green(format!("{by} said go"))))?;
            return Ok(Gated::Passed);
        }
        if means.stopped() != Stop::Go {
            return Ok(Gated::Stopped);
        }
        if means.clock.now() >= deadline {
            return Ok(Gated::Awaiting(format!("nobody approved `{}` in time", place.name)));
        }
        pause(means, deadline).await;
    }
}

/// Until the next look, and no longer than a gate has: what is so after its time is too late.
async fn pause<C: Connect, K: Clock>(means: &Means<'_, C, K>, deadline: Timestamp) {
    let left = Duration::try_from(deadline.duration_since(means.clock.now())).unwrap_or_default();
    means.clock.sleep(PACE.min(left)).await;
}

/// One look at a gate, at all hosts that it is about.
pub(super) async fn look<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    gate: &Gate,
    hosts: &[&PlannedHost],
    opened: Timestamp,
) -> Seen {
    let forks = usize::try_from(means.plan.limits.forks.max(1)).unwrap_or(1);
    match gate {
        Gate::EventLog { need, forbid, within } => {
            logs(means, need, forbid, hosts, events::since(opened, *within)).await
        }
        Gate::Command { argv, timeout, run_on } if *run_on != RunOn::Host => {
            [(None, command::ask(means, argv, run_on, *timeout, hosts).await)].into()
        }
        Gate::Http { .. }
        | Gate::Exchange { .. }
        | Gate::Service { .. }
        | Gate::RmsTemplates { .. }
        | Gate::Command { .. }
        | Gate::Tcp { .. } => {
            let about = hosts.iter().filter(|host| concerns(gate, host));
            let looks: Vec<_> = about.map(|host| look_at(means, gate, host)).collect();
            let seen: Seen = futures::stream::iter(looks).buffer_unordered(forks).collect().await;
            if seen.is_empty() { [(None, Look::red("no host here has it"))].into() } else { seen }
        }
        Gate::Soak { .. } | Gate::Approval { .. } => Seen::new(),
    }
}

async fn look_at<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    gate: &Gate,
    host: &PlannedHost,
) -> (Option<HostName>, Look) {
    (Some(host.name.clone()), one(means, gate, host).await)
}

/// Some gates are about servers of one role only, wherever they stand.
fn concerns(gate: &Gate, host: &PlannedHost) -> bool {
    match gate {
        Gate::Exchange { .. } => host.exchange.is_some(),
        Gate::RmsTemplates { .. } => host.role == Some(Role::Fci),
        Gate::Http { .. }
        | Gate::EventLog { .. }
        | Gate::Service { .. }
        | Gate::Tcp { .. }
        | Gate::Soak { .. }
        | Gate::Approval { .. }
        | Gate::Command { .. } => true,
    }
}

async fn one<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    gate: &Gate,
    host: &PlannedHost,
) -> Look {
    match gate {
        Gate::Http { url, .. } => {
            let change = means.plan.conditions.change.as_deref();
            let url = match template::fill(url, host, change, means.run) {
                Ok(url) => url,
                Err(text) => return Look::red(text),
            };
            match means.connect.shell(&target(host), POWERSHELL).await {
                Ok(mut shell) => {
                    let look = gate::answers(&mut shell, &url).await;
                    shell.close().await;
                    look
                }
                Err(error) => Look::unread(&error),
            }
        }
        Gate::Service { names, .. } => match means.connect.connect(&target(host)).await {
            Ok(mut link) => gate::services(&mut link, names).await,
            Err(error) => Look::unread(&error),
        },
        Gate::RmsTemplates { expect, .. } => match means.connect.connect(&target(host)).await {
            Ok(mut link) => gate::templates::visible(&mut link, expect).await,
            Err(error) => Look::unread(&error),
        },
        Gate::Exchange { checks, .. } => exchange(means, host, checks).await,
        Gate::Tcp { port, .. } => {
            let mut there = target(host);
            there.endpoint.port = *port;
            match means.connect.dial(&there).await {
                Ok(address) => Look::green(format!("{address} takes connections")),
                Err(error) => Look::red(error.failure().text()),
            }
        }
        Gate::Command { argv, timeout, run_on } => {
            command::ask(means, argv, run_on, *timeout, &[host]).await
        }
        Gate::EventLog { .. } | Gate::Soak { .. } | Gate::Approval { .. } => {
            Look::red("this gate is not about one host")
        }
    }
}

async fn exchange<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    checks: &[crate::model::gate::ExchangeCheck],
) -> Look {
    let Some(endpoint) = &host.exchange else { return Look::red("no Exchange endpoint") };
    let mut there = target(host);
    there.endpoint = endpoint.clone();
    // Never closed, so it always gives.
    let _one_of_few = means.shells.acquire().await;
    let mut shell = match means.connect.shell(&there, CONFIGURATION).await {
        Ok(shell) => shell,
        Err(error) => return Look::unread(&error),
    };
    let found = lock(&means.found).get(&host.name).cloned();
    let found = found.as_ref().and_then(|found| found.mailbox.as_ref());
    let found = found.map(|own| &own.components);
    let mut all = Look::green(String::new());
    for check in checks {
        let look = gate::exchange::check(&mut shell, host.name.short(), check, found).await;
        all.green &= look.green;
        if !all.seen.is_empty() {
            all.seen.push_str("; ");
        }
        all.seen.push_str(&look.seen);
        if !look.green {
            break;
        }
    }
    shell.close().await;
    all
}

/// Asks every connector node about every host; one node that knows a host is enough.
async fn logs<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    need: &[u32],
    forbid: &[u32],
    hosts: &[&PlannedHost],
    since: Timestamp,
) -> Seen {
    let nodes: Vec<&PlannedHost> =
        means.plan.hosts.values().filter(|host| host.scope == Scope::Connector).collect();
    if nodes.is_empty() {
        return [(None, Look::red("the inventory names no connector node"))].into();
    }
    let mut told: BTreeMap<&HostName, Told> =
        hosts.iter().map(|host| (&host.name, Told::default())).collect();
    for node in nodes {
        let mut link = match means.connect.connect(&target(node)).await {
            Ok(link) => link,
            // A log that was not read may hold what is forbidden.
            Err(error) => {
                let seen = format!("{} was not read: {}", node.name, error.failure().text());
                return [(Some(node.name.clone()), Look::red(seen))].into();
            }
        };
        for (host, told) in &mut told {
            match events::about(&mut link, host, need, forbid, since).await {
                Ok(more) => {
                    told.found.extend(more.found);
                    told.forbidden.extend(more.forbidden);
                }
                Err(error) => return [(Some((*host).clone()), Look::unread(&error))].into(),
            }
        }
    }
    told.into_iter().map(|(host, told)| (Some(host.clone()), judge(&told, need))).collect()
}

fn judge(told: &Told, need: &[u32]) -> Look {
    let words = |(id, time): &(u32, Timestamp)| format!("{id} at {time}");
    if let Some(first) = told.forbidden.first() {
        return Look::red(format!("the connector logged {}", words(first)));
    }
    let missing = need.iter().find(|id| !told.found.iter().any(|(found, _)| found == *id));
    match (missing, told.found.last()) {
        (Some(id), _) => Look::red(format!("no connector node logged {id} about it")),
        (None, Some(last)) => Look::green(format!("the connector logged {}", words(last))),
        (None, None) => Look::green("nothing that is forbidden was logged"),
    }
}

pub(super) fn first_red(seen: &Seen) -> Option<String> {
    let (host, look) = seen.iter().find(|(_, look)| !look.green)?;
    Some(match host {
        Some(host) => format!("{host}: {}", look.seen),
        None => look.seen.clone(),
    })
}

pub(super) fn later(time: Timestamp, seconds: u32) -> Timestamp {
    time.saturating_add(SignedDuration::from_secs(seconds.into())).unwrap_or(time)
}
