//! Whose a URL is: the tenant's, the connector's, or a third party's.

use std::collections::BTreeSet;

use crate::model::host::HostName;
use crate::model::origin::Origin;
use crate::plan::url::url_host;
use crate::plan::url::url_origin;

/// The places that are ours: what points there is no evidence of AD RMS.
#[derive(Debug, Clone, Copy)]
pub struct Ours<'a> {
    pub tenant: Option<&'a Origin>,
    pub connector: Option<&'a Origin>,
    /// The inventory's connector nodes; a value that names one of them names a connector.
    pub nodes: &'a [HostName],
    /// Names that servers of the fleet used for the connector before; in lower case.
    pub earlier: &'a BTreeSet<String>,
    /// AD RMS clusters that the inventory names; they are evidence, and no connectors.
    pub adrms: &'a [Origin],
}

impl Ours<'_> {
    /// Whether a host, in lower case, is an AD RMS cluster by the inventory's word.
    pub fn is_adrms(&self, host: &str) -> bool {
        self.adrms.iter().any(|cluster| cluster.host() == host)
    }
}

/// Whom a URL points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    Tenant,
    Connector,
    /// The connector's host by another scheme or port.
    ConnectorOtherForm,
    /// Any other host, in lower case.
    Third(String),
    NoUrl,
}

/// Tells whom a text points to.
pub fn whose(text: &str, ours: Ours<'_>) -> Whose {
    let Some(host) = url_host(text) else { return Whose::NoUrl };
    if ours.tenant.is_some_and(|tenant| tenant.host() == host) {
        return Whose::Tenant;
    }
    match ours.connector {
        Some(connector) if connector.host() == host => {
            if url_origin(text).as_deref() == Some(connector.as_str()) {
                Whose::Connector
            } else {
                Whose::ConnectorOtherForm
            }
        }
        Some(_) | None => Whose::Third(host),
    }
}

/// Whether a host is one of the connector's nodes rather than its common name.
pub fn is_node(host: &str, nodes: &[HostName]) -> bool {
    let label = host.split('.').next().unwrap_or(host);
    nodes.iter().any(|node| node.short().eq_ignore_ascii_case(label))
}
