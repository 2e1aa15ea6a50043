//! `lint`: everything that can be found wrong without contacting anything.

use std::collections::BTreeMap;

use crate::cli::absent;
use crate::cli::again;
use crate::cli::console::Console;
use crate::cli::inventory;
use crate::cli::load;
use crate::cli::load::Loaded;
use crate::cli::request::Files;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::host::link::Clock;
use crate::host::support::unsupported;
use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::diagnostic::Severity;
use crate::manifest::inventory::Inventory;
use crate::manifest::pattern;
use crate::manifest::playbook::places::Places;
use crate::manifest::source::Span;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::product::Role;
use crate::model::rollout::StageWork;
use crate::net::clock::SystemClock;
use crate::plan::fits;
use crate::plan::fits::Finding;
use crate::plan::fits::Place;
use crate::plan::fold::compress;
use crate::report::plural;
use crate::report::style::Tint;

/// Invalid files are exit 65; files that are valid each and do not fit together are exit 7.
pub fn run(files: &Files, console: &mut Console) -> Result<Exit, Stop> {
    let colour = console.style().colour;
    let loaded = load::all(files, colour)?;
    inventory::warn(&loaded.inventory, console)?;
    let hosts = &loaded.inventory.hosts;
    let mut said = loaded.inventory.warnings.texts();
    let places = Places::new(&loaded.playbook_text, &mut said);
    patterns(&loaded, &places, &mut said);
    if !said.has_errors() {
        let names = |text: &str| {
            if pattern::is_surveyed(text) {
                None
            } else {
                pattern::select_for_stage(text, hosts).ok()
            }
        };
        let mut found = fits::findings(&loaded.playbook, hosts, &names, SystemClock.now());
        found.extend(absent::of_playbook(&loaded.playbook));
        // The built-in playbook is made to fit every inventory.
        let is_ours = files.playbook.is_none();
        for finding in found.into_iter().filter(|finding| finding.is_error || !is_ours) {
            said.push(diagnostic(finding, &loaded.inventory, &places));
        }
    }
    if !said.is_empty() {
        console.say(&format!("{}\n", said.render(colour)))?;
    }
    unreachable(hosts, console)?;
    let in_scope = hosts.iter().filter(|host| host.in_scope()).count();
    let connectors = hosts.iter().filter(|host| host.role == Some(Role::Connector)).count();
    let verb = console.style().paint(Tint::Good, &format!("{:>12}", "Checked"));
    console.say(&format!(
        "{verb}  {}, {in_scope} in scope, {}; playbook {}; rules {} {}",
        plural::count(hosts.len(), "host"),
        plural::count(connectors, "connector node"),
        loaded.playbook.name,
        loaded.rules.id,
        loaded.rules.version,
    ))?;
    let exit = if said.has_errors() { Exit::Blocked } else { Exit::Ok };
    let findings: Vec<serde_json::Value> = said.items().iter().map(document).collect();
    let body = serde_json::json!({
        "hosts": hosts.len(), "in_scope": in_scope, "findings": findings, "exit": exit.code(),
    });
    console.document("lint", "static checks", body)?;
    if exit == Exit::Ok {
        console.next(&format!("rmsfleet plan{}", again::files(files)))?;
    }
    Ok(exit)
}

/// Host patterns of stages with a part that matches nothing.
fn patterns(loaded: &Loaded, places: &Places, said: &mut Diagnostics) {
    for (place, stage) in loaded.playbook.stages.iter().enumerate() {
        let StageWork::Hosts { pattern, .. } = &stage.work else { continue };
        if let Err(error) = pattern::select_for_stage(pattern, &loaded.inventory.hosts) {
            let path = ["stages".to_owned(), place.to_string(), "hosts".to_owned()];
            let help = error.help();
            said.push(
                Diagnostic::error(places.find(&path), format!("stage `{}`: {error}", stage.name))
                    .help(help.unwrap_or_else(|| {
                        "rmsfleet inventory list shows hosts and groups".to_owned()
                    })),
            );
        }
    }
}

fn diagnostic(finding: Finding, inventory: &Inventory, places: &Places) -> Diagnostic {
    let span = match &finding.place {
        Place::Playbook(path) => places.find(path),
        Place::Host(host, key) => {
            let origin = inventory.origins(host).iter().find(|origin| origin.key == *key);
            origin.map_or_else(Span::default, |origin| origin.span)
        }
    };
    let said = if finding.is_error {
        Diagnostic::error(span, finding.text)
    } else {
        Diagnostic::warning(span, finding.text)
    };
    said.help(finding.hint)
}

fn document(said: &Diagnostic) -> serde_json::Value {
    serde_json::json!({
        "severity": match said.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "file": said.source, "line": said.line, "column": said.column,
        "message": said.message, "hint": said.help,
    })
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
