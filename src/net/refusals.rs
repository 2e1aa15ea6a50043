//! What hosts said to accounts that they refused: nobody who waits for a host asks it again and again.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use crate::host::link::Target;
use crate::model::host::HostName;
use crate::net::clock::Stopwatch;

/// A host that has restarted is left alone for twice this after its first refusal, and twice as long
/// after each further one.
const COOLS: Duration = Duration::from_secs(15);
/// Refusals borne of one endpoint after a restart.
const REFUSALS: u32 = 6;

/// By account and host; clones keep together.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<BTreeMap<(String, HostName), Told>>>);

/// By the addresses of a host's endpoints.
#[derive(Debug, Default)]
struct Told {
    taken: BTreeSet<String>,
    refused: BTreeMap<String, Refusal>,
}

#[derive(Debug)]
struct Refusal {
    said: String,
    times: u32,
    last: Stopwatch,
}

impl Refusal {
    /// Whether a host that has restarted may be asked once more.
    fn has_cooled(&self) -> bool {
        let pause = COOLS.saturating_mul(1 << self.times.min(REFUSALS));
        self.times < REFUSALS && self.last.elapsed() >= pause
    }
}

impl Told {
    fn refused(&self, endpoint: &str) -> Option<&Refusal> {
        let elsewhere = || self.refused.values().next().filter(|_| !self.taken.contains(endpoint));
        self.refused.get(endpoint).or_else(elsewhere)
    }
}

impl Refusals {
    /// What the host said to the account before, at this endpoint or at another while this one has not
    /// taken it; `None` if it may be asked. The patient ask again after a while.
    pub(super) fn before(
        &self,
        account: &str,
        target: &Target,
        is_patient: bool,
    ) -> Option<String> {
        let all = self.all();
        let refusal = all.get(&place(account, target))?.refused(&target.endpoint.url())?;
        let asks = is_patient && refusal.has_cooled();
        (!asks).then(|| refusal.said.clone())
    }

    /// The host took the account at this endpoint.
    pub(super) fn taken(&self, account: &str, target: &Target) {
        let mut all = self.all();
        let told = all.entry(place(account, target)).or_default();
        told.refused.remove(&target.endpoint.url());
        told.taken.insert(target.endpoint.url());
    }

    /// The host refused the account at this endpoint, in these words.
    pub(super) fn note(&self, account: &str, target: &Target, said: &str) {
        let endpoint = target.endpoint.url();
        let mut all = self.all();
        let told = all.entry(place(account, target)).or_default();
        let times = told.refused.get(&endpoint).map_or(0, |before| before.times) + 1;
        told.refused
            .insert(endpoint, Refusal { said: said.to_owned(), times, last: Stopwatch::start() });
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<(String, HostName), Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(account: &str, target: &Target) -> (String, HostName) {
    (account.to_owned(), target.host.clone())
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::host::link::HostError;
    use crate::net::guard::AccountGuard;

    /// One try on an endpoint; whether it was made.
    fn try_once(guard: &AccountGuard, host: &str, path: &str, refuses: bool) -> bool {
        let mut target = crate::net::left::tests::target();
        target.host = HostName::new(host);
        path.clone_into(&mut target.endpoint.path);
        let mut is_made = false;
        let logon = async {
            is_made = true;
            let denied = || HostError::Denied { user: "a".to_owned(), detail: "401".to_owned() };
            if refuses { Err(denied()) } else { Ok(()) }
        };
        let entered = guard.once("a", &target, logon).now_or_never().expect("waits");
        assert_eq!(entered.is_ok(), is_made && !refuses);
        is_made
    }

    #[test]
    fn a_host_that_refused_is_not_asked_again() {
        let guard = AccountGuard::default();
        assert!(try_once(&guard, "one", "/wsman", false));
        assert!(try_once(&guard, "two", "/wsman", true));
        for path in ["/wsman", "/wsman", "/PowerShell/"] {
            assert!(!try_once(&guard, "two", path, false), "{path}");
        }
        assert!(try_once(&guard, "one", "/PowerShell/", true));
        assert!(!try_once(&guard, "one", "/PowerShell/", true));
        assert!(try_once(&guard, "one", "/wsman", false), "it has taken the account there");
    }

    #[test]
    fn a_host_that_has_restarted_is_asked_again_after_pauses_and_few_times() {
        let refusal = |times, last| Refusal { said: String::new(), times, last };
        assert!(!refusal(1, Stopwatch::start()).has_cooled());
        let guard = AccountGuard::default().patient();
        assert!(try_once(&guard, "one", "/PowerShell/", true));
        assert!(!try_once(&guard, "one", "/PowerShell/", false));
        for times in 1..REFUSALS {
            let pause = COOLS * 2_u32.pow(times);
            assert!(!refusal(times, Stopwatch::since(COOLS * (2_u32.pow(times) - 1))).has_cooled());
            assert!(refusal(times, Stopwatch::since(pause)).has_cooled());
        }
        assert!(!refusal(REFUSALS, Stopwatch::since(Duration::from_hours(9))).has_cooled());
    }

    #[test]
    fn a_host_that_restarts_is_asked_again_and_taken_at_its_word_afterwards() {
        let guard = AccountGuard::default();
        let restarting = guard.lenient();
        assert!(try_once(&restarting, "one", "/wsman", true));
        assert!(try_once(&restarting, "one", "/wsman", true));
        assert!(try_once(&guard, "one", "/wsman", true), "that was not kept");
        assert!(try_once(&restarting, "one", "/wsman", false));
        assert!(try_once(&guard, "one", "/wsman", false));
    }
}
