//! Whether a host has started since a moment: two witnesses, and a clock that may be wrong.

use jiff::SignedDuration;
use jiff::Timestamp;

/// `LastBootUpTime` moves by this much with clock corrections, without any restart.
pub const JITTER: SignedDuration = SignedDuration::from_secs(5);

/// What a host says of its present boot, and when it said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boot {
    /// `Win32_OperatingSystem.LastBootUpTime`, by the host's clock.
    pub last_boot: Timestamp,
    /// `Win32_OperatingSystem.LocalDateTime`: the host's clock.
    pub local_time: Timestamp,
    /// `SystemUpTime`, in seconds, by no clock.
    pub up_seconds: u64,
    /// By our clock.
    pub taken: Timestamp,
}

impl Boot {
    /// When it began, by our clock, if that is after `since` by both witnesses.
    pub fn after(self, since: Timestamp) -> Option<Timestamp> {
        let skew = self.local_time.duration_since(self.taken);
        let boot = self.last_boot.checked_sub(skew).ok()?;
        let up = SignedDuration::from_secs(i64::try_from(self.up_seconds).ok()?);
        let began = self.taken.checked_sub(up).ok()?;
        // INVARIANT: a corrected clock alone is no restart, and neither is one counter.
        (boot.duration_since(since) > JITTER && began > since).then_some(boot)
    }
}
