//! A host's registry below `HKEY_LOCAL_MACHINE`, with the rules that it refuses by.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::lab::access;
use crate::model::particulars::AccessEntry;
use crate::model::registry::KeyPath;
use crate::model::registry::Value;
use crate::model::registry::ValueName;
use crate::model::registry::ValuePath;

const ADMINISTRATORS: &str = "S-1-5-32-544";
const NETWORK_SERVICE: &str = "S-1-5-20";

/// Why the registry does not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NoKey,
    NoValue,
    /// An access rule of the key, or of a key above it.
    Denied,
    HasSubkeys,
    /// A new key directly below the hive, or a name that is not one.
    BadName,
}

#[derive(Debug, Clone, Default)]
struct Key {
    values: BTreeMap<ValueName, Value>,
    volatile: bool,
}

/// Keys compare without case and keep the spelling of whoever created them.
#[derive(Debug, Clone)]
pub struct Registry {
    keys: BTreeMap<KeyPath, Key>,
    unreadable: BTreeSet<KeyPath>,
    unwritable: BTreeSet<KeyPath>,
    /// Who may what, where the list is not the one of every key.
    access: BTreeMap<KeyPath, Vec<AccessEntry>>,
}

impl Default for Registry {
    fn default() -> Self {
        let keys =
            ["HARDWARE", "SOFTWARE", "SYSTEM"].map(|name| (KeyPath::new(name), Key::default()));
        Self {
            keys: keys.into_iter().collect(),
            unreadable: BTreeSet::new(),
            unwritable: BTreeSet::new(),
            access: BTreeMap::new(),
        }
    }
}

impl Registry {
    /// Puts a value there with all its keys, whatever the rules say: how a host is furnished.
    pub fn plant(&mut self, path: ValuePath, value: Value) {
        self.plant_key(&path.key);
        if let Some(key) = self.keys.get_mut(&path.key) {
            key.values.insert(path.name, value);
        }
    }

    /// As [`Self::plant`], for a key without values.
    pub fn plant_key(&mut self, key: &KeyPath) {
        for path in lineage(key) {
            self.keys.entry(path).or_default();
        }
    }

    /// Makes a key vanish at the next boot (`REG_OPTION_VOLATILE`).
    pub fn plant_volatile(&mut self, key: &KeyPath) {
        self.plant_key(key);
        if let Some(key) = self.keys.get_mut(key) {
            key.volatile = true;
        }
    }

    /// From now on the key and everything below it can be read, but not changed.
    pub fn deny_write(&mut self, key: KeyPath) {
        self.unwritable.insert(key);
    }

    /// From now on the key and everything below it can be neither read nor changed.
    pub fn deny_read(&mut self, key: KeyPath) {
        self.unreadable.insert(key.clone());
        self.unwritable.insert(key);
    }

    /// Gives the key to `NETWORK SERVICE` too, whatever is below it included.
    pub fn share(&mut self, key: &KeyPath) {
        self.plant_key(key);
        let both = [ADMINISTRATORS, NETWORK_SERVICE].map(access::full);
        self.access.insert(key.clone(), both.into());
    }

    /// The key's own list, or what the nearest key above hands down; administrators alone if nobody
    /// has said anything.
    pub fn access(&self, key: &KeyPath) -> Vec<AccessEntry> {
        if let Some(own) = self.access.get(key) {
            return own.clone();
        }
        let above = lineage(key).into_iter().rev().find_map(|above| self.access.get(&above));
        match above {
            Some(list) => list.iter().filter(|entry| entry.inherited_below).cloned().collect(),
            None => vec![access::full(ADMINISTRATORS)],
        }
    }

    pub fn set_access(&mut self, key: &KeyPath, entries: Vec<AccessEntry>) -> Result<(), Refusal> {
        if !self.may_write(key) {
            return Err(Refusal::Denied);
        }
        if !self.has_key(key) {
            return Err(Refusal::NoKey);
        }
        self.access.insert(key.clone(), entries);
        Ok(())
    }

    /// What a boot does: volatile keys are gone, with all below them.
    pub fn boot(&mut self) {
        let volatile: Vec<KeyPath> = self
            .keys
            .iter()
            .filter(|(_, key)| key.volatile)
            .map(|(path, _)| path.clone())
            .collect();
        self.keys.retain(|path, _| !lineage(path).iter().any(|above| volatile.contains(above)));
    }

    pub fn has_key(&self, key: &KeyPath) -> bool {
        key.as_str().is_empty() || self.keys.contains_key(key)
    }

    pub fn may_read(&self, key: &KeyPath) -> bool {
        !covered(&self.unreadable, key)
    }

    pub fn may_write(&self, key: &KeyPath) -> bool {
        !covered(&self.unwritable, key)
    }

    pub fn value(&self, path: &ValuePath) -> Result<&Value, Refusal> {
        self.readable(&path.key)?.values.get(&path.name).ok_or(Refusal::NoValue)
    }

    pub fn values(&self, key: &KeyPath) -> Result<&BTreeMap<ValueName, Value>, Refusal> {
        Ok(&self.readable(key)?.values)
    }

    /// Names of the keys directly below, in order of their names.
    pub fn subkeys(&self, key: &KeyPath) -> Result<Vec<String>, Refusal> {
        if !self.may_read(key) {
            return Err(Refusal::Denied);
        }
        if !self.has_key(key) {
            return Err(Refusal::NoKey);
        }
        let below = self.keys.keys().filter(|path| is_below(path, key));
        let depth = segments(key).count();
        Ok(below
            .filter(|path| segments(path).count() == depth + 1)
            .filter_map(|path| segments(path).last().map(str::to_owned))
            .collect())
    }

    /// Creates the key and those above it that are missing; content if it is there.
    pub fn create(&mut self, key: &KeyPath) -> Result<(), Refusal> {
        if key.as_str().is_empty() || segments(key).any(|name| name.is_empty() || name.len() > 255)
        {
            return Err(Refusal::BadName);
        }
        if self.has_key(key) {
            return if self.may_read(key) { Ok(()) } else { Err(Refusal::Denied) };
        }
        for path in lineage(key) {
            if self.keys.contains_key(&path) {
                continue;
            }
            if path.parent().is_none() {
                return Err(Refusal::BadName);
            }
            if !self.may_write(&path) {
                return Err(Refusal::Denied);
            }
            self.keys.insert(path, Key::default());
        }
        Ok(())
    }

    pub fn set(&mut self, path: ValuePath, value: Value) -> Result<(), Refusal> {
        self.writable(&path.key)?.values.insert(path.name, value);
        Ok(())
    }

    pub fn delete_value(&mut self, path: &ValuePath) -> Result<(), Refusal> {
        self.writable(&path.key)?.values.remove(&path.name).map(drop).ok_or(Refusal::NoValue)
    }

    pub fn delete_key(&mut self, key: &KeyPath) -> Result<(), Refusal> {
        self.writable(key)?;
        if key.parent().is_none() || self.keys.keys().any(|path| is_below(path, key)) {
            return Err(Refusal::HasSubkeys);
        }
        self.keys.remove(key);
        Ok(())
    }

    fn readable(&self, key: &KeyPath) -> Result<&Key, Refusal> {
        if !self.may_read(key) {
            return Err(Refusal::Denied);
        }
        self.keys.get(key).ok_or(Refusal::NoKey)
    }

    fn writable(&mut self, key: &KeyPath) -> Result<&mut Key, Refusal> {
        if !self.may_write(key) {
            return Err(Refusal::Denied);
        }
        self.keys.get_mut(key).ok_or(Refusal::NoKey)
    }
}

fn segments(key: &KeyPath) -> impl Iterator<Item = &str> {
    key.as_str().split('\\').filter({
        let empty = key.as_str().is_empty();
        move |_| !empty
    })
}

/// The key's ancestors from the top, and the key.
fn lineage(key: &KeyPath) -> Vec<KeyPath> {
    let mut line = vec![key.clone()];
    let mut above = key.parent();
    while let Some(path) = above {
        above = path.parent();
        line.push(path);
    }
    line.reverse();
    line
}

fn is_below(path: &KeyPath, key: &KeyPath) -> bool {
    if key.as_str().is_empty() {
        return true;
    }
    let (path, key) = (path.as_str().as_bytes(), key.as_str().as_bytes());
    path.get(key.len()) == Some(&b'\\')
        && path.get(..key.len()).is_some_and(|head| head.eq_ignore_ascii_case(key))
}

fn covered(rules: &BTreeSet<KeyPath>, key: &KeyPath) -> bool {
    rules.iter().any(|rule| rule == key || is_below(key, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sz(text: &str) -> Value {
        Value::Sz(text.to_owned())
    }

    fn key(path: &str) -> KeyPath {
        KeyPath::new(path)
    }

    #[test]
    fn names_compare_without_case_and_keep_their_first_spelling() {
        let mut registry = Registry::default();
        registry.create(&key(r"software\Contoso\Deep Key")).unwrap();
        registry.set(ValuePath::new(r"SOFTWARE\CONTOSO", "Name"), sz("a")).unwrap();
        registry.set(ValuePath::new(r"SOFTWARE\contoso", "NAME"), sz("b")).unwrap();
        assert_eq!(registry.subkeys(&key("SOFTWARE")), Ok(vec!["Contoso".to_owned()]));
        let values = registry.values(&key(r"Software\Contoso")).unwrap();
        let spelled: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), value)).collect();
        assert_eq!(spelled, [("Name", &sz("b"))]);
    }

    #[test]
    fn a_key_whose_name_begins_like_another_is_not_below_it() {
        let mut registry = Registry::default();
        registry.create(&key(r"SOFTWARE\AB\C")).unwrap();
        registry.create(&key(r"SOFTWARE\A")).unwrap();
        assert_eq!(registry.subkeys(&key(r"SOFTWARE\A")), Ok(vec![]));
        assert_eq!(registry.delete_key(&key(r"SOFTWARE\A")), Ok(()));
    }

    #[test]
    fn a_key_with_subkeys_cannot_be_deleted() {
        let mut registry = Registry::default();
        registry.create(&key(r"SOFTWARE\A\B")).unwrap();
        assert_eq!(registry.delete_key(&key(r"SOFTWARE\A")), Err(Refusal::HasSubkeys));
        assert_eq!(registry.delete_key(&key(r"SOFTWARE\A\B")), Ok(()));
        assert_eq!(registry.delete_key(&key(r"SOFTWARE\A")), Ok(()));
        assert_eq!(registry.delete_key(&key(r"SOFTWARE\A")), Err(Refusal::NoKey));
    }

    #[test]
    fn rules_hold_for_everything_below() {
        let mut registry = Registry::default();
        registry.plant(ValuePath::new(r"SOFTWARE\A\B", "v"), sz("x"));
        registry.deny_write(key(r"software\a"));
        let path = ValuePath::new(r"SOFTWARE\A\B", "v");
        assert_eq!(registry.value(&path), Ok(&sz("x")));
        assert_eq!(registry.set(path.clone(), sz("y")), Err(Refusal::Denied));
        assert_eq!(registry.delete_value(&path), Err(Refusal::Denied));
        assert_eq!(registry.create(&key(r"SOFTWARE\A\C")), Err(Refusal::Denied));
        registry.deny_read(key(r"SOFTWARE\A\B"));
        assert_eq!(registry.value(&path), Err(Refusal::Denied));
    }

    #[test]
    fn volatile_keys_do_not_survive_a_boot() {
        let mut registry = Registry::default();
        registry.plant_volatile(&key(r"SOFTWARE\V"));
        registry.create(&key(r"SOFTWARE\V\W")).unwrap();
        registry.boot();
        assert!(!registry.has_key(&key(r"SOFTWARE\V\W")));
        assert!(!registry.has_key(&key(r"SOFTWARE\V")));
        assert!(registry.has_key(&key("SOFTWARE")));
    }

    #[test]
    fn the_hive_itself_takes_no_new_keys() {
        assert_eq!(Registry::default().create(&key("NEW")), Err(Refusal::BadName));
        assert_eq!(Registry::default().create(&key(r"SOFTWARE\A\\B")), Err(Refusal::BadName));
    }
}
