//! A host's variables to a typed [`Host`].

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::inventory::BasicScope;
use crate::manifest::inventory::connection;
use crate::manifest::inventory::connection::Connection;
use crate::manifest::inventory::draft::HostDraft;
use crate::manifest::inventory::draft::Level;
use crate::manifest::inventory::keys;
use crate::manifest::inventory::resolve::Resolved;
use crate::manifest::inventory::url;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::tree::Node;
use crate::manifest::tree::shorten;
use crate::model::host::Configure;
use crate::model::host::Endpoint;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::host::PriorAdrms;
use crate::model::host::RestartPolicy;
use crate::model::host::Scheme;
use crate::model::host::Spn;
use crate::model::host::Transport;
use crate::model::host::general_endpoint;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::tls::TlsTrust;

/// Builds the host. Only a host with a role is held to what reaching and configuring it needs.
pub(super) fn build(
    name: &str,
    draft: &HostDraft,
    groups: Vec<String>,
    variables: &Resolved<'_>,
    basic: BasicScope,
    diagnostics: &mut Diagnostics,
) -> Host {
    let role = read(variables, "rms_role", keys::role).flatten();
    let mut nobody = Diagnostics::new();
    let complaints = if role.is_some() { diagnostics } else { &mut nobody };
    let reached = connection::read(name, variables, basic, complaints);
    let exchange = exchange(variables, &reached, basic);
    let host = Host {
        name: HostName::new(name),
        groups,
        role,
        product: read(variables, "rms_product", keys::product),
        configure: read(variables, "rms_configure", keys::configure).unwrap_or(Configure::Auto),
        endpoint: reached.endpoint,
        credential: text(variables, "rms_credential").unwrap_or_else(|| "default".to_owned()),
        user: reached.user,
        tenant: read(variables, "rms_tenant_url", url::tenant),
        connector: read(variables, "rms_connector_url", url::origin),
        prior_adrms: read(variables, "rms_prior_adrms", keys::prior_adrms)
            .unwrap_or(PriorAdrms::Auto),
        restart: read(variables, "rms_restart", keys::restart).unwrap_or(RestartPolicy::Auto),
        dag: text(variables, "rms_dag"),
        farm: text(variables, "rms_farm"),
        cluster: text(variables, "rms_cluster"),
        site: text(variables, "rms_site"),
        farm_roles: read(variables, "rms_farm_role", keys::farm_roles).unwrap_or_default(),
        canary: read(variables, "rms_canary", keys::canary),
        window: text(variables, "rms_window"),
        tags: read(variables, "rms_tags", keys::tags).unwrap_or_default(),
        owner: text(variables, "rms_owner"),
        exchange,
        organization: text(variables, "rms_organization"),
        sharepoint: read(variables, "rms_sharepoint_configuration", keys::session_configuration)
            .unwrap_or_else(general_endpoint),
        adrms: read(variables, "rms_adrms_urls", url::adrms).unwrap_or_default(),
        connect_timeout: reached.connect_timeout,
        operation_timeout: reached.operation_timeout,
    };
    complete(&host, draft, variables, complaints);
    host
}

/// What a role needs, and what it cannot be together with.
fn complete(
    host: &Host,
    draft: &HostDraft,
    variables: &Resolved<'_>,
    diagnostics: &mut Diagnostics,
) {
    let Some(role) = host.role else { return };
    if let (Some(product), Some(found)) = (host.product, variables.get("rms_product"))
        && role != Role::Connector
        && product.role() != role
    {
        diagnostics.push(
            Diagnostic::error(
                found.value.span,
                format!("`{product}` is not a product of role `{role}`"),
            )
            .help(format!("products of `{role}`: {}", products(role))),
        );
    }
    let needed: &[&str] = match (role, host.configure) {
        (Role::Connector, _) | (_, Configure::No) => &[],
        // The tenant's URL can be had from the connector.
        (Role::Exchange | Role::Sharepoint | Role::Fci, Configure::Auto | Configure::Yes) => {
            &["rms_connector_url"]
        }
    };
    let missing: Vec<String> = needed
        .iter()
        .filter(|key| !variables.contains_key(**key))
        .map(|key| format!("`{key}`"))
        .collect();
    if !missing.is_empty() {
        diagnostics.push(
            Diagnostic::error(
                draft.span,
                format!(
                    "host `{}` has role `{role}` and no {}",
                    shorten(&draft.spelled),
                    missing.join(" and no ")
                ),
            )
            .help(format!(
                "set {} once for all hosts, below `all:` `vars:`",
                missing.join(" and ")
            )),
        );
    }
    let misplaced: &[(&str, Role)] = &[
        ("rms_dag", Role::Exchange),
        ("rms_exchange_url", Role::Exchange),
        ("rms_farm", Role::Sharepoint),
        ("rms_farm_role", Role::Sharepoint),
        ("rms_sharepoint_configuration", Role::Sharepoint),
        ("rms_adrms_urls", Role::Exchange),
        ("rms_cluster", Role::Fci),
    ];
    for (key, belongs) in misplaced {
        if let Some(found) = variables.get(key)
            && role != *belongs
            && found.level == Level::Host
        {
            diagnostics.push(Diagnostic::warning(
                found.key.span,
                format!("`{key}` means nothing on a host of role `{role}`"),
            ));
        }
    }
}

fn products(role: Role) -> String {
    let ids: Vec<String> = Product::ALL
        .iter()
        .filter(|product| product.role() == role)
        .map(|product| format!("`{product}`"))
        .collect();
    ids.join(", ")
}

/// Where the Exchange PSRP endpoint answers: `http://<host>/PowerShell/`, unless it is given.
fn exchange(variables: &Resolved<'_>, host: &Connection, basic: BasicScope) -> Endpoint {
    let transport =
        read(variables, "rms_exchange_auth", keys::exchange_auth).unwrap_or(Transport::Kerberos);
    match read(variables, "rms_exchange_url", url::endpoint) {
        Some(url) => Endpoint {
            scheme: url.scheme,
            address: url.host,
            port: url.port,
            path: url.path,
            transport: connection::scoped(transport, url.scheme, basic),
            tls: connection::of(url.scheme, &host.trust),
            spn: Spn::default(),
            client: None,
        },
        None => Endpoint {
            scheme: Scheme::Http,
            address: host.endpoint.address.clone(),
            port: 80,
            path: "/PowerShell/".to_owned(),
            transport: connection::scoped(transport, Scheme::Http, basic),
            tls: TlsTrust::default(),
            spn: host.endpoint.spn.clone(),
            client: None,
        },
    }
}

/// A value that was checked where it is written; one that failed there counts as not given.
fn read<T>(
    variables: &Resolved<'_>,
    key: &str,
    read: impl FnOnce(&Node) -> Result<T, Mismatch>,
) -> Option<T> {
    let found = variables.get(key).filter(|found| !found.broken)?;
    read(&found.value).ok()
}

fn text(variables: &Resolved<'_>, key: &str) -> Option<String> {
    read(variables, key, |node| scalar::text(node).map(str::to_owned))
}
