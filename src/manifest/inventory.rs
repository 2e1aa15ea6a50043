//! Ansible YAML inventories, with our typed `rms_*` variables (`features.md` 4.1, 4.5, 4.6).

mod connection;
mod draft;
mod graph;
mod host;
pub mod keys;
mod lint;
mod resolve;
mod trust;
mod url;
mod variables;

use std::collections::BTreeMap;

use crate::manifest::credentials::Credentials;
use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::inventory::draft::Definition;
use crate::manifest::inventory::draft::Draft;
use crate::manifest::inventory::draft::Level;
use crate::manifest::inventory::draft::Vars;
use crate::manifest::inventory::resolve::Resolved;
use crate::manifest::source::Source;
use crate::manifest::source::Span;
use crate::manifest::suggest::did_you_mean;
use crate::manifest::tree;
use crate::manifest::tree::Key;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::host::Host;
use crate::model::host::HostName;

/// The texts that make an inventory, as the caller read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventorySources {
    pub inventory: Source,
    /// Group name and text, of the files `group_vars/NAME.yml` or `group_vars/NAME/*` beside it.
    pub group_vars: Vec<(String, Source)>,
    /// Host name and text, of the files `host_vars/NAME.yml` or `host_vars/NAME/*` beside it.
    pub host_vars: Vec<(String, Source)>,
    /// Texts of `--var-file`; they stand below `--var`.
    pub var_files: Vec<Source>,
    pub basic: BasicScope,
}

/// Where Basic may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BasicScope {
    #[default]
    Tls,
    /// Also where everybody on the way reads the password (`--danger-basic-over-http`).
    Anywhere,
}

impl InventorySources {
    /// An inventory with nothing beside it.
    pub fn alone(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            inventory: Source::new(name, text),
            group_vars: Vec::new(),
            host_vars: Vec::new(),
            var_files: Vec::new(),
            basic: BasicScope::Tls,
        }
    }
}

/// A group as the inventory draws it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Steps from `all` by the longest way.
    pub depth: usize,
    /// Groups directly below, in the file's order.
    pub children: Vec<String>,
    /// Every host in the group or below it, in inventory order.
    pub hosts: Vec<HostName>,
}

/// Where the value of one variable of one host comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableOrigin {
    pub key: String,
    pub value: String,
    /// The name of the source, or `--var`.
    pub source: String,
    pub line: usize,
    /// `group dag_eu1_fra`, `host`, `--var`.
    pub level: String,
    /// Of the value, in the texts of [`Inventory::warnings`].
    pub span: Span,
}

/// An inventory, read and checked.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// Every host, out-of-scope ones included, in the order of first appearance.
    pub hosts: Vec<Host>,
    pub groups: BTreeMap<String, Group>,
    /// What was strange and not wrong; it has the texts too.
    pub warnings: Diagnostics,
    origins: BTreeMap<HostName, Vec<VariableOrigin>>,
}

impl Inventory {
    /// The host of that name, full or short, whatever its case.
    pub fn host(&self, name: &str) -> Option<&Host> {
        let full = self.hosts.iter().find(|host| host.name.as_str().eq_ignore_ascii_case(name));
        full.or_else(|| {
            let mut short =
                self.hosts.iter().filter(|host| host.name.short().eq_ignore_ascii_case(name));
            short.next().filter(|_| short.next().is_none())
        })
    }

    /// Every variable that holds for a host and means something to us, by name.
    pub fn origins(&self, host: &HostName) -> &[VariableOrigin] {
        self.origins.get(host).map_or(&[], Vec::as_slice)
    }

    /// Complains of every `rms_credential` that the credentials file does not have.
    pub fn check_credentials(&self, credentials: &Credentials) -> Result<(), Diagnostics> {
        let mut diagnostics = self.warnings.clone();
        let known: Vec<&str> = credentials.credentials.keys().map(String::as_str).collect();
        for host in self.hosts.iter().filter(|host| host.role.is_some()) {
            let origins = self.origins(&host.name);
            let named = origins.iter().find(|origin| origin.key == "rms_credential");
            if let Some(VariableOrigin { span, .. }) = named
                && !known.contains(&host.credential.as_str())
            {
                let help = did_you_mean(&host.credential, known.iter().copied());
                diagnostics.push(
                    Diagnostic::error(
                        *span,
                        format!("credentials file has no entry `{}`", host.credential),
                    )
                    .help(help.unwrap_or_else(|| "add it to the credentials file".to_owned())),
                );
            }
        }
        diagnostics.settle(Some(())).map(|((), _)| ())
    }
}

/// Reads an inventory. `extra` are variables that win over everything, `--var KEY=VALUE`.
///
/// Either everything is right, or all complaints come at once.
pub fn parse(
    sources: &InventorySources,
    extra: &[(String, String)],
) -> Result<Inventory, Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    let mut draft = Draft::default();
    if let Some(root) = tree::parse(&sources.inventory, &mut diagnostics) {
        draft.read(&root, &mut diagnostics);
    }
    beside(sources, &mut draft, &mut diagnostics);
    let extra = extra_vars(&sources.var_files, extra, &mut draft, &mut diagnostics);
    let built = build(&draft, &extra, sources.basic, &mut diagnostics);
    let (mut inventory, warnings) = diagnostics.settle(built)?;
    inventory.warnings = warnings;
    Ok(inventory)
}

/// Resolves every host. `None` if the groups stand in a circle or there is no host.
fn build(
    draft: &Draft,
    extra: &Vars,
    basic: BasicScope,
    diagnostics: &mut Diagnostics,
) -> Option<Inventory> {
    let places = graph::place(draft, diagnostics)?;
    if draft.order.is_empty() {
        if !diagnostics.has_errors() {
            let span = draft.groups.get("all").map_or_else(Span::default, |group| group.span);
            diagnostics.push(
                Diagnostic::error(span, "inventory has no hosts")
                    .help("write host names below `hosts:`, each with a colon".to_owned()),
            );
        }
        return None;
    }
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (name, place) in &places {
        let children = draft.groups.get(name).map(|group| group.children.as_slice());
        let children = children.unwrap_or_default().iter().map(|(name, _)| name.clone()).collect();
        groups.insert(name.clone(), Group { depth: place.depth, children, hosts: Vec::new() });
    }
    let mut hosts = Vec::new();
    let mut resolved: Vec<Resolved<'_>> = Vec::new();
    for name in &draft.order {
        let Some(host) = draft.hosts.get(name) else { continue };
        let names = resolve::groups_of(host, &places);
        let variables = resolve::resolve(draft, name, &names, &places, extra, diagnostics);
        for group in &names {
            if let Some(group) = groups.get_mut(group) {
                group.hosts.push(HostName::new(name.as_str()));
            }
        }
        hosts.push(host::build(name, host, names, &variables, basic, diagnostics));
        resolved.push(variables);
    }
    lint::roles(&hosts, draft, diagnostics);
    let nodes = lint::nodes(&hosts);
    let mut origins = BTreeMap::new();
    for (host, variables) in hosts.iter().zip(&resolved) {
        lint::idle(variables, diagnostics);
        lint::urls(host, variables, &nodes, diagnostics);
        let list = variables.values().map(|found| origin(found, diagnostics)).collect();
        origins.insert(host.name.clone(), list);
    }
    Some(Inventory { hosts, groups, warnings: Diagnostics::new(), origins })
}

/// Takes in the files beside the inventory.
fn beside(sources: &InventorySources, draft: &mut Draft, diagnostics: &mut Diagnostics) {
    for (group, source) in &sources.group_vars {
        let Some(node) = tree::parse(source, diagnostics) else { continue };
        let owner = Key { text: group.clone(), span: node.span };
        if group == "all" || draft.groups.contains_key(group) {
            draft.groups.entry(group.clone()).or_default();
            draft.group_vars(group, &owner, &node, true, diagnostics);
        } else {
            let near = did_you_mean(group, draft.groups.keys().map(String::as_str));
            let message = format!("inventory has no group `{group}`; the file is ignored");
            diagnostics.push(Diagnostic::warning(node.span, message).help(near));
        }
    }
    for (host, source) in &sources.host_vars {
        let Some(node) = tree::parse(source, diagnostics) else { continue };
        let owner = Key { text: host.clone(), span: node.span };
        if draft.hosts.contains_key(host) {
            draft.host_vars(host, &owner, &node, diagnostics);
        } else {
            let near = did_you_mean(host, draft.hosts.keys().map(String::as_str));
            let message = format!("inventory has no host `{host}`; the file is ignored");
            diagnostics.push(Diagnostic::warning(node.span, message).help(near));
        }
    }
}

/// Takes in the variables of the command line: those of files first, and the last of a name wins.
fn extra_vars(
    files: &[Source],
    extra: &[(String, String)],
    draft: &mut Draft,
    diagnostics: &mut Diagnostics,
) -> Vars {
    let mut vars = Vars::new();
    for source in files {
        let Some(node) = tree::parse(source, diagnostics) else { continue };
        let whole = Key { text: "--var-file".to_owned(), span: node.span };
        if let Value::Mapping(entries) = &node.value {
            for entry in entries {
                if keys::classify(&entry.key.text) == keys::Class::Foreign {
                    diagnostics.push(unknown_extra(&entry.key.text, &node));
                }
            }
        }
        let level = Level::Extra;
        let ids =
            variables::read(&mut draft.definitions, &whole, &node, &level, false, diagnostics);
        for id in ids {
            if let Some(found) = draft.definitions.get(id) {
                vars.insert(found.key.text.clone(), id);
            }
        }
    }
    for (key, value) in extra {
        let source = Source::new("--var", format!("{key}: {value}\n"));
        let Some(node) = tree::parse(&source, diagnostics) else { continue };
        let whole = Key { text: "--var".to_owned(), span: node.span };
        let known =
            keys::RMS_KEYS.contains(&key.as_str()) || keys::CONNECTION_KEYS.contains(&key.as_str());
        if !known && keys::classify(key) == keys::Class::Foreign {
            diagnostics.push(unknown_extra(key, &node));
            continue;
        }
        let definitions = &mut draft.definitions;
        for id in variables::read(definitions, &whole, &node, &Level::Extra, false, diagnostics) {
            vars.insert(key.clone(), id);
        }
    }
    vars
}

fn unknown_extra(key: &str, node: &Node) -> Diagnostic {
    let span = match &node.value {
        Value::Mapping(entries) => entries.first().map_or(node.span, |entry| entry.key.span),
        Value::Null | Value::Scalar { .. } | Value::Sequence(_) | Value::Vault => node.span,
    };
    let known = keys::RMS_KEYS.into_iter().chain(keys::CONNECTION_KEYS);
    Diagnostic::error(span, format!("unknown variable `{key}`")).help(
        did_you_mean(key, known)
            .or(Some("write a `rms_*` variable, as `--var rms_site=ams`".to_owned())),
    )
}

fn origin(found: &Definition, diagnostics: &Diagnostics) -> VariableOrigin {
    let level = match &found.level {
        Level::Group(name) => format!("group {name}"),
        Level::Host => "host".to_owned(),
        Level::Extra => "--var".to_owned(),
    };
    VariableOrigin {
        key: found.key.text.clone(),
        value: found.value.inline(),
        source: diagnostics.name(found.key.span.file),
        line: found.key.span.line,
        level,
        span: found.value.span,
    }
}
