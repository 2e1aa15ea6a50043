//! `lint`: everything that can be found wrong without contacting anything.

use std::collections::BTreeMap;

use crate::cli::again;
use crate::cli::console::Console;
use crate::cli::inventory;
use crate::cli::load;
use crate::cli::request::Files;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::host::support::unsupported;
use crate::manifest::pattern;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::product::Role;
use crate::model::rollout::StageWork;
use crate::plan::fold::compress;
use crate::report::plural;
use crate::report::style::Tint;

/// Invalid files are exit 65; files that are valid each and do not fit together are exit 7.
pub fn run(files: &Files, console: &mut Console) -> Result<Exit, Stop> {
    let loaded = load::all(files, console.style().colour)?;
    inventory::warn(&loaded.inventory, console)?;
    let style = console.style();
    let hosts = &loaded.inventory.hosts;
    let mut findings = Vec::new();
    let mut taken = Vec::new();
    for stage in &loaded.playbook.stages {
        match &stage.work {
            StageWork::Step(_) => {}
            StageWork::Hosts { pattern, .. } => match pattern::select_for_stage(pattern, hosts) {
                Ok(names) => taken.extend(names),
                Err(error) => findings.push(format!("stage `{}`: {error}", stage.name)),
            },
        }
    }
    let idle = hosts.iter().filter(|host| host.in_scope() && !taken.contains(&host.name));
    let idle: Vec<&str> = idle.map(|host| host.name.as_str()).collect();
    if !idle.is_empty() {
        findings.push(format!("no stage of the playbook takes {}", plural::list(&idle, 5)));
    }
    for finding in &findings {
        console.say(&format!("{} {finding}", style.paint(Tint::Bad, "error:")))?;
    }
    unreachable(hosts, console)?;
    let in_scope = hosts.iter().filter(|host| host.in_scope()).count();
    let connectors = hosts.iter().filter(|host| host.role == Some(Role::Connector)).count();
    let verb = style.paint(Tint::Good, &format!("{:>12}", "Checked"));
    console.say(&format!(
        "{verb}  {}, {in_scope} in scope, {}; playbook {}; rules {} {}",
        plural::count(hosts.len(), "host"),
        plural::count(connectors, "connector node"),
        loaded.playbook.name,
        loaded.rules.id,
        loaded.rules.version,
    ))?;
    let exit = if findings.is_empty() { Exit::Ok } else { Exit::Blocked };
    let body = serde_json::json!({
        "hosts": hosts.len(), "in_scope": in_scope, "findings": findings, "exit": exit.code(),
    });
    console.document("lint", "static checks", body)?;
    if findings.is_empty() {
        console.next(&format!("rmsfleet plan{}", again::files(files)))?;
    }
    Ok(exit)
}

/// Hosts that `plan` will refuse to connect to, told before anybody is asked for a password.
fn unreachable(hosts: &[Host], console: &mut Console) -> Result<(), Stop> {
    let mut refused: BTreeMap<String, Vec<HostName>> = BTreeMap::new();
    for host in hosts.iter().filter(|host| host.role.is_some()) {
        if let Some(why) = unsupported(&host.endpoint) {
            refused.entry(why).or_default().push(host.name.clone());
        }
    }
    let word = console.style().paint(Tint::Change, "warning:");
    for (why, hosts) in refused {
        let number = plural::count(hosts.len(), "host");
        console.say(&format!("{word} {number} ({}): {why}", compress(&hosts)))?;
    }
    Ok(())
}
