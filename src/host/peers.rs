//! The other members of a DAG or cluster, as one of them sees them now.

use std::collections::BTreeSet;

use crate::host::cmdlet::ask;
use crate::host::cmdlet::missing;
use crate::host::cmdlet::run;
use crate::host::cmdlet::text;
use crate::host::cmdlet::texts;
use crate::host::link::Argument;
use crate::host::link::HostError;
use crate::host::link::Shell;
use crate::host::maintenance::CLUSTER_NODE;
use crate::host::maintenance::COPY_STATUS;
use crate::host::maintenance::component_state;
use crate::host::maintenance::node_state;
use crate::model::maintenance::NodeState;
use crate::model::maintenance::SERVER_WIDE;
use crate::wire::psrp::object::PsObject;

const DAG: &str = "Get-DatabaseAvailabilityGroup";

/// One member, by its short name in capitals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    /// Why it does not count as up; `None` if it does.
    pub away: Option<String>,
}

/// A DAG or cluster seen at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    pub members: Vec<Member>,
    /// Votes of the nodes that are in the cluster, and of all.
    pub votes: Option<(u32, u32)>,
    /// The vote of the host that is asked about.
    pub own_vote: u32,
    /// Databases that have a copy on the host and no usable one elsewhere.
    pub lonely: Vec<String>,
}

impl View {
    /// Adds what another look says of the same members; whoever is away for one is away.
    pub fn join(&mut self, other: Self) {
        for member in other.members {
            match self.members.iter_mut().find(|own| own.name == member.name) {
                Some(own) => own.away = own.away.take().or(member.away),
                None => self.members.push(member),
            }
        }
        self.votes = self.votes.or(other.votes);
        self.own_vote = self.own_vote.max(other.own_vote);
        self.lonely.extend(other.lonely);
    }

    /// Why `host` must not go down now, the members of `ours` being down by us; `None` if it may.
    ///
    /// INVARIANT: with the host down as well, never more than `limit` members are away, the votes
    /// that are left are a majority, and every database has a usable copy elsewhere.
    pub fn objection(&self, host: &str, ours: &BTreeSet<String>, limit: u32) -> Option<String> {
        let host = host.to_uppercase();
        let mut away: Vec<String> = Vec::new();
        for member in self.members.iter().filter(|member| member.name != host) {
            match &member.away {
                Some(why) => away.push(format!("{} {why}", member.name)),
                None if ours.contains(&member.name) => {
                    away.push(format!("{} is restarted by this run", member.name));
                }
                None => {}
            }
        }
        if away.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Some(format!("{} (at most {limit} may be away)", away.join(", ")));
        }
        if let Some((held, all)) = self.votes {
            let left = held.saturating_sub(self.own_vote);
            // An even number of votes has a witness beside it, which is taken to be there.
            if left * 2 < all {
                return Some(format!("without it {left} of {all} votes are left, no majority"));
            }
        }
        (!self.lonely.is_empty())
            .then(|| format!("no usable copy elsewhere of {}", self.lonely.join(", ")))
    }

    pub fn up(&self, ours: &BTreeSet<String>) -> usize {
        let up = |member: &&Member| member.away.is_none() && !ours.contains(&member.name);
        self.members.iter().filter(up).count()
    }
}

/// A DAG as the Exchange endpoint of one of its members sees it. The databases are those of which
/// that member, `server`, has a copy that is not `accepted` as the only one.
pub async fn dag(
    shell: &mut impl Shell,
    dag: &str,
    server: &str,
    accepted: &[String],
) -> Result<View, HostError> {
    let found = ask_status(shell, dag).await?;
    let servers = texts(&found, "Servers").ok_or_else(|| missing(DAG, "Servers"))?;
    let operational =
        texts(&found, "OperationalServers").ok_or_else(|| missing(DAG, "OperationalServers"))?;
    let upper =
        |names: Vec<String>| -> BTreeSet<String> { names.iter().map(|name| short(name)).collect() };
    let operational = upper(operational);
    let paused = upper(texts(&found, "ServersInMaintenance").unwrap_or_default());
    let mut view = View::default();
    for name in upper(servers) {
        let away = if name.eq_ignore_ascii_case(server) {
            None
        } else if !operational.contains(&name) {
            Some("is not operational in the DAG".to_owned())
        } else if paused.contains(&name) {
            Some("is in maintenance".to_owned())
        } else {
            match component_state(shell, &name, SERVER_WIDE).await {
                Ok(state) if state == "Active" => None,
                Ok(state) => Some(format!("is in maintenance ({SERVER_WIDE} is {state})")),
                Err(error) => Some(format!("does not tell its state ({error})")),
            }
        };
        view.members.push(Member { name, away });
    }
    view.lonely = lonely(shell, server, accepted, &view).await?;
    Ok(view)
}

/// The short name of a DAG's Primary Active Manager.
pub async fn primary(shell: &mut impl Shell, dag: &str) -> Result<Option<String>, HostError> {
    let found = ask_status(shell, dag).await?;
    Ok(text(&found, "PrimaryActiveManager").map(|name| short(&name)))
}

async fn ask_status(shell: &mut impl Shell, dag: &str) -> Result<PsObject, HostError> {
    let parameters =
        vec![("Identity", Argument::Text(dag.to_owned())), ("Status", Argument::Bool(true))];
    let found = run(shell, DAG, parameters).await?.output;
    found.into_iter().next().ok_or_else(|| missing(DAG, "Name"))
}

/// Databases of the server whose other copies are all away, suspended or not healthy.
async fn lonely(
    shell: &mut impl Shell,
    server: &str,
    accepted: &[String],
    view: &View,
) -> Result<Vec<String>, HostError> {
    let mut lonely = Vec::new();
    for own in ask(shell, COPY_STATUS, &[("Server", server)]).await? {
        let Some(database) = text(&own, "DatabaseName") else { continue };
        if accepted.contains(&database) {
            continue;
        }
        let copies = ask(shell, COPY_STATUS, &[("Identity", &database)]).await?;
        let usable = copies.iter().any(|copy| {
            let at = short(&text(copy, "MailboxServer").unwrap_or_default());
            let status = text(copy, "Status");
            let sound = matches!(status.as_deref(), Some("Healthy" | "Mounted"));
            let blocked = status.as_deref() != Some("Mounted")
                && copy.property("ActivationSuspended").and_then(PsObject::bool) == Some(true);
            let there = view.members.iter().any(|own| own.name == at && own.away.is_none());
            !at.eq_ignore_ascii_case(server) && sound && !blocked && there
        });
        if !usable {
            lonely.push(database);
        }
    }
    Ok(lonely)
}

/// The nodes of a cluster as the host's own endpoint sees them.
pub async fn cluster(shell: &mut impl Shell, host: &str) -> Result<View, HostError> {
    let mut view = View::default();
    let (mut held, mut all) = (0, 0);
    for node in ask(shell, CLUSTER_NODE, &[]).await? {
        let name = short(&text(&node, "Name").ok_or_else(|| missing(CLUSTER_NODE, "Name"))?);
        let weight = node.property("NodeWeight").and_then(PsObject::int).unwrap_or(1);
        let weight = u32::try_from(weight).unwrap_or(1);
        let state = node_state(&node);
        all += weight;
        // A paused node keeps its vote.
        held += if state == NodeState::Down { 0 } else { weight };
        let own = name.eq_ignore_ascii_case(host);
        if own {
            view.own_vote = weight;
        }
        let away = match state {
            NodeState::Up => None,
            NodeState::Paused => Some("is paused in the cluster".to_owned()),
            NodeState::Down => Some("is down in the cluster".to_owned()),
        };
        view.members.push(Member { name, away: away.filter(|_| !own) });
    }
    view.votes = Some((held, all));
    Ok(view)
}

/// `EX1` of `ex1.contoso.com`, and of a distinguished or canonical name's last part.
pub fn short(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    let last = last.strip_prefix("CN=").unwrap_or(last);
    last.split(['.', ',']).next().unwrap_or(last).to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(away: &[(&str, Option<&str>)], votes: Option<(u32, u32)>) -> View {
        let members = away
            .iter()
            .map(|(name, why)| Member { name: (*name).to_owned(), away: why.map(str::to_owned) })
            .collect();
        View { members, votes, own_vote: 1, ..View::default() }
    }

    #[track_caller]
    fn check(view: &View, ours: &[&str], limit: u32, expected: Option<&str>) {
        let ours = ours.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(view.objection("ex1", &ours, limit).as_deref(), expected);
    }

    #[test]
    fn a_peer_that_others_took_down_keeps_the_host_up() {
        let all_up = view(&[("EX1", None), ("EX2", None), ("EX3", None)], None);
        check(&all_up, &[], 1, None);
        check(&all_up, &["EX2"], 1, Some("EX2 is restarted by this run (at most 1 may be away)"));
        let paused = view(&[("EX1", None), ("EX2", Some("is paused")), ("EX3", None)], None);
        check(&paused, &[], 1, Some("EX2 is paused (at most 1 may be away)"));
        check(&paused, &[], 2, None);
        let both = Some("EX2 is paused, EX3 is restarted by this run (at most 2 may be away)");
        check(&paused, &["EX3"], 2, both);
    }

    #[test]
    fn the_votes_that_are_left_must_be_a_majority() {
        let names = [("EX1", None), ("EX2", None)];
        check(&view(&names, Some((2, 2))), &[], 1, None);
        let few = Some("without it 1 of 3 votes are left, no majority");
        check(&view(&names, Some((2, 3))), &[], 1, few);
        check(&view(&names, Some((4, 4))), &[], 1, None);
    }

    #[test]
    fn a_database_without_another_copy_keeps_the_host_up() {
        let mut view = view(&[("EX1", None)], None);
        view.lonely.push("DB1".to_owned());
        check(&view, &[], 1, Some("no usable copy elsewhere of DB1"));
    }

    #[test]
    fn a_member_is_known_by_its_short_name() {
        for name in ["ex1", "EX1.contoso.com", "contoso.com/Servers/EX1", "CN=EX1,CN=Servers"] {
            assert_eq!(short(name), "EX1", "{name}");
        }
    }
}
