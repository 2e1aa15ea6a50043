//! The only reader of the clock.

use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;

use crate::host::link::Clock;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Measures how long something takes, whatever is done to the wall clock meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// One that was started so long ago.
    #[cfg(test)]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn since(ago: Duration) -> Self {
        Self(Instant::now().checked_sub(ago).unwrap())
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
