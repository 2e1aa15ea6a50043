//! Which servers of a farm carry what: DAGs, failover clusters, and what moves when one goes down.
//!
//! The cmdlets that work on it stand in `lab::maintenance` and `lab::cluster`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// Components of every simulated Exchange server; those that are not listed are not asked about.
pub const COMPONENTS: [&str; 9] = [
    "ServerWideOffline",
    "HubTransport",
    "FrontendTransport",
    "Monitoring",
    "RecoveryActionsEnabled",
    "AutoDiscoverProxy",
    "EwsProxy",
    "MapiProxy",
    "OwaProxy",
];
/// What ServerWideOffline does not take with it.
const STAY: [&str; 2] = ["Monitoring", "RecoveryActionsEnabled"];
/// The group that the Primary Active Manager of a DAG owns.
pub const CORE: &str = "Cluster Group";
/// Members that hold a copy of one database, at most.
const COPIES: usize = 4;

/// All that the servers of a farm share beside the Exchange organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Availability {
    /// By computer name.
    pub servers: BTreeMap<String, Server>,
    /// Database to server to copy.
    pub databases: BTreeMap<String, BTreeMap<String, Copy>>,
    /// By the name of the DAG or cluster.
    pub clusters: BTreeMap<String, Cluster>,
    /// What was done by cmdlets, in order; questions are left out.
    pub acts: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub fqdn: String,
    pub up: bool,
    pub dag: Option<String>,
    /// The DAG or failover cluster that it is a node of.
    pub cluster: Option<String>,
    /// `DatabaseCopyAutoActivationPolicy`.
    pub policy: String,
    /// `DatabaseCopyActivationDisabledAndMoveNow`.
    pub move_now: bool,
    /// Component to requester to state.
    pub components: BTreeMap<String, BTreeMap<String, String>>,
    /// Queue to messages.
    pub queues: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copy {
    pub active: bool,
    pub preference: usize,
    pub suspended: bool,
    pub activation_suspended: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Paused nodes; all others are up as long as their hosts are.
    pub paused: BTreeSet<String>,
    /// Nodes that were drained, and what they owned.
    pub drained: BTreeMap<String, Vec<String>>,
    pub nodes: Vec<String>,
    /// Group to owner.
    pub groups: BTreeMap<String, String>,
}

impl Server {
    pub fn new(fqdn: String, dag: Option<String>, cluster: Option<String>) -> Self {
        Self {
            fqdn,
            up: true,
            cluster: dag.clone().or(cluster),
            dag,
            policy: "Unrestricted".to_owned(),
            move_now: false,
            components: BTreeMap::new(),
            queues: BTreeMap::from([("Submission".to_owned(), 0)]),
        }
    }

    /// What all requests come to: Inactive wins over Draining, and that over Active.
    pub fn component(&self, name: &str) -> &'static str {
        let asks = |name: &str, state: &str| {
            self.components.get(name).is_some_and(|asked| asked.values().any(|own| own == state))
        };
        let whole = !STAY.contains(&name) && asks("ServerWideOffline", "Inactive");
        if whole || asks(name, "Inactive") {
            "Inactive"
        } else if asks(name, "Draining") {
            "Draining"
        } else {
            "Active"
        }
    }
}

impl Availability {
    /// Adds a server. Each member of a DAG brings a database that is active on it.
    pub fn add(&mut self, computer: &str, server: Server) {
        if let Some(name) = &server.cluster {
            let cluster = self.clusters.entry(name.clone()).or_default();
            cluster.nodes.push(computer.to_owned());
            let role = if server.dag.is_some() { None } else { Some(format!("FS-{computer}")) };
            cluster.groups.entry(CORE.to_owned()).or_insert_with(|| computer.to_owned());
            cluster.groups.extend(role.map(|role| (role, computer.to_owned())));
        }
        self.servers.insert(computer.to_owned(), server);
    }

    /// Spreads the databases of every DAG, once all servers are known.
    pub fn settle(&mut self) {
        for (name, cluster) in &self.clusters {
            let nodes = &cluster.nodes;
            let is_dag =
                |node: &String| self.servers.get(node).is_some_and(|own| own.dag.is_some());
            if !nodes.iter().any(is_dag) {
                continue;
            }
            for place in 0..nodes.len() {
                let holders = nodes.iter().cycle().skip(place).take(nodes.len().min(COPIES));
                let copies = holders.enumerate().map(|(turn, node)| {
                    let copy = Copy { active: turn == 0, preference: turn + 1, ..Copy::default() };
                    (node.clone(), copy)
                });
                self.databases.insert(format!("{name}-DB{:02}", place + 1), copies.collect());
            }
        }
    }

    /// A host has gone down or come up. What was active on it moves where it may.
    pub fn set_up(&mut self, computer: &str, up: bool) {
        let Some(server) = self.servers.get_mut(computer) else { return };
        if std::mem::replace(&mut server.up, up) == up || up {
            return;
        }
        let active: Vec<String> = self.active_on(computer);
        for database in active {
            if let Some(target) = self.refuge(&database, computer) {
                self.activate(&database, &target);
            }
        }
        self.move_groups(computer);
    }

    pub fn active_on(&self, computer: &str) -> Vec<String> {
        let here =
            |copies: &BTreeMap<String, Copy>| copies.get(computer).is_some_and(|copy| copy.active);
        self.databases
            .iter()
            .filter(|(_, copies)| here(copies))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The server that Active Manager would choose: by preference, usable, up and not blocked.
    pub fn refuge(&self, database: &str, from: &str) -> Option<String> {
        let mut copies: Vec<(&String, &Copy)> = self.databases.get(database)?.iter().collect();
        copies.sort_by_key(|(_, copy)| copy.preference);
        let fit = |(name, copy): &&(&String, &Copy)| {
            let server = self.servers.get(*name);
            *name != from
                && !copy.suspended
                && !copy.activation_suspended
                && server.is_some_and(|own| own.up && own.policy != "Blocked" && !own.move_now)
        };
        copies.iter().find(fit).map(|(name, _)| (*name).clone())
    }

    pub fn activate(&mut self, database: &str, target: &str) {
        for (name, copy) in self.databases.entry(database.to_owned()).or_default() {
            copy.active = name == target;
        }
    }

    /// Moves the groups of a node to others that are up and not paused; whether none is left.
    pub fn move_groups(&mut self, computer: &str) -> bool {
        let servers = &self.servers;
        let own = servers.get(computer).and_then(|server| server.cluster.clone());
        let Some(cluster) = own.and_then(|name| self.clusters.get_mut(&name)) else { return true };
        let free: Vec<&String> = cluster
            .nodes
            .iter()
            .filter(|node| *node != computer && !cluster.paused.contains(*node))
            .filter(|node| servers.get(*node).is_some_and(|server| server.up))
            .collect();
        let mine: Vec<String> = cluster
            .groups
            .iter()
            .filter(|(_, owner)| *owner == computer)
            .map(|(group, _)| group.clone())
            .collect();
        if mine.is_empty() || free.is_empty() {
            return mine.is_empty();
        }
        let targets = free.iter().cycle().take(mine.len()).map(|node| (*node).clone());
        let moved: Vec<(String, String)> = mine.iter().cloned().zip(targets).collect();
        cluster.groups.extend(moved);
        let drained = cluster.drained.entry(computer.to_owned()).or_default();
        drained.extend(mine);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dag(count: usize) -> Availability {
        let mut farm = Availability::default();
        for number in 1..=count {
            let name = format!("EX{number}");
            let fqdn = format!("{name}.contoso.com").to_lowercase();
            farm.add(&name, Server::new(fqdn, Some("DAG1".to_owned()), None));
        }
        farm.settle();
        farm
    }

    #[test]
    fn a_member_that_goes_down_loses_its_databases_and_does_not_get_them_back() {
        let mut farm = dag(3);
        assert_eq!(farm.active_on("EX1"), ["DAG1-DB01"]);
        farm.set_up("EX1", false);
        assert_eq!(farm.active_on("EX1"), [""; 0]);
        assert_eq!(farm.active_on("EX2").len(), 2);
        assert_eq!(farm.clusters["DAG1"].groups[CORE], "EX2");
        farm.set_up("EX1", true);
        assert_eq!(farm.active_on("EX1"), [""; 0]);
    }

    #[test]
    fn nothing_moves_to_where_it_is_blocked_or_suspended() {
        let mut farm = dag(3);
        farm.servers.get_mut("EX2").unwrap().policy = "Blocked".to_owned();
        farm.databases.get_mut("DAG1-DB01").unwrap().get_mut("EX3").unwrap().activation_suspended =
            true;
        farm.set_up("EX1", false);
        assert_eq!(farm.active_on("EX1"), ["DAG1-DB01"], "it stays, dismounted");
    }

    #[test]
    fn server_wide_offline_takes_all_but_monitoring() {
        let mut farm = dag(2);
        let server = farm.servers.get_mut("EX1").unwrap();
        let asked = BTreeMap::from([("Maintenance".to_owned(), "Inactive".to_owned())]);
        server.components.insert("ServerWideOffline".to_owned(), asked);
        let active: Vec<&str> =
            COMPONENTS.into_iter().filter(|name| server.component(name) == "Active").collect();
        assert_eq!(active, STAY);
    }
}
