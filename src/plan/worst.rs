//! The most that work on a host may take, in seconds: upper bounds for the clock, not limits on the
//! work. What a person is waited for is not in them.

use crate::model::care::Care;
use crate::model::care::Drain;
use crate::model::conditions::Conditions;
use crate::model::gate::Gate;
use crate::model::plan::PlannedHost;

/// Registry work on one host, from its logon to its last read-back, where calls are short.
const WRITE_SECONDS: u32 = 180;
/// So long the automatic services of a restarted host have, at most; Windows' own updating of
/// clusters gives them as much.
pub const SETTLE_SECONDS: u32 = 900;

/// Registry work on a host whose calls have so many seconds each: one that hangs, and another that
/// reads what became of it. No value is begun when less than one call is left.
pub fn of_writes(call: u32) -> u32 {
    WRITE_SECONDS.max(call.saturating_mul(2))
}

/// All that is still to be done on a host.
pub fn of_host(host: &PlannedHost, conditions: &Conditions, restarts: bool) -> u32 {
    let writes = of_writes(host.operation_timeout);
    if !restarts {
        return writes;
    }
    before_plan(&host.care, host.restart_timeout, conditions, writes)
}

/// The same with a restart, before there is a plan.
pub fn before_plan(care: &Care, timeout: u32, conditions: &Conditions, writes: u32) -> u32 {
    let out = match &care.drain {
        Drain::None => 0,
        Drain::ExchangeDag | Drain::FailoverCluster => timeout,
        Drain::Hook(name) => conditions.hooks.get(name).map_or(0, |hook| hook.timeout),
    };
    sum([writes, out, from(care, timeout, conditions)])
}

/// From the order to restart on: the restart, its services, its gates, and the way back.
pub fn from_order(host: &PlannedHost, conditions: &Conditions) -> u32 {
    from(&host.care, host.restart_timeout, conditions)
}

fn from(care: &Care, timeout: u32, conditions: &Conditions) -> u32 {
    let warned = care.warn.as_ref().map_or(0, |warning| warning.lead);
    let back = match &care.drain {
        Drain::None => 0,
        // Each phase has the whole budget.
        Drain::ExchangeDag | Drain::FailoverCluster => timeout,
        Drain::Hook(name) => {
            let undo = conditions.hooks.get(name).and_then(|hook| hook.undo.as_ref());
            undo.and_then(|undo| conditions.hooks.get(undo)).map_or(0, |undo| undo.timeout)
        }
    };
    let gates = of_gates(&care.gates_after, conditions);
    sum([warned, timeout, timeout.min(SETTLE_SECONDS), gates, back])
}

/// All gates of the names, one after the other.
pub fn of_gates(names: &[String], conditions: &Conditions) -> u32 {
    sum(names.iter().filter_map(|name| conditions.gates.get(name)).map(longest))
}

fn longest(gate: &Gate) -> u32 {
    match gate {
        Gate::Approval { .. } => 0,
        other => other.seconds(),
    }
}

fn sum(parts: impl IntoIterator<Item = u32>) -> u32 {
    parts.into_iter().fold(0, u32::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::care::Warning;
    use crate::model::hook::Hook;
    use crate::model::program::RunOn;

    fn conditions() -> Conditions {
        let hook = |timeout, undo: Option<&str>| Hook {
            argv: vec!["x".to_owned()],
            timeout,
            undo: undo.map(str::to_owned),
            run_on: RunOn::Controller,
        };
        let mut conditions = Conditions::default();
        conditions.hooks.insert("out".to_owned(), hook(60, Some("in")));
        conditions.hooks.insert("in".to_owned(), hook(30, None));
        conditions.gates.insert("port".to_owned(), Gate::Tcp { port: 443, within: 120 });
        let soak = Gate::Soak { duration: 600, recheck_every: 60 };
        conditions.gates.insert("soak".to_owned(), soak);
        let person = Gate::Approval { prompt: "go?".to_owned(), role: None, timeout: 86_400 };
        conditions.gates.insert("person".to_owned(), person);
        conditions
    }

    #[track_caller]
    fn check(edit: impl FnOnce(&mut Care), timeout: u32, expected: u32) {
        let mut care = Care::default();
        edit(&mut care);
        assert_eq!(before_plan(&care, timeout, &conditions(), of_writes(60)), expected);
    }

    #[test]
    fn a_call_that_may_hang_for_long_is_counted() {
        assert_eq!(of_writes(60), 180);
        assert_eq!(of_writes(1800), 3600);
        assert_eq!(of_writes(u32::MAX), u32::MAX);
    }

    #[test]
    fn everything_around_a_restart_is_counted() {
        check(|_| {}, 1800, 180 + 1800 + 900);
        check(|_| {}, 600, 180 + 600 + 600);
        check(|care| care.drain = Drain::ExchangeDag, 1800, 180 + 3 * 1800 + 900);
        check(|care| care.drain = Drain::Hook("out".to_owned()), 600, 180 + 60 + 600 + 600 + 30);
        let gates = ["port", "soak", "person"].map(str::to_owned).to_vec();
        check(|care| care.gates_after = gates, 600, 180 + 600 + 600 + 120 + 600);
        let warning = Warning { lead: 300, message: String::new() };
        check(|care| care.warn = Some(warning), 600, 180 + 300 + 600 + 600);
        check(|_| {}, u32::MAX, u32::MAX);
    }
}
