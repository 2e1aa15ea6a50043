//! Repeating what only reads, and the opening of shells, after the faults of which the catalogue says
//! that it helps.

use std::time::Duration;

use crate::host::link::HostError;
use crate::wire::catalogue::Remedy;
use crate::wire::session::SessionError;

/// How long a host whose quota is used up is left alone, before each repetition.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// What a read has been repeated for.
#[derive(Debug, Default)]
pub(super) struct Again {
    paused: usize,
    renewed: bool,
}

/// What is to be done before the read is said once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    Pause(Duration),
    Renew,
}

/// The account has as many operations under way as it may (`winrm.md` 5.3).
const OPERATIONS: u32 = 2_150_859_174;

/// The host, the account on it, or the plug-in of its PowerShell has as many shells, operations, requests
/// or users as it may: nothing was opened.
pub(super) const FULL: [u32; 13] = [
    2_150_858_815,
    2_150_859_173,
    OPERATIONS,
    2_150_859_175,
    2_150_859_176,
    2_150_859_179,
    2_150_859_236,
    2_150_859_237,
    2_150_859_238,
    2_150_859_239,
    2_150_859_240,
    2_150_859_241,
    2_150_859_242,
];

impl Again {
    /// Waits where a shell was refused for a quota; whether it is to be asked for again.
    pub(super) async fn waited_for_room(&mut self, error: &HostError) -> bool {
        let HostError::Fault(fault) = error else { return false };
        if !fault.code.is_some_and(|code| FULL.contains(&code)) {
            return false;
        }
        let Some(First::Pause(time)) = self.after(error) else { return false };
        tracing::debug!(%error, "the shell is asked for again");
        tokio::time::sleep(time).await;
        true
    }

    /// `None` if saying it again does not help, or has been tried. An operation that did not end in
    /// its time is not begun anew: the host is busy enough.
    pub(super) fn after(&mut self, error: &HostError) -> Option<First> {
        if is_context_lost(error) && !self.renewed {
            self.renewed = true;
            return Some(First::Renew);
        }
        let HostError::Fault(fault) = error else { return None };
        if fault.is_time_out() {
            return None;
        }
        let mut pause = || {
            let pause = PAUSES.get(self.paused)?;
            self.paused += 1;
            Some(First::Pause(*pause))
        };
        match fault.meaning()?.remedy {
            Remedy::RetryHere => pause(),
            // Of a read: there is no shell that a new one could take the place of.
            Remedy::NewShell if fault.code == Some(OPERATIONS) => pause(),
            Remedy::Reauthenticate if !self.renewed => {
                self.renewed = true;
                Some(First::Renew)
            }
            Remedy::Reauthenticate | Remedy::NewShell | Remedy::Never => None,
        }
    }
}

/// Whether the host no longer knew the connection's security context (`winrm.md` 5.4): what it could
/// not decrypt it has not done.
fn is_context_lost(error: &HostError) -> bool {
    let HostError::Lost { source, .. } = error else { return false };
    matches!(source.downcast_ref::<SessionError>(), Some(SessionError::ContextLost(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::fault::Fault;
    use crate::wire::fault::TIMED_OUT;

    #[track_caller]
    fn check(code: u32, expected: &[First]) {
        let error = HostError::Fault(Box::new(Fault { code: Some(code), ..Fault::default() }));
        let mut again = Again::default();
        let told: Vec<First> = std::iter::from_fn(|| again.after(&error)).take(9).collect();
        assert_eq!(told, expected, "{code}");
    }

    #[test]
    fn what_helps_is_tried_a_few_times_and_nothing_else() {
        let pauses = PAUSES.map(First::Pause);
        // A quota, an enumeration that expired, a service that is starting.
        check(2_150_858_815, &pauses);
        check(2_150_858_779, &pauses);
        check(2_150_858_772, &pauses);
        // Groups that changed, a service that was restarted.
        check(2_150_859_177, &[First::Renew]);
        check(2_150_859_258, &[First::Renew]);
        check(TIMED_OUT, &[]);
        check(5, &[]);
        check(1_326, &[]);
        check(2_150_858_843, &[]);
    }

    #[test]
    fn what_is_full_now_may_have_room_in_a_moment() {
        for code in FULL {
            check(code, &PAUSES.map(First::Pause));
        }
    }

    #[test]
    fn only_a_fault_is_answered() {
        let lost = HostError::Lost { call: "Get".to_owned(), source: "reset".into() };
        assert_eq!(Again::default().after(&lost), None);
    }

    #[test]
    fn a_context_that_the_host_has_forgotten_is_made_anew_once() {
        for status in [400, 401] {
            let source = Box::new(SessionError::ContextLost(status));
            let error = HostError::Lost { call: "Get".to_owned(), source };
            let mut again = Again::default();
            assert_eq!(again.after(&error), Some(First::Renew), "{status}");
            assert_eq!(again.after(&error), None, "{status}");
        }
    }
}
