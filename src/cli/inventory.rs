//! `inventory list` and `inventory show`: what the inventory says, without contacting anything.

use crate::cli::console::Console;
use crate::cli::load;
use crate::cli::prepare::prepare;
use crate::cli::request::Files;
use crate::cli::request::PlanRequest;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::manifest::inventory::Inventory;
use crate::manifest::pattern;
use crate::manifest::pattern::PatternError;
use crate::manifest::suggest::did_you_mean;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::preflight::Status;
use crate::report;
use crate::report::inventory::Variable;

pub fn list(files: &Files, wanted: Option<&str>, console: &mut Console) -> Result<Exit, Stop> {
    let (inventory, _) = load::inventory(files, console.style().colour)?;
    let names = select(&inventory, wanted)?;
    let hosts: Vec<&Host> = inventory
        .hosts
        .iter()
        .filter(|host| names.as_ref().is_none_or(|names| names.contains(&host.name)))
        .collect();
    warn(&inventory, console)?;
    console.say(&report::inventory::table(&hosts, console.style()))?;
    let body = serde_json::json!({ "hosts": hosts });
    console.document("inventory", "hosts of the inventory", body)?;
    Ok(Exit::Ok)
}

/// The groups with their hosts.
pub fn graph(files: &Files, console: &mut Console) -> Result<Exit, Stop> {
    let (inventory, _) = load::inventory(files, console.style().colour)?;
    warn(&inventory, console)?;
    console.say(report::graph::graph(&inventory, console.style()).trim_end())?;
    let groups: serde_json::Map<String, serde_json::Value> = inventory
        .groups
        .iter()
        .map(|(name, group)| {
            let body = serde_json::json!({ "children": group.children, "hosts": group.hosts });
            (name.clone(), body)
        })
        .collect();
    console.document(
        "groups",
        "groups of the inventory",
        serde_json::json!({ "groups": groups }),
    )?;
    Ok(Exit::Ok)
}

/// What the hosts say of the other members of their organisation, DAG or cluster. Exit 7 where the
/// inventory lacks one, 6 where nothing could be read.
pub fn verify(request: &PlanRequest, console: &mut Console) -> Result<Exit, Stop> {
    let runtime = crate::cli::runtime()?;
    let done = runtime.block_on(compare(request, console));
    runtime.shutdown_background();
    done
}

async fn compare(request: &PlanRequest, console: &mut Console) -> Result<Exit, Stop> {
    let plan = prepare(request, console).await?.plan;
    let findings = report::members::of(&plan);
    let look = console.output.look;
    console.say(report::members::render(&findings, look.style, look.columns).trim_end())?;
    let body = serde_json::json!({ "findings": findings });
    console.document("members", "members that the hosts name", body)?;
    let any = |status: Status| findings.iter().any(|found| found.finding.status == status);
    Ok(if any(Status::Block) || any(Status::Warn) {
        Exit::Blocked
    } else if !any(Status::Ok) {
        Exit::Unreachable
    } else {
        Exit::Ok
    })
}

/// The host of that name, or one that was meant.
pub fn find<'i>(inventory: &'i Inventory, name: &str) -> Result<&'i Host, Stop> {
    inventory.host(name).ok_or_else(|| {
        let known = inventory.hosts.iter().flat_map(|host| [host.name.as_str(), host.name.short()]);
        let hint = did_you_mean(name, known)
            .unwrap_or_else(|| "rmsfleet inventory list shows them all".to_owned());
        Stop::new(Exit::NoMatch, format!("the inventory has no host `{name}`")).hint(hint)
    })
}

pub fn show(files: &Files, name: &str, origin: bool, console: &mut Console) -> Result<Exit, Stop> {
    let (inventory, _) = load::inventory(files, console.style().colour)?;
    let host = find(&inventory, name)?;
    let variables: Vec<Variable<'_>> = inventory
        .origins(&host.name)
        .iter()
        .map(|found| Variable {
            key: &found.key,
            value: &found.value,
            place: format!("{}:{}", found.source, found.line),
            level: &found.level,
        })
        .collect();
    let text = if origin {
        report::inventory::origins(&variables, console.style())
    } else {
        report::inventory::host(host, console.style())
    };
    console.say(&text)?;
    let rows: Vec<_> = variables
        .iter()
        .map(|found| {
            serde_json::json!({
                "key": found.key, "value": found.value, "place": found.place, "level": found.level,
            })
        })
        .collect();
    let body = serde_json::json!({ "host": host, "variables": rows });
    console.document("host", "one host of the inventory", body)?;
    Ok(Exit::Ok)
}

/// The hosts of a pattern; `None` is no pattern. A pattern that matches nothing is exit 69.
pub fn select(inventory: &Inventory, wanted: Option<&str>) -> Result<Option<Vec<HostName>>, Stop> {
    wanted
        .map(|wanted| {
            pattern::select(wanted, &inventory.hosts).map_err(|error| {
                let exit = match error {
                    PatternError::Unknown { .. }
                    | PatternError::Empty { .. }
                    | PatternError::Nothing(_) => Exit::NoMatch,
                    PatternError::Blank
                    | PatternError::Long
                    | PatternError::Unread { .. }
                    | PatternError::Unsupported { .. } => Exit::Usage,
                };
                let stop = Stop::because(exit, &error);
                match error.help() {
                    Some(help) => stop.hint(help),
                    None => stop.hint("rmsfleet inventory list shows hosts and groups"),
                }
            })
        })
        .transpose()
}

/// What is strange in the inventory and not wrong, for people.
pub fn warn(inventory: &Inventory, console: &mut Console) -> Result<(), Stop> {
    let colour = console.style().colour;
    if inventory.warnings.is_empty() {
        return Ok(());
    }
    console.say(&format!("{}\n", inventory.warnings.render(colour)))
}
