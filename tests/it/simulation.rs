//! Thousands of imagined runs: whatever happens in whatever order, the scheduler's promises hold.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use rmsfleet::error::Exit;
use rmsfleet::model::care::RestartOrder;
use rmsfleet::model::conditions::Conditions;
use rmsfleet::model::gate::StageGates;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Failure;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Blocker;
use rmsfleet::model::plan::FailureDomain;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedWork;
use rmsfleet::model::window::Day;
use rmsfleet::model::window::Freeze;
use rmsfleet::model::window::Window;
use rmsfleet::run::action::Action;
use rmsfleet::run::action::Configured;
use rmsfleet::run::action::GatePlace;
use rmsfleet::run::action::Gated;
use rmsfleet::run::action::Happened;
use rmsfleet::run::action::Looked;
use rmsfleet::run::action::Options;
use rmsfleet::run::action::Restarted;
use rmsfleet::run::action::StepDone;
use rmsfleet::run::action::Stop;
use rmsfleet::run::order::Rank;
use rmsfleet::run::scheduler::Scheduler;

use crate::imagined::change;
use crate::imagined::dice::Dice;
use crate::imagined::hosts_stage;
use crate::imagined::irm;
use crate::imagined::noon;
use crate::imagined::plan;
use crate::imagined::planned;
use crate::imagined::step;
use crate::imagined::step_stage;
use crate::simulation::weakened::Weakness;

mod weakened;

/// Watches a run from outside and knows the rules by heart.
struct Watch<'p> {
    plan: &'p Plan,
    options: Options,
    stage: Option<usize>,
    batch: usize,
    configuring: BTreeSet<HostName>,
    settled: BTreeMap<HostName, bool>,
    ranking: Option<usize>,
    looking: BTreeSet<HostName>,
    /// Hosts that a look let through, and that have not begun.
    seen: BTreeSet<HostName>,
    restarting: BTreeSet<HostName>,
    restarted: BTreeSet<HostName>,
    unproved: BTreeSet<HostName>,
    step_running: Option<usize>,
    now: Timestamp,
    gating: Option<(usize, GatePlace)>,
    passed: BTreeSet<(usize, String)>,
    steps: BTreeSet<usize>,
    ended: BTreeMap<HostName, Outcome>,
    halted: bool,
    /// Set by the simulation where no new act may follow.
    must_halt: bool,
    exit: Option<Exit>,
}

impl<'p> Watch<'p> {
    fn new(plan: &'p Plan, options: Options) -> Self {
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
            step_running: None,
            now: noon(),
            gating: None,
            passed: BTreeSet::new(),
            steps: BTreeSet::new(),
            ended: BTreeMap::new(),
            halted: false,
            must_halt: false,
            exit: None,
        }
    }

    fn idle(&self) -> bool {
        self.configuring.is_empty()
            && self.restarting.is_empty()
            && self.looking.is_empty()
            && self.ranking.is_none()
            && self.step_running.is_none()
            && self.gating.is_none()
    }

    fn act(&self, what: &str) {
        assert!(!self.halted && !self.must_halt, "{what} after the halt");
        assert!(self.exit.is_none(), "{what} after the end");
        assert!(self.gating.is_none(), "{what} while a gate is looked at");
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
        self.gates(stage, place).is_empty() || self.passed.contains(&key(stage, place))
    }

    /// Counted by hand: every window here opens each day, by UTC.
    fn fits(&self, host: &HostName, restarts: bool) -> bool {
        let planned = &self.plan.hosts[host];
        let seconds = 180 + if restarts { i64::from(planned.restart_timeout) } else { 0 };
        let (start, end) = (self.now.as_second(), self.now.as_second() + seconds);
        let conditions = &self.plan.conditions;
        let frozen = conditions
            .freezes
            .iter()
            .any(|freeze| start < freeze.to.as_second() && end > freeze.from.as_second());
        let Some(name) = &planned.window else { return !frozen };
        let window = &conditions.windows[name];
        let midnight = start - start.rem_euclid(86_400);
        let open = [midnight - 86_400, midnight].into_iter().any(|day| {
            let opens = day + i64::from(window.start) * 60;
            start >= opens && end <= opens + i64::from(window.duration - window.cutoff)
        });
        open && !frozen
    }

    fn see(&mut self, action: &Action) {
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
            }
            Action::BatchStarted { stage, batch, .. } => {
                self.act("a batch");
                assert_eq!(Some(*stage), self.stage);
                let place = match batch.checked_sub(1) {
                    None => GatePlace::Before,
                    Some(last) => GatePlace::Between(last),
                };
                assert!(self.is_behind(*stage, place), "a batch starts before its gates");
                for host in self.batches().iter().take(*batch).flatten() {
                    let blocked = self.plan.hosts[host].is_blocked();
                    let settled = self.settled.contains_key(host) || blocked;
                    assert!(settled, "batch {batch} starts before {host} is settled");
                }
                self.batch = *batch;
            }
            Action::Configure(host) => {
                self.act("a configuration");
                assert!(!self.settled.contains_key(host), "{host} is configured twice");
                assert!(self.configuring.insert(host.clone()), "{host} is configured twice");
                assert!(self.configuring.len() <= self.plan.limits.forks as usize, "forks");
                if !self.batches().is_empty() {
                    let restarts = self.restarts().contains(host);
                    assert!(self.fits(host, restarts), "{host} cannot end in its window");
                    assert!(self.batches()[self.batch].contains(host), "{host} out of its batch");
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
                self.step_running = Some(*stage);
            }
            Action::Gates { stage, place, .. } => {
                self.act("a gate");
                assert_eq!(Some(*stage), self.stage);
                assert!(!self.gates(*stage, *place).is_empty(), "gates without a name");
                assert!(!self.passed.contains(&key(*stage, *place)), "gates are passed once");
                assert!(self.idle(), "a gate judges what is settled");
                self.gating = Some((*stage, *place));
            }
            Action::HostEnded { host, outcome } => {
                let twice = self.ended.insert(host.clone(), outcome.clone());
                assert_eq!(twice, None, "{host} ends twice");
            }
            Action::StepHeld { stage, .. } | Action::StepUnchanged { stage } => {
                assert!(!self.steps.contains(stage), "a step that ran is held");
            }
            Action::StageEnded { .. } => assert!(self.idle(), "a stage ends in mid-flight"),
            Action::Halt { .. } => {
                assert!(!self.halted, "a run halts once");
                self.halted = true;
            }
            Action::Finish(exit) => {
                assert!(self.idle(), "the run ends in mid-flight");
                assert_eq!(self.ended.len(), self.plan.hosts.len(), "a host without an outcome");
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
            let down = self.restarting.iter().chain(&self.looking).filter(in_domain).count();
            assert!(down <= domain.max_unavailable as usize, "{} is over", domain.id);
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

    fn restarts(&self) -> &'p [HostName] {
        match self.stage.map(|stage| &self.plan.stages[stage].work) {
            Some(PlannedWork::Hosts { restarts, .. }) => restarts,
            Some(PlannedWork::Step(_)) | None => &[],
        }
    }

    /// Failures of the present stage, counted from the outside.
    fn over_budget(&self) -> bool {
        let Some(PlannedWork::Hosts { batches, budget, .. }) =
            self.stage.map(|stage| &self.plan.stages[stage].work)
        else {
            return false;
        };
        let failed = batches.iter().flatten().filter(|host| match self.ended.get(*host) {
            Some(Outcome::Failed(_) | Outcome::InDoubt(_)) => true,
            Some(Outcome::Unreachable(_)) => self.plan.count_unreachable_as_failed,
            Some(_) | None => false,
        });
        failed.count() > *budget as usize
    }
}

fn key(stage: usize, place: GatePlace) -> (usize, String) {
    (stage, format!("{place:?}"))
}

fn random_gates(dice: &mut Dice) -> StageGates {
    let mut some = || if dice.chance(15) { vec!["gate".to_owned()] } else { Vec::new() };
    StageGates { before: some(), between: some(), after: some() }
}

/// Windows of a few hours around noon and midnight, and now and then a freeze.
fn random_conditions(dice: &mut Dice) -> Conditions {
    let mut conditions = Conditions::default();
    for (name, start) in [("noon", 11 * 60 + 30), ("late", 23 * 60)] {
        let window = Window {
            tz: "UTC".to_owned(),
            days: vec![Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun],
            start,
            duration: 3600 * u32::try_from(dice.up_to(4) + 1).unwrap(),
            cutoff: 600 * u32::try_from(dice.up_to(3)).unwrap(),
        };
        conditions.windows.insert(name.to_owned(), window);
    }
    if dice.chance(10) {
        let from = noon() + SignedDuration::from_mins(i64::try_from(dice.up_to(300)).unwrap());
        let to = from + SignedDuration::from_mins(30);
        conditions.freezes.push(Freeze { from, to, reason: "closing".to_owned() });
    }
    conditions
}

fn random_plan(dice: &mut Dice) -> Plan {
    let count = dice.up_to(12) + 1;
    let mut hosts = Vec::new();
    for number in 0..count {
        let mut host = planned(&format!("H{number:02}"));
        host.credential = ["red", "blue"][dice.up_to(2)].to_owned();
        if dice.chance(75) {
            host.changes = vec![change("Name", None, Some("data"))];
        }
        host.restart = dice.chance(60);
        if dice.chance(40) {
            host.care.order = vec![RestartOrder::FewestActiveDatabases, RestartOrder::PamLast];
        }
        if dice.chance(25) {
            host.window = Some(["noon", "noon", "noon", "late"][dice.up_to(4)].to_owned());
        }
        if dice.chance(10) {
            let id = ["unreachable", "unreadable"][dice.up_to(2)].to_owned();
            host.blockers.push(Blocker { id, text: "blocked".to_owned(), hint: None });
        }
        for kind in ["dag", "site"] {
            if dice.chance(60) {
                let number = dice.up_to(2);
                let max_unavailable = if number == 0 { 1 } else { 2 };
                host.domains
                    .push(FailureDomain { id: format!("{kind}:{number}"), max_unavailable });
            }
        }
        hosts.push(host);
    }
    let mut stages = Vec::new();
    let cut = dice.up_to(count + 1);
    for part in [&hosts[..cut], &hosts[cut..]] {
        let working: Vec<_> = part.iter().filter(|host| host.has_work()).collect();
        let size = dice.up_to(4) + 1;
        let batches =
            working.chunks(size).map(|batch| batch.iter().map(|host| host.name.clone()).collect());
        let restarts =
            working.iter().filter(|host| host.restart).map(|host| host.name.clone()).collect();
        let budget = u32::try_from(dice.up_to(4)).unwrap();
        stages.push(hosts_stage("hosts", batches.collect(), budget, restarts));
        let mut step = step("Contoso");
        step.satisfied = dice.chance(15);
        step.needs =
            part.iter().filter(|_| dice.chance(50)).map(|host| host.name.clone()).collect();
        if dice.chance(20) {
            step.missing = vec!["EX99".to_owned()];
        }
        if dice.chance(50) {
            step.waived.clone_from(&step.missing);
        }
        stages.push(step_stage("step", step));
    }
    let mut plan = plan(hosts, stages);
    for stage in &mut plan.stages {
        stage.gates = random_gates(dice);
    }
    plan.conditions = random_conditions(dice);
    plan.limits.forks = u32::try_from(dice.up_to(4) + 1).unwrap();
    plan.limits.restart = u32::try_from(dice.up_to(3) + 1).unwrap();
    plan.count_unreachable_as_failed = dice.chance(50);
    plan
}

fn random_failure(dice: &mut Dice) -> Failure {
    let kinds = [
        FailureKind::Unreachable,
        FailureKind::Fault,
        FailureKind::WriteRefused,
        FailureKind::Drifted,
        FailureKind::WrongHost,
        FailureKind::InDoubt,
    ];
    Failure::new(kinds[dice.up_to(kinds.len())], "the dice said so")
}

/// One run of a random plan under random luck; returns its exit and whether it was halted.
///
/// With a weakness the scheduler is told of another plan and of other news than the watch.
fn simulate(seed: u64, weakness: Option<Weakness>) -> (Exit, bool) {
    let dice = &mut Dice::new(seed);
    let plan = random_plan(dice);
    let mut options = Options::default();
    if dice.chance(80) {
        options.confirmed.insert("contoso".to_owned());
    }
    let luck = [100, 90, 60][dice.up_to(3)];
    let stop_at = if dice.chance(10) { dice.up_to(30) } else { usize::MAX };
    let denied_at = if dice.chance(10) { dice.up_to(10) } else { usize::MAX };
    let believed = weakness.map_or_else(|| plan.clone(), |weakness| weakness.plan(&plan));
    let agreed = weakness.map_or_else(|| options.clone(), |weakness| weakness.options(&options));
    let mut scheduler = Scheduler::new(&believed, agreed);
    let tell = |scheduler: &mut Scheduler<'_>, happened: Happened| {
        let heard = match weakness {
            None => Some(happened),
            Some(weakness) => weakness.hears(happened),
        };
        if let Some(heard) = heard {
            scheduler.handle(heard);
        }
    };
    let twice = weakness == Some(Weakness::Echo);
    let mut watch = Watch::new(&plan, options);
    let stop = if dice.chance(50) { Stop::Finish } else { Stop::Pause };
    while let Some(action) = scheduler.poll(watch.now) {
        watch.see(&action);
        if twice {
            watch.see(&action);
        }
    }
    for round in 0.. {
        assert!(round < 1000, "the run never ends");
        if let Some(exit) = watch.exit {
            assert_eq!(scheduler.poll(watch.now), None, "nothing follows the end");
            let outcomes = scheduler.outcomes();
            assert_eq!(outcomes, watch.ended);
            return (exit, watch.halted);
        }
        assert!(!watch.idle(), "the run waits for nothing");
        if round == stop_at {
            tell(&mut scheduler, Happened::StopRequested(stop));
            watch.must_halt = true;
        }
        let happened = answer(&mut watch, dice, luck, round >= denied_at);
        tell(&mut scheduler, happened);
        watch.now += SignedDuration::from_secs(i64::try_from(dice.up_to(900)).unwrap());
        while let Some(action) = scheduler.poll(watch.now) {
            watch.see(&action);
            watch.must_halt |= watch.over_budget();
        }
    }
    unreachable!("rounds are bounded")
}

/// Ends one piece of work in flight, any of them.
fn answer(watch: &mut Watch<'_>, dice: &mut Dice, luck: usize, denied: bool) -> Happened {
    if let Some((stage, place)) = watch.gating.take() {
        let result = match dice.up_to(20) {
            0 => Gated::Failed("red".to_owned()),
            1 => Gated::Awaiting("nobody came".to_owned()),
            _ if watch.must_halt => Gated::Stopped,
            _ => Gated::Passed,
        };
        if result == Gated::Passed {
            watch.passed.insert(key(stage, place));
        } else {
            watch.must_halt = true;
        }
        return Happened::GatesEnded { stage, place, result };
    }
    if let Some(stage) = watch.ranking.take() {
        let mut ranks = BTreeMap::new();
        for host in watch.restarts() {
            if dice.chance(80) {
                let rank = Rank { load: Some(dice.up_to(5)), primary: dice.chance(20) };
                ranks.insert(host.clone(), rank);
            }
        }
        return Happened::Ranked { stage, ranks };
    }
    let number = watch.configuring.len() + watch.looking.len() + watch.restarting.len();
    if number == 0 {
        let stage = watch.step_running.take().expect("something is in flight");
        let result = if dice.chance(luck) {
            Ok(StepDone::Verified(irm(true).into()))
        } else {
            let failure = random_failure(dice);
            // A step that was refused or not reached stops nobody else.
            watch.must_halt |= !matches!(
                failure.kind,
                FailureKind::Drifted | FailureKind::WrongHost | FailureKind::Unreachable
            );
            Err(failure)
        };
        return Happened::StepEnded { stage, result };
    }
    let pick = dice.up_to(number);
    let busy = watch.configuring.iter().chain(&watch.looking).chain(&watch.restarting);
    let host = busy.clone().nth(pick).cloned().unwrap();
    if watch.looking.remove(&host) {
        let result = match dice.up_to(10) {
            0 => Looked::Held("a peer is down".to_owned()),
            _ if watch.must_halt => Looked::Stopped,
            _ => Looked::Clear,
        };
        if result == Looked::Clear {
            watch.seen.insert(host.clone());
        }
        return Happened::Looked { host, result };
    }
    if watch.configuring.remove(&host) {
        let result = if denied {
            watch.must_halt = true;
            Configured::Failed(Failure::new(FailureKind::AccountGuarded, "guarded"))
        } else if dice.chance(luck) {
            Configured::Verified(watch.plan.hosts[&host].changes.len())
        } else {
            Configured::Failed(random_failure(dice))
        };
        watch.settled.insert(host.clone(), matches!(result, Configured::Verified(_)));
        return Happened::Configured { host, result };
    }
    watch.restarting.remove(&host);
    let result = if dice.chance(luck) {
        Restarted::Proved
    } else if dice.chance(20) {
        Restarted::Held("a peer went down meanwhile".to_owned())
    } else if dice.chance(50) {
        Restarted::Failed(random_failure(dice))
    } else {
        watch.unproved.insert(host.clone());
        Restarted::NotProved(Failure::new(FailureKind::NotBack, "not back"))
    };
    Happened::Restarted { host, result }
}

/// 6000 of them, or as many as `RMSFLEET_SIMULATIONS` says.
fn simulations() -> u64 {
    let asked = std::env::var_os("RMSFLEET_SIMULATIONS");
    asked.map_or(6000, |text| text.to_str().and_then(|text| text.parse().ok()).unwrap())
}

#[test]
fn every_promise_holds_in_thousands_of_runs() {
    let mut seen: BTreeMap<u8, usize> = BTreeMap::new();
    let mut halted = 0;
    for seed in 0..simulations() {
        let run = std::panic::catch_unwind(|| simulate(seed, None));
        let Ok((exit, halt)) = run else { panic!("seed {seed} breaks a promise") };
        *seen.entry(exit.code()).or_default() += 1;
        halted += usize::from(halt);
    }
    // The dice reach every ending; a simulation that never gets there proves nothing.
    for exit in [
        Exit::Ok,
        Exit::Refused,
        Exit::Partial,
        Exit::Aborted,
        Exit::Unreachable,
        Exit::Blocked,
        Exit::Paused,
        Exit::Window,
        Exit::Auth,
        Exit::Interrupted,
    ] {
        assert!(seen.contains_key(&exit.code()), "no run ended with {exit}: {seen:?}");
    }
    assert!(halted > 100, "only {halted} runs were halted");
}
