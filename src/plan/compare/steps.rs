//! Organisation steps: whether what they set is set.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::facts::HostSurvey;
use crate::model::facts::Survey;
use crate::model::fileserver::named;
use crate::model::host::HostName;
use crate::model::outcome::Failure;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::plan::PlannedWork;
use crate::model::probe::Probe;
use crate::model::step::Act;
use crate::model::step::Setting;
use crate::model::step::SettingValue;
use crate::plan::compare::Standing;

/// An organisation step compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepFinding {
    pub organisation: String,
    /// `None` if it could not be read.
    pub holds: Option<bool>,
    /// How it stands; nothing is ever a foreign form here.
    pub standing: Standing,
    /// What was found, or why nothing was.
    pub told: String,
}

/// Lets the hosts that steps go by be asked for what the steps set.
pub fn ask(plan: &Plan, probes: &mut BTreeMap<HostName, Probe>) {
    for step in planned(plan) {
        if step.act.settings().is_empty() {
            continue;
        }
        let probe = probes.entry(step.via.clone()).or_default();
        match step.act {
            Act::ExchangeIrm { .. } => probe.organisation = true,
            Act::SharepointIrm { .. } => probe.farm = true,
            Act::FileObject { .. } => probe.file_objects = true,
            Act::RefreshCertificates | Act::ClearFolder { .. } | Act::CycleServices { .. } => {}
        }
    }
}

fn planned(plan: &Plan) -> impl Iterator<Item = &OrganisationStep> {
    plan.stages.iter().filter_map(|stage| match &stage.work {
        PlannedWork::Hosts { .. } => None,
        PlannedWork::Step(step) => Some(&**step),
    })
}

/// Whether everything is as the plan's steps want it. What leaves nothing behind to look at, a
/// cleared folder or a restarted service, is not told.
pub fn steps(plan: &Plan, survey: &Survey, written: bool) -> Vec<StepFinding> {
    planned(plan)
        .filter(|step| !step.act.settings().is_empty())
        .map(|step| match found(step, survey) {
            Ok(found) => compared(step, written, |setting| found(&setting.name)),
            Err(reason) => unread(step, &reason),
        })
        .collect()
}

type Found<'a> = Box<dyn Fn(&str) -> SettingValue + 'a>;

/// What stands at each setting of the step, or why that is not known.
fn found<'a>(step: &'a OrganisationStep, survey: &'a Survey) -> Result<Found<'a>, String> {
    let or_nobody =
        |failure: Option<&Failure>| failure.map_or_else(|| "nobody told".to_owned(), Failure::text);
    match &step.act {
        Act::ExchangeIrm { .. } => {
            let mut all = survey.organisations.iter();
            let own = all.find(|own| own.dn.eq_ignore_ascii_case(&step.identity));
            let own = own.ok_or_else(|| or_nobody(survey.organisation_failures.get(&step.via)))?;
            Ok(Box::new(|name| own.irm.setting(name)))
        }
        Act::SharepointIrm { .. } => {
            let told = survey.farms.get(&step.organisation);
            let farm = told.ok_or("nobody told")?.as_ref().map_err(Failure::text)?;
            let id = farm.id.as_deref().unwrap_or(&step.organisation);
            if !id.eq_ignore_ascii_case(&step.identity) {
                return Err(format!("expected the farm {}, found {id}", step.identity));
            }
            Ok(Box::new(|name| farm.irm.get(name).cloned().unwrap_or(SettingValue::Untold)))
        }
        Act::FileObject { object, name, .. } => {
            let observation = match survey.hosts.get(&step.via) {
                Some(HostSurvey::Read(observation)) => observation,
                Some(HostSurvey::Failed(failure)) => return Err(failure.text()),
                None => return Err("nobody told".to_owned()),
            };
            let all = observation.particulars.file_objects.told().map_err(str::to_owned)?;
            let own = named(all, *object, name);
            Ok(Box::new(move |name| own.get(name).cloned().unwrap_or(SettingValue::Untold)))
        }
        Act::RefreshCertificates | Act::ClearFolder { .. } | Act::CycleServices { .. } => {
            Err("nothing tells".to_owned())
        }
    }
}

/// The same for a plan that was made just now.
pub fn fresh(plan: &Plan) -> Vec<StepFinding> {
    let told = planned(plan).filter(|step| !step.act.settings().is_empty());
    told.map(|step| match &step.held {
        Some(reason) if step.act.settings().iter().all(is_untold) => unread(step, reason),
        Some(_) | None => compared(step, false, |setting| setting.before.clone()),
    })
    .collect()
}

fn is_untold(setting: &Setting) -> bool {
    setting.before == SettingValue::Untold
}

fn unread(step: &OrganisationStep, reason: &str) -> StepFinding {
    StepFinding {
        organisation: step.organisation.clone(),
        holds: None,
        standing: Standing::Unread(reason.to_owned()),
        told: format!("not read: {reason}"),
    }
}

/// `written` says that a run of ours has set it.
fn compared(
    step: &OrganisationStep,
    written: bool,
    found: impl Fn(&Setting) -> SettingValue,
) -> StepFinding {
    let settings = step.act.settings();
    let all: Vec<(&Setting, SettingValue)> =
        settings.iter().map(|setting| (setting, found(setting))).collect();
    let differs = |(setting, value): &&(&Setting, SettingValue)| !value.is_same(&setting.after);
    let is_before = |(setting, value): &(&Setting, SettingValue)| {
        *value == setting.before || value.is_same(&setting.before)
    };
    let holds = !all.iter().any(|one| differs(&one));
    let standing = if holds {
        Standing::Holds
    } else if !all.iter().filter(differs).all(is_before) {
        Standing::Changed
    } else if written {
        Standing::Reverted
    } else {
        Standing::NeverApplied
    };
    let is_told = |one: &&(&Setting, SettingValue)| {
        !matches!(step.act, Act::FileObject { .. }) || differs(one)
    };
    let told = all.iter().filter(is_told);
    let told: Vec<String> =
        told.map(|(setting, value)| format!("{} {value}", setting.name)).collect();
    let told = match &step.act {
        Act::FileObject { object, name, .. } if told.is_empty() => {
            format!("{} `{name}`", object.word())
        }
        Act::FileObject { object, name, .. } => {
            format!("{} `{name}`: {}", object.word(), told.join(", "))
        }
        _ => told.join(", "),
    };
    StepFinding { organisation: step.organisation.clone(), holds: Some(holds), standing, told }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::farm::Farm;
    use crate::model::plan::PlannedStage;
    use crate::plan::sample::Fleet;

    fn plan(settings: Vec<Setting>) -> Plan {
        let mut plan = Fleet::new(&["EX1", "SP1"]).plan();
        let exchange = plan.stages.iter().find_map(|stage| match &stage.work {
            PlannedWork::Step(step) => Some((**step).clone()),
            PlannedWork::Hosts { .. } => None,
        });
        let step = OrganisationStep {
            identity: "f1".to_owned(),
            organisation: "SP-1".to_owned(),
            via: HostName::new("SP1"),
            act: Act::SharepointIrm { settings, configuration: "Microsoft.PowerShell".to_owned() },
            ..exchange.unwrap()
        };
        let stage = plan.stages.swap_remove(0);
        let (name, work) = ("farm".to_owned(), PlannedWork::Step(Box::new(step)));
        plan.stages = vec![PlannedStage { name, work, ..stage }];
        plan
    }

    #[track_caller]
    fn check(found: Option<(&str, bool)>, written: bool, expected: (Option<bool>, &str)) {
        let on = |before, after| Setting {
            name: "IrmEnabled".to_owned(),
            before: SettingValue::Bool(before),
            after: SettingValue::Bool(after),
        };
        let plan = plan(vec![on(false, true)]);
        let mut survey = Survey::default();
        if let Some((id, enabled)) = found {
            let irm = [("IrmEnabled".to_owned(), SettingValue::Bool(enabled))].into();
            let via = HostName::new("SP1");
            let farm = Farm { id: Some(id.to_owned()), via, irm, servers: None };
            survey.farms.insert("SP-1".to_owned(), Ok(farm));
        }
        let mut probes = BTreeMap::new();
        ask(&plan, &mut probes);
        assert!(probes[&HostName::new("SP1")].farm);
        let [one] = &steps(&plan, &survey, written)[..] else { panic!("one step") };
        assert_eq!(one.holds, expected.0, "{one:?}");
        assert!(format!("{:?} {}", one.standing, one.told).contains(expected.1), "{one:?}");
    }

    #[test]
    fn a_farm_is_compared_by_its_id_and_never_taken_as_read() {
        check(Some(("F1", true)), false, (Some(true), "Holds"));
        check(Some(("f1", false)), false, (Some(false), "NeverApplied"));
        check(Some(("f1", false)), true, (Some(false), "Reverted"));
        check(Some(("f2", true)), false, (None, "expected the farm f1, found f2"));
        check(None, false, (None, "nobody told"));
    }
}
