//! The cmdlets of a failover cluster, and of a host without users, after their documentation; nobody has recorded them.

use crate::lab::availability::Availability;
use crate::lab::cmdlet::CmdletFailure;
use crate::lab::cmdlet::CmdletOutput;
use crate::lab::cmdlet::Parameters;
use crate::lab::maintenance::object;
use crate::lab::maintenance::text;
use crate::wire::psrp::object::PsObject;

pub const CMDLETS: [&str; 4] =
    ["Get-ClusterNode", "Suspend-ClusterNode", "Resume-ClusterNode", "Get-ClusterGroup"];

/// Runs one of them on a host; `None` if it is none.
pub fn run(
    farm: &mut Availability,
    computer: &str,
    name: &str,
    parameters: &Parameters,
) -> Option<Result<CmdletOutput, CmdletFailure>> {
    if name.eq_ignore_ascii_case("Get-SmbOpenFile") {
        // Nobody works here.
        return Some(Ok(CmdletOutput::default()));
    }
    let known = CMDLETS.into_iter().find(|own| own.eq_ignore_ascii_case(name))?;
    let cluster = farm.servers.get(computer).and_then(|server| server.cluster.clone());
    let Some(cluster) = cluster else {
        return Some(Err(CmdletFailure::new(
            "The cluster service is not running.",
            format!("ClusterCmdletException,{known}"),
        )));
    };
    let given = parameters.get("Name").or_else(|| parameters.positional.first());
    let given = given.and_then(PsObject::text);
    Some(match known {
        "Get-ClusterNode" => nodes(farm, &cluster, given.as_deref()),
        "Get-ClusterGroup" => Ok(groups(farm, &cluster)),
        "Suspend-ClusterNode" => {
            let node = given.unwrap_or_else(|| computer.to_owned());
            suspend(farm, &cluster, &node, parameters)
        }
        _ => {
            let node = given.unwrap_or_else(|| computer.to_owned());
            resume(farm, &cluster, &node, parameters)
        }
    })
}

fn nodes(
    farm: &Availability,
    cluster: &str,
    wanted: Option<&str>,
) -> Result<CmdletOutput, CmdletFailure> {
    let Some(own) = farm.clusters.get(cluster) else { return Ok(CmdletOutput::default()) };
    let hit = |node: &&String| wanted.is_none_or(|name| name.eq_ignore_ascii_case(node));
    let row = |node: &String| {
        let up = farm.servers.get(node).is_some_and(|server| server.up);
        let paused = own.paused.contains(node);
        let state = match (up, paused) {
            (false, _) => "Down",
            (true, true) => "Paused",
            (true, false) => "Up",
        };
        let drained = paused && own.drained.contains_key(node);
        object(
            "Microsoft.FailoverClusters.PowerShell.ClusterNode",
            &[
                ("Name", text(node)),
                ("Cluster", text(cluster)),
                ("State", text(state)),
                ("DrainStatus", text(if drained { "Completed" } else { "NotInitiated" })),
                ("NodeWeight", PsObject::Int(1)),
                ("DynamicWeight", PsObject::Int(i64::from(up))),
            ],
        )
    };
    let output: Vec<PsObject> = own.nodes.iter().filter(hit).map(row).collect();
    if output.is_empty() {
        let text = format!("The cluster node '{}' was not found.", wanted.unwrap_or_default());
        return Err(CmdletFailure::new(text, "ClusterObjectNotFoundException,Get-ClusterNode"));
    }
    Ok(CmdletOutput { output, ..CmdletOutput::default() })
}

fn groups(farm: &Availability, cluster: &str) -> CmdletOutput {
    let Some(own) = farm.clusters.get(cluster) else { return CmdletOutput::default() };
    let row = |(group, owner): (&String, &String)| {
        object(
            "Microsoft.FailoverClusters.PowerShell.ClusterGroup",
            &[("Name", text(group)), ("OwnerNode", text(owner)), ("State", text("Online"))],
        )
    };
    CmdletOutput { output: own.groups.iter().map(row).collect(), ..CmdletOutput::default() }
}

fn suspend(
    farm: &mut Availability,
    cluster: &str,
    node: &str,
    parameters: &Parameters,
) -> Result<CmdletOutput, CmdletFailure> {
    parameters.allow("Suspend-ClusterNode", &["Name", "Drain", "Wait", "TargetNode"])?;
    let drain = parameters.switch("Drain") == Some(true);
    farm.acts.push(format!("{node} suspended{}", if drain { " and drained" } else { "" }));
    if let Some(own) = farm.clusters.get_mut(cluster) {
        own.paused.insert(node.to_owned());
        if drain {
            own.drained.entry(node.to_owned()).or_default();
        }
    }
    if drain {
        farm.move_groups(node);
    }
    nodes(farm, cluster, Some(node))
}

fn resume(
    farm: &mut Availability,
    cluster: &str,
    node: &str,
    parameters: &Parameters,
) -> Result<CmdletOutput, CmdletFailure> {
    parameters.allow("Resume-ClusterNode", &["Name", "Failback"])?;
    let back = parameters.get("Failback").and_then(PsObject::text);
    farm.acts.push(format!("{node} resumed"));
    if let Some(own) = farm.clusters.get_mut(cluster) {
        own.paused.remove(node);
        let drained = own.drained.remove(node).unwrap_or_default();
        // Policy sends home what the roles' own settings say; here they say so.
        if back.as_deref().is_some_and(|word| !word.eq_ignore_ascii_case("NoFailback")) {
            own.groups.extend(drained.into_iter().map(|group| (group, node.to_owned())));
        }
    }
    nodes(farm, cluster, Some(node))
}
