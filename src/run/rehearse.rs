//! A run that writes and restarts nothing: every host is read and compared where its turn comes, so
//! that stages, windows, limits and gates show what they would do tonight.
//!
//! What compares is given an `impl Reader`: it could not write if it wanted to. An organisation step
//! is read as ever and turns back before its intent.

use crate::event::Event;
use crate::event::Phase;
use crate::event::SinkError;
use crate::host::gate::Look;
use crate::host::lease;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::Reader;
use crate::host::registry;
use crate::host::restart::read_boot;
use crate::model::care::Drain;
use crate::model::gate::Gate;
use crate::model::lease::rival;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedHost;
use crate::run::action::Configured;
use crate::run::action::Gated;
use crate::run::action::Restarted;
use crate::run::action::Stop;
use crate::run::configure::moved;
use crate::run::gates::Place;
use crate::run::gates::first_red;
use crate::run::gates::look;
use crate::run::lease::parted;
use crate::run::maintenance;
use crate::run::means::Means;
use crate::run::trouble::Trouble;

/// Compares everything that the plan saw; what a run would refuse is refused here.
pub async fn configure<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<Configured, SinkError> {
    means.emit(Event::HostStarted { host: host.name.clone(), phase: Phase::Registry })?;
    let compared = async {
        let mut link = means.connect(host).await?;
        compare(means, host, &mut link).await
    };
    match compared.await {
        Ok(()) => Ok(Configured::Verified(host.changes.len())),
        Err(trouble) => Ok(Configured::Failed(trouble.failure()?)),
    }
}

async fn compare<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Reader,
) -> Result<(), Trouble> {
    let before = host.changes.iter().map(|change| (&change.path, &change.before));
    let equal = host.equal.iter().map(|(path, state)| (path, state));
    for (path, expected) in before.chain(equal) {
        registry::expect(link, path, expected).await.map_err(moved)?;
    }
    let (_, others) = parted(means, host, lease::read(link).await?);
    match rival(&others, means.run, None, means.clock.now()) {
        Some(rival) => Err(Failure::new(FailureKind::Leased, rival.told()).into()),
        None => Ok(()),
    }
}

/// Reads what a restart would begin with, and tells that it would be ordered here.
pub async fn restart<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<Restarted, SinkError> {
    means.emit(Event::HostStarted { host: host.name.clone(), phase: Phase::Restart })?;
    let read = async {
        let mut link = means.connect(host).await?;
        let boot = read_boot(&mut link).await?;
        let first = match &host.care.drain {
            Drain::ExchangeDag | Drain::FailoverCluster => {
                maintenance::rehearse(means, host).await?
            }
            Drain::Hook(name) => vec![format!("hook {name}")],
            Drain::None => Vec::new(),
        };
        Ok::<_, Trouble>((boot, first))
    };
    match read.await {
        Ok((boot, first)) => {
            let out = if first.is_empty() {
                String::new()
            } else {
                format!("taken out of service ({}) and ", first.join("; "))
            };
            let seen =
                format!("rehearsal: up since {}, would be {out}restarted now", boot.last_boot);
            means.emit(Event::RestartWaiting { host: host.name.clone(), seen })?;
            gates(means, host.name.as_str(), &host.care.gates_after, &[host], false).await?;
            Ok(Restarted::Proved)
        }
        Err(trouble) => Ok(Restarted::Failed(trouble.failure()?)),
    }
}

/// One look at each gate. What comes after a change that was not made may well be red: only a gate
/// before it would stop the run, and stops the rehearsal too.
pub async fn gates<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    at: &str,
    names: &[String],
    hosts: &[&PlannedHost],
    decides: bool,
) -> Result<Gated, SinkError> {
    for name in names {
        let Some(gate) = means.plan.conditions.gates.get(name) else {
            return Ok(Gated::Failed(format!("gate `{name}` does not stand in the plan")));
        };
        let place = Place { at, name, until: Stop::Pause };
        means.emit(place.started(None))?;
        if matches!(gate, Gate::Soak { .. } | Gate::Approval { .. }) {
            let seen = "a rehearsal does not wait for it".to_owned();
            means.emit(place.seen(None, &Look { green: true, seen }))?;
            continue;
        }
        let seen = look(means, gate, hosts, means.clock.now()).await;
        for (host, look) in &seen {
            means.emit(place.seen(host.as_ref(), look))?;
        }
        match first_red(&seen) {
            None => means.emit(place.passed())?,
            Some(red) => {
                let reason = format!("gate `{name}` is red now: {red}");
                means.emit(place.failed(reason.clone()))?;
                if decides {
                    return Ok(Gated::Failed(reason));
                }
            }
        }
    }
    Ok(Gated::Passed)
}
