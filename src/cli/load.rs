//! Files to checked values: inventory, playbook, rule pack, credentials, with what they were made
//! from.

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
use crate::manifest::playbook;
use crate::manifest::rules;
use crate::manifest::source::Source;
use crate::model::conditions::Approvals;
use crate::model::plan::Input;
use crate::model::rollout::Playbook;
use crate::model::rules::RulePack;
use crate::plan::seal::sha256;

/// Everything a plan is made from, except the hosts' answers.
pub struct Loaded {
    pub inventory: Inventory,
    pub playbook: Playbook,
    pub rules: RulePack,
    /// The file's path with its content, if there is one.
    pub credentials: Option<(PathBuf, Credentials)>,
    pub inputs: Vec<Input>,
}

/// Reads and checks all files, or says everything that is wrong with the first bad one.
pub fn all(wanted: &Files, colour: bool) -> Result<Loaded, Stop> {
    let (inventory, mut inputs) = inventory(wanted, colour)?;
    let (playbook, playbook_input) = playbook(wanted.playbook.as_deref(), colour)?;
    let (rules, rules_input) = rules(wanted.rules.as_deref(), colour)?;
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
    Ok(Loaded { inventory, playbook, rules, credentials, inputs })
}

pub fn inventory(wanted: &Files, colour: bool) -> Result<(Inventory, Vec<Input>), Stop> {
    let mut sources = match &wanted.inventory {
        Wanted::EmbeddedLab => InventorySources {
            inventory: builtin::lab_inventory(),
            group_vars: Vec::new(),
            host_vars: Vec::new(),
            basic: BasicScope::Tls,
        },
        Wanted::File(path) => files::inventory(path)?,
    };
    sources.basic = wanted.basic;
    let beside = sources.group_vars.iter().chain(&sources.host_vars).map(|(_, source)| source);
    let mut inputs: Vec<Input> = std::iter::once(&sources.inventory)
        .chain(beside)
        .map(|source| files::input("inventory", &source.name, &source.text))
        .collect();
    inputs.extend(wanted.vars.iter().map(|(name, value)| files::input("var", name, value)));
    let inventory =
        inventory::parse(&sources, &wanted.vars).map_err(|wrong| complaint(&wrong, colour))?;
    Ok((inventory, inputs))
}

pub fn playbook(path: Option<&Path>, colour: bool) -> Result<(Playbook, Input), Stop> {
    let source = match path {
        None => builtin::playbook_source(),
        Some(path) => files::text("playbook", path, "without -p the built-in playbook is used")?,
    };
    let input = files::input("playbook", &source.name, &source.text);
    let mut playbook = playbook::parse(&source).map_err(|wrong| complaint(&wrong, colour))?;
    if let Some(policy) = &mut playbook.conditions.approvals {
        let folder = path.and_then(Path::parent).unwrap_or_else(|| Path::new(""));
        signers(policy, folder)?;
    }
    Ok((playbook, input))
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
