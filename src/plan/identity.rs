//! Whether a host is the one that the inventory names.

use std::collections::BTreeMap;

use crate::model::facts::HostSurvey;
use crate::model::facts::Identity;
use crate::model::facts::Survey;
use crate::model::host::HostName;

/// The length to which Windows cuts a computer's NetBIOS name.
const NETBIOS: usize = 15;

/// What comparing a name with an identity gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Fits,
    /// The inventory has an address, so there is no name to compare.
    NoName,
    OtherComputer,
    OtherDomain,
}

/// Compares the inventory's name with what the host says it is.
///
/// The first label must be the computer's name, cut at 15 characters as NetBIOS cuts it; if the
/// name has a domain part, that must be the computer's domain.
pub fn fits(name: &HostName, identity: &Identity) -> Fit {
    if is_address(name.as_str()) {
        return Fit::NoName;
    }
    let (label, domain) = match name.as_str().trim_end_matches('.').split_once('.') {
        Some((label, domain)) => (label, Some(domain)),
        None => (name.as_str(), None),
    };
    let computer = identity.computer.as_str();
    let cut = label.split_at_checked(NETBIOS).map(|(cut, _)| cut);
    if !label.eq_ignore_ascii_case(computer)
        && !cut.is_some_and(|cut| cut.eq_ignore_ascii_case(computer))
    {
        return Fit::OtherComputer;
    }
    match (domain, &identity.domain) {
        (None, _) => Fit::Fits,
        (Some(domain), Some(found)) if domain.eq_ignore_ascii_case(found) => Fit::Fits,
        (Some(_), Some(_) | None) => Fit::OtherDomain,
    }
}

/// Four numbers, or anything with a colon: no computer has such a name.
fn is_address(name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    name.contains(':') || (parts.len() == 4 && parts.iter().all(|part| part.parse::<u8>().is_ok()))
}

/// Who a host said it is, if it was read.
pub fn identity_of<'a>(survey: &'a Survey, name: &HostName) -> Option<&'a Identity> {
    match survey.hosts.get(name)? {
        HostSurvey::Read(observation) => Some(&observation.identity),
        HostSurvey::Failed(_) => None,
    }
}

/// Hosts that say they are one and the same computer, each with the others' names.
pub fn twins(survey: &Survey) -> BTreeMap<HostName, Vec<HostName>> {
    let mut by_identity: BTreeMap<(String, Option<String>), Vec<&HostName>> = BTreeMap::new();
    for (name, host) in &survey.hosts {
        match host {
            HostSurvey::Read(observation) => {
                let identity = &observation.identity;
                let key = (
                    identity.computer.to_ascii_lowercase(),
                    identity.domain.as_ref().map(|domain| domain.to_ascii_lowercase()),
                );
                by_identity.entry(key).or_default().push(name);
            }
            HostSurvey::Failed(_) => {}
        }
    }
    let mut twins = BTreeMap::new();
    for names in by_identity.into_values().filter(|names| names.len() > 1) {
        for name in &names {
            let others = names.iter().filter(|other| *other != name).map(|&other| other.clone());
            twins.insert((*name).clone(), others.collect());
        }
    }
    twins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, computer: &str, domain: Option<&str>, expected: Fit) {
        let identity =
            Identity { computer: computer.into(), domain: domain.map(ToOwned::to_owned) };
        assert_eq!(fits(&HostName::new(name), &identity), expected, "{name} / {identity:?}");
    }

    #[test]
    fn a_name_fits_its_computer_in_any_case_and_netbios_cut() {
        check("ex-ams01", "EX-AMS01", Some("corp.contoso.com"), Fit::Fits);
        check("EX-AMS01.Corp.Contoso.com", "ex-ams01", Some("corp.contoso.com"), Fit::Fits);
        check("FILESERVER-AMS-0001", "FILESERVER-AMS-", None, Fit::Fits);
        check("FILESERVER-AMS-0001", "FILESERVER-AMS-0001", None, Fit::Fits);
        check("10.0.0.5", "FS01", Some("corp.contoso.com"), Fit::NoName);
    }

    #[test]
    fn an_address_is_no_name() {
        check("fe80::1", "FS01", None, Fit::NoName);
        check("10.0.0.256", "FS01", None, Fit::OtherComputer);
    }

    #[test]
    fn another_computer_or_domain_does_not_fit() {
        check("EX-AMS01", "EX-AMS02", None, Fit::OtherComputer);
        check("EX-AMS01", "EX-AMS0", None, Fit::OtherComputer);
        check("EX-AMS01", "", None, Fit::OtherComputer);
        check("ex1.corp.contoso.com", "EX1", Some("dev.contoso.com"), Fit::OtherDomain);
        check("ex1.corp.contoso.com", "EX1", None, Fit::OtherDomain);
    }
}
