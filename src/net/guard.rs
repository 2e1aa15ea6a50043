//! The account guard: one wrong password must not lock an account out across the fleet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::host::link::HostError;
use crate::host::link::Target;
use crate::net::refusals::Refusals;

/// Lets the first logon of each account go alone, fleet-wide; clones guard together.
///
/// If it is refused, nobody tries that account again. If it succeeds, all others go at once, and a
/// refusal after that concerns its host only. If it ends in neither way (no answer, cancelled), the
/// next one takes its place, until too many logons were sent that nobody answered: each of them may
/// have been a wrong password that was counted.
///
/// A host that has refused an account is not asked again, whoever waits for it.
#[derive(Debug, Clone, Default)]
pub struct AccountGuard {
    accounts: Arc<Mutex<BTreeMap<String, Arc<Entry>>>>,
    refusals: Refusals,
    /// Whether a first refusal is borne as one without an answer is.
    is_lenient: bool,
    /// Whether a host that refused is asked again after a while.
    is_patient: bool,
}

#[derive(Debug)]
struct Entry {
    /// One permit: the right to be the first.
    turn: Arc<Semaphore>,
    verdict: OnceLock<Verdict>,
    /// First logons that were sent and not answered.
    unanswered: AtomicUsize,
}

/// Unanswered first logons of an account that are borne.
const BORNE: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Refused,
}

/// Leave to try an account once. Dropped without a word, it leaves the question open.
#[must_use]
#[derive(Debug)]
pub struct Permit {
    /// Held only by the first.
    first: Option<First>,
}

#[derive(Debug)]
struct First {
    entry: Arc<Entry>,
    is_sent: bool,
    is_lenient: bool,
    turn: OwnedSemaphorePermit,
}

impl AccountGuard {
    /// The same guard for a host that restarts by our order: for up to a minute after its start it
    /// refuses right passwords too (`winrm.md` 5.5, step 6), so that a first refusal there says
    /// nothing about the account. It is counted all the same.
    #[must_use]
    pub fn lenient(&self) -> Self {
        Self { is_lenient: true, ..self.clone() }
    }

    /// The same guard for a host that has restarted by our order: what serves its other endpoints may
    /// be starting still, so one that refuses is asked again, few times and after pauses.
    #[must_use]
    pub fn patient(&self) -> Self {
        Self { is_patient: true, ..self.clone() }
    }

    /// Whether the account must not be tried, asked before a connection is spent on it.
    pub fn check(&self, user: &str) -> Result<(), HostError> {
        let entry = self.entry(user);
        let why = match entry.verdict.get() {
            Some(Verdict::Refused) => "was refused elsewhere",
            None if entry.is_worn_out() => {
                "was tried twice on hosts that did not answer its logon, or that refused it while they \
                 were starting, which may count as wrong passwords"
            }
            Some(Verdict::Accepted) | None => return Ok(()),
        };
        Err(HostError::Guarded { user: user.to_owned(), why })
    }

    /// Whether the account is unproved and the host may be starting, which may leave a logon without
    /// an answer.
    pub fn wants_a_sign(&self, user: &str) -> bool {
        self.is_lenient && self.entry(user).verdict.get().is_none()
    }

    /// Logs on to a host, unless it has refused the account before: there, or at another of its
    /// endpoints while this one has not taken it yet. While a host restarts by our order its
    /// refusals are neither looked at nor kept.
    pub async fn once<T>(
        &self,
        user: &str,
        target: &Target,
        logon: impl Future<Output = Result<T, HostError>>,
    ) -> Result<T, HostError> {
        let account = account(user);
        if !self.is_lenient
            && let Some(said) = self.refusals.before(&account, target, self.is_patient)
        {
            let detail = format!("{said} (it said so before, and was not asked again)");
            return Err(HostError::Denied { user: user.to_owned(), detail });
        }
        let entered = logon.await;
        match &entered {
            Ok(_) => self.refusals.taken(&account, target),
            Err(error) => self.note(user, target, error),
        }
        entered
    }

    /// Keeps a refusal that came after the logon.
    pub fn note(&self, user: &str, target: &Target, error: &HostError) {
        if let HostError::Denied { detail, .. } = error
            && !self.is_lenient
        {
            self.refusals.note(&account(user), target, detail);
        }
    }

    /// Whether the account was refused at its first logon.
    pub fn is_refused(&self, user: &str) -> bool {
        self.entry(user).verdict.get() == Some(&Verdict::Refused)
    }

    /// Waits until the account may be tried, or is known to be refused.
    ///
    /// Cancelling the wait is safe, and so is dropping the permit.
    pub async fn admit(&self, user: &str) -> Result<Permit, HostError> {
        let entry = self.entry(user);
        if entry.verdict.get().is_none() {
            // The semaphore is never closed, so an error cannot come; the verdict decides anyway.
            if let Ok(turn) = Arc::clone(&entry.turn).acquire_owned().await
                && entry.verdict.get().is_none()
                && !entry.is_worn_out()
            {
                let is_lenient = self.is_lenient;
                let first = First { entry, is_sent: false, is_lenient, turn };
                return Ok(Permit { first: Some(first) });
            }
        }
        self.check(user).map(|()| Permit { first: None })
    }

    fn entry(&self, user: &str) -> Arc<Entry> {
        let mut all = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(account(user)).or_insert_with(|| {
            Arc::new(Entry {
                turn: Arc::new(Semaphore::new(1)),
                verdict: OnceLock::new(),
                unanswered: AtomicUsize::new(0),
            })
        }))
    }
}

/// One name for one account, however it is spelled: `CORP\anna`, `anna@corp.example` and
/// `corp.example\anna` are taken as the same. Domains whose names begin alike are one here, which can
/// only spare an account too often.
fn account(user: &str) -> String {
    let user = user.to_lowercase();
    let (name, domain) = match user.split_once('\\').map(|(domain, name)| (name, domain)) {
        Some((name, ".")) => (name, ""),
        Some(parts) => parts,
        None => user.rsplit_once('@').unwrap_or((&user, "")),
    };
    let label = domain.split('.').next().unwrap_or_default();
    format!("{name}@{label}")
}

impl Entry {
    fn is_worn_out(&self) -> bool {
        self.unanswered.load(Ordering::Acquire) >= BORNE
    }
}

impl Permit {
    /// The password's proof is about to be sent: from here on silence may have cost an attempt.
    pub fn sent(&mut self) {
        if let Some(first) = &mut self.first {
            first.is_sent = true;
        }
    }

    /// The host took the logon.
    pub fn accepted(self) {
        self.settle(Verdict::Accepted);
    }

    /// The host refused the logon.
    pub fn refused(self) {
        if self.first.as_ref().is_some_and(|first| first.is_lenient) {
            return;
        }
        self.settle(Verdict::Refused);
    }

    fn settle(mut self, verdict: Verdict) {
        if let Some(First { entry, turn, .. }) = self.first.take() {
            // INVARIANT: the verdict stands before the turn passes on.
            entry.verdict.get_or_init(|| verdict);
            drop(turn);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(First { entry, is_sent, turn, .. }) = self.first.take() {
            // INVARIANT: the attempt is counted before the turn passes on.
            entry.unanswered.fetch_add(usize::from(is_sent), Ordering::AcqRel);
            drop(turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Asks for leave as one step of a simulated schedule: `None` means that it must wait.
    fn ask(guard: &AccountGuard, user: &str) -> Option<Result<Permit, HostError>> {
        guard.admit(user).now_or_never()
    }

    #[track_caller]
    fn granted(guard: &AccountGuard, user: &str) -> Permit {
        ask(guard, user).expect("must wait").expect("guarded")
    }

    #[test]
    fn an_account_is_one_however_it_is_spelled() {
        let same = |users: &[&str]| {
            for user in users {
                assert_eq!(account(user), account(users[0]), "{user}");
            }
        };
        same(&[r"CORP\Anna", "anna@corp.example", r"corp.example\ANNA", "Anna@CORP.EXAMPLE"]);
        same(&["admin", r".\Admin"]);
        let other = |one, two| assert_ne!(account(one), account(two));
        other(r"CORP\anna", r"EMEA\anna");
        other(r"CORP\anna", "anna");
        other("anna@corp.example", "bert@corp.example");
    }

    #[test]
    fn the_first_logon_goes_alone_and_then_all() {
        let guard = AccountGuard::default();
        let first = granted(&guard, "a");
        assert!(ask(&guard, "A").is_none(), "the same account in another spelling waits");
        drop(granted(&guard, "b"));
        first.accepted();
        let (one, two) = (granted(&guard, "a"), granted(&guard, "a"));
        // A refusal after a success concerns its host only.
        one.refused();
        two.accepted();
        drop(granted(&guard, "a"));
    }

    #[test]
    fn a_first_refusal_of_a_restarting_host_is_borne_twice() {
        let guard = AccountGuard::default();
        let restarting = guard.lenient();
        for _ in 0..BORNE {
            let mut first = granted(&restarting, "a");
            first.sent();
            assert!(ask(&guard, "a").is_none(), "the others wait all the same");
            first.refused();
            assert!(!guard.is_refused("a"));
        }
        assert!(matches!(ask(&guard, "a"), Some(Err(HostError::Guarded { .. }))));
        // Where the account is known to be right, a refusal concerns its host only.
        granted(&guard, "b").accepted();
        granted(&restarting, "b").refused();
        drop(granted(&guard, "b"));
    }

    #[test]
    fn a_refusal_keeps_everybody_else_from_trying() {
        let guard = AccountGuard::default();
        let first = granted(&guard, "a");
        let mut waiting = [Box::pin(guard.admit("a")), Box::pin(guard.admit("a"))];
        for wait in &mut waiting {
            assert!(wait.now_or_never().is_none());
        }
        first.refused();
        for wait in waiting {
            assert!(matches!(wait.now_or_never(), Some(Err(HostError::Guarded { .. }))));
        }
        assert!(matches!(ask(&guard, "a"), Some(Err(HostError::Guarded { .. }))));
        assert!(guard.check("A").is_err());
        drop(granted(&guard, "b"));
    }

    #[test]
    fn the_next_takes_the_place_of_one_that_got_no_answer() {
        let guard = AccountGuard::default();
        let first = granted(&guard, "a");
        let mut second = Box::pin(guard.admit("a"));
        let mut third = Box::pin(guard.admit("a"));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        // Cancelled while it had the turn already: the turn passes on.
        drop(second);
        let permit = third.now_or_never().expect("must wait").expect("guarded");
        assert!(ask(&guard, "a").is_none(), "the third is alone again");
        permit.accepted();
        drop(granted(&guard, "a"));
    }

    #[test]
    fn two_logons_without_an_answer_are_the_last() {
        let guard = AccountGuard::default();
        // What was never sent costs nothing.
        for _ in 0..3 {
            drop(granted(&guard, "a"));
        }
        for _ in 0..2 {
            let mut permit = granted(&guard, "a");
            permit.sent();
        }
        let third = ask(&guard, "a").expect("must wait").expect_err("admitted").to_string();
        assert!(third.contains("twice on hosts that did not answer"), "{third}");
        assert!(guard.check("A").is_err() && !guard.is_refused("a"));
        let mut other = granted(&guard, "b");
        other.sent();
        other.accepted();
        assert!(guard.check("b").is_ok());
    }
}
