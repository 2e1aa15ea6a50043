//! One act on a host that goes out of service or comes back.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::model::maintenance::REQUESTER;
use crate::model::maintenance::TRANSPORT_SERVICE;

/// One act of entering or leaving maintenance. Its text is what a person would type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    SetComponent {
        server: String,
        component: String,
        state: String,
    },
    /// Stops and starts the transport service, which takes a new component state only so.
    RestartTransport {
        server: String,
    },
    StartTransport {
        server: String,
    },
    /// Sends what is queued to another server, named in full.
    Redirect {
        server: String,
        target: String,
    },
    SetPolicy {
        server: String,
        policy: String,
    },
    MoveDatabase {
        database: String,
    },
    /// Never without a drain.
    SuspendNode {
        node: String,
    },
    ResumeNode {
        node: String,
        /// Roles go home as their own settings say.
        failback: bool,
    },
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetComponent { server, component, state } => write!(
                f,
                "Set-ServerComponentState {server} -Component {component} -State {state} \
                 -Requester {REQUESTER}"
            ),
            Self::RestartTransport { server } => {
                write!(f, "Restart-Service {TRANSPORT_SERVICE}  (on {server})")
            }
            Self::StartTransport { server } => {
                write!(f, "Start-Service {TRANSPORT_SERVICE}  (on {server})")
            }
            Self::Redirect { server, target } => {
                write!(f, "Redirect-Message -Server {server} -Target {target} -Confirm:$false")
            }
            Self::SetPolicy { server, policy } => {
                write!(f, "Set-MailboxServer {server} -DatabaseCopyAutoActivationPolicy {policy}")
            }
            Self::MoveDatabase { database } => {
                write!(f, "Move-ActiveMailboxDatabase {database} -Confirm:$false")
            }
            Self::SuspendNode { node } => write!(f, "Suspend-ClusterNode {node} -Drain"),
            Self::ResumeNode { node, failback: true } => {
                write!(f, "Resume-ClusterNode {node} -Failback Policy")
            }
            Self::ResumeNode { node, failback: false } => write!(f, "Resume-ClusterNode {node}"),
        }
    }
}
