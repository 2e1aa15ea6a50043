//! Evidence of an earlier AD RMS in a server's registry (`connector.md` 5.2, rows 1 to 5), as found.

use crate::model::facts::Observation;
use crate::model::probe::Cache;
use crate::model::product::Role;
use crate::model::registry::KeyPath;
use crate::model::registry::Listing;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValueName;
use crate::model::registry::ValuePath;
use crate::model::verdict::Evidence;
use crate::model::verdict::Weight;
use crate::plan::ours::Ours;
use crate::plan::ours::Whose;
use crate::plan::ours::is_node;
use crate::plan::ours::whose;
use crate::plan::url::is_bare_origin;

/// Row 1: the MSDRM client's service locations, in both registry views.
pub(super) const MSDRM: [&str; 4] = [
    r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation",
    r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\EnterprisePublishing",
    r"SOFTWARE\Wow6432Node\Microsoft\MSDRM\ServiceLocation\Activation",
    r"SOFTWARE\Wow6432Node\Microsoft\MSDRM\ServiceLocation\EnterprisePublishing",
];

/// Row 2: the MSIPC client's service locations, in both registry views.
pub(super) const MSIPC: [&str; 4] = [
    r"SOFTWARE\Microsoft\MSIPC\ServiceLocation\EnterpriseCertification",
    r"SOFTWARE\Microsoft\MSIPC\ServiceLocation\EnterprisePublishing",
    r"SOFTWARE\Wow6432Node\Microsoft\MSIPC\ServiceLocation\EnterpriseCertification",
    r"SOFTWARE\Wow6432Node\Microsoft\MSIPC\ServiceLocation\EnterprisePublishing",
];

/// Row 3: redirections of the MSIPC client.
pub(super) const MSIPC_REDIRECTION: [&str; 2] = [
    r"SOFTWARE\Microsoft\MSIPC\ServiceLocation\LicensingRedirection",
    r"SOFTWARE\Wow6432Node\Microsoft\MSIPC\ServiceLocation\LicensingRedirection",
];

/// Rows 4 and 5: redirections of Exchange, 2013 and later, and 2010.
pub(super) const EXCHANGE_REDIRECTION: [&str; 4] = [
    r"SOFTWARE\Microsoft\ExchangeServer\v15\IRM\LicenseServerRedirection",
    r"SOFTWARE\Microsoft\ExchangeServer\v15\IRM\CertificationServerRedirection",
    r"SOFTWARE\Microsoft\ExchangeServer\v14\IRM\LicenseServerRedirection",
    r"SOFTWARE\Microsoft\ExchangeServer\v14\IRM\CertificationServerRedirection",
];

/// The default values that are read as evidence. File servers restart anyway; theirs only tell
/// where they pointed to.
pub fn values(role: Role) -> Vec<ValuePath> {
    let paths = |keys: &[&str]| keys.iter().map(|key| ValuePath::new(key, "")).collect();
    match role {
        Role::Exchange | Role::Sharepoint => paths(&[MSDRM, MSIPC].concat()),
        Role::Fci => paths(&MSDRM),
        Role::Connector => Vec::new(),
    }
}

/// The keys that are listed as evidence.
pub fn listings(role: Role) -> Vec<KeyPath> {
    match role {
        Role::Exchange | Role::Sharepoint => {
            MSIPC_REDIRECTION.iter().chain(&EXCHANGE_REDIRECTION).map(KeyPath::new).collect()
        }
        Role::Fci | Role::Connector => Vec::new(),
    }
}

/// The files that tell of earlier use: the cache of Exchange's own account, or of the accounts that
/// SharePoint's services run as.
pub fn cache(role: Role) -> Option<Cache> {
    match role {
        Role::Exchange => {
            Some(Cache::Folder(r"C:\ProgramData\Microsoft\DRM\Server\S-1-5-18".to_owned()))
        }
        Role::Sharepoint => {
            Some(Cache::ByAccount(r"C:\ProgramData\Microsoft\MSIPC\Server".to_owned()))
        }
        Role::Fci | Role::Connector => None,
    }
}

/// What a host's registry says about the time before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces {
    pub evidence: Vec<Evidence>,
    /// Redirections of the tenant that migration phase 1 left behind and that conflict with ours.
    pub leftovers: Vec<String>,
    /// Values that point to a connector of another name.
    pub other_connectors: Vec<String>,
    /// Service locations that point to a third host which is no known node.
    pub elsewhere: Vec<String>,
}

/// Reads rows 1 to 5 of one host.
pub fn traces(role: Role, observation: &Observation, ours: Ours<'_>) -> Traces {
    let mut traces = Traces::default();
    if role == Role::Connector {
        return traces;
    }
    for key in MSDRM {
        location(&mut traces, 1, &ValuePath::new(key, ""), observation, ours);
    }
    if role == Role::Fci {
        return traces;
    }
    for key in MSIPC {
        location(&mut traces, 2, &ValuePath::new(key, ""), observation, ours);
    }
    for key in MSIPC_REDIRECTION {
        redirections(&mut traces, 3, key, observation, ours);
    }
    let mut of_exchange = Traces::default();
    for key in EXCHANGE_REDIRECTION {
        redirections(&mut of_exchange, 4, key, observation, ours);
    }
    traces.evidence.append(&mut of_exchange.evidence);
    // They contradict only what is written for Exchange.
    if role == Role::Exchange {
        traces.leftovers.append(&mut of_exchange.leftovers);
        traces.other_connectors.append(&mut of_exchange.other_connectors);
    }
    traces.evidence.extend(reverse(&traces.evidence, observation));
    traces
}

/// Row 5 where none was found: the keys that would hold it are those of row 4.
fn reverse(evidence: &[Evidence], observation: &Observation) -> Option<Evidence> {
    if evidence.iter().any(|one| one.row == Some(5)) {
        return None;
    }
    let unread = EXCHANGE_REDIRECTION.iter().find_map(|key| {
        match observation.listings.get(&KeyPath::new(key)) {
            None => Some(format!("{}: never read", brief(key))),
            Some(Listing::Unreadable(reason)) => Some(format!("{}: {reason}", brief(key))),
            Some(Listing::NoKey | Listing::Known(_)) => None,
        }
    });
    Some(match unread {
        Some(text) => Evidence { row: Some(5), weight: Weight::Unknown, text },
        None => Evidence {
            row: Some(5),
            weight: Weight::Against,
            text: "no redirection leads from another server".to_owned(),
        },
    })
}

fn location(
    traces: &mut Traces,
    row: u8,
    path: &ValuePath,
    observation: &Observation,
    ours: Ours<'_>,
) {
    let key = brief(path.key.as_str());
    let (weight, text) = match observation.value(path) {
        Reading::Unreadable(reason) => (Weight::Unknown, format!("{key}: {reason}")),
        Reading::Known(State::Absent) => (Weight::Against, format!("{key} is absent")),
        Reading::Known(State::Present(value)) => match target(&value, ours) {
            Target::Empty => (Weight::Against, format!("{key} is empty")),
            Target::Strange(what) => (Weight::Unknown, format!("{key} holds {what}")),
            Target::Is(Whose::Tenant) => (Weight::Against, format!("{key} points to the tenant")),
            Target::Is(Whose::Connector) => {
                (Weight::Against, format!("{key} points to the connector"))
            }
            Target::Is(Whose::ConnectorOtherForm) => {
                (Weight::For, format!("{key} points to the connector as {value}"))
            }
            Target::Is(Whose::NoUrl) => (Weight::Unknown, format!("{key} holds `{value}`")),
            Target::Is(Whose::Third(host)) => {
                let line = format!("{key} points to {host}");
                if is_node(&host, ours.nodes) || ours.earlier.contains(&host) {
                    traces.other_connectors.push(line);
                } else {
                    traces.elsewhere.push(line);
                }
                (Weight::For, format!("{key} points to {host}"))
            }
        },
    };
    traces.evidence.push(Evidence { row: Some(row), weight, text });
}

enum Target {
    Empty,
    Strange(String),
    Is(Whose),
}

fn target(value: &Value, ours: Ours<'_>) -> Target {
    match value.as_sz() {
        None => Target::Strange(format!("a {}", value.kind())),
        Some("") => Target::Empty,
        Some(text) => Target::Is(whose(text, ours)),
    }
}

fn redirections(
    traces: &mut Traces,
    row: u8,
    key: &str,
    observation: &Observation,
    ours: Ours<'_>,
) {
    let short = brief(key);
    let mut say = |weight, text| {
        traces.evidence.push(Evidence { row: Some(row), weight, text });
    };
    match observation.listings.get(&KeyPath::new(key)) {
        None => say(Weight::Unknown, format!("{short}: never read")),
        Some(Listing::Unreadable(reason)) => say(Weight::Unknown, format!("{short}: {reason}")),
        Some(Listing::NoKey) => say(Weight::Against, format!("{short} is absent")),
        Some(Listing::Known(values)) if values.is_empty() => {
            say(Weight::Against, format!("{short} is empty"));
        }
        Some(Listing::Known(values)) => {
            for (name, reading) in values {
                redirection(traces, row, short, name, reading, ours);
            }
        }
    }
}

fn redirection(
    traces: &mut Traces,
    row: u8,
    key: &str,
    name: &ValueName,
    reading: &Reading,
    ours: Ours<'_>,
) {
    let mut say = |row, weight, text| {
        traces.evidence.push(Evidence { row: Some(row), weight, text });
    };
    let value = match reading {
        Reading::Unreadable(reason) => {
            say(row, Weight::Unknown, format!("{key} {name}: {reason}"));
            return;
        }
        Reading::Known(State::Absent) => return,
        Reading::Known(State::Present(value)) => value,
    };
    let line = format!("{key} sends {name} to {value}");
    // Row 5 is the reverse direction of row 4, in the same key.
    let from_row = if row == 4 { 5 } else { row };
    match (whose(name.as_str(), ours), target(value, ours)) {
        (Whose::Third(from), Target::Is(Whose::Third(to))) if row == 4 && from != to => {
            // Phase 4 of a migration, towards a connector of another name.
            say(from_row, Weight::For, line.clone());
            let list = if ours.is_adrms(&to) {
                &mut traces.leftovers
            } else {
                &mut traces.other_connectors
            };
            list.push(line);
        }
        (Whose::Third(_), _) => say(from_row, Weight::For, line),
        (_, Target::Strange(what)) => {
            say(row, Weight::Unknown, format!("{key} {name} holds {what}"));
        }
        (Whose::Tenant, Target::Is(Whose::Third(to))) => {
            say(row, Weight::For, line.clone());
            let (is_bare, is_adrms) = (is_bare_origin(name.as_str()), ours.is_adrms(&to));
            // Of a cluster that the inventory names, ours takes the place.
            match (is_bare, is_adrms) {
                (true, true) => {}
                (false, true) => traces.leftovers.push(line),
                (false, false) if row == 4 => traces.leftovers.push(line),
                (_, false) => traces.other_connectors.push(line),
            }
        }
        (_, Target::Is(Whose::Third(_) | Whose::ConnectorOtherForm)) => {
            say(row, Weight::For, line);
        }
        (_, Target::Is(Whose::NoUrl)) => say(row, Weight::Unknown, line),
        (_, Target::Empty | Target::Is(Whose::Tenant | Whose::Connector)) => {
            say(row, Weight::Against, line);
        }
    }
}

/// The key without the part that every key shares.
fn brief(key: &str) -> &str {
    key.strip_prefix(r"SOFTWARE\Microsoft\")
        .or_else(|| key.strip_prefix(r"SOFTWARE\"))
        .unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::host::HostName;
    use crate::plan::sample;

    static NONE: BTreeSet<String> = BTreeSet::new();

    fn ours<'a>(host: &'a crate::model::host::Host, nodes: &'a [HostName]) -> Ours<'a> {
        Ours {
            tenant: host.tenant.as_ref(),
            connector: host.connector.as_ref(),
            nodes,
            earlier: &NONE,
            adrms: &host.adrms,
        }
    }

    /// Sets one value, and counts what speaks for, is unknown, is left over, is another connector.
    #[track_caller]
    fn check(key: &str, name: &str, data: Value, expected: (usize, usize, usize, usize)) {
        let host = sample::host("EX1", Role::Exchange);
        let mut observation = sample::observation("EX1", Role::Exchange);
        sample::set(&mut observation, &ValuePath::new(key, name), State::Present(data));
        let nodes = [HostName::new("RMSC01.contoso.com")];
        let traces = traces(Role::Exchange, &observation, ours(&host, &nodes));
        let count = |weight| traces.evidence.iter().filter(|one| one.weight == weight).count();
        let got = (
            count(Weight::For),
            count(Weight::Unknown),
            traces.leftovers.len(),
            traces.other_connectors.len(),
        );
        assert_eq!(got, expected, "{traces:#?}");
    }

    fn sz(text: &str) -> Value {
        Value::Sz(text.to_owned())
    }

    const T: &str = "https://t1.rms.eu.aadrm.com";
    const C: &str = "https://rms.contoso.com";

    #[test]
    fn our_own_values_are_no_evidence() {
        check(MSDRM[0], "", sz(&format!("{T}/_wmcs/certification")), (0, 0, 0, 0));
        check(MSDRM[1], "", sz(&format!("{C}/_wmcs/licensing")), (0, 0, 0, 0));
        check(EXCHANGE_REDIRECTION[0], T, sz(C), (0, 0, 0, 0));
        check(EXCHANGE_REDIRECTION[0], &format!("{T}/_wmcs/licensing"), sz(C), (0, 0, 0, 0));
        check(MSIPC_REDIRECTION[0], "/_wmcs/licensing", sz(C), (0, 0, 0, 0));
    }

    #[test]
    fn a_location_elsewhere_is_told_apart_from_a_known_node() {
        let host = sample::host("FS1", Role::Fci);
        let nodes = [HostName::new("RMSC01.contoso.com")];
        let told = |data: &str| {
            let mut observation = sample::observation("FS1", Role::Fci);
            let data = State::Present(sz(data));
            sample::set(&mut observation, &ValuePath::new(MSDRM[0], ""), data);
            let traces = traces(Role::Fci, &observation, ours(&host, &nodes));
            (traces.elsewhere.len(), traces.other_connectors.len())
        };
        assert_eq!(told("https://oldconnector.contoso.com/_wmcs/certification"), (1, 0));
        assert_eq!(told("https://rmsc01/_wmcs/certification"), (0, 1));
        assert_eq!(told(&format!("{C}/_wmcs/certification")), (0, 0));
    }

    #[test]
    fn a_third_host_is_evidence_in_every_row() {
        let adrms = "http://adrms.corp.contoso.com/_wmcs/licensing";
        for key in MSDRM.iter().chain(&MSIPC) {
            check(key, "", sz(adrms), (1, 0, 0, 0));
        }
        check(MSIPC_REDIRECTION[1], adrms, sz(C), (1, 0, 0, 0));
        check(EXCHANGE_REDIRECTION[0], adrms, sz(&format!("{C}/_wmcs/licensing")), (1, 0, 0, 0));
    }

    #[test]
    fn the_leftover_of_migration_phase_one_is_told_from_another_connector() {
        let name = format!("{T}/_wmcs/licensing");
        let adrms = sz("https://adrms.contoso.com/_wmcs/licensing");
        check(EXCHANGE_REDIRECTION[0], &name, adrms, (1, 0, 1, 0));
        check(EXCHANGE_REDIRECTION[1], T, sz("https://oldrms.contoso.com"), (1, 0, 0, 1));
        check(MSDRM[0], "", sz("http://rmsc01/_wmcs/certification"), (1, 0, 0, 1));
    }

    #[test]
    fn another_scheme_of_the_connector_counts_as_a_change_of_service() {
        check(MSDRM[0], "", sz("http://rms.contoso.com/_wmcs/certification"), (1, 0, 0, 0));
    }

    #[test]
    fn what_is_no_url_is_unknown() {
        check(MSDRM[0], "", Value::Dword(1), (0, 1, 0, 0));
        check(MSDRM[0], "", sz("adrms"), (0, 1, 0, 0));
        check(EXCHANGE_REDIRECTION[0], T, Value::ExpandSz("x".into()), (0, 1, 0, 0));
    }

    #[test]
    fn evidence_nobody_read_is_unknown() {
        let host = sample::host("EX1", Role::Exchange);
        let mut observation = sample::observation("EX1", Role::Exchange);
        observation.values.clear();
        observation.listings.clear();
        let traces = traces(Role::Exchange, &observation, ours(&host, &[]));
        assert!(traces.evidence.iter().all(|one| one.weight == Weight::Unknown));
        assert_eq!(traces.evidence.len(), 15);
    }
}
