//! Classification rules and file management jobs: what a playbook orders, against what a file
//! server has (`connector.md` 4.3).

use crate::model::facts::HostSurvey;
use crate::model::facts::Survey;
use crate::model::fileserver::EXISTS;
use crate::model::fileserver::FileObject;
use crate::model::fileserver::named;
use crate::model::host::Host;
use crate::model::rollout::Playbook;
use crate::model::rollout::ServerOrder;
use crate::model::rollout::StageWork;
use crate::model::rollout::StepOrder;
use crate::model::step::Act;
use crate::model::step::Setting;
use crate::model::step::SettingValue;

/// Whether the playbook orders any: nothing else needs to know what file servers have.
pub fn is_ordered(playbook: &Playbook) -> bool {
    playbook.stages.iter().any(|stage| {
        let StageWork::Step(StepOrder::Servers { act, .. }) = &stage.work else { return false };
        matches!(act, ServerOrder::FileObject { .. })
    })
}

/// The act for one server, and why it cannot be done: an object of that name that differs belongs
/// to somebody, and one that could not be read may be there.
pub fn act(
    host: &Host,
    survey: &Survey,
    object: FileObject,
    name: &str,
    wanted: &[(String, SettingValue)],
) -> (Act, Option<String>) {
    let told = match survey.hosts.get(&host.name) {
        Some(HostSurvey::Read(observation)) => {
            observation.particulars.file_objects.told().map_err(str::to_owned)
        }
        Some(HostSurvey::Failed(failure)) => Err(failure.text()),
        None => Err("the survey has no answer of this host".to_owned()),
    };
    let word = object.word();
    let (found, mut held) = match told {
        Ok(found) => (named(found, object, name), None),
        Err(reason) => (
            named(&[], object, name),
            Some(format!("the {word}s of {} were not read: {reason}", host.name)),
        ),
    };
    let exists = [(EXISTS.to_owned(), SettingValue::Bool(true))];
    let settings: Vec<Setting> = exists
        .iter()
        .chain(wanted)
        .map(|(name, after)| Setting {
            name: name.clone(),
            before: found.get(name).cloned().unwrap_or(SettingValue::Untold),
            after: after.clone(),
        })
        .collect();
    let is_there = found.get(EXISTS) == Some(&SettingValue::Bool(true));
    let other: Vec<&Setting> = settings.iter().filter(|one| !one.is_satisfied()).collect();
    if let ([first, ..], true) = (other.as_slice(), is_there) {
        held = Some(format!(
            "{} has a {word} `{name}` already, and its {} is {}, not {}: it is left alone; give \
             another name, or remove it by hand",
            host.name, first.name, first.before, first.after
        ));
    }
    (Act::FileObject { object, name: name.to_owned(), settings }, held)
}

/// Whether a file server has what is ordered. Of other acts that is not known here.
pub fn is_satisfied(act: &Act) -> bool {
    match act {
        Act::FileObject { settings, .. } => settings.iter().all(Setting::is_satisfied),
        Act::ExchangeIrm { .. }
        | Act::RefreshCertificates
        | Act::SharepointIrm { .. }
        | Act::ClearFolder { .. }
        | Act::CycleServices { .. } => false,
    }
}
