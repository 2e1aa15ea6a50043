//! Stages: which host belongs to which, in what batches, with what budget and restart order.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::host::FarmRole;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::plan::Blocker;
use crate::model::rollout::BatchSize;
use crate::model::rollout::Budget;
use crate::model::rollout::PlaybookStage;
use crate::model::rollout::StageWork;
use crate::model::surveyed::Surveyed;

/// Resolves a host pattern to names, in the inventory's order; the error is for people.
pub type Select<'a> = dyn Fn(&str, &Surveyed) -> Result<Vec<HostName>, String> + 'a;

/// The hosts of each stage. A host belongs to the first stage whose pattern matches it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dealt {
    /// As many as the playbook has stages; empty for an organisation step.
    pub stages: Vec<Vec<HostName>>,
    pub blockers: Vec<Blocker>,
}

impl Dealt {
    pub fn contains(&self, name: &HostName) -> bool {
        self.stages.iter().any(|stage| stage.contains(name))
    }
}

/// Deals the eligible hosts out to the stages.
pub fn deal(
    stages: &[PlaybookStage],
    select: &Select<'_>,
    surveyed: &Surveyed,
    eligible: &BTreeSet<&HostName>,
) -> Dealt {
    let mut dealt = Dealt::default();
    let mut taken: BTreeSet<HostName> = BTreeSet::new();
    for stage in stages {
        let names = match &stage.work {
            StageWork::Step(_) => Vec::new(),
            StageWork::Hosts { pattern, .. } => {
                select(pattern, surveyed).unwrap_or_else(|reason| {
                    dealt.blockers.push(no_pattern(&stage.name, &reason));
                    Vec::new()
                })
            }
        };
        let fresh = names
            .into_iter()
            .filter(|name| eligible.contains(name) && taken.insert(name.clone()))
            .collect();
        dealt.stages.push(fresh);
    }
    dealt
}

/// A stage's pattern that finds nobody.
pub fn no_pattern(stage: &str, reason: &str) -> Blocker {
    Blocker {
        id: "pattern".to_owned(),
        text: format!("stage `{stage}`: {reason}"),
        hint: Some("correct the stage's `hosts` in the playbook".to_owned()),
    }
}

/// Cuts a stage's hosts into batches: the list of sizes in order, the last one repeated. One that
/// doubles grows up to `most`.
pub fn batches(hosts: &[HostName], serial: &[BatchSize], most: u32) -> Vec<Vec<HostName>> {
    let mut rest = hosts;
    let mut batches = Vec::new();
    let mut sizes = serial.iter();
    let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
    let mut rule = None;
    let mut before = 0_usize;
    while !rest.is_empty() {
        rule = sizes.next().or(rule);
        let size = match rule {
            None => hosts.len(),
            Some(BatchSize::Count(count)) => usize::try_from(*count).unwrap_or(usize::MAX),
            Some(BatchSize::Percent(percent)) => share(hosts.len(), *percent).div_ceil(100),
            Some(BatchSize::Doubling) => before.saturating_mul(2).min(most.max(before)),
        };
        before = size.max(1);
        let (batch, later) = rest.split_at(size.clamp(1, rest.len()));
        batches.push(batch.to_vec());
        rest = later;
    }
    batches
}

/// How many failures a stage of so many hosts bears; one more stops the run.
pub fn budget(budget: Budget, hosts: usize) -> u32 {
    match budget {
        Budget::Failures(failures) => failures,
        Budget::Percent(percent) => u32::try_from(share(hosts, percent) / 100).unwrap_or(u32::MAX),
    }
}

/// The restart order: canaries by rank, then alternating sites, hosts that carry Central
/// Administration last.
pub fn restart_order(hosts: &[&Host]) -> Vec<HostName> {
    let mut seen: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut keyed: Vec<_> = hosts
        .iter()
        .enumerate()
        .map(|(place, host)| {
            let turn = seen.entry(host.site.as_deref()).or_default();
            *turn += 1;
            let central = host.farm_roles.contains(&FarmRole::CentralAdmin);
            ((central, host.canary.unwrap_or(u32::MAX), *turn, place), &host.name)
        })
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, name)| name.clone()).collect()
}

fn share(hosts: usize, percent: u32) -> usize {
    hosts.saturating_mul(usize::try_from(percent).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::product::Role;
    use crate::plan::sample;

    fn names(count: usize) -> Vec<HostName> {
        (1..=count).map(|number| HostName::new(format!("H{number}"))).collect()
    }

    #[track_caller]
    fn check_batches(hosts: usize, serial: &[BatchSize], expected: &[usize]) {
        let hosts = names(hosts);
        let got = batches(&hosts, serial, 5);
        assert_eq!(got.iter().map(Vec::len).collect::<Vec<_>>(), expected);
        assert_eq!(got.concat(), hosts);
    }

    #[test]
    fn the_last_batch_size_repeats_and_percents_round_up() {
        use BatchSize::Count;
        use BatchSize::Doubling;
        use BatchSize::Percent;
        check_batches(10, &[Count(1), Percent(15), Count(5)], &[1, 2, 5, 2]);
        check_batches(5, &[Count(2)], &[2, 2, 1]);
        check_batches(3, &[Percent(1)], &[1, 1, 1]);
        check_batches(3, &[Percent(100)], &[3]);
        check_batches(3, &[], &[3]);
        check_batches(0, &[Count(1)], &[]);
        check_batches(2, &[Count(0)], &[1, 1]);
        check_batches(2, &[Count(u32::MAX)], &[2]);
        check_batches(20, &[Doubling], &[1, 2, 4, 5, 5, 3]);
        check_batches(9, &[Count(2), Doubling], &[2, 4, 3]);
        check_batches(20, &[Count(7), Doubling], &[7, 7, 6]);
    }

    #[test]
    fn a_budget_is_rounded_down() {
        for (percent, hosts, expected) in
            [(0, 10, 0), (10, 9, 0), (10, 10, 1), (34, 3, 1), (99, 3, 2), (100, 3, 3), (50, 0, 0)]
        {
            let got = budget(Budget::Percent(percent), hosts);
            assert_eq!(got, expected, "{percent} % of {hosts}");
        }
        assert_eq!(budget(Budget::Failures(1), 0), 1);
    }

    #[test]
    fn a_host_belongs_to_the_first_stage_that_matches_it() {
        let stages = [sample::stage("canary", "c"), sample::stage("all", "a")];
        let all = names(4);
        let eligible: BTreeSet<&HostName> = all.iter().take(3).collect();
        let select = |pattern: &str, _: &Surveyed| match pattern {
            "c" => Ok(names(1)),
            "a" => Ok(names(4)),
            other => Err(format!("unknown pattern `{other}`")),
        };
        let dealt = deal(&stages, &select, &Surveyed::default(), &eligible);
        assert_eq!(dealt.stages, [names(1), names(3).split_off(1)]);
        assert!(dealt.blockers.is_empty());
        let wrong = deal(&[sample::stage("x", "nope")], &select, &Surveyed::default(), &eligible);
        assert_eq!(wrong.blockers[0].text, "stage `x`: unknown pattern `nope`");
    }

    #[test]
    fn restarts_alternate_sites_and_leave_central_administration_last() {
        let make = |name: &str, site: &str, canary, central: bool| {
            let mut host = sample::host(name, Role::Sharepoint);
            host.site = Some(site.to_owned());
            host.canary = canary;
            if central {
                host.farm_roles = vec![FarmRole::CentralAdmin];
            }
            host
        };
        let hosts = [
            make("CA", "ams", None, true),
            make("A1", "ams", None, false),
            make("A2", "ams", None, false),
            make("F1", "fra", None, false),
            make("F2", "fra", Some(1), false),
        ];
        let order = restart_order(&hosts.iter().collect::<Vec<_>>());
        let order: Vec<&str> = order.iter().map(HostName::as_str).collect();
        assert_eq!(order, ["F2", "F1", "A1", "A2", "CA"]);
    }
}
