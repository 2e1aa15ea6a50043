//! The inventory as written: groups, hosts and variable definitions, nothing resolved yet.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::inventory::variables;
use crate::manifest::range;
use crate::manifest::source::Span;
use crate::manifest::suggest::did_you_mean;
use crate::manifest::tree::Entry;
use crate::manifest::tree::Key;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::manifest::tree::shorten;

/// The most groups an inventory may have.
const MAX_GROUPS: usize = 2_000;

/// Where a variable was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Level {
    Group(String),
    Host,
    Extra,
}

/// One variable, set in one place.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub(super) key: Key,
    pub(super) value: Node,
    pub(super) level: Level,
    /// Whether it stands in a file of `group_vars` or `host_vars`, which wins over the inventory.
    pub(super) beside: bool,
    /// Its value has been complained of; what depends on it keeps quiet.
    pub(super) broken: bool,
}

/// Key to the definition that holds at one level.
pub(super) type Vars = BTreeMap<String, usize>;

#[derive(Debug, Default)]
pub(super) struct GroupDraft {
    pub(super) span: Span,
    pub(super) children: Vec<(String, Span)>,
    pub(super) vars: Vars,
}

#[derive(Debug)]
pub(super) struct HostDraft {
    pub(super) span: Span,
    /// As the file spells it, range and all.
    pub(super) spelled: String,
    pub(super) groups: BTreeSet<String>,
    pub(super) vars: Vars,
}

/// Everything the files say.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) groups: BTreeMap<String, GroupDraft>,
    pub(super) hosts: BTreeMap<String, HostDraft>,
    /// Host names in the order of their first appearance.
    pub(super) order: Vec<String>,
    pub(super) definitions: Vec<Definition>,
    /// Lower-case name to the spelling used first.
    spellings: BTreeMap<String, String>,
}

impl Draft {
    /// Takes in an inventory's tree: top-level groups, of which `all` is one.
    pub(super) fn read(&mut self, root: &Node, diagnostics: &mut Diagnostics) {
        let Value::Mapping(entries) = &root.value else {
            let message = match &root.value {
                Value::Null => "inventory is empty".to_owned(),
                Value::Scalar { .. } | Value::Sequence(_) | Value::Mapping(_) | Value::Vault => {
                    format!("inventory needs a mapping of groups, found {}", root.kind())
                }
            };
            diagnostics.push(
                Diagnostic::error(root.span, message)
                    .help("begin with `all:` and `hosts:` below it".to_owned()),
            );
            return;
        };
        for entry in entries.iter().filter(|entry| !entry.key.text.starts_with("x-")) {
            if matches!(entry.key.text.as_str(), "hosts" | "children" | "vars") {
                let message = format!("`{}` stands outside of a group", entry.key.text);
                diagnostics.push(
                    Diagnostic::error(entry.key.span, message)
                        .help("put `all:` above it and indent it".to_owned()),
                );
                continue;
            }
            self.group(&entry.key, &entry.value, diagnostics);
        }
    }

    fn group(&mut self, key: &Key, node: &Node, diagnostics: &mut Diagnostics) {
        let name = key.text.trim();
        let letter = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || !name.chars().all(letter) {
            diagnostics.push(
                Diagnostic::error(key.span, format!("`{}` is not a group name", shorten(name)))
                    .help("use letters, digits and `_`".to_owned()),
            );
            return;
        }
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(name) {
            let message = format!("inventory has more than {MAX_GROUPS} groups");
            diagnostics
                .push(Diagnostic::error(key.span, message).help("split the inventory".to_owned()));
            return;
        }
        self.groups
            .entry(name.to_owned())
            .or_insert_with(|| GroupDraft { span: key.span, ..GroupDraft::default() });
        let entries = match &node.value {
            Value::Mapping(entries) => entries,
            Value::Null => return,
            Value::Scalar { .. } | Value::Sequence(_) | Value::Vault => {
                let message = format!("group `{name}` needs a mapping, found {}", node.kind());
                diagnostics.push(
                    Diagnostic::error(node.span, message)
                        .help("write `hosts:`, `children:` or `vars:` below it".to_owned()),
                );
                return;
            }
        };
        for entry in entries {
            match entry.key.text.as_str() {
                "hosts" => self.hosts(name, entry, diagnostics),
                "children" => self.children(name, entry, diagnostics),
                "vars" => self.group_vars(name, &entry.key, &entry.value, false, diagnostics),
                _ => diagnostics.push(stray(name, entry)),
            }
        }
    }

    /// Variables of a group, from the inventory or from a file beside it.
    pub(super) fn group_vars(
        &mut self,
        group: &str,
        key: &Key,
        node: &Node,
        beside: bool,
        diagnostics: &mut Diagnostics,
    ) {
        let level = Level::Group(group.to_owned());
        let ids = variables::read(&mut self.definitions, key, node, &level, beside, diagnostics);
        let Some(draft) = self.groups.get_mut(group) else { return };
        for id in ids {
            set(&mut draft.vars, id, &self.definitions, &format!("group `{group}`"), diagnostics);
        }
    }

    /// Variables of a host, from a file beside the inventory.
    pub(super) fn host_vars(
        &mut self,
        host: &str,
        key: &Key,
        node: &Node,
        diagnostics: &mut Diagnostics,
    ) {
        let ids =
            variables::read(&mut self.definitions, key, node, &Level::Host, true, diagnostics);
        let Some(draft) = self.hosts.get_mut(host) else { return };
        for id in ids {
            set(&mut draft.vars, id, &self.definitions, &format!("host `{host}`"), diagnostics);
        }
    }

    fn children(&mut self, parent: &str, entry: &Entry, diagnostics: &mut Diagnostics) {
        for (key, node) in members("children", entry, diagnostics) {
            self.group(key, node, diagnostics);
            if let Some(draft) = self.groups.get_mut(parent)
                && !draft.children.iter().any(|(name, _)| *name == key.text)
            {
                draft.children.push((key.text.clone(), key.span));
            }
        }
    }

    fn hosts(&mut self, group: &str, entry: &Entry, diagnostics: &mut Diagnostics) {
        let mut listed: BTreeMap<String, Key> = BTreeMap::new();
        for (key, node) in members("hosts", entry, diagnostics) {
            let names = match range::expand(key.text.trim()) {
                Ok(names) => names,
                Err(error) => {
                    let message = format!("host `{}`: {error}", shorten(&key.text));
                    diagnostics.push(Diagnostic::error(key.span, message).help(error.help()));
                    continue;
                }
            };
            if let Some(bad) = names.iter().find(|name| !is_host_name(name)) {
                let message = format!("`{}` is not a host name", shorten(bad));
                diagnostics.push(Diagnostic::error(key.span, message).help(host_help(bad)));
                continue;
            }
            let ids =
                variables::read(&mut self.definitions, key, node, &Level::Host, false, diagnostics);
            for name in names {
                if let Some(first) = listed.get(&name) {
                    diagnostics.push(
                        Diagnostic::error(
                            key.span,
                            format!(
                                "host `{name}` is listed twice in group `{group}`, first in line {}",
                                first.span.line
                            ),
                        )
                        .label("again here")
                        .related(first.span, "first here")
                        .help("make the ranges meet without overlapping".to_owned()),
                    );
                    break;
                }
                listed.insert(name.clone(), key.clone());
                if !self.host(group, &name, key, &ids, diagnostics) {
                    return;
                }
            }
        }
    }

    /// Records a host in a group; `false` when there is no room for more.
    fn host(
        &mut self,
        group: &str,
        name: &str,
        key: &Key,
        ids: &[usize],
        diagnostics: &mut Diagnostics,
    ) -> bool {
        if self.hosts.len() >= range::MAX_NAMES && !self.hosts.contains_key(name) {
            let message = format!("inventory has more than {} hosts", range::MAX_NAMES);
            diagnostics
                .push(Diagnostic::error(key.span, message).help("split the inventory".to_owned()));
            return false;
        }
        let spelling = self.spellings.entry(name.to_lowercase()).or_insert_with(|| name.to_owned());
        if *spelling != name {
            let first = self.hosts.get(spelling.as_str()).map_or(key.span, |host| host.span);
            diagnostics.push(
                Diagnostic::error(
                    key.span,
                    format!("host `{name}` is spelled `{spelling}` in line {}", first.line),
                )
                .related(first, "first here")
                .help(format!("write `{spelling}`, or remove one of the two")),
            );
            return true;
        }
        let draft = self.hosts.entry(name.to_owned()).or_insert_with(|| {
            self.order.push(name.to_owned());
            HostDraft {
                span: key.span,
                spelled: key.text.clone(),
                groups: BTreeSet::new(),
                vars: Vars::new(),
            }
        });
        draft.groups.insert(group.to_owned());
        for id in ids {
            set(&mut draft.vars, *id, &self.definitions, &format!("host `{name}`"), diagnostics);
        }
        true
    }
}

/// Puts a definition among those of its level. A file beside the inventory wins over it, as in
/// Ansible; two of the same kind must agree.
fn set(
    vars: &mut Vars,
    id: usize,
    definitions: &[Definition],
    whose: &str,
    diagnostics: &mut Diagnostics,
) {
    let Some(new) = definitions.get(id) else { return };
    let old = vars.get(&new.key.text).and_then(|old| definitions.get(*old));
    match old {
        Some(old) if old.beside && !new.beside => return,
        Some(old) if old.beside == new.beside && !old.value.same(&new.value) => {
            diagnostics.push(
                Diagnostic::error(
                    new.key.span,
                    format!(
                        "{whose} has two values of `{}`, in lines {} and {}",
                        new.key.text, old.key.span.line, new.key.span.line
                    ),
                )
                .label("another value")
                .related(old.key.span, "first value")
                .help("keep one of the two".to_owned()),
            );
            return;
        }
        Some(_) | None => {}
    }
    vars.insert(new.key.text.clone(), id);
}

/// The members of `hosts:` or `children:`; a single name may stand as a text, as in Ansible.
fn members<'n>(
    what: &str,
    entry: &'n Entry,
    diagnostics: &mut Diagnostics,
) -> Vec<(&'n Key, &'n Node)> {
    match &entry.value.value {
        Value::Mapping(entries) => entries.iter().map(|entry| (&entry.key, &entry.value)).collect(),
        Value::Null => Vec::new(),
        Value::Scalar { .. } | Value::Sequence(_) | Value::Vault => {
            let help = match &entry.value.value {
                Value::Sequence(_) => "write `NAME:` in a line of its own, not `- NAME`".to_owned(),
                Value::Null | Value::Scalar { .. } | Value::Mapping(_) | Value::Vault => {
                    "write `NAME:` in a line of its own, with a colon".to_owned()
                }
            };
            let message =
                format!("`{what}` needs a mapping of names, found {}", entry.value.kind());
            diagnostics.push(Diagnostic::error(entry.value.span, message).help(help));
            Vec::new()
        }
    }
}

/// A key beside `hosts`, `children` and `vars`.
fn stray(group: &str, entry: &Entry) -> Diagnostic {
    let key = entry.key.text.as_str();
    let looks_like_group = matches!(&entry.value.value, Value::Mapping(inner)
        if inner.iter().any(|e| matches!(e.key.text.as_str(), "hosts" | "children" | "vars")));
    let help = if let Some(help) = did_you_mean(key, ["hosts", "children", "vars"]) {
        help
    } else if looks_like_group {
        format!("put the group `{}` below `children:`", shorten(key))
    } else if key.starts_with("rms_") || key.starts_with("ansible_") {
        "put variables of a group below `vars:`".to_owned()
    } else {
        "a group has the keys `hosts`, `children` and `vars`".to_owned()
    };
    Diagnostic::error(entry.key.span, format!("unknown key `{}` in group `{group}`", shorten(key)))
        .help(help)
}

fn is_host_name(name: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    name.len() <= 253
        && name.chars().all(letter)
        && name.starts_with(char::is_alphanumeric)
        && !name.contains("..")
}

fn host_help(name: &str) -> String {
    if name.contains("://") {
        "write the host's name only; the scheme is `ansible_winrm_scheme`".to_owned()
    } else if name.contains(':') {
        "write the host's name only; port and address are `ansible_port` and `ansible_host`"
            .to_owned()
    } else {
        "a host name has letters, digits, `-`, `.` and `_`, at most 253".to_owned()
    }
}
