//! A DAG member or cluster node goes out of service and comes back, by named cmdlets with bound
//! parameters (`connector.md` 5.4). What to do is decided in `model::maintenance`.

use std::collections::BTreeMap;

use crate::host::cmdlet::ask;
use crate::host::cmdlet::missing;
use crate::host::cmdlet::required;
use crate::host::cmdlet::run;
use crate::host::cmdlet::text;
use crate::host::link::Argument;
use crate::host::link::HostError;
use crate::host::link::Shell;
use crate::model::maintenance::Act;
use crate::model::maintenance::ClusterNode;
use crate::model::maintenance::Component;
use crate::model::maintenance::DatabaseCopy;
use crate::model::maintenance::MailboxServer;
use crate::model::maintenance::NodeState;
use crate::model::maintenance::REQUESTER;
use crate::wire::psrp::object::PsObject;

pub(crate) const COPY_STATUS: &str = "Get-MailboxDatabaseCopyStatus";
const COMPONENT_STATE: &str = "Get-ServerComponentState";
const MAILBOX_SERVER: &str = "Get-MailboxServer";
pub(crate) const CLUSTER_NODE: &str = "Get-ClusterNode";

/// Reads a DAG member over Exchange's endpoint. Whether its transport service runs, WMI tells.
pub async fn mailbox(shell: &mut impl Shell, server: &str) -> Result<MailboxServer, HostError> {
    let [own] = ask(shell, MAILBOX_SERVER, &[("Identity", server)]).await?.try_into().map_err(
        |found: Vec<PsObject>| HostError::Unexpected {
            expected: format!("one mailbox server {server}"),
            got: format!("{} of them", found.len()),
        },
    )?;
    let policy = required(&own, MAILBOX_SERVER, "DatabaseCopyAutoActivationPolicy")?;
    let move_now = own
        .property("DatabaseCopyActivationDisabledAndMoveNow")
        .and_then(PsObject::bool)
        .unwrap_or(false);
    let dag = text(&own, "DatabaseAvailabilityGroup").ok_or_else(|| HostError::Unexpected {
        expected: format!("{server} to be a member of a DAG"),
        got: "a mailbox server without one".to_owned(),
    })?;
    let components = components(shell, server).await?;
    let mut copies = Vec::new();
    for copy in ask(shell, COPY_STATUS, &[("Server", server)]).await? {
        copies.push(database_copy(&copy)?);
    }
    for copy in copies.iter_mut().filter(|copy| copy.active) {
        let all = ask(shell, COPY_STATUS, &[("Identity", &copy.database)]).await?;
        copy.single = all.len() == 1;
    }
    let queued = queued(shell, server).await?;
    let server = server.to_owned();
    Ok(MailboxServer { server, dag, components, policy, move_now, copies, transport: true, queued })
}

/// Every component of a server, by name.
pub async fn components(
    shell: &mut impl Shell,
    server: &str,
) -> Result<BTreeMap<String, Component>, HostError> {
    let mut components = BTreeMap::new();
    for object in ask(shell, COMPONENT_STATE, &[("Identity", server)]).await? {
        let name = required(&object, COMPONENT_STATE, "Component")?;
        components.insert(name, component(&object)?);
    }
    Ok(components)
}

/// The state of one component of any server of the organisation.
pub async fn component_state(
    shell: &mut impl Shell,
    server: &str,
    name: &str,
) -> Result<String, HostError> {
    let found = ask(shell, COMPONENT_STATE, &[("Identity", server), ("Component", name)]).await?;
    let state = found.first().ok_or_else(|| missing(COMPONENT_STATE, "State"))?;
    required(state, COMPONENT_STATE, "State")
}

/// The entries by requester come as objects, or as text from an older serialiser; where they are
/// neither, Active tells enough: one request for anything else would have won.
fn component(object: &PsObject) -> Result<Component, HostError> {
    let state = required(object, COMPONENT_STATE, "State")?;
    let mut asked = BTreeMap::new();
    let mut unread = false;
    for property in ["LocalStates", "RemoteStates"] {
        let Some(entries) = object.property(property).and_then(PsObject::list) else { continue };
        for entry in entries {
            match (text(entry, "Requester"), text(entry, "State")) {
                (Some(requester), Some(state)) => {
                    asked.insert(requester, state);
                }
                (_, _) => unread = true,
            }
        }
    }
    if unread && state != "Active" {
        return Err(HostError::Unexpected {
            expected: "who asked for the component's state".to_owned(),
            got: format!("{state} without requesters"),
        });
    }
    Ok(Component { state, asked })
}

pub(crate) fn database_copy(object: &PsObject) -> Result<DatabaseCopy, HostError> {
    let flag = |name: &str| object.property(name).and_then(PsObject::bool);
    Ok(DatabaseCopy {
        database: required(object, COPY_STATUS, "DatabaseName")?,
        active: flag("ActiveCopy").ok_or_else(|| missing(COPY_STATUS, "ActiveCopy"))?,
        status: required(object, COPY_STATUS, "Status")?,
        activation_suspended: flag("ActivationSuspended")
            .ok_or_else(|| missing(COPY_STATUS, "ActivationSuspended"))?,
        single: false,
    })
}

/// Messages that a redirection would move: not those in shadow and poison queues.
async fn queued(shell: &mut impl Shell, server: &str) -> Result<u64, HostError> {
    let mut sum = 0;
    for queue in ask(shell, "Get-Queue", &[("Server", server)]).await? {
        let name = text(&queue, "Identity").unwrap_or_default();
        let short = name.split_once('\\').map_or(name.as_str(), |(_, queue)| queue);
        let kind = text(&queue, "DeliveryType").unwrap_or_default();
        let stays = ["shadow", "poison"].iter().any(|word| {
            short.to_ascii_lowercase().starts_with(word)
                || kind.to_ascii_lowercase().starts_with(word)
        });
        if stays {
            continue;
        }
        let count = queue.property("MessageCount").and_then(PsObject::int);
        let count = count.ok_or_else(|| missing("Get-Queue", "MessageCount"))?;
        sum += u64::try_from(count).unwrap_or(0);
    }
    Ok(sum)
}

/// Reads a cluster node and its roles over the host's own PowerShell endpoint.
pub async fn node(shell: &mut impl Shell, name: &str) -> Result<ClusterNode, HostError> {
    let nodes = ask(shell, CLUSTER_NODE, &[("Name", name)]).await?;
    let own = nodes.first().ok_or_else(|| missing(CLUSTER_NODE, "Name"))?;
    let name = required(own, CLUSTER_NODE, "Name")?;
    let state = node_state(own);
    let drain = text(own, "DrainStatus");
    let groups = ask(shell, "Get-ClusterGroup", &[]).await?;
    let groups = groups
        .iter()
        .filter(|group| {
            text(group, "OwnerNode").is_some_and(|owner| owner.eq_ignore_ascii_case(&name))
        })
        .filter_map(|group| text(group, "Name"))
        // The place of disks that nobody uses; it has no state of its own and need not move.
        .filter(|name| name != "Available Storage")
        .collect();
    Ok(ClusterNode { name, state, groups, drain })
}

/// What is not told, and what a node is while it joins, counts as down.
pub(crate) fn node_state(object: &PsObject) -> NodeState {
    match text(object, "State").as_deref() {
        Some("Up") => NodeState::Up,
        Some("Paused") => NodeState::Paused,
        Some(_) | None => NodeState::Down,
    }
}

/// Which endpoint an act needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Exchange,
    PowerShell,
    Services,
}

/// Where an act goes. No wildcard arm: a new act must decide.
pub fn way(act: &Act) -> Way {
    match act {
        Act::SetComponent { .. }
        | Act::Redirect { .. }
        | Act::SetPolicy { .. }
        | Act::MoveDatabase { .. } => Way::Exchange,
        Act::SuspendNode { .. } | Act::ResumeNode { .. } => Way::PowerShell,
        Act::RestartTransport { .. } | Act::StartTransport { .. } => Way::Services,
    }
}

/// Carries out an act that is a cmdlet, once. An `Err` may come after the act: reading tells.
pub async fn perform(shell: &mut impl Shell, act: &Act) -> Result<(), HostError> {
    let word = |text: &str| Argument::Text(text.to_owned());
    let unasked = ("Confirm", Argument::Bool(false));
    let (name, parameters) = match act {
        Act::SetComponent { server, component, state } => (
            "Set-ServerComponentState",
            vec![
                ("Identity", word(server)),
                ("Component", word(component)),
                ("State", word(state)),
                ("Requester", word(REQUESTER)),
            ],
        ),
        Act::Redirect { server, target } => {
            ("Redirect-Message", vec![("Server", word(server)), ("Target", word(target)), unasked])
        }
        Act::SetPolicy { server, policy } => (
            "Set-MailboxServer",
            vec![("Identity", word(server)), ("DatabaseCopyAutoActivationPolicy", word(policy))],
        ),
        Act::MoveDatabase { database } => {
            ("Move-ActiveMailboxDatabase", vec![("Identity", word(database)), unasked])
        }
        Act::SuspendNode { node } => {
            ("Suspend-ClusterNode", vec![("Name", word(node)), ("Drain", Argument::Bool(true))])
        }
        Act::ResumeNode { node, failback } => {
            let mut parameters = vec![("Name", word(node))];
            if *failback {
                parameters.push(("Failback", word("Policy")));
            }
            ("Resume-ClusterNode", parameters)
        }
        Act::RestartTransport { .. } | Act::StartTransport { .. } => {
            return Err(HostError::Unsupported("a service is no matter of cmdlets".to_owned()));
        }
    };
    run(shell, name, parameters).await.map(|_| ())
}

/// How many databases are active on a server, and whether it is its DAG's primary.
pub async fn carried(shell: &mut impl Shell, server: &str) -> Result<(usize, bool), HostError> {
    let own = ask(shell, MAILBOX_SERVER, &[("Identity", server)]).await?;
    let own = own.first().ok_or_else(|| missing(MAILBOX_SERVER, "Name"))?;
    let mut active = 0;
    for copy in ask(shell, COPY_STATUS, &[("Server", server)]).await? {
        active += usize::from(database_copy(&copy)?.active);
    }
    let Some(dag) = text(own, "DatabaseAvailabilityGroup") else { return Ok((active, false)) };
    let primary = crate::host::peers::primary(shell, &dag).await?;
    Ok((active, primary.is_some_and(|name| name.eq_ignore_ascii_case(server))))
}

/// The full name of another server, for what is queued.
pub async fn full_name(shell: &mut impl Shell, server: &str) -> Result<Option<String>, HostError> {
    let found = ask(shell, "Get-ExchangeServer", &[("Identity", server)]).await?;
    Ok(found.first().and_then(|one| text(one, "Fqdn")))
}

/// How many files users have open over SMB.
pub async fn open_files(shell: &mut impl Shell) -> Result<usize, HostError> {
    Ok(ask(shell, "Get-SmbOpenFile", &[]).await?.len())
}
