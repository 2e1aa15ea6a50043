//! What a step that was set still has to prove: that every server's own path works.

use crate::event::Event;
use crate::host::exchange::CONFIGURATION;
use crate::host::gate::Look;
use crate::host::gate::exchange::check;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::Shell;
use crate::model::gate::ExchangeCheck;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::OrganisationStep;
use crate::model::plan::PlannedHost;
use crate::model::step::Act;
use crate::run::means::Means;
use crate::run::means::target;
use crate::run::trouble::Trouble;

/// The evidence's name in the journal.
const GATE: &str = "test-irm-configuration";

/// `Test-IRMConfiguration` as the given sender, on each server that the step waited for: it runs
/// on one server only, so that one server's word says nothing of the others.
pub(super) async fn of<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    stage: &str,
    step: &OrganisationStep,
) -> Result<(), Trouble> {
    let Act::ExchangeIrm { sender: Some(sender), .. } = &step.act else { return Ok(()) };
    let asked = ExchangeCheck::TestIrmConfiguration { sender: sender.clone() };
    let mut red = Vec::new();
    let servers = step.needs.iter().filter_map(|name| means.plan.hosts.get(name));
    for host in servers {
        let look = look(means, host, &asked).await;
        means.emit(Event::GateSeen {
            stage: stage.to_owned(),
            gate: GATE.to_owned(),
            host: Some(host.name.clone()),
            green: look.green,
            seen: look.seen.clone(),
        })?;
        if !look.green {
            red.push(format!("{}: {}", host.name, look.seen));
        }
    }
    if red.is_empty() {
        return Ok(());
    }
    let text = format!("set and read back, and Test-IRMConfiguration fails: {}", red.join("; "));
    Err(Failure::new(FailureKind::Fault, text)
        .hint("the settings stand; mend the servers' way to the connector, then resume")
        .into())
}

async fn look<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    asked: &ExchangeCheck,
) -> Look {
    let Some(endpoint) = &host.exchange else { return Look::red("no Exchange endpoint") };
    let mut there = target(host);
    there.endpoint = endpoint.clone();
    match means.connect.shell(&there, CONFIGURATION).await {
        Ok(mut shell) => {
            let look = check(&mut shell, host.name.short(), asked, None).await;
            shell.close().await;
            look
        }
        Err(error) => Look::unread(&error),
    }
}
