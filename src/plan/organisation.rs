//! The organisation step: once per Exchange organisation, after every server it depends on.

use crate::model::facts::Identity;
use crate::model::facts::Survey;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::irm::ExchangeServer;
use crate::model::irm::Organisation;
use crate::model::plan::Blocker;
use crate::model::plan::OrganisationStep;
use crate::model::product::Role;
use crate::model::rollout::IrmOrder;
use crate::model::step::Act;
use crate::model::step::Setting;
use crate::model::step::SettingValue;
use crate::plan::identity::identity_of;

/// The organisation that a host belongs to. A host that no organisation lists belongs to the only
/// one there is; with several, that cannot be told.
pub fn organisation_of<'a>(host: &Host, survey: &'a Survey) -> Option<&'a Organisation> {
    let identity = identity_of(survey, &host.name);
    survey.organisations.iter().find(|organisation| lists(organisation, host, identity)).or(
        match survey.organisations.as_slice() {
            [only] => Some(only),
            [] | [_, _, ..] => None,
        },
    )
}

fn lists(organisation: &Organisation, host: &Host, identity: Option<&Identity>) -> bool {
    organisation.via == host.name
        || organisation.servers.iter().any(|server| is_same(server, host, identity))
}

/// Whether a row of `Get-ExchangeServer` is this host: by full name where both have one, else by
/// the short name, or by the computer name that the host gave.
fn is_same(server: &ExchangeServer, host: &Host, identity: Option<&Identity>) -> bool {
    if let (Some(fqdn), true) = (&server.fqdn, host.name.as_str().contains('.')) {
        return fqdn.eq_ignore_ascii_case(host.name.as_str());
    }
    server.name.eq_ignore_ascii_case(host.name.short())
        || identity.is_some_and(|identity| identity.computer.eq_ignore_ascii_case(&server.name))
}

fn is_named(server: &ExchangeServer, name: &str) -> bool {
    server.name.eq_ignore_ascii_case(name)
        || server.fqdn.as_ref().is_some_and(|fqdn| fqdn.eq_ignore_ascii_case(name))
}

/// What is to be done for an organisation.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    Irm(&'a IrmOrder),
    Refresh,
}

/// Plans one step per organisation that was found, from where `now` says that it stands. `hosts`
/// is the whole inventory: neither limits nor stages change what "every Exchange server" means.
pub fn steps(
    hosts: &[Host],
    survey: &Survey,
    now: &[Organisation],
    subject: Subject<'_>,
    waived: &[String],
) -> (Vec<OrganisationStep>, Vec<Blocker>) {
    let mut blockers = Vec::new();
    let mut steps = Vec::new();
    let servers: Vec<&Host> =
        hosts.iter().filter(|host| host.role == Some(Role::Exchange) && host.in_scope()).collect();
    for organisation in now {
        let Some(via) = hosts.iter().find(|host| host.name == organisation.via) else {
            blockers.push(Blocker {
                id: "organisation".to_owned(),
                text: format!("{} is not a host of the inventory", organisation.via),
                hint: None,
            });
            continue;
        };
        match act(organisation, via, subject) {
            Ok(act) => steps.push(step(organisation, via, act, &servers, survey, waived)),
            Err(blocker) => blockers.push(blocker),
        }
    }
    blockers.extend(servers.iter().filter_map(|host| wrong_name(host, survey)));
    (steps, blockers)
}

/// The act, with the settings where they stand now.
fn act(organisation: &Organisation, via: &Host, subject: Subject<'_>) -> Result<Act, Blocker> {
    let order = match subject {
        Subject::Refresh => return Ok(Act::RefreshCertificates),
        Subject::Irm(order) => order,
    };
    let irm = &organisation.irm;
    let mut settings = Vec::new();
    let switches = [
        ("InternalLicensingEnabled", order.internal_licensing),
        ("ClientAccessServerEnabled", order.client_access_server),
    ];
    for (name, wanted) in switches {
        let Some(wanted) = wanted else { continue };
        settings.push(Setting {
            name: name.to_owned(),
            before: irm.setting(name),
            after: SettingValue::Bool(wanted),
        });
    }
    if order.tenant_first {
        settings.push(tenant_first(organisation, via)?);
    }
    Ok(Act::ExchangeIrm { settings, before: irm.clone(), sender: order.sender.clone() })
}

/// `LicensingLocation` with the tenant's URL in front: where several stand there, Azure's must be
/// the first ([Set-IRMConfiguration]; the migration's own text appends it, `connector.md` 4.1).
fn tenant_first(organisation: &Organisation, via: &Host) -> Result<Setting, Blocker> {
    let name = "LicensingLocation".to_owned();
    let blocker = |text: &str, hint: &str| Blocker {
        id: "licensing-location".to_owned(),
        text: format!("{}: {text}", organisation.name),
        hint: Some(hint.to_owned()),
    };
    let Some(tenant) = &via.tenant else {
        return Err(blocker("the tenant's URL is not known", "give `rms_tenant_url`"));
    };
    let Some(list) = &organisation.irm.licensing_location else {
        return Err(blocker(
            "LicensingLocation was not told, so that nothing can be put in front of it",
            "give the account a role that shows the whole IRM configuration",
        ));
    };
    let first = format!("{tenant}/_wmcs/licensing");
    let is_first = |url: &&String| url.trim_end_matches('/').eq_ignore_ascii_case(&first);
    let rest = list.iter().filter(|url| !is_first(url)).cloned();
    let after = std::iter::once(first.clone()).chain(rest).collect();
    let before = SettingValue::List(list.clone());
    Ok(Setting { name, before, after: SettingValue::List(after) })
}

/// Whether the servers must be ready before: what is switched on is used at once.
fn waits_for_servers(act: &Act) -> bool {
    act.settings().iter().any(|setting| setting.after == SettingValue::Bool(true))
}

/// Servers of an organisation that the inventory does not list, by name.
pub struct Unlisted {
    /// Waived by name.
    pub pardoned: Vec<String>,
    pub missing: Vec<String>,
}

/// Looks for servers of the organisation that are in no inventory. `servers` are the inventory's.
pub fn unlisted(
    organisation: &Organisation,
    servers: &[&Host],
    survey: &Survey,
    waived: &[String],
) -> Unlisted {
    let known = |host: &Host| identity_of(survey, &host.name);
    let (pardoned, missing): (Vec<&ExchangeServer>, Vec<&ExchangeServer>) = organisation
        .servers
        .iter()
        .filter(|server| !server.is_edge)
        .filter(|server| !servers.iter().any(|host| is_same(server, host, known(host))))
        .partition(|server| waived.iter().any(|name| is_named(server, name)));
    let names = |servers: Vec<&ExchangeServer>| {
        sorted(servers.into_iter().map(|server| server.name.clone()))
    };
    Unlisted { pardoned: names(pardoned), missing: names(missing) }
}

fn step(
    organisation: &Organisation,
    via: &Host,
    act: Act,
    servers: &[&Host],
    survey: &Survey,
    waived: &[String],
) -> OrganisationStep {
    let known = |host: &Host| identity_of(survey, &host.name);
    let is_waived = |host: &Host| {
        waived.iter().any(|name| {
            name.eq_ignore_ascii_case(host.name.as_str())
                || name.eq_ignore_ascii_case(host.name.short())
        })
    };
    // A host that no organisation is known to list could be a server of any of them.
    let needed = servers.iter().filter(|host| {
        waits_for_servers(&act)
            && (lists(organisation, host, known(host))
                || !survey.organisations.iter().any(|other| lists(other, host, known(host))))
    });
    let (excused, needs): (Vec<&Host>, Vec<&Host>) = needed.partition(|host| is_waived(host));
    let Unlisted { pardoned, missing } = unlisted(organisation, servers, survey, waived);
    let settings = act.settings();
    OrganisationStep {
        identity: organisation.dn.clone(),
        organisation: organisation.name.clone(),
        via: via.name.clone(),
        endpoint: via.exchange.clone(),
        credential: via.credential.clone(),
        user: via.user.clone(),
        satisfied: !settings.is_empty() && settings.iter().all(Setting::is_satisfied),
        act,
        needs: sorted(needs.into_iter().map(|host| host.name.clone())),
        missing,
        waived: sorted(
            pardoned
                .into_iter()
                .chain(excused.into_iter().map(|host| host.name.as_str().to_owned())),
        ),
        held: None,
        by_hand: None,
    }
}

fn sorted<T: Ord>(names: impl Iterator<Item = T>) -> Vec<T> {
    let mut names: Vec<T> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn wrong_name(host: &Host, survey: &Survey) -> Option<Blocker> {
    let asserted = host.organization.as_ref()?;
    let found = organisation_of(host, survey)?;
    if asserted.eq_ignore_ascii_case(&found.name) {
        return None;
    }
    Some(Blocker {
        id: "organisation".to_owned(),
        text: format!(
            "{}: the inventory says organisation `{asserted}`, found `{}`",
            host.name, found.name
        ),
        hint: Some("correct `rms_organization`, or the connection to the host".to_owned()),
    })
}

/// Exchange hosts that were asked for the organisation and did not tell, if nobody told.
pub fn unread(survey: &Survey) -> Option<Blocker> {
    if !survey.organisations.is_empty() {
        return None;
    }
    let names: Vec<&str> = survey.organisation_failures.keys().map(HostName::as_str).collect();
    let text = match survey.organisation_failures.values().next() {
        Some(failure) => format!(
            "no Exchange server told its organisation ({}): {}",
            names.join(", "),
            failure.text()
        ),
        None => "no Exchange server was asked for its organisation".to_owned(),
    };
    let hint = survey.organisation_failures.values().find_map(|failure| failure.hint.clone());
    Some(Blocker {
        id: "organisation-unread".to_owned(),
        text,
        hint: Some(hint.unwrap_or_else(|| {
            "check `rms_exchange_url` and `rms_exchange_auth`, or use a playbook without the \
             organisation step"
                .to_owned()
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::host::Configure;
    use crate::plan::sample;

    /// The step as the built-in playbook orders it, from what was read.
    fn enabling(
        hosts: &[Host],
        survey: &Survey,
        waived: &[String],
    ) -> (Vec<OrganisationStep>, Vec<Blocker>) {
        let order = IrmOrder::default();
        steps(hosts, survey, &survey.organisations, Subject::Irm(&order), waived)
    }

    /// Inventory hosts, servers of the organisation, waived names: needs / missing / waived.
    #[track_caller]
    fn check(hosts: &[&str], servers: &[&str], waived: &[&str], expected: &str) {
        let mut hosts: Vec<Host> =
            hosts.iter().map(|name| sample::host(name, Role::Exchange)).collect();
        for host in &mut hosts {
            if host.name.as_str().starts_with("OUT") {
                host.configure = Configure::No;
            }
        }
        let mut organisation = sample::organisation(servers);
        organisation.via = hosts[0].name.clone();
        let survey = Survey { organisations: vec![organisation], ..sample::survey(&hosts) };
        let waived: Vec<String> = waived.iter().map(|&name| name.to_owned()).collect();
        let (steps, blockers) = enabling(&hosts, &survey, &waived);
        assert_eq!(blockers, []);
        let step = &steps[0];
        let needs: Vec<&str> = step.needs.iter().map(HostName::as_str).collect();
        let got =
            format!("{} / {} / {}", needs.join(" "), step.missing.join(" "), step.waived.join(" "));
        assert_eq!(got, expected);
    }

    #[test]
    fn every_server_of_the_organisation_is_needed_missing_or_waived() {
        check(&["EX1", "EX2"], &["EX1", "ex2"], &[], "EX1 EX2 /  / ");
        check(&["EX1"], &["EX1", "EX2", "EX3"], &["ex3"], "EX1 / EX2 / EX3");
        check(&["EX1", "EX2"], &["EX1", "EX2"], &["EX2"], "EX1 /  / EX2");
        check(&["EX1.corp.contoso.com"], &["EX1"], &[], "EX1.corp.contoso.com /  / ");
    }

    #[test]
    fn a_server_that_is_out_of_scope_is_missing_not_forgotten() {
        check(&["EX1", "OUT2"], &["EX1", "OUT2"], &[], "EX1 / OUT2 / ");
    }

    #[test]
    fn a_host_that_the_organisation_does_not_list_is_needed_all_the_same() {
        check(&["EX1", "EX9"], &["EX1"], &[], "EX1 EX9 /  / ");
    }

    #[test]
    fn an_edge_server_holds_nothing() {
        let hosts = [sample::host("EX1", Role::Exchange)];
        let mut survey = sample::survey(&hosts);
        let mut organisation = sample::organisation(&["EX1", "EDGE1"]);
        organisation.servers[1].is_edge = true;
        survey.organisations = vec![organisation];
        assert_eq!(enabling(&hosts, &survey, &[]).0[0].missing, Vec::<String>::new());
    }

    #[test]
    fn a_wrong_organisation_name_blocks() {
        let mut host = sample::host("EX1", Role::Exchange);
        host.organization = Some("Fabrikam".into());
        let hosts = [host];
        let mut survey = sample::survey(&hosts);
        survey.organisations = vec![sample::organisation(&["EX1"])];
        let (_, blockers) = enabling(&hosts, &survey, &[]);
        assert!(blockers[0].text.contains("found `Contoso`"), "{blockers:?}");
    }
}
