//! Host patterns, as Ansible writes them, over the hosts of an inventory.
//!
//! Parts are separated by `:` or `,`. Plain parts add hosts, `&part` keeps only those in both,
//! `!part` takes away; the order of the three kinds does not matter, and without a plain part the
//! pattern starts from all hosts. A part is a group, a host (full or short name), a glob with `*` or
//! `?` over both, or one of the computed groups:
//!
//! - `all`, `*`: every host;
//! - a role: `exchange`, `sharepoint`, `fci`, `connector` (together with a group of that name);
//! - `canary`: hosts with `rms_canary`, in the order of their rank;
//! - `canary-exchange`, `canary-sharepoint`, `canary-fci`: the canaries of that role; if it has none,
//!   its first host that gets values.
//!
//! Hosts come in inventory order; where all plain parts are canaries, in the order of their rank.
//! Host names and globs ignore case. Subscripts (`web[0:2]`) and `~regex` are refused.

use crate::manifest::suggest::nearest;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::product::Role;

/// The longest pattern, in bytes, and the most parts.
const MAX_LENGTH: usize = 10_000;

/// Why a pattern selects nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("pattern is empty")]
    Blank,
    #[error("pattern is longer than {MAX_LENGTH} bytes")]
    Long,
    #[error("part `{part}` is not supported: {why}")]
    Unsupported { part: String, why: &'static str },
    /// No host, group or computed group has that name.
    #[error("`{part}` matches no host and no group")]
    Unknown { part: String, suggestion: Option<String> },
    /// A computed group that has no members in this inventory.
    #[error("`{part}` has no hosts in this inventory")]
    Empty { part: String },
    #[error("pattern `{0}` leaves no host")]
    Nothing(String),
}

impl PatternError {
    /// What to type instead.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unknown { suggestion: Some(name), .. } => Some(format!("did you mean `{name}`?")),
            Self::Unsupported { .. } => Some("name the hosts, or use `*` and `?`".to_owned()),
            Self::Blank => Some("write `all` for every host".to_owned()),
            Self::Unknown { suggestion: None, .. }
            | Self::Long
            | Self::Empty { .. }
            | Self::Nothing(_) => None,
        }
    }
}

/// A pattern whose grammar is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    terms: Vec<Term>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Add,
    Keep,
    Remove,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    sign: Sign,
    name: String,
}

/// Checks the grammar of a pattern, without any inventory.
pub fn parse(text: &str) -> Result<Pattern, PatternError> {
    if text.len() > MAX_LENGTH {
        return Err(PatternError::Long);
    }
    let mut terms = Vec::new();
    // A subscript has a colon of its own, so it is looked for before the text is split.
    for part in text.split(',').flat_map(split_colons).map(str::trim) {
        if part.is_empty() {
            continue;
        }
        let (sign, name) = match part.strip_prefix('!') {
            Some(name) => (Sign::Remove, name),
            None => match part.strip_prefix('&') {
                Some(name) => (Sign::Keep, name),
                None => (Sign::Add, part),
            },
        };
        let refuse = |why| Err(PatternError::Unsupported { part: part.to_owned(), why });
        if name.is_empty() {
            return refuse("a name must follow");
        }
        if name.starts_with('~') {
            return refuse("regular expressions are not");
        }
        if name.contains(['[', ']']) {
            return refuse("subscripts and character classes are not");
        }
        if name.contains(char::is_whitespace) {
            return refuse("parts are separated by `:` or `,`");
        }
        terms.push(Term { sign, name: name.to_owned() });
    }
    if terms.is_empty() {
        return Err(PatternError::Blank);
    }
    Ok(Pattern { text: text.to_owned(), terms })
}

/// The hosts that a pattern names, at least one. Every part must match something; a computed group
/// without members may only be taken away.
pub fn select(pattern: &str, hosts: &[Host]) -> Result<Vec<HostName>, PatternError> {
    let names = parse(pattern)?.resolve(hosts, false)?;
    if names.is_empty() { Err(PatternError::Nothing(pattern.to_owned())) } else { Ok(names) }
}

/// As [`select`], for a stage of a playbook: computed groups without members are no error and the
/// result may be empty, so that one playbook serves farms that lack a role.
pub fn select_for_stage(pattern: &str, hosts: &[Host]) -> Result<Vec<HostName>, PatternError> {
    parse(pattern)?.resolve(hosts, true)
}

impl Pattern {
    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn resolve(&self, hosts: &[Host], may_be_empty: bool) -> Result<Vec<HostName>, PatternError> {
        let mut chosen = vec![!self.terms.iter().any(|term| term.sign == Sign::Add); hosts.len()];
        let mut ranked: Vec<usize> = Vec::new();
        let mut only_canaries = true;
        let order = [Sign::Add, Sign::Keep, Sign::Remove];
        for sign in order {
            for term in self.terms.iter().filter(|term| term.sign == sign) {
                let (members, computed) = members(&term.name, hosts);
                if members.is_empty() {
                    if !computed {
                        let part = term.name.clone();
                        let suggestion = suggest(&part, hosts);
                        return Err(PatternError::Unknown { part, suggestion });
                    }
                    if !may_be_empty && sign != Sign::Remove {
                        return Err(PatternError::Empty { part: term.name.clone() });
                    }
                }
                let has = |at: usize| members.contains(&at);
                for (at, chosen) in chosen.iter_mut().enumerate() {
                    *chosen = match sign {
                        Sign::Add => *chosen || has(at),
                        Sign::Keep => *chosen && has(at),
                        Sign::Remove => *chosen && !has(at),
                    };
                }
                if sign == Sign::Add {
                    only_canaries &= term.name == "canary" || term.name.starts_with("canary-");
                    ranked.extend(members);
                }
            }
        }
        let kept = |at: &usize| chosen.get(*at).copied().unwrap_or(false);
        let mut indices: Vec<usize> = (0..hosts.len()).filter(kept).collect();
        if only_canaries && !ranked.is_empty() {
            let rank = |at: &usize| hosts.get(*at).and_then(|host| host.canary).unwrap_or(u32::MAX);
            indices.sort_by_key(|at| (rank(at), *at));
        }
        Ok(indices.iter().filter_map(|at| hosts.get(*at)).map(|host| host.name.clone()).collect())
    }
}

/// Splits at `:` outside of brackets.
fn split_colons(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |c: char| {
        match c {
            '[' => depth = depth.saturating_add(1),
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ':' && depth == 0
    })
}

/// The indices of the hosts that one part names, and whether the name is a computed group.
fn members(name: &str, hosts: &[Host]) -> (Vec<usize>, bool) {
    let matching = |wanted: &dyn Fn(&Host) -> bool| -> Vec<usize> {
        let pairs = hosts.iter().enumerate().filter(|(_, host)| wanted(host));
        pairs.map(|(at, _)| at).collect()
    };
    if matches!(name, "all" | "*") {
        return ((0..hosts.len()).collect(), true);
    }
    if name == "canary" {
        return (matching(&|host| host.canary.is_some()), true);
    }
    let role_of = |prefix: &str| name.strip_prefix(prefix).and_then(Role::parse);
    if let Some(role) = role_of("canary-").filter(|role| *role != Role::Connector) {
        let ranked = matching(&|host| host.role == Some(role) && host.canary.is_some());
        if !ranked.is_empty() {
            return (ranked, true);
        }
        let first = hosts.iter().position(|host| host.role == Some(role) && host.in_scope());
        return (first.into_iter().collect(), true);
    }
    let folded = name.to_lowercase();
    let glob = name.contains(['*', '?']);
    let fits = |text: &str| {
        if glob { glob_match(&folded, &text.to_lowercase()) } else { text.to_lowercase() == folded }
    };
    let role = Role::parse(name);
    let found = matching(&|host| {
        fits(host.name.as_str())
            || fits(host.name.short())
            || role.is_some() && host.role == role
            || host.groups.iter().any(
                |group| {
                    if glob { glob_match(name, group) } else { group == name }
                },
            )
    });
    (found, role.is_some())
}

/// Whether a text fits a glob of `*` and `?`; takes at most text times glob steps.
fn glob_match(glob: &str, text: &str) -> bool {
    let glob: Vec<char> = glob.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut g, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let here = glob.get(g);
        if here == Some(&'*') {
            retry = Some((g, t));
            g += 1;
        } else if here == Some(&'?') || (here.is_some() && here == text.get(t)) {
            g += 1;
            t += 1;
        } else if let Some((star, at)) = retry {
            retry = Some((star, at + 1));
            g = star + 1;
            t = at + 1;
        } else {
            return false;
        }
    }
    glob.iter().skip(g).all(|c| *c == '*')
}

fn suggest(name: &str, hosts: &[Host]) -> Option<String> {
    let computed = ["all", "canary", "canary-exchange", "canary-sharepoint", "canary-fci"];
    let roles = Role::ALL.iter().map(|role| role.id());
    let groups = hosts.iter().flat_map(|host| host.groups.iter().map(String::as_str));
    let names = hosts.iter().flat_map(|host| [host.name.as_str(), host.name.short()]);
    let known = computed.into_iter().chain(roles).chain(groups).chain(names);
    nearest(name, known).map(str::to_owned)
}
