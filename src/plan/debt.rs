//! Whether a restart that an earlier run left owed has happened meanwhile.

use jiff::Timestamp;

use crate::model::boot::Boot;
use crate::model::facts::Observation;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::plan::probe;

/// When the host has restarted since its mark was set, by our clock; `None` if that is not proved
/// by both witnesses.
pub fn paid(observation: &Observation) -> Option<Timestamp> {
    let Reading::Known(State::Present(Value::Sz(mark))) = observation.value(&probe::restart_mark())
    else {
        return None;
    };
    let since: Timestamp = mark.split_once(' ')?.1.parse().ok()?;
    let boot = Boot {
        last_boot: observation.os.last_boot,
        local_time: observation.os.local_time,
        up_seconds: observation.up_seconds?,
        taken: observation.taken,
    };
    // The mark's time is ours.
    boot.after(since)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::model::product::Role;
    use crate::plan::sample;

    /// Seconds relative to the mark, which was set 1000 s before the survey.
    #[track_caller]
    fn check((boot, up, skew): (i64, Option<u64>, i64), expected: Option<i64>) {
        let mut seen = sample::observation("FS1", Role::Fci);
        let second = SignedDuration::from_secs;
        let since = seen.taken - second(1000);
        let mark = State::Present(Value::Sz(format!("run-0 {since}")));
        sample::set(&mut seen, &probe::restart_mark(), mark);
        seen.os.local_time = seen.taken + second(skew);
        seen.os.last_boot = since + second(boot + skew);
        seen.up_seconds = up;
        assert_eq!(paid(&seen), expected.map(|boot| since + second(boot)));
    }

    #[test]
    fn both_witnesses_pay_a_restart_and_one_does_not() {
        check((100, Some(900), 0), Some(100));
        check((100, Some(900), -7200), Some(100));
        check((100, Some(900), 7200), Some(100));
        check((100, None, 0), None);
        check((5, Some(995), 0), None);
        check((100, Some(1000), 0), None);
        check((-100, Some(900), 0), None);
        check((100, Some(u64::MAX), 0), None);
    }

    #[test]
    fn a_mark_that_cannot_be_told_is_never_paid() {
        for text in ["", "run-0", "run-0 yesterday"] {
            let mut seen = sample::observation("FS1", Role::Fci);
            seen.up_seconds = Some(1);
            sample::set(
                &mut seen,
                &probe::restart_mark(),
                State::Present(Value::Sz(text.to_owned())),
            );
            assert_eq!(paid(&seen), None, "`{text}`");
        }
    }
}
