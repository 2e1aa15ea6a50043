//! A step as plan files hold it, those of the first version included: they knew Exchange's two
//! switches only, and kept them beside the rest.

use serde::Deserialize;

use crate::model::host::Endpoint;
use crate::model::host::HostName;
use crate::model::irm::IrmConfiguration;
use crate::model::step::Act;
use crate::model::step::ByHand;
use crate::model::step::OrganisationStep;
use crate::model::step::Setting;
use crate::model::step::SettingValue;

#[derive(Deserialize)]
pub(super) struct Written {
    #[serde(alias = "dn")]
    identity: String,
    organisation: String,
    via: HostName,
    endpoint: Endpoint,
    credential: String,
    user: Option<String>,
    #[serde(flatten)]
    act: WrittenAct,
    satisfied: bool,
    needs: Vec<HostName>,
    missing: Vec<String>,
    waived: Vec<String>,
    #[serde(default)]
    held: Option<String>,
    #[serde(default)]
    by_hand: Option<ByHand>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenAct {
    Now { act: Act },
    First { before: IrmConfiguration, set_internal_licensing: bool, set_client_access_server: bool },
}

impl From<Written> for OrganisationStep {
    fn from(written: Written) -> Self {
        let act = match written.act {
            WrittenAct::Now { act } => act,
            WrittenAct::First { before, set_internal_licensing, set_client_access_server } => {
                let switches = [
                    (set_internal_licensing, "InternalLicensingEnabled"),
                    (set_client_access_server, "ClientAccessServerEnabled"),
                ];
                let set = switches.into_iter().filter(|(set, _)| *set);
                let settings = set.map(|(_, name)| Setting {
                    name: name.to_owned(),
                    before: before.setting(name),
                    after: SettingValue::Bool(true),
                });
                Act::ExchangeIrm { settings: settings.collect(), before, sender: None }
            }
        };
        Self {
            identity: written.identity,
            organisation: written.organisation,
            via: written.via,
            endpoint: written.endpoint,
            credential: written.credential,
            user: written.user,
            act,
            satisfied: written.satisfied,
            needs: written.needs,
            missing: written.missing,
            waived: written.waived,
            held: written.held,
            by_hand: written.by_hand,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_first_version_opens_with_the_settings_that_it_meant() {
        let text = r#"{"dn":"CN=ControlPoint Config,CN=Contoso","organisation":"Contoso",
            "via":"EX1","endpoint":{"scheme":"http","address":"EX1","port":80,
            "path":"/PowerShell/","transport":"kerberos"},"credential":"default","user":null,
            "before":{"internal_licensing_enabled":false,"external_licensing_enabled":false,
            "client_access_server_enabled":true,"service_location":null,
            "publishing_location":null,"licensing_location":null},
            "set_internal_licensing":true,"set_client_access_server":false,"satisfied":false,
            "needs":["EX1"],"missing":[],"waived":[]}"#;
        let step: OrganisationStep = serde_json::from_str(text).unwrap();
        assert_eq!(step.identity, "CN=ControlPoint Config,CN=Contoso");
        let [setting] = step.act.settings() else { panic!("{step:?}") };
        assert_eq!(setting.name, "InternalLicensingEnabled");
        assert_eq!(setting.before, SettingValue::Bool(false));
        let again = serde_json::to_string(&step).unwrap();
        assert_eq!(serde_json::from_str::<OrganisationStep>(&again).unwrap(), step);
    }
}
