//! Organisation steps: whether what they set is set.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::facts::HostSurvey;
use crate::model::facts::Survey;
use crate::model::fileserver::named;
use crate::model::host::HostName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::plan::PlannedStage;
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
    /// Why nothing was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Lets the hosts that steps go by be asked for what the steps set.
pub fn ask(plan: &Plan, probes: &mut BTreeMap<HostName, Probe>) {
    for step in planned(&plan.stages) {
        ask_of(step, probes);
    }
}

/// The same for one step.
pub(in crate::plan) fn ask_of(step: &OrganisationStep, probes: &mut BTreeMap<HostName, Probe>) {
    if step.act.settings().is_empty() {
        return;
    }
    let probe = probes.entry(step.via.clone()).or_default();
    match step.act {
        Act::ExchangeIrm { .. } => probe.organisation = true,
        Act::SharepointIrm { .. } => probe.farm = true,
        Act::FileObject { .. } => probe.file_objects = true,
        Act::RefreshCertificates | Act::ClearFolder { .. } | Act::CycleServices { .. } => {}
    }
}

fn planned(stages: &[PlannedStage]) -> impl Iterator<Item = &OrganisationStep> {
    stages.iter().filter_map(|stage| match &stage.work {
        PlannedWork::Hosts { .. } => None,
        PlannedWork::Step(step) => Some(&**step),
    })
}

/// What two steps must have in common to set the same thing; `None` where nothing is left to
/// compare with.
pub fn object(step: &OrganisationStep) -> Option<String> {
    let what = step.act.object()?;
    Some(format!("{what} {}", step.identity).to_lowercase())
}

/// One step for each thing that the plan sets: it begins where the first step on it begins, and
/// ends where the last one ends, setting by setting.
fn merged(plan: &Plan) -> Vec<OrganisationStep> {
    let mut merged: Vec<(String, OrganisationStep)> = Vec::new();
    for step in planned(&plan.stages) {
        let Some(key) = object(step).filter(|_| !step.act.settings().is_empty()) else { continue };
        let mut step = step.clone();
        match merged.iter_mut().find(|(known, _)| *known == key) {
            None => merged.push((key, step)),
            Some((_, earlier)) => {
                step.act.keep(&earlier.act);
                step.act.begin_with(&earlier.act);
                *earlier = step;
            }
        }
    }
    merged.into_iter().map(|(_, step)| step).collect()
}

/// Whether everything is as the plan's steps want it. What leaves nothing behind to look at, a
/// cleared folder or a restarted service, is not told.
pub fn steps(plan: &Plan, survey: &Survey, written: bool) -> Vec<StepFinding> {
    let told = merged(plan);
    told.iter()
        .map(|step| match found(step, survey) {
            Ok(found) => compared(step, written, |setting| found(&setting.name)),
            Err(failure) => unread(step, failure),
        })
        .collect()
}

/// What is read at a setting, by its name.
pub(in crate::plan) type Found<'a> = Box<dyn Fn(&str) -> SettingValue + 'a>;

/// What stands at each setting of the step, or why that is not known.
pub(in crate::plan) fn found<'a>(
    step: &'a OrganisationStep,
    survey: &'a Survey,
) -> Result<Found<'a>, Failure> {
    let nobody = || match survey.hosts.get(&step.via) {
        Some(HostSurvey::Failed(failure)) => by(step, failure),
        Some(HostSurvey::Read(_)) | None => Failure::new(FailureKind::Fault, "nobody told"),
    };
    match &step.act {
        Act::ExchangeIrm { .. } => {
            let mut all = survey.organisations.iter();
            let own = all.find(|own| own.dn.eq_ignore_ascii_case(&step.identity));
            let own = own.ok_or_else(|| {
                let failure = survey.organisation_failures.get(&step.via);
                failure.map_or_else(nobody, |failure| by(step, failure))
            })?;
            Ok(Box::new(|name| own.irm.setting(name)))
        }
        Act::SharepointIrm { .. } => {
            let told = survey.farms.get(&step.organisation).ok_or_else(nobody)?;
            let farm = told.as_ref().map_err(|failure| by(step, failure))?;
            let id = farm.id.as_deref().unwrap_or(&step.organisation);
            if !id.eq_ignore_ascii_case(&step.identity) {
                let text = format!("expected the farm {}, found {id}", step.identity);
                return Err(Failure::new(FailureKind::WrongHost, text));
            }
            Ok(Box::new(|name| farm.irm.get(name).cloned().unwrap_or(SettingValue::Untold)))
        }
        Act::FileObject { object, name, .. } => {
            let Some(HostSurvey::Read(observation)) = survey.hosts.get(&step.via) else {
                return Err(nobody());
            };
            let all = observation.particulars.file_objects.told();
            let own =
                named(all.map_err(|why| Failure::new(FailureKind::Fault, why))?, *object, name);
            Ok(Box::new(move |name| own.get(name).cloned().unwrap_or(SettingValue::Untold)))
        }
        Act::RefreshCertificates | Act::ClearFolder { .. } | Act::CycleServices { .. } => {
            Err(Failure::new(FailureKind::Fault, "nothing tells"))
        }
    }
}

/// The failure, with the server that it is of.
fn by(step: &OrganisationStep, failure: &Failure) -> Failure {
    let mut failure = failure.clone();
    failure.chain.insert(0, step.via.to_string());
    failure
}

/// The same for a plan that was made just now.
pub fn fresh(plan: &Plan) -> Vec<StepFinding> {
    let told = merged(plan);
    told.iter()
        .map(|step| match &step.held {
            Some(reason) if step.act.settings().iter().all(is_untold) => {
                unread(step, Failure::new(FailureKind::Fault, reason))
            }
            Some(_) | None => compared(step, false, |setting| setting.before.clone()),
        })
        .collect()
}

fn is_untold(setting: &Setting) -> bool {
    setting.before == SettingValue::Untold
}

fn unread(step: &OrganisationStep, failure: Failure) -> StepFinding {
    let reason = failure.text();
    StepFinding {
        organisation: step.organisation.clone(),
        holds: None,
        told: format!("not read: {reason}"),
        standing: Standing::Unread(reason),
        failure: Some(failure),
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
    StepFinding {
        organisation: step.organisation.clone(),
        holds: Some(holds),
        standing,
        told,
        failure: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::farm::Farm;
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
            act: Act::SharepointIrm {
                settings,
                configuration: "Microsoft.PowerShell".to_owned(),
                server: None,
            },
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

    #[test]
    fn of_steps_on_one_thing_the_last_word_counts_setting_by_setting() {
        let set = |name: &str, before: SettingValue, after: SettingValue| Setting {
            name: name.to_owned(),
            before,
            after,
        };
        let (on, off) = (SettingValue::Bool(true), SettingValue::Bool(false));
        let url = |text: &str| SettingValue::Text(text.to_owned());
        let mut plan = plan(vec![
            set("IrmEnabled", on.clone(), off.clone()),
            set("CertificateServerUrl", url(""), url("https://rms")),
        ]);
        let mut last = plan.stages[0].clone();
        let PlannedWork::Step(step) = &mut last.work else { panic!("a step") };
        *step.act.settings_mut().unwrap() = vec![set("IrmEnabled", off, on.clone())];
        plan.stages.push(last);
        let mut survey = Survey::default();
        let irm = [
            ("IrmEnabled".to_owned(), on),
            ("CertificateServerUrl".to_owned(), url("https://rms")),
        ];
        let farm = Farm {
            id: Some("f1".to_owned()),
            via: HostName::new("SP1"),
            irm: irm.into(),
            servers: None,
        };
        survey.farms.insert("SP-1".to_owned(), Ok(farm));
        let holds = |found: Vec<StepFinding>| -> Vec<Option<bool>> {
            found.into_iter().map(|own| own.holds).collect()
        };
        assert_eq!(holds(steps(&plan, &survey, false)), [Some(true)]);
        // Planned just now, the URL is still to be set, and the switch is as it is to be.
        let told = fresh(&plan);
        assert!(told[0].told.contains("IrmEnabled True"), "{told:?}");
        assert_eq!(holds(told), [Some(false)]);
    }

    #[test]
    fn a_step_whose_server_was_not_reached_is_unreached_and_names_it() {
        let plan = Fleet::new(&["EX1"]).plan();
        let mut survey = Survey::default();
        let failure = Failure::new(FailureKind::Unreachable, "no answer");
        survey.hosts.insert(HostName::new("EX1"), HostSurvey::Failed(failure));
        let [one] = &steps(&plan, &survey, true)[..] else { panic!("one step") };
        assert_eq!(one.failure.as_ref().map(|own| own.kind), Some(FailureKind::Unreachable));
        assert_eq!(one.told, "not read: EX1: no answer");
    }
}
