//! The questions before writing: whether to go on, and the organisation's name for its own step.

use std::collections::BTreeSet;

use crate::cli::attend::interrupted;
use crate::cli::console::Console;
use crate::cli::request::PlanRequest;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::plan::PlannedWork;
use crate::model::visible::Visible;
use crate::report::plural;
use crate::run::action::Options;

/// What the user allows. The lab asks nothing: it touches nothing.
pub async fn obtain(
    plan: &Plan,
    request: &PlanRequest,
    approved: bool,
    console: &mut Console,
) -> Result<Options, Stop> {
    let open: Vec<&OrganisationStep> = plan
        .stages
        .iter()
        .filter_map(|stage| match &stage.work {
            PlannedWork::Hosts { .. } => None,
            PlannedWork::Step(step) if step.satisfied => None,
            PlannedWork::Step(step) => Some(&**step),
        })
        .collect();
    if plan.lab {
        let names = open.iter().filter_map(|step| step.confirmation());
        let confirmed = names.map(str::to_owned).collect();
        return Ok(Options { confirmed, ..Options::default() });
    }
    let mut confirmed: BTreeSet<String> = request.consent.confirm.iter().cloned().collect();
    known(plan, &confirmed)?;
    if approved {
        // Whoever signed the plan has named everything in it.
        confirmed.extend(open.iter().map(|step| step.organisation.clone()));
    }
    if !request.consent.yes {
        go_on(plan, request, console).await?;
        for step in open {
            let Some(name) = step.confirmation() else { continue };
            if confirmed.iter().any(|given| given.eq_ignore_ascii_case(name)) {
                continue;
            }
            let question = format!(
                "{} affects {}. Type {name} to allow it, or Enter to pause before it:",
                step.act.verb(),
                step.act.reach(name),
            );
            let answer = ask(console, &question).await?;
            if answer.eq_ignore_ascii_case(name) {
                confirmed.insert(name.to_owned());
            }
        }
    }
    Ok(Options { confirmed, ..Options::default() })
}

async fn go_on(plan: &Plan, request: &PlanRequest, console: &mut Console) -> Result<(), Stop> {
    let busy: Vec<_> = plan.hosts.values().filter(|host| host.has_work()).collect();
    let values: usize = busy.iter().map(|host| host.changes.len()).sum();
    let restarts = busy.iter().filter(|host| host.restart).count();
    let what = format!(
        "{} on {}, {}",
        plural::count(values, "value"),
        plural::count(busy.len(), "host"),
        plural::count(restarts, "restart")
    );
    if !request.consent.may_ask || !console.is_human() {
        return Err(Stop::new(
            Exit::Paused,
            format!("{what} wait for a yes, and nobody can be asked"),
        )
        .hint("add --yes"));
    }
    let answer = ask(console, &format!("Apply {what}? Only `yes` goes on:")).await?;
    if answer == "yes" {
        return Ok(());
    }
    Err(Stop::new(Exit::Paused, "not applied; nothing was written"))
}

/// A name that no step of the plan has is a mistake worth stopping for.
fn known(plan: &Plan, confirmed: &BTreeSet<String>) -> Result<(), Stop> {
    let names: Vec<&str> = plan
        .stages
        .iter()
        .filter_map(|stage| match &stage.work {
            PlannedWork::Hosts { .. } => None,
            PlannedWork::Step(step) => step.confirmation(),
        })
        .collect();
    let unknown =
        confirmed.iter().find(|given| !names.iter().any(|name| name.eq_ignore_ascii_case(given)));
    match unknown {
        // Without any step there is nothing that the name could allow by mistake.
        Some(given) if !names.is_empty() => Err(Stop::new(
            Exit::Usage,
            format!("--confirm names `{given}`, and no step of the plan is of that name"),
        )
        .hint(format!("the plan has {}", names.join(", ")))),
        Some(_) | None => Ok(()),
    }
}

/// Waits for an answer, or for Ctrl-C, which is one too.
async fn ask(console: &mut Console, question: &str) -> Result<String, Stop> {
    // The organisation's name in it comes from a host.
    console.out.text(&format!("{} ", Visible(question)))?;
    let answer = tokio::task::spawn_blocking(Console::answer);
    tokio::select! {
        answer = answer => match answer {
            Ok(answer) => Ok(answer?),
            Err(error) => Err(Stop::because(Exit::Internal, &error)),
        },
        () = interrupted() => {
            Err(Stop::new(Exit::Interrupted, "not applied; nothing was written"))
        }
    }
}
