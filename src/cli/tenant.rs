//! The tenant's URL from the connector: once per run and connector, from here, before any host is
//! asked what it holds.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::prepare::target;
use crate::cli::stop::Stop;
use crate::cli::wired::Wired;
use crate::error::Exit;
use crate::host::link::HostError;
use crate::host::link::Target;
use crate::model::host::Endpoint;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::host::Scheme;
use crate::model::host::Spn;
use crate::model::host::Transport;
use crate::model::origin::Origin;
use crate::model::product::Role;
use crate::model::tenant;
use crate::model::tenant::Fetched;

/// What the connector may take for a page, in seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks each connector whose servers have no `rms_tenant_url`, and gives those servers its answer.
///
/// It is asked from here, with the account of the first of the servers: on a server it would be a
/// second hop without credentials. A connector that does not tell leaves its servers without.
pub async fn fetch(hosts: &mut [Host], wired: &Wired) -> Result<Vec<Fetched>, Stop> {
    let mut asked: BTreeMap<Origin, Target> = BTreeMap::new();
    for host in hosts.iter().filter(|host| lacks(host)) {
        if let Some(connector) = &host.connector {
            asked.entry(connector.clone()).or_insert_with(|| page_of(connector, host));
        }
    }
    let node = hosts.iter().find(|host| host.role == Some(Role::Connector));
    let node = node.map(|host| host.name.clone());
    let mut fetched = Vec::new();
    for (connector, mut page) in asked {
        if wired.is_lab() {
            // The simulated connector answers where its node does.
            page.host = node.clone().unwrap_or(page.host);
        }
        let told = match wired.page(&page).await {
            Ok(body) => tenant::of_page(&body).map_err(|error| error.to_string()),
            Err(error) if wired.is_refused(&page) => return Err(refused(&connector, &error)),
            Err(error) => Err(error.failure().text()),
        };
        if let Ok(tenant) = &told {
            for host in hosts.iter_mut().filter(|host| lacks(host)) {
                if host.connector.as_ref() == Some(&connector) {
                    host.tenant = Some(tenant.clone());
                }
            }
        }
        fetched.push(Fetched { connector, tenant: told });
    }
    Ok(fetched)
}

/// File servers need no tenant.
fn lacks(host: &Host) -> bool {
    let of_role = matches!(host.role, Some(Role::Exchange | Role::Sharepoint));
    of_role && host.in_scope() && host.tenant.is_none()
}

/// Where the page is, and as whom it is asked for: as for the server's own WS-Management.
pub fn page_of(connector: &Origin, host: &Host) -> Target {
    let scheme = if connector.is_https() { Scheme::Https } else { Scheme::Http };
    let port = connector.as_str().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let transport = match host.endpoint.transport {
        Transport::Kerberos => Transport::Kerberos,
        Transport::Ntlm
        | Transport::Negotiate
        | Transport::Basic
        | Transport::BasicInClear
        | Transport::Certificate => Transport::Negotiate,
    };
    Target {
        host: HostName::new(connector.host()),
        endpoint: Endpoint {
            scheme,
            address: connector.host().to_owned(),
            port: port.unwrap_or(match scheme {
                Scheme::Http => 80,
                Scheme::Https => 443,
            }),
            path: tenant::PAGE.to_owned(),
            transport,
            tls: match scheme {
                Scheme::Http => crate::model::tls::TlsTrust::default(),
                Scheme::Https => host.endpoint.tls.of_others(),
            },
            spn: Spn::default(),
            client: None,
        },
        operation_timeout: PATIENCE,
        ..target(host, false)
    }
}

fn refused(connector: &Origin, error: &HostError) -> Stop {
    Stop::new(Exit::Auth, format!("{connector}: {}", error.failure().text()))
        .hint("check user name and password; one refused logon was spent, no other")
}
