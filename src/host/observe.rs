//! Everything that the survey asks of one host, over one connection, one question at a time.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::host::identity;
use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::mark;
use crate::host::particulars;
use crate::host::registry;
use crate::host::restart;
use crate::model::facts::Observation;
use crate::model::probe::Probe;
use crate::model::registry::Reading;
use crate::model::registry::State;

/// Answers a probe. What can be told stands in the observation, unreadable parts included; only a
/// call that fails altogether is an error.
pub async fn observe(
    link: &mut impl Reader,
    probe: &Probe,
    now: Timestamp,
) -> Result<Observation, HostError> {
    let (identity, os) = identity::read(link).await?;
    let mut values = BTreeMap::new();
    for path in &probe.values {
        values.insert(path.clone(), registry::observe(link, path).await?);
    }
    let mut listings = BTreeMap::new();
    for key in &probe.listings {
        listings.insert(key.clone(), registry::observe_listing(link, key).await?);
    }
    let mut access = BTreeMap::new();
    for key in &probe.access {
        access.insert(key.clone(), registry::observe_access(link, key).await?);
    }
    let up_seconds = match values.get(&mark::path()) {
        Some(Reading::Known(State::Present(_))) => up_seconds(link).await?,
        Some(Reading::Known(State::Absent) | Reading::Unreadable(_)) | None => None,
    };
    let particulars = particulars::observe(link, probe, &os, &values).await?;
    Ok(Observation { taken: now, identity, os, values, listings, access, up_seconds, particulars })
}

/// A host that cannot tell is not in the way: its restart stays owed.
async fn up_seconds(link: &mut impl Reader) -> Result<Option<u64>, HostError> {
    match restart::read_up_seconds(link).await {
        Ok(seconds) => Ok(Some(seconds)),
        Err(HostError::Fault(_) | HostError::Unexpected { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::host::imagined::Imagined;
    use crate::model::facts::Access;
    use crate::model::registry::KeyPath;
    use crate::model::registry::Listing;
    use crate::model::registry::Value;
    use crate::model::registry::ValuePath;

    fn fs01() -> Imagined {
        Imagined::new()
            .with_instance(
                "Win32_OperatingSystem",
                &[
                    ("Caption", "Windows"),
                    ("CSName", "FS01"),
                    ("LastBootUpTime", "2026-01-05T03:04:05Z"),
                    ("LocalDateTime", "2026-01-06T03:04:05Z"),
                    ("ProductType", "3"),
                    ("Version", "10.0.17763"),
                ],
            )
            .with_instance("Win32_ComputerSystem", &[("PartOfDomain", "false")])
    }

    #[tokio::test]
    async fn a_marked_host_is_asked_how_long_it_has_been_up() {
        let mut probe = Probe::default();
        probe.values.insert(mark::path());
        let up = &[("SystemUpTime", "86400")];
        let timed = || fs01().with_instance("Win32_PerfFormattedData_PerfOS_System", up);
        let marked = |host: Imagined| {
            let text = Value::Sz("run-0 2026-01-05T00:00:00Z".to_owned());
            host.with_value(r"SOFTWARE\rmsfleet", "RestartOwed", text)
        };
        for (mut host, expected) in
            [(timed(), None), (marked(timed()), Some(86_400)), (marked(fs01()), None)]
        {
            let seen = observe(&mut host, &probe, Timestamp::UNIX_EPOCH).await.unwrap();
            assert_eq!(seen.up_seconds, expected);
        }
    }

    #[tokio::test]
    async fn a_probe_is_answered_in_full_and_changes_nothing() {
        let mut host = fs01().denying(r"SOFTWARE\Microsoft");
        let path = ValuePath::new(r"SOFTWARE\Absent", "x");
        let key = KeyPath::new(r"SOFTWARE\Microsoft");
        let mut probe = Probe::default();
        probe.values.insert(path.clone());
        probe.listings.insert(key.clone());
        probe.access.insert(key.clone());
        let seen = observe(&mut host, &probe, Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!(seen.value(&path), Reading::Known(State::Absent));
        assert_eq!(seen.listings.get(&key), Some(&Listing::Unreadable("access denied".into())));
        assert_eq!(seen.access.get(&key), Some(&Access::Denied));
        assert_eq!(host.acts(), Vec::<String>::new());
    }
}
