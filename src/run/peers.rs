//! Looks at live state before a host goes down: what its peers say, and what it carries.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::event::Event;
use crate::event::Phase;
use crate::event::SinkError;
use crate::host::exchange;
use crate::host::gate::POWERSHELL;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::link::Knock;
use crate::host::link::Shell;
use crate::host::maintenance;
use crate::host::peers;
use crate::host::peers::Member;
use crate::host::peers::View;
use crate::host::peers::short;
use crate::model::care::Drain;
use crate::model::host::HostName;
use crate::model::lease::FoundLease;
use crate::model::outcome::FailureKind;
use crate::model::plan::FailureDomain;
use crate::model::plan::PlannedHost;
use crate::model::plan::Scope;
use crate::run::action::Looked;
use crate::run::action::Stop;
use crate::run::lease;
use crate::run::means::Means;
use crate::run::means::target;
use crate::run::order::Rank;
use crate::run::trouble::Trouble;

/// Looks until the host may go down, or until its time is over. `ours` are down by this run.
pub async fn look<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    ours: &[HostName],
) -> Result<Looked, SinkError> {
    let budget = host.restart_timeout;
    let (phase, name) = (Phase::Peers, host.name.clone());
    means.emit(Event::PhaseStarted { host: name.clone(), phase, budget })?;
    let seconds = SignedDuration::from_secs(budget.into());
    let deadline = means.clock.now().saturating_add(seconds).unwrap_or(means.clock.now());
    let mut told = None;
    // INVARIANT: its own lease stands before the leases of its peers are read. Of two runs that do so
    // at least one sees the other.
    if !means.rehearsal && !lease::is_fresh(means, host) {
        let claimed = async {
            let mut link = means.connect(host).await?;
            lease::keep(means, host, &mut link).await
        };
        if let Err(trouble) = claimed.await {
            let failure = trouble.failure()?;
            let text = format!("left up: {}", failure.text());
            return Ok(if failure.kind == FailureKind::Leased {
                Looked::Leased(text)
            } else {
                Looked::Held(text)
            });
        }
    }
    loop {
        if means.stopped() >= Stop::SafePoint {
            return Ok(Looked::Stopped);
        }
        let Some(reason) = objection(means, host, ours).await? else {
            let seen = "its peers are in service".to_owned();
            means.emit(Event::PeersSeen { host: name, clear: true, seen })?;
            return Ok(Looked::Clear);
        };
        if told.as_ref() != Some(&reason) {
            let (host, seen) = (name.clone(), reason.clone());
            means.emit(Event::PeersSeen { host, clear: false, seen })?;
            told = Some(reason.clone());
        }
        if means.clock.now() >= deadline {
            return Ok(Looked::Held(format!("left up for its peers: {reason}")));
        }
        means.clock.sleep(means.pace.look.saturating_mul(3)).await;
    }
}

/// One look: why the host must not go down now.
pub(super) async fn objection<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    ours: &[HostName],
) -> Result<Option<String>, SinkError> {
    let own = server(host);
    let mut first = None;
    let down: BTreeSet<String> = ours.iter().map(|name| short(name.as_str())).collect();
    for domain in host.domains.iter().filter(|domain| domain.stands_in()) {
        let mut view = knocked(means, host, domain, ours).await;
        match told(means, host, domain).await {
            Ok(Some(more)) => view.join(more),
            Ok(None) => {}
            // Silence is not evidence.
            Err(error) => {
                let why = error.failure().text();
                first.get_or_insert(format!("`{}` could not be seen: {why}", domain.id));
            }
        }
        capacity(means, domain, &view, &down)?;
        if let Some(reason) = view.objection(&own, &down, domain.max_unavailable) {
            first.get_or_insert(format!("`{}`: {reason}", domain.id));
        }
    }
    // Last, because it costs a logon on each of them.
    if first.is_none() && means.plan.marks {
        first = claimed(means, host, ours).await?;
    }
    Ok(first)
}

/// Whether another run works on a peer and may take it down; `None` if none does.
async fn claimed<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    ours: &[HostName],
) -> Result<Option<String>, SinkError> {
    let shares = |peer: &&PlannedHost| {
        let mut own = host.domains.iter().filter(|domain| domain.stands_in());
        own.any(|domain| peer.domains.iter().any(|other| other.id == domain.id))
    };
    let peers = means.plan.hosts.values().filter(|peer| peer.scope == Scope::InScope);
    let others = peers.filter(|peer| peer.name != host.name && !ours.contains(&peer.name));
    for peer in others.filter(shares) {
        let leases = async {
            let mut link = means.connect(peer).await?;
            Ok::<_, Trouble>(crate::host::lease::read(&mut link).await?)
        };
        let now = means.clock.now();
        match leases.await {
            Ok(found) => {
                let counts = |lease: &&FoundLease| {
                    lease.run != means.run
                        && lease.counts(now)
                        && !peer.leases.contains(&lease.told())
                };
                if let Some(rival) = found.iter().find(counts) {
                    return Ok(Some(format!("on {} {}", peer.name, rival.told())));
                }
            }
            Err(Trouble::Sink(error)) => return Err(error),
            // One that is down already is counted as such.
            Err(Trouble::Host(HostError::NotConnected { .. })) => {}
            // Silence is not evidence.
            Err(trouble) => {
                let why = trouble.failure()?.text();
                return Ok(Some(format!("the leases on {} could not be read: {why}", peer.name)));
            }
        }
    }
    Ok(None)
}

/// Told when it changes.
fn capacity<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    domain: &FailureDomain,
    view: &View,
    down: &BTreeSet<String>,
) -> Result<(), SinkError> {
    let (up, of) = (view.up(down), view.members.len());
    let now = (up, of, view.votes);
    let mut seen = crate::run::means::lock(&means.capacity);
    if seen.insert(domain.id.clone(), now) == Some(now) {
        return Ok(());
    }
    drop(seen);
    let (domain, votes) = (domain.id.clone(), view.votes);
    means.emit(Event::CapacitySeen { domain, up, of, votes })
}

/// The peers of the plan, by whether they answer at all.
async fn knocked<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    domain: &FailureDomain,
    ours: &[HostName],
) -> View {
    let mut view = View::default();
    for peer in means.plan.hosts.values() {
        if peer.scope == Scope::Connector || !peer.domains.iter().any(|own| own.id == domain.id) {
            continue;
        }
        let known = peer.name == host.name || ours.contains(&peer.name);
        let away = if known {
            None
        } else {
            match means.connect.knock(&target(peer)).await {
                Ok(Knock::Answered) => None,
                Ok(Knock::Silent) | Err(_) => Some("does not answer".to_owned()),
            }
        };
        view.members.push(Member { name: server(peer), away });
    }
    view
}

/// What the host itself says of its DAG or cluster; `None` where it is not to be asked.
async fn told<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    domain: &FailureDomain,
) -> Result<Option<View>, HostError> {
    let name = server(host);
    let clustered = match (&host.care.drain, domain.id.split_once(':')) {
        (Drain::ExchangeDag, Some(("dag", dag))) => {
            let mut shell = exchange_shell(means, host).await?;
            let view = peers::dag(&mut shell, dag, &name, &host.care.outage).await;
            shell.close().await;
            Some(view?)
        }
        (Drain::FailoverCluster, Some(("cluster", _))) => None,
        (_, _) => return Ok(None),
    };
    let mut shell = means.connect.shell(&target(host), POWERSHELL).await?;
    let nodes = peers::cluster(&mut shell, &name).await;
    shell.close().await;
    let mut view = nodes?;
    if let Some(more) = clustered {
        view.join(more);
    }
    Ok(Some(view))
}

/// What each host carries now; one that does not tell is left out.
pub async fn ranks<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    hosts: &[HostName],
) -> BTreeMap<HostName, Rank> {
    let mut ranks = BTreeMap::new();
    for host in hosts.iter().filter_map(|name| means.plan.hosts.get(name)) {
        if means.stopped() >= Stop::SafePoint {
            break;
        }
        if let Ok(Some(rank)) = rank(means, host).await {
            ranks.insert(host.name.clone(), rank);
        }
    }
    ranks
}

async fn rank<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<Option<Rank>, HostError> {
    let name = server(host);
    match &host.care.drain {
        Drain::ExchangeDag => {
            let mut shell = exchange_shell(means, host).await?;
            let carried = maintenance::carried(&mut shell, &name).await;
            shell.close().await;
            let (load, primary) = carried?;
            Ok(Some(Rank { load: Some(load), primary }))
        }
        Drain::FailoverCluster => {
            let mut shell = means.connect.shell(&target(host), POWERSHELL).await?;
            let node = maintenance::node(&mut shell, &name).await;
            shell.close().await;
            Ok(Some(Rank { load: Some(node?.groups.len()), primary: false }))
        }
        Drain::None | Drain::Hook(_) => Ok(None),
    }
}

/// Opens the host's own Exchange endpoint.
pub(super) async fn exchange_shell<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<C::Shell, HostError> {
    let Some(endpoint) = &host.exchange else {
        return Err(HostError::Unsupported(format!("{} has no Exchange endpoint", host.name)));
    };
    let mut there = target(host);
    there.endpoint = endpoint.clone();
    means.connect.shell(&there, exchange::CONFIGURATION).await
}

/// The host's name as Exchange and the cluster know it.
pub(super) fn server(host: &PlannedHost) -> String {
    let computer = host.identity.as_ref().map(|own| own.computer.as_str());
    short(computer.unwrap_or(host.name.as_str()))
}
