//! Watches a run from outside and knows the rules by heart.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::model::hook::Turn;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedHost;
use rmsfleet::model::plan::PlannedWork;
use rmsfleet::model::plan::Scope;
use rmsfleet::run::action::Action;
use rmsfleet::run::action::GatePlace;
use rmsfleet::run::action::Options;
use rmsfleet::run::history::Reached;

use crate::imagined::noon;

pub(super) struct Watch<'p> {
    pub(super) plan: &'p Plan,
    pub(super) options: Options,
    pub(super) stage: Option<usize>,
    pub(super) batch: usize,
    pub(super) configuring: BTreeSet<HostName>,
    pub(super) settled: BTreeMap<HostName, bool>,
    pub(super) ranking: Option<usize>,
    pub(super) looking: BTreeSet<HostName>,
    /// Hosts that a look let through, and that have not begun.
    pub(super) seen: BTreeSet<HostName>,
    pub(super) restarting: BTreeSet<HostName>,
    pub(super) restarted: BTreeSet<HostName>,
    pub(super) unproved: BTreeSet<HostName>,
    /// Hosts that do not answer: in a domain whose members stand in for each other they are down.
    pub(super) lost: BTreeSet<HostName>,
    /// Hosts whose restart was not seen to its end.
    pub(super) owed: BTreeSet<HostName>,
    /// Accounts that some host has accepted.
    pub(super) proven: BTreeSet<String>,
    /// Stages whose step was done.
    pub(super) done: BTreeSet<String>,
    /// Those of them whose step was not so before.
    pub(super) set: BTreeSet<String>,
    pub(super) step_running: Option<usize>,
    /// Steps that were asked for and ended without an act.
    pub(super) awaited: BTreeSet<usize>,
    pub(super) now: Timestamp,
    pub(super) gating: Option<(usize, GatePlace)>,
    pub(super) passed: BTreeSet<(usize, String)>,
    pub(super) hooking: Option<(Option<usize>, Turn)>,
    /// Places whose hooks were begun and not taken back.
    pub(super) hooked: Vec<Option<usize>>,
    /// The user ended the run at once.
    pub(super) given_up: bool,
    pub(super) steps: BTreeSet<usize>,
    pub(super) ended: BTreeMap<HostName, Outcome>,
    pub(super) halted: bool,
    /// Set by the simulation where no new act may follow.
    pub(super) must_halt: bool,
    pub(super) exit: Option<Exit>,
    /// An earlier process has died.
    pub(super) is_resumed: bool,
    /// Restarts that an earlier process may have ordered.
    pub(super) underway: BTreeSet<HostName>,
    /// How hosts ended in earlier processes.
    pub(super) earlier: BTreeMap<HostName, Outcome>,
    pub(super) passed_before: BTreeSet<(usize, String)>,
    pub(super) reached: BTreeMap<String, Reached>,
    /// What the journal has of hooks around stages.
    pub(super) told: Vec<Event>,
}

impl<'p> Watch<'p> {
    pub(super) fn new(plan: &'p Plan, options: Options) -> Self {
        Self {
            plan,
            options,
            stage: None,
            batch: 0,
            configuring: BTreeSet::new(),
            settled: BTreeMap::new(),
            ranking: None,
            looking: BTreeSet::new(),
            seen: BTreeSet::new(),
            restarting: BTreeSet::new(),
            restarted: BTreeSet::new(),
            unproved: BTreeSet::new(),
            lost: lost_from_the_start(plan),
            owed: BTreeSet::new(),
            proven: BTreeSet::new(),
            done: BTreeSet::new(),
            set: BTreeSet::new(),
            step_running: None,
            awaited: BTreeSet::new(),
            now: noon(),
            gating: None,
            passed: BTreeSet::new(),
            hooking: None,
            hooked: Vec::new(),
            given_up: false,
            steps: BTreeSet::new(),
            ended: BTreeMap::new(),
            halted: false,
            must_halt: false,
            exit: None,
            is_resumed: false,
            underway: BTreeSet::new(),
            earlier: BTreeMap::new(),
            passed_before: BTreeSet::new(),
            reached: BTreeMap::new(),
            told: Vec::new(),
        }
    }

    pub(super) fn idle(&self) -> bool {
        self.configuring.is_empty()
            && self.restarting.is_empty()
            && self.looking.is_empty()
            && self.ranking.is_none()
            && self.step_running.is_none()
            && self.gating.is_none()
            && self.hooking.is_none()
    }

    fn act(&self, what: &str) {
        assert!(!self.halted && !self.must_halt, "{what} after the halt");
        assert!(self.exit.is_none(), "{what} after the end");
        assert!(self.gating.is_none(), "{what} while a gate is looked at");
        assert!(self.hooking.is_none(), "{what} while a hook runs");
    }

    fn gates(&self, stage: usize, place: GatePlace) -> &'p [String] {
        let gates = &self.plan.stages[stage].gates;
        match place {
            GatePlace::Before => &gates.before,
            GatePlace::Between(_) => &gates.between,
            GatePlace::After => &gates.after,
        }
    }

    /// Whether the gates of a place were seen green, or there are none.
    fn is_behind(&self, stage: usize, place: GatePlace) -> bool {
        self.gates(stage, place).is_empty()
            || self.passed.contains(&key(stage, place))
            || self.is_left_alone(stage, place)
    }

    /// Whether the hosts that gates there would be about were left out, refused or blocked.
    fn is_left_alone(&self, stage: usize, place: GatePlace) -> bool {
        let PlannedWork::Hosts { batches, .. } = &self.plan.stages[stage].work else {
            return false;
        };
        let last = if let GatePlace::Between(batch) = place { batch + 1 } else { batches.len() };
        let mut members = batches.iter().take(last).flatten().peekable();
        members.peek().is_some()
            && members.all(|host| {
                matches!(
                    self.ended.get(host).or_else(|| self.earlier.get(host)),
                    Some(Outcome::NotStarted | Outcome::Refused(_) | Outcome::Blocked)
                )
            })
    }

    pub(super) fn account(&self, host: &HostName) -> String {
        self.plan.hosts[host].credential.clone()
    }

    /// What the plan or the user keeps out of the run, or keeps back in it.
    fn check_allowed(&self, host: &HostName) {
        let planned = &self.plan.hosts[host];
        assert!(!planned.is_blocked(), "{host} is blocked");
        assert!(!self.options.left_out.contains(host), "{host} is left out");
        assert!(planned.scope == Scope::InScope, "{host} is out of scope");
        // What has nothing to be written is only read.
        if let Some(step) = planned.after_step.as_ref().filter(|_| planned.has_work()) {
            assert!(self.done.contains(step), "{host} is touched before its step");
        }
    }

    /// Whether no freeze falls into so many seconds from now on.
    fn is_free(&self, seconds: i64) -> bool {
        let (start, end) = (self.now.as_second(), self.now.as_second() + seconds);
        !self
            .plan
            .conditions
            .freezes
            .iter()
            .any(|freeze| start < freeze.to.as_second() && end > freeze.from.as_second())
    }

    /// Counted by hand: every window here opens each day, by UTC.
    fn fits(&self, host: &HostName, restarts: bool) -> bool {
        let restart = i64::from(self.plan.hosts[host].restart_timeout);
        self.fits_for(host, 180 + if restarts { restart } else { 0 })
    }

    fn fits_for(&self, host: &HostName, seconds: i64) -> bool {
        let planned = &self.plan.hosts[host];
        let (start, end) = (self.now.as_second(), self.now.as_second() + seconds);
        let conditions = &self.plan.conditions;
        let frozen = !self.is_free(seconds);
        let Some(name) = &planned.window else { return !frozen };
        let window = &conditions.windows[name];
        let midnight = start - start.rem_euclid(86_400);
        let open = [midnight - 86_400, midnight].into_iter().any(|day| {
            let opens = day + i64::from(window.start) * 60;
            start >= opens && end <= opens + i64::from(window.duration - window.cutoff)
        });
        open && !frozen
    }

    pub(super) fn see(&mut self, action: &Action) {
        match action {
            Action::StageStarted { stage } => {
                self.act("a stage");
                assert!(self.idle(), "a stage starts while work is in flight");
                assert_eq!(*stage, self.stage.map_or(0, |stage| stage + 1), "stages in order");
                if let Some(last) = self.stage
                    && matches!(self.plan.stages[last].work, PlannedWork::Hosts { .. })
                {
                    assert!(self.is_behind(last, GatePlace::After), "the gates after {last}");
                }
                (self.stage, self.batch) = (Some(*stage), 0);
                self.reached.remove(&self.plan.stages[*stage].name);
            }
            Action::BatchStarted { stage, batch, .. } => {
                self.act("a batch");
                assert_eq!(Some(*stage), self.stage);
                let name = self.plan.stages[*stage].name.clone();
                let reached = self.reached.entry(name).or_default();
                reached.batches = reached.batches.max(batch + 1);
                let place = match batch.checked_sub(1) {
                    None => GatePlace::Before,
                    Some(last) => GatePlace::Between(last),
                };
                assert!(self.is_behind(*stage, place), "a batch starts before its gates");
                for host in self.batches().iter().take(*batch).flatten() {
                    let settled = self.settled.contains_key(host)
                        || self.ended.contains_key(host)
                        || self.earlier.contains_key(host);
                    assert!(settled, "batch {batch} starts before {host} is settled");
                }
                self.batch = *batch;
            }
            Action::Configure(host) => {
                self.act("a configuration");
                self.check_allowed(host);
                assert!(!self.settled.contains_key(host), "{host} is configured twice");
                assert!(self.configuring.insert(host.clone()), "{host} is configured twice");
                assert!(self.configuring.len() <= self.plan.limits.forks as usize, "forks");
                if !self.batches().is_empty() {
                    // One that has ended well before is only read, in a batch that was told of before.
                    let is_read = self.earlier.get(host).is_some_and(Outcome::is_well);
                    let restarts = self.restarts().contains(host);
                    assert!(
                        is_read || self.fits(host, restarts),
                        "{host} cannot end in its window"
                    );
                    let is_in = self.batches()[self.batch].contains(host);
                    assert!(is_in || is_read, "{host} out of its batch");
                }
            }
            Action::Rank { stage, hosts } => {
                self.act("an order");
                assert_eq!(Some(*stage), self.stage);
                assert!(self.idle(), "an order is read before the first restart");
                assert!(hosts.iter().all(|host| self.restarts().contains(host)), "{hosts:?}");
                self.ranking = Some(*stage);
            }
            Action::Look { host, ours } => {
                self.act("a look");
                assert!(self.fits(host, true), "{host} is looked at outside its window");
                assert!(!self.restarted.contains(host), "{host} is looked at after its restart");
                let down = self.restarting.iter().chain(&self.looking);
                let shares = |name: &&HostName| {
                    let own = &self.plan.hosts[*name].domains;
                    let domains = &self.plan.hosts[host].domains;
                    own.iter().any(|own| domains.iter().any(|one| one.id == own.id))
                };
                let down: BTreeSet<&HostName> = down.filter(shares).collect();
                assert_eq!(ours.iter().collect::<BTreeSet<_>>(), down, "down by this run");
                self.looking.insert(host.clone());
                self.check_down(host);
            }
            Action::Restart(host) => {
                self.check_allowed(host);
                // Whatever the run's end, its window and its peers say: it may be down, and is seen to
                // its end.
                if self.underway.remove(host) {
                    assert!(self.restarting.insert(host.clone()), "{host} is seen through twice");
                    self.restarted.insert(host.clone());
                    return;
                }
                self.act("a restart");
                let redundant = self.plan.hosts[host]
                    .domains
                    .iter()
                    .any(|domain| domain.id.starts_with("dag:"));
                assert!(!redundant || self.seen.remove(host), "{host} goes down unseen");
                assert!(self.fits(host, true), "{host} cannot restart in its window");
                let owed_only = self.plan.hosts[host].changes.is_empty();
                let verified = self.settled.get(host).copied().unwrap_or(owed_only);
                assert!(verified, "{host} restarts without being verified");
                assert!(self.configuring.is_empty(), "restarts follow the registry phase");
                assert!(self.restarted.insert(host.clone()), "{host} restarts twice");
                self.restarting.insert(host.clone());
                self.check_down(host);
            }
            Action::Step { stage } => {
                self.act("a step");
                assert_eq!(Some(*stage), self.stage);
                assert!(self.idle(), "a step runs alone");
                assert!(self.is_behind(*stage, GatePlace::Before), "a step before its gates");
                assert!(self.steps.insert(*stage), "a step runs twice");
                let PlannedWork::Step(step) = &self.plan.stages[*stage].work else { panic!() };
                assert!(!step.satisfied, "a step without need");
                assert!(self.options.confirms(&step.organisation), "a step without confirmation");
                for host in &step.needs {
                    assert_eq!(self.settled.get(host), Some(&true), "{host} is not verified");
                    let failed = matches!(
                        self.ended.get(host),
                        Some(Outcome::Failed(_) | Outcome::Refused(_) | Outcome::Unreachable(_))
                    );
                    assert!(!failed, "{host} failed later");
                }
                assert!(step.missing.iter().all(|name| step.waived.contains(name)), "missing");
                let owed = step.needs.iter().find(|host| self.owed.contains(*host));
                assert_eq!(owed, None, "a step before a restart it needs");
                assert!(self.is_free(900), "a step in a freeze");
                assert!(self.fits_for(&step.via, 900), "a step outside its server's window");
                self.step_running = Some(*stage);
            }
            Action::Gates { stage, place, again, .. } => {
                // A step that is done has had its gates before it.
                let is_done = self.done.contains(&self.plan.stages[*stage].name);
                let before = self.passed_before.contains(&key(*stage, *place))
                    || is_done && *place == GatePlace::Before;
                assert!(before || !again, "a gate that nobody passed is not waited for");
                self.act("a gate");
                assert_eq!(Some(*stage), self.stage);
                assert!(!self.gates(*stage, *place).is_empty(), "gates without a name");
                assert!(!self.passed.contains(&key(*stage, *place)), "gates are passed once");
                assert!(self.idle(), "a gate judges what is settled");
                self.gating = Some((*stage, *place));
            }
            Action::Hooks { stage, turn } => {
                assert!(self.idle(), "a hook runs alone");
                assert!(!self.given_up, "a hook after the user has ended the run");
                match turn {
                    Turn::Before => {
                        self.act("a hook before");
                        if !self.hooked.contains(stage) {
                            self.hooked.push(*stage);
                        }
                    }
                    Turn::After => self.act("a hook after"),
                    Turn::Undo => {
                        let open = self.hooked.len();
                        self.hooked.retain(|place| place != stage);
                        assert_eq!(
                            self.hooked.len() + 1,
                            open,
                            "what was begun is taken back once"
                        );
                        let is_last = stage.is_some() || self.hooked.is_empty();
                        assert!(is_last, "the innermost goes back first");
                    }
                }
                self.tell(*stage, *turn, None);
                self.hooking = Some((*stage, *turn));
            }
            Action::HostEnded { host, outcome } => {
                let twice = self.ended.insert(host.clone(), outcome.clone());
                assert_eq!(twice, None, "{host} ends twice");
            }
            Action::StepHeld { stage, .. } => {
                let by_the_watch = self.awaited.contains(stage);
                assert!(by_the_watch || !self.steps.contains(stage), "a step that ran is held");
            }
            Action::StepUnchanged { stage } => {
                assert!(!self.steps.contains(stage), "a step that ran is told as unchanged");
                self.done.insert(self.plan.stages[*stage].name.clone());
            }
            Action::StageEnded { stage } => {
                assert!(self.idle(), "a stage ends in mid-flight");
                let name = self.plan.stages[*stage].name.clone();
                self.reached.entry(name).or_default().ended |= !self.halted;
            }
            Action::Halt { .. } => {
                assert!(!self.halted, "a run halts once");
                self.halted = true;
            }
            Action::Finish(exit) => {
                assert!(self.idle(), "the run ends in mid-flight");
                let in_scope = |host: &&PlannedHost| host.scope == Scope::InScope;
                for host in self.plan.hosts.values().filter(in_scope) {
                    self.keeps(&host.name);
                }
                let hosts = self.plan.hosts.values().filter(in_scope).count();
                assert_eq!(self.ended.len(), hosts, "a host without an outcome");
                assert!(self.hooked.is_empty() || self.given_up, "a hook is not taken back");
                assert!(self.exit.is_none(), "the run ends twice");
                self.exit = Some(*exit);
            }
        }
    }

    /// No limit is passed by one more host that is down or about to be.
    fn check_down(&self, host: &HostName) {
        let busy = self.restarting.len() + self.looking.len();
        assert!(busy <= self.plan.limits.restart as usize, "limit");
        for domain in &self.plan.hosts[host].domains {
            let in_domain = |name: &&HostName| {
                self.plan.hosts[*name].domains.iter().any(|own| own.id == domain.id)
            };
            let down = self.restarting.iter().chain(&self.looking).chain(&self.underway);
            let down = down.filter(in_domain).count();
            assert!(down <= domain.max_unavailable as usize, "{} is over", domain.id);
            let lost = if domain.id.starts_with("dag:") {
                self.lost.iter().filter(in_domain).filter(|own| *own != host).count()
            } else {
                0
            };
            let most = domain.max_unavailable as usize;
            assert!(down + lost <= most, "{} has {lost} that do not answer", domain.id);
            let unproved = self.unproved.iter().filter(in_domain).count();
            assert_eq!(unproved, 0, "{} has an unproved restart", domain.id);
        }
    }

    fn batches(&self) -> &'p [Vec<HostName>] {
        match self.stage.map(|stage| &self.plan.stages[stage].work) {
            Some(PlannedWork::Hosts { batches, .. }) => batches,
            Some(PlannedWork::Step(_)) | None => &[],
        }
    }

    pub(super) fn restarts(&self) -> &'p [HostName] {
        match self.stage.map(|stage| &self.plan.stages[stage].work) {
            Some(PlannedWork::Hosts { restarts, .. }) => restarts,
            Some(PlannedWork::Step(_)) | None => &[],
        }
    }

    /// Failures of the present stage, counted from the outside.
    pub(super) fn over_budget(&self) -> bool {
        let Some(PlannedWork::Hosts { batches, budget, .. }) =
            self.stage.map(|stage| &self.plan.stages[stage].work)
        else {
            return false;
        };
        let own = self.stage.map(|stage| self.plan.stages[stage].own).unwrap_or_default();
        let failed = batches.iter().flatten().filter(|host| match self.ended.get(*host) {
            Some(Outcome::Failed(_) | Outcome::InDoubt(_)) => true,
            Some(Outcome::Unreachable(_)) => {
                own.count_unreachable_as_failed.unwrap_or(self.plan.count_unreachable_as_failed)
            }
            Some(_) | None => false,
        });
        failed.count() > *budget as usize
    }
}

/// Hosts that the survey did not reach.
pub(super) fn lost_from_the_start(plan: &Plan) -> BTreeSet<HostName> {
    let lost = plan
        .hosts
        .values()
        .filter(|host| host.blockers.iter().any(|blocker| blocker.id == "unreachable"));
    lost.map(|host| host.name.clone()).collect()
}

pub(super) fn key(stage: usize, place: GatePlace) -> (usize, String) {
    (stage, format!("{place:?}"))
}
