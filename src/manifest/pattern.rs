//! Host patterns, as Ansible writes them, over the hosts of an inventory.
//!
//! Parts are separated by `:` or `,`. Plain parts add hosts, `&part` keeps only those in both,
//! `!part` takes away; the order of the three kinds does not matter, and without a plain part the
//! pattern starts from all hosts. A part is a group, a host (full or short name), a glob with `*`,
//! `?` or `[1-3]` over both, a regular expression after `~` (from the beginning of the name, as in Ansible), or
//! one of the computed groups:
//!
//! - `all`, `*`: every host;
//! - a role: `exchange`, `sharepoint`, `fci`, `connector` (together with a group of that name);
//! - `canary`: hosts with `rms_canary`, in the order of their rank;
//! - `canary-exchange`, `canary-sharepoint`, `canary-fci`: the canaries of that role; if it has none,
//!   its first host that gets values;
//! - `role_*`, `product_*`, `site_*`, `dag_*`, `farm_*`, `cluster_*`, `window_*`: what the inventory
//!   says (`site_ams`; other letters than those of the alphabet count as `_`);
//! - `drifted`, `restart_owed`, `prior_adrms_used`, `prior_adrms_never`, `prior_adrms_unknown`: what
//!   the survey found; in the stages of a playbook only.
//!
//! A subscript picks from what a part names: `fci[0]`, `fci[-1]`, `fci[0:2]` with both ends, `fci[1:]`.
//!
//! Hosts come in inventory order; where all plain parts are canaries, in the order of their rank.
//! Host names, globs and expressions ignore case.

mod computed;
mod glob;
mod part;

use crate::manifest::pattern::part::Name;
use crate::manifest::pattern::part::Subscript;
use crate::manifest::suggest::nearest;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::product::Role;
use crate::model::surveyed::Surveyed;

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
    /// What only a survey can say, asked for before there is one.
    #[error("`{part}` is known only after the hosts were read")]
    Unread { part: String },
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
            Self::Unsupported { .. } => {
                Some("name the hosts, or use `*`, `?`, `[1-3]` or `~regex`".to_owned())
            }
            Self::Unread { .. } => {
                Some("write it into the `hosts` of a playbook's stage".to_owned())
            }
            Self::Blank => Some("write `all` for every host".to_owned()),
            Self::Unknown { suggestion: None, .. }
            | Self::Long
            | Self::Empty { .. }
            | Self::Nothing(_) => None,
        }
    }
}

/// A pattern whose grammar is right.
#[derive(Debug, Clone)]
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

#[derive(Debug, Clone)]
struct Term {
    sign: Sign,
    /// As it was written, without its sign.
    text: String,
    name: Name,
    subscript: Option<Subscript>,
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
        if name.contains(char::is_whitespace) {
            return refuse("parts are separated by `:` or `,`");
        }
        let text = name.to_owned();
        let (name, subscript) = Name::parse(&text)?;
        terms.push(Term { sign, text, name, subscript });
    }
    if terms.is_empty() {
        return Err(PatternError::Blank);
    }
    Ok(Pattern { text: text.to_owned(), terms })
}

/// The hosts that a pattern names, at least one. Every part must match something; a computed group
/// without members may only be taken away.
pub fn select(pattern: &str, hosts: &[Host]) -> Result<Vec<HostName>, PatternError> {
    let pattern = parse(pattern)?;
    if let Some(term) = pattern.terms.iter().find(|term| term.is_surveyed()) {
        return Err(PatternError::Unread { part: term.text.clone() });
    }
    let names = pattern.resolve(hosts, None, false)?;
    if names.is_empty() { Err(PatternError::Nothing(pattern.text)) } else { Ok(names) }
}

/// As [`select`], for a stage of a playbook: computed groups without members are no error and the
/// result may be empty, so that one playbook serves farms that lack a role. Before the survey, what
/// it would say is taken as nothing.
pub fn select_for_stage(pattern: &str, hosts: &[Host]) -> Result<Vec<HostName>, PatternError> {
    parse(pattern)?.resolve(hosts, None, true)
}

/// As [`select_for_stage`], once the hosts were read.
pub fn select_surveyed(
    pattern: &str,
    hosts: &[Host],
    surveyed: &Surveyed,
) -> Result<Vec<HostName>, PatternError> {
    parse(pattern)?.resolve(hosts, Some(surveyed), true)
}

/// Whether some part of the pattern can only be told after a survey.
pub fn is_surveyed(pattern: &str) -> bool {
    parse(pattern).is_ok_and(|pattern| pattern.terms.iter().any(Term::is_surveyed))
}

impl Term {
    fn is_surveyed(&self) -> bool {
        match &self.name {
            Name::Plain(name) => computed::SURVEYED.contains(&computed::fold(name).as_str()),
            // Only one that can hardly mean a host: `drift*`, `prior_adrms_*`.
            Name::Glob(glob) => {
                let heads = ["drift", "restart_", "prior_"];
                heads.iter().any(|head| glob.to_lowercase().starts_with(head))
                    && computed::SURVEYED.iter().any(|group| self.name.fits_computed(group))
            }
            Name::Expression(_) => false,
        }
    }

    /// The indices of its hosts, and whether it is a computed group, which may be empty.
    fn members(&self, hosts: &[Host], surveyed: Option<&Surveyed>) -> (Vec<usize>, bool) {
        let (found, computed) = self.named(hosts, surveyed);
        (self.subscript.map_or(found.clone(), |subscript| subscript.of(&found)), computed)
    }

    fn named(&self, hosts: &[Host], surveyed: Option<&Surveyed>) -> (Vec<usize>, bool) {
        let matching = |wanted: &dyn Fn(&Host) -> bool| -> Vec<usize> {
            let pairs = hosts.iter().enumerate().filter(|(_, host)| wanted(host));
            pairs.map(|(at, _)| at).collect()
        };
        let plain = match &self.name {
            Name::Plain(name) => name.as_str(),
            Name::Glob(glob) if glob == "*" => "all",
            Name::Glob(_) | Name::Expression(_) => "",
        };
        if plain == "all" {
            return ((0..hosts.len()).collect(), true);
        }
        let by_rank = |mut found: Vec<usize>| {
            found.sort_by_key(|at| (hosts.get(*at).and_then(|host| host.canary), *at));
            found
        };
        if plain == "canary" {
            return (by_rank(matching(&|host| host.canary.is_some())), true);
        }
        let canary = plain.strip_prefix("canary-").and_then(Role::parse);
        if let Some(role) = canary.filter(|role| *role != Role::Connector) {
            let ranked = matching(&|host| host.role == Some(role) && host.canary.is_some());
            if !ranked.is_empty() {
                return (by_rank(ranked), true);
            }
            let first = hosts.iter().position(|host| host.role == Some(role) && host.in_scope());
            return (first.into_iter().collect(), true);
        }
        let role = Role::parse(plain);
        let found = matching(&|host| {
            self.name.fits(host.name.as_str(), false)
                || self.name.fits(host.name.short(), false)
                || role.is_some() && host.role == role
                || host.groups.iter().any(|group| self.name.fits(group, true))
                || computed::groups(host, surveyed)
                    .iter()
                    .any(|group| self.name.fits_computed(group))
        });
        (found, role.is_some() || computed::is_known(plain) || self.is_surveyed())
    }
}

impl Pattern {
    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn resolve(
        &self,
        hosts: &[Host],
        surveyed: Option<&Surveyed>,
        may_be_empty: bool,
    ) -> Result<Vec<HostName>, PatternError> {
        let mut chosen = vec![!self.terms.iter().any(|term| term.sign == Sign::Add); hosts.len()];
        let mut ranked: Vec<usize> = Vec::new();
        let mut only_canaries = true;
        let order = [Sign::Add, Sign::Keep, Sign::Remove];
        for sign in order {
            for term in self.terms.iter().filter(|term| term.sign == sign) {
                let (members, computed) = term.members(hosts, surveyed);
                if members.is_empty() {
                    if !computed {
                        let part = term.text.clone();
                        let suggestion = suggest(&part, hosts);
                        return Err(PatternError::Unknown { part, suggestion });
                    }
                    // Which one is taken away was said, so that one must be there.
                    if !may_be_empty && (sign != Sign::Remove || term.subscript.is_some()) {
                        return Err(PatternError::Empty { part: term.text.clone() });
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
                    let (group, _) = term.text.split_once('[').unwrap_or((&term.text, ""));
                    only_canaries &= group == "canary" || group.starts_with("canary-");
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

fn suggest(name: &str, hosts: &[Host]) -> Option<String> {
    let made: Vec<String> = hosts.iter().flat_map(|host| computed::groups(host, None)).collect();
    let computed = ["all", "canary", "canary-exchange", "canary-sharepoint", "canary-fci"];
    let roles = Role::ALL.iter().map(|role| role.id());
    let groups = hosts.iter().flat_map(|host| host.groups.iter().map(String::as_str));
    let names = hosts.iter().flat_map(|host| [host.name.as_str(), host.name.short()]);
    let made = made.iter().map(String::as_str).chain(computed::SURVEYED);
    let known = computed.into_iter().chain(roles).chain(groups).chain(names).chain(made);
    nearest(name, known).map(str::to_owned)
}
