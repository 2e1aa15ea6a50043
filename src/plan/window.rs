//! The clock as part of the contract: when work may start so that it ends in time.
//!
//! One definition: work that takes at most so long may start if it ends before its window's end less
//! the cutoff, and if no freeze begins or lasts in between.

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::model::conditions::Conditions;
use crate::model::window::Day;
use crate::model::window::Freeze;
use crate::model::window::Window;

/// So many days ahead an opening is looked for.
const HORIZON_DAYS: u16 = 400;

/// Whether work may start now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    Open,
    Closed {
        /// The first moment at which the same work would fit; `None` if there is none in sight.
        opens: Option<Timestamp>,
        /// `window files-ams`, `freeze: year-end`.
        why: String,
    },
}

impl Opening {
    /// Why not, and when; `None` if it is open.
    pub fn closed(self) -> Option<String> {
        match self {
            Self::Open => None,
            Self::Closed { opens: Some(opens), why } => Some(format!("{why}: opens {opens}")),
            Self::Closed { opens: None, why } => Some(format!("{why}: no opening in sight")),
        }
    }
}

/// Whether work of `worst` seconds may start on a host of this window.
pub fn opening(
    window: Option<&str>,
    conditions: &Conditions,
    now: Timestamp,
    worst: u32,
) -> Opening {
    let freezes = &conditions.freezes;
    let named = window.and_then(|name| conditions.windows.get(name).map(|window| (name, window)));
    let Some((name, window)) = named else {
        let start = after_freezes(freezes, now, worst);
        return match (start == now, freeze_in(freezes, now, worst)) {
            (true, _) | (_, None) => Opening::Open,
            (false, Some(freeze)) => {
                Opening::Closed { opens: Some(start), why: format!("freeze: {}", freeze.reason) }
            }
        };
    };
    let opens = first_fit(window, freezes, now, worst);
    if opens == Some(now) {
        return Opening::Open;
    }
    let why = freeze_in(freezes, now, worst)
        .map_or_else(|| format!("window {name}"), |freeze| format!("freeze: {}", freeze.reason));
    Opening::Closed { opens, why }
}

/// Whether work of so many seconds can ever fit into the window.
pub fn can_fit(window: &Window, worst: u32) -> bool {
    worst <= window.duration.saturating_sub(window.cutoff)
}

fn first_fit(window: &Window, freezes: &[Freeze], now: Timestamp, worst: u32) -> Option<Timestamp> {
    if !can_fit(window, worst) {
        return None;
    }
    let zone = TimeZone::get(&window.tz).ok()?;
    // One opened yesterday may still be open, whatever its length up to a week.
    let mut date = now.to_zoned(zone.clone()).date();
    for _ in 0..8 {
        date = date.yesterday().ok()?;
    }
    for _ in 0..HORIZON_DAYS {
        if window.days.iter().any(|day| weekday(*day) == date.weekday())
            && let Some((opens, closes)) = span(window, &zone, date)
        {
            let start = after_freezes(freezes, opens.max(now), worst);
            if plus(start, worst) <= closes {
                return Some(start);
            }
        }
        date = date.tomorrow().ok()?;
    }
    None
}

/// When the window that opens on a day opens, and until when work must have ended.
///
/// A start that the clock skips in spring is taken an hour later; one that comes twice in autumn is
/// the first. The duration is counted in real time.
fn span(window: &Window, zone: &TimeZone, date: Date) -> Option<(Timestamp, Timestamp)> {
    let (hour, minute) = (window.start / 60, window.start % 60);
    let time = jiff::civil::time(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0);
    let opens = zone.to_ambiguous_timestamp(date.to_datetime(time)).compatible().ok()?;
    Some((opens, plus(opens, window.duration.saturating_sub(window.cutoff))))
}

/// The first moment from `start` on at which work of so many seconds meets no freeze.
fn after_freezes(freezes: &[Freeze], start: Timestamp, worst: u32) -> Timestamp {
    let mut start = start;
    // Each turn passes at least one freeze.
    for _ in freezes {
        match freeze_in(freezes, start, worst) {
            Some(freeze) => start = start.max(freeze.to),
            None => break,
        }
    }
    start
}

fn freeze_in(freezes: &[Freeze], start: Timestamp, worst: u32) -> Option<&Freeze> {
    let end = plus(start, worst);
    freezes.iter().find(|freeze| start < freeze.to && end > freeze.from)
}

fn plus(time: Timestamp, seconds: u32) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MAX)
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Mon => Weekday::Monday,
        Day::Tue => Weekday::Tuesday,
        Day::Wed => Weekday::Wednesday,
        Day::Thu => Weekday::Thursday,
        Day::Fri => Weekday::Friday,
        Day::Sat => Weekday::Saturday,
        Day::Sun => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u32 = 3600;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn night(days: &[Day]) -> Window {
        Window {
            tz: "Europe/Amsterdam".to_owned(),
            days: days.to_vec(),
            start: 22 * 60,
            duration: 6 * HOUR,
            cutoff: HOUR,
        }
    }

    fn conditions(window: Window, freezes: &[(&str, &str)]) -> Conditions {
        Conditions {
            windows: [("night".to_owned(), window)].into(),
            freezes: freezes
                .iter()
                .map(|(from, to)| Freeze { from: at(from), to: at(to), reason: "audit".to_owned() })
                .collect(),
            ..Conditions::default()
        }
    }

    /// `opens` is empty if work may start at `now`.
    #[track_caller]
    fn check(conditions: &Conditions, now: &str, worst: u32, opens: &str) {
        let expected = (!opens.is_empty()).then(|| at(opens));
        match opening(Some("night"), conditions, at(now), worst) {
            Opening::Open => assert_eq!(None, expected, "open at {now}"),
            Opening::Closed { opens, .. } => assert_eq!(opens, expected, "closed at {now}"),
        }
    }

    #[test]
    fn work_must_end_before_the_cutoff() {
        // Tuesday 2026-11-24, 22:00 in Amsterdam is 21:00Z; the end less the cutoff is 02:00Z.
        let tuesday = conditions(night(&[Day::Tue]), &[]);
        check(&tuesday, "2026-11-24T20:59:59Z", HOUR, "2026-11-24T21:00:00Z");
        check(&tuesday, "2026-11-24T21:00:00Z", HOUR, "");
        check(&tuesday, "2026-11-25T01:00:00Z", HOUR, "");
        check(&tuesday, "2026-11-25T01:00:01Z", HOUR, "2026-12-01T21:00:00Z");
        check(&tuesday, "2026-11-25T01:00:01Z", HOUR - 1, "");
    }

    #[test]
    fn work_that_is_longer_than_the_window_never_fits() {
        let tuesday = conditions(night(&[Day::Tue]), &[]);
        let never = Opening::Closed { opens: None, why: "window night".to_owned() };
        let now = at("2026-11-24T21:00:00Z");
        assert_eq!(opening(Some("night"), &tuesday, now, 5 * HOUR + 1), never);
        check(&tuesday, "2026-11-24T21:00:00Z", 5 * HOUR, "");
    }

    #[test]
    fn nights_on_which_the_clock_changes_keep_their_length() {
        let nights = conditions(night(&[Day::Sat]), &[]);
        // 2026-03-28 22:00 CET is 21:00Z, 2026-10-24 22:00 CEST is 20:00Z: five hours each.
        check(&nights, "2026-03-28T21:00:00Z", 5 * HOUR, "");
        check(&nights, "2026-03-29T01:00:00Z", HOUR, "");
        check(&nights, "2026-03-29T01:00:01Z", HOUR, "2026-04-04T20:00:00Z");
        check(&nights, "2026-10-24T20:00:00Z", 5 * HOUR, "");
        check(&nights, "2026-10-25T00:00:01Z", HOUR, "2026-10-31T21:00:00Z");
        // A start that the clock skips: 02:30 on 2026-03-29 is taken as 03:30 CEST.
        let skipped = Window { start: 150, ..night(&[Day::Sun]) };
        check(&conditions(skipped, &[]), "2026-03-29T00:00:00Z", HOUR, "2026-03-29T01:30:00Z");
    }

    #[test]
    fn a_freeze_closes_every_window_and_hosts_without_one() {
        let frozen =
            conditions(night(&[Day::Tue]), &[("2026-11-24T22:00:00Z", "2026-11-24T23:00:00Z")]);
        check(&frozen, "2026-11-24T21:00:00Z", HOUR, "");
        check(&frozen, "2026-11-24T21:00:01Z", HOUR, "2026-11-24T23:00:00Z");
        let free = |now| opening(None, &frozen, at(now), HOUR);
        assert_eq!(free("2026-11-24T21:00:00Z"), Opening::Open);
        let why = "freeze: audit".to_owned();
        let opens = Some(at("2026-11-24T23:00:00Z"));
        assert_eq!(free("2026-11-24T22:30:00Z"), Opening::Closed { opens, why });
    }

    /// A walk minute by minute, which knows nothing of days: what opened when, and until when work
    /// must have ended.
    fn walk(conditions: &Conditions, from: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let window = conditions.windows.get("night").unwrap();
        let zone = TimeZone::get(&window.tz).unwrap();
        (-2 * 24 * 60..5 * 24 * 60)
            .map(|minutes| from + SignedDuration::from_mins(minutes))
            .filter(|opened| {
                let local = opened.to_zoned(zone.clone());
                let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
                i32::from(minute) == i32::from(window.start)
                    && window.days.iter().any(|day| weekday(*day) == local.weekday())
            })
            .map(|opened| (opened, plus(opened, window.duration - window.cutoff)))
            .collect()
    }

    #[test]
    fn a_walk_minute_by_minute_finds_the_same_openings() {
        let days = [Day::Mon, Day::Wed, Day::Sat];
        let from = at("2026-11-22T12:00:00Z");
        for (start, duration, cutoff) in [(1320, 6, 0), (60, 3, 1), (720, 20, 2)] {
            let window =
                Window { start, duration: duration * HOUR, cutoff: cutoff * HOUR, ..night(&days) };
            let freeze = [("2026-11-23T22:30:00Z", "2026-11-24T00:30:00Z")];
            let conditions = conditions(window, &freeze);
            let walked = walk(&conditions, from);
            for step in 0..24 {
                let now = from + SignedDuration::from_mins(step * 127);
                let expected = (0..3 * 24 * 60)
                    .map(|minutes| now + SignedDuration::from_mins(minutes))
                    .find(|time| {
                        let end = plus(*time, HOUR);
                        walked.iter().any(|(opens, closes)| opens <= time && end <= *closes)
                            && freeze_in(&conditions.freezes, *time, HOUR).is_none()
                    })
                    .unwrap();
                let got = match opening(Some("night"), &conditions, now, HOUR) {
                    Opening::Open => now,
                    Opening::Closed { opens, .. } => opens.unwrap(),
                };
                // The walk only knows the minutes from `now` on.
                let late = expected.duration_since(got);
                assert!(!late.is_negative() && late < SignedDuration::from_mins(1), "from {now}");
            }
        }
    }
}
