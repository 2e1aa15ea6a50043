//! Organisation steps: read again, done once, read back.

use std::time::Duration;

use crate::event::Event;
use crate::event::SinkError;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::link::Target;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::step::ByHand;
use crate::model::step::StepState;
use crate::run::action::StepDone;
use crate::run::action::Stop;
use crate::run::history::StepHistory;
use crate::run::means::Means;
use crate::run::means::lock;
use crate::run::means::target;
use crate::run::step::line::Line;
use crate::run::step::seen::Seen;
use crate::run::trouble::Trouble;

mod claim;
mod line;
mod proof;
mod seen;

/// Between two questions whether a person has done it.
const PACE: Duration = Duration::from_secs(5);

/// Carries out the step of a stage whose gate is open.
pub async fn step<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    stage: &str,
    step: &OrganisationStep,
) -> Result<Result<StepDone, Failure>, SinkError> {
    let work = Work { stage, step, target: step_target(means.plan, step) };
    let done = match &step.by_hand {
        Some(_) if means.rehearsal => Ok(StepDone::Rehearsed),
        Some(by_hand) => work.await_person(means, by_hand).await,
        None => work.attempt(means).await,
    };
    let proved = match done {
        Ok(StepDone::Verified(after)) => {
            proof::of(means, stage, step).await.map(|()| StepDone::Verified(after))
        }
        other => other,
    };
    match proved {
        Ok(done) => Ok(Ok(done)),
        Err(trouble) => Ok(Err(trouble.failure()?)),
    }
}

/// A step with where it is done.
struct Work<'a> {
    stage: &'a str,
    step: &'a OrganisationStep,
    target: Target,
}

/// What can be said at the end of the first connection.
enum Ended {
    Well(StepDone),
    Unclear(HostError),
}

impl Work<'_> {
    async fn attempt<C: Connect, K: Clock>(
        &self,
        means: &Means<'_, C, K>,
    ) -> Result<StepDone, Trouble> {
        let mut line = Line::open(means, self.step, &self.target).await?;
        lock(&means.logged_on).insert(self.step.via.clone());
        let ended = self.act(means, &mut line).await;
        line.close().await;
        let done = match ended? {
            Ended::Well(done) => done,
            // What the act left is read over a new connection; the act itself is never repeated.
            Ended::Unclear(error) => self.settle(means, error).await?,
        };
        claim::give_back(means, self.step).await?;
        Ok(done)
    }

    async fn act<C: Connect, K: Clock>(
        &self,
        means: &Means<'_, C, K>,
        line: &mut Line<C>,
    ) -> Result<Ended, Trouble> {
        let step = self.step;
        let found = Seen::through(line, step).await?;
        if !found.is_of(step) {
            let text = format!("expected `{}`, found `{}`", step.identity, found.identity);
            return Err(Failure::new(FailureKind::WrongHost, text).into());
        }
        let announced = means.past.history.step(&step.organisation, self.stage);
        let in_doubt = matches!(announced, Some(StepHistory::InDoubt));
        if found.holds(&step.act) {
            // An earlier process of this run may have done it, and died before it knew, or before the
            // disk did.
            let lost = means.past.history.begun().contains(self.stage);
            return Ok(Ended::Well(if in_doubt || lost {
                StepDone::Verified(found.state)
            } else {
                StepDone::Unchanged
            }));
        }
        // INVARIANT: what may have happened is done again only if reading tells that it did not.
        if in_doubt && !seen::is_readable(&step.act) {
            let text = format!("{} was announced, and nothing tells its end", step.act.verb());
            return Err(Failure::new(FailureKind::InDoubt, text)
                .hint("look at the servers; then plan again, without this stage if it was done")
                .into());
        }
        expected(means, step, &found)?;
        if means.stopped() >= Stop::SafePoint {
            return Ok(Ended::Well(StepDone::Stopped));
        }
        if means.rehearsal {
            return Ok(Ended::Well(StepDone::Rehearsed));
        }
        // INVARIANT: of two runs that found it undone, on whatever workstations, one does it: the
        // other is kept away, or reads that it is done.
        if claim::take(means, step).await? {
            let found = Seen::through(line, step).await?;
            if found.is_of(step) && found.holds(&step.act) {
                return Ok(Ended::Well(StepDone::Unchanged));
            }
            expected(means, step, &found)?;
        }
        // INVARIANT: the intent is recorded before the act, which goes out once.
        means.emit(Event::StepIntended {
            organisation: step.organisation.clone(),
            step: self.stage.to_owned(),
            identity: step.identity.clone(),
            verb: step.act.verb().to_owned(),
            via: step.via.clone(),
        })?;
        means.touch(&step.via);
        let done = line.perform(&step.act, means.clock).await;
        Ok(match done {
            Err(error) => Ended::Unclear(error),
            Ok(()) => match Seen::through(line, step).await {
                Ok(after) if after.is_of(step) && after.is_done(&step.act) => {
                    Ended::Well(StepDone::Verified(after.proof(&step.act)))
                }
                Ok(after) => Ended::Unclear(HostError::Unexpected {
                    expected: format!("what {} sets to read back", step.act.verb()),
                    got: after.told(&step.act),
                }),
                Err(error) => Ended::Unclear(error),
            },
        })
    }

    /// Tells by reading where an act that did not end well has left things.
    async fn settle<C: Connect, K: Clock>(
        &self,
        means: &Means<'_, C, K>,
        error: HostError,
    ) -> Result<StepDone, Trouble> {
        let step = self.step;
        let read = async {
            let mut line = Line::open(means, step, &self.target).await?;
            let found = Seen::through(&mut line, step).await;
            line.close().await;
            found
        };
        let mut failure = error.failure();
        match read.await {
            Ok(found) if found.is_of(step) => {
                if found.holds(&step.act) {
                    return Ok(StepDone::Verified(found.state));
                }
                if seen::is_readable(&step.act) && found.is_as_before(&step.act) {
                    let (kind, told) = if goes_on_alone(&error) {
                        let told = "read back as it was before, but it may still be under way";
                        (FailureKind::InDoubt, told)
                    } else {
                        (FailureKind::WriteRefused, "read back as it was before")
                    };
                    failure.kind = kind;
                    failure.chain.insert(0, told.to_owned());
                } else {
                    failure.kind = FailureKind::InDoubt;
                    failure.chain.insert(0, format!("read back as {}", found.told(&step.act)));
                }
            }
            Ok(found) => {
                failure.kind = FailureKind::InDoubt;
                let text = format!("read back from elsewhere, `{}`", found.identity);
                failure.chain.insert(0, text);
            }
            Err(unread) => {
                failure.kind = FailureKind::InDoubt;
                failure.chain.splice(0..0, ["could not be read back".to_owned()]);
                failure.chain.extend(unread.failure().chain);
            }
        }
        Err(failure.into())
    }

    /// `mode: manual`: shows what to do, waits for the word, and reads it back where it can.
    async fn await_person<C: Connect, K: Clock>(
        &self,
        means: &Means<'_, C, K>,
        by_hand: &ByHand,
    ) -> Result<StepDone, Trouble> {
        let step = self.step;
        // INVARIANT: a word counts for what waits when it is said; one that lies there does nothing.
        let _surplus = means.controller.promoted();
        means.emit(Event::StepAwaited {
            organisation: step.organisation.clone(),
            step: self.stage.to_owned(),
            instructions: by_hand.instructions.clone(),
            then: format!("rmsfleet promote {}", means.run),
        })?;
        let deadline = means
            .clock
            .now()
            .checked_add(jiff::SignedDuration::from_secs(by_hand.timeout.into()))
            .unwrap_or(jiff::Timestamp::MAX);
        while means.controller.promoted().is_none() {
            if means.stopped() != Stop::Go {
                return Ok(StepDone::Stopped);
            }
            if means.clock.now() >= deadline {
                let text = format!("nobody said that `{}` is done", self.stage);
                return Ok(StepDone::Awaited(text));
            }
            means.clock.sleep(PACE).await;
        }
        let read = async {
            let mut line = Line::open(means, step, &self.target).await?;
            let found = Seen::through(&mut line, step).await;
            line.close().await;
            found
        };
        match read.await {
            Ok(found) if found.holds(&step.act) => Ok(StepDone::Verified(found.state)),
            Ok(found) => {
                let text = format!("said to be done, and read as {}", found.told(&step.act));
                Err(Failure::new(FailureKind::Drifted, text)
                    .hint("do what the plan says, then resume the run")
                    .into())
            }
            Err(error) => {
                let text = "done by hand, as a person said; the farm's cmdlets do not answer";
                let told = format!("{text} ({})", error.failure().text());
                Ok(StepDone::Verified(StepState::Told { told }))
            }
        }
    }
}

/// INVARIANT: what moved since the plan is not set.
fn expected<C, K>(
    means: &Means<'_, C, K>,
    step: &OrganisationStep,
    found: &Seen,
) -> Result<(), Trouble> {
    match found.moved(means.plan, step) {
        None => Ok(()),
        Some(moved) => Err(Failure::new(FailureKind::Drifted, moved)
            .hint("plan again: it moved since the plan was made")
            .into()),
    }
}

/// Whether the host may be carrying out what nobody waits for any more: a pipeline does not end with
/// its connection.
fn goes_on_alone(error: &HostError) -> bool {
    match error {
        HostError::Lost { .. } => true,
        // Its service gave up waiting for what was begun.
        HostError::Fault(fault) => fault.is_time_out(),
        HostError::NotConnected { .. }
        | HostError::Denied { .. }
        | HostError::TicketRefused { .. }
        | HostError::Guarded { .. }
        | HostError::Unexpected { .. }
        | HostError::Cmdlet { .. }
        | HostError::Unsupported(_) => false,
    }
}

/// The endpoint of the step, with the times of the host that stands behind it.
fn step_target(plan: &Plan, step: &OrganisationStep) -> Target {
    const SECONDS: Duration = Duration::from_secs(30);
    let host = plan.hosts.get(&step.via).map(target);
    Target {
        host: step.via.clone(),
        endpoint: step.endpoint.clone(),
        credential: step.credential.clone(),
        user: step.user.clone(),
        connect_timeout: host.as_ref().map_or(SECONDS, |host| host.connect_timeout),
        operation_timeout: host.as_ref().map_or(SECONDS, |host| host.operation_timeout),
    }
}
