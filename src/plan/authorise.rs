//! Whom the connector's administrator must authorise before a host can use it (`connector.md` 3.5).

use crate::model::facts::Observation;
use crate::model::product::Role;

/// How often each node downloads the list of whom it serves, in minutes.
pub const LIST_MINUTES: u32 = 15;

/// The account that a host shows to the connector, and the role that it is authorised as.
pub fn account(role: Role, observation: &Observation) -> Option<String> {
    let identity = &observation.identity;
    // A DNS domain's first label is its NetBIOS name nearly always; the reader sees both.
    let domain = identity.domain.as_deref().and_then(|domain| domain.split('.').next());
    let domain = domain.map_or_else(String::new, |domain| format!("{}\\", domain.to_uppercase()));
    let computer = format!("{domain}{}$", identity.computer.to_uppercase());
    Some(match role {
        Role::Exchange => format!(
            "the group {domain}Exchange Servers, as Exchange: everybody in it is a super user of \
             Rights Management"
        ),
        Role::Sharepoint => {
            let services = observation.particulars.services.told().ok();
            let timer = services.and_then(|services| services.get("sptimerv4"));
            let farm = timer.and_then(|timer| timer.account.as_deref()).map_or_else(
                || "the farm's account".to_owned(),
                // Over the network it is the computer that logs on.
                |account| {
                    if is_the_computer(account) {
                        format!("a group with the computer account {computer}, the farm's account")
                    } else {
                        format!("{account}, the farm's account")
                    }
                },
            );
            format!("{farm}, and the application pools' account, as SharePoint")
        }
        Role::Fci => format!(
            "the computer account {computer}, or a group that it is in, as file server (FCI)"
        ),
        Role::Connector => return None,
    })
}

/// Whether a service account of Windows's own shows the computer's account to others.
fn is_the_computer(account: &str) -> bool {
    let name = account.rsplit('\\').next().unwrap_or(account);
    let name: String = name.chars().filter(|letter| *letter != ' ').collect();
    ["localsystem", "system", "networkservice"].contains(&name.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::particulars::Asked;
    use crate::model::particulars::Service;
    use crate::plan::sample;

    #[test]
    fn every_role_shows_its_own_account() {
        let name = |role| account(role, &sample::observation("fs1", role)).unwrap();
        assert!(name(Role::Exchange).starts_with(r"the group CORP\Exchange Servers, as Exchange"));
        assert!(name(Role::Fci).starts_with(r"the computer account CORP\FS1$, "));
        let mut seen = sample::observation("SP1", Role::Sharepoint);
        let account_of =
            |name: &str| Service { state: "Running".to_owned(), account: Some(name.to_owned()) };
        seen.particulars.services =
            Asked::Told([("sptimerv4".to_owned(), account_of(r"CORP\svc-farm"))].into());
        let text = account(Role::Sharepoint, &seen).unwrap();
        assert!(text.starts_with(r"CORP\svc-farm, the farm's account, and the application pools'"));
        let built_in =
            ["LocalSystem", r"NT AUTHORITY\NETWORK SERVICE", r"NT AUTHORITY\NetworkService"];
        for own in built_in {
            seen.particulars.services =
                Asked::Told([("sptimerv4".to_owned(), account_of(own))].into());
            let text = account(Role::Sharepoint, &seen).unwrap();
            let computer = r"a group with the computer account CORP\SP1$, the farm's account, and";
            assert!(text.starts_with(computer), "{own}: {text}");
        }
    }
}
