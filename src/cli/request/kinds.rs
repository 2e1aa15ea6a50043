//! What each family of commands is given, with every default filled in.

use std::path::PathBuf;

use crate::manifest::inventory::BasicScope;
use crate::model::preflight::Waiver;

/// Which files to read. `None` is the built-in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub inventory: Source,
    /// Whether somebody named it; if nobody did, the playbook may.
    pub is_named: bool,
    pub playbook: Option<PathBuf>,
    pub rules: Option<PathBuf>,
    pub credentials: Option<PathBuf>,
    /// `--var`, in the order given: name, value.
    pub vars: Vec<(String, String)>,
    /// `--var-file`: they stand below `--var`.
    pub var_files: Vec<PathBuf>,
    /// `--danger-basic-over-http`.
    pub basic: BasicScope,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    /// The lab's inventory, compiled in.
    EmbeddedLab,
}

/// The simulated farm instead of real hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lab {
    /// Names of faults, or `all`; `HOST:NAME` for one host.
    pub faults: Vec<String>,
    /// What real hosts said, for simulated ones to start from.
    pub facts: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRequest {
    pub files: Files,
    pub limit: Option<String>,
    pub forks: Option<u32>,
    /// `--timeout`, in seconds.
    pub timeout: Option<u32>,
    pub consent: Consent,
    pub out: Option<PathBuf>,
    /// Where to keep what the hosts said.
    pub save_facts: Option<PathBuf>,
    pub detailed_exitcode: bool,
    pub lab: Option<Lab>,
    pub state: PathBuf,
    pub by: By,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoctorRequest {
    /// One host; else all that `--limit` leaves.
    pub host: Option<String>,
    /// Files, accounts and the lab as a plan would use them.
    pub plan: PlanRequest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyRequest {
    /// A sealed plan; else one is made.
    pub file: Option<PathBuf>,
    /// Nothing is written or restarted.
    pub rehearse: bool,
    pub plan: PlanRequest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeRequest {
    pub run: String,
    /// In seconds.
    pub settle: u32,
    pub plan: PlanRequest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoRequest {
    pub run: String,
    /// Accounts, consent, waivers, and where to seal the plan.
    pub plan: PlanRequest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyRequest {
    pub wanted: Wanted,
    pub plan: PlanRequest,
}

/// Where it stands what hosts should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// In inventory, playbook and rules, as they are now.
    Now,
    /// In a sealed plan.
    File(PathBuf),
    /// In the plan of a run.
    Run(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRequest {
    pub channel: Channel,
    /// A sealed plan; else one is made.
    pub file: Option<PathBuf>,
    pub out: PathBuf,
    pub plan: PlanRequest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Reg,
    Gpo,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeRequest {
    pub inventory: Source,
    pub lab: Lab,
    pub port_base: Option<u16>,
}

/// What the user has agreed to beforehand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consent {
    pub yes: bool,
    /// Names of organisations.
    pub confirm: Vec<String>,
    /// Host, blocker id and reason; the host as it was typed.
    pub waive: Vec<Waiver>,
    pub waive_servers: Vec<String>,
    /// Whether a question may be asked: a person is there and has not said `--no-input`.
    pub may_ask: bool,
}

/// Who runs this, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    pub operator: String,
    pub workstation: String,
}
