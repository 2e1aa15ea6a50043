//! Groups over groups: depth, ancestors, and no way round in a circle.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::inventory::draft::Draft;
use crate::manifest::source::Span;

/// A group's place among the groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Steps from `all` by the longest way.
    pub(super) depth: usize,
    /// Every group above it.
    pub(super) ancestors: BTreeSet<String>,
}

/// Places all groups below `all`; a circle is a complaint, and then there are no places.
pub(super) fn place(
    draft: &Draft,
    diagnostics: &mut Diagnostics,
) -> Option<BTreeMap<String, Place>> {
    let mut parents: BTreeMap<&str, BTreeMap<&str, Span>> =
        draft.groups.keys().map(|name| (name.as_str(), BTreeMap::new())).collect();
    for (parent, group) in &draft.groups {
        for (child, span) in &group.children {
            parents.entry(child).or_default().insert(parent, *span);
        }
    }
    let all = draft.groups.get("all").map_or_else(Span::default, |group| group.span);
    for (name, above) in &mut parents {
        if above.is_empty() && *name != "all" {
            above.insert("all", all);
        }
    }
    parents.entry("all").or_default();
    let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    for (child, above) in &parents {
        open.insert(child, above.len());
        for parent in above.keys() {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    let mut ready: Vec<&str> =
        open.iter().filter(|(_, above)| **above == 0).map(|(name, _)| *name).collect();
    while let Some(name) = ready.pop() {
        let mut place = Place::default();
        for parent in parents.get(name).into_iter().flat_map(BTreeMap::keys) {
            if let Some(above) = places.get(*parent) {
                place.depth = place.depth.max(above.depth + 1);
                place.ancestors.extend(above.ancestors.iter().cloned());
                place.ancestors.insert((*parent).to_owned());
            }
        }
        places.insert(name.to_owned(), place);
        for child in children.get(name).into_iter().flatten() {
            if let Some(above) = open.get_mut(child) {
                *above -= 1;
                if *above == 0 {
                    ready.push(child);
                }
            }
        }
    }
    if places.len() == parents.len() {
        return Some(places);
    }
    let (circle, span) = circle(&parents, &places);
    diagnostics.push(
        Diagnostic::error(span, format!("groups stand in a circle: {}", circle.join(" > ")))
            .label("closes the circle")
            .help("remove one of these `children` entries".to_owned()),
    );
    None
}

/// A circle among the groups that could not be placed, read downwards, with the entry that closes it.
fn circle(
    parents: &BTreeMap<&str, BTreeMap<&str, Span>>,
    places: &BTreeMap<String, Place>,
) -> (Vec<String>, Span) {
    let lost = |name: &str| !places.contains_key(name);
    let mut path: Vec<&str> = Vec::new();
    let mut at = parents.keys().copied().find(|name| lost(name)).unwrap_or_default();
    // Every group that could not be placed has a parent that could not be placed either.
    while !path.contains(&at) {
        path.push(at);
        let above = parents.get(at).and_then(|above| above.keys().copied().find(|name| lost(name)));
        at = match above {
            Some(above) => above,
            None => break,
        };
    }
    let start = path.iter().position(|name| *name == at).unwrap_or(0);
    let mut names: Vec<&str> = path.split_off(start);
    names.reverse();
    let edges = names.iter().zip(names.iter().cycle().skip(1));
    let span = edges
        .filter_map(|(parent, child)| parents.get(child).and_then(|above| above.get(parent)))
        .max()
        .copied()
        .unwrap_or_default();
    let first = names.first().copied().unwrap_or_default();
    (names.into_iter().chain([first]).map(str::to_owned).collect(), span)
}
