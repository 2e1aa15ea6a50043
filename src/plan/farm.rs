//! The SharePoint farm's step: once per farm, after every front end is verified.

use std::collections::BTreeMap;

use crate::model::facts::Survey;
use crate::model::farm::Farm;
use crate::model::host::FarmRole;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::origin::Origin;
use crate::model::outcome::Failure;
use crate::model::plan::Blocker;
use crate::model::plan::OrganisationStep;
use crate::model::product::Role;
use crate::model::rollout::FarmOrder;
use crate::model::step::Act;
use crate::model::step::ByHand;
use crate::model::step::Setting;
use crate::model::step::SettingValue;
use crate::plan::identity::identity_of;

/// The farms of the inventory by name: `rms_farm`, or the only server's own name.
///
/// Servers without `rms_farm` are one farm each: nothing says that they belong together.
pub fn farms(hosts: &[Host]) -> BTreeMap<String, Vec<&Host>> {
    let mut farms: BTreeMap<String, Vec<&Host>> = BTreeMap::new();
    for host in hosts.iter().filter(|host| host.role == Some(Role::Sharepoint)) {
        farms.entry(name_of(host)).or_default().push(host);
    }
    farms
}

/// What a SharePoint server's farm has told, to whichever of its servers was asked.
pub fn told_of<'s>(host: &Host, survey: &'s Survey) -> Option<&'s Farm> {
    survey.farms.get(&name_of(host))?.as_ref().ok()
}

/// The name under which a server's farm is asked.
pub fn name_of(host: &Host) -> String {
    host.farm.clone().unwrap_or_else(|| host.name.short().to_owned())
}

/// The server of a farm whose endpoint is used: one that hosts Central Administration, else the
/// first.
pub fn via<'a>(members: &[&'a Host]) -> Option<&'a Host> {
    let central = |host: &&&Host| host.farm_roles.contains(&FarmRole::CentralAdmin);
    let in_scope = || members.iter().filter(|host| host.in_scope());
    in_scope().find(central).or_else(|| in_scope().next()).copied()
}

/// Plans one step per farm. `hosts` is the whole inventory, whatever the run is limited to.
pub fn steps(
    hosts: &[Host],
    survey: &Survey,
    order: &FarmOrder,
    waived: &[String],
) -> (Vec<OrganisationStep>, Vec<Blocker>) {
    let mut steps: Vec<OrganisationStep> = Vec::new();
    let mut blockers = Vec::new();
    for (name, members) in farms(hosts) {
        let Some(via) = via(&members) else { continue };
        let Some(connector) = &via.connector else { continue };
        let found = survey.farms.get(&name);
        let step = match (found, &order.by_hand) {
            (Some(Ok(farm)), _) => step(&name, farm, via, connector, order),
            (None | Some(Err(_)), Some(_)) => unread(&name, via, connector, order),
            (Some(Err(failure)), None) => OrganisationStep {
                held: Some(out_of_reach(failure)),
                ..unread(&name, via, connector, order)
            },
            (None, None) => continue,
        };
        let twin = steps.iter().find(|other| other.identity.eq_ignore_ascii_case(&step.identity));
        if let Some(twin) = twin {
            blockers.push(Blocker {
                id: "farm".to_owned(),
                text: format!(
                    "`{name}` and `{}` are one farm, {}",
                    twin.organisation, step.identity
                ),
                hint: Some("give its servers the same `rms_farm`".to_owned()),
            });
            continue;
        }
        steps.push(complete(step, &members, found, survey, waived));
    }
    (steps, blockers)
}

fn step(
    name: &str,
    farm: &Farm,
    via: &Host,
    connector: &Origin,
    order: &FarmOrder,
) -> OrganisationStep {
    let read = |name: &str| farm.irm.get(name).cloned().unwrap_or(SettingValue::Untold);
    let mut settings = vec![Setting {
        name: "IrmEnabled".to_owned(),
        before: read("IrmEnabled"),
        after: SettingValue::Bool(order.enabled),
    }];
    if order.enabled {
        settings.push(Setting {
            name: "CertificateServerUrl".to_owned(),
            before: read("CertificateServerUrl"),
            after: SettingValue::Text(connector.to_string()),
        });
    }
    // A server that is named excludes the one found in the directory.
    if order.enabled && read("UseActiveDirectoryDiscovery") == SettingValue::Bool(true) {
        settings.push(Setting {
            name: "UseActiveDirectoryDiscovery".to_owned(),
            before: SettingValue::Bool(true),
            after: SettingValue::Bool(false),
        });
    }
    let satisfied = settings.iter().all(Setting::is_satisfied);
    OrganisationStep {
        identity: farm.id.clone().unwrap_or_else(|| name.to_owned()),
        organisation: name.to_owned(),
        via: via.name.clone(),
        endpoint: via.endpoint.clone(),
        credential: via.credential.clone(),
        user: via.user.clone(),
        act: Act::SharepointIrm { settings, configuration: via.sharepoint.clone(), server: None },
        satisfied,
        needs: Vec::new(),
        missing: Vec::new(),
        waived: Vec::new(),
        held: None,
        by_hand: order.by_hand.filter(|_| !satisfied).map(|timeout| ByHand {
            instructions: instructions(connector, order.enabled),
            timeout,
        }),
    }
}

/// A farm whose cmdlets nobody could call: nothing is known of it.
fn unread(name: &str, via: &Host, connector: &Origin, order: &FarmOrder) -> OrganisationStep {
    let unread = Farm { id: None, via: via.name.clone(), irm: BTreeMap::new(), servers: None };
    step(name, &unread, via, connector, order)
}

/// What a person does in Central Administration.
fn instructions(connector: &Origin, enabled: bool) -> Vec<String> {
    let last = if enabled {
        format!("choose \"Use this RMS server:\" and enter {connector} (no path), then OK")
    } else {
        "choose \"Do not use IRM on this server\", then OK; check in no document of a protected \
         library before that: one that is checked out stays unreadable"
            .to_owned()
    };
    vec![
        "open Central Administration of the farm".to_owned(),
        "Security > Information policy > Configure information rights management".to_owned(),
        last,
    ]
}

fn complete(
    step: OrganisationStep,
    members: &[&Host],
    found: Option<&Result<Farm, Failure>>,
    survey: &Survey,
    waived: &[String],
) -> OrganisationStep {
    let is_waived = |name: &str| {
        let short = name.split('.').next().unwrap_or(name);
        waived.iter().any(|own| own.eq_ignore_ascii_case(name) || own.eq_ignore_ascii_case(short))
    };
    let scoped = members.iter().filter(|host| host.in_scope());
    let (excused, needs): (Vec<&&Host>, Vec<&&Host>) =
        scoped.partition(|host| is_waived(host.name.as_str()));
    let servers = match found {
        Some(Ok(farm)) => farm.servers.as_deref().unwrap_or_default(),
        Some(Err(_)) | None => &[],
    };
    let (pardoned, missing): (Vec<String>, Vec<String>) = servers
        .iter()
        .filter(|server| !is_no_member(server.role.as_deref()))
        // A server that the inventory keeps out of the run was not configured by it.
        .filter(|server| {
            let mut scoped = members.iter().filter(|host| host.in_scope());
            !scoped.any(|host| is_same(&server.name, host, survey))
        })
        .map(|server| server.name.clone())
        .partition(|name| is_waived(name));
    let names = |hosts: Vec<&&Host>| -> Vec<HostName> {
        hosts.into_iter().map(|host| host.name.clone()).collect()
    };
    let excused = names(excused).into_iter().map(|name| name.0);
    OrganisationStep {
        needs: names(needs),
        missing,
        waived: pardoned.into_iter().chain(excused).collect(),
        ..step
    }
}

/// `Invalid` is how a farm lists database and mail servers that run no SharePoint.
pub(crate) fn is_no_member(role: Option<&str>) -> bool {
    role.is_some_and(|role| role.eq_ignore_ascii_case("Invalid"))
}

fn is_same(name: &str, host: &Host, survey: &Survey) -> bool {
    let short = name.split('.').next().unwrap_or(name);
    short.eq_ignore_ascii_case(host.name.short())
        || identity_of(survey, &host.name)
            .is_some_and(|identity| identity.computer.eq_ignore_ascii_case(short))
}

fn out_of_reach(failure: &Failure) -> String {
    format!(
        "the farm's cmdlets do not answer ({}); they ask the farm's database: give the server an \
         endpoint that may (`rms_sharepoint_configuration`), or do the step by hand (`mode: manual` \
         in the playbook); docs/routes.md",
        failure.text()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::farm::FarmServer;
    use crate::model::outcome::FailureKind;
    use crate::plan::sample::Fleet;

    fn hosts() -> Vec<Host> {
        let mut hosts = Fleet::new(&["SP1", "SP2", "FS1"]).hosts;
        for host in hosts.iter_mut().filter(|host| host.role == Some(Role::Sharepoint)) {
            host.farm = Some("SP".to_owned());
        }
        hosts
    }

    fn farm(enabled: bool, server: &str) -> Farm {
        let row = |name: &str, role: &str| FarmServer {
            name: name.to_owned(),
            role: Some(role.to_owned()),
        };
        let settings = [
            ("IrmEnabled", SettingValue::Bool(enabled)),
            ("CertificateServerUrl", SettingValue::Text(server.to_owned())),
        ];
        Farm {
            id: Some("f1".to_owned()),
            via: HostName::new("SP1"),
            irm: settings.map(|(name, value)| (name.to_owned(), value)).into(),
            servers: Some(vec![
                row("SP1", "WebFrontEnd"),
                row("SP2", "WebFrontEnd"),
                row("APP1", "Application"),
                row("SQL1", "Invalid"),
            ]),
        }
    }

    fn planned(
        farm: Result<Farm, Failure>,
        by_hand: Option<u32>,
        waived: &[&str],
    ) -> OrganisationStep {
        let survey = Survey { farms: [("SP".to_owned(), farm)].into(), ..Survey::default() };
        let order = FarmOrder { enabled: true, by_hand };
        let waived: Vec<String> = waived.iter().map(|name| (*name).to_owned()).collect();
        let (mut steps, blockers) = steps(&hosts(), &survey, &order, &waived);
        assert_eq!((steps.len(), blockers.len()), (1, 0));
        steps.remove(0)
    }

    #[test]
    fn a_farm_is_one_step_and_forgotten_servers_are_named() {
        let step = planned(Ok(farm(false, "")), None, &[]);
        assert_eq!((step.identity.as_str(), step.organisation.as_str()), ("f1", "SP"));
        assert_eq!(step.needs, [HostName::new("SP1"), HostName::new("SP2")]);
        assert_eq!(step.missing, ["APP1"]);
        assert!(!step.satisfied && step.held.is_none() && step.by_hand.is_none());
        let step = planned(Ok(farm(false, "")), None, &["app1", "SP2"]);
        assert_eq!(
            (step.missing.len(), step.waived.as_slice()),
            (0, &["APP1".into(), "SP2".into()][..])
        );
        assert_eq!(step.needs, [HostName::new("SP1")]);
    }

    #[test]
    fn a_farm_that_is_as_wanted_needs_nothing_whatever_the_spelling() {
        assert!(planned(Ok(farm(true, "HTTPS://RMS.contoso.com/")), None, &[]).satisfied);
        assert!(!planned(Ok(farm(true, "https://adrms.contoso.com")), None, &[]).satisfied);
        assert!(!planned(Ok(farm(true, "https://rms.contoso.com/_wmcs")), None, &[]).satisfied);
    }

    #[test]
    fn a_farm_that_was_not_read_is_held_or_done_by_hand() {
        let unread = || Err(Failure::new(FailureKind::Fault, "not accessible"));
        let step = planned(unread(), None, &[]);
        assert!(step.held.is_some_and(|why| why.contains("not accessible")));
        let step = planned(unread(), Some(60), &[]);
        assert!(step.held.is_none() && step.by_hand.is_some_and(|hand| hand.timeout == 60));
        // What the farm has already needs nobody's hand.
        assert_eq!(planned(Ok(farm(true, "https://rms.contoso.com")), Some(60), &[]).by_hand, None);
    }

    #[test]
    fn the_inverse_turns_off_and_leaves_the_server_that_cannot_be_unset() {
        let step = planned(Ok(farm(false, "")), None, &[]);
        let inverse = step.act.inverse().unwrap();
        let [setting] = inverse.settings() else { panic!("{inverse:?}") };
        assert_eq!(
            (setting.name.as_str(), &setting.after),
            ("IrmEnabled", &SettingValue::Bool(false))
        );
        assert_eq!(
            planned(Ok(farm(true, "https://rms.contoso.com")), None, &[]).act.inverse(),
            None
        );
    }
}
