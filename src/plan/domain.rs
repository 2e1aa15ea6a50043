//! Failure domains: which hosts may not be down at the same time.

use crate::model::host::FarmRole;
use crate::model::host::Host;
use crate::model::plan::FailureDomain;
use crate::model::product::Role;
use crate::model::rollout::Playbook;
use crate::model::rollout::RestartDomain;
use crate::model::rollout::RestartSettings;

/// The restart settings of a host: those of the nearest of its groups that has some, else its
/// role's; `None` for a role that is never restarted.
pub fn restart_settings<'p>(host: &Host, playbook: &'p Playbook) -> Option<&'p RestartSettings> {
    let role = host.role?;
    let of_group = |group: &String| {
        playbook.restart_groups.iter().find(|(name, _)| name == group).map(|(_, found)| found)
    };
    if role != Role::Connector
        && let Some(settings) = host.groups.iter().rev().find_map(of_group)
    {
        return Some(settings);
    }
    match role {
        Role::Exchange => Some(&playbook.restart_exchange),
        Role::Sharepoint => Some(&playbook.restart_sharepoint),
        Role::Fci => Some(&playbook.restart_fci),
        Role::Connector => None,
    }
}

/// The failure domains of a host. A host whose inventory names none shares its role's.
pub fn domains(host: &Host, playbook: &Playbook) -> Vec<FailureDomain> {
    let Some(role) = host.role else { return Vec::new() };
    let Some(settings) = restart_settings(host, playbook) else { return Vec::new() };
    let named = |kind: &str, name: &Option<String>| FailureDomain {
        id: name.as_ref().map_or_else(|| format!("role:{role}"), |name| format!("{kind}:{name}")),
        max_unavailable: settings.max_unavailable,
    };
    let always = |kind: &str, name: &Option<String>| {
        name.as_ref().map(|name| FailureDomain { id: format!("{kind}:{name}"), max_unavailable: 1 })
    };
    match (role, settings.per) {
        // A DAG bears one member away, whatever its sites bear.
        (Role::Exchange, Some(RestartDomain::RmsSite)) => {
            always("dag", &host.dag).into_iter().chain([named("site", &host.site)]).collect()
        }
        (Role::Exchange, _) => vec![named("dag", &host.dag)],
        (Role::Sharepoint, Some(RestartDomain::RmsFarmRole)) => {
            farm_roles(host, settings.max_unavailable)
        }
        // Nor does a farm more than one server of each work.
        (Role::Sharepoint, Some(RestartDomain::RmsSite)) => {
            let works = if host.farm.is_some() { farm_roles(host, 1) } else { Vec::new() };
            works.into_iter().chain([named("site", &host.site)]).collect()
        }
        (Role::Sharepoint, _) => vec![named("farm", &host.farm)],
        (Role::Fci, Some(RestartDomain::RmsCluster)) => vec![named("cluster", &host.cluster)],
        (Role::Fci, _) => {
            // A cluster keeps its quorum only if its nodes go one by one, whatever the site bears.
            let cluster = host
                .cluster
                .as_ref()
                .map(|name| FailureDomain { id: format!("cluster:{name}"), max_unavailable: 1 });
            cluster.into_iter().chain([named("site", &host.site)]).collect()
        }
        (Role::Connector, _) => Vec::new(),
    }
}

/// A domain for each work that the server does in its farm: `farm-role:SP-PROD/web-front-end`.
fn farm_roles(host: &Host, max_unavailable: u32) -> Vec<FailureDomain> {
    let farm = host.farm.as_deref().unwrap_or("sharepoint");
    if host.farm_roles.is_empty() {
        return vec![FailureDomain { id: format!("farm:{farm}"), max_unavailable }];
    }
    let id = |role: &FarmRole| format!("farm-role:{farm}/{}", role.word());
    host.farm_roles.iter().map(|role| FailureDomain { id: id(role), max_unavailable }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    #[track_caller]
    fn check(role: Role, edit: impl FnOnce(&mut Host), expected: &[&str]) {
        let mut host = sample::host("H1", role);
        edit(&mut host);
        let got: Vec<String> = domains(&host, &sample::playbook())
            .into_iter()
            .map(|domain| format!("{} {}", domain.id, domain.max_unavailable))
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn a_host_is_in_the_domains_that_its_role_has() {
        check(Role::Exchange, |host| host.dag = Some("DAG1".into()), &["dag:DAG1 1"]);
        check(Role::Exchange, |host| host.site = Some("ams".into()), &["role:exchange 1"]);
        check(Role::Sharepoint, |host| host.farm = Some("SP".into()), &["farm:SP 1"]);
        check(Role::Fci, |_| {}, &["role:fci 2"]);
        check(
            Role::Fci,
            |host| {
                host.cluster = Some("FSCL01".into());
                host.site = Some("ams".into());
            },
            &["cluster:FSCL01 1", "site:ams 2"],
        );
        check(Role::Connector, |_| {}, &[]);
    }

    /// However many a site bears: its count is for servers that do not stand in for each other.
    #[test]
    fn a_farm_and_a_dag_bear_one_where_a_site_bears_more() {
        let per_site = |role: Role, edit: &dyn Fn(&mut Host)| -> Vec<String> {
            let mut playbook = sample::playbook();
            for settings in [&mut playbook.restart_exchange, &mut playbook.restart_sharepoint] {
                (settings.per, settings.max_unavailable) = (Some(RestartDomain::RmsSite), 2);
            }
            let mut host = sample::host("H1", role);
            host.site = Some("ams".to_owned());
            edit(&mut host);
            let domains = domains(&host, &playbook).into_iter();
            domains.map(|domain| format!("{} {}", domain.id, domain.max_unavailable)).collect()
        };
        let in_farm = |host: &mut Host| host.farm = Some("SP".to_owned());
        assert_eq!(per_site(Role::Sharepoint, &in_farm), ["farm:SP 1", "site:ams 2"]);
        let front = |host: &mut Host| {
            in_farm(host);
            host.farm_roles = [FarmRole::FrontEnd].into();
        };
        let expected = ["farm-role:SP/front-end 1", "site:ams 2"];
        assert_eq!(per_site(Role::Sharepoint, &front), expected);
        assert_eq!(per_site(Role::Sharepoint, &|_| {}), ["site:ams 2"]);
        let in_dag = |host: &mut Host| host.dag = Some("DAG1".to_owned());
        assert_eq!(per_site(Role::Exchange, &in_dag), ["dag:DAG1 1", "site:ams 2"]);
    }
}
