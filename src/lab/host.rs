//! One simulated server: its state, and what it answers to a request.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::lab::act::Witness;
use crate::lab::cim::Class;
use crate::lab::cim::Row;
use crate::lab::enumeration::Enumerations;
use crate::lab::farm::FarmHost;
use crate::lab::fault::LabFault;
use crate::lab::local::Local;
use crate::lab::power::Phase;
use crate::lab::power::Power;
use crate::lab::registry::Registry;
use crate::lab::request::Request;
use crate::lab::services;
use crate::lab::services::Service;
use crate::lab::shell::Shells;
use crate::lab::stats::HostStats;
use crate::lab::strike::Line;
use crate::lab::windows::Windows;
use crate::model::host::HostName;
use crate::model::product::Product;
use crate::model::product::Role;

/// What the service allows (`winrm.md` 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request's body; more is HTTP 413.
    pub request: usize,
    pub shells_per_user: usize,
    /// Open enumerations and running commands.
    pub operations_per_user: usize,
    pub enumeration: Duration,
    /// Most items in one reply.
    pub page: usize,
    /// Larger results begin with a reply of one item, as Windows' do.
    pub first_page: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: 512_000,
            shells_per_user: 30,
            operations_per_user: 1500,
            enumeration: Duration::from_mins(4),
            page: 1000,
            first_page: 8,
        }
    }
}

/// Everything about one request that is not in its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub now: Timestamp,
    /// When the request arrived; differs from `now` while a Receive waits.
    pub arrived: Timestamp,
    /// `DOMAIN\user`, as logged on.
    pub account: String,
    /// Whether the account is a local administrator.
    pub admin: bool,
    /// The right to what is asked is denied this once.
    pub denied: bool,
    /// Whether it came to `/PowerShell`, where IIS answers instead of the service.
    pub exchange_path: bool,
    /// Drawn anew for every call: for the reply's message id, and for what the call creates.
    pub fresh: [Uuid; 2],
}

impl Call {
    pub fn message_id(&self) -> String {
        format!("uuid:{}", self.fresh[0].to_string().to_uppercase())
    }
}

/// What comes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Reply {
        status: u16,
        envelope: String,
    },
    /// The host goes down before it can answer.
    Lost,
    /// Nothing to say yet: ask again when something happens, and at the latest then.
    Wait(Timestamp),
}

pub struct LabHost {
    pub name: HostName,
    pub computer: String,
    pub domain: Option<String>,
    pub role: Role,
    pub product: Product,
    pub windows: Windows,
    pub registry: Registry,
    pub power: Power,
    pub services: Vec<Service>,
    pub local: Local,
    pub limits: Limits,
    pub stats: HostStats,
    /// Its messages, and which of them are struck.
    pub line: Line,
    pub witness: Witness,
    pub enumerations: Enumerations,
    pub shells: Shells,
    /// What the page of a connector says to those who have logged on.
    pub tenant_page: Option<String>,
    /// Classification rules and file management jobs.
    pub file_objects: Vec<(Class, Row)>,
    /// Folders whose content a client may list and remove, by path in lower case.
    pub folders: BTreeMap<String, Vec<String>>,
}

impl LabHost {
    pub fn new(host: FarmHost, power: Power, shells: Shells) -> Self {
        Self {
            tenant_page: host.tenant_page,
            folders: host.folders,
            file_objects: Vec::new(),
            services: services::for_role(host.role)
                .into_iter()
                .filter(|service| !host.lacks.contains(&service.name))
                .collect(),
            local: host.local,
            name: host.name,
            computer: host.computer,
            domain: host.domain,
            role: host.role,
            product: host.product,
            windows: Windows::under(host.product),
            registry: host.registry,
            power,
            limits: Limits::default(),
            stats: HostStats::default(),
            line: Line { messages: 0, blow: host.blow },
            witness: Witness::default(),
            enumerations: Enumerations::default(),
            shells,
        }
    }

    /// The host's phase now. A reboot whose time has come is completed first: what is volatile,
    /// open shells and enumerations are gone then.
    pub fn look(&mut self, now: Timestamp) -> Phase {
        if self.power.settle(now) {
            self.stats.reboots += 1;
            self.registry.boot();
            self.enumerations = Enumerations::default();
            self.shells.clear();
            self.services = services::for_role(self.role);
        }
        let phase = self.power.phase(now);
        self.shells.set_up(matches!(phase, Phase::Up | Phase::Pending));
        phase
    }

    /// Counts and answers one request; asked again for the same one while a Receive waits.
    pub fn answer(&mut self, request: &mut Request, call: &Call) -> Outcome {
        let first = call.now == call.arrived;
        if first {
            self.stats.requests += 1;
        }
        let answered = request.judge().and_then(|()| crate::lab::wsman::route(self, request, call));
        let outcome = match answered {
            Ok(outcome) => outcome,
            Err(fault) => self.fault(&fault, request, call),
        };
        match outcome {
            Outcome::Reply { envelope, .. } if envelope.len() > request.max_envelope => {
                self.fault(&crate::lab::wsman::too_large(), request, call)
            }
            other => other,
        }
    }

    fn fault(&mut self, fault: &LabFault, request: &Request, call: &Call) -> Outcome {
        self.stats.faults += 1;
        let envelope = fault.envelope(&self.computer, &call.message_id(), &request.message_id);
        Outcome::Reply { status: 500, envelope }
    }
}
