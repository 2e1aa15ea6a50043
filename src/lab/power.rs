//! A host's power: the phases of a reboot, as a function of the time.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;

/// `ERROR_SHUTDOWN_IN_PROGRESS`: a second order while one is under way.
pub const SHUTDOWN_IN_PROGRESS: u32 = 1115;

/// Two starts of a real machine lie further apart than a clock is ever corrected by. Here a start
/// that follows another at once is told with a time to come.
const APART: Duration = Duration::from_secs(20);

/// How long each phase lasts (`winrm.md` 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From the order until the host goes down, for orders without a delay of their own.
    pub delay: Duration,
    /// What one second of `Win32ShutdownTracker`'s delay takes here.
    pub second: Duration,
    /// Connections are reset and new ones refused.
    pub refused: Duration,
    /// Connections open, and nothing answers.
    pub silent: Duration,
    /// HTTP 503.
    pub starting: Duration,
    /// HTTP 401 for the right password too, because the host's logon service is not up.
    pub logon: Duration,
    /// What every request takes, so that hosts are busy at the same time as real ones are.
    pub latency: Duration,
}

impl Timing {
    /// Fast enough to watch: a restart takes well under a second and a half.
    pub const fn tour() -> Self {
        Self {
            delay: Duration::from_millis(60),
            second: Duration::from_millis(15),
            refused: Duration::from_millis(300),
            silent: Duration::from_millis(120),
            starting: Duration::from_millis(150),
            logon: Duration::from_millis(150),
            latency: Duration::from_millis(2),
        }
    }

    /// As on a small virtual machine, for other clients and for rehearsals.
    pub const fn real() -> Self {
        Self {
            delay: Duration::from_secs(2),
            second: Duration::from_secs(1),
            refused: Duration::from_secs(20),
            silent: Duration::from_secs(5),
            starting: Duration::from_secs(5),
            logon: Duration::from_secs(5),
            latency: Duration::from_millis(5),
        }
    }
}

/// What a host does with an order to restart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    #[default]
    Returns,
    /// Goes down and never comes back.
    Hangs,
    /// Accepts the order and stays up.
    Stuck,
}

/// What a host looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Up,
    /// Ordered, still answering.
    Pending,
    Refused,
    Silent,
    Starting,
    Logon,
    /// Refused for good.
    Off,
}

#[derive(Debug, Clone)]
pub struct Power {
    timing: Timing,
    manner: Manner,
    boot: Timestamp,
    /// When the host goes down.
    falls: Option<Timestamp>,
    stuck: bool,
    comes_back: bool,
    /// Until when nobody finds the way to the host, which is up all the while.
    cut_off: Option<Timestamp>,
}

impl Power {
    pub fn new(boot: Timestamp, timing: Timing, manner: Manner) -> Self {
        Self { timing, manner, boot, falls: None, stuck: false, comes_back: true, cut_off: None }
    }

    /// Takes an order; `delay_seconds` is the order's own. Returns the method's return value.
    pub fn order(&mut self, now: Timestamp, delay_seconds: Option<u32>, reboot: bool) -> u32 {
        if self.falls.is_some() || self.stuck {
            return SHUTDOWN_IN_PROGRESS;
        }
        if self.manner == Manner::Stuck {
            self.stuck = true;
            return 0;
        }
        let delay = delay_seconds.map_or(self.timing.delay, |seconds| {
            self.timing.second.saturating_mul(seconds.min(86_400))
        });
        self.comes_back = reboot && self.manner == Manner::Returns;
        self.falls = Some(after(now, delay));
        0
    }

    /// Takes an order back (`shutdown /a`); whether there was one that had not begun.
    pub fn abort(&mut self, now: Timestamp) -> bool {
        let pending = self.stuck || self.phase(now) == Phase::Pending;
        if pending {
            self.falls = None;
            self.stuck = false;
        }
        pending
    }

    /// Goes down at once, whatever was ordered.
    pub fn crash(&mut self, now: Timestamp, comes_back: bool) {
        self.falls = Some(now);
        self.stuck = false;
        self.comes_back = comes_back;
    }

    /// Somebody switches a host on that went down for good: it comes back as from a restart.
    pub fn switch_on(&mut self, now: Timestamp) {
        if self.phase(now) == Phase::Off {
            self.falls = Some(now);
            self.comes_back = true;
        }
        self.manner = Manner::Returns;
    }

    /// For as long as the first phase of a restart takes, nobody finds the way to the host.
    pub fn cut_off(&mut self, now: Timestamp) {
        self.cut_off = Some(after(now, self.timing.refused));
    }

    pub fn phase(&self, now: Timestamp) -> Phase {
        if self.cut_off.is_some_and(|end| now < end) {
            return Phase::Refused;
        }
        self.own_phase(now)
    }

    fn own_phase(&self, now: Timestamp) -> Phase {
        let Some(falls) = self.falls else {
            return if self.stuck { Phase::Pending } else { Phase::Up };
        };
        if now < falls {
            return Phase::Pending;
        }
        if !self.comes_back {
            return Phase::Off;
        }
        self.steps(falls)
            .into_iter()
            .find(|(_, end)| now < *end)
            .map_or(Phase::Up, |(phase, _)| phase)
    }

    /// How long until the phase changes by itself; `None` if it never does.
    pub fn next_change(&self, now: Timestamp) -> Option<Duration> {
        let ends = self.falls.into_iter().flat_map(|falls| {
            let ends = self.steps(falls).into_iter().map(|(_, end)| end);
            std::iter::once(falls).chain(ends.take(if self.comes_back { 4 } else { 0 }))
        });
        let end = ends.chain(self.cut_off).filter(|end| now < *end).min()?;
        Some(Duration::try_from(end.duration_since(now)).unwrap_or(Duration::ZERO))
    }

    /// Completes a reboot whose time has come; whether there was one. Volatile state goes now.
    pub fn settle(&mut self, now: Timestamp) -> bool {
        let Some(falls) = self.falls else { return false };
        if !self.comes_back || self.own_phase(now) != Phase::Up {
            return false;
        }
        self.boot = after(falls, self.timing.refused).max(after(self.boot, APART));
        self.falls = None;
        true
    }

    /// The last boot, for `LastBootUpTime`.
    pub fn boot_time(&self) -> Timestamp {
        self.boot
    }

    /// Whole seconds since the last boot, for `SystemUpTime`.
    pub fn up_seconds(&self, now: Timestamp) -> u64 {
        u64::try_from(now.duration_since(self.boot).as_secs()).unwrap_or(0)
    }

    fn steps(&self, falls: Timestamp) -> [(Phase, Timestamp); 4] {
        let refused = after(falls, self.timing.refused);
        let silent = after(refused, self.timing.silent);
        let starting = after(silent, self.timing.starting);
        let logon = after(starting, self.timing.logon);
        [
            (Phase::Refused, refused),
            (Phase::Silent, silent),
            (Phase::Starting, starting),
            (Phase::Logon, logon),
        ]
    }
}

fn after(moment: Timestamp, duration: Duration) -> Timestamp {
    SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| moment.checked_add(duration).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).unwrap()
    }

    fn power(manner: Manner) -> Power {
        Power::new(at(-5_000_000), Timing::tour(), manner)
    }

    #[track_caller]
    fn check(power: &Power, seen: &[(i64, Phase)]) {
        for (time, phase) in seen {
            assert_eq!(power.phase(at(*time)), *phase, "at {time} ms");
        }
    }

    #[test]
    fn a_reboot_goes_through_every_phase() {
        let mut power = power(Manner::Returns);
        assert_eq!(power.order(at(0), None, true), 0);
        assert_eq!(power.order(at(1), None, true), SHUTDOWN_IN_PROGRESS);
        check(
            &power,
            &[
                (59, Phase::Pending),
                (60, Phase::Refused),
                (360, Phase::Silent),
                (480, Phase::Starting),
                (630, Phase::Logon),
                (780, Phase::Up),
            ],
        );
        assert!(!power.settle(at(779)));
        assert!(power.settle(at(1_780)));
        assert_eq!(power.boot_time(), at(360));
        assert_eq!(power.up_seconds(at(1_780)), 1);
    }

    #[test]
    fn the_trackers_seconds_are_scaled() {
        let mut power = power(Manner::Returns);
        power.order(at(0), Some(2), true);
        check(&power, &[(29, Phase::Pending), (30, Phase::Refused)]);
    }

    #[test]
    fn a_host_that_hangs_stays_away() {
        let mut power = power(Manner::Hangs);
        assert_eq!(power.order(at(0), None, true), 0);
        check(&power, &[(60, Phase::Off), (86_400_000, Phase::Off)]);
        assert_eq!(power.next_change(at(61)), None);
        assert!(!power.settle(at(86_400_000)));
    }

    #[test]
    fn a_stuck_host_answers_on_with_the_old_boot_time() {
        let mut power = power(Manner::Stuck);
        assert_eq!(power.order(at(0), None, true), 0);
        check(&power, &[(0, Phase::Pending), (86_400_000, Phase::Pending)]);
        assert_eq!(power.boot_time(), at(-5_000_000));
        assert!(power.abort(at(5)));
        check(&power, &[(6, Phase::Up)]);
    }

    #[test]
    fn a_start_that_follows_another_at_once_is_told_apart() {
        let mut power = power(Manner::Returns);
        power.order(at(0), None, true);
        assert!(power.settle(at(800)));
        power.crash(at(900), true);
        assert!(power.settle(at(2000)));
        assert_eq!(power.boot_time(), at(360 + 20_000));
        assert_eq!(power.up_seconds(at(2000)), 0);
    }

    #[test]
    fn a_host_that_is_cut_off_is_up_all_the_while() {
        let mut power = power(Manner::Returns);
        power.cut_off(at(0));
        check(&power, &[(0, Phase::Refused), (299, Phase::Refused), (300, Phase::Up)]);
        assert_eq!(power.next_change(at(10)), Some(Duration::from_millis(290)));
        assert!(!power.settle(at(400)), "it did not restart");
    }

    #[test]
    fn a_host_that_crashed_for_good_comes_back_when_somebody_switches_it_on() {
        let mut power = power(Manner::Returns);
        power.crash(at(0), false);
        check(&power, &[(0, Phase::Off), (86_400_000, Phase::Off)]);
        power.switch_on(at(86_400_000));
        check(&power, &[(86_400_000, Phase::Refused), (86_400_720, Phase::Up)]);
        assert!(power.settle(at(86_401_000)));
    }

    #[test]
    fn next_change_tells_when_to_look_again() {
        let mut power = power(Manner::Returns);
        assert_eq!(power.next_change(at(0)), None);
        power.order(at(0), None, true);
        assert_eq!(power.next_change(at(10)), Some(Duration::from_millis(50)));
        assert_eq!(power.next_change(at(60)), Some(Duration::from_millis(300)));
        assert_eq!(power.next_change(at(779)), Some(Duration::from_millis(1)));
        assert_eq!(power.next_change(at(780)), None);
    }
}
