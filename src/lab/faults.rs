//! `--faults`: what breaks on demand.

use std::collections::BTreeSet;

use crate::lab::farm::FarmHost;
use crate::lab::furnish::sz;
use crate::lab::power::Manner;
use crate::lab::strike::Blow;
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
    /// One file server waits for a restart already.
    PendingReboot,
    /// Nobody answers one file server's requests to the connector.
    ConnectorSilent,
    /// One SharePoint server does not trust the connector's certificate.
    ConnectorUntrusted,
    /// A Group Policy writes one file server's values.
    PolicyConflict,
    /// One SharePoint server has the RMS client of 2013.
    OldClient,
    /// One file server lacks the File Server Resource Manager.
    NoResourceManager,
    /// One Exchange server has Office installed.
    OfficeInstalled,
    /// One file server's clock is ten minutes late.
    ClockSkew,
    /// One connector node refuses a server and has trouble.
    ConnectorTrouble,
    /// One connector node tells another tenant than the inventory.
    ConnectorOtherTenant,
}

/// What is to go wrong on a farm; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultSet {
    /// Each on a host that it fits.
    somewhere: BTreeSet<Fault>,
    /// On the host of this full or short name.
    on: Vec<(String, Fault)>,
    /// Messages of the host of this full or short name.
    blows: Vec<(String, Blow)>,
}

impl Fault {
    pub const ALL: [Self; 14] = [
        Self::AccessDenied,
        Self::StaleHost,
        Self::RebootHangs,
        Self::RebootStuck,
        Self::PendingReboot,
        Self::ConnectorSilent,
        Self::ConnectorUntrusted,
        Self::PolicyConflict,
        Self::OldClient,
        Self::NoResourceManager,
        Self::OfficeInstalled,
        Self::ClockSkew,
        Self::ConnectorTrouble,
        Self::ConnectorOtherTenant,
    ];

    /// The word of the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::AccessDenied => "access-denied",
            Self::StaleHost => "stale-host",
            Self::RebootHangs => "reboot-hangs",
            Self::RebootStuck => "reboot-stuck",
            Self::PendingReboot => "pending-reboot",
            Self::ConnectorSilent => "connector-silent",
            Self::ConnectorUntrusted => "connector-untrusted",
            Self::PolicyConflict => "policy-conflict",
            Self::OldClient => "old-client",
            Self::NoResourceManager => "no-resource-manager",
            Self::OfficeInstalled => "office-installed",
            Self::ClockSkew => "clock-skew",
            Self::ConnectorTrouble => "connector-trouble",
            Self::ConnectorOtherTenant => "connector-other-tenant",
        }
    }

    /// Whose hosts it breaks.
    fn role(self) -> Role {
        match self {
            Self::AccessDenied | Self::ConnectorUntrusted | Self::OldClient => Role::Sharepoint,
            Self::OfficeInstalled => Role::Exchange,
            Self::ConnectorTrouble | Self::ConnectorOtherTenant => Role::Connector,
            Self::StaleHost
            | Self::RebootHangs
            | Self::RebootStuck
            | Self::PendingReboot
            | Self::ConnectorSilent
            | Self::PolicyConflict
            | Self::NoResourceManager
            | Self::ClockSkew => Role::Fci,
        }
    }

    /// What a survey finds on the host: nothing fails, the evidence is bad.
    fn tell(self, host: &mut FarmHost) {
        let local = &mut host.local;
        match self {
            Self::PendingReboot => host.registry.plant_key(&KeyPath::new(
                r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending",
            )),
            Self::ConnectorSilent => {
                local.web_trouble = Some("Unable to connect to the remote server");
            }
            Self::ConnectorUntrusted => {
                local.web_trouble = Some(
                    "The underlying connection was closed: Could not establish trust relationship \
                     for the SSL/TLS secure channel.",
                );
            }
            Self::PolicyConflict => local.policies.push((
                "AAD RM Connector activation settings for FCI2012",
                r"Software\Microsoft\MSDRM\ServiceLocation\Activation".to_owned(),
                "(default)".to_owned(),
            )),
            Self::OldClient => sz(
                &mut host.registry,
                r"SOFTWARE\Microsoft\MSIPC\CurrentVersion",
                "",
                "1.0.622.34",
            ),
            Self::OfficeInstalled => host.registry.plant_key(&KeyPath::new(
                r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\{90160000-0011-0000-1000-0000000FF1CE}",
            )),
            Self::ClockSkew => local.clock_offset = -600,
            Self::ConnectorTrouble => local.events.extend([
                (2001, 20, r"The account CORP\FS99$ is not allowed to connect.".to_owned()),
                (3000, 9, "The response from the service was empty.".to_owned()),
            ]),
            Self::ConnectorOtherTenant => {
                let other = "https://00000000-1038-4eec-863d-49bded473437.rms.na.aadrm.com";
                host.tenant_page = Some(other.to_owned());
            }
            Self::AccessDenied
            | Self::StaleHost
            | Self::RebootHangs
            | Self::RebootStuck
            | Self::NoResourceManager => {}
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
            Self::NoResourceManager => host.lacks = vec!["SrmSvc", "SrmReports"],
            Self::PendingReboot
            | Self::ConnectorSilent
            | Self::ConnectorUntrusted
            | Self::PolicyConflict
            | Self::OldClient
            | Self::OfficeInstalled
            | Self::ClockSkew
            | Self::ConnectorTrouble
            | Self::ConnectorOtherTenant => self.tell(host),
        }
    }
}

impl FromIterator<Fault> for FaultSet {
    fn from_iter<T: IntoIterator<Item = Fault>>(faults: T) -> Self {
        Self { somewhere: faults.into_iter().collect(), ..Self::default() }
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

    /// Also strikes messages of this one host.
    pub fn strike(&mut self, host: &str, blow: Blow) {
        self.blows.push((host.to_owned(), blow));
    }

    /// Breaks the hosts. Each fault takes the last host that it fits and that is still whole, so
    /// that canaries, which come first, stay whole.
    pub fn apply(&self, hosts: &mut [FarmHost]) {
        let is = |host: &FarmHost, name: &str| {
            host.name.as_str().eq_ignore_ascii_case(name)
                || host.name.short().eq_ignore_ascii_case(name)
        };
        for (name, blow) in &self.blows {
            if let Some(host) = hosts.iter_mut().find(|host| is(host, name)) {
                host.blow = Some(*blow);
            }
        }
        let mut broken = BTreeSet::new();
        for (name, fault) in &self.on {
            if let Some(host) = hosts.iter_mut().find(|host| is(host, name)) {
                broken.insert(host.name.clone());
                fault.strike(host);
            }
        }
        for fault in &self.somewhere {
            let role = fault.role();
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
