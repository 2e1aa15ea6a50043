//! Restarting a host: ordered once, proved by two witnesses (`winrm.md` 1.7, 5.5 and 7).

use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::host::identity;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::link::Knock;
use crate::host::link::Reader;
use crate::host::link::Target;
use crate::host::link::Writer;
use crate::host::registry::unexpected;
use crate::model::boot::Boot;
use crate::model::boot::JITTER;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::wire::operation::Answer;
use crate::wire::operation::Write;

/// Refused logons borne in one wait; each counts against the account (`winrm.md` 5.5, step 6).
const REFUSALS: u32 = 6;

/// Faults of a service that is stopping or a host that is going down: `ERROR_OPERATION_ABORTED`,
/// `ERROR_SHUTDOWN_IN_PROGRESS` as Windows and as COM say it, and WinRM's own word for the first. The
/// order may be the reason.
const GOING_DOWN: [u32; 4] = [995, 1115, 2_147_943_515, 2_150_859_230];

/// What two witnesses say about a host's last start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootReading {
    /// `Win32_OperatingSystem.LastBootUpTime`, by the host's clock.
    pub last_boot: Timestamp,
    /// `Win32_PerfFormattedData_PerfOS_System.SystemUpTime`, in seconds, by no clock.
    pub up_seconds: u64,
}

/// What a reading proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The witnesses contradict each other.
    NotYet,
    /// The host has been up since before the order.
    OldBoot,
    Proved,
}

/// What to wait for, and how patiently.
#[derive(Debug, Clone)]
pub struct Wait<'a> {
    /// The boot time read before the order.
    pub before: Timestamp,
    pub ordered_at: Timestamp,
    /// One deadline for everything: restart, services, second look.
    pub deadline: Timestamp,
    /// Services that must be running again, by their short names.
    pub services: &'a [String],
    pub pace: Pace,
}

/// How often a restarting host is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between anonymous knocks, which cost the host nothing.
    pub knock: Duration,
    /// Between looks that were let in: they cost the host a logon and the account nothing.
    pub look: Duration,
    /// After the first refused logon; twice as long after each further one.
    pub refused: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            knock: Duration::from_secs(3),
            look: Duration::from_secs(5),
            refused: Duration::from_secs(15),
        }
    }
}

/// Orders a restart, once. `None` if the outcome is not known: the reply was lost, made no
/// sense, or told only that the host is going down. The code proves nothing; only the boot time does. Never repeat the order.
pub async fn order(
    link: &mut impl Writer,
    delay_seconds: u32,
    comment: &str,
) -> Result<Option<u32>, HostError> {
    let act = Write::Restart { delay_seconds, comment: comment.to_owned() };
    match link.write(&act).await {
        Ok(Answer::Done { code }) => Ok(Some(code)),
        Ok(other) => Err(unexpected("a return code", &other)),
        Err(HostError::Lost { .. } | HostError::Unexpected { .. }) => Ok(None),
        Err(HostError::Fault(fault))
            if fault.is_time_out() || fault.code.is_some_and(|code| GOING_DOWN.contains(&code)) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Reads the seconds since the last start.
pub async fn read_up_seconds(link: &mut impl Reader) -> Result<u64, HostError> {
    let perf = "SELECT SystemUpTime FROM Win32_PerfFormattedData_PerfOS_System";
    let system = identity::one(link, perf).await?;
    let up = identity::text(&system, "SystemUpTime")?;
    up.parse().map_err(|_| identity::missing("a number in SystemUpTime", &up))
}

/// Reads both witnesses.
pub async fn read_boot(link: &mut impl Reader) -> Result<BootReading, HostError> {
    let os = identity::one(link, "SELECT LastBootUpTime FROM Win32_OperatingSystem").await?;
    let up_seconds = read_up_seconds(link).await?;
    Ok(BootReading { last_boot: identity::timestamp(&os, "LastBootUpTime")?, up_seconds })
}

/// Reads both witnesses, and the host's clock with them.
pub async fn read_boot_and_clock(
    link: &mut impl Reader,
    clock: &impl Clock,
) -> Result<Boot, HostError> {
    let wql = "SELECT LastBootUpTime,LocalDateTime FROM Win32_OperatingSystem";
    let os = identity::one(link, wql).await?;
    let taken = clock.now();
    let up_seconds = read_up_seconds(link).await?;
    let (last_boot, local_time) =
        (identity::timestamp(&os, "LastBootUpTime")?, identity::timestamp(&os, "LocalDateTime")?);
    Ok(Boot { last_boot, local_time, up_seconds, taken })
}

/// Those of `names` that start by themselves and are running now: what must run again later.
pub async fn running_services(
    link: &mut impl Reader,
    names: &[&str],
) -> Result<Vec<String>, HostError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let wql = services_wql("Name,StartMode,State", names);
    let services = identity::query(link, &wql).await?;
    Ok(services
        .iter()
        .filter(|service| service.text("StartMode") == Some("Auto"))
        .filter(|service| service.text("State") == Some("Running"))
        .filter_map(|service| service.text("Name").map(str::to_owned))
        .collect())
}

/// Whether two readings tell of one start, clock corrections aside.
pub fn is_same_boot(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() <= JITTER
}

/// Judges a reading taken at `now`. A later boot time alone may be a corrected clock, so the time
/// since the start must be shorter than the time since the order as well.
pub fn proof(
    before: Timestamp,
    ordered_at: Timestamp,
    reading: BootReading,
    now: Timestamp,
) -> Proof {
    let since_order = now.duration_since(ordered_at);
    let up = SignedDuration::from_secs(i64::try_from(reading.up_seconds).unwrap_or(i64::MAX));
    let later = reading.last_boot.duration_since(before) > JITTER;
    match (up < since_order, later) {
        (true, true) => Proof::Proved,
        (true, false) => Proof::NotYet,
        (false, _) => Proof::OldBoot,
    }
}

/// Waits until the host has provably restarted and is steady: its services run, and a second look
/// over a new connection finds the same boot time.
///
/// Every attempt is a knock first, then a new connection with a new logon, no more often than the
/// pace allows. Within the window every error but a guarded account means "not yet".
pub async fn wait_for_restart<C: Connect, K: Clock>(
    connect: &C,
    clock: &K,
    target: &Target,
    wait: &Wait<'_>,
    on_seen: &mut (impl FnMut(String) + Send),
) -> Result<BootReading, Failure> {
    let mut seen = Seen::default();
    let mut next_logon = wait.ordered_at;
    let (mut deadline, mut given_back) = (wait.deadline, false);
    while clock.now() < deadline {
        match connect.knock(target).await {
            Ok(Knock::Answered | Knock::Silent)
                if seen.refused < REFUSALS && clock.now() >= next_logon =>
            {
                let began = clock.now();
                let look = look(connect, clock, target, wait.services).await;
                let now = clock.now();
                // A connection that died with the host may be silent for longer than the host was
                // away: what was left of the time when the look began is given back, once.
                if matches!(look, Err(HostError::Lost { .. })) && now >= deadline && !given_back {
                    given_back = true;
                    deadline = now.saturating_add(deadline.duration_since(began)).unwrap_or(now);
                }
                let pause = match &look {
                    Err(HostError::Denied { .. } | HostError::TicketRefused { .. }) => {
                        let doubled = wait.pace.refused.saturating_mul(1 << seen.refused);
                        seen.refused += 1;
                        doubled
                    }
                    Ok(_) | Err(_) => wait.pace.look,
                };
                next_logon = now.checked_add(pause).unwrap_or(deadline);
                match look {
                    Ok(look) => {
                        if let Some(reading) = seen.judge(look, wait) {
                            return Ok(reading);
                        }
                    }
                    Err(error @ HostError::Guarded { .. }) => return Err(error.failure()),
                    Err(error) => seen.error(&error),
                }
            }
            Ok(Knock::Answered | Knock::Silent) => {}
            Err(error) => seen.error(&error),
        }
        if let Some(text) = seen.news() {
            on_seen(text);
        }
        let left = Duration::try_from(deadline.duration_since(clock.now()));
        clock.sleep(wait.pace.knock.min(left.unwrap_or_default())).await;
    }
    Err(seen.give_up(wait))
}

/// What one connection showed.
struct Look {
    reading: BootReading,
    /// By the workstation's clock, when the reading had come.
    at: Timestamp,
    /// Services that should run and do not, with their state.
    waiting_for: Vec<String>,
}

async fn look<C: Connect, K: Clock>(
    connect: &C,
    clock: &K,
    target: &Target,
    services: &[String],
) -> Result<Look, HostError> {
    let mut link = connect.connect(target).await?;
    let reading = read_boot(&mut link).await?;
    let at = clock.now();
    if services.is_empty() {
        return Ok(Look { reading, at, waiting_for: Vec::new() });
    }
    let wql = services_wql("Name,State", services);
    let states = identity::query(&mut link, &wql).await?;
    let waiting_for = services
        .iter()
        .filter_map(|name| {
            let state = states
                .iter()
                .find(|state| state.text("Name").is_some_and(|own| own.eq_ignore_ascii_case(name)))
                .and_then(|state| state.text("State"));
            match state {
                Some("Running") => None,
                Some(other) => Some(format!("{name} ({other})")),
                None => Some(format!("{name} (not there)")),
            }
        })
        .collect();
    Ok(Look { reading, at, waiting_for })
}

fn services_wql(properties: &str, names: &[impl AsRef<str>]) -> String {
    let terms: Vec<String> = names
        .iter()
        .map(|name| name.as_ref().replace('\\', r"\\").replace('\'', r"\'"))
        .map(|name| format!("Name='{name}'"))
        .collect();
    format!("SELECT {properties} FROM Win32_Service WHERE {}", terms.join(" OR "))
}

/// What the wait has seen last.
#[derive(Default)]
struct Seen {
    /// The boot that the last look proved, waiting to be confirmed.
    proved: Option<Timestamp>,
    /// Whether the last thing seen was the old boot, alive.
    old_boot: bool,
    /// Logons refused so far.
    refused: u32,
    text: String,
    told: String,
}

impl Seen {
    /// Takes a look in; gives the reading if it confirms an earlier one and nothing is missing.
    fn judge(&mut self, look: Look, wait: &Wait<'_>) -> Option<BootReading> {
        let Look { reading, at, waiting_for } = look;
        self.old_boot = false;
        match proof(wait.before, wait.ordered_at, reading, at) {
            Proof::OldBoot => {
                self.old_boot = true;
                self.proved = None;
                self.text = format!("still up since {}", reading.last_boot);
            }
            Proof::NotYet => {
                self.proved = None;
                self.text = format!(
                    "up for {} s, but the boot time is still {}",
                    reading.up_seconds, reading.last_boot
                );
            }
            Proof::Proved => {
                let same = self
                    .proved
                    .is_some_and(|first| reading.last_boot.duration_since(first).abs() <= JITTER);
                if same && waiting_for.is_empty() {
                    return Some(reading);
                }
                self.proved = Some(reading.last_boot);
                self.text = if waiting_for.is_empty() {
                    format!("restarted at {}, looking once more", reading.last_boot)
                } else {
                    format!(
                        "restarted at {}, waiting for {}",
                        reading.last_boot,
                        waiting_for.join(", ")
                    )
                };
            }
        }
        None
    }

    fn error(&mut self, error: &HostError) {
        self.old_boot = false;
        self.text = error.failure().text();
    }

    /// The text, if it is another one than last time.
    fn news(&mut self) -> Option<String> {
        if self.text == self.told || self.text.is_empty() {
            return None;
        }
        self.told.clone_from(&self.text);
        Some(self.text.clone())
    }

    fn give_up(self, wait: &Wait<'_>) -> Failure {
        let waited = wait.deadline.duration_since(wait.ordered_at).as_secs();
        let seen = if self.text.is_empty() { "nothing".to_owned() } else { self.text };
        if self.old_boot {
            let text = format!("the restart did not begin within {waited} s: {seen}");
            Failure::new(FailureKind::RestartNotBegun, text)
                .hint("look for an application or a logged-on user that keeps the host from ending")
        } else {
            let mut text = format!("the host was not back within {waited} s; last seen: {seen}");
            if self.refused >= REFUSALS {
                text.push_str(&format!(
                    "; after {REFUSALS} refused logons no other was tried, to spare the account"
                ));
            }
            Failure::new(FailureKind::NotBack, text)
                .hint("look at the host's console; the restart stays owed until it is proved")
        }
    }
}

#[cfg(test)]
mod tests;
