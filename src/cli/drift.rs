//! `drift`: what has changed on hosts since our runs wrote to them. Reads only.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::cli::console::Console;
use crate::cli::load;
use crate::cli::recorded::BrokenPlan;
use crate::cli::recorded::recorded;
use crate::cli::request::PlanRequest;
use crate::cli::request::Source;
use crate::cli::reread::reread;
use crate::cli::stop::Stop;
use crate::cli::verify::tell;
use crate::error::Exit;
use crate::model::host::HostName;
use crate::model::plan::Plan;
use crate::plan::compare;
use crate::plan::compare::Expected;
use crate::plan::desired::desired;

pub fn run(request: &PlanRequest, console: &mut Console) -> Result<Exit, Stop> {
    let runtime = crate::cli::runtime()?;
    let done = runtime.block_on(drift(request, console));
    runtime.shutdown_background();
    done
}

async fn drift(request: &PlanRequest, console: &mut Console) -> Result<Exit, Stop> {
    let Some((plan, mut expected)) =
        recorded(&request.state, BrokenPlan::Stops, console)?.into_expected()
    else {
        console.did("Unchanged", "no recorded run has written anything: nothing to compare")?;
        return Ok(Exit::Ok);
    };
    forms(&plan, &mut expected, request, console)?;
    let mut probes = compare::probes(&expected);
    compare::ask(&plan, &mut probes);
    let read = reread(&plan, &probes, BTreeSet::new(), request, console).await?;
    let hosts = compare::compare(&expected, &read.survey);
    let steps = compare::steps(&plan, &read.survey, true);
    tell("drift", &plan, hosts, &steps, request, console)
}

/// Other forms that the rule pack knows, where there is an inventory to render them with.
fn forms(
    plan: &Plan,
    expected: &mut BTreeMap<HostName, Vec<Expected>>,
    request: &PlanRequest,
    console: &mut Console,
) -> Result<(), Stop> {
    let Source::File(path) = &request.files.inventory else { return Ok(()) };
    if !path.exists() {
        let text =
            format!("without `{}` other forms of a value are not told apart", path.display());
        return console.did("Note", &text);
    }
    let loaded = load::all(&request.files, console.style().colour)?;
    for (name, values) in expected {
        let host = loaded.inventory.hosts.iter().find(|host| host.name == *name);
        let product = plan.hosts.get(name).and_then(|planned| planned.product);
        let (Some(host), Some(product)) = (host, product) else { continue };
        // What does not render now has no forms to be told apart either.
        let wanted = desired(host, product, &loaded.rules).unwrap_or_default();
        for value in values {
            let of = wanted.iter().find(|wanted| wanted.path == value.path);
            value.forms = of.map(|wanted| wanted.variants.clone()).unwrap_or_default();
        }
    }
    Ok(())
}
