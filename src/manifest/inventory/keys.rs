//! The variables that mean something to us: names, types and allowed words.

use crate::manifest::inventory::trust;
use crate::manifest::inventory::url;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::suggest::did_you_mean;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::host::Configure;
use crate::model::host::FarmRole;
use crate::model::host::PriorAdrms;
use crate::model::host::RestartPolicy;
use crate::model::host::SpnClass;
use crate::model::host::Transport;
use crate::model::product::Product;
use crate::model::product::Role;

/// Every `rms_*` key that is honoured.
pub const RMS_KEYS: [&str; 27] = [
    "rms_role",
    "rms_product",
    "rms_tenant_url",
    "rms_connector_url",
    "rms_configure",
    "rms_prior_adrms",
    "rms_dag",
    "rms_dag_witness",
    "rms_farm",
    "rms_farm_role",
    "rms_cluster",
    "rms_site",
    "rms_credential",
    "rms_canary",
    "rms_window",
    "rms_restart",
    "rms_tags",
    "rms_owner",
    "rms_exchange_url",
    "rms_exchange_auth",
    "rms_spn_class",
    "rms_organization",
    "rms_sharepoint_configuration",
    "rms_adrms_urls",
    "rms_cloud",
    "rms_ca_file",
    "rms_tls_pin",
];

/// The `ansible_*` names that set how a host is reached.
pub const CONNECTION_KEYS: [&str; 25] = [
    "ansible_host",
    "ansible_port",
    "ansible_user",
    "ansible_connection",
    "ansible_winrm_scheme",
    "ansible_winrm_transport",
    "ansible_winrm_path",
    "ansible_winrm_server_cert_validation",
    "ansible_winrm_ca_trust_path",
    "ansible_winrm_cert_pem",
    "ansible_winrm_cert_key_pem",
    "ansible_winrm_read_timeout_sec",
    "ansible_winrm_operation_timeout_sec",
    "ansible_winrm_connection_timeout",
    "ansible_winrm_kerberos_hostname_override",
    "ansible_psrp_protocol",
    "ansible_psrp_auth",
    "ansible_psrp_path",
    "ansible_psrp_cert_validation",
    "ansible_psrp_ca_cert",
    "ansible_psrp_certificate_pem",
    "ansible_psrp_certificate_key_pem",
    "ansible_psrp_read_timeout",
    "ansible_psrp_operation_timeout",
    "ansible_psrp_connection_timeout",
];

/// What a variable's name makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Class {
    /// Ours; its value is checked where it stands.
    Rms,
    /// Ours by its prefix, but no such key; with a suggestion.
    UnknownRms(Option<String>),
    /// How to reach the host; checked for the hosts that are reached.
    Connection,
    /// A password or the like, which no inventory may hold in clear.
    Secret,
    /// `ansible_group_priority`.
    Priority,
    /// Another `ansible_*` name; with a suggestion.
    Ignored(Option<String>),
    /// Not ours at all.
    Foreign,
}

pub(super) fn classify(key: &str) -> Class {
    let folded = key.to_ascii_lowercase().replace('-', "_");
    if let Some(known) = RMS_KEYS.iter().find(|known| folded == **known) {
        return if key == *known {
            Class::Rms
        } else {
            Class::UnknownRms(Some(format!("did you mean `{known}`?")))
        };
    }
    if folded.starts_with("rms_") {
        return if is_secret(&folded) {
            Class::Secret
        } else {
            Class::UnknownRms(did_you_mean(&folded, RMS_KEYS))
        };
    }
    if !key.starts_with("ansible_") {
        return Class::Foreign;
    }
    if CONNECTION_KEYS.contains(&key) {
        Class::Connection
    } else if is_secret(key) {
        Class::Secret
    } else if key == "ansible_group_priority" {
        Class::Priority
    } else {
        Class::Ignored(did_you_mean(key, CONNECTION_KEYS))
    }
}

/// `ansible_password`, `ansible_winrm_password`, `ansible_ssh_pass`, `ansible_become_password` …
fn is_secret(key: &str) -> bool {
    key.split('_')
        .any(|word| matches!(word, "password" | "pass" | "passwd" | "secret" | "passphrase"))
}

/// Whether a value of one of [`RMS_KEYS`] fits its type.
pub(super) fn check(key: &str, node: &Node) -> Result<(), Mismatch> {
    match key {
        "rms_role" => role(node).map(drop),
        "rms_product" => product(node).map(drop),
        "rms_tenant_url" => url::tenant(node).map(drop),
        "rms_connector_url" => url::origin(node).map(drop),
        "rms_adrms_urls" => url::adrms(node).map(drop),
        "rms_sharepoint_configuration" => session_configuration(node).map(drop),
        "rms_configure" => configure(node).map(drop),
        "rms_prior_adrms" => prior_adrms(node).map(drop),
        "rms_farm_role" => farm_roles(node).map(drop),
        "rms_canary" => canary(node).map(drop),
        "rms_restart" => restart(node).map(drop),
        "rms_tags" => tags(node).map(drop),
        "rms_exchange_url" => url::endpoint(node).map(drop),
        "rms_exchange_auth" => exchange_auth(node).map(drop),
        "rms_ca_file" => trust::ca_file(node).map(drop),
        "rms_tls_pin" => trust::pin(node).map(drop),
        "rms_spn_class" => spn_class(node).map(drop),
        "rms_cloud" => scalar::choice(
            node,
            &[
                ("AzureCloud", ()),
                ("AzureChinaCloud", ()),
                ("AzureUSGovernment", ()),
                ("AzureUSGovernment2", ()),
                ("AzureUSGovernment3", ()),
            ],
        ),
        _ => scalar::text(node).map(drop),
    }
}

/// `none` says as plainly as a missing key that the host is out of scope.
pub(super) fn role(node: &Node) -> Result<Option<Role>, Mismatch> {
    scalar::choice(
        node,
        &[
            ("exchange", Some(Role::Exchange)),
            ("sharepoint", Some(Role::Sharepoint)),
            ("fci", Some(Role::Fci)),
            ("connector", Some(Role::Connector)),
            ("none", None),
        ],
    )
}

pub(super) fn product(node: &Node) -> Result<Product, Mismatch> {
    scalar::choice(node, &Product::ALL.map(|product| (product.id(), product)))
}

pub(super) fn configure(node: &Node) -> Result<Configure, Mismatch> {
    let words = [("auto", Configure::Auto), ("true", Configure::Yes), ("false", Configure::No)];
    scalar::choice(node, &words)
}

pub(super) fn prior_adrms(node: &Node) -> Result<PriorAdrms, Mismatch> {
    let words =
        [("auto", PriorAdrms::Auto), ("used", PriorAdrms::Used), ("never", PriorAdrms::Never)];
    scalar::choice(node, &words)
}

pub(super) fn restart(node: &Node) -> Result<RestartPolicy, Mismatch> {
    scalar::choice(
        node,
        &[
            ("auto", RestartPolicy::Auto),
            ("always", RestartPolicy::Always),
            ("never", RestartPolicy::Never),
            ("manual", RestartPolicy::Manual),
        ],
    )
}

pub(super) fn farm_roles(node: &Node) -> Result<Vec<FarmRole>, Mismatch> {
    scalar::list(node, |item| {
        scalar::choice(
            item,
            &[
                ("front-end", FarmRole::FrontEnd),
                ("distributed-cache", FarmRole::DistributedCache),
                ("application", FarmRole::Application),
                ("central-admin", FarmRole::CentralAdmin),
                ("search", FarmRole::Search),
            ],
        )
    })
}

pub(super) fn canary(node: &Node) -> Result<u32, Mismatch> {
    scalar::integer(node, 1, 10_000)
}

pub(super) fn tags(node: &Node) -> Result<Vec<String>, Mismatch> {
    scalar::list(node, |item| scalar::text(item).map(str::to_owned))
}

pub(super) fn exchange_auth(node: &Node) -> Result<Transport, Mismatch> {
    scalar::choice(
        node,
        &[
            ("kerberos", Transport::Kerberos),
            ("negotiate", Transport::Negotiate),
            ("basic", Transport::Basic),
        ],
    )
}

/// The name of a session configuration: letters, digits, dots, dashes and underscores.
pub(super) fn session_configuration(node: &Node) -> Result<String, Mismatch> {
    let text = scalar::text(node)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Mismatch::new("needs the name of a session configuration")
        .help("write it as Get-PSSessionConfiguration shows it, e.g. `Contoso.RmsFarm`".to_owned()))
}

pub(super) fn spn_class(node: &Node) -> Result<SpnClass, Mismatch> {
    let words = [("HTTP", SpnClass::Http), ("HOST", SpnClass::Host), ("WSMAN", SpnClass::Wsman)];
    scalar::choice(node, &words)
}

/// Whether a value asks for templating, which we do not do.
pub(super) fn is_template(node: &Node) -> bool {
    match &node.value {
        Value::Scalar { text, .. } => text.contains("{{") || text.contains("{%"),
        Value::Sequence(items) => items.iter().any(is_template),
        Value::Mapping(entries) => entries.iter().any(|entry| is_template(&entry.value)),
        Value::Null | Value::Vault => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, expected: &Class) {
        assert_eq!(&classify(key), expected, "for {key}");
    }

    #[test]
    fn a_name_says_what_a_variable_is() {
        check("rms_role", &Class::Rms);
        check("rms_roles", &Class::UnknownRms(Some("did you mean `rms_role`?".into())));
        check("rms-role", &Class::UnknownRms(Some("did you mean `rms_role`?".into())));
        check("rms_zebra_crossing", &Class::UnknownRms(None));
        check("ansible_host", &Class::Connection);
        check("ansible_password", &Class::Secret);
        check("ansible_winrm_pass", &Class::Secret);
        check("rms_password", &Class::Secret);
        check("ansible_group_priority", &Class::Priority);
        check("ansible_hots", &Class::Ignored(Some("did you mean `ansible_host`?".into())));
        check("ansible_python_interpreter", &Class::Ignored(None));
        check("company", &Class::Foreign);
    }
}
