//! A host out of service: how it stood before, what is done to it, and what brings it back.
//!
//! One type is both what was found and what is read later. What is to be done is the difference
//! between two readings, so that it does not matter where an earlier process broke off.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

pub use crate::model::maintenance::act::Act;

mod act;
pub mod components;

/// Under whose name component states are set; Microsoft's own procedure uses it too.
pub const REQUESTER: &str = "Maintenance";
/// Takes no new messages while it drains.
pub const HUB_TRANSPORT: &str = "HubTransport";
/// Exchange 2013 and 2016 only.
pub const CALL_ROUTER: &str = "UMCallRouter";
/// Takes every component with it but those of [`STAYING`].
pub const SERVER_WIDE: &str = "ServerWideOffline";
/// What stays Active on a server in maintenance.
pub const STAYING: [&str; 2] = ["Monitoring", "RecoveryActionsEnabled"];
pub const TRANSPORT_SERVICE: &str = "MSExchangeTransport";
const BLOCKED: &str = "Blocked";
const ACTIVE: &str = "Active";
const DRAINING: &str = "Draining";
const INACTIVE: &str = "Inactive";

/// How a host stands in its DAG or cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Membership {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<MailboxServer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<ClusterNode>,
}

/// A member of a DAG, by its own endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxServer {
    /// As Exchange calls it.
    pub server: String,
    pub dag: String,
    pub components: BTreeMap<String, Component>,
    /// `DatabaseCopyAutoActivationPolicy`: Blocked, IntrasiteOnly, Unrestricted.
    pub policy: String,
    /// `DatabaseCopyActivationDisabledAndMoveNow`. Read only: never set here.
    pub move_now: bool,
    pub copies: Vec<DatabaseCopy>,
    /// Whether the transport service runs.
    pub transport: bool,
    /// Messages in queues that a redirection moves, shadow and poison queues left out.
    pub queued: u64,
}

/// `Get-ServerComponentState`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// What all requests together come to.
    pub state: String,
    /// The state that each requester asked for.
    pub asked: BTreeMap<String, String>,
}

/// One copy on this server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseCopy {
    pub database: String,
    pub active: bool,
    /// `Suspended`, `Healthy`, `Mounted` and others.
    pub status: String,
    pub activation_suspended: bool,
    /// There is no other.
    #[serde(default)]
    pub single: bool,
}

/// `Get-ClusterNode`, and the roles that it owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterNode {
    pub name: String,
    pub state: NodeState,
    /// Roles owned; in a DAG the cluster's core group.
    #[serde(default)]
    pub groups: Vec<String>,
    /// `DrainStatus`, where one was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    Up,
    Paused,
    /// Not joined, joining, or not told.
    Down,
}

/// What is to be done to stand as found again, and what is left to those who did it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Return {
    pub acts: Vec<Act>,
    /// What somebody else has changed meanwhile: neither as found nor as we left it.
    pub foreign: Vec<String>,
}

impl Membership {
    /// What takes the host out of service, in order, from how it stands now. Empty once done.
    ///
    /// `target` is another server's full name for what is queued.
    pub fn drain(&self, target: Option<&str>) -> Vec<Act> {
        let mut acts = Vec::new();
        if let Some(own) = &self.mailbox {
            let server = own.server.clone();
            if own.is(HUB_TRANSPORT, ACTIVE) {
                acts.push(own.set(HUB_TRANSPORT, DRAINING));
                if own.transport {
                    acts.push(Act::RestartTransport { server: server.clone() });
                }
            }
            // A process that died between stop and start left it so.
            if !own.transport && own.asked(HUB_TRANSPORT) == Some(DRAINING) {
                acts.push(Act::StartTransport { server: server.clone() });
            }
            if own.is(CALL_ROUTER, ACTIVE) {
                acts.push(own.set(CALL_ROUTER, DRAINING));
            }
            if let Some(target) = target.filter(|_| own.queued > 0) {
                acts.push(Act::Redirect { server: server.clone(), target: target.to_owned() });
            }
            if own.policy != BLOCKED {
                acts.push(Act::SetPolicy { server, policy: BLOCKED.to_owned() });
            }
        }
        if let Some(node) = &self.node
            && node.state == NodeState::Up
        {
            acts.push(Act::SuspendNode { node: node.name.clone() });
        }
        let movable = self.mailbox.iter().flat_map(|own| &own.copies);
        acts.extend(
            movable
                .filter(|copy| copy.active && !copy.single)
                .map(|copy| Act::MoveDatabase { database: copy.database.clone() }),
        );
        acts
    }

    /// What still keeps the host from going offline; empty once it is drained.
    pub fn busy(&self) -> Vec<String> {
        let mut busy = Vec::new();
        if let Some(own) = &self.mailbox {
            let active = own.copies.iter().filter(|copy| copy.active && !copy.single).count();
            if active > 0 {
                busy.push(format!("{active} databases are active here"));
            }
            if own.queued > 0 {
                busy.push(format!("{} messages are queued", own.queued));
            }
            if own.policy != BLOCKED {
                busy.push(format!("the activation policy is {}", own.policy));
            }
            if own.is(HUB_TRANSPORT, ACTIVE) {
                busy.push(format!("{HUB_TRANSPORT} is Active"));
            }
        }
        if let Some(node) = &self.node {
            match (node.state, node.drain.as_deref()) {
                (NodeState::Up, _) => busy.push(format!("node {} is not paused", node.name)),
                (NodeState::Paused, Some("InProgress")) => {
                    busy.push(format!("node {} is draining", node.name));
                }
                (NodeState::Paused | NodeState::Down, _) => {}
            }
            if !node.groups.is_empty() {
                busy.push(format!("node {} owns {}", node.name, node.groups.join(", ")));
            }
        }
        busy
    }

    /// The last act before the restart: everything offline.
    pub fn offline(&self) -> Option<Act> {
        let own = self.mailbox.as_ref()?;
        let on = own.components.get(SERVER_WIDE).is_none_or(|whole| whole.state != INACTIVE);
        on.then(|| own.set(SERVER_WIDE, INACTIVE))
    }

    /// What is not as it must be right before the restart.
    pub fn unready(&self) -> Vec<String> {
        let mut odd = self.busy();
        for (name, component) in self.mailbox.iter().flat_map(|own| &own.components) {
            let stays = STAYING.contains(&name.as_str());
            if !stays && component.state == ACTIVE {
                odd.push(format!("{name} is Active"));
            }
        }
        odd
    }

    /// What brings the host back to `self` from how it stands `now`, in reverse order.
    ///
    /// INVARIANT: only what still stands as the drain left it is put back; what somebody else has
    /// set since is his.
    pub fn restore(&self, now: &Self) -> Return {
        let mut back = Return::default();
        let mailboxes = self.mailbox.as_ref().zip(now.mailbox.as_ref());
        if let Some((found, now)) = mailboxes {
            component(found, now, SERVER_WIDE, INACTIVE, &mut back);
        }
        if let (Some(found), Some(now)) = (&self.node, &now.node)
            && (found.state, now.state) == (NodeState::Up, NodeState::Paused)
        {
            back.acts
                .push(Act::ResumeNode { node: now.name.clone(), failback: self.mailbox.is_none() });
        }
        let Some((found, now)) = mailboxes else { return back };
        if now.policy != found.policy {
            let server = now.server.clone();
            if now.policy == BLOCKED {
                back.acts.push(Act::SetPolicy { server, policy: found.policy.clone() });
            } else {
                back.foreign.push(format!(
                    "the activation policy is {}, it was {}",
                    now.policy, found.policy
                ));
            }
        }
        component(found, now, CALL_ROUTER, DRAINING, &mut back);
        let begun = back.acts.len();
        component(found, now, HUB_TRANSPORT, DRAINING, &mut back);
        let server = now.server.clone();
        if now.transport && back.acts.len() > begun {
            back.acts.push(Act::RestartTransport { server });
        } else if found.transport && !now.transport {
            back.acts.push(Act::StartTransport { server });
        }
        copies(found, now, &mut back);
        back
    }

    /// The host as a drain leaves it, if nothing goes wrong.
    #[must_use]
    pub fn drained(&self) -> Self {
        let mut drained = self.clone();
        if let Some(own) = &mut drained.mailbox {
            for (name, state) in
                [(HUB_TRANSPORT, DRAINING), (CALL_ROUTER, DRAINING), (SERVER_WIDE, INACTIVE)]
            {
                if let Some(component) = own.components.get_mut(name)
                    && component.state == ACTIVE
                {
                    state.clone_into(&mut component.state);
                    component.asked.insert(REQUESTER.to_owned(), state.to_owned());
                }
            }
            BLOCKED.clone_into(&mut own.policy);
        }
        if let Some(node) = &mut drained.node
            && node.state == NodeState::Up
        {
            node.state = NodeState::Paused;
            node.groups.clear();
        }
        drained
    }

    /// What a person types to bring a host back that was left in maintenance, line by line. What
    /// was never reached is as found already, and the commands change nothing there.
    pub fn recovery(&self) -> Vec<String> {
        self.restore(&self.drained()).acts.iter().map(ToString::to_string).collect()
    }

    /// What was out of the ordinary when found, and stays so.
    pub fn peculiar(&self) -> Vec<String> {
        let mut odd = Vec::new();
        if let Some(own) = &self.mailbox {
            for copy in &own.copies {
                if copy.status == "Suspended" {
                    odd.push(format!("copy {} is suspended", copy.database));
                } else if copy.activation_suspended {
                    odd.push(format!("the activation of copy {} is suspended", copy.database));
                }
            }
            if own.policy != "Unrestricted" {
                odd.push(format!("the activation policy is {}", own.policy));
            }
            if own.move_now {
                odd.push("DatabaseCopyActivationDisabledAndMoveNow is set".to_owned());
            }
            for (name, component) in &own.components {
                for (requester, state) in &component.asked {
                    if state != ACTIVE {
                        odd.push(format!("{name} is {state} by {requester}"));
                    }
                }
            }
        }
        if let Some(node) = self.node.as_ref().filter(|node| node.state == NodeState::Paused) {
            odd.push(format!("node {} is paused", node.name));
        }
        odd
    }

    /// Databases that are active here and have no other copy: they go down with the host.
    pub fn single_copies(&self) -> Vec<&str> {
        let copies = self.mailbox.iter().flat_map(|own| &own.copies);
        copies
            .filter(|copy| copy.single && copy.active)
            .map(|copy| copy.database.as_str())
            .collect()
    }
}

impl MailboxServer {
    fn is(&self, name: &str, state: &str) -> bool {
        self.components.get(name).is_some_and(|component| component.state == state)
    }

    fn asked(&self, name: &str) -> Option<&str> {
        self.components.get(name)?.asked.get(REQUESTER).map(String::as_str)
    }

    fn set(&self, component: &str, state: &str) -> Act {
        Act::SetComponent {
            server: self.server.clone(),
            component: component.to_owned(),
            state: state.to_owned(),
        }
    }
}

/// `ours` is what a drain asks for. An entry cannot be taken away: where there was none, Active is
/// the same.
fn component(
    found: &MailboxServer,
    now: &MailboxServer,
    name: &str,
    ours: &str,
    back: &mut Return,
) {
    let before = found.asked(name).unwrap_or(ACTIVE);
    let held = now.asked(name).unwrap_or(ACTIVE);
    if held == before {
        return;
    }
    if held == ours {
        back.acts.push(now.set(name, before));
    } else {
        back.foreign.push(format!("{name} is {held} by {REQUESTER}, it was {before}"));
    }
}

/// Nothing here suspends or resumes a copy; who has done so meanwhile is told.
fn copies(found: &MailboxServer, now: &MailboxServer, back: &mut Return) {
    for copy in &found.copies {
        let Some(held) = now.copies.iter().find(|held| held.database == copy.database) else {
            back.foreign.push(format!("copy {} is not there any more", copy.database));
            continue;
        };
        let suspended = |copy: &DatabaseCopy| copy.status == "Suspended";
        if (suspended(copy), copy.activation_suspended)
            != (suspended(held), held.activation_suspended)
        {
            let word = |copy: &DatabaseCopy| match (suspended(copy), copy.activation_suspended) {
                (true, _) => "suspended",
                (false, true) => "suspended for activation",
                (false, false) => "not suspended",
            };
            back.foreign.push(format!(
                "copy {} is {}, it was {}",
                copy.database,
                word(held),
                word(copy)
            ));
        }
    }
    if found.move_now != now.move_now {
        back.foreign.push(format!(
            "DatabaseCopyActivationDisabledAndMoveNow is {}, it was {}",
            now.move_now, found.move_now
        ));
    }
}

#[cfg(test)]
mod tests;
