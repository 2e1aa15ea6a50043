//! What the survey says about each host, for the computed groups of the playbook's stages.

use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::host::PriorAdrms;
use crate::model::plan::PlannedHost;
use crate::model::product::Role;
use crate::model::surveyed::Surveyed;
use crate::model::verdict::Evidence;
use crate::model::verdict::Weight;
use crate::plan::host;
use crate::plan::host::Context;

/// Asked before the stages are dealt, of the hosts that get values and were read.
pub fn surveyed(hosts: &[Host], context: Context<'_>) -> Surveyed {
    let mut surveyed = Surveyed::default();
    for one in hosts {
        let Some(role) = one.role.filter(|role| *role != Role::Connector && one.in_scope()) else {
            continue;
        };
        let planned = host::target(one, role, context);
        if planned.identity.is_some() {
            note(&mut surveyed, &one.name, one.prior_adrms, &planned);
        }
    }
    surveyed
}

fn note(surveyed: &mut Surveyed, name: &HostName, says: PriorAdrms, planned: &PlannedHost) {
    if !planned.changes.is_empty() {
        surveyed.drifted.insert(name.clone());
    }
    if planned.restart_owed.is_some() && !planned.mark_paid {
        surveyed.restart_owed.insert(name.clone());
    }
    surveyed.prior_adrms.insert(name.clone(), prior(says, &planned.verdict.evidence));
    if let Some(product) = planned.product {
        surveyed.products.insert(name.clone(), product);
    }
}

/// The evidence of the host's own rows; what the inventory says counts where they do not decide.
fn prior(says: PriorAdrms, evidence: &[Evidence]) -> PriorAdrms {
    let has = |weight| evidence.iter().any(|one| one.row.is_some() && one.weight == weight);
    if has(Weight::For) {
        PriorAdrms::Used
    } else if says == PriorAdrms::Auto && has(Weight::Against) && !has(Weight::Unknown) {
        PriorAdrms::Never
    } else {
        says
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::rollout::StageWork;
    use crate::plan::sample;
    use crate::plan::sample::Fleet;

    fn fact(weight: Weight) -> Evidence {
        Evidence { row: Some(1), weight, text: String::new() }
    }

    #[test]
    fn prior_use_is_told_by_evidence_first() {
        use PriorAdrms::Auto;
        use PriorAdrms::Never;
        use PriorAdrms::Used;
        let own = Evidence { row: None, weight: Weight::For, text: String::new() };
        for (says, evidence, expected) in [
            (Never, vec![fact(Weight::For)], Used),
            (Auto, vec![fact(Weight::Against)], Never),
            (Auto, vec![fact(Weight::Against), fact(Weight::Unknown)], Auto),
            (Auto, vec![own], Auto),
            (Used, vec![fact(Weight::Against)], Used),
            (Never, vec![fact(Weight::Unknown)], Never),
        ] {
            assert_eq!(prior(says, &evidence), expected, "{says:?} {evidence:?}");
        }
    }

    #[test]
    fn a_stage_can_take_the_hosts_that_have_drifted() {
        let mut fleet = Fleet::new(&["FS1", "FS2"]);
        let plan = fleet.plan();
        fleet.apply(&plan);
        fleet.set(
            "FS2",
            r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation",
            "",
            "https://other",
        );
        fleet.playbook.stages = vec![sample::stage("late", "drifted")];
        let context = Context {
            playbook: &fleet.playbook,
            pack: &fleet.pack,
            survey: &fleet.survey,
            nodes: &[],
            earlier: &std::collections::BTreeSet::new(),
            twins: &std::collections::BTreeMap::new(),
            hosts: &[],
        };
        let found = surveyed(&fleet.hosts, context);
        let drifted: Vec<&str> = found.drifted.iter().map(HostName::as_str).collect();
        assert_eq!(drifted, ["FS2"]);
        assert!(matches!(fleet.playbook.stages[0].work, StageWork::Hosts { .. }));
    }
}
