//! `verify`: whether hosts hold what a plan wants, whoever brought it there. Reads only.

use std::collections::BTreeSet;

use crate::cli::console::Console;
use crate::cli::plan;
use crate::cli::prepare::prepare;
use crate::cli::request::PlanRequest;
use crate::cli::request::VerifyRequest;
use crate::cli::request::Wanted;
use crate::cli::reread::reread;
use crate::cli::runs;
use crate::cli::show;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::model::outcome::FailureKind;
use crate::model::plan::Plan;
use crate::plan::compare;
use crate::plan::compare::HostFindings;
use crate::plan::compare::StepFinding;
use crate::plan::compare::Verdict;
use crate::report::compare::lines;

pub fn run(request: &VerifyRequest, console: &mut Console) -> Result<Exit, Stop> {
    let runtime = crate::cli::runtime()?;
    let done = runtime.block_on(verify(request, console));
    runtime.shutdown_background();
    done
}

async fn verify(request: &VerifyRequest, console: &mut Console) -> Result<Exit, Stop> {
    let (plan, what) = match &request.wanted {
        Wanted::Now => {
            let plan = prepare(&request.plan, console).await?.plan;
            let hosts = compare::of_fresh(&plan);
            let steps = compare::fresh(&plan);
            return tell("verify", &plan, hosts, &steps, &request.plan, console);
        }
        Wanted::File(file) => (show::open(file)?.plan, file.display().to_string()),
        Wanted::Run(run) => {
            let folder = runs::find_or_latest(&request.plan.state, run)?;
            (runs::check(&folder)?.sealed.plan, format!("run {}", folder.id))
        }
    };
    if plan.lab {
        return Err(Stop::new(Exit::Refused, "the plan was made for the simulated farm")
            .hint("rmsfleet verify --lab compares a fresh farm with the inventory"));
    }
    console.did("Comparing", &format!("with the plan of {what}"))?;
    let expected = compare::expected(&plan);
    let mut probes = compare::probes(&expected);
    compare::ask(&plan, &mut probes);
    let read = reread(&plan, &probes, BTreeSet::new(), &request.plan, console).await?;
    let mut hosts = compare::compare(&expected, &read.survey);
    hosts.extend(compare::left_out(&plan));
    hosts.sort_by(|left, right| left.host.cmp(&right.host));
    let steps = compare::steps(&plan, &read.survey, false);
    tell("verify", &plan, hosts, &steps, &request.plan, console)
}

/// Shows the findings, and says how they end.
pub fn tell(
    kind: &str,
    plan: &Plan,
    mut hosts: Vec<HostFindings>,
    steps: &[StepFinding],
    request: &PlanRequest,
    console: &mut Console,
) -> Result<Exit, Stop> {
    if let Some(name) = &console.output.host {
        let only = plan::find(plan, name)?;
        hosts.retain(|host| host.host == only);
    }
    for line in lines(&hosts, steps, console.output.full, console.style()) {
        console.say(&line)?;
    }
    let verdicts: Vec<_> =
        hosts.iter().map(|host| serde_json::json!([host.host, host.verdict()])).collect();
    let body = serde_json::json!({ "hosts": hosts, "steps": steps, "verdicts": verdicts });
    console.document(kind, &format!("{} hosts", hosts.len()), body)?;
    Ok(exit(&hosts, steps, request.detailed_exitcode))
}

/// Unknown weighs more than different: 6 where hosts were not reached, 7 where something else kept
/// values from being read.
fn exit(hosts: &[HostFindings], steps: &[StepFinding], detailed: bool) -> Exit {
    let unread_hosts = hosts.iter().filter(|host| host.verdict() == Verdict::Unread);
    let unread_steps = steps.iter().filter(|step| step.holds.is_none());
    let unread = unread_hosts
        .map(|host| host.failure.as_ref())
        .chain(unread_steps.map(|step| step.failure.as_ref()));
    let (lost, other): (Vec<_>, Vec<_>) = unread.partition(|failure| {
        failure.is_some_and(|failure| failure.kind == FailureKind::Unreachable)
    });
    if !other.is_empty() {
        return Exit::Blocked;
    }
    if !lost.is_empty() {
        return Exit::Unreachable;
    }
    let differs =
        hosts.iter().any(|host| host.verdict() == Verdict::Differs || host.restart_owed.is_some())
            || steps.iter().any(|step| step.holds == Some(false));
    if detailed && differs { Exit::Changes } else { Exit::Ok }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Failure;
    use crate::plan::compare::Standing;

    #[test]
    fn a_step_that_nobody_could_be_asked_about_ends_as_its_reason_does() {
        let step = |kind| StepFinding {
            organisation: "Contoso".to_owned(),
            holds: None,
            standing: Standing::Unread("no answer".to_owned()),
            told: "no answer".to_owned(),
            failure: Some(Failure::new(kind, "no answer")),
        };
        let (lost, fault) = (step(FailureKind::Unreachable), step(FailureKind::Fault));
        assert_eq!(exit(&[], std::slice::from_ref(&lost), false), Exit::Unreachable);
        assert_eq!(exit(&[], &[lost, fault], false), Exit::Blocked);
        assert_eq!(exit(&[], &[], false), Exit::Ok);
    }
}
