//! A run's claim on a host: one value per run beside the restart mark, so that two workstations
//! find out about each other before the first write.

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::registry::KeyPath;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValueName;
use crate::model::registry::ValuePath;

/// The key that holds our marks on a host.
pub const MARKS_KEY: &str = r"SOFTWARE\rmsfleet";

/// Names of lease values begin so; the run's id follows.
pub const PREFIX: &str = "Lease ";

/// A lease that nobody renews counts no more after this time.
pub const LASTS: SignedDuration = SignedDuration::from_hours(8);

/// How far a run has come in claiming a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Announced; others may have announced theirs at the same time.
    Wanted,
    /// Nobody else was seen after the announcement.
    Held,
}

/// Whose a host is, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub run: String,
    pub claim: Claim,
    /// The sealed plan's id: used up on this host as long as the lease stands.
    pub plan: String,
    /// By the clock of the workstation that set it.
    pub until: Timestamp,
    pub workstation: String,
    pub operator: String,
}

/// A lease value as it was found on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLease {
    pub run: String,
    /// `Err` tells what the value holds instead of a lease.
    pub lease: Result<Lease, String>,
}

impl Lease {
    /// Where the lease of a run stands.
    pub fn path(run: &str) -> ValuePath {
        ValuePath::new(MARKS_KEY, format!("{PREFIX}{run}"))
    }

    /// The value: `held` or `wanted`, plan, end, workstation, operator; [`FoundLease::read`] reads it.
    ///
    /// A `REG_MULTI_SZ`, so that what names people and machines may hold needs no quoting.
    pub fn value(&self) -> Value {
        let claim = match self.claim {
            Claim::Wanted => "wanted",
            Claim::Held => "held",
        };
        let until = self.until.to_string();
        let texts = [claim, &self.plan, &until, &self.workstation, &self.operator];
        // An empty text could not be read back.
        let told = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        Value::MultiSz(texts.map(told).to_vec())
    }
}

/// The key of the leases and the restart mark.
pub fn key() -> KeyPath {
    KeyPath::new(MARKS_KEY)
}

impl FoundLease {
    /// Reads one value of the marks' key; `None` if it is no lease, or was gone when it was read.
    pub fn read(name: &ValueName, reading: &Reading) -> Option<Self> {
        let run = name.as_str().strip_prefix(PREFIX)?.to_owned();
        let lease = match reading {
            Reading::Known(State::Absent) => return None,
            Reading::Known(State::Present(value)) => {
                parse(&run, value).ok_or_else(|| format!("it holds {} `{value}`", value.kind()))
            }
            Reading::Unreadable(why) => Err(format!("it is unreadable: {why}")),
        };
        Some(Self { run, lease })
    }

    /// Whether it still keeps others away. What cannot be read has no end.
    pub fn counts(&self, now: Timestamp) -> bool {
        self.lease.as_ref().map_or(true, |lease| now <= lease.until)
    }

    fn is_held(&self) -> bool {
        self.lease.as_ref().map_or(true, |lease| lease.claim == Claim::Held)
    }

    /// Whose it is and until when, for people.
    pub fn told(&self) -> String {
        match &self.lease {
            Ok(Lease { run, until, workstation, operator, .. }) => format!(
                "run {run} of {operator} on {workstation} works on it until {}",
                until.strftime("%Y-%m-%d %H:%MZ")
            ),
            Err(why) => {
                format!("`{}` was expected to be a run's lease, and {why}", Lease::path(&self.run))
            }
        }
    }
}

/// Who keeps `run` away from a host on which these leases stand. `claimed` is what `run` itself
/// had written before they were read; `None` if nothing yet.
///
/// INVARIANT: of all runs that go through announce, read, hold, read, at most one is kept away by
/// nobody. Take two that both got through, the one with the lower id A, the other B. B's last
/// reading did not show A, so A announced itself after it, hence after B wrote `held`; so A's
/// reading after its announcement showed B as `held`, and A was kept away.
pub fn rival<'f>(
    leases: &'f [FoundLease],
    run: &str,
    claimed: Option<Claim>,
    now: Timestamp,
) -> Option<&'f FoundLease> {
    let mut others = leases.iter().filter(|other| other.run != run && other.counts(now));
    others.find(|other| match claimed {
        None => true,
        Some(Claim::Wanted) => other.is_held() || other.run.as_str() < run,
        Some(Claim::Held) => other.run.as_str() < run || other.lease.is_err(),
    })
}

fn parse(run: &str, value: &Value) -> Option<Lease> {
    let Value::MultiSz(texts) = value else { return None };
    let [claim, plan, until, workstation, operator] = texts.as_slice() else { return None };
    let claim = match claim.as_str() {
        "wanted" => Claim::Wanted,
        "held" => Claim::Held,
        _ => return None,
    };
    Some(Lease {
        run: run.to_owned(),
        claim,
        plan: plan.clone(),
        until: until.parse().ok()?,
        workstation: workstation.clone(),
        operator: operator.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
    }

    fn lease(run: &str, claim: Claim) -> Lease {
        Lease {
            run: run.to_owned(),
            claim,
            plan: "plan".to_owned(),
            until: at(8),
            workstation: "WS1".to_owned(),
            operator: r"CORP\anna b".to_owned(),
        }
    }

    fn found(run: &str, value: Value) -> Option<FoundLease> {
        FoundLease::read(&Lease::path(run).name, &Reading::Known(State::Present(value)))
    }

    #[test]
    fn a_lease_is_read_as_it_was_written() {
        for claim in [Claim::Wanted, Claim::Held] {
            let lease = lease("r1", claim);
            assert_eq!(found("r1", lease.value()).unwrap().lease, Ok(lease));
        }
        let mark = ValueName::new("RestartOwed");
        assert_eq!(FoundLease::read(&mark, &Reading::Known(State::Absent)), None);
    }

    #[test]
    fn what_is_no_lease_keeps_everybody_away_and_has_no_end() {
        let texts = |words: &str| Value::MultiSz(words.split(' ').map(str::to_owned).collect());
        for value in [
            texts("held"),
            texts("held p yesterday WS anna"),
            texts("mine p 1970-01-01T08:00:00Z WS a"),
            Value::Sz("held p 1970-01-01T08:00:00Z WS a".to_owned()),
            Value::Dword(1),
        ] {
            let strange = found("r1", value).unwrap();
            assert!(strange.counts(at(1_000_000)), "{strange:?}");
            for claimed in [None, Some(Claim::Wanted), Some(Claim::Held)] {
                assert!(rival(std::slice::from_ref(&strange), "r0", claimed, at(9)).is_some());
            }
        }
    }

    #[test]
    fn an_expired_lease_and_ones_own_keep_nobody_away() {
        let one = [found("r1", lease("r1", Claim::Held).value()).unwrap()];
        assert!(rival(&one, "r2", None, at(8)).is_some());
        assert!(rival(&one, "r2", None, at(9)).is_none());
        assert!(rival(&one, "r1", None, at(0)).is_none());
    }

    /// A run on its way to a host.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Step {
        Look,
        Announce,
        LookAgain,
        Hold,
        LookLast,
        Through,
        Away,
    }

    fn step(host: &mut BTreeMap<&'static str, Claim>, run: &'static str, step: Step) -> Step {
        let leases: Vec<FoundLease> = host
            .iter()
            .map(|(run, claim)| found(run, lease(run, *claim).value()).unwrap())
            .collect();
        let mut look = |claimed, next| {
            if rival(&leases, run, claimed, at(0)).is_none() {
                return next;
            }
            host.remove(run);
            Step::Away
        };
        match step {
            Step::Look => look(None, Step::Announce),
            Step::LookAgain => look(Some(Claim::Wanted), Step::Hold),
            Step::LookLast => look(Some(Claim::Held), Step::Through),
            Step::Announce => {
                host.insert(run, Claim::Wanted);
                Step::LookAgain
            }
            Step::Hold => {
                host.insert(run, Claim::Held);
                Step::LookLast
            }
            Step::Through | Step::Away => step,
        }
    }

    /// Every order in which the runs' acts can follow each other.
    fn every_order(
        host: &BTreeMap<&'static str, Claim>,
        runs: &[(&'static str, Step)],
        ends: &mut BTreeMap<usize, usize>,
    ) {
        let mut ended = true;
        for (place, (run, at)) in runs.iter().enumerate() {
            if matches!(at, Step::Through | Step::Away) {
                continue;
            }
            ended = false;
            let (mut host, mut runs) = (host.clone(), runs.to_vec());
            runs[place].1 = step(&mut host, run, *at);
            every_order(&host, &runs, ends);
        }
        if ended {
            let through = runs.iter().filter(|(_, at)| *at == Step::Through).count();
            assert!(through <= 1, "{runs:?}");
            *ends.entry(through).or_default() += 1;
        }
    }

    #[test]
    fn in_every_order_of_two_or_three_runs_at_most_one_gets_a_host() {
        for runs in [&["r1", "r2"][..], &["r1", "r2", "r3"]] {
            let runs: Vec<_> = runs.iter().map(|run| (*run, Step::Look)).collect();
            let mut ends = BTreeMap::new();
            every_order(&BTreeMap::new(), &runs, &mut ends);
            assert!(ends[&1] > 10 * ends.get(&0).copied().unwrap_or(0), "{ends:?}");
        }
    }
}
