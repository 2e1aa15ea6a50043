//! Evidence of an earlier AD RMS beside a server's registry (`connector.md` 5.2, rows 6 to 9): its
//! organisation or farm, Active Directory, its cache.

use crate::model::facts::Observation;
use crate::model::irm::Organisation;
use crate::model::outcome::Failure;
use crate::model::particulars::FarmIrm;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::tenant::is_azure;
use crate::model::verdict::Evidence;
use crate::model::verdict::Weight;
use crate::plan::client::has_places;
use crate::plan::client::names_connector;
use crate::plan::ours::Ours;
use crate::plan::ours::Whose;
use crate::plan::ours::whose;

/// Whom the rows are about, and what was asked of them.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    pub organisation: Option<&'a Organisation>,
    pub failure: Option<&'a Failure>,
    pub observation: &'a Observation,
    /// What the step's way has told of the host's farm.
    pub farm: Option<FarmIrm>,
}

/// Reads rows 6 to 9 for one host, those of its product.
pub fn evidence(product: Product, asked: &Asked<'_>, ours: Ours<'_>) -> Vec<Evidence> {
    let observation = asked.observation;
    let has_places = has_places(product, observation);
    let names_connector = names_connector(product, observation, ours);
    match product.role() {
        Role::Exchange => {
            let mut rows = organisation(asked.organisation, asked.failure, ours);
            let irm = asked.organisation.map(|found| &found.irm);
            // LicensingLocation is where migration puts the tenant: it goes before nothing.
            let place = irm.and_then(|irm| irm.service_location.as_deref());
            let goes_before = has_places || place.is_some_and(|place| !place.is_empty());
            let is_on = match irm {
                None => IrmState::Unread,
                Some(irm) => match irm.internal_licensing_enabled {
                    Some(true) => IrmState::On,
                    Some(false) => IrmState::Off,
                    None => IrmState::Untold,
                },
            };
            rows.push(directory(is_on, goes_before));
            rows.push(cache(
                r"ProgramData\Microsoft\DRM\Server\S-1-5-18",
                observation,
                names_connector,
                Weight::Unknown,
            ));
            rows
        }
        Role::Sharepoint => {
            // The farm is one: what its other servers are not let ask, it has told to one of them.
            let told = match (observation.particulars.farm.told(), &asked.farm) {
                (Err(_), Some(farm)) => Ok(farm),
                (told, _) => told,
            };
            let is_on = match told.ok().and_then(|farm| farm.enabled) {
                Some(true) => IrmState::On,
                Some(false) => IrmState::Off,
                // Row 7 is open then.
                None => IrmState::Unread,
            };
            let has_server = told.is_ok_and(|farm| farm.use_directory == Some(false));
            vec![
                farm(told, ours),
                directory(is_on, has_server || has_places),
                cache(
                    r"ProgramData\Microsoft\MSIPC\Server\<account>",
                    observation,
                    names_connector,
                    Weight::NotRead,
                ),
            ]
        }
        Role::Fci | Role::Connector => Vec::new(),
    }
}

/// What is known of a server's Rights Management before the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IrmState {
    On,
    Off,
    /// Its settings were read, and do not say.
    Untold,
    /// Another row says that nobody read them.
    Unread,
}

fn say(row: u8, weight: Weight, text: String) -> Evidence {
    Evidence { row: Some(row), weight, text }
}

/// Row 7: the farm's own settings.
fn farm(told: Result<&FarmIrm, &str>, ours: Ours<'_>) -> Evidence {
    let farm = match told {
        Ok(farm) => farm,
        Err(reason) => return say(7, Weight::Unknown, format!("Get-SPIRMSettings: {reason}")),
    };
    match (farm.enabled, farm.use_directory, farm.server.as_deref()) {
        (Some(false), _, _) => {
            say(7, Weight::Against, "Get-SPIRMSettings: IRM is off in the farm".to_owned())
        }
        (Some(true), Some(true), _) => {
            say(7, Weight::For, "Get-SPIRMSettings: IRM is on, with the server from AD".to_owned())
        }
        (Some(true), Some(false), Some(server)) => match whose(server, ours) {
            Whose::Connector => {
                say(7, Weight::Against, format!("Get-SPIRMSettings names the connector, {server}"))
            }
            Whose::NoUrl => {
                say(7, Weight::Unknown, format!("Get-SPIRMSettings names the server `{server}`"))
            }
            Whose::Tenant | Whose::ConnectorOtherForm | Whose::Third(_) => {
                say(7, Weight::For, format!("Get-SPIRMSettings: IRM is on, with {server}"))
            }
        },
        (_, _, _) => say(
            7,
            Weight::Unknown,
            "Get-SPIRMSettings does not tell all it is asked for".to_owned(),
        ),
    }
}

/// Row 8: AD's service connection point. Nobody reads it here; it proves nothing about a server,
/// and counts only where Rights Management was on and nothing else named a place.
fn directory(irm: IrmState, goes_before: bool) -> Evidence {
    let point = "the service connection point in AD is not read";
    match irm {
        IrmState::Off => say(8, Weight::NotRead, format!("{point}; with IRM off it was not used")),
        IrmState::On | IrmState::Untold if goes_before => {
            say(8, Weight::NotRead, format!("{point}; other settings go before it"))
        }
        IrmState::On => {
            let text = format!("{point}, and IRM is on with no setting that goes before it");
            say(8, Weight::Unknown, text)
        }
        IrmState::Untold => {
            let text = format!("{point}, and whether IRM was on is not told");
            say(8, Weight::Unknown, text)
        }
        IrmState::Unread => {
            say(8, Weight::NotRead, format!("{point}; whether IRM was on is not known either"))
        }
    }
}

/// Row 9: weak alone, because the connector fills the same folder; strong where no connector was
/// ever named. `unread` is what it counts for there if nobody could read it: the folders of SharePoint's
/// accounts are asked for in a way that no server has proved, so that silence decides nothing.
fn cache(
    folder: &str,
    observation: &Observation,
    names_connector: bool,
    unread: Weight,
) -> Evidence {
    match observation.particulars.cached.told() {
        Ok(0) => say(9, Weight::Against, format!("{folder} holds no files")),
        Ok(files) if names_connector => {
            say(9, Weight::Against, format!("{files} files in {folder}, which proves nothing here"))
        }
        Ok(files) => {
            let text = format!("{files} files in {folder}, and no value names a connector");
            say(9, Weight::For, text)
        }
        // Where a connector is named its files prove nothing, read or not.
        Err(reason) if names_connector => say(9, Weight::NotRead, format!("{folder}: {reason}")),
        Err(reason) => say(9, unread, format!("{folder}: {reason}")),
    }
}

/// Reads row 6: the organisation's own settings.
pub fn organisation(
    organisation: Option<&Organisation>,
    failure: Option<&Failure>,
    ours: Ours<'_>,
) -> Vec<Evidence> {
    let say = |weight, text: String| vec![Evidence { row: Some(6), weight, text }];
    let Some(organisation) = organisation else {
        let reason = failure.map_or_else(|| "never asked".to_owned(), Failure::text);
        return say(Weight::Unknown, format!("Get-IRMConfiguration: {reason}"));
    };
    let irm = &organisation.irm;
    let foreign: Vec<&str> = irm
        .service_location
        .iter()
        .chain(irm.licensing_location.iter().flatten())
        .map(String::as_str)
        .filter(|text| !text.is_empty())
        .filter(|text| match whose(text, ours) {
            Whose::Tenant | Whose::Connector | Whose::ConnectorOtherForm => false,
            Whose::Third(host) => !is_azure(&host),
            Whose::NoUrl => true,
        })
        .collect();
    let untold: Vec<&str> = [
        ("ServiceLocation", irm.service_location.is_none()),
        ("LicensingLocation", irm.licensing_location.is_none()),
    ]
    .into_iter()
    .filter_map(|(name, is_untold)| is_untold.then_some(name))
    .collect();
    match (foreign.as_slice(), irm.internal_licensing_enabled) {
        ([], _) if !untold.is_empty() => say(
            Weight::Unknown,
            format!("Get-IRMConfiguration does not tell {}", untold.join(" and ")),
        ),
        ([], _) => say(Weight::Against, "Get-IRMConfiguration names no AD RMS server".to_owned()),
        ([first, ..], Some(true)) => say(
            Weight::For,
            format!("Get-IRMConfiguration: internal licensing is on, with {first}"),
        ),
        ([first, ..], Some(false)) => say(
            Weight::Against,
            format!("Get-IRMConfiguration has {first}, but internal licensing is off"),
        ),
        ([first, ..], None) => say(
            Weight::Unknown,
            format!("Get-IRMConfiguration has {first} and no InternalLicensingEnabled"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::host::HostName;
    use crate::model::particulars::Asked::NotRead;
    use crate::model::particulars::Asked::Told;
    use crate::model::registry::State;
    use crate::model::registry::Value;
    use crate::model::registry::ValuePath;
    use crate::plan::sample;

    static NONE: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();

    fn ours<'a>(host: &'a crate::model::host::Host, nodes: &'a [HostName]) -> Ours<'a> {
        Ours {
            tenant: host.tenant.as_ref(),
            connector: host.connector.as_ref(),
            nodes,
            earlier: &NONE,
            adrms: &host.adrms,
        }
    }

    #[track_caller]
    fn row(role: Role, asked: &Asked<'_>, row: u8, weight: Weight) {
        let host = sample::host("H1", role);
        let product = match role {
            Role::Exchange => Product::Exchange2019,
            _ => Product::Sharepoint2016,
        };
        let rows = evidence(product, asked, ours(&host, &[]));
        let found = rows.iter().find(|one| one.row == Some(row)).unwrap();
        assert_eq!(found.weight, weight, "{found:?}");
    }

    #[test]
    fn the_farm_speaks_by_its_server() {
        let check = |enabled, use_directory, server: Option<&str>, weight| {
            let mut seen = sample::observation("SP1", Role::Sharepoint);
            let server = server.map(str::to_owned);
            seen.particulars.farm = Told(FarmIrm { enabled, use_directory, server });
            let asked = Asked { organisation: None, failure: None, observation: &seen, farm: None };
            row(Role::Sharepoint, &asked, 7, weight);
        };
        check(Some(false), Some(false), None, Weight::Against);
        check(Some(true), Some(true), None, Weight::For);
        check(Some(true), Some(false), Some("https://rms.contoso.com"), Weight::Against);
        check(Some(true), Some(false), Some("https://oldrms.contoso.com"), Weight::For);
        check(Some(true), Some(false), Some("https://t1.rms.eu.aadrm.com"), Weight::For);
        check(Some(true), Some(false), Some(""), Weight::Unknown);
        check(None, Some(false), None, Weight::Unknown);
        let mut seen = sample::observation("SP1", Role::Sharepoint);
        seen.particulars.farm = NotRead("refused".to_owned());
        let mut asked = Asked { organisation: None, failure: None, observation: &seen, farm: None };
        row(Role::Sharepoint, &asked, 7, Weight::Unknown);
        // One server of the farm was let ask.
        let told = FarmIrm { enabled: Some(false), use_directory: None, server: None };
        asked.farm = Some(told);
        row(Role::Sharepoint, &asked, 7, Weight::Against);
    }

    #[test]
    fn the_directory_counts_only_where_nothing_goes_before_it() {
        let mut organisation = sample::organisation(&["EX1"]);
        let mut seen = sample::observation("EX1", Role::Exchange);
        let check = |organisation: &Organisation, seen: &Observation, weight| {
            let asked = Asked {
                organisation: Some(organisation),
                failure: None,
                observation: seen,
                farm: None,
            };
            row(Role::Exchange, &asked, 8, weight);
        };
        check(&organisation, &seen, Weight::NotRead);
        organisation.irm.internal_licensing_enabled = Some(true);
        check(&organisation, &seen, Weight::Unknown);
        // Migration names the tenant there, and AD is asked all the same.
        organisation.irm.licensing_location = Some(vec!["https://t1.rms.eu.aadrm.com".into()]);
        check(&organisation, &seen, Weight::Unknown);
        organisation.irm.licensing_location = Some(Vec::new());
        organisation.irm.internal_licensing_enabled = None;
        check(&organisation, &seen, Weight::Unknown);
        organisation.irm.internal_licensing_enabled = Some(true);
        organisation.irm.service_location = Some("https://t1.rms.eu.aadrm.com".into());
        check(&organisation, &seen, Weight::NotRead);
        organisation.irm.service_location = Some(String::new());
        // Another client's place is none of Exchange's, and an empty one is none at all.
        let client = r"SOFTWARE\Wow6432Node\Microsoft\MSIPC\ServiceLocation\EnterprisePublishing";
        let place = State::Present(Value::Sz("https://t1.rms.eu.aadrm.com".into()));
        sample::set(&mut seen, &ValuePath::new(client, ""), place);
        check(&organisation, &seen, Weight::Unknown);
        let path = ValuePath::new(r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation", "");
        sample::set(&mut seen, &path, State::Present(Value::Sz(String::new())));
        check(&organisation, &seen, Weight::Unknown);
        sample::set(&mut seen, &path, State::Present(Value::Sz("https://x".into())));
        check(&organisation, &seen, Weight::NotRead);
    }

    #[test]
    fn a_cache_is_strong_only_before_the_first_connector() {
        let mut seen = sample::observation("EX1", Role::Exchange);
        let check = |seen: &Observation, weight| {
            let asked = Asked { organisation: None, failure: None, observation: seen, farm: None };
            row(Role::Exchange, &asked, 9, weight);
        };
        check(&seen, Weight::Against);
        seen.particulars.cached = Told(4);
        check(&seen, Weight::For);
        let path = ValuePath::new(r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation", "");
        sample::set(
            &mut seen,
            &path,
            State::Present(Value::Sz("https://t1.rms.eu.aadrm.com".into())),
        );
        check(&seen, Weight::For);
        sample::set(
            &mut seen,
            &path,
            State::Present(Value::Sz("https://rms.contoso.com/x".into())),
        );
        check(&seen, Weight::Against);
        seen.particulars.cached = NotRead("refused".to_owned());
        check(&seen, Weight::NotRead);
    }

    #[test]
    fn the_organisation_speaks_for_a_restart_only_while_its_licensing_is_on() {
        let host = sample::host("EX1", Role::Exchange);
        let mut organisation = sample::organisation(&["EX1"]);
        let mut check = |enabled, location: &[&str], expected| {
            organisation.irm.internal_licensing_enabled = enabled;
            organisation.irm.licensing_location =
                Some(location.iter().map(|&text| text.to_owned()).collect());
            let got = super::organisation(Some(&organisation), None, ours(&host, &[]));
            assert_eq!(got[0].weight, expected, "{got:?}");
        };
        let adrms = "https://adrms.contoso.com/_wmcs/licensing";
        check(Some(true), &[adrms], Weight::For);
        check(Some(false), &[adrms], Weight::Against);
        check(None, &[adrms], Weight::Unknown);
        check(Some(true), &[], Weight::Against);
        check(Some(true), &["https://x.rms.na.aadrm.com/_wmcs/licensing"], Weight::Against);
        check(Some(true), &["https://notaadrm.com/_wmcs/licensing"], Weight::For);
        organisation.irm.licensing_location = None;
        let untold = super::organisation(Some(&organisation), None, ours(&host, &[]));
        assert_eq!(untold[0].weight, Weight::Unknown);
        assert_eq!(untold[0].text, "Get-IRMConfiguration does not tell LicensingLocation");
        organisation.irm.internal_licensing_enabled = Some(true);
        organisation.irm.service_location = Some(adrms.to_owned());
        let half = super::organisation(Some(&organisation), None, ours(&host, &[]));
        assert_eq!(half[0].weight, Weight::For, "what is told counts: {half:?}");
        organisation.irm.service_location = None;
        organisation.irm.licensing_location = Some(Vec::new());
        let untold = super::organisation(Some(&organisation), None, ours(&host, &[]));
        assert_eq!(untold[0].weight, Weight::Unknown, "{untold:?}");
        let unread = super::organisation(None, None, ours(&host, &[]));
        assert_eq!(unread[0].weight, Weight::Unknown);
    }
}
