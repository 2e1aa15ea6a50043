//! What the records of earlier processes prove about a run: the start of a resume.
//!
//! A record proves less than it seems to. An intent proves that the act may have happened; only
//! what was read back is certain. And the last record of a process that lost its power may be
//! gone although its act had begun, so an act is also possible right after what precedes it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::event::Event;
use crate::event::Phase;
use crate::event::Record;
use crate::event::ledger::Ledger;
use crate::model::care::Care;
use crate::model::care::Drain;
use crate::model::conditions::Conditions;
use crate::model::hook::Turn;
use crate::model::host::HostName;
use crate::model::maintenance::Act;
use crate::model::maintenance::Membership;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Outcome;
use crate::model::registry::KeyPath;
use crate::model::step::StepState;
use crate::plan::undo::Written;
use crate::plan::undo::WrittenHost;

/// A run as far as its records tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Processes that have worked on it.
    pub segments: u32,
    pub hosts: BTreeMap<HostName, HostHistory>,
    /// By organisation and stage; records of the first version name no stage.
    pub steps: BTreeMap<(String, String), StepHistory>,
    /// Hooks around stages and the run.
    pub hooks: Ledger,
    /// Hosts that the run leaves out, from its first process on.
    pub left_out: BTreeSet<HostName>,
    /// Hosts on which the last process could not give its lease back.
    pub leases_left: BTreeSet<HostName>,
    /// The stage that was under way when the records end.
    pub stage: Option<String>,
    /// How far each stage came.
    pub reached: BTreeMap<String, Reached>,
    /// Stages in which earlier processes died.
    died_in: BTreeSet<String>,
    /// The last process told that nothing new starts.
    halted: bool,
    /// The last process came to its end.
    pub ended: bool,
}

/// How far a stage came: what proves that its gates were passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reached {
    /// Batches that began, from 1.
    pub batches: usize,
    /// It was left with its last gates behind it.
    pub ended: bool,
}

/// What a run takes over from earlier processes; nothing if it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    pub history: History,
    /// What broke off behind the last whole line of the journal.
    pub torn: Option<String>,
    /// How long a restart order that nobody saw the end of is given to begin, by the host's own
    /// count of seconds.
    pub settle: SignedDuration,
}

/// One host's part. Places count within the host's changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostHistory {
    /// Its registry work or its restart has begun: it may hold more than its records say.
    pub begun: bool,
    /// That work goes on, or its process died in it.
    pub working: bool,
    /// A process died in that work, and no later one has seen the host well.
    pub doubtful: bool,
    /// Announced and not taken back: it may have been written.
    pub intended: BTreeSet<usize>,
    /// Written, read back, and not announced to be taken back.
    pub verified: BTreeSet<usize>,
    /// Every value of the host was read as planned, and none was announced since.
    pub all_verified: bool,
    /// When that was first so, by the controller's clock.
    pub verified_at: Option<Timestamp>,
    /// A mark of this run may stand.
    pub marked: bool,
    /// A lease of this run may stand.
    pub leased: bool,
    /// Keys that this run may have created and not deleted, leaf first.
    pub created: Vec<KeyPath>,
    /// Keys announced to be deleted: nobody wrote down that they are gone.
    pub deleting: Vec<KeyPath>,
    pub restart: RestartHistory,
    /// Services beside the role's that ran before the restart.
    pub others: Vec<String>,
    /// The host may be out of service, and this is what brings it back.
    pub maintenance: Option<Maintenance>,
    /// How it stood before it was taken out of service, whether or not it is back.
    pub found: Option<Membership>,
    /// The hook around its restart that was announced last.
    pub hook: Option<Hooked>,
    /// How the host's work ended, if it has.
    pub outcome: Option<Outcome>,
}

/// A host that was taken out of service and not yet seen to be back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    /// How it stood before the first act.
    pub found: Membership,
    /// The act announced last; whether it happened, reading tells.
    pub last: Option<Act>,
}

/// A hook around a host's restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooked {
    pub name: String,
    pub ended_well: bool,
}

/// How far a restart came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RestartHistory {
    #[default]
    None,
    /// An order may have been given at `at` or later.
    MayBeOrdered(Order),
    Proved,
}

/// What was known right before an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub boot: Timestamp,
    /// How long the host had been up, by no clock.
    pub up_seconds: Option<u64>,
    /// By the controller's clock; no order was given before it.
    pub at: Timestamp,
    /// What must run again.
    pub services: Vec<String>,
}

/// How far an organisation step came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepHistory {
    /// Announced, and nobody knows its end.
    InDoubt,
    /// Set and read back.
    Verified(StepState),
    /// Held when read; nothing was set.
    Unchanged,
    /// Not done, and nothing of it is in doubt.
    Open,
}

impl History {
    /// Folds the records of one run, in their order.
    pub fn of(records: &[Record]) -> Self {
        let mut history = Self::default();
        for record in records {
            history.take(record);
        }
        history
    }

    /// What the run has written, or may have, for a plan that takes it back.
    pub fn written(&self) -> Written {
        let hosts = self.hosts.iter().map(|(name, host)| {
            let verified: BTreeSet<usize> =
                host.verified.intersection(&host.intended).copied().collect();
            let mut possible: BTreeSet<usize> =
                host.intended.difference(&verified).copied().collect();
            if host.is_doubtful() {
                // The last record may be lost although its act has begun.
                possible.insert(host.intended.last().map_or(0, |last| last + 1));
            }
            let mut keys: Vec<KeyPath> =
                host.created.iter().chain(&host.deleting).cloned().collect();
            // Leaf first.
            keys.sort_by_key(|key| std::cmp::Reverse(key.as_str().matches('\\').count()));
            (name.clone(), WrittenHost { verified, possible, keys, leased: host.leased })
        });
        let steps = self.steps.iter().filter(|(_, step)| match step {
            StepHistory::InDoubt | StepHistory::Verified(_) => true,
            StepHistory::Unchanged | StepHistory::Open => false,
        });
        Written {
            hosts: hosts.collect(),
            steps: steps.map(|(name, _)| name.clone()).collect(),
            begun: self.begun(),
            ended: self.ended,
            is_seen: self.ended
                && self.begun().is_empty()
                && !self.steps.values().any(|step| *step == StepHistory::InDoubt),
        }
    }

    /// Stages whose step may have been done although no record tells of it: they were under way when a
    /// process died, and its last record may be lost.
    pub fn begun(&self) -> BTreeSet<String> {
        let now = self.stage.iter().filter(|_| !self.ended);
        let untold = |stage: &&String| !self.steps.keys().any(|(_, told)| told == *stage);
        now.chain(&self.died_in).filter(untold).cloned().collect()
    }

    /// What was begun on a host, and ended in a way that leaves it to a later process; `None` for a
    /// host that nobody worked on. A process that does not come to the host must not say less of it.
    pub fn left(&self, name: &HostName) -> Option<Outcome> {
        let host = self.hosts.get(name)?;
        match &host.outcome {
            Some(told) if told.is_well() => Some(told.clone()),
            // What was told before that work says nothing of it.
            _ if host.working => Some(in_the_middle()),
            Some(Outcome::NotStarted) | None if host.doubtful => Some(in_the_middle()),
            Some(Outcome::NotStarted) | None => None,
            Some(told) => Some(told.clone()),
        }
    }

    /// The host's part; an empty one if nothing is recorded.
    pub fn host(&self, name: &HostName) -> HostHistory {
        self.hosts.get(name).cloned().unwrap_or_default()
    }

    fn at(&mut self, name: &HostName) -> &mut HostHistory {
        self.hosts.entry(name.clone()).or_default()
    }

    /// How far the step of an organisation in a stage came; `None` if nothing is recorded.
    pub fn step(&self, organisation: &str, stage: &str) -> Option<&StepHistory> {
        let at = |stage: &str| self.steps.get(&(organisation.to_owned(), stage.to_owned()));
        at(stage).or_else(|| at(""))
    }

    fn take(&mut self, record: &Record) {
        match &record.event {
            Event::RunStarted { .. } => self.segments = 1,
            Event::RunResumed { segment, .. } => {
                self.segments = *segment;
                if !self.ended {
                    self.died_in.extend(self.stage.clone());
                }
                for host in self.hosts.values_mut().filter(|host| host.working) {
                    (host.working, host.doubtful) = (false, true);
                    let is_over =
                        |told: &Outcome| matches!(told, Outcome::Refused(_) | Outcome::Blocked);
                    // Told before the work that nobody saw the end of.
                    host.outcome.take_if(|told| !told.is_well() && !is_over(told));
                }
                self.ended = false;
                self.halted = false;
                self.leases_left.clear();
            }
            Event::RunEnded { .. } => {
                self.ended = true;
                self.hosts.values_mut().for_each(|host| host.working = false);
            }
            Event::HostStarted { host, phase } => match phase {
                Phase::Registry
                | Phase::Drain
                | Phase::Restart
                | Phase::Settle
                | Phase::Gates
                | Phase::Back => {
                    let host = self.at(host);
                    (host.begun, host.working) = (true, true);
                }
                Phase::Survey | Phase::Peers | Phase::Step => {}
            },
            Event::ChangeIntended { host, index, .. } => {
                let host = self.at(host);
                host.intended.insert(*index);
                host.verified.remove(index);
                host.all_verified = false;
                host.verified_at = None;
            }
            Event::ChangeVerified { host, index } => {
                self.at(host).verified.insert(*index);
            }
            Event::RestoreIntended { host, index } => {
                let host = self.at(host);
                host.verified.remove(index);
                host.all_verified = false;
                host.verified_at = None;
            }
            Event::RestoreVerified { host, index } => {
                self.at(host).intended.remove(index);
            }
            Event::HostVerified { host, .. } => {
                let host = self.at(host);
                host.all_verified = true;
                host.verified_at.get_or_insert(record.ts);
            }
            // One about to be removed may stand still.
            Event::MarkIntended { host, set, .. } => self.at(host).marked |= set,
            Event::KeyIntended { host, key, create } => {
                let host = self.at(host);
                host.created.retain(|own| own != key);
                host.deleting.retain(|own| own != key);
                let list = if *create { &mut host.created } else { &mut host.deleting };
                list.insert(0, key.clone());
            }
            Event::RestartReady { host, boot, up_seconds, services, others } => {
                self.at(host).others.clone_from(others);
                self.at(host).restart = RestartHistory::MayBeOrdered(Order {
                    boot: *boot,
                    up_seconds: Some(*up_seconds),
                    at: record.ts,
                    services: services.clone(),
                });
            }
            Event::RestartIntended { host, boot_before } => {
                let restart = &mut self.at(host).restart;
                // The reading that came with it is the better witness; format 1 had none.
                if let RestartHistory::None | RestartHistory::Proved = restart {
                    *restart = RestartHistory::MayBeOrdered(Order {
                        boot: *boot_before,
                        up_seconds: None,
                        at: record.ts,
                        services: Vec::new(),
                    });
                }
            }
            Event::RestartProved { host, .. } => self.at(host).restart = RestartHistory::Proved,
            Event::MaintenanceFound { host, found } => {
                let host = self.at(host);
                host.found = Some(found.clone());
                host.maintenance = Some(Maintenance { found: found.clone(), last: None });
            }
            Event::MaintenanceIntended { host, act } => {
                if let Some(open) = &mut self.at(host).maintenance {
                    open.last = Some(act.clone());
                }
            }
            Event::MaintenanceLeft { host, .. } => self.at(host).maintenance = None,
            Event::HookIntended { host, hook, again: _ } => {
                self.at(host).hook = Some(Hooked { name: hook.clone(), ended_well: false });
            }
            Event::HookEnded { host, hook, ok, said: _ } => {
                self.at(host).hook = Some(Hooked { name: hook.clone(), ended_well: *ok });
            }
            Event::HostEnded { host, outcome } => {
                let host = self.at(host);
                host.doubtful &= !outcome.is_well();
                host.working = false;
                host.outcome = Some(outcome.clone());
            }
            Event::StepIntended { organisation, step, .. } => {
                self.steps.insert((organisation.clone(), step.clone()), StepHistory::InDoubt);
            }
            Event::StepVerified { organisation, step, after } => {
                let verified = StepHistory::Verified(after.clone());
                self.steps.insert((organisation.clone(), step.clone()), verified);
            }
            Event::StepUnchanged { organisation, step } => {
                self.steps.insert((organisation.clone(), step.clone()), StepHistory::Unchanged);
            }
            // What was announced stays in doubt: a failure does not tell where it ended.
            Event::StepFailed { organisation, step, .. }
            | Event::StepHeld { organisation, step, .. }
                if !self.died_in.contains(step) || is_read(&record.event) =>
            {
                let key = (organisation.clone(), step.clone());
                self.steps.entry(key).or_insert(StepHistory::Open);
            }
            event @ (Event::StageHookIntended { errand, .. }
            | Event::StageHookEnded { errand, .. }) => {
                self.hooks.take(event);
                // Where nothing was stopped, the hooks that follow the work follow its gates too.
                if let (Turn::After | Turn::Undo, Some(stage)) = (errand.turn, &errand.stage) {
                    self.reached.entry(stage.clone()).or_default().ended |= !self.halted;
                }
            }
            Event::HostsLeftOut { hosts, limit: _ } => {
                self.left_out = hosts.iter().cloned().collect();
            }
            // One about to be removed may stand still.
            Event::LeaseIntended { host, set, .. } => self.at(host).leased |= set,
            Event::LeaseLeft { host, why: _ } => {
                self.leases_left.insert(host.clone());
            }
            Event::StageStarted { stage } => {
                self.stage = Some(stage.clone());
                // What was passed before stood for the work before: this process earns it anew.
                self.reached.remove(stage);
            }
            Event::BatchStarted { stage, batch, .. } => {
                let reached = self.reached.entry(stage.clone()).or_default();
                reached.batches = reached.batches.max(*batch);
            }
            Event::StageEnded { stage } => {
                self.stage = None;
                self.reached.entry(stage.clone()).or_default().ended |= !self.halted;
            }
            Event::Halted { .. } => self.halted = true,
            // A step that was held in the stage where a process died: nobody looked at it since.
            Event::StepFailed { .. }
            | Event::StepHeld { .. }
            | Event::PlanApproved { .. }
            | Event::HostSurveyed { .. }
            | Event::RestartOwed { .. }
            | Event::RestartForeign { .. }
            | Event::RestartRepeated { .. }
            | Event::ServicesMissing { .. }
            | Event::RestartOrdered { .. }
            | Event::RestartWaiting { .. }
            | Event::GateStarted { .. }
            | Event::GateSeen { .. }
            | Event::GatePassed { .. }
            | Event::GateFailed { .. }
            | Event::PhaseStarted { .. }
            | Event::PeersSeen { .. }
            | Event::CapacitySeen { .. }
            | Event::MaintenanceWaiting { .. }
            | Event::MaintenanceEntered { .. }
            | Event::StepAwaited { .. }
            | Event::StageHookSkipped { .. } => {}
        }
    }
}

fn in_the_middle() -> Outcome {
    let text = "an earlier part of this run ended in the middle of the work on it";
    Outcome::InDoubt(Failure::new(FailureKind::InDoubt, text))
}

/// Whether a step was read before it was left: what it would have set is not there.
fn is_read(event: &Event) -> bool {
    let Event::StepFailed { failure, .. } = event else { return false };
    matches!(failure.kind, FailureKind::Drifted | FailureKind::WrongHost)
}

impl Past {
    /// How the hosts stood that an earlier process took out of service.
    pub fn found(&self) -> BTreeMap<HostName, Membership> {
        let hosts = self.history.hosts.iter();
        hosts.filter_map(|(name, host)| Some((name.clone(), host.found.clone()?))).collect()
    }

    /// Hosts on which an earlier process may have left the run's lease.
    pub fn leased(&self) -> BTreeMap<HostName, Option<Timestamp>> {
        let hosts = self.history.hosts.iter().filter(|(_, host)| host.leased);
        hosts.map(|(name, _)| (name.clone(), None)).collect()
    }
}

impl HostHistory {
    /// Whether a hook may have taken it out of service that has an undo, and the undo was not seen
    /// to end well.
    pub fn is_drained(&self, care: &Care, conditions: &Conditions) -> bool {
        let (Drain::Hook(name), Some(last)) = (&care.drain, &self.hook) else { return false };
        let has_undo = conditions.hooks.get(name).is_some_and(|hook| hook.undo.is_some());
        has_undo && (last.name == *name || !last.ended_well)
    }

    /// Whether the last record of a process may be lost here although its act has begun.
    fn is_doubtful(&self) -> bool {
        self.working || self.doubtful
    }

    /// The order whose end nobody knows.
    pub fn open_order(&self) -> Option<&Order> {
        match &self.restart {
            RestartHistory::MayBeOrdered(order) => Some(order),
            RestartHistory::None | RestartHistory::Proved => None,
        }
    }

    pub fn is_proved(&self) -> bool {
        self.restart == RestartHistory::Proved
    }
}
