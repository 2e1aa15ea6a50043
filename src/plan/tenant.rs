//! Whether everything that is known of the tenant's URL agrees.

use std::collections::BTreeMap;

use crate::model::facts::HostSurvey;
use crate::model::facts::Survey;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::origin::Origin;
use crate::model::particulars::FarmIrm;
use crate::model::plan::Blocker;
use crate::model::plan::Note;
use crate::model::product::Role;
use crate::model::registry::Listing;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::tenant;
use crate::model::tenant::is_azure;
use crate::plan::farm;
use crate::plan::fold::compress;
use crate::plan::make::note;
use crate::plan::organisation::organisation_of;
use crate::plan::url::url_host;

/// What is told of the fleet's tenant as a whole.
pub fn findings(hosts: &[Host], survey: &Survey) -> (Vec<Note>, Vec<Blocker>) {
    let mut notes = Vec::new();
    let mut blockers = Vec::new();
    for fetched in &survey.tenants {
        match &fetched.tenant {
            Ok(found) => {
                notes.push(note("tenant-url", fetched.to_string()));
                if !tenant::is_shaped(found) {
                    let text = format!("{found} does not look like a tenant of Azure RMS");
                    notes.push(note("tenant-url", text));
                }
                let odd = hosts.iter().filter(|host| {
                    host.connector.as_ref() == Some(&fetched.connector)
                        && host.tenant.as_ref().is_some_and(|own| own != found)
                });
                let names: Vec<String> = odd.clone().map(|host| host.name.to_string()).collect();
                if let Some(given) = odd.clone().find_map(|host| host.tenant.as_ref()) {
                    blockers.push(Blocker {
                        id: "tenant-url".to_owned(),
                        text: format!(
                            "the inventory says {given} for {}, and the connector {} says {found}",
                            names.join(", "),
                            fetched.connector
                        ),
                        hint: Some("correct `rms_tenant_url`, or remove it".to_owned()),
                    });
                }
            }
            Err(_) => blockers.push(Blocker {
                id: "tenant-url".to_owned(),
                text: format!("the tenant's URL is {fetched}"),
                hint: Some(
                    "give `rms_tenant_url`; Get-AipServiceConfiguration shows it as \
                     LicensingIntranetDistributionPointUrl, without /_wmcs/licensing"
                        .to_owned(),
                ),
            }),
        }
    }
    notes.extend(odd(hosts, survey));
    for (group, members) in groups(hosts, survey) {
        blockers.extend(two_tenants(&group, &members));
        notes.extend(two_connectors(&group, &members));
    }
    (notes, blockers)
}

/// Tenants that the inventory gives and that do not look like one: whoever approves the plan has not
/// seen what was said when the inventory was read.
fn odd(hosts: &[Host], survey: &Survey) -> Vec<Note> {
    let told: Vec<&Origin> =
        survey.tenants.iter().filter_map(|fetched| fetched.tenant.as_ref().ok()).collect();
    let mut odd: BTreeMap<&Origin, Vec<HostName>> = BTreeMap::new();
    for host in hosts.iter().filter(|host| host.in_scope() && host.role != Some(Role::Connector)) {
        if let Some(tenant) = &host.tenant
            && !tenant::is_shaped(tenant)
            && !told.contains(&tenant)
        {
            odd.entry(tenant).or_default().push(host.name.clone());
        }
    }
    let told = odd.into_iter().map(|(tenant, hosts)| {
        let text = format!(
            "{tenant}, the tenant of {}, does not look like a tenant of Azure RMS",
            compress(&hosts)
        );
        note("tenant-url", text)
    });
    told.collect()
}

/// Servers that serve the same content: those of a connector, a DAG, a farm, an organisation.
fn groups<'h>(hosts: &'h [Host], survey: &Survey) -> BTreeMap<String, Vec<&'h Host>> {
    let mut groups: BTreeMap<String, Vec<&Host>> = BTreeMap::new();
    for host in hosts.iter().filter(|host| host.in_scope() && host.role != Some(Role::Connector)) {
        let organisation = match host.role {
            Some(Role::Exchange) => organisation_of(host, survey).map(|found| found.name.clone()),
            _ => None,
        };
        let names = [
            host.connector.as_ref().map(|connector| format!("connector {connector}")),
            host.dag.as_ref().map(|dag| format!("DAG {dag}")),
            host.farm.as_ref().map(|farm| format!("farm {farm}")),
            organisation.map(|name| format!("organisation {name}")),
        ];
        for name in names.into_iter().flatten() {
            groups.entry(name).or_default().push(host);
        }
    }
    groups
}

/// INVARIANT: a connector serves one tenant, and so do servers that open each other's content
/// (`connector.md` 6.1).
fn two_tenants(group: &str, members: &[&Host]) -> Option<Blocker> {
    let told = by_origin(members, |host| host.tenant.as_ref())?;
    Some(Blocker {
        id: "tenant-url".to_owned(),
        text: format!("the servers of {group} have more than one tenant: {told}"),
        hint: Some(
            "correct `rms_tenant_url`: what one protects the other could not open".to_owned(),
        ),
    })
}

/// Sites may have a connector each, so this is told and not forbidden.
fn two_connectors(group: &str, members: &[&Host]) -> Option<Note> {
    let told = by_origin(members, |host| host.connector.as_ref())?;
    let text = format!(
        "the servers of {group} have more than one connector: {told}; all servers of one kind should \
         hold the same values"
    );
    Some(note("connectors-differ", text))
}

/// Who has which, where they do not all have the same.
fn by_origin<'h>(
    members: &[&'h Host],
    of: impl Fn(&'h Host) -> Option<&'h Origin>,
) -> Option<String> {
    let mut told: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for host in members {
        if let Some(origin) = of(host) {
            told.entry(origin.to_string()).or_default().push(host.name.short());
        }
    }
    let line =
        |(origin, hosts): (&String, &Vec<&str>)| format!("{origin} for {}", hosts.join(", "));
    (told.len() > 1).then(|| told.iter().map(line).collect::<Vec<_>>().join("; "))
}

/// Tenants of Azure that the host's values name and that are not its own: somebody pointed it, or
/// is about to point it, to the wrong one.
pub fn others(host: &Host, survey: &Survey) -> Option<Blocker> {
    let own = host.tenant.as_ref()?;
    let Some(HostSurvey::Read(observation)) = survey.hosts.get(&host.name) else { return None };
    let mut texts: Vec<String> = Vec::new();
    for (path, reading) in &observation.values {
        if let Reading::Known(State::Present(value)) = reading {
            texts.push(path.name.as_str().to_owned());
            texts.extend(value.as_sz().map(str::to_owned));
        }
    }
    for listing in observation.listings.values() {
        let Listing::Known(values) = listing else { continue };
        for (name, reading) in values {
            texts.push(name.as_str().to_owned());
            if let Reading::Known(State::Present(value)) = reading {
                texts.extend(value.as_sz().map(str::to_owned));
            }
        }
    }
    let irm = match host.role {
        Some(Role::Exchange) => organisation_of(host, survey).map(|found| &found.irm),
        _ => None,
    };
    if let Some(irm) = irm {
        texts.extend(irm.service_location.clone());
        texts.extend(irm.publishing_location.clone());
        texts.extend(irm.licensing_location.iter().flatten().cloned());
    }
    if host.role == Some(Role::Sharepoint) {
        let farm = farm::told_of(host, survey).map(|farm| FarmIrm::of(&farm.irm));
        texts.extend(farm.and_then(|farm| farm.server));
    }
    let mut found: Vec<String> = texts
        .iter()
        .filter_map(|text| url_host(text))
        .filter(|name| is_azure(name) && name != own.host())
        .collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        return None;
    }
    Some(Blocker {
        id: "other-tenant".to_owned(),
        text: format!(
            "its values, or those of its organisation or farm, name {}, and its tenant is {own}",
            found.join(", ")
        ),
        hint: Some(format!(
            "find out which is right; if {own} is, waive it: --waive {}:other-tenant",
            host.name
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::origin::Origin;
    use crate::model::tenant::Fetched;
    use crate::plan::sample::Fleet;

    /// What the connector tells of its tenant; how many notes and which blockers follow.
    #[track_caller]
    fn check(told: Result<&str, &str>, notes: usize, blocker: Option<&str>) {
        let fleet = Fleet::new(&["EX1", "SP1"]);
        let fetched = Fetched {
            connector: Origin::parse("https://rms.contoso.com").unwrap(),
            tenant: told.map(|url| Origin::parse(url).unwrap()).map_err(str::to_owned),
        };
        let survey = Survey { tenants: vec![fetched], ..Survey::default() };
        let (found, blockers) = findings(&fleet.hosts, &survey);
        assert_eq!(found.len(), notes, "{found:?}");
        let text = blockers.first().map(|one| format!("{} {}", one.id, one.text));
        match (&text, blocker) {
            (Some(text), Some(part)) => assert!(text.contains(part), "{text}"),
            (None, None) => {}
            (_, _) => panic!("{text:?}"),
        }
    }

    #[test]
    fn what_the_connector_tells_must_be_what_the_inventory_says() {
        check(Ok("https://t1.rms.eu.aadrm.com"), 2, None);
        let other = "https://5c6bb73b-1038-4eec-863d-49bded473437.rms.na.aadrm.com";
        check(
            Ok(other),
            2,
            Some("tenant-url the inventory says https://t1.rms.eu.aadrm.com for EX1, SP1"),
        );
        check(Err("the page is empty"), 1, Some("tenant-url the tenant's URL is not told"));
    }

    /// Which findings follow from one edit of a DAG of two and two farm servers.
    #[track_caller]
    fn check_peers(edit: impl FnOnce(&mut [Host]), notes: &[&str], blockers: &[&str]) {
        let mut fleet = Fleet::new(&["EX1", "EX2", "SP1", "SP2"]);
        for host in &mut fleet.hosts {
            match host.role {
                Some(Role::Exchange) => host.dag = Some("D1".to_owned()),
                _ => host.farm = Some("F1".to_owned()),
            }
        }
        edit(&mut fleet.hosts);
        let (found, doubts) = findings(&fleet.hosts, &Survey::default());
        let begin = |texts: Vec<&String>, parts: &[&str]| {
            assert_eq!(texts.len(), parts.len(), "{texts:?}");
            for (text, part) in texts.iter().zip(parts) {
                assert!(text.contains(part), "{text}");
            }
        };
        let is_of_peers = |text: &&String| !text.contains("does not look like");
        begin(found.iter().map(|note| &note.text).filter(is_of_peers).collect(), notes);
        begin(doubts.iter().map(|one| &one.text).collect(), blockers);
    }

    #[test]
    fn a_tenant_that_looks_like_none_is_told_to_whoever_approves() {
        let told = |tenant: &str, survey: &Survey| {
            let mut fleet = Fleet::new(&["EX1", "EX2"]);
            for host in &mut fleet.hosts {
                host.tenant = Origin::parse(tenant).ok();
            }
            let (notes, _) = findings(&fleet.hosts, survey);
            notes.into_iter().map(|note| note.text).collect::<Vec<_>>()
        };
        let evil = "https://evil.example.com";
        let expected = "https://evil.example.com, the tenant of EX[1-2], does not look like a tenant of \
                        Azure RMS";
        assert_eq!(told(evil, &Survey::default()), [expected]);
        let right = "https://5c6bb73b-1038-4eec-863d-49bded473437.rms.na.aadrm.com";
        assert_eq!(told(right, &Survey::default()), [""; 0]);
    }

    #[test]
    fn servers_that_open_each_others_content_have_one_tenant() {
        check_peers(|_| {}, &[], &[]);
        let other = "https://t2.rms.eu.aadrm.com";
        check_peers(
            |hosts| hosts[1].tenant = Origin::parse(other).ok(),
            &[],
            &[
                "servers of DAG D1 have more than one tenant: https://t1.rms.eu.aadrm.com for EX1; \
               https://t2.rms.eu.aadrm.com for EX2",
                "of connector https://rms.contoso.com have",
            ],
        );
        check_peers(
            |hosts| hosts[3].connector = Origin::parse("https://other.contoso.com").ok(),
            &["servers of farm F1 have more than one connector"],
            &[],
        );
    }

    #[test]
    fn another_tenant_in_any_value_blocks_its_host() {
        let mut fleet = Fleet::new(&["FS1"]);
        let key = r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation";
        let host = fleet.hosts[0].clone();
        assert_eq!(others(&host, &fleet.survey), None);
        fleet.set("FS1", key, "", "https://t1.rms.eu.aadrm.com/_wmcs/certification");
        assert_eq!(others(&host, &fleet.survey), None);
        fleet.set("FS1", key, "", "https://t2.rms.eu.aadrm.com/_wmcs/certification");
        let blocker = others(&host, &fleet.survey).unwrap();
        assert!(blocker.text.contains("t2.rms.eu.aadrm.com"), "{blocker:?}");
        let mut fleet = Fleet::new(&["EX1"]);
        let host = fleet.hosts[0].clone();
        let organisation = fleet.survey.organisations.first_mut().unwrap();
        organisation.irm.licensing_location = Some(vec!["https://t1.rms.eu.aadrm.com".to_owned()]);
        assert_eq!(others(&host, &fleet.survey), None);
        let organisation = fleet.survey.organisations.first_mut().unwrap();
        organisation.irm.licensing_location = Some(vec!["https://t2.rms.eu.aadrm.com".to_owned()]);
        assert!(others(&host, &fleet.survey).is_some());
    }
}
