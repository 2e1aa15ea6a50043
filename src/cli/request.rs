//! What is wanted, with every default filled in. Nothing behind it looks at flags or environment.

mod kinds;
mod resolved;

use std::path::PathBuf;

use clap_complete::Shell;

use crate::cli::args::Args;
use crate::cli::args::ConfigVerb;
use crate::cli::args::ExportArgs;
use crate::cli::args::ExportVerb;
use crate::cli::args::InventoryVerb;
use crate::cli::args::LabArgs;
use crate::cli::args::LabVerb;
use crate::cli::args::LockVerb;
use crate::cli::args::ResumeArgs;
use crate::cli::args::RulesVerb;
use crate::cli::args::RunsVerb;
use crate::cli::args::SchemaName;
use crate::cli::args::UndoArgs;
use crate::cli::args::Verb;
use crate::cli::args::VerifyArgs;
use crate::cli::config::Setting;
use crate::cli::explain_host::From;
use crate::cli::listed;
pub use crate::cli::request::kinds::ApplyRequest;
pub use crate::cli::request::kinds::By;
pub use crate::cli::request::kinds::Channel;
pub use crate::cli::request::kinds::Consent;
pub use crate::cli::request::kinds::DoctorRequest;
pub use crate::cli::request::kinds::ExportRequest;
pub use crate::cli::request::kinds::Files;
pub use crate::cli::request::kinds::Lab;
pub use crate::cli::request::kinds::PlanRequest;
pub use crate::cli::request::kinds::ResumeRequest;
pub use crate::cli::request::kinds::ServeRequest;
pub use crate::cli::request::kinds::Source;
pub use crate::cli::request::kinds::UndoRequest;
pub use crate::cli::request::kinds::VerifyRequest;
pub use crate::cli::request::kinds::Wanted;
use crate::cli::request::resolved::Resolved;
use crate::cli::surroundings::Surroundings;
use crate::cli::usage::Format;
use crate::cli::usage::UsageError;
use crate::journal::control::Word;
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
    /// `--run-dir`, if it was typed.
    pub run_dir: Option<PathBuf>,
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
    InventoryGraph { files: Files },
    InventoryVerify(Box<PlanRequest>),
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
    Explain { files: Files, what: String, from: From },
    Status { state: PathBuf, run: String, by: By },
    Watch { state: PathBuf, run: String, by: By },
    Schema { name: SchemaName },
    ConfigShow { settings: Vec<Setting>, origin: bool },
    LabServe(Box<ServeRequest>),
    Completions { shell: Shell },
    Man,
}

impl Request {
    /// Flag, then environment, then default, for everything.
    pub fn resolve(args: Args, around: &Surroundings) -> Result<Self, UsageError> {
        let shared = Resolved { shared: args.shared, around };
        let action = match args.verb {
            Verb::Init { dir } => Action::Init { dir },
            Verb::Inventory(InventoryVerb::List { pattern }) => Action::InventoryList {
                files: shared.files(None)?,
                pattern: match pattern {
                    Some(pattern) => Some(listed::expand(&pattern)?),
                    None => shared.limit()?,
                },
            },
            Verb::Inventory(InventoryVerb::Graph) => {
                Action::InventoryGraph { files: shared.files(None)? }
            }
            Verb::Inventory(InventoryVerb::Verify(lab)) => {
                Action::InventoryVerify(Box::new(shared.plan(None, &lab)?))
            }
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
            Verb::Drift => {
                let plan = shared.plan(None, &LabArgs::default())?;
                if plan.limit.is_some() {
                    return Err(UsageError::new(
                        "--limit says nothing to drift: it reads every host that a run has written",
                        "show one of them with --host NAME",
                    ));
                }
                Action::Drift(Box::new(plan))
            }
            Verb::Export(verb) => {
                let (channel, ExportArgs { file, out, lab }) = match verb {
                    ExportVerb::Reg(args) => (Channel::Reg, args),
                    ExportVerb::Gpo(args) => (Channel::Gpo, args),
                };
                let plan = shared.plan(None, &lab)?;
                if shared.shared.host.is_some() {
                    return Err(UsageError::new(
                        "--host says nothing to export: it writes the files of every host",
                        "make them of a plan for one host: rmsfleet plan --limit NAME -o FILE",
                    ));
                }
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
            Verb::Explain(explain) => Action::Explain {
                files: shared.files(None)?,
                from: match (explain.plan, explain.run) {
                    (Some(path), _) => From::Plan(path),
                    (None, Some(run)) => From::Run { state: shared.state()?, run },
                    (None, None) => From::Files,
                },
                what: explain.what,
            },
            Verb::Status { run } => Action::Status { state: shared.state()?, run, by: shared.by() },
            Verb::Watch { run } => Action::Watch { state: shared.state()?, run, by: shared.by() },
            Verb::Schema { name } => Action::Schema { name },
            Verb::Config(ConfigVerb::Show { origin }) => {
                Action::ConfigShow { settings: shared.settings(), origin }
            }
            Verb::Lab(LabVerb::Serve(serve)) => Action::LabServe(Box::new(ServeRequest {
                inventory: shared.lab_inventory(),
                lab: Lab { faults: serve.faults, facts: None },
                port_base: serve.port_base,
            })),
            Verb::Completions { shell } => Action::Completions { shell },
            Verb::Man => Action::Man,
        };
        let output = shared.output()?;
        let is_shown = matches!(action, Action::Show { .. } | Action::RunsShow { .. });
        if matches!(output.format, Format::Markdown | Format::Html) && !is_shown {
            return Err(UsageError::new(
                "only `show` and `runs show` write that format",
                "seal a plan with -o FILE, then: rmsfleet show FILE --format html",
            ));
        }
        Ok(Self { output, action })
    }
}

#[cfg(test)]
mod tests;
