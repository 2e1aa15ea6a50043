//! What an answer means: for its host, for the account, for the failure budget.

use std::collections::BTreeSet;

use crate::model::host::HostName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Outcome;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedWork;
use crate::run::action::Action;
use crate::run::action::Configured;
use crate::run::action::Restarted;
use crate::run::action::StepDone;
use crate::run::action::StepOutcome;
use crate::run::action::outcome_of;
use crate::run::exit::Ending;
use crate::run::scheduler::Position;
use crate::run::scheduler::Scheduler;
use crate::run::standing::Standing;
use crate::run::standing::owed;

impl Scheduler<'_> {
    pub(super) fn configured(&mut self, host: &HostName, result: Configured) {
        let Some(planned) = self.plan.hosts.get(host) else { return };
        if self.hosts.get(host) != Some(&Standing::Configuring) {
            return;
        }
        match result {
            Configured::Verified(_) if let Some(outcome) = self.inherited.settled.get(host) => {
                let outcome = outcome.clone();
                self.end(host, outcome);
            }
            Configured::Verified(values) if self.restarts().contains(host) => {
                self.hosts.insert(host.clone(), Standing::Verified(values));
            }
            Configured::Verified(values) => self.end(host, owed(planned, values)),
            Configured::Stopped => self.end_as_left(host),
            Configured::Abandoned(failure) => self.end(host, outcome_of(failure)),
            Configured::Failed(failure) => {
                if is_lost(&failure) {
                    self.domains.lost(planned);
                }
                self.fail(planned, failure);
            }
        }
    }

    pub(super) fn restarted(&mut self, host: &HostName, result: Restarted) {
        let Some(planned) = self.plan.hosts.get(host) else { return };
        let Some(Standing::Restarting(values)) = self.hosts.get(host) else { return };
        let values = *values;
        match result {
            Restarted::Proved => {
                self.domains.proved(planned);
                self.end(host, Outcome::Changed { values, restarted: true });
            }
            Restarted::Failed(failure) => {
                self.domains.proved(planned);
                if is_lost(&failure) {
                    self.domains.lost(planned);
                }
                self.fail(planned, failure);
            }
            Restarted::NotProved(failure) => {
                self.domains.close(planned);
                self.fail(planned, failure);
            }
            Restarted::Held(reason) => {
                self.domains.proved(planned);
                self.end(host, Outcome::RestartOwed { values, reason });
            }
            Restarted::Shut(why) => {
                self.domains.proved(planned);
                let reason = format!("not restarted: {why}");
                self.end(host, Outcome::RestartOwed { values, reason });
                self.halt(
                    Ending::Window,
                    format!("no time is left for the restart of {host}: {why}"),
                );
            }
            Restarted::GivenUp(reason) => {
                self.domains.close(planned);
                self.end(host, Outcome::RestartOwed { values, reason });
            }
        }
    }

    pub(super) fn step_ended(&mut self, stage: usize, result: Result<StepDone, Failure>) {
        if self.position != Position::StepRunning || stage != self.stage {
            return;
        }
        let account = self.step(stage).map(|step| (step.credential.clone(), step.user.clone()));
        self.position = Position::After;
        let outcome = match result {
            Ok(StepDone::Verified(after)) => StepOutcome::Verified(after),
            Ok(StepDone::Unchanged | StepDone::Rehearsed) => StepOutcome::Unchanged,
            Ok(StepDone::Stopped) => {
                self.hold(stage, "the user stopped the run before it".to_owned());
                return;
            }
            Ok(StepDone::Awaited(reason)) => {
                self.hold(stage, reason.clone());
                self.halt(Ending::Paused, reason);
                return;
            }
            Err(failure) => match failure.kind {
                FailureKind::Drifted | FailureKind::WrongHost => StepOutcome::Refused(failure),
                FailureKind::Leased => {
                    self.halt(Ending::Locked, failure.text());
                    StepOutcome::Refused(failure)
                }
                FailureKind::Unreachable => StepOutcome::Failed(failure),
                FailureKind::Denied | FailureKind::AccountGuarded
                    if account.as_ref().is_none_or(|account| !self.proven.contains(account)) =>
                {
                    self.halt(Ending::Auth, refused_account(&failure));
                    StepOutcome::Failed(failure)
                }
                FailureKind::Denied
                | FailureKind::AccountGuarded
                | FailureKind::Fault
                | FailureKind::WriteRefused
                | FailureKind::InDoubt
                | FailureKind::NotBack
                | FailureKind::Hook
                | FailureKind::Maintenance
                | FailureKind::RestartNotBegun
                | FailureKind::Unsupported => {
                    let reason = format!("the organisation step failed: {}", failure.text());
                    self.halt(Ending::Aborted, reason);
                    StepOutcome::Failed(failure)
                }
            },
        };
        self.steps.insert(stage, outcome);
    }

    /// Ends the host with a failure, then asks the account guard and the budget.
    fn fail(&mut self, planned: &PlannedHost, failure: Failure) {
        let account = (planned.credential.clone(), planned.user.clone());
        // INVARIANT: an account that was refused at its first logon is not tried again.
        let guarded = failure.kind == FailureKind::AccountGuarded
            || (failure.kind == FailureKind::Denied && !self.proven.contains(&account));
        let reason = refused_account(&failure);
        let leased = (failure.kind == FailureKind::Leased).then(|| failure.text());
        self.end(&planned.name, outcome_of(failure));
        if let Some(rival) = leased {
            // INVARIANT: two runs do not take turns on one fleet. Who finds another one at work
            // starts nothing new.
            self.halt(Ending::Locked, format!("{}: {rival}", planned.name));
        } else if guarded {
            self.halt(Ending::Auth, reason);
        } else if self.ending != Ending::Auth {
            self.check_budget();
        }
    }

    /// INVARIANT: once more hosts of the stage failed than its budget bears, nothing new starts.
    pub(super) fn check_budget(&mut self) {
        let Some(PlannedWork::Hosts { batches, budget, restarts }) = self.work() else { return };
        let own = self.plan.stages.get(self.stage).map(|stage| stage.own).unwrap_or_default();
        let counts_unreachable =
            own.count_unreachable_as_failed.unwrap_or(self.plan.count_unreachable_as_failed);
        let members: BTreeSet<&HostName> = batches.iter().flatten().chain(restarts).collect();
        let ours = members.iter().filter(|host| !self.inherited.untouched.contains(**host));
        let failed = ours.filter(|host| match self.hosts.get(**host) {
            Some(Standing::Ended(Outcome::Failed(_) | Outcome::InDoubt(_))) => true,
            Some(Standing::Ended(Outcome::Unreachable(_))) => counts_unreachable,
            Some(_) | None => false,
        });
        let failed = failed.count();
        if failed > usize::try_from(*budget).unwrap_or(usize::MAX) {
            let reason =
                format!("{failed} of {} hosts failed, the budget bears {budget}", members.len());
            self.halt(Ending::Aborted, reason);
        }
    }

    pub(super) fn halt(&mut self, ending: Ending, reason: String) {
        if self.ending == Ending::Completed && self.position != Position::Finished {
            self.ready.push_back(Action::Halt { reason });
        }
        self.ending = self.ending.max(ending);
    }

    /// Ends a host on which this process has done nothing: as an earlier one left it.
    pub(super) fn end_as_left(&mut self, host: &HostName) {
        let left = self.inherited.left.get(host).cloned();
        self.inherited.untouched.insert(host.clone());
        self.end(host, left.unwrap_or(Outcome::NotStarted));
    }

    pub(super) fn end(&mut self, host: &HostName, outcome: Outcome) {
        self.hosts.insert(host.clone(), Standing::Ended(outcome.clone()));
        self.ready.push_back(Action::HostEnded { host: host.clone(), outcome });
    }
}

/// One in doubt is mostly one that went away in the middle: nobody knows it to be up.
fn is_lost(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Unreachable | FailureKind::InDoubt)
}

fn refused_account(failure: &Failure) -> String {
    format!("an account was refused at its first logon: {}", failure.text())
}
