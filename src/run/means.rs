//! What every piece of work on a host is given.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::sync::watch;

use crate::event::Event;
use crate::event::SinkError;
use crate::event::ledger::Ledger;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::Target;
use crate::host::restart::Pace;
use crate::model::host::HostName;
use crate::model::maintenance::Membership;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::run::action::Stop;
use crate::run::controller::Controller;
use crate::run::history::HostHistory;
use crate::run::history::Past;
use crate::run::identity;
use crate::run::reach::reach;
use crate::run::recorder::Recorder;
use crate::run::trouble::Trouble;

/// The plan, the edge, and the way to tell what happens.
pub struct Means<'a, C, K> {
    pub plan: &'a Plan,
    pub run: &'a str,
    pub operator: &'a str,
    pub workstation: &'a str,
    pub connect: &'a C,
    pub clock: &'a K,
    pub recorder: &'a Recorder<'a>,
    /// Nothing may be written or restarted.
    pub rehearsal: bool,
    pub pace: Pace,
    /// What earlier processes of this run have left.
    pub past: &'a Past,
    pub stop: watch::Receiver<Stop>,
    pub controller: &'a dyn Controller,
    /// Raised when the run is aborted and hosts in flight are to stop at their next safe point.
    pub aborted: AtomicBool,
    /// Exchange shells of gates, over all hosts at once.
    pub shells: Semaphore,
    /// Held by the approval that a person is asked for: one question at a time, one word for it.
    pub asking: tokio::sync::Mutex<()>,
    /// Hosts that accepted their account, not yet told to the scheduler.
    pub logged_on: Mutex<BTreeSet<HostName>>,
    /// Hosts on which a lease of this run may stand.
    /// On each until when; `None` where an earlier process set it.
    pub leased: Mutex<BTreeMap<HostName, Option<Timestamp>>>,
    /// Hosts with a write announced that may not have ended.
    pub touched: Mutex<BTreeSet<HostName>>,
    /// Hosts whose restart is under way in this process.
    pub restarting: Mutex<BTreeSet<HostName>>,
    /// Hosts that a program of this process may have taken out of service.
    pub hooked: Mutex<BTreeSet<HostName>>,
    /// Services beside the role's that ran before a host's restart.
    pub others: Mutex<BTreeMap<HostName, Vec<String>>>,
    /// How hosts stood before this run took them out of service.
    pub found: Mutex<BTreeMap<HostName, Membership>>,
    /// Hooks around stages and the run, as far as they came.
    pub ledger: Mutex<Ledger>,
    /// Failure domains as they were last told: members up, members, votes.
    pub capacity: Mutex<BTreeMap<String, Capacity>>,
}

/// Members up, members, votes held and all votes.
pub type Capacity = (usize, usize, Option<(u32, u32)>);

impl<C: Connect, K: Clock> Means<'_, C, K> {
    pub fn emit(&self, event: Event) -> Result<(), SinkError> {
        self.recorder.emit(event)
    }

    pub fn stopped(&self) -> Stop {
        *self.stop.borrow()
    }

    /// Whether a host that stands at a safe point stays there: the user asked for it, or the run was
    /// aborted and its playbook says so.
    pub fn is_to_stop(&self) -> bool {
        self.stopped() >= Stop::SafePoint || self.aborted.load(Ordering::Relaxed)
    }

    /// Logs on and makes sure that the host is the one of the plan.
    pub async fn connect(&self, host: &PlannedHost) -> Result<C::Link, Trouble> {
        let retries = self.plan.limits.retries;
        let mut link = reach(self.connect, self.clock, &target(host), retries).await?;
        lock(&self.logged_on).insert(host.name.clone());
        identity::check(&mut link, host).await?;
        Ok(link)
    }

    /// What is recorded of the host; an empty part in a run that starts.
    pub fn past(&self, host: &HostName) -> HostHistory {
        self.past.history.host(host)
    }

    /// From here on the host is in doubt if nobody hears of it again.
    pub fn touch(&self, host: &HostName) {
        lock(&self.touched).insert(host.clone());
    }

    pub fn release(&self, host: &HostName) {
        lock(&self.touched).remove(host);
    }

    /// Whether a lease of this run may stand on the host.
    pub fn is_leased(&self, host: &HostName) -> bool {
        lock(&self.leased).contains_key(host)
    }

    pub fn is_touched(&self, host: &HostName) -> bool {
        lock(&self.touched).contains(host)
    }
}

/// How to reach a planned host.
pub fn target(host: &PlannedHost) -> Target {
    Target {
        host: host.name.clone(),
        endpoint: host.endpoint.clone(),
        credential: host.credential.clone(),
        user: host.user.clone(),
        connect_timeout: Duration::from_secs(host.connect_timeout.into()),
        operation_timeout: Duration::from_secs(host.operation_timeout.into()),
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
