//! Which definition of a variable holds for a host (`features.md` 4.6).
//!
//! Extra variables win over the host's own, those over its groups'; of groups, the deeper one wins.
//! Two equally deep groups that disagree are a complaint unless something above them decides.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::inventory::draft::Definition;
use crate::manifest::inventory::draft::Draft;
use crate::manifest::inventory::draft::HostDraft;
use crate::manifest::inventory::draft::Vars;
use crate::manifest::inventory::graph::Place;

/// The variables of one host, by key.
pub(super) type Resolved<'d> = BTreeMap<&'d str, &'d Definition>;

/// A host's groups, `all` first, nearer groups later.
pub(super) fn groups_of(host: &HostDraft, places: &BTreeMap<String, Place>) -> Vec<String> {
    let mut names: BTreeSet<&str> = BTreeSet::from(["all"]);
    for group in &host.groups {
        names.insert(group);
        if let Some(place) = places.get(group) {
            names.extend(place.ancestors.iter().map(String::as_str));
        }
    }
    let depth = |name: &str| places.get(name).map_or(0, |place| place.depth);
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by_key(|name| (depth(name), *name != "all", *name));
    names.into_iter().map(str::to_owned).collect()
}

/// The definition that holds for each key.
pub(super) fn resolve<'d>(
    draft: &'d Draft,
    name: &str,
    groups: &[String],
    places: &BTreeMap<String, Place>,
    extra: &Vars,
    diagnostics: &mut Diagnostics,
) -> Resolved<'d> {
    let mut resolved = Resolved::new();
    let definition = |id: &usize| draft.definitions.get(*id);
    let set = |vars: &Vars, resolved: &mut Resolved<'d>| {
        for found in vars.values().filter_map(definition) {
            resolved.insert(&found.key.text, found);
        }
    };
    set(extra, &mut resolved);
    if let Some(host) = draft.hosts.get(name) {
        let mut own = Resolved::new();
        set(&host.vars, &mut own);
        for (key, found) in own {
            resolved.entry(key).or_insert(found);
        }
    }
    // Per key, what the groups say, deepest last.
    let mut said: BTreeMap<&str, Vec<(&str, &Definition)>> = BTreeMap::new();
    for group in groups {
        let vars = draft.groups.get(group).map(|group| &group.vars);
        for found in vars.into_iter().flat_map(Vars::values).filter_map(definition) {
            if !resolved.contains_key(found.key.text.as_str()) {
                said.entry(&found.key.text).or_default().push((group, found));
            }
        }
    }
    for (key, candidates) in said {
        let Some((winner, found)) = candidates.last().copied() else { continue };
        let depth = |group: &str| places.get(group).map_or(0, |place| place.depth);
        let above =
            |group: &str| places.get(winner).is_some_and(|place| place.ancestors.contains(group));
        // A role says what a machine is: of two groups, only one that contains the other may differ.
        let rival = candidates.iter().rev().skip(1).find(|(group, other)| {
            let contends =
                if key == "rms_role" { !above(group) } else { depth(group) == depth(winner) };
            contends && !other.value.same(&found.value)
        });
        if let Some((loser, other)) = rival {
            diagnostics.push(tie(key, (loser, other), (winner, found)));
        }
        // Ansible puts every file of `group_vars` above every group of the inventory file.
        let stronger = candidates.iter().rev().skip(1).find(|(_, other)| {
            rival.is_none() && other.beside && !found.beside && !other.value.same(&found.value)
        });
        if let Some((group, other)) = stronger {
            diagnostics.push(order(key, (group, other), (winner, found)));
        }
        resolved.insert(key, found);
    }
    resolved
}

fn order(
    key: &str,
    (upper, file): (&str, &Definition),
    (deeper, found): (&str, &Definition),
) -> Diagnostic {
    Diagnostic::warning(
        found.key.span,
        format!("group `{deeper}` wins over the file of group `{upper}` on `{key}`"),
    )
    .label("counts here, because the group is deeper")
    .related(file.key.span, "counts in Ansible, because it stands in `group_vars`")
    .help(format!("set `{key}` in the file of group `{deeper}` to have both agree"))
}

fn tie(
    key: &str,
    (left, first): (&str, &Definition),
    (right, second): (&str, &Definition),
) -> Diagnostic {
    let ((left, first), (right, second)) = if first.key.span <= second.key.span {
        ((left, first), (right, second))
    } else {
        ((right, second), (left, first))
    };
    let help = if key == "rms_role" {
        "a host has one role: take it out of one group, or set `rms_role` on the host"
    } else {
        "set it on the host or in a deeper group, or make the two agree"
    };
    Diagnostic::error(
        second.key.span,
        format!(
            "groups `{left}` (line {}) and `{right}` (line {}) disagree on `{key}` for a host in both",
            first.key.span.line, second.key.span.line
        ),
    )
    .label(format!("group `{right}`"))
    .related(first.key.span, format!("group `{left}`"))
    .help(help.to_owned())
}
