//! Gates of type `command`: a program is told what it is about in JSON, and answers in JSON.

use crate::host::gate::Look;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::model::plan::PlannedHost;
use crate::model::program::RunOn;
use crate::run::means::Means;
use crate::run::program;
use crate::run::program::Order;

/// The answer of a program: `{"green": true, "seen": "…"}`.
#[derive(serde::Deserialize)]
struct Answer {
    green: bool,
    #[serde(default)]
    seen: String,
}

/// Asks a program about some hosts; one that runs on the host is asked about one at a time.
pub(super) async fn ask<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    argv: &[String],
    run_on: &RunOn,
    timeout: u32,
    hosts: &[&PlannedHost],
) -> Look {
    let about = hosts.first().copied();
    let order = match Order::new(means.plan, run_on, about, argv.to_vec()) {
        Ok(order) => order,
        Err(text) => return Look::red(text),
    };
    match order.run(means, question(means, hosts), timeout).await {
        Ok(Ok(result)) if result.exit_code == Some(0) => judge(&result.stdout),
        Ok(Ok(result)) => {
            let exit = program::exit(&result);
            Look::red(format!("the program ended with {exit}: {}", result.stderr.trim()))
        }
        Ok(Err(text)) => Look::red(text),
        // A look records nothing by itself.
        Err(error) => Look::red(error.to_string()),
    }
}

fn question<C, K>(means: &Means<'_, C, K>, hosts: &[&PlannedHost]) -> String {
    let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    let question = serde_json::json!({
        "run": means.run, "plan": means.plan.id, "hosts": names,
        "change": means.plan.conditions.change,
    });
    question.to_string()
}

fn judge(said: &str) -> Look {
    match serde_json::from_str::<Answer>(said) {
        Ok(answer) => Look { green: answer.green, seen: answer.seen },
        Err(error) => Look::red(format!(
            "expected {{\"green\": true}} or false of the program, it wrote something else: {error}"
        )),
    }
}
