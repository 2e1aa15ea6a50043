//! `resume RUN`: the sealed plan of a run that did not come to its end, taken up again.

use jiff::SignedDuration;

use crate::cli::apply;
use crate::cli::consent;
use crate::cli::console::Console;
use crate::cli::lock;
use crate::cli::prepare::Prepared;
use crate::cli::recorded::BrokenPlan;
use crate::cli::recorded::recorded;
use crate::cli::recovery;
use crate::cli::reopen::reopen;
use crate::cli::request::ResumeRequest;
use crate::cli::rollout::Rollout;
use crate::cli::rollout::roll_out;
use crate::cli::runs;
use crate::cli::runs::Checked;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::host::link::Clock;
use crate::journal::control;
use crate::journal::summary::summarise;
use crate::net::clock::SystemClock;
use crate::run::action::Options;
use crate::run::history::History;
use crate::run::history::Past;
use crate::run::scheduler::is_finished;

pub fn run(request: &ResumeRequest, console: &mut Console) -> Result<Exit, Stop> {
    let runtime = crate::cli::runtime()?;
    let done = runtime.block_on(resume(request, console));
    runtime.shutdown_background();
    done
}

async fn resume(request: &ResumeRequest, console: &mut Console) -> Result<Exit, Stop> {
    let folder = runs::find(&request.plan.state, &request.run)?;
    let id = folder.id.clone();
    // Before anything is decided: nobody else may go on with the same journal meanwhile.
    let plan = runs::check(&folder)?.sealed.plan;
    if plan.lab {
        return Err(Stop::new(Exit::Refused, "the simulated farm of that run ended with it")
            .hint("rmsfleet apply --lab"));
    }
    apply::unstopped(&folder.path)?;
    let by = &request.plan.by;
    let held = Some(lock::take(&plan, &id, &request.plan.state, by)?);
    // Words for the process that ended are not meant for this one.
    control::clear(&folder.path);
    let Checked { sealed, journal, chain } = runs::check(&folder)?;
    if journal.unknown > 0 {
        let text = format!("the journal has {} events of a newer version", journal.unknown);
        return Err(Stop::new(Exit::Refused, text).hint("resume with that version of rmsfleet"));
    }
    if summarise(&journal.records).rehearsal {
        return Err(Stop::new(
            Exit::Refused,
            format!("run {id} was a rehearsal: nothing was begun"),
        )
        .hint("rmsfleet apply FILE"));
    }
    let history = History::of(&journal.records);
    if is_finished(&sealed.plan, &history) {
        console.did("Finished", &format!("run {id}: nothing to resume"))?;
        // What its last process could not write any more.
        recovery::tell(&sealed.plan, &folder, false, console)?;
        return Ok(Exit::Ok);
    }
    let since = recorded(&request.plan.state, BrokenPlan::IsSkipped, console)?.since(&id);
    if let Some(by) = since.undone_by().last() {
        // INVARIANT: what was taken back on purpose is not written again without a plan.
        let text = format!("run {by} has taken run {id} back: to go on would write it again");
        let is_left = history.hosts.values().any(|host| host.maintenance.is_some() || host.leased)
            || history.hooks.open().next().is_some();
        let path = folder.path.join("recovery.md");
        let hint = if is_left && path.exists() {
            let path = path.display();
            format!("bring back what it left as `{path}` says; then plan anew: rmsfleet plan")
        } else {
            "plan anew: rmsfleet plan".to_owned()
        };
        return Err(Stop::new(Exit::Refused, text).hint(hint));
    }
    if SystemClock.now() > sealed.plan.valid_until {
        let until = sealed.plan.valid_until.strftime("%Y-%m-%d %H:%MZ");
        let text = format!(
            "the plan expired at {until}; its run began in time and goes on, and hosts that moved \
             are refused"
        );
        console.did("Expired", &text)?;
    }
    let file = folder.plan();
    let Prepared { wired, stats, farm, .. } = reopen(&file, &request.plan, console).await?;
    let options = {
        let approved = !summarise(&journal.records).approved.is_empty();
        let options = consent::obtain(&sealed.plan, &request.plan, approved, console).await?;
        Options { left_out: history.left_out.clone(), ..options }
    };
    let past = Past {
        history,
        torn: chain.torn.clone().map(|(_, text)| text),
        settle: SignedDuration::from_secs(request.settle.into()),
    };
    let past = Some((past, chain));
    let rollout = Rollout { sealed, wired, stats, farm, folder, options, held, past };
    Box::pin(roll_out(rollout, &request.plan, console)).await
}
