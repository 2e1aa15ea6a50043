//! Files to checked values: inventory, playbook, rule pack, credentials, with what they were made
//! from.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use crate::cli::approve::parse_signers;
use crate::cli::files;
use crate::cli::request::Files;
use crate::cli::request::Source as Wanted;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::manifest::builtin;
use crate::manifest::credentials;
use crate::manifest::credentials::Credentials;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::inventory;
use crate::manifest::inventory::BasicScope;
use crate::manifest::inventory::Inventory;
use crate::manifest::inventory::InventorySources;
use crate::manifest::pattern;
use crate::manifest::playbook;
use crate::manifest::rules;
use crate::manifest::source::Source;
use crate::model::conditions::Approvals;
use crate::model::host::HostName;
use crate::model::plan::Input;
use crate::model::rollout::Playbook;
use crate::model::rollout::StageWork;
use crate::model::rules::RulePack;
use crate::plan::seal::sha256;

/// Everything a plan is made from, except the hosts' answers.
pub struct Loaded {
    pub inventory: Inventory,
    pub playbook: Playbook,
    /// The playbook's text, for findings that point into it.
    pub playbook_text: Source,
    pub rules: RulePack,
    /// The file's path with its content, if there is one.
    pub credentials: Option<(PathBuf, Credentials)>,
    pub inputs: Vec<Input>,
}

/// Reads and checks all files, or says everything that is wrong with the first bad one.
pub fn all(wanted: &Files, colour: bool) -> Result<Loaded, Stop> {
    let (playbook, playbook_text) = playbook(wanted.playbook.as_deref(), colour)?;
    let playbook_input = files::input("playbook", &playbook_text.name, &playbook_text.text);
    let wanted = &named_by(&playbook, wanted);
    let sources = sources(wanted)?;
    let (mut inventory, mut inputs) = parsed(&sources, wanted, colour)?;
    stage_vars(&mut inventory, &sources, &playbook, wanted, colour)?;
    per_host(&mut inventory, &playbook);
    let (rules, rules_input) = rules(wanted.rules.as_deref(), colour)?;
    fitting(&playbook, &rules, wanted.rules.is_some())?;
    inputs.extend([playbook_input, rules_input]);
    let credentials = match credentials_path(wanted) {
        None => None,
        Some(path) => {
            let source = credentials_text(&path)?;
            inputs.push(files::input("credentials", &source.name, &source.text));
            let read = credentials::parse(&source).map_err(|wrong| complaint(&wrong, colour))?;
            inventory.check_credentials(&read).map_err(|wrong| complaint(&wrong, colour))?;
            Some((path, read))
        }
    };
    Ok(Loaded { inventory, playbook, playbook_text, rules, credentials, inputs })
}

/// The inventory alone, where a playbook that is named may say which.
pub fn inventory(wanted: &Files, colour: bool) -> Result<(Inventory, Vec<Input>), Stop> {
    let named = match &wanted.playbook {
        Some(path) => named_by(&playbook(Some(path), colour)?.0, wanted),
        None => wanted.clone(),
    };
    parsed(&sources(&named)?, &named, colour)
}

/// The files with those that only the playbook names; they are seen from its folder.
fn named_by(playbook: &Playbook, wanted: &Files) -> Files {
    let mut named = wanted.clone();
    let folder = wanted.playbook.as_deref().and_then(Path::parent).unwrap_or_else(|| Path::new(""));
    if let (Wanted::File(_), false, Some(path)) =
        (&wanted.inventory, wanted.is_named, &playbook.inventory)
    {
        named.inventory = Wanted::File(folder.join(path));
    }
    if let (None, Wanted::File(_), Some(path)) =
        (&wanted.credentials, &wanted.inventory, &playbook.credentials)
    {
        named.credentials = Some(folder.join(path));
    }
    named
}

fn sources(wanted: &Files) -> Result<InventorySources, Stop> {
    let mut sources = match &wanted.inventory {
        Wanted::EmbeddedLab => InventorySources {
            inventory: builtin::lab_inventory(),
            group_vars: Vec::new(),
            host_vars: Vec::new(),
            var_files: Vec::new(),
            basic: BasicScope::Tls,
        },
        Wanted::File(path) => files::inventory(path)?,
    };
    sources.basic = wanted.basic;
    for path in &wanted.var_files {
        sources.var_files.push(files::text("variables", path, "check --var-file FILE")?);
    }
    Ok(sources)
}

fn parsed(
    sources: &InventorySources,
    wanted: &Files,
    colour: bool,
) -> Result<(Inventory, Vec<Input>), Stop> {
    let beside = sources.group_vars.iter().chain(&sources.host_vars).map(|(_, source)| source);
    let mut inputs: Vec<Input> = std::iter::once(&sources.inventory)
        .chain(beside)
        .chain(&sources.var_files)
        .map(|source| files::input("inventory", &source.name, &source.text))
        .collect();
    inputs.extend(wanted.vars.iter().map(|(name, value)| files::input("var", name, value)));
    let inventory =
        inventory::parse(sources, &wanted.vars).map_err(|wrong| complaint(&wrong, colour))?;
    Ok((inventory, inputs))
}

/// Reads the hosts of a stage that has `vars` once more with these, below `--var`.
fn stage_vars(
    inventory: &mut Inventory,
    sources: &InventorySources,
    playbook: &Playbook,
    wanted: &Files,
    colour: bool,
) -> Result<(), Stop> {
    let before = inventory.hosts.clone();
    let mut taken: BTreeSet<HostName> = BTreeSet::new();
    for stage in &playbook.stages {
        let StageWork::Hosts { pattern, .. } = &stage.work else { continue };
        if !stage.vars.is_empty() && pattern::is_surveyed(pattern) {
            let text = format!(
                "stage `{}` sets `vars` for hosts that are known only after they were read",
                stage.name
            );
            return Err(Stop::new(Exit::Data, text)
                .hint("name the hosts by what the inventory says, or set the variables there"));
        }
        // One that names nothing is told by lint and by the plan.
        let names = pattern::select_for_stage(pattern, &before).unwrap_or_default();
        let own: BTreeSet<HostName> =
            names.into_iter().filter(|name| taken.insert(name.clone())).collect();
        if stage.vars.is_empty() {
            continue;
        }
        let vars: Vec<(String, String)> = stage.vars.iter().chain(&wanted.vars).cloned().collect();
        let read = inventory::parse(sources, &vars).map_err(|wrong| complaint(&wrong, colour))?;
        for (host, read) in inventory.hosts.iter_mut().zip(read.hosts) {
            if own.contains(&host.name) {
                *host = read;
            }
        }
    }
    Ok(())
}

/// `limits.per_host` holds where the inventory says nothing.
fn per_host(inventory: &mut Inventory, playbook: &Playbook) {
    let says = |inventory: &Inventory, name: &HostName, end: &str| {
        let mut origins = inventory.origins(name).iter();
        origins.any(|origin| origin.key.starts_with("ansible_") && origin.key.contains(end))
    };
    let names: Vec<HostName> = inventory.hosts.iter().map(|host| host.name.clone()).collect();
    for name in names {
        let connect = says(inventory, &name, "_connection_timeout");
        let operation = says(inventory, &name, "_operation_timeout");
        let Some(host) = inventory.hosts.iter_mut().find(|host| host.name == name) else {
            continue;
        };
        if let (Some(seconds), false) = (playbook.per_host.connect_timeout, connect) {
            host.connect_timeout = seconds;
        }
        if let (Some(seconds), false) = (playbook.per_host.operation_timeout, operation) {
            host.operation_timeout = seconds;
        }
    }
}

/// A playbook that names its rule pack gets that one, or nothing.
fn fitting(playbook: &Playbook, rules: &RulePack, is_file: bool) -> Result<(), Stop> {
    let Some(asked) = &playbook.rules else { return Ok(()) };
    let there = format!("{}/{}", if is_file { &rules.id } else { "builtin" }, rules.version);
    if *asked == there {
        return Ok(());
    }
    let text =
        format!("playbook `{}` asks for rules `{asked}`, and these are `{there}`", playbook.name);
    Err(Stop::new(Exit::Data, text).hint(format!(
        "give the pack with --rules FILE, or read what `rmsfleet rules list` shows and write `rules: {there}`"
    )))
}

pub fn playbook(path: Option<&Path>, colour: bool) -> Result<(Playbook, Source), Stop> {
    let source = match path {
        None => builtin::playbook_source(),
        Some(path) => files::text("playbook", path, "without -p the built-in playbook is used")?,
    };
    let mut playbook = playbook::parse(&source).map_err(|wrong| complaint(&wrong, colour))?;
    if let Some(policy) = &mut playbook.conditions.approvals {
        let folder = path.and_then(Path::parent).unwrap_or_else(|| Path::new(""));
        signers(policy, folder)?;
    }
    Ok((playbook, source))
}

/// The allowed signers of a policy stand beside its playbook; their digest is sealed.
fn signers(policy: &mut Approvals, folder: &Path) -> Result<(), Stop> {
    let path = folder.join(&policy.signers);
    let bytes = std::fs::read(&path).map_err(|error| {
        Stop::because(Exit::Data, &error)
            .while_doing(format!("the allowed signers `{}` cannot be read", path.display()))
            .hint("in the playbook: change: { approvals: { signers: FILE } }")
    })?;
    let people = parse_signers(&bytes, &path)?.people();
    if people < usize::try_from(policy.required).unwrap_or(usize::MAX) {
        let text = format!(
            "{} approvals are required, and `{}` has {people} people",
            policy.required,
            path.display()
        );
        return Err(Stop::new(Exit::Data, text));
    }
    policy.allowed_signers = sha256(&bytes);
    policy.signers = path.display().to_string();
    Ok(())
}

pub fn rules(path: Option<&Path>, colour: bool) -> Result<(RulePack, Input), Stop> {
    let source = match path {
        None => builtin::rules_source(),
        Some(path) => {
            files::text("rule pack", path, "without --rules the built-in rule pack is used")?
        }
    };
    let input = files::input("rules", &source.name, &source.text);
    let rules = rules::parse(&source).map_err(|wrong| complaint(&wrong, colour))?;
    Ok((rules, input))
}

/// `--credentials FILE`, else `credentials.yml` beside the inventory if it is there.
fn credentials_path(wanted: &Files) -> Option<PathBuf> {
    match (&wanted.credentials, &wanted.inventory) {
        (Some(path), _) => Some(path.clone()),
        (None, Wanted::EmbeddedLab) => None,
        (None, Wanted::File(inventory)) => {
            let beside = inventory.parent().unwrap_or_else(|| Path::new(""));
            Some(beside.join("credentials.yml")).filter(|path| path.exists())
        }
    }
}

fn credentials_text(path: &Path) -> Result<Source, Stop> {
    files::text("credentials", path, "check --credentials FILE")
}

/// One credentials file.
pub fn credentials(path: PathBuf, colour: bool) -> Result<(PathBuf, Credentials), Stop> {
    let source = credentials_text(&path)?;
    let read = credentials::parse(&source).map_err(|wrong| complaint(&wrong, colour))?;
    Ok((path, read))
}

/// Every complaint with its line and caret, as one stop.
fn complaint(wrong: &Diagnostics, colour: bool) -> Stop {
    let errors = wrong.errors().count();
    let noun = if errors == 1 { "error" } else { "errors" };
    Stop::new(Exit::Data, format!("{errors} {noun}, nothing was contacted"))
        .report(wrong.render(colour))
}
