//! What is wanted, with every default filled in. Nothing behind it looks at flags or environment.

use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;

use clap_complete::Shell;

use crate::cli::args::Args;
use crate::cli::args::ExportArgs;
use crate::cli::args::ExportVerb;
use crate::cli::args::InventoryVerb;
use crate::cli::args::LabArgs;
use crate::cli::args::LabVerb;
use crate::cli::args::LockVerb;
use crate::cli::args::ResumeArgs;
use crate::cli::args::RulesVerb;
use crate::cli::args::RunsVerb;
use crate::cli::args::Shared;
use crate::cli::args::UndoArgs;
use crate::cli::args::Verb;
use crate::cli::args::VerifyArgs;
use crate::cli::sealed;
use crate::cli::surroundings::Surroundings;
use crate::cli::terminal;
use crate::cli::usage::Format;
use crate::cli::usage::UsageError;
use crate::journal::control::Word;
use crate::manifest::inventory::BasicScope;
use crate::model::host::HostName;
use crate::model::preflight::Waiver;
use crate::report::screen::Look;

/// A command with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub output: Output,
    pub action: Action,
}

/// How to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub format: Format,
    pub look: Look,
    pub json_into: Option<PathBuf>,
    pub log_file: Option<PathBuf>,
    pub stats: bool,
    /// Every value, folded or not.
    pub full: bool,
    /// Only this host.
    pub host: Option<String>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Init { dir: PathBuf },
    InventoryList { files: Files, pattern: Option<String> },
    InventoryShow { files: Files, name: String, origin: bool },
    Lint { files: Files },
    Doctor(Box<DoctorRequest>),
    Plan(Box<PlanRequest>),
    Show { file: PathBuf },
    Approve { file: PathBuf, key: Option<PathBuf>, home: Option<PathBuf>, consent: Consent },
    Apply(Box<ApplyRequest>),
    RunsList { runs: PathBuf },
    RunsShow { runs: PathBuf, run: String },
    RunsVerify { runs: PathBuf, run: String },
    Resume(Box<ResumeRequest>),
    Undo(Box<UndoRequest>),
    Verify(Box<VerifyRequest>),
    Drift(Box<PlanRequest>),
    Export(Box<ExportRequest>),
    Tell { state: PathBuf, run: String, word: Word, by: By },
    LockList { state: PathBuf, by: By },
    LockBreak { state: PathBuf, by: By, name: String, force: Option<String> },
    RulesList { rules: Option<PathBuf> },
    RulesExplain { rules: Option<PathBuf>, id: String },
    Explain { code: String },
    LabServe(Box<ServeRequest>),
    Completions { shell: Shell },
    Man,
}

/// Which files to read. `None` is the built-in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub inventory: Source,
    pub playbook: Option<PathBuf>,
    pub rules: Option<PathBuf>,
    pub credentials: Option<PathBuf>,
    /// `--var`, in the order given: name, value.
    pub vars: Vec<(String, String)>,
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

impl Request {
    /// Flag, then environment, then default, for everything.
    pub fn resolve(args: Args, around: &Surroundings) -> Result<Self, UsageError> {
        let shared = Resolved { shared: args.shared, around };
        let action = match args.verb {
            Verb::Init { dir } => Action::Init { dir },
            Verb::Inventory(InventoryVerb::List { pattern }) => Action::InventoryList {
                files: shared.files(None)?,
                pattern: pattern.or_else(|| shared.text("limit", shared.shared.limit.as_ref())),
            },
            Verb::Inventory(InventoryVerb::Show { name, origin }) => {
                Action::InventoryShow { files: shared.files(None)?, name, origin }
            }
            Verb::Lint => Action::Lint { files: shared.files(None)? },
            Verb::Doctor(doctor) => Action::Doctor(Box::new(DoctorRequest {
                plan: shared.plan(None, &doctor.lab)?,
                host: doctor.name,
            })),
            Verb::Plan(plan) => {
                let save_facts = plan.save_facts;
                let plan = shared.plan(plan.out, &plan.lab)?;
                Action::Plan(Box::new(PlanRequest { save_facts, ..plan }))
            }
            Verb::Approve { file, key } => Action::Approve {
                file,
                key,
                home: shared.around.home(),
                consent: shared.consent()?,
            },
            Verb::Show { file } => Action::Show { file },
            Verb::Apply(apply) if apply.check => {
                Action::Plan(Box::new(shared.plan(None, &apply.lab)?))
            }
            Verb::Apply(apply) => {
                let plan = shared.plan(None, &apply.lab)?;
                if apply.file.is_some() {
                    // A limit only leaves hosts out.
                    shared.refuse_another(false)?;
                }
                Action::Apply(Box::new(ApplyRequest {
                    plan,
                    file: apply.file,
                    rehearse: apply.rehearse,
                }))
            }
            Verb::Resume(ResumeArgs { run, settle }) => {
                let plan = shared.plan(None, &LabArgs::default())?;
                shared.refuse_another(plan.limit.is_some())?;
                Action::Resume(Box::new(ResumeRequest { run, settle, plan }))
            }
            Verb::Undo(UndoArgs { run, out }) => {
                let plan = shared.plan(out, &LabArgs::default())?;
                shared.refuse_another_but_waivers(&plan)?;
                Action::Undo(Box::new(UndoRequest { run, plan }))
            }
            Verb::Verify(VerifyArgs { file, run, lab }) => {
                let plan = shared.plan(None, &lab)?;
                let wanted = match (file, run) {
                    (Some(file), _) => Wanted::File(file),
                    (None, Some(run)) => Wanted::Run(run),
                    (None, None) => Wanted::Now,
                };
                if wanted != Wanted::Now {
                    shared.refuse_another(plan.limit.is_some())?;
                }
                Action::Verify(Box::new(VerifyRequest { wanted, plan }))
            }
            Verb::Drift => Action::Drift(Box::new(shared.plan(None, &LabArgs::default())?)),
            Verb::Export(verb) => {
                let (channel, ExportArgs { file, out, lab }) = match verb {
                    ExportVerb::Reg(args) => (Channel::Reg, args),
                    ExportVerb::Gpo(args) => (Channel::Gpo, args),
                };
                let plan = shared.plan(None, &lab)?;
                if file.is_some() {
                    shared.refuse_another(plan.limit.is_some())?;
                }
                Action::Export(Box::new(ExportRequest { channel, file, out, plan }))
            }
            Verb::Pause { run } => shared.tell(run, Word::Pause)?,
            Verb::Promote { run } => shared.tell(run, Word::Promote)?,
            Verb::Abort { run } => shared.tell(run, Word::Abort)?,
            Verb::Lock(LockVerb::List) => {
                Action::LockList { state: shared.state()?, by: shared.by() }
            }
            Verb::Lock(LockVerb::Break { name, force }) => {
                Action::LockBreak { state: shared.state()?, by: shared.by(), name, force }
            }
            Verb::Runs(RunsVerb::Verify { run }) => {
                Action::RunsVerify { runs: shared.state()?, run }
            }
            Verb::Runs(RunsVerb::List) => Action::RunsList { runs: shared.state()? },
            Verb::Runs(RunsVerb::Show { run }) => Action::RunsShow { runs: shared.state()?, run },
            Verb::Rules(RulesVerb::List) => Action::RulesList { rules: shared.rules() },
            Verb::Rules(RulesVerb::Explain { id }) => {
                Action::RulesExplain { rules: shared.rules(), id }
            }
            Verb::Explain { code } => Action::Explain { code },
            Verb::Lab(LabVerb::Serve(serve)) => Action::LabServe(Box::new(ServeRequest {
                inventory: shared.lab_inventory(),
                lab: Lab { faults: serve.faults, facts: None },
                port_base: serve.port_base,
            })),
            Verb::Completions { shell } => Action::Completions { shell },
            Verb::Man => Action::Man,
        };
        Ok(Self { output: shared.output()?, action })
    }
}

/// The shared flags with the environment behind them.
struct Resolved<'a> {
    shared: Shared,
    around: &'a Surroundings,
}

impl Resolved<'_> {
    fn path(&self, flag: &str, typed: Option<&PathBuf>) -> Option<PathBuf> {
        typed.cloned().or_else(|| self.around.flag(flag).map(PathBuf::from))
    }

    fn text(&self, flag: &str, typed: Option<&String>) -> Option<String> {
        typed.cloned().or_else(|| self.around.flag(flag).map(str::to_owned))
    }

    fn rules(&self) -> Option<PathBuf> {
        self.path("rules", self.shared.rules.as_ref())
    }

    fn switch(&self, flag: &str, typed: bool) -> Result<bool, UsageError> {
        match self.around.flag(flag) {
            _ if typed => Ok(true),
            None | Some("0" | "false" | "no") => Ok(false),
            Some("1" | "true" | "yes") => Ok(true),
            Some(other) => Err(UsageError::new(
                format!("RMSFLEET_{} is `{other}`", flag.to_uppercase().replace('-', "_")),
                "write 1 or 0",
            )),
        }
    }

    fn number<N: FromStr>(&self, flag: &str, typed: Option<N>) -> Result<Option<N>, UsageError> {
        let Some(text) = self.around.flag(flag) else { return Ok(typed) };
        match (typed, text.parse()) {
            (Some(number), _) | (None, Ok(number)) => Ok(Some(number)),
            (None, Err(_)) => Err(UsageError::new(
                format!("RMSFLEET_{} is `{text}`", flag.to_uppercase().replace('-', "_")),
                "write a number",
            )),
        }
    }

    /// The lab's farm is made from `-i FILE`, and only from the flag: a variable meant for the
    /// real fleet must not change what the demonstration is.
    fn lab_inventory(&self) -> Source {
        self.shared.inventory.clone().map_or(Source::EmbeddedLab, Source::File)
    }

    fn files(&self, lab: Option<&Lab>) -> Result<Files, UsageError> {
        let inventory = if lab.is_some() {
            self.lab_inventory()
        } else {
            Source::File(
                self.path("inventory", self.shared.inventory.as_ref())
                    .unwrap_or_else(|| Path::new("inventory.yml").to_owned()),
            )
        };
        let vars = self.shared.var.iter().map(|text| {
            text.split_once('=')
                .filter(|(name, _)| !name.trim().is_empty())
                .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
                .ok_or_else(|| {
                    UsageError::new(
                        format!("--var `{text}` has no name or no `=`"),
                        "write --var name=value",
                    )
                })
        });
        Ok(Files {
            inventory,
            playbook: self.path("playbook", self.shared.playbook.as_ref()),
            rules: self.rules(),
            credentials: self.path("credentials", self.shared.credentials.as_ref()),
            vars: vars.collect::<Result<_, _>>()?,
            basic: if self.shared.danger_basic_over_http {
                BasicScope::Anywhere
            } else {
                BasicScope::Tls
            },
        })
    }

    fn state(&self) -> Result<PathBuf, UsageError> {
        self.path("run-dir", self.shared.run_dir.as_ref())
            .or_else(|| self.around.state_dir.clone())
            .ok_or_else(|| {
                UsageError::new("no folder to record runs in was found", "give --run-dir DIR")
            })
    }

    fn consent(&self) -> Result<Consent, UsageError> {
        let waive = self.shared.waive.iter().map(|text| {
            let (what, reason) = match text.split_once('=') {
                Some((what, reason)) => (what, Some(reason.trim())),
                None => (text.as_str(), None),
            };
            what.rsplit_once(':')
                .filter(|(host, id)| !host.is_empty() && !id.is_empty())
                .filter(|_| reason.is_none_or(|reason| !reason.is_empty()))
                .map(|(host, id)| Waiver {
                    host: HostName::new(host),
                    id: id.to_owned(),
                    reason: reason.map(str::to_owned),
                })
                .ok_or_else(|| {
                    UsageError::new(
                        format!("--waive `{text}` does not name a host, a blocker and a reason"),
                        "write --waive 'HOST:ID=why', as the plan prints it",
                    )
                })
        });
        let no_input = self.switch("no-input", self.shared.no_input)?;
        Ok(Consent {
            yes: self.shared.yes,
            confirm: self.shared.confirm.clone(),
            waive: waive.collect::<Result<_, _>>()?,
            waive_servers: self.shared.waive_server.clone(),
            may_ask: !no_input && self.around.stdin_is_terminal,
        })
    }

    fn plan(&self, out: Option<PathBuf>, lab: &LabArgs) -> Result<PlanRequest, UsageError> {
        let lab = lab.lab.then(|| Lab { faults: lab.faults.clone(), facts: lab.facts.clone() });
        Ok(PlanRequest {
            files: self.files(lab.as_ref())?,
            limit: self.text("limit", self.shared.limit.as_ref()),
            forks: self.number("forks", self.shared.forks)?.filter(|forks| *forks > 0),
            consent: self.consent()?,
            out,
            save_facts: None,
            detailed_exitcode: self.switch("detailed-exitcode", self.shared.detailed_exitcode)?,
            lab,
            state: self.state()?,
            by: self.by(),
        })
    }

    fn tell(&self, run: String, word: Word) -> Result<Action, UsageError> {
        Ok(Action::Tell { state: self.state()?, run, word, by: self.by() })
    }

    fn by(&self) -> By {
        By { operator: self.around.operator(), workstation: self.around.workstation() }
    }

    /// A sealed plan is carried out as it is.
    fn refuse_another(&self, limited: bool) -> Result<(), UsageError> {
        match sealed::maker_of_another(&self.shared, limited) {
            None => Ok(()),
            Some(flag) => Err(UsageError::new(
                format!("{flag} cannot change a plan that is sealed"),
                format!("make another plan with it: rmsfleet plan {flag} ... -o FILE"),
            )),
        }
    }

    /// What goes back is told by the run and by its hosts; only what stands in the way is up to a
    /// person.
    fn refuse_another_but_waivers(&self, plan: &PlanRequest) -> Result<(), UsageError> {
        let shared = Shared { waive: Vec::new(), ..self.shared.clone() };
        match sealed::maker_of_another(&shared, plan.limit.is_some()) {
            None => Ok(()),
            Some(flag) => Err(UsageError::new(
                format!("{flag} says nothing to a run that is taken back"),
                "a run goes back as a whole; what must stay is left with --waive HOST:drifted",
            )),
        }
    }

    fn output(&self) -> Result<Output, UsageError> {
        let format = terminal::format(self.shared.format, self.around)?;
        Ok(Output {
            format,
            look: terminal::look(&self.shared, format, self.around)?,
            json_into: self.path("json-into", self.shared.json_into.as_ref()),
            log_file: self.path("log-file", self.shared.log_file.as_ref()),
            stats: self.switch("stats", self.shared.stats)?,
            full: self.switch("full", self.shared.full)?,
            host: self.shared.host.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
