//! How long a connection waits for what: three limits, each for another way to be kept waiting.

use std::time::Duration;

use crate::host::link::Target;
use crate::wire::shell::RECEIVE;

/// What the first byte of a reply may take beyond the time that the host has for the operation.
const GRACE: Duration = Duration::from_secs(10);
/// What OMI takes to say that a Receive has brought nothing, whatever time it was asked to take.
const SILENT_RECEIVE: Duration = Duration::from_secs(30);
/// What the rest of a reply may take once it has begun.
const REST: Duration = Duration::from_mins(1);

/// The limits of one connection.
///
/// INVARIANT: `first_byte` is longer than the OperationTimeout that the request asks for. Who gives up
/// before the host does leaves a Receive behind that takes the next output and loses it (`winrm.md` 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// TCP, and TLS where there is any.
    pub(super) connect: Duration,
    /// From the request to the reply's head: for hosts that accept and never answer.
    pub(super) first_byte: Duration,
    /// From the request to the reply's end; see [`Limits::end`].
    pub(super) whole: Duration,
}

impl Limits {
    /// For requests that carry an OperationTimeout.
    pub(super) fn of(target: &Target) -> Self {
        Self::around(target.connect_timeout, target.operation_timeout)
    }

    /// For an anonymous Identify, which asks the host for no time: some servers never answer without
    /// an `Authorization`.
    pub(super) fn brief(target: &Target) -> Self {
        Self::around(target.connect_timeout, Duration::ZERO)
    }

    fn around(connect: Duration, operation: Duration) -> Self {
        let first_byte = operation.saturating_add(GRACE);
        Self { connect, first_byte, whole: first_byte.saturating_add(REST) }
    }

    /// The same for the call of this name.
    pub(super) fn of_call(self, name: &str) -> Self {
        if name != RECEIVE {
            return self;
        }
        let first_byte = self.first_byte.max(SILENT_RECEIVE.saturating_add(GRACE));
        Self { first_byte, whole: first_byte.saturating_add(REST), ..self }
    }

    /// How long the head of a reply may take: the first one needs a connection before.
    pub(super) fn head(self, connected: bool) -> Duration {
        if connected { self.first_byte } else { self.first_byte.saturating_add(self.connect) }
    }

    /// How long the whole call may take, in the same way.
    pub(super) fn end(self, connected: bool) -> Duration {
        if connected { self.whole } else { self.whole.saturating_add(self.connect) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::proptest;

    use super::*;

    proptest! {
        #[test]
        fn nobody_gives_up_before_the_host_does(
            connect in any::<u32>(), operation in any::<u32>(), connected in any::<bool>(),
        ) {
            let seconds = |count: u32| Duration::from_secs(count.into());
            let limits = Limits::around(seconds(connect), seconds(operation));
            assert!(limits.head(connected) > seconds(operation));
            assert!(limits.end(connected) > limits.head(connected));
            let receive = limits.of_call(RECEIVE);
            assert!(receive.head(connected) >= limits.head(connected).max(SILENT_RECEIVE));
            assert!(receive.end(connected) > receive.head(connected));
        }
    }
}
