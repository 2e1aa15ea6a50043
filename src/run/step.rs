//! Organisation steps: read again, done once, read back.

use crate::event::Event;
use crate::event::SinkError;
use crate::host::exchange;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::link::Shell;
use crate::host::link::Target;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::step::Act;
use crate::run::action::StepDone;
use crate::run::action::Stop;
use crate::run::history::StepHistory;
use crate::run::means::Means;
use crate::run::means::lock;
use crate::run::means::target;
use crate::run::step::seen::Seen;
use crate::run::trouble::Trouble;

mod seen;

/// Carries out the step of a stage whose gate is open.
pub async fn step<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    stage: &str,
    step: &OrganisationStep,
) -> Result<Result<StepDone, Failure>, SinkError> {
    let work = Work { stage, step, target: step_target(means.plan, step) };
    match work.attempt(means).await {
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
        let mut shell = self.open(means).await?;
        lock(&means.logged_on).insert(self.step.via.clone());
        let ended = self.act(means, &mut shell).await;
        shell.close().await;
        match ended? {
            Ended::Well(done) => Ok(done),
            // What the act left is read over a new connection; the act itself is never repeated.
            Ended::Unclear(error) => self.settle(means, error).await,
        }
    }

    async fn open<C: Connect, K: Clock>(
        &self,
        means: &Means<'_, C, K>,
    ) -> Result<C::Shell, HostError> {
        let configuration = match &self.step.act {
            Act::ExchangeIrm { .. } => exchange::CONFIGURATION,
            Act::SharepointIrm { configuration, .. } => configuration,
        };
        means.connect.shell(&self.target, configuration).await
    }

    async fn act<C: Connect, K: Clock>(
        &self,
        means: &Means<'_, C, K>,
        shell: &mut C::Shell,
    ) -> Result<Ended, Trouble> {
        let step = self.step;
        let found = Seen::through(shell, step).await?;
        if !found.is_of(step) {
            let text = format!("expected `{}`, found `{}`", step.identity, found.identity);
            return Err(Failure::new(FailureKind::WrongHost, text).into());
        }
        if found.holds(&step.act) {
            let announced = means.past.history.step(&step.organisation, self.stage);
            return Ok(Ended::Well(match announced {
                // An earlier process of this run has set it, and died before it knew.
                Some(StepHistory::InDoubt) => StepDone::Verified(found.state),
                Some(StepHistory::Verified(_) | StepHistory::Unchanged | StepHistory::Open)
                | None => StepDone::Unchanged,
            }));
        }
        if let Some(moved) = found.moved(means.plan, step) {
            return Err(Failure::new(FailureKind::Drifted, moved)
                .hint("plan again: it moved since the plan was made")
                .into());
        }
        if means.stopped() >= Stop::SafePoint {
            return Ok(Ended::Well(StepDone::Stopped));
        }
        if means.rehearsal {
            return Ok(Ended::Well(StepDone::Rehearsed));
        }
        // INVARIANT: the intent is recorded before the cmdlet goes out, and it goes out once.
        means.emit(Event::StepIntended {
            organisation: step.organisation.clone(),
            step: self.stage.to_owned(),
            identity: step.identity.clone(),
            verb: step.act.verb().to_owned(),
            via: step.via.clone(),
        })?;
        means.touch(&step.via);
        if let Err(error) = seen::perform(shell, &step.act).await {
            return Ok(Ended::Unclear(error));
        }
        Ok(match Seen::through(shell, step).await {
            Ok(after) if after.is_of(step) && after.holds(&step.act) => {
                Ended::Well(StepDone::Verified(after.state))
            }
            Ok(after) => Ended::Unclear(HostError::Unexpected {
                expected: format!("{} to read back as set", step.act.verb()),
                got: after.told(&step.act),
            }),
            Err(error) => Ended::Unclear(error),
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
            let mut shell = self.open(means).await?;
            let found = Seen::through(&mut shell, step).await;
            shell.close().await;
            found
        };
        let mut failure = error.failure();
        match read.await {
            Ok(found) if found.is_of(step) => {
                if found.holds(&step.act) {
                    return Ok(StepDone::Verified(found.state));
                }
                if found.is_as_before(&step.act) {
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
}

/// Whether the host may be carrying out what nobody waits for any more: a pipeline does not end with
/// its connection.
fn goes_on_alone(error: &HostError) -> bool {
    match error {
        HostError::Lost { .. } => true,
        HostError::NotConnected { .. }
        | HostError::Denied { .. }
        | HostError::Guarded { .. }
        | HostError::Fault(_)
        | HostError::Unexpected { .. }
        | HostError::Cmdlet { .. }
        | HostError::Unsupported(_) => false,
    }
}

/// The endpoint of the step, with the times of the host that stands behind it.
fn step_target(plan: &Plan, step: &OrganisationStep) -> Target {
    const SECONDS: std::time::Duration = std::time::Duration::from_secs(30);
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
