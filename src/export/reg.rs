//! `export reg`: registry files for each host, and for each role, or product, whose hosts get the
//! same.

use crate::export::file::ExportError;
use crate::export::file::File;
use crate::export::regfile::Parents;
use crate::export::regfile::encode;
use crate::export::values::Values;
use crate::export::values::alike;
use crate::export::values::before;
use crate::export::values::hosts;
use crate::export::values::in_common;
use crate::export::values::same;
use crate::export::values::wanted;
use crate::model::host::HostName;
use crate::model::plan::Plan;
use crate::model::product::Role;
use crate::model::registry::State;

/// Every file of the export: roles first, each with the one that takes it back beside it.
///
/// A file sets all that the plan wants on the host, also what stands there already, so that it may
/// be imported again and on a new server of the role. The undo file touches only what the plan
/// changes: it deletes values that were absent, and gives the others their old type and data. Keys
/// stay, with nothing in them; only a program that looks may delete a key (`rmsfleet undo` does).
pub fn files(plan: &Plan, digest: &str) -> Result<Vec<File>, ExportError> {
    let mut files = Vec::new();
    for (group, members) in alike(plan) {
        let Some(values) = same(&members, in_common) else { continue };
        let whom = format!("every {group} server of the plan ({})", members.len());
        let name = format!("roles/{group}");
        files.push(forward(plan, digest, &name, &whom, &values)?);
        if let Some(values) = same(&members, before).filter(|values| !values.is_empty()) {
            files.push(backward(plan, digest, &name, &whom, &values)?);
        }
    }
    for host in hosts(plan) {
        let name = format!("hosts/{}", file_name(&host.name));
        let role = host.role.map_or("no role", Role::id);
        let whom = format!("{} ({role})", host.name);
        files.push(forward(plan, digest, &name, &whom, &wanted(host))?);
        if !host.changes.is_empty() {
            files.push(backward(plan, digest, &name, &whom, &before(host))?);
        }
    }
    if files.is_empty() { Err(ExportError::Nothing) } else { Ok(files) }
}

fn forward(
    plan: &Plan,
    digest: &str,
    name: &str,
    whom: &str,
    values: &Values,
) -> Result<File, ExportError> {
    let comments = comments(plan, digest, whom, "Sets what the plan wants.");
    let bytes = encode(values, &comments, Parents::Named)?;
    let count = values.iter().filter(|(_, state)| *state != State::Absent).count();
    let about = format!("{count} values for {whom}");
    Ok(File { name: format!("{name}.reg"), bytes, about })
}

fn backward(
    plan: &Plan,
    digest: &str,
    name: &str,
    whom: &str,
    values: &Values,
) -> Result<File, ExportError> {
    let comments = comments(
        plan,
        digest,
        whom,
        "Takes back what the plan changes; keys that it created stay, with nothing in them.",
    );
    let bytes = encode(values, &comments, Parents::Left)?;
    let about = format!("takes {} values back", values.len());
    Ok(File { name: format!("{name}.undo.reg"), bytes, about })
}

fn comments(plan: &Plan, digest: &str, whom: &str, what: &str) -> Vec<String> {
    vec![
        format!("{} for {whom}", plan.tool),
        what.to_owned(),
        format!("plan sha256 {digest}"),
        format!("made {} from rules {}", plan.created, plan.rules),
    ]
}

/// Names of hosts may be addresses, and some file systems take no colon.
fn file_name(host: &HostName) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-._".contains(c) { c } else { '_' };
    host.as_str().chars().map(plain).collect()
}
