//! After the proof of a restart: what ran before runs again, and the host stays up.

use jiff::SignedDuration;

use crate::event::Event;
use crate::event::Phase;
use crate::event::SinkError;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::restart;
use crate::host::service;
use crate::model::plan::PlannedHost;
use crate::plan::worst::SETTLE_SECONDS;
use crate::run::action::Stop;
use crate::run::means::Means;
use crate::run::means::lock;
use crate::run::trouble::Trouble;

/// Waits until the services that started by themselves before the restart run again, within
/// bounds. The role's own are part of the proof; one of the others that stays away is told, and
/// the gates decide.
pub async fn wait<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<(), SinkError> {
    let seen = lock(&means.others).get(&host.name).cloned();
    let others = seen.unwrap_or_else(|| means.past(&host.name).others);
    if others.is_empty() {
        return Ok(());
    }
    let budget = host.restart_timeout.min(SETTLE_SECONDS);
    means.emit(Event::PhaseStarted { host: host.name.clone(), phase: Phase::Settle, budget })?;
    let seconds = SignedDuration::from_secs(budget.into());
    let deadline = means.clock.now().saturating_add(seconds).unwrap_or(means.clock.now());
    let mut boot = None;
    let mut told = Vec::new();
    loop {
        let missing = match look(means, host, &others).await {
            Ok((missing, now)) => {
                let repeated = boot.is_some_and(|first| !restart::is_same_boot(first, now));
                boot = Some(now);
                if repeated {
                    means.emit(Event::RestartRepeated { host: host.name.clone(), boot: now })?;
                }
                if missing.is_empty() {
                    return Ok(());
                }
                missing
            }
            Err(Trouble::Sink(error)) => return Err(error),
            Err(trouble) => vec![trouble.failure()?.text()],
        };
        if means.clock.now() >= deadline || means.stopped() >= Stop::SafePoint {
            let services = missing;
            return means.emit(Event::ServicesMissing { host: host.name.clone(), services });
        }
        if told != missing {
            told.clone_from(&missing);
            let seen = format!("waiting for {}", missing.join(", "));
            means.emit(Event::RestartWaiting { host: host.name.clone(), seen })?;
        }
        means.clock.sleep(means.pace.look).await;
    }
}

async fn look<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    others: &[String],
) -> Result<(Vec<String>, jiff::Timestamp), Trouble> {
    let mut link = means.connect(host).await?;
    let boot = restart::read_boot(&mut link).await?.last_boot;
    Ok((service::missing(&mut link, others).await?, boot))
}
