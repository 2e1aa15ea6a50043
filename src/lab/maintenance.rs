//! Exchange's cmdlets of maintenance, after their documentation; nobody has recorded them.

use crate::lab::availability::Availability;
use crate::lab::availability::COMPONENTS;
use crate::lab::availability::Copy;
use crate::lab::availability::Server;
use crate::lab::cmdlet::CmdletFailure;
use crate::lab::cmdlet::CmdletOutput;
use crate::lab::cmdlet::Parameters;
use crate::wire::psrp::object::Complex;
use crate::wire::psrp::object::PsObject;

/// The cmdlets here; all others are the organisation's.
pub const CMDLETS: [&str; 10] = [
    "Get-ServerComponentState",
    "Set-ServerComponentState",
    "Get-MailboxServer",
    "Set-MailboxServer",
    "Get-DatabaseAvailabilityGroup",
    "Get-MailboxDatabaseCopyStatus",
    "Move-ActiveMailboxDatabase",
    "Get-Queue",
    "Redirect-Message",
    "Test-ServiceHealth",
];

/// Runs one of them; `None` if it is none.
pub fn run(
    farm: &mut Availability,
    name: &str,
    parameters: &Parameters,
) -> Option<Result<CmdletOutput, CmdletFailure>> {
    let known = CMDLETS.into_iter().find(|own| own.eq_ignore_ascii_case(name))?;
    let asked = Asked { name: known, parameters };
    Some(match known {
        "Get-ServerComponentState" => get_component(farm, &asked),
        "Set-ServerComponentState" => set_component(farm, &asked),
        "Get-MailboxServer" => get_mailbox_server(farm, &asked),
        "Set-MailboxServer" => set_mailbox_server(farm, &asked),
        "Get-DatabaseAvailabilityGroup" => get_dag(farm, &asked),
        "Get-MailboxDatabaseCopyStatus" => get_copies(farm, &asked),
        "Move-ActiveMailboxDatabase" => move_database(farm, &asked),
        "Get-Queue" => get_queue(farm, &asked),
        "Redirect-Message" => redirect(farm, &asked),
        _ => service_health(farm, &asked),
    })
}

/// One call.
struct Asked<'a> {
    name: &'static str,
    parameters: &'a Parameters,
}

impl Asked<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.parameters.get(name).and_then(PsObject::text)
    }

    fn identity(&self) -> Option<String> {
        let first = || self.parameters.positional.first().and_then(PsObject::text);
        self.text("Identity").or_else(first)
    }

    fn required(&self, name: &str) -> Result<String, CmdletFailure> {
        let found = if name == "Identity" { self.identity() } else { self.text(name) };
        found.ok_or_else(|| {
            let text = format!(
                "Cannot process command because of one or more missing mandatory parameters: \
                 {name}."
            );
            CmdletFailure::new(text, format!("MissingMandatoryParameter,{}", self.name))
        })
    }

    /// Cmdlets that ask end in an error where nobody can answer.
    fn confirmed(&self) -> Result<(), CmdletFailure> {
        if self.parameters.switch("Confirm") == Some(false) {
            return Ok(());
        }
        Err(self.failure(
            "A command that prompts the user failed because the host program or the command type \
             does not support user interaction.",
            "TaskException",
        ))
    }

    fn failure(&self, text: impl Into<String>, reason: &str) -> CmdletFailure {
        CmdletFailure::new(text, format!("{reason},{}", self.name))
    }

    fn not_found(&self, name: &str) -> CmdletFailure {
        self.failure(
            format!(
                "The operation couldn't be performed because object '{name}' couldn't be found."
            ),
            "ManagementObjectNotFoundException",
        )
    }

    /// The computer name of a server that is named short or in full.
    fn server(&self, farm: &Availability, name: &str) -> Result<String, CmdletFailure> {
        let own = farm.servers.iter().find(|(computer, server)| {
            computer.eq_ignore_ascii_case(name) || server.fqdn.eq_ignore_ascii_case(name)
        });
        own.map(|(computer, _)| computer.clone()).ok_or_else(|| self.not_found(name))
    }
}

fn output(objects: Vec<PsObject>) -> CmdletOutput {
    CmdletOutput { output: objects, ..CmdletOutput::default() }
}

/// An object as remoting deserialises it.
pub(super) fn object(type_name: &str, members: &[(&str, PsObject)]) -> PsObject {
    let members = members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    PsObject::Complex(Box::new(Complex {
        type_names: vec![format!("Deserialized.{type_name}")],
        members,
        ..Complex::default()
    }))
}

pub(super) fn text(text: impl Into<String>) -> PsObject {
    PsObject::Text(text.into())
}

fn texts(names: impl IntoIterator<Item = String>) -> PsObject {
    PsObject::List(names.into_iter().map(PsObject::Text).collect())
}

fn get_component(farm: &Availability, asked: &Asked<'_>) -> Result<CmdletOutput, CmdletFailure> {
    asked.parameters.allow(asked.name, &["Component"])?;
    let computer = asked.server(farm, &asked.required("Identity")?)?;
    let Some(server) = farm.servers.get(&computer) else { return Ok(output(Vec::new())) };
    let wanted = asked.text("Component");
    let named = |name: &&str| wanted.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(name));
    let state = |name: &str| {
        let entries = server.components.get(name).into_iter().flatten().map(|(who, state)| {
            object(
                "Microsoft.Exchange.Data.ServerComponentStates+ItemEntry",
                &[("Component", text(name)), ("Requester", text(who)), ("State", text(state))],
            )
        });
        let entries = PsObject::List(entries.collect());
        object(
            "Microsoft.Exchange.Management.SystemConfigurationTasks.ServerComponentState",
            &[
                ("ServerFqdn", text(&server.fqdn)),
                ("Component", text(name)),
                ("State", text(server.component(name))),
                ("LocalStates", entries.clone()),
                ("RemoteStates", entries),
            ],
        )
    };
    Ok(output(COMPONENTS.into_iter().filter(named).map(state).collect()))
}

fn set_component(
    farm: &mut Availability,
    asked: &Asked<'_>,
) -> Result<CmdletOutput, CmdletFailure> {
    asked.parameters.allow(asked.name, &["Component", "State", "Requester"])?;
    let computer = asked.server(farm, &asked.required("Identity")?)?;
    let component = asked.required("Component")?;
    let (state, requester) = (asked.required("State")?, asked.required("Requester")?);
    if !COMPONENTS.contains(&component.as_str()) {
        return Err(asked.failure(format!("no component {component}"), "ArgumentException"));
    }
    if state == "Draining" && !component.ends_with("Transport") {
        let text = format!("The state Draining is not supported for the component {component}.");
        return Err(asked.failure(text, "ArgumentException"));
    }
    farm.acts.push(format!("{computer} {component} {state}"));
    if let Some(server) = farm.servers.get_mut(&computer) {
        server.components.entry(component).or_default().insert(requester, state);
    }
    Ok(output(Vec::new()))
}

fn get_mailbox_server(
    farm: &Availability,
    asked: &Asked<'_>,
) -> Result<CmdletOutput, CmdletFailure> {
    asked.parameters.allow(asked.name, &["Status"])?;
    let wanted = asked.identity().map(|name| asked.server(farm, &name)).transpose()?;
    let row = |(name, server): (&String, &Server)| {
        let dag = server.dag.clone().map_or(PsObject::Null, PsObject::Text);
        object(
            "Microsoft.Exchange.Data.Directory.Management.MailboxServer",
            &[
                ("Name", text(name)),
                ("Fqdn", text(&server.fqdn)),
                ("DatabaseAvailabilityGroup", dag),
                ("DatabaseCopyAutoActivationPolicy", text(&server.policy)),
                ("DatabaseCopyActivationDisabledAndMoveNow", PsObject::Bool(server.move_now)),
            ],
        )
    };
    let hit = |(name, _): &(&String, &Server)| wanted.as_ref().is_none_or(|own| own == *name);
    Ok(output(farm.servers.iter().filter(hit).map(row).collect()))
}

fn set_mailbox_server(
    farm: &mut Availability,
    asked: &Asked<'_>,
) -> Result<CmdletOutput, CmdletFailure> {
    const POLICY: &str = "DatabaseCopyAutoActivationPolicy";
    const MOVE_NOW: &str = "DatabaseCopyActivationDisabledAndMoveNow";
    asked.parameters.allow(asked.name, &[POLICY, MOVE_NOW])?;
    let computer = asked.server(farm, &asked.required("Identity")?)?;
    let (policy, move_now) = (asked.text(POLICY), asked.parameters.switch(MOVE_NOW));
    if let Some(policy) = &policy {
        farm.acts.push(format!("{computer} policy {policy}"));
    }
    if let Some(server) = farm.servers.get_mut(&computer) {
        server.policy = policy.unwrap_or_else(|| server.policy.clone());
        server.move_now = move_now.unwrap_or(server.move_now);
    }
    Ok(output(Vec::new()))
}

fn get_dag(farm: &Availability, asked: &Asked<'_>) -> Result<CmdletOutput, CmdletFailure> {
    asked.parameters.allow(asked.name, &["Status"])?;
    let name = asked.required("Identity")?;
    let found = farm.clusters.iter().find(|(own, _)| own.eq_ignore_ascii_case(&name));
    let Some((name, cluster)) = found else { return Err(asked.not_found(&name)) };
    let up = |node: &&String| farm.servers.get(*node).is_some_and(|server| server.up);
    let primary = cluster.groups.get(crate::lab::availability::CORE).cloned();
    Ok(output(vec![object(
        "Microsoft.Exchange.Data.Directory.SystemConfiguration.DatabaseAvailabilityGroup",
        &[
            ("Name", text(name)),
            ("Servers", texts(cluster.nodes.clone())),
            ("OperationalServers", texts(cluster.nodes.iter().filter(up).cloned())),
            ("ServersInMaintenance", texts(cluster.paused.iter().cloned())),
            ("PrimaryActiveManager", primary.map_or(PsObject::Null, PsObject::Text)),
        ],
    )]))
}

fn get_copies(farm: &Availability, asked: &Asked<'_>) -> Result<CmdletOutput, CmdletFailure> {
    asked.parameters.allow(asked.name, &["Server", "Active", "Local"])?;
    let server = asked.text("Server").map(|name| asked.server(farm, &name)).transpose()?;
    let database = asked.identity();
    let mut rows = Vec::new();
    for (name, copies) in &farm.databases {
        for (at, copy) in copies {
            let named = database.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(name));
            if named && server.as_ref().is_none_or(|own| own == at) {
                rows.push(copy_row(farm, name, at, copy));
            }
        }
    }
    match database {
        Some(name) if rows.is_empty() => Err(asked.not_found(&name)),
        Some(_) | None => Ok(output(rows)),
    }
}

fn copy_row(farm: &Availability, database: &str, at: &str, copy: &Copy) -> PsObject {
    let up = farm.servers.get(at).is_some_and(|server| server.up);
    let status = match (up, copy.active, copy.suspended) {
        (false, _, _) => "ServiceDown",
        (true, true, _) => "Mounted",
        (true, false, true) => "Suspended",
        (true, false, false) => "Healthy",
    };
    object(
        "Microsoft.Exchange.Management.SystemConfigurationTasks.DatabaseCopyStatusEntry",
        &[
            ("Name", text(format!(r"{database}\{at}"))),
            ("DatabaseName", text(database)),
            ("MailboxServer", text(at)),
            ("ActiveCopy", PsObject::Bool(copy.active)),
            ("Status", text(status)),
            ("ActivationSuspended", PsObject::Bool(copy.activation_suspended)),
        ],
    )
}

fn move_database(
    farm: &mut Availability,
    asked: &Asked<'_>,
) -> Result<CmdletOutput, CmdletFailure> {
    asked.parameters.allow(asked.name, &["ActivateOnServer", "MoveComment"])?;
    let database = asked.required("Identity")?;
    let Some(copies) = farm.databases.get(&database) else {
        return Err(asked.not_found(&database));
    };
    asked.confirmed()?;
    let from = copies.iter().find(|(_, copy)| copy.active).map(|(name, _)| name.clone());
    let from = from.unwrap_or_default();
    let Some(target) = farm.refuge(&database, &from) else {
        let text = format!(
            "An Active Manager operation failed. Error: no copy of database '{database}' can be \
             activated."
        );
        return Err(asked.failure(text, "AmDbActionWrapperException"));
    };
    farm.acts.push(format!("{database} moves from {from} to {target}"));
    farm.activate(&database, &target);
    Ok(output(Vec::new()))
}

fn get_queue(farm: &Availability, asked: &Asked<'_>) -> Result<CmdletOutput, CmdletFailure> {
    asked.parameters.allow(asked.name, &["Server", "Filter", "ResultSize"])?;
    let computer = asked.server(farm, &asked.required("Server")?)?;
    let Some(server) = farm.servers.get(&computer) else { return Ok(output(Vec::new())) };
    let row = |(queue, count): (&String, &u64)| {
        object(
            "Microsoft.Exchange.Data.QueueViewer.ExtensibleQueueInfo",
            &[
                ("Identity", text(format!(r"{computer}\{queue}"))),
                ("MessageCount", PsObject::Int(i64::try_from(*count).unwrap_or(i64::MAX))),
                ("Status", text("Ready")),
            ],
        )
    };
    Ok(output(server.queues.iter().map(row).collect()))
}

fn redirect(farm: &mut Availability, asked: &Asked<'_>) -> Result<CmdletOutput, CmdletFailure> {
    asked.parameters.allow(asked.name, &["Server", "Target"])?;
    let computer = asked.server(farm, &asked.required("Server")?)?;
    let target = asked.required("Target")?;
    let full = farm.servers.iter().find(|(_, server)| server.fqdn.eq_ignore_ascii_case(&target));
    let Some(to) = full.map(|(name, _)| name.clone()).filter(|name| *name != computer) else {
        let text = format!("'{target}' is not the full name of another transport server.");
        return Err(asked.failure(text, "LocalizedException"));
    };
    asked.confirmed()?;
    farm.acts.push(format!("{computer} redirects to {to}"));
    let mut moved = 0;
    if let Some(server) = farm.servers.get_mut(&computer) {
        let leaves = |name: &str| !name.starts_with("Shadow") && !name.starts_with("Poison");
        for (_, count) in server.queues.iter_mut().filter(|(name, _)| leaves(name)) {
            moved += std::mem::take(count);
        }
    }
    if let Some(server) = farm.servers.get_mut(&to) {
        *server.queues.entry("Submission".to_owned()).or_default() += moved;
    }
    Ok(output(Vec::new()))
}

fn service_health(farm: &Availability, asked: &Asked<'_>) -> Result<CmdletOutput, CmdletFailure> {
    asked.parameters.allow(asked.name, &["Server"])?;
    asked.server(farm, &asked.required("Server")?)?;
    Ok(output(vec![object(
        "Microsoft.Exchange.Monitoring.ServerServiceHealth",
        &[
            ("Role", text("Mailbox Server Role")),
            ("RequiredServicesRunning", PsObject::Bool(true)),
            ("ServicesNotRunning", PsObject::List(Vec::new())),
        ],
    )]))
}
