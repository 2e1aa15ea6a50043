//! `--faults`: what breaks on demand.

use std::collections::BTreeSet;

use crate::lab::farm::FarmHost;
use crate::lab::power::Manner;
use crate::model::product::Role;
use crate::model::registry::KeyPath;

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Writing to one SharePoint server's MSIPC key is denied.
    AccessDenied,
    /// One file server's name leads to another computer.
    StaleHost,
    /// One file server goes down for its restart and does not come back.
    RebootHangs,
    /// One file server takes the order to restart and stays up.
    RebootStuck,
}

/// What is to go wrong on a farm; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultSet {
    /// Each on a host that it fits.
    somewhere: BTreeSet<Fault>,
    /// On the host of this full or short name.
    on: Vec<(String, Fault)>,
}

impl Fault {
    pub const ALL: [Self; 4] =
        [Self::AccessDenied, Self::StaleHost, Self::RebootHangs, Self::RebootStuck];

    /// The word of the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::AccessDenied => "access-denied",
            Self::StaleHost => "stale-host",
            Self::RebootHangs => "reboot-hangs",
            Self::RebootStuck => "reboot-stuck",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        let id = match id {
            "write-denied" => "access-denied",
            "no-answer-after-reboot" => "reboot-hangs",
            id => id,
        };
        Self::ALL.into_iter().find(|fault| fault.id() == id)
    }

    fn strike(self, host: &mut FarmHost) {
        match self {
            Self::AccessDenied => {
                host.registry.deny_write(KeyPath::new(r"SOFTWARE\Microsoft\MSIPC"));
                if host.role == Role::Fci {
                    host.registry.deny_write(KeyPath::new(r"SOFTWARE\Microsoft\MSDRM"));
                }
            }
            Self::StaleHost => "OLDFILER".clone_into(&mut host.computer),
            Self::RebootHangs => host.manner = Manner::Hangs,
            Self::RebootStuck => host.manner = Manner::Stuck,
        }
    }
}

impl FromIterator<Fault> for FaultSet {
    fn from_iter<T: IntoIterator<Item = Fault>>(faults: T) -> Self {
        Self { somewhere: faults.into_iter().collect(), on: Vec::new() }
    }
}

impl FaultSet {
    /// What `--faults` without names breaks: one of each that a fleet meets in practice.
    pub fn usual() -> Self {
        [Fault::AccessDenied, Fault::StaleHost, Fault::RebootHangs].into_iter().collect()
    }

    /// Also breaks this one host.
    pub fn on(&mut self, host: &str, fault: Fault) {
        self.on.push((host.to_owned(), fault));
    }

    /// Breaks the hosts. Each fault takes the last host that it fits and that is still whole, so
    /// that canaries, which come first, stay whole.
    pub fn apply(&self, hosts: &mut [FarmHost]) {
        let mut broken = BTreeSet::new();
        for (name, fault) in &self.on {
            let named = |host: &&mut FarmHost| {
                host.name.as_str().eq_ignore_ascii_case(name)
                    || host.name.short().eq_ignore_ascii_case(name)
            };
            if let Some(host) = hosts.iter_mut().find(named) {
                broken.insert(host.name.clone());
                fault.strike(host);
            }
        }
        for fault in &self.somewhere {
            let role = match fault {
                Fault::AccessDenied => Role::Sharepoint,
                Fault::StaleHost | Fault::RebootHangs | Fault::RebootStuck => Role::Fci,
            };
            let mut fitting = hosts.iter_mut().rev().filter(|host| host.role == role);
            let Some(host) = fitting.find(|host| !broken.contains(&host.name)) else { continue };
            broken.insert(host.name.clone());
            fault.strike(host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::tour;

    #[test]
    fn each_fault_takes_a_host_of_its_own() {
        let mut hosts = tour::hosts();
        FaultSet::usual().apply(&mut hosts);
        let name = |fits: &dyn Fn(&FarmHost) -> bool| {
            let found: Vec<_> = hosts.iter().filter(|host| fits(host)).collect();
            assert_eq!(found.len(), 1);
            found[0].name.short().to_owned()
        };
        let key = KeyPath::new(r"SOFTWARE\Microsoft\MSIPC\ServiceLocation");
        assert_eq!(name(&|host| !host.registry.may_write(&key)), "SPWFE02");
        assert_eq!(name(&|host| host.computer == "OLDFILER"), "FS03");
        assert_eq!(name(&|host| host.manner == Manner::Hangs), "FS02");
    }

    #[test]
    fn a_word_names_a_fault() {
        for fault in Fault::ALL {
            assert_eq!(Fault::parse(fault.id()), Some(fault));
        }
        assert_eq!(Fault::parse("nope"), None);
    }
}
