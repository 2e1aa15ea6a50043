//! Whether everything that is known of the tenant's URL agrees.

use crate::model::facts::HostSurvey;
use crate::model::facts::Survey;
use crate::model::host::Host;
use crate::model::plan::Blocker;
use crate::model::plan::Note;
use crate::model::registry::Listing;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::tenant;
use crate::model::tenant::is_azure;
use crate::plan::make::note;
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
    (notes, blockers)
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
        text: format!("its values name {}, and its tenant is {own}", found.join(", ")),
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
            1,
            Some("tenant-url the inventory says https://t1.rms.eu.aadrm.com for EX1, SP1"),
        );
        check(Err("the page is empty"), 0, Some("tenant-url the tenant's URL is not told"));
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
    }
}
