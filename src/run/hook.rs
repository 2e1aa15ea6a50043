//! Programs of hooks, and those around a host's restart.

use crate::event::Event;
use crate::event::Phase;
use crate::event::SinkError;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::model::care::Drain;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedHost;
use crate::model::template;
use crate::run::history::Hooked;
use crate::run::means::Means;
use crate::run::means::lock;
use crate::run::program;
use crate::run::program::Order;

/// So much of what a hook says is kept, in characters.
const KEPT: usize = 2000;

/// Takes the host out of service, if its plan has a hook for that.
pub async fn drain<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<Result<(), Failure>, SinkError> {
    match &host.care.drain {
        Drain::Hook(name) => {
            lock(&means.hooked).insert(host.name.clone());
            run(means, host, name, Phase::Drain).await
        }
        Drain::None | Drain::ExchangeDag | Drain::FailoverCluster => Ok(Ok(())),
    }
}

/// Brings it back: the hook that the drain's names as its undo.
pub async fn bring_back<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<Result<(), Failure>, SinkError> {
    let Drain::Hook(name) = &host.care.drain else { return Ok(Ok(())) };
    let undo = means.plan.conditions.hooks.get(name).and_then(|hook| hook.undo.as_ref());
    match undo {
        Some(undo) => run(means, host, undo, Phase::Back).await,
        None => Ok(Ok(())),
    }
}

async fn run<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    name: &str,
    phase: Phase,
) -> Result<Result<(), Failure>, SinkError> {
    let failed = |text: String| {
        Ok(Err(Failure::new(FailureKind::Hook, format!("hook `{name}`: {text}"))
            .hint("see what the hook did, and bring the host back by hand")))
    };
    let Some(hook) = means.plan.conditions.hooks.get(name) else {
        return failed("the plan does not have it".to_owned());
    };
    let timeout = hook.timeout;
    let change = means.plan.conditions.change.as_deref();
    let argv: Result<Vec<String>, String> =
        hook.argv.iter().map(|part| template::fill(part, host, change, means.run)).collect();
    let order = argv.and_then(|argv| Order::new(means.plan, &hook.run_on, Some(host), argv));
    let order = match order {
        Ok(order) => order,
        Err(text) => return failed(text),
    };
    means.emit(Event::PhaseStarted { host: host.name.clone(), phase, budget: timeout })?;
    // INVARIANT: what a hook may do is recorded before it begins.
    let begun = |past: &Hooked| past.name == name && !past.ended_well;
    let again = means.past(&host.name).hook.as_ref().is_some_and(begun);
    let (at, hook) = (host.name.clone(), name.to_owned());
    means.emit(Event::HookIntended { host: at, hook, again })?;
    let (ok, said) = program(means, &order, timeout).await?;
    means.emit(Event::HookEnded {
        host: host.name.clone(),
        hook: name.to_owned(),
        ok,
        said: said.clone(),
    })?;
    if ok { Ok(Ok(())) } else { failed(said) }
}

/// Runs a program: whether it ended well, and what it said.
pub(super) async fn program<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    order: &Order<'_>,
    seconds: u32,
) -> Result<(bool, String), SinkError> {
    let (ok, said) = match order.run(means, String::new(), seconds).await? {
        Ok(result) => {
            let said = format!("{}{}", result.stdout, result.stderr);
            let exit = program::exit(&result);
            let place = order.host().map(|host| format!("on {}: ", host.name)).unwrap_or_default();
            (result.exit_code == Some(0), format!("{place}{exit}: {}", said.trim()))
        }
        Err(text) => (false, text),
    };
    Ok((ok, said.chars().take(KEPT).collect()))
}
