//! What can only be said of the hosts together, or of a URL's meaning.

use std::collections::BTreeMap;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::inventory::draft::Definition;
use crate::manifest::inventory::draft::Draft;
use crate::manifest::inventory::draft::Level;
use crate::manifest::inventory::resolve::Resolved;
use crate::manifest::tree::Value;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::product::Role;
use crate::model::tenant;

/// The names under which hosts with a role are known, in lower case, with the host and its role.
pub(super) type Nodes<'h> = BTreeMap<String, (&'h HostName, Role)>;

pub(super) fn nodes(hosts: &[Host]) -> Nodes<'_> {
    let mut nodes = Nodes::new();
    for host in hosts {
        let Some(role) = host.role else { continue };
        let address = host.endpoint.address.as_str();
        // Several servers may stand behind one forwarded number; a number says nothing of them.
        let is_number = address.contains(':') || !address.contains(char::is_alphabetic);
        let is_name = role == Role::Connector || !is_number;
        let names = [Some(host.name.as_str()), Some(host.name.short()), Some(address)];
        for name in names.into_iter().take(if is_name { 3 } else { 2 }).flatten() {
            nodes.insert(name.to_lowercase(), (&host.name, role));
        }
    }
    nodes
}

/// An inventory without any role is read like every other, and has nothing for us to do.
pub(super) fn roles(hosts: &[Host], draft: &Draft, diagnostics: &mut Diagnostics) {
    let role = |found: &Definition| found.key.text == "rms_role";
    if hosts.iter().any(|host| host.role.is_some()) || draft.definitions.iter().any(role) {
        return;
    }
    if let Some(first) = draft.order.first().and_then(|name| draft.hosts.get(name)) {
        diagnostics.push(
            Diagnostic::warning(first.span, "no host has `rms_role`, so all are out of scope")
                .help(
                    "set `rms_role: exchange`, `sharepoint` or `fci` below the `vars:` of a group"
                        .to_owned(),
                ),
        );
    }
}

/// Warns of settings that mean something to us on a host that has no role: it is left alone, and
/// whoever wrote them expects otherwise. `rms_role: none` says so on purpose.
pub(super) fn idle(variables: &Resolved<'_>, diagnostics: &mut Diagnostics) {
    const TELLING: [&str; 7] = [
        "rms_product",
        "rms_canary",
        "rms_dag",
        "rms_farm",
        "rms_farm_role",
        "rms_cluster",
        "rms_prior_adrms",
    ];
    if variables.contains_key("rms_role") {
        return;
    }
    let own = |found: &&&Definition| found.level != Level::Group("all".to_owned());
    let telling = TELLING.into_iter().filter_map(|key| variables.get(key));
    if let Some(found) = telling.into_iter().find(own) {
        let key = &found.key.text;
        diagnostics.push(
            Diagnostic::warning(
                found.key.span,
                format!("`{key}` stands on hosts without `rms_role`, which are left alone"),
            )
            .help(
                "add `rms_role: exchange`, `sharepoint` or `fci`, or `rms_role: none` if that is meant"
                    .to_owned(),
            ),
        );
    }
}

/// Checks the URLs of one host that gets values.
pub(super) fn urls(
    host: &Host,
    variables: &Resolved<'_>,
    nodes: &Nodes<'_>,
    diagnostics: &mut Diagnostics,
) {
    if matches!(host.role, None | Some(Role::Connector)) {
        return;
    }
    for (key, origin) in [("rms_connector_url", &host.connector), ("rms_tenant_url", &host.tenant)]
    {
        let written = variables.get(key).and_then(|found| match &found.value.value {
            Value::Scalar { text, .. } => Some((found.value.span, text.as_str())),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Vault => None,
        });
        if let (Some(origin), Some((at, text))) = (origin, written)
            && text != origin.as_str()
        {
            diagnostics.push(
                Diagnostic::warning(at, format!("`{key}` is read as `{origin}`"))
                    .help("blanks, a slash at the end and capitals are no part of it".to_owned()),
            );
        }
    }
    if let (Some(origin), Some(found)) = (&host.connector, variables.get("rms_connector_url")) {
        let at = found.value.span;
        let label = origin.host().split('.').next().unwrap_or_default();
        let is_short = |(node, _): &&(&HostName, Role)| !node.as_str().contains('.');
        // A node of the inventory without a domain is the one with this label in any.
        let node = nodes.get(origin.host()).or_else(|| nodes.get(label).filter(is_short));
        if let Some((node, Role::Connector)) = node {
            diagnostics.push(
                Diagnostic::error(
                    at,
                    format!("`rms_connector_url` names the single connector node `{node}`"),
                )
                .help("write the load-balanced name that all connector nodes share".to_owned()),
            );
        } else if let Some((node, role)) = node {
            diagnostics.push(
                Diagnostic::error(
                    at,
                    format!("`rms_connector_url` names `{node}`, a server of role `{role}`"),
                )
                .help(
                    "the connector never runs on a server that it serves; write its own name"
                        .to_owned(),
                ),
            );
        } else if host.tenant.as_ref().is_some_and(|tenant| tenant.host() == origin.host()) {
            diagnostics.push(
                Diagnostic::error(at, "`rms_connector_url` and `rms_tenant_url` are the same host")
                    .help("write the name of the connector in your network".to_owned()),
            );
        } else if !origin.host().contains('.') {
            diagnostics.push(
                Diagnostic::warning(at, "`rms_connector_url` is not a fully qualified name")
                    .help("servers of other domains will not find a short name".to_owned()),
            );
        }
    }
    old_clusters(host, variables, diagnostics);
    if let (Some(origin), Some(found)) = (&host.tenant, variables.get("rms_tenant_url"))
        && !tenant::is_shaped(origin)
    {
        diagnostics.push(
            Diagnostic::warning(
                found.value.span,
                "`rms_tenant_url` does not look like a tenant of Azure RMS",
            )
            .help("a tenant is `https://<id>.rms.<region>.aadrm.com`".to_owned()),
        );
    }
}

/// What an AD RMS cluster is redirected to is not itself one.
fn old_clusters(host: &Host, variables: &Resolved<'_>, diagnostics: &mut Diagnostics) {
    let Some(found) = variables.get("rms_adrms_urls") else { return };
    let items = match &found.value.value {
        Value::Sequence(items) => items.as_slice(),
        Value::Null | Value::Scalar { .. } | Value::Mapping(_) | Value::Vault => &[],
    };
    // Without a mistake in the list each of its items is one URL.
    for (place, adrms) in host.adrms.iter().enumerate() {
        let at = items.get(place).map_or(found.value.span, |item| item.span);
        let own = if host.connector.as_ref() == Some(adrms) {
            "the connector's own URL"
        } else if host.tenant.as_ref().is_some_and(|tenant| tenant.host() == adrms.host())
            || tenant::is_azure(adrms.host())
        {
            "a tenant's URL"
        } else {
            continue;
        };
        diagnostics.push(
            Diagnostic::error(at, format!("`rms_adrms_urls` has `{adrms}`, {own}")).help(
                "write the licensing URLs of the AD RMS cluster that is left behind".to_owned(),
            ),
        );
    }
}
