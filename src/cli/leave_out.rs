//! `--limit` beside a sealed plan: hosts may be left out, and nothing else can be changed by it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::cli::console::Console;
use crate::cli::inventory;
use crate::cli::load;
use crate::cli::request::Files;
use crate::cli::request::PlanRequest;
use crate::cli::request::Source;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::event::Event;
use crate::model::host::HostName;
use crate::model::plan::Plan;
use crate::report::plural;

/// The hosts with work that the limit leaves out, and what the journal is told of it.
///
/// Groups are looked up in the inventory that the plan was made from. Whatever it has become, the
/// run can only do less for it.
pub fn left_out(
    plan: &Plan,
    request: &PlanRequest,
    console: &mut Console,
) -> Result<(BTreeSet<HostName>, Option<Event>), Stop> {
    let Some(limit) = &request.limit else { return Ok((BTreeSet::new(), None)) };
    let then = plan.inputs.iter().find(|input| input.what == "inventory");
    let then = then.map(|input| PathBuf::from(&input.name)).filter(|path| path.exists());
    let inventory = match (&request.files.inventory, then) {
        (Source::File(_), Some(then)) => Source::File(then),
        (source, _) => source.clone(),
    };
    let files = Files { inventory, ..request.files.clone() };
    let (inventory, _) = load::inventory(&files, console.style().colour)?;
    let within: BTreeSet<HostName> =
        inventory::select(&inventory, Some(limit))?.unwrap_or_default().into_iter().collect();
    let busy = plan.hosts.values().filter(|host| host.has_work());
    let (kept, out): (Vec<&HostName>, Vec<&HostName>) =
        busy.map(|host| &host.name).partition(|name| within.contains(*name));
    if kept.is_empty() {
        let text = format!("--limit {limit} leaves no host of the plan that has work");
        return Err(Stop::new(Exit::NoMatch, text).hint("rmsfleet show FILE lists them"));
    }
    if out.is_empty() {
        return Ok((BTreeSet::new(), None));
    }
    let names: Vec<&str> = out.iter().map(|name| name.short()).collect();
    let text = format!(
        "{} of the plan by --limit {limit}: {}; an organisation step that needs one of them is held",
        plural::count(out.len(), "host"),
        plural::list(&names, 8)
    );
    console.did("Leaving out", &text)?;
    let hosts: Vec<HostName> = out.into_iter().cloned().collect();
    let event = Event::HostsLeftOut { limit: limit.clone(), hosts: hosts.clone() };
    Ok((hosts.into_iter().collect(), Some(event)))
}
