//! Each promise of the scheduler, broken on purpose: the watch must see it.
//!
//! A scheduler that does not keep a promise is made by telling a sound one less than there is: a plan
//! without the limit, or news that are better than what happened. The watch knows the true plan.

use rmsfleet::event::ledger::Ledger;
use rmsfleet::model::outcome::Failure;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::plan::OrganisationStep;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedWork;
use rmsfleet::model::plan::Scope;
use rmsfleet::run::action::Configured;
use rmsfleet::run::action::Gated;
use rmsfleet::run::action::Happened;
use rmsfleet::run::action::Looked;
use rmsfleet::run::action::Options;
use rmsfleet::run::action::Restarted;
use rmsfleet::run::action::StepDone;
use rmsfleet::run::history::History;
use rmsfleet::run::history::RestartHistory;

use crate::imagined::irm;
use crate::simulation::simulate;

/// What the scheduler is not told, or told wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weakness {
    Forks,
    RestartLimit,
    Domains,
    Budget,
    Unreachable,
    Windows,
    Freezes,
    GatesBefore,
    GatesBetween,
    GatesAfter,
    Batches,
    Needs,
    Missing,
    Satisfied,
    Confirmation,
    /// A restart that was not proved is told as proved.
    Unproved,
    /// Values that were not verified are told as verified.
    Unverified,
    /// A guarded account is told as a host that failed.
    Guarded,
    /// A red gate is told as a green one.
    Red,
    /// A step that failed is told as done.
    FailedStep,
    /// Nobody tells of the user's stop.
    Deaf,
    /// Whatever is asked for is done twice.
    Echo,
    /// A host that went away is told as one that answered with a fault.
    Lost,
    /// Another run's lease is told as a value that moved.
    Leased,
    /// A look that found a peer down is told as clear.
    Looks,
    AfterStep,
    LeftOut,
    Blocked,
    Scope,
    /// Every account is told as accepted before any was tried.
    Proven,
    /// A restart that was held is told as proved.
    Owed,
    /// A resume does not know of restarts.
    ForgottenRestarts,
    /// A resume does not know of hooks.
    ForgottenHooks,
    /// A resume does not know of steps.
    ForgottenSteps,
    /// A resume believes every stage to be left in good order.
    Believed,
}

/// Every weakness, with the words in which the watch must complain of it.
const ALL: [(Weakness, &str); 37] = [
    (Weakness::Forks, "forks"),
    (Weakness::RestartLimit, "limit"),
    (Weakness::Domains, "is over"),
    (Weakness::Budget, "after the halt"),
    (Weakness::Unreachable, "after the halt"),
    (Weakness::Windows, "in its window"),
    (Weakness::Windows, "outside its server's window"),
    (Weakness::Freezes, "in its window"),
    (Weakness::GatesBefore, "before its gates"),
    (Weakness::GatesBetween, "before its gates"),
    (Weakness::GatesAfter, "the gates after"),
    (Weakness::Batches, "out of its batch"),
    (Weakness::Needs, "is not verified"),
    (Weakness::Missing, "missing"),
    (Weakness::Satisfied, "a step without need"),
    (Weakness::Confirmation, "a step without confirmation"),
    (Weakness::Unproved, "has an unproved restart"),
    (Weakness::Unverified, "restarts without being verified"),
    (Weakness::Guarded, "after the halt"),
    (Weakness::Red, "after the halt"),
    (Weakness::FailedStep, "after the halt"),
    (Weakness::Deaf, "after the halt"),
    (Weakness::Echo, "twice"),
    (Weakness::Freezes, "a step in a freeze"),
    (Weakness::Lost, "that do not answer"),
    (Weakness::Leased, "after the halt"),
    (Weakness::Looks, "goes down unseen"),
    (Weakness::AfterStep, "before its step"),
    (Weakness::LeftOut, "is left out"),
    (Weakness::Blocked, "is blocked"),
    (Weakness::Scope, "out of scope"),
    (Weakness::Proven, "after the halt"),
    (Weakness::Owed, "a step before a restart it needs"),
    (Weakness::ForgottenRestarts, "restarts twice"),
    (Weakness::ForgottenHooks, "a hook is not taken back"),
    (Weakness::ForgottenSteps, "a step runs twice"),
    (Weakness::Believed, "a gate that nobody passed"),
];

impl Weakness {
    /// What the scheduler believes the plan to be.
    pub(super) fn plan(self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        match self {
            Self::Forks => plan.limits.forks += 1,
            Self::RestartLimit => plan.limits.restart += 1,
            Self::Domains => {
                let domains = plan.hosts.values_mut().flat_map(|host| &mut host.domains);
                domains.for_each(|domain| domain.max_unavailable += 1);
            }
            Self::Unreachable => plan.count_unreachable_as_failed = false,
            Self::Windows => plan.hosts.values_mut().for_each(|host| host.window = None),
            Self::Freezes => plan.conditions.freezes.clear(),
            Self::GatesBefore => plan.stages.iter_mut().for_each(|one| one.gates.before.clear()),
            Self::GatesBetween => plan.stages.iter_mut().for_each(|one| one.gates.between.clear()),
            Self::GatesAfter => plan.stages.iter_mut().for_each(|one| one.gates.after.clear()),
            Self::Budget => {
                for stage in &mut plan.stages {
                    if let PlannedWork::Hosts { budget, .. } = &mut stage.work {
                        *budget += 1;
                    }
                }
            }
            Self::Batches => {
                for stage in &mut plan.stages {
                    if let PlannedWork::Hosts { batches, .. } = &mut stage.work {
                        *batches = vec![batches.concat()];
                    }
                }
            }
            Self::Needs => steps(&mut plan, |step| step.needs.clear()),
            Self::Missing => steps(&mut plan, |step| step.missing.clear()),
            Self::Satisfied => steps(&mut plan, |step| step.satisfied = false),
            Self::AfterStep => plan.hosts.values_mut().for_each(|host| host.after_step = None),
            Self::Blocked => plan.hosts.values_mut().for_each(|host| host.blockers.clear()),
            Self::Scope => plan.hosts.values_mut().for_each(|host| host.scope = Scope::InScope),
            Self::Confirmation
            | Self::Unproved
            | Self::Unverified
            | Self::Guarded
            | Self::Red
            | Self::FailedStep
            | Self::Deaf
            | Self::Echo
            | Self::Lost
            | Self::Leased
            | Self::Looks
            | Self::LeftOut
            | Self::Proven
            | Self::Owed
            | Self::ForgottenRestarts
            | Self::ForgottenHooks
            | Self::ForgottenSteps
            | Self::Believed => {}
        }
        plan
    }

    /// What a resume takes the journal to say.
    pub(super) fn reads(self, mut history: History) -> History {
        match self {
            Self::ForgottenRestarts => {
                for host in history.hosts.values_mut() {
                    host.restart = RestartHistory::None;
                }
            }
            Self::ForgottenHooks => history.hooks = Ledger::default(),
            Self::ForgottenSteps => history.steps.clear(),
            Self::Believed => {
                for reached in history.reached.values_mut() {
                    (reached.batches, reached.ended) = (99, true);
                }
            }
            _ => {}
        }
        history
    }

    /// Whether the weakness is one of a resume.
    pub(super) fn is_of_a_resume(self) -> bool {
        matches!(
            self,
            Self::ForgottenRestarts | Self::ForgottenHooks | Self::ForgottenSteps | Self::Believed
        )
    }

    pub(super) fn options(self, options: &Options) -> Options {
        let mut options = options.clone();
        if self == Self::Confirmation {
            options.confirmed.insert("Contoso".to_owned());
        }
        if self == Self::LeftOut {
            options.left_out.clear();
        }
        options
    }

    /// What the scheduler hears of what happened; `None` is nothing at all.
    pub(super) fn hears(self, happened: Happened) -> Option<Happened> {
        Some(match (self, happened) {
            (Self::Deaf, Happened::StopRequested(_)) => return None,
            (Self::Unproved, Happened::Restarted { host, .. })
            | (Self::Owed, Happened::Restarted { host, result: Restarted::Held(_) }) => {
                Happened::Restarted { host, result: Restarted::Proved }
            }
            (Self::Unverified, Happened::Configured { host, .. }) => {
                Happened::Configured { host, result: Configured::Verified(1) }
            }
            (Self::Guarded, Happened::Configured { host, result: Configured::Failed(failure) })
                if failure.kind == FailureKind::AccountGuarded =>
            {
                let told = Failure::new(FailureKind::Drifted, "something else");
                Happened::Configured { host, result: Configured::Failed(told) }
            }
            (Self::Red, Happened::GatesEnded { stage, place, .. }) => {
                Happened::GatesEnded { stage, place, result: Gated::Passed }
            }
            (Self::FailedStep, Happened::StepEnded { stage, .. }) => {
                Happened::StepEnded { stage, result: Ok(StepDone::Verified(irm(true).into())) }
            }
            (
                Self::Lost | Self::Leased,
                Happened::Configured { host, result: Configured::Failed(mut failure) },
            ) => {
                failure.kind = match (self, failure.kind) {
                    (Self::Lost, FailureKind::Unreachable | FailureKind::InDoubt) => {
                        FailureKind::Fault
                    }
                    (Self::Leased, FailureKind::Leased) => FailureKind::Drifted,
                    (_, kind) => kind,
                };
                Happened::Configured { host, result: Configured::Failed(failure) }
            }
            (Self::Looks, Happened::Looked { host, result: Looked::Held(_) }) => {
                Happened::Looked { host, result: Looked::Clear }
            }
            (_, happened) => happened,
        })
    }
}

fn steps(plan: &mut Plan, mut change: impl FnMut(&mut OrganisationStep)) {
    for stage in &mut plan.stages {
        if let PlannedWork::Step(step) = &mut stage.work {
            change(step);
        }
    }
}

/// How many runs it took until the watch complained in the right words.
fn seen_after(weakness: Weakness, words: &str) -> Option<u64> {
    (0..4000).find(|seed| {
        let Err(panic) = std::panic::catch_unwind(|| simulate(*seed, Some(weakness))) else {
            return false;
        };
        let told = panic.downcast_ref::<String>().map(String::as_str);
        let told = told.or_else(|| panic.downcast_ref::<&str>().copied());
        told.is_some_and(|told| told.contains(words))
    })
}

#[test]
fn every_broken_promise_is_seen() {
    for (weakness, words) in ALL {
        let runs = seen_after(weakness, words);
        assert!(runs.is_some(), "nobody saw that {weakness:?} was gone");
    }
}
