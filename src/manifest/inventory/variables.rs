//! One block of variables: what is ours is checked, what is not is told apart.

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::inventory::draft::Definition;
use crate::manifest::inventory::draft::Level;
use crate::manifest::inventory::keys;
use crate::manifest::inventory::keys::Class;
use crate::manifest::tree::Entry;
use crate::manifest::tree::Key;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::manifest::tree::shorten;

/// Reads a mapping of variables; gives the indices of the definitions that were recorded.
pub(super) fn read(
    definitions: &mut Vec<Definition>,
    owner: &Key,
    node: &Node,
    level: &Level,
    beside: bool,
    diagnostics: &mut Diagnostics,
) -> Vec<usize> {
    let entries = match &node.value {
        Value::Mapping(entries) => entries,
        Value::Null | Value::Vault => return Vec::new(),
        Value::Scalar { .. } | Value::Sequence(_) => {
            let whose = match level {
                Level::Group(group) => format!("group `{group}`"),
                Level::Host => format!("host `{}`", shorten(&owner.text)),
                Level::Extra => "the command line".to_owned(),
            };
            let message = format!("variables of {whose} need a mapping, found {}", node.kind());
            let joined = node.inline();
            let help = match joined.split_once(':') {
                Some((key, value)) if !value.starts_with(' ') && !key.contains(' ') => {
                    "put a space after the colon"
                }
                Some(_) | None => "write `name: value`, one below the other",
            };
            diagnostics.push(Diagnostic::error(node.span, message).help(help.to_owned()));
            return Vec::new();
        }
    };
    let mut ids = Vec::new();
    for entry in entries {
        if let Some(broken) = admit(entry, diagnostics) {
            ids.push(definitions.len());
            definitions.push(Definition {
                key: entry.key.clone(),
                value: entry.value.clone(),
                level: level.clone(),
                beside,
                broken,
            });
        }
    }
    ids
}

/// Whether a variable is recorded, and if so whether its value has been complained of.
pub(super) fn admit(entry: &Entry, diagnostics: &mut Diagnostics) -> Option<bool> {
    let key = entry.key.text.as_str();
    let at = entry.key.span;
    let vault = matches!(entry.value.value, Value::Vault);
    match keys::classify(key) {
        Class::Rms | Class::Secret | Class::Connection if vault => None,
        Class::Rms if keys::is_template(&entry.value) => {
            diagnostics.push(
                Diagnostic::error(entry.value.span, format!("`{key}` holds a template"))
                    .help("write the value itself; inventories are not templated".to_owned()),
            );
            Some(true)
        }
        Class::Rms => Some(match keys::check(key, &entry.value) {
            Ok(()) => false,
            Err(wrong) => {
                diagnostics.push(wrong.of(entry));
                true
            }
        }),
        Class::UnknownRms(near) => {
            let help = near.unwrap_or_else(|| {
                "remove it; keys that begin with `rms_` belong to this tool".to_owned()
            });
            let message = format!("unknown key `{}`", shorten(key));
            diagnostics.push(Diagnostic::error(at, message).help(help));
            None
        }
        Class::Secret if keys::is_template(&entry.value) => {
            diagnostics.push(
                Diagnostic::warning(at, format!("`{key}` is ignored"))
                    .help("name the provider of the secret in `credentials.yml`".to_owned()),
            );
            None
        }
        Class::Secret => {
            diagnostics.push(
                Diagnostic::error(at, format!("`{key}` holds a secret in clear text")).help(
                    "remove it and change the password; name a provider for it in \
                         `credentials.yml` and point to that with `rms_credential`"
                        .to_owned(),
                ),
            );
            None
        }
        Class::Priority => {
            diagnostics.push(Diagnostic::warning(at, "`ansible_group_priority` is ignored").help(
                "deeper groups win; of two equally deep ones, neither may disagree".to_owned(),
            ));
            None
        }
        Class::Connection => Some(false),
        Class::Ignored(near) => {
            diagnostics.push(Diagnostic::warning(at, format!("`{key}` is ignored")).help(near));
            None
        }
        Class::Foreign => None,
    }
}
