//! What was typed, word for word. Defaults and the environment are `cli::request`'s business.

mod verbs;

use std::path::PathBuf;

use clap::ArgAction;
use clap::Args as ClapArgs;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use clap_complete::Shell;

pub use crate::cli::args::verbs::ApplyArgs;
pub use crate::cli::args::verbs::ConfigVerb;
pub use crate::cli::args::verbs::DoctorArgs;
pub use crate::cli::args::verbs::ExplainArgs;
pub use crate::cli::args::verbs::ExportArgs;
pub use crate::cli::args::verbs::ExportVerb;
pub use crate::cli::args::verbs::InventoryVerb;
pub use crate::cli::args::verbs::LabArgs;
pub use crate::cli::args::verbs::LabVerb;
pub use crate::cli::args::verbs::LockVerb;
pub use crate::cli::args::verbs::PlanArgs;
pub use crate::cli::args::verbs::ResumeArgs;
pub use crate::cli::args::verbs::RulesVerb;
pub use crate::cli::args::verbs::RunsVerb;
pub use crate::cli::args::verbs::SchemaName;
pub use crate::cli::args::verbs::ServeArgs;
pub use crate::cli::args::verbs::UndoArgs;
pub use crate::cli::args::verbs::VerifyArgs;
use crate::cli::help;

/// Roll the Microsoft RMS connector configuration out to Exchange, SharePoint and file servers.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "rmsfleet",
    version,
    about,
    long_about = help::ABOUT,
    after_help = help::EXAMPLES,
    after_long_help = help::EXAMPLES_LONG,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Args {
    #[command(flatten)]
    pub shared: Shared,
    #[command(subcommand)]
    pub verb: Verb,
}

/// The same everywhere, before or after the verb.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Shared {
    /// Ansible YAML inventory [default: inventory.yml]
    #[arg(short, long, global = true, value_name = "FILE", help_heading = "Files")]
    pub inventory: Option<PathBuf>,
    /// Stages, batches, limits, restarts [default: the built-in playbook]
    #[arg(short, long, global = true, value_name = "FILE", help_heading = "Files")]
    pub playbook: Option<PathBuf>,
    /// Names and providers of credentials [default: credentials.yml beside the inventory]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Files")]
    pub credentials: Option<PathBuf>,
    /// Rule pack [default: the built-in one]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Files")]
    pub rules: Option<PathBuf>,
    /// Set an inventory variable for every host; beats the inventory. Repeatable
    #[arg(long, global = true, value_name = "NAME=VALUE", help_heading = "Files")]
    pub var: Vec<String>,
    /// Variables for every host from a YAML file; beat the inventory, and --var beats them. Repeatable
    #[arg(long, global = true, value_name = "FILE", help_heading = "Files")]
    pub var_file: Vec<PathBuf>,
    /// Let Basic pass over http, where everybody on the way reads the password: test networks only
    #[arg(long, global = true, help_heading = "Files")]
    pub danger_basic_over_http: bool,
    /// Where runs are recorded [default: the user's state folder]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Files")]
    pub run_dir: Option<PathBuf>,

    /// Only hosts that match: names, groups, `a:b`, `!not`, `&and`, `*`; `@FILE` or `-` for a list
    #[arg(short, long, global = true, value_name = "PATTERN", help_heading = "Hosts")]
    pub limit: Option<String>,
    /// Hosts in flight at once [default: the playbook's limit]
    #[arg(short, long, global = true, value_name = "N", help_heading = "Hosts",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub forks: Option<u32>,
    /// How long a host may take to answer one operation, whatever the inventory says: 90s, 2m
    #[arg(long, global = true, value_name = "TIME", help_heading = "Hosts")]
    pub timeout: Option<String>,
    /// Bear one blocker of one host, by name, and say why; both stand in the plan. Repeatable
    #[arg(long, global = true, value_name = "HOST:ID=REASON", help_heading = "Consent")]
    pub waive: Vec<String>,
    /// Let the organisation step go without this Exchange server. Repeatable
    #[arg(long, global = true, value_name = "NAME", help_heading = "Consent")]
    pub waive_server: Vec<String>,
    /// Answer yes to the question before writing; never enough for an organisation step
    #[arg(short, long, global = true, help_heading = "Consent")]
    pub yes: bool,
    /// Allow the organisation step of the organisation with this name. Repeatable
    #[arg(long, global = true, value_name = "NAME", help_heading = "Consent")]
    pub confirm: Vec<String>,
    /// Never ask: fail instead of prompting
    #[arg(long, global = true, help_heading = "Consent")]
    pub no_input: bool,

    /// For people, or for programs
    #[arg(long, global = true, value_enum, help_heading = "Output")]
    pub format: Option<FormatArg>,
    /// Also write JSON lines to this file
    #[arg(long, global = true, value_name = "FILE", help_heading = "Output")]
    pub json_into: Option<PathBuf>,
    /// Show every value, folded or not
    #[arg(long, global = true, help_heading = "Output")]
    pub full: bool,
    /// Show this host only
    #[arg(long, global = true, value_name = "HOST", help_heading = "Output")]
    pub host: Option<String>,
    /// Print requests, bytes and time per phase and host
    #[arg(long, global = true, help_heading = "Output")]
    pub stats: bool,
    #[arg(long, global = true, value_enum, help_heading = "Output")]
    /// Colours [default: auto]
    pub color: Option<ColorArg>,
    /// How to show what goes on [default: auto]
    #[arg(long, global = true, value_enum, help_heading = "Output")]
    pub progress: Option<ProgressArg>,
    /// Only problems and the result
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
    /// More detail; twice for more still
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
    /// Write a technical log to this file
    #[arg(long, global = true, value_name = "FILE", help_heading = "Output")]
    pub log_file: Option<PathBuf>,
    /// Exit 2 when differences were found
    #[arg(long, global = true, help_heading = "Output")]
    pub detailed_exitcode: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Verb {
    /// Write a commented starter inventory, playbook and credentials file
    #[command(after_help = help::INIT)]
    Init {
        /// Where to
        #[arg(default_value = ".", value_name = "DIR")]
        dir: PathBuf,
    },
    /// Look at the inventory: hosts, variables and where they come from
    #[command(subcommand, arg_required_else_help = true)]
    Inventory(InventoryVerb),
    /// Check inventory, playbook, credentials and rules without contacting anything
    #[command(after_help = help::LINT)]
    Lint,
    /// Find out what stands between here and a host: name, network, logon, rights, Exchange
    #[command(after_help = help::DOCTOR)]
    Doctor(DoctorArgs),
    /// Read every host, compare, show what would change; never writes
    #[command(after_help = help::PLAN)]
    Plan(PlanArgs),
    /// Show a sealed plan again; works on plans of any age
    #[command(after_help = help::SHOW)]
    Show {
        /// A file from `plan -o`
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Sign a sealed plan, so that it may be applied: one detached SSH signature beside it
    #[command(after_help = help::APPROVE)]
    Approve {
        /// A file from `plan -o`
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Your private key; a .pub file uses the agent or a security key [default: ~/.ssh/id_*]
        #[arg(long, value_name = "KEY")]
        key: Option<PathBuf>,
    },
    /// Carry a plan out: a sealed one, or plan, show, ask, apply
    #[command(after_help = help::APPLY)]
    Apply(ApplyArgs),
    /// Go on with a run that died, was stopped or paused: hosts are read first
    #[command(after_help = help::RESUME)]
    Resume(ResumeArgs),
    /// Take a run back: what it wrote and the hosts still hold, organisation steps first
    #[command(after_help = help::UNDO)]
    Undo(UndoArgs),
    /// Say for every host whether it holds what a plan wants, whoever brought it there; never writes
    #[command(after_help = help::VERIFY)]
    Verify(VerifyArgs),
    /// Say what has changed on the hosts since runs wrote to them, and how; never writes
    #[command(after_help = help::DRIFT)]
    Drift,
    /// Turn a plan into files for other channels
    #[command(subcommand, arg_required_else_help = true)]
    Export(ExportVerb),
    /// Let a run that another terminal works on finish what is in flight, and pause
    Pause {
        /// Its id or the beginning of it
        #[arg(value_name = "RUN")]
        run: String,
    },
    /// Say go to the approval that a run waits for
    Promote {
        /// Its id or the beginning of it
        #[arg(value_name = "RUN")]
        run: String,
    },
    /// Let a run finish what is in flight, and end
    Abort {
        /// Its id or the beginning of it
        #[arg(value_name = "RUN")]
        run: String,
    },
    /// Say where a run stands: hosts, what is next, what is owed; exits with the run's own code
    #[command(after_help = help::STATUS)]
    Status {
        /// Its id or the beginning of it
        #[arg(value_name = "RUN", default_value = "latest")]
        run: String,
    },
    /// Follow a run that another terminal works on, until it ends
    Watch {
        /// Its id or the beginning of it
        #[arg(value_name = "RUN", default_value = "latest")]
        run: String,
    },
    /// Look at past runs
    #[command(subcommand, arg_required_else_help = true)]
    Runs(RunsVerb),
    /// Who works on which organisation, farm and cluster
    #[command(subcommand, arg_required_else_help = true)]
    Lock(LockVerb),
    /// Look at the rule pack: which values, for which product, from which source
    #[command(subcommand, arg_required_else_help = true)]
    Rules(RulesVerb),
    /// Explain why a host is where it is in the rollout, or a WS-Management or Windows error code
    #[command(after_help = help::EXPLAIN)]
    Explain(ExplainArgs),
    /// Print the JSON schema of a file or of the events, for editors and programs
    Schema {
        #[arg(value_enum)]
        name: SchemaName,
    },
    /// Look at the settings that hold here
    #[command(subcommand, arg_required_else_help = true)]
    Config(ConfigVerb),
    /// The simulated farm
    #[command(subcommand, arg_required_else_help = true)]
    Lab(LabVerb),
    /// Print shell completions
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    Human,
    Json,
    Jsonl,
    /// Markdown for a ticket; `show` only
    Md,
    /// One self-contained page; `show` only
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressArg {
    Auto,
    Panel,
    Lines,
    None,
}
