//! Shells of PowerShell remoting over WS-Man (`winrm.md` 2 and 3.3): Create to Delete.

pub(in crate::lab) mod message;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use crate::lab::act::Act;
use crate::lab::act::Witness;
use crate::lab::availability::Availability;
use crate::lab::cluster;
use crate::lab::cmdlet::CmdletFailure;
use crate::lab::cmdlet::CmdletOutput;
use crate::lab::cmdlet::Cmdlets;
use crate::lab::cmdlet::Parameters;
use crate::lab::exchange::ExchangeOrganisation;
use crate::lab::fault;
use crate::lab::fault::LabFault;
use crate::lab::fault::Provider;
use crate::lab::folder;
use crate::lab::host::Call;
use crate::lab::host::LabHost;
use crate::lab::host::Outcome;
use crate::lab::local::Local;
use crate::lab::maintenance;
use crate::lab::psrp::PoolServer;
use crate::lab::request::Request;
use crate::lab::sharepoint::SharePointFarm;
use crate::lab::winrs::CmdShells;
use crate::lab::wsman;
use crate::wire::namespace;
use crate::wire::psrp::fragment;
use crate::wire::xml::Element;

/// An organisation that the servers of it share.
pub type Organisation = Arc<Mutex<ExchangeOrganisation>>;
/// A farm that the servers of it share.
pub type SharePoint = Arc<Mutex<SharePointFarm>>;

/// The DAGs and clusters that the servers of a farm share.
pub type SharedAvailability = Arc<Mutex<Availability>>;

/// The shells of one host.
#[derive(Debug, Default)]
pub struct Shells {
    /// What the cmdlets of `Microsoft.Exchange` work on.
    organisation: Option<Organisation>,
    /// The farm whose cmdlets `Microsoft.PowerShell` can load.
    farm: Option<SharePoint>,
    availability: SharedAvailability,
    /// The host's name there.
    computer: String,
    open: BTreeMap<Uuid, Shell>,
    /// Those of the command processor, which count towards the same limits.
    pub(super) cmd: CmdShells,
}

#[derive(Debug)]
struct Shell {
    account: String,
    exchange: bool,
    pool: PoolServer,
    commands: BTreeSet<Uuid>,
}

impl Shells {
    pub fn new(organisation: Option<Organisation>) -> Self {
        Self { organisation, ..Self::default() }
    }

    /// On a server of a SharePoint farm.
    #[must_use]
    pub fn of_farm(mut self, farm: Option<SharePoint>) -> Self {
        self.farm = farm;
        self
    }

    /// On a host that shares DAGs and clusters with others.
    #[must_use]
    pub fn among(mut self, availability: SharedAvailability, computer: &str) -> Self {
        self.availability = availability;
        computer.clone_into(&mut self.computer);
        self
    }

    /// Tells the others that the host went down or came up.
    pub fn set_up(&self, up: bool) {
        let mut farm = self.availability.lock().unwrap_or_else(PoisonError::into_inner);
        farm.set_up(&self.computer, up);
    }

    pub fn clear(&mut self) {
        self.open.clear();
        self.cmd.clear();
    }

    pub(super) fn has(&self, id: Uuid) -> bool {
        self.open.contains_key(&id)
    }

    pub fn of(&self, account: &str) -> usize {
        let own = self.open.values().filter(|shell| shell.account == account).count();
        own + self.cmd.of(account)
    }

    pub fn commands_of(&self, account: &str) -> usize {
        let own = self.open.values().filter(|shell| shell.account == account);
        own.map(|shell| shell.commands.len()).sum::<usize>() + self.cmd.commands_of(account)
    }
}

/// Refuses a shell beyond the account's limit.
pub(super) fn within_quota(host: &LabHost, call: &Call) -> Result<(), LabFault> {
    let most = host.limits.shells_per_user;
    if host.shells.of(&call.account) < most {
        return Ok(());
    }
    let text = format!("the user has {most} shells, which is the limit");
    Err(LabFault::new(fault::QUOTA_MAX_SHELLS, "w:QuotaLimit", text))
}

/// Refuses a command beyond the account's limit of operations.
pub(super) fn within_operations(host: &LabHost, call: &Call) -> Result<(), LabFault> {
    let most = host.limits.operations_per_user;
    let running = host.shells.commands_of(&call.account) + host.enumerations.of(&call.account);
    if running < most {
        return Ok(());
    }
    let text = format!("the user has {most} operations, which is the limit");
    Err(LabFault::new(fault::QUOTA_MAX_OPERATIONS, "w:QuotaLimit", text))
}

/// The cmdlets of a shell, counted.
struct Counted<'a> {
    /// The host itself, where it is its own PowerShell.
    local: Option<&'a Local>,
    organisation: Option<&'a Organisation>,
    farm: Option<&'a SharePoint>,
    folders: &'a mut BTreeMap<String, Vec<String>>,
    /// The session is the host's own, not Exchange's.
    general: bool,
    availability: &'a SharedAvailability,
    computer: &'a str,
    calls: &'a mut BTreeMap<String, u64>,
    witness: &'a Witness,
}

impl Cmdlets for Counted<'_> {
    fn run(&mut self, name: &str, parameters: &Parameters) -> Result<CmdletOutput, CmdletFailure> {
        *self.calls.entry(name.to_owned()).or_default() += 1;
        self.witness.tell(&Act::Cmdlet(name.to_owned()));
        if let Some(done) = self.local.and_then(|local| local.run(name, parameters)) {
            return done;
        }
        let mut farm = self.availability.lock().unwrap_or_else(PoisonError::into_inner);
        let ran = match self.organisation {
            Some(_) => maintenance::run(&mut farm, name, parameters),
            None => cluster::run(&mut farm, self.computer, name, parameters),
        };
        drop(farm);
        if let Some(ran) = ran {
            return ran;
        }
        match self.organisation {
            Some(organisation) => {
                organisation.lock().unwrap_or_else(PoisonError::into_inner).run(name, parameters)
            }
            None if self.general && folder::is_known(name) => {
                folder::run(self.folders, name, parameters)
            }
            None => match self.farm {
                Some(farm) => {
                    farm.lock().unwrap_or_else(PoisonError::into_inner).run(name, parameters)
                }
                None => Err(CmdletFailure::unknown_cmdlet(name)),
            },
        }
    }
}

/// Answers a request to a PowerShell resource.
pub fn answer(
    host: &mut LabHost,
    request: &Request,
    call: &Call,
    configuration: &str,
) -> Result<Outcome, LabFault> {
    let exchange = configuration.eq_ignore_ascii_case("Microsoft.Exchange");
    let known = exchange && host.shells.organisation.is_some()
        || configuration.eq_ignore_ascii_case("Microsoft.PowerShell");
    if !known {
        let text = format!("the resource URI {} is not in the catalog", request.resource);
        return Err(LabFault::new(fault::INVALID_RESOURCE_URI, "a:DestinationUnreachable", text)
            .detail("InvalidResourceURI"));
    }
    let action = request.action.as_str();
    let shell_verb = action.strip_prefix(namespace::SHELL).and_then(|rest| rest.strip_prefix('/'));
    let transfer = action.strip_prefix(namespace::TRANSFER).and_then(|rest| rest.strip_prefix('/'));
    match (transfer, shell_verb) {
        (Some("Create"), _) => create(host, request, call, exchange),
        (Some("Delete"), _) => {
            let id = shell_id(host, request, call)?;
            host.shells.open.remove(&id);
            host.stats.shells_closed += 1;
            let action = format!("{}/DeleteResponse", namespace::TRANSFER);
            Ok(wsman::reply(request, call, &action, ""))
        }
        (_, Some("Command")) => command(host, request, call),
        (_, Some("Send")) => send(host, request, call),
        (_, Some("Receive")) => receive(host, request, call),
        (_, Some("Signal")) => signal(host, request, call),
        (_, _) => Err(wsman::action_not_supported(action)),
    }
}

fn create(
    host: &mut LabHost,
    request: &Request,
    call: &Call,
    exchange: bool,
) -> Result<Outcome, LabFault> {
    let order = message::body_element(request, "Shell")?;
    let id = match order.attr("", "ShellId") {
        Some(text) => message::guid(text)?,
        None => call.fresh[1],
    };
    if host.shells.open.contains_key(&id) {
        let text = format!("the shell id {id} is in use");
        return Err(LabFault::new(fault::SHELL_ID_CONFLICT, "w:InvalidSelectors", text));
    }
    within_quota(host, call)?;
    let creation = order.find(namespace::POWERSHELL, "creationXml");
    let (Some(creation), Some(_)) = (creation, request.option("protocolversion")) else {
        return Err(message::plugin("expected creationXml and the option protocolversion"));
    };
    let shell = Shell {
        account: call.account.clone(),
        exchange,
        pool: PoolServer::new(),
        commands: BTreeSet::new(),
    };
    host.shells.open.insert(id, shell);
    if let Err(fault) = feed(host, id, None, &creation.text()) {
        host.shells.open.remove(&id);
        return Err(fault);
    }
    host.stats.shells_opened += 1;
    let action = format!("{}/CreateResponse", namespace::TRANSFER);
    let body = message::created(request, call, id, "stdin pr", "stdout");
    Ok(wsman::reply(request, call, &action, &body))
}

fn command(host: &mut LabHost, request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    let id = shell_id(host, request, call)?;
    let order = message::body_element(request, "CommandLine")?;
    let command = match order.attr("", "CommandId") {
        Some(text) => message::guid(text)?,
        None => call.fresh[1],
    };
    within_operations(host, call)?;
    let new = host.shells.open.get_mut(&id).is_some_and(|shell| shell.commands.insert(command));
    if !new {
        let text = format!("the command id {command} is in use");
        return Err(LabFault::new(fault::COMMAND_ID_CONFLICT, "w:InvalidSelectors", text));
    }
    let arguments = order.find(namespace::SHELL, "Arguments").map(Element::text);
    let fed = feed(host, id, Some(command), &arguments.unwrap_or_default());
    if let (Err(_), Some(shell)) = (&fed, host.shells.open.get_mut(&id)) {
        shell.commands.remove(&command);
    }
    fed?;
    let body = format!(
        "<rsp:CommandResponse><rsp:CommandId>{}</rsp:CommandId></rsp:CommandResponse>",
        message::upper(command)
    );
    Ok(message::reply(request, call, "CommandResponse", &body))
}

fn send(host: &mut LabHost, request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    let id = shell_id(host, request, call)?;
    let order = message::body_element(request, "Send")?;
    for stream in order.elements().filter(|e| e.is(namespace::SHELL, "Stream")) {
        let command = command_id(host, id, stream)?;
        feed(host, id, command, &stream.text())?;
    }
    Ok(message::reply(request, call, "SendResponse", "<rsp:SendResponse/>"))
}

fn receive(host: &mut LabHost, request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    let id = shell_id(host, request, call)?;
    let order = message::body_element(request, "Receive")?;
    let stream = order
        .find(namespace::SHELL, "DesiredStream")
        .ok_or_else(|| message::invalid("expected a DesiredStream element"))?;
    let command = command_id(host, id, stream)?;
    let Some(shell) = host.shells.open.get_mut(&id) else { return Err(message::no_shell()) };
    let said = shell.pool.reply(command, fragment::size_for_envelope(request.max_envelope));
    let done = command.filter(|command| shell.pool.is_done(*command));
    if said.is_none() && done.is_none() {
        return message::nothing_yet(request, call);
    }
    let mut body = String::from("<rsp:ReceiveResponse>");
    if let Some(said) = said {
        let whose = command.map_or_else(String::new, |command| {
            format!(" CommandId=\"{}\"", message::upper(command))
        });
        let data = STANDARD.encode(said);
        let _ = write!(body, "<rsp:Stream Name=\"stdout\"{whose}>{data}</rsp:Stream>");
    }
    if let Some(command) = done {
        let _ = write!(
            body,
            "<rsp:CommandState CommandId=\"{}\" State=\"{}/CommandState/Done\">\
             <rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState>",
            message::upper(command),
            namespace::SHELL
        );
    }
    body.push_str("</rsp:ReceiveResponse>");
    Ok(message::reply(request, call, "ReceiveResponse", &body))
}

fn signal(host: &mut LabHost, request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    let id = shell_id(host, request, call)?;
    let order = message::body_element(request, "Signal")?;
    let code = order.find(namespace::SHELL, "Code").map(Element::text).unwrap_or_default();
    let command = command_id(host, id, order)?;
    if let (Some(command), Some(shell)) = (command, host.shells.open.get_mut(&id)) {
        match code.trim().rsplit('/').next().map(str::to_ascii_lowercase).as_deref() {
            // Windows' own spelling of this one is `crtl_c`.
            Some("crtl_c" | "ctrl_c") => shell.pool.stop(command),
            Some("terminate") => {
                shell.pool.signal(command);
                shell.commands.remove(&command);
            }
            Some(_) | None => return Err(message::invalid("the signal's code is not known")),
        }
    }
    Ok(message::reply(request, call, "SignalResponse", "<rsp:SignalResponse/>"))
}

/// Hands fragments to the shell's pool, which runs what they complete.
fn feed(host: &mut LabHost, id: Uuid, command: Option<Uuid>, text: &str) -> Result<(), LabFault> {
    let clean: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes =
        STANDARD.decode(clean).map_err(|_| message::plugin("the fragments are not base64"))?;
    let local = &host.local;
    let Shells { organisation, farm, availability, computer, open, .. } = &mut host.shells;
    let Some(shell) = open.get_mut(&id) else { return Err(message::no_shell()) };
    let mut cmdlets = Counted {
        local: Some(local).filter(|_| !shell.exchange),
        organisation: organisation.as_ref().filter(|_| shell.exchange),
        farm: farm.as_ref().filter(|_| !shell.exchange),
        folders: &mut host.folders,
        general: !shell.exchange,
        availability,
        computer,
        calls: &mut host.stats.cmdlets,
        witness: &host.witness,
    };
    shell
        .pool
        .receive(command, &bytes, &mut cmdlets)
        .map_err(|error| message::plugin(&format!("the fragments are not understood: {error}")))
}

/// The shell that the selector names, if it is the caller's.
fn shell_id(host: &LabHost, request: &Request, call: &Call) -> Result<Uuid, LabFault> {
    let named = request.selector("ShellId").and_then(|id| Uuid::try_parse(id.trim()).ok());
    let own = named
        .filter(|id| host.shells.open.get(id).is_some_and(|shell| shell.account == call.account));
    own.ok_or_else(message::no_shell)
}

/// The running command that an element names; a name that no command has is code 87.
fn command_id(host: &LabHost, id: Uuid, element: &Element) -> Result<Option<Uuid>, LabFault> {
    let Some(text) = element.attr("", "CommandId") else { return Ok(None) };
    let command = Uuid::try_parse(text.trim()).ok();
    let shell = host.shells.open.get(&id);
    match command.filter(|id| shell.is_some_and(|shell| shell.commands.contains(id))) {
        Some(command) => Ok(Some(command)),
        None => Err(LabFault::new(
            fault::INVALID_PARAMETER,
            "w:InvalidParameter",
            format!("no command has the id {text}"),
        )
        .by(Provider::Shell)),
    }
}
