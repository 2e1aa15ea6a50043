//! Which hosts a farm has, as data.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::lab::furnish;
use crate::lab::local::Local;
use crate::lab::power::Manner;
use crate::lab::registry::Registry;
use crate::lab::strike::Blow;
use crate::lab::tour;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::product::Product;
use crate::model::product::Role;

/// Domain of hosts whose names have none.
pub const DOMAIN: &str = "corp.contoso.com";
/// Exchange organisation of hosts whose inventory names none.
pub const ORGANISATION: &str = "Contoso";
/// SharePoint farm of hosts whose inventory names none.
pub const FARM: &str = "SP01";
/// Longest computer name that Windows' own classes show.
const COMPUTER: usize = 15;

/// One host before it is switched on.
#[derive(Debug, Clone)]
pub struct FarmHost {
    /// As the inventory spells it.
    pub name: HostName,
    /// `CSName`.
    pub computer: String,
    /// DNS domain; `None` for a workgroup.
    pub domain: Option<String>,
    pub role: Role,
    pub product: Product,
    /// The Exchange organisation, for Exchange servers.
    pub organisation: Option<String>,
    /// The SharePoint farm, for its servers.
    pub farm: Option<String>,
    /// What a connector's page tells as the tenant's URL.
    pub tenant_page: Option<String>,
    /// What the rights clients have left in their folders, by path in lower case.
    pub folders: BTreeMap<String, Vec<String>>,
    /// The DAG that it is a member of.
    pub dag: Option<String>,
    /// The failover cluster that it is a node of.
    pub cluster: Option<String>,
    /// Where to listen; `None` takes a free port on 127.0.0.1.
    pub listen: Option<SocketAddr>,
    pub registry: Registry,
    /// What the host does with an order to restart.
    pub manner: Manner,
    /// Which of its messages are struck.
    pub blow: Option<Blow>,
    pub local: Local,
    /// Services that its setup left out.
    pub lacks: Vec<&'static str>,
}

impl FarmHost {
    /// A host as the product's setup leaves it, without anything of Rights Management.
    pub fn new(name: HostName, role: Role, product: Product) -> Self {
        let computer: String = name.short().to_uppercase().chars().take(COMPUTER).collect();
        let domain = name.as_str().split_once('.').map_or(DOMAIN, |(_, domain)| domain).to_owned();
        Self {
            registry: furnish::registry(role, product),
            local: Local::of(role, product),
            lacks: Vec::new(),
            organisation: (role == Role::Exchange).then(|| ORGANISATION.to_owned()),
            farm: (role == Role::Sharepoint).then(|| FARM.to_owned()),
            tenant_page: (role == Role::Connector).then(|| tour::TENANT.to_owned()),
            folders: BTreeMap::new(),
            name,
            computer,
            domain: Some(domain),
            role,
            product,
            dag: None,
            cluster: None,
            listen: None,
            manner: Manner::Returns,
            blow: None,
        }
    }

    /// `EX01.corp.contoso.com`.
    pub fn fqdn(&self) -> String {
        match &self.domain {
            Some(domain) => format!("{}.{domain}", self.computer),
            None => self.computer.clone(),
        }
    }
}

/// The product of a host whose inventory asserts none.
pub fn usual_product(role: Role) -> Product {
    match role {
        Role::Exchange => Product::Exchange2019,
        Role::Sharepoint => Product::Sharepoint2019,
        Role::Fci => Product::Windows2016,
        Role::Connector => Product::Windows2019,
    }
}

/// Simulated hosts for every host of an inventory that has a role.
pub fn from_hosts(hosts: &[Host]) -> Vec<FarmHost> {
    let tenant = hosts.iter().find_map(|host| host.tenant.as_ref());
    let with_role = hosts.iter().filter_map(|host| host.role.map(|role| (host, role)));
    let mut farm: Vec<FarmHost> = with_role
        .map(|(host, role)| {
            let product = host.product.unwrap_or_else(|| usual_product(role));
            let mut farm_host = FarmHost::new(host.name.clone(), role, product);
            if let (Role::Exchange, Some(organisation)) = (role, &host.organization) {
                farm_host.organisation = Some(organisation.clone());
            }
            if role == Role::Sharepoint {
                let own = || host.name.short().to_owned();
                farm_host.farm = Some(host.farm.clone().unwrap_or_else(own));
            }
            if let (Role::Connector, Some(tenant)) = (role, tenant) {
                farm_host.tenant_page = Some(tenant.to_string());
            }
            farm_host.dag = host.dag.clone().filter(|_| role == Role::Exchange);
            farm_host.cluster.clone_from(&host.cluster);
            farm_host
        })
        .collect();
    join(&mut farm);
    farm
}

/// Gives every node of a DAG or cluster the hive in which its cluster service keeps the members.
fn join(farm: &mut [FarmHost]) {
    let mut nodes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for host in farm.iter() {
        if let Some(name) = host.dag.as_ref().or(host.cluster.as_ref()) {
            nodes.entry(name.clone()).or_default().push(host.computer.clone());
        }
    }
    for host in farm {
        let Some(name) = host.dag.as_ref().or(host.cluster.as_ref()) else { continue };
        furnish::cluster(&mut host.registry, name, nodes.get(name).map_or(&[], Vec::as_slice));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::host::Configure;
    use crate::model::host::Endpoint;
    use crate::model::host::PriorAdrms;
    use crate::model::host::RestartPolicy;
    use crate::model::host::Scheme;
    use crate::model::host::Spn;
    use crate::model::host::Transport;
    use crate::model::tls::TlsTrust;

    #[track_caller]
    fn check(name: &str, computer: &str, fqdn: &str) {
        let host = FarmHost::new(HostName::new(name), Role::Fci, Product::Windows2016);
        assert_eq!((host.computer.as_str(), host.fqdn().as_str()), (computer, fqdn));
    }

    #[test]
    fn an_inventorys_hosts_are_simulated_where_they_have_a_role() {
        let endpoint = Endpoint {
            scheme: Scheme::Http,
            address: "x".to_owned(),
            port: 5985,
            path: "/wsman".to_owned(),
            transport: Transport::Ntlm,
            tls: TlsTrust::default(),
            spn: Spn::default(),
            client: None,
        };
        let host = |name: &str, role, product| Host {
            name: HostName::new(name),
            groups: Vec::new(),
            role,
            product,
            configure: Configure::Auto,
            exchange: endpoint.clone(),
            endpoint: endpoint.clone(),
            credential: "default".to_owned(),
            user: None,
            tenant: None,
            connector: None,
            prior_adrms: PriorAdrms::Auto,
            restart: RestartPolicy::Auto,
            dag: None,
            farm: None,
            cluster: None,
            site: None,
            farm_roles: Vec::new(),
            canary: None,
            window: None,
            tags: Vec::new(),
            owner: None,
            organization: Some("Fabrikam".to_owned()),
            sharepoint: "Microsoft.PowerShell".to_owned(),
            adrms: Vec::new(),
            connect_timeout: 1,
            operation_timeout: 1,
        };
        let farm = from_hosts(&[
            host("mail", Some(Role::Exchange), Some(Product::Exchange2016)),
            host("files", Some(Role::Fci), None),
            host("other", None, None),
        ]);
        let seen: Vec<_> = farm
            .iter()
            .map(|host| (host.computer.as_str(), host.product, host.organisation.as_deref()))
            .collect();
        assert_eq!(
            seen,
            [
                ("MAIL", Product::Exchange2016, Some("Fabrikam")),
                ("FILES", Product::Windows2016, None),
            ]
        );
    }

    #[test]
    fn computer_and_domain_follow_the_inventorys_name() {
        check("fs01", "FS01", "FS01.corp.contoso.com");
        check("fs01.example.net", "FS01", "FS01.example.net");
        check("a-very-long-server-name", "A-VERY-LONG-SER", "A-VERY-LONG-SER.corp.contoso.com");
    }
}
