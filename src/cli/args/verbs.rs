//! What the commands take beside the flags that are the same everywhere.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::Subcommand;
use clap::ValueEnum;

use crate::cli::help;

#[derive(Debug, Clone, Subcommand)]
pub enum InventoryVerb {
    /// List hosts with role, product and groups
    List {
        /// As in `--limit`
        #[arg(value_name = "PATTERN")]
        pattern: Option<String>,
    },
    /// Draw the groups with their hosts as a tree
    Graph,
    /// Ask the hosts for the other members of their organisation, DAG or cluster, and name those
    /// that the inventory does not have; never writes
    Verify(LabArgs),
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
    /// Break the farm on purpose; without names, everything at once. NAME, HOST:NAME, or
    /// HOST:STRIKE@N for message N to a host, counted from 0
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
    /// Break the farm on purpose; without names, everything at once. NAME, HOST:NAME, or
    /// HOST:STRIKE@N for message N to a host, counted from 0
    #[arg(long, value_name = "NAMES", num_args = 0..=1,
          default_missing_value = "all", value_delimiter = ',')]
    pub faults: Vec<String>,
    /// The first host listens here, the others on the ports after it [default: free ports]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port_base: Option<u16>,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct ExplainArgs {
    /// A host's name, or a code: 2150858793, 0x80338029, -2144108503, a name, http-500
    #[arg(value_name = "HOST|CODE", allow_negative_numbers = true)]
    pub what: String,
    /// What this sealed plan says of the host
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    pub plan: Option<PathBuf>,
    /// How far this run has come with the host: its id, the beginning of it, or `latest`
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
}

#[derive(Debug, Clone, Subcommand)]
pub enum ConfigVerb {
    /// Print every setting that holds; with `--origin` also where it comes from
    Show {
        /// Also show the flag, variable or file and line of every setting
        #[arg(long)]
        origin: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaName {
    Inventory,
    Playbook,
    Credentials,
    /// One line of `--format jsonl`, `--json-into` or a journal
    Events,
}
