//! A process that dies in the middle of a run, and what its journal tells the next one.

use jiff::SignedDuration;

use rmsfleet::event::Event;
use rmsfleet::model::hook::Errand;
use rmsfleet::model::hook::Turn;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::PlannedWork;
use rmsfleet::run::history::History;
use rmsfleet::run::history::HostHistory;
use rmsfleet::run::history::Order;
use rmsfleet::run::history::RestartHistory;
use rmsfleet::run::history::StepHistory;

use crate::imagined::dice::Dice;
use crate::imagined::irm;
use crate::imagined::noon;
use crate::simulation::watch::Watch;
use crate::simulation::watch::lost_from_the_start;

impl Watch<'_> {
    /// What stands in the journal now; the watch then expects what a resume owes to it.
    pub(super) fn dies(&mut self, dice: &mut Dice) -> History {
        let mut history = History::default();
        for name in self.plan.hosts.keys() {
            let past = self.past(name, dice);
            let is_out = matches!(past.outcome, Some(Outcome::Refused(_) | Outcome::Blocked));
            if past.restart != RestartHistory::None && !is_out && !self.is_proved(name) {
                self.underway.insert(name.clone());
            }
            history.hosts.insert(name.clone(), past);
        }
        for (place, stage) in self.plan.stages.iter().enumerate() {
            let PlannedWork::Step(step) = &stage.work else { continue };
            let past = if self.set.contains(&stage.name) {
                StepHistory::Verified(irm(true).into())
            } else if self.done.contains(&stage.name) {
                StepHistory::Unchanged
            } else if self.step_running == Some(place) {
                StepHistory::InDoubt
            } else {
                continue;
            };
            history.steps.insert((step.organisation.clone(), stage.name.clone()), past);
        }
        for event in &self.told {
            history.hooks.take(event);
        }
        // An undo that failed, or was in flight, may have done nothing.
        let place = |stage: Option<&str>| {
            stage.map(|name| self.plan.stages.iter().position(|own| own.name == name).unwrap())
        };
        self.hooked = history.hooks.open().map(|(stage, _)| place(stage)).collect();
        history.reached = self.reached.clone();
        history.left_out = self.options.left_out.clone();
        self.begins_anew();
        self.now += SignedDuration::from_secs(i64::try_from(dice.up_to(3000)).unwrap());
        history
    }

    fn is_proved(&self, name: &HostName) -> bool {
        matches!(self.ended.get(name), Some(Outcome::Changed { restarted: true, .. }))
    }

    fn past(&self, name: &HostName, dice: &mut Dice) -> HostHistory {
        let order = Order { boot: noon(), up_seconds: None, at: noon(), services: Vec::new() };
        let restart = if self.is_proved(name) {
            RestartHistory::Proved
        } else if self.unproved.contains(name) || self.underway.contains(name) {
            RestartHistory::MayBeOrdered(order)
        } else if self.restarting.contains(name) {
            // In the drain, behind the order, or behind its proof.
            match dice.up_to(3) {
                0 => RestartHistory::None,
                1 => RestartHistory::MayBeOrdered(order),
                _ => RestartHistory::Proved,
            }
        } else {
            RestartHistory::None
        };
        let all_verified = self.settled.get(name) == Some(&true);
        let begun = self.settled.contains_key(name)
            || self.configuring.contains(name)
            || self.restarted.contains(name);
        HostHistory {
            begun,
            all_verified,
            restart,
            outcome: self.ended.get(name).cloned(),
            ..HostHistory::default()
        }
    }

    fn begins_anew(&mut self) {
        let underway = self.underway.clone();
        self.settled.retain(|name, _| underway.contains(name));
        self.restarted.retain(|name| {
            matches!(self.ended.get(name), Some(Outcome::Changed { restarted: true, .. }))
        });
        // A stage that was entered again has earned its gates anew, or has not.
        let entered = self.stage.map_or(0, |stage| stage + 1);
        self.passed_before.retain(|(stage, _)| *stage >= entered);
        self.passed_before.append(&mut self.passed);
        let done = |stage: &usize| self.done.contains(&self.plan.stages[*stage].name);
        self.steps.retain(done);
        self.earlier.append(&mut self.ended);
        (self.stage, self.batch, self.is_resumed) = (None, 0, true);
        (self.ranking, self.step_running, self.gating, self.hooking) = (None, None, None, None);
        (self.halted, self.must_halt, self.given_up) = (false, false, false);
        self.lost = lost_from_the_start(self.plan);
        for set in [
            &mut self.configuring,
            &mut self.looking,
            &mut self.seen,
            &mut self.restarting,
            &mut self.unproved,
            &mut self.owed,
        ] {
            set.clear();
        }
        self.proven.clear();
        self.awaited.clear();
    }

    /// A host that a resume leaves alone has ended before, in a way that leaves nothing to be done.
    pub(super) fn keeps(&mut self, host: &HostName) {
        if self.ended.contains_key(host) {
            return;
        }
        let Some(before) = self.earlier.get(host) else { return };
        let is_over = match before {
            Outcome::Refused(_)
            | Outcome::Blocked
            | Outcome::Changed { .. }
            | Outcome::Unchanged => true,
            Outcome::NotStarted => self.options.left_out.contains(host),
            Outcome::RestartOwed { .. } => {
                !self.plan.stages.iter().any(|stage| match &stage.work {
                    PlannedWork::Hosts { restarts, .. } => restarts.contains(host),
                    PlannedWork::Step(_) => false,
                })
            }
            Outcome::Failed(_) | Outcome::InDoubt(_) | Outcome::Unreachable(_) => false,
        };
        assert!(is_over, "{host} has no turn again after {before:?}");
        self.ended.insert(host.clone(), before.clone());
    }

    /// How far the hooks of a place came, as the journal has it.
    pub(super) fn tell(&mut self, place: Option<usize>, turn: Turn, ok: Option<bool>) {
        let stage = place.map(|stage| self.plan.stages[stage].name.clone());
        let undoes = (turn == Turn::Undo).then(|| "hook".to_owned());
        let errand = Errand { stage, turn, hook: "hook".to_owned(), undoes };
        self.told.push(match ok {
            None => Event::StageHookIntended { errand, again: false },
            Some(ok) => Event::StageHookEnded { errand, ok, said: String::new() },
        });
    }
}
