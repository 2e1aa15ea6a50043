//! The organisation steps of a playbook, and the keys that say how each is done.

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::playbook::file_object;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::suggest::did_you_mean;
use crate::manifest::tree::Entry;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::fileserver::FileObject;
use crate::model::product::Role;
use crate::model::rollout::FarmOrder;
use crate::model::rollout::IrmOrder;
use crate::model::rollout::ServerOrder;
use crate::model::rollout::StepOrder;

/// How long a step by hand is waited for, in seconds, unless the playbook says so.
const PATIENCE: u32 = 24 * 3600;

/// The keys that only a stage with `org_step` has.
const KEYS: [&str; 7] = ["identity", "needs", "set", "mode", "timeout", "verify", "destructive"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Irm,
    Refresh,
    Farm,
    ClearCache(Role),
    RestartIis(Role),
    FileObject(FileObject),
}

const KINDS: [(&str, Kind); 9] = [
    ("exchange.set-irm-configuration", Kind::Irm),
    ("exchange.refresh-server-certificates", Kind::Refresh),
    ("exchange.clear-cache", Kind::ClearCache(Role::Exchange)),
    ("exchange.restart-iis", Kind::RestartIis(Role::Exchange)),
    ("sharepoint.use-this-rms-server", Kind::Farm),
    ("sharepoint.clear-cache", Kind::ClearCache(Role::Sharepoint)),
    ("sharepoint.restart-iis", Kind::RestartIis(Role::Sharepoint)),
    ("fci.classification-rule", Kind::FileObject(FileObject::ClassificationRule)),
    ("fci.file-management-job", Kind::FileObject(FileObject::ManagementJob)),
];

impl Kind {
    fn role(self) -> Role {
        match self {
            Self::Irm | Self::Refresh => Role::Exchange,
            Self::Farm => Role::Sharepoint,
            Self::ClearCache(role) | Self::RestartIis(role) => role,
            Self::FileObject(_) => Role::Fci,
        }
    }

    /// What is lost, for those that lose something whatever is set.
    fn loss(self) -> Option<&'static str> {
        match self {
            Self::Refresh => Some(
                "it clears the rights account and client licensor certificates and the cached \
                 templates of every Exchange server of the organisation",
            ),
            Self::ClearCache(_) => {
                Some("it removes the server's cached certificates and licences for good")
            }
            Self::RestartIis(_) => {
                Some("every web session of the server ends, one server after the other")
            }
            Self::Irm | Self::Farm | Self::FileObject(_) => None,
        }
    }
}

/// Whether the step is one for each server, so that a host pattern can say which.
pub(super) fn is_of_servers(entry: &Entry) -> bool {
    let value = entry.value.inline();
    KINDS.iter().any(|(name, kind)| {
        let is_of_servers = match kind {
            Kind::ClearCache(_) | Kind::RestartIis(_) | Kind::FileObject(_) => true,
            Kind::Irm | Kind::Refresh | Kind::Farm => false,
        };
        *name == value && is_of_servers
    })
}

/// Reads the step of a stage with all its keys; `only` is the pattern of a step for each server.
pub(super) fn read(
    entry: &Entry,
    only: Option<String>,
    fields: &mut Fields<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<StepOrder> {
    let value = entry.value.inline();
    let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == value) else {
        skip(fields);
        let near = did_you_mean(&value, KINDS.map(|(name, _)| name));
        let known = KINDS.map(|(name, _)| format!("`{name}`")).join(", ");
        diagnostics.push(
            Diagnostic::error(
                entry.value.span,
                format!("unknown organisation step, found {}", entry.value.kind()),
            )
            .help(near.unwrap_or_else(|| format!("there are {known}"))),
        );
        return None;
    };
    let kind = *kind;
    fields.read("identity", diagnostics, |node| {
        scalar::choice(node, &[("from-directory", ())]).map_err(|wrong| {
            wrong.help(
                "the step is always keyed by what the directory or the farm says of itself"
                    .to_owned(),
            )
        })
    });
    fields.read("needs", diagnostics, |node| needs(node, kind.role()));
    let accepted =
        fields.read("destructive", diagnostics, |node| scalar::choice(node, &[("accepted", ())]));
    let mut lost = kind.loss();
    let order = match kind {
        Kind::Irm => {
            refuse_some(fields, &["mode", "timeout"], diagnostics);
            let set = fields.read("set", diagnostics, irm);
            let sender = fields.read("verify", diagnostics, sender);
            let order = IrmOrder { sender, ..set.unwrap_or_default() };
            if order.internal_licensing == Some(false) || order.client_access_server == Some(false)
            {
                lost = Some(
                    "it turns Information Rights Management off for every mailbox of the \
                     organisation; what is protected stays protected",
                );
            }
            StepOrder::ExchangeIrm(order)
        }
        Kind::Refresh => {
            refuse_some(fields, &["mode", "timeout", "set", "verify"], diagnostics);
            StepOrder::RefreshCertificates
        }
        Kind::Farm => {
            refuse_some(fields, &["verify"], diagnostics);
            let enabled = fields.read("set", diagnostics, farm).unwrap_or(true);
            let manual = fields.read("mode", diagnostics, |node| {
                scalar::choice(node, &[("manual", true), ("automatic", false)])
            });
            let timeout = fields.read("timeout", diagnostics, scalar::seconds);
            if !enabled {
                lost = Some(
                    "it turns Information Rights Management off for the whole farm; documents \
                     that are checked out of protected libraries become unreadable",
                );
            }
            let by_hand = (manual == Some(true)).then(|| timeout.unwrap_or(PATIENCE));
            StepOrder::Farm(FarmOrder { enabled, by_hand })
        }
        Kind::FileObject(object) => {
            refuse_some(fields, &["mode", "timeout", "verify"], diagnostics);
            let set = fields.require("set", diagnostics, |node| file_object::read(object, node));
            let (name, settings) = set?;
            let act = ServerOrder::FileObject { object, name, settings };
            StepOrder::Servers { role: Role::Fci, act, only }
        }
        Kind::ClearCache(_) | Kind::RestartIis(_) => {
            refuse_some(fields, &["mode", "timeout", "set", "verify"], diagnostics);
            let act = if let Kind::ClearCache(_) = kind {
                ServerOrder::ClearCache
            } else {
                ServerOrder::RestartIis
            };
            StepOrder::Servers { role: kind.role(), act, only }
        }
    };
    match (lost, accepted) {
        (Some(lost), None) => diagnostics.push(
            Diagnostic::error(entry.value.span, format!("`{value}` is destructive: {lost}"))
                .help("if that is meant, add `destructive: accepted` to the stage".to_owned()),
        ),
        (None, Some(())) => diagnostics.push(
            Diagnostic::error(
                entry.value.span,
                "`destructive` stands beside a step that loses nothing",
            )
            .help("remove the key".to_owned()),
        ),
        (Some(_), Some(())) | (None, None) => {}
    }
    Some(order)
}

/// Takes the keys out without a look: another complaint stands already.
pub(super) fn skip(fields: &mut Fields<'_>) {
    for key in KEYS {
        fields.take(key);
    }
}

/// A stage of hosts has none of the keys.
pub(super) fn refuse(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) {
    for key in KEYS {
        if let Some(entry) = fields.take(key) {
            diagnostics.push(
                Diagnostic::error(entry.key.span, format!("`{key}` stands in a stage of hosts"))
                    .help("it belongs to a stage with `org_step`".to_owned()),
            );
        }
    }
}

fn refuse_some(fields: &mut Fields<'_>, keys: &[&'static str], diagnostics: &mut Diagnostics) {
    for key in keys {
        if let Some(entry) = fields.take(key) {
            diagnostics.push(
                Diagnostic::error(entry.key.span, format!("`{key}` is no key of this step"))
                    .help("remove it".to_owned()),
            );
        }
    }
}

/// `needs: { group: exchange, verified: "100%" }`: what is always so, and nothing less.
fn needs(node: &Node, role: Role) -> Result<(), Mismatch> {
    let Value::Mapping(entries) = &node.value else {
        return Err(Mismatch::new(format!("needs a mapping, found {}", node.kind()))
            .help(format!("write {{ group: {}, verified: \"100%\" }}", role.id())));
    };
    for Entry { key, value } in entries {
        let found = value.inline();
        let fits = match key.text.as_str() {
            "group" => found == role.id(),
            "verified" => found == "100%",
            _ => false,
        };
        if !fits {
            return Err(Mismatch::new(format!("cannot be narrowed to `{}: {found}`", key.text))
                .help(format!(
                    "the step always waits for every server of its kind: {{ group: {}, verified: \
                     \"100%\" }}",
                    role.id()
                )));
        }
    }
    Ok(())
}

/// `set: { InternalLicensingEnabled: true, LicensingLocation: tenant-first }`.
fn irm(node: &Node) -> Result<IrmOrder, Mismatch> {
    let known = "InternalLicensingEnabled, ClientAccessServerEnabled or LicensingLocation";
    let mut order = IrmOrder {
        internal_licensing: None,
        client_access_server: None,
        tenant_first: false,
        sender: None,
    };
    for Entry { key, value } in scalar::settings(node, known)? {
        match key.text.as_str() {
            "InternalLicensingEnabled" => order.internal_licensing = Some(scalar::boolean(value)?),
            "ClientAccessServerEnabled" => {
                order.client_access_server = Some(scalar::boolean(value)?);
            }
            "LicensingLocation" => {
                scalar::choice(value, &[("tenant-first", ())])?;
                order.tenant_first = true;
            }
            other => return Err(no_setting(other, known)),
        }
    }
    Ok(order)
}

/// `set: { IrmEnabled: true, CertificateServerUrl: connector }`.
fn farm(node: &Node) -> Result<bool, Mismatch> {
    let known = "IrmEnabled or CertificateServerUrl";
    let mut enabled = true;
    for Entry { key, value } in scalar::settings(node, known)? {
        match key.text.as_str() {
            "IrmEnabled" => enabled = scalar::boolean(value)?,
            "CertificateServerUrl" => {
                let words = [("connector", ()), ("{{ rms_connector_url }}", ())];
                scalar::choice(value, &words).map_err(|wrong| {
                    wrong.help(
                        "the farm gets the connector of its servers; write `connector`".to_owned(),
                    )
                })?;
            }
            other => return Err(no_setting(other, known)),
        }
    }
    Ok(enabled)
}

fn no_setting(name: &str, known: &str) -> Mismatch {
    Mismatch::new(format!("cannot set `{name}`")).help(format!("a step sets {known}"))
}

/// `verify: { test-irm-configuration: { sender: irmtest@contoso.com } }`.
fn sender(node: &Node) -> Result<String, Mismatch> {
    let wrong = || {
        Mismatch::new(format!("needs a check, found {}", node.kind()))
            .help("write { test-irm-configuration: { sender: irmtest@contoso.com } }".to_owned())
    };
    let Value::Mapping(entries) = &node.value else { return Err(wrong()) };
    let [Entry { key, value }] = entries.as_slice() else { return Err(wrong()) };
    let Value::Mapping(inner) = &value.value else { return Err(wrong()) };
    let [Entry { key: word, value: address }] = inner.as_slice() else { return Err(wrong()) };
    if key.text != "test-irm-configuration" || word.text != "sender" {
        return Err(wrong());
    }
    let address = scalar::text(address)?;
    let sound = address.split_once('@').is_some_and(|(user, domain)| {
        !user.is_empty() && domain.contains('.') && !address.contains(char::is_whitespace)
    });
    if sound { Ok(address.to_owned()) } else { Err(wrong()) }
}
