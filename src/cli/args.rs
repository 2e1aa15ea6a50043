//! What was typed, word for word. Defaults and the environment are `cli::request`'s business.

use std::path::PathBuf;

use clap::ArgAction;
use clap::Args as ClapArgs;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use clap_complete::Shell;

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
    /// Let Basic pass over http, where everybody on the way reads the password: test networks only
    #[arg(long, global = true, help_heading = "Files")]
    pub danger_basic_over_http: bool,
    /// Where runs are recorded [default: the user's state folder]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Files")]
    pub run_dir: Option<PathBuf>,

    /// Only hosts that match: names, groups, `a:b`, `!not`, `&and`, `*`
    #[arg(short, long, global = true, value_name = "PATTERN", help_heading = "Hosts")]
    pub limit: Option<String>,
    /// Hosts in flight at once [default: the playbook's limit]
    #[arg(short, long, global = true, value_name = "N", help_heading = "Hosts",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub forks: Option<u32>,
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
    /// Look at past runs
    #[command(subcommand, arg_required_else_help = true)]
    Runs(RunsVerb),
    /// Who works on which organisation, farm and cluster
    #[command(subcommand, arg_required_else_help = true)]
    Lock(LockVerb),
    /// Look at the rule pack: which values, for which product, from which source
    #[command(subcommand, arg_required_else_help = true)]
    Rules(RulesVerb),
    /// Explain a WS-Management or Windows error code
    #[command(after_help = help::EXPLAIN)]
    Explain {
        /// Decimal or hexadecimal: 2150858793, 0x80338029, 5
        #[arg(value_name = "CODE")]
        code: String,
    },
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

#[derive(Debug, Clone, Subcommand)]
pub enum InventoryVerb {
    /// List hosts with role, product and groups
    List {
        /// As in `--limit`
        #[arg(value_name = "PATTERN")]
        pattern: Option<String>,
    },
    /// Show one host with all its settings
    Show {
        /// Its full or short name
        #[arg(value_name = "HOST")]
        name: String,
        /// Also show file, line and level of every variable
        #[arg(long)]
        origin: bool,
    },
}

#[derive(Debug, Clone, ClapArgs)]
pub struct DoctorArgs {
    /// One host; without it every host that has a role
    #[arg(value_name = "HOST", conflicts_with = "limit")]
    pub name: Option<String>,
    #[command(flatten)]
    pub lab: LabArgs,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct PlanArgs {
    /// Seal the plan into this file
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Also save what the hosts said, for `--lab --facts FILE`; no secret is in it
    #[arg(long, value_name = "FILE")]
    pub save_facts: Option<PathBuf>,
    #[command(flatten)]
    pub lab: LabArgs,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct ApplyArgs {
    /// A sealed plan from `plan -o`; without it a plan is made, shown and asked about
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Plan only, write nothing
    #[arg(short = 'n', long, visible_aliases = ["noop", "what-if"], conflicts_with = "file")]
    pub check: bool,
    /// Everything but writes and restarts: read, compare, look at gates; uses no plan up
    #[arg(long, conflicts_with = "check")]
    pub rehearse: bool,
    #[command(flatten)]
    pub lab: LabArgs,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct ResumeArgs {
    /// Its id or the beginning of it
    #[arg(value_name = "RUN")]
    pub run: String,
    /// How long a restart order that nobody saw the end of is given to begin
    #[arg(long, value_name = "SECONDS", default_value_t = 300,
          value_parser = clap::value_parser!(u32).range(1..=86400))]
    pub settle: u32,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct UndoArgs {
    /// Its id or the beginning of it
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Seal the undo plan into this file and write nothing
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct VerifyArgs {
    /// A sealed plan; without it inventory and playbook say what is wanted
    #[arg(value_name = "FILE", conflicts_with = "run")]
    pub file: Option<PathBuf>,
    /// What the plan of this run wants: its id, the beginning of it, or `latest`
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    #[command(flatten)]
    pub lab: LabArgs,
}

#[derive(Debug, Clone, Subcommand)]
pub enum ExportVerb {
    /// Registry files for each host and role, and those that take them back
    #[command(after_help = help::EXPORT_REG)]
    Reg(ExportArgs),
    /// A script that creates Group Policy objects, one that undoes it, and the values as a list
    #[command(after_help = help::EXPORT_GPO)]
    Gpo(ExportArgs),
}

#[derive(Debug, Clone, ClapArgs)]
pub struct ExportArgs {
    /// A sealed plan; without it the hosts are read and a plan is made
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Where to: a folder that is empty or not there yet
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub lab: LabArgs,
}

#[derive(Debug, Clone, Subcommand)]
pub enum LockVerb {
    /// List locks with owner, host, process and last sign of life
    List,
    /// Remove a lock that has expired; with `--force NAME` one that has not
    Break {
        /// As `lock list` shows it
        #[arg(value_name = "NAME")]
        name: String,
        /// The same name again: the lock's process may still be at work
        #[arg(long, value_name = "NAME")]
        force: Option<String>,
    },
}

/// The simulated farm instead of the real hosts.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct LabArgs {
    /// Run against a simulated farm in this process; asks nothing
    #[arg(long)]
    pub lab: bool,
    /// Make the simulated hosts from what real ones said: a file of `plan --save-facts`
    #[arg(long, requires = "lab", value_name = "FILE")]
    pub facts: Option<PathBuf>,
    /// Break the farm on purpose; without names, everything at once
    #[arg(long, requires = "lab", value_name = "NAMES", num_args = 0..=1,
          default_missing_value = "all", value_delimiter = ',')]
    pub faults: Vec<String>,
}

#[derive(Debug, Clone, Subcommand)]
pub enum RunsVerb {
    /// List recorded runs, newest first
    List,
    /// Check that no line of a run's journal was changed, removed or added
    Verify {
        /// Its id or the beginning of it
        #[arg(value_name = "RUN")]
        run: String,
    },
    /// Show one run, event by event
    Show {
        /// Its id or the beginning of it
        #[arg(value_name = "RUN")]
        run: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub enum RulesVerb {
    /// List every rule with its products
    List,
    /// Explain one rule: value, source, confidence, known foreign variants
    Explain {
        /// As `rules list` shows it
        #[arg(value_name = "ID")]
        id: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub enum LabVerb {
    /// Keep the farm up for other clients until a signal comes
    #[command(after_help = help::LAB_SERVE)]
    Serve(ServeArgs),
}

#[derive(Debug, Clone, ClapArgs)]
pub struct ServeArgs {
    /// Break the farm on purpose; without names, everything at once
    #[arg(long, value_name = "NAMES", num_args = 0..=1,
          default_missing_value = "all", value_delimiter = ',')]
    pub faults: Vec<String>,
    /// The first host listens here, the others on the ports after it [default: free ports]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port_base: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    Human,
    Json,
    Jsonl,
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
