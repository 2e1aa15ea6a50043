//! Cmd shells over WS-Man (`winrm.md` 2): Create to Delete, one command at a time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use crate::lab::cmd;
use crate::lab::cmd::Surroundings;
use crate::lab::fault;
use crate::lab::fault::LabFault;
use crate::lab::fault::Provider;
use crate::lab::host::Call;
use crate::lab::host::LabHost;
use crate::lab::host::Outcome;
use crate::lab::probe;
use crate::lab::probe::Progress;
use crate::lab::request::Request;
use crate::lab::shell;
use crate::lab::shell::message;
use crate::lab::shell::message::upper;
use crate::lab::wsman;
use crate::wire::namespace;
use crate::wire::xml::Element;

/// The cmd shells of one host.
#[derive(Debug, Default)]
pub struct CmdShells(BTreeMap<Uuid, CmdShell>);

#[derive(Debug)]
struct CmdShell {
    account: String,
    commands: BTreeMap<Uuid, Command>,
}

#[derive(Debug)]
struct Command {
    line: String,
    /// What came on its standard input so far.
    input: Vec<u8>,
    progress: Progress,
    /// Whether a Receive has told of its end: before that the shell takes no other command.
    told: bool,
}

impl Command {
    /// Takes a piece of standard input; at its end a program that reads goes on.
    fn feed(&mut self, stream: &Element) -> Result<(), LabFault> {
        let text: String = stream.text().chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes =
            STANDARD.decode(text).map_err(|_| message::invalid("expected base64 in Stream"))?;
        self.input.extend(bytes);
        let ends = stream.attr("", "End").is_some_and(|end| end.eq_ignore_ascii_case("true"));
        if ends && self.progress == Progress::Reads {
            self.progress = probe::run(&self.line, Some(&self.input)).unwrap_or(Progress::Hangs);
        }
        Ok(())
    }
}

impl CmdShells {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn of(&self, account: &str) -> usize {
        self.0.values().filter(|shell| shell.account == account).count()
    }

    pub fn commands_of(&self, account: &str) -> usize {
        let own = self.0.values().filter(|shell| shell.account == account);
        own.map(|shell| shell.commands.len()).sum()
    }
}

/// Answers a request to the resource of cmd shells.
pub fn answer(host: &mut LabHost, request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    let action = request.action.as_str();
    let shell_verb = action.strip_prefix(namespace::SHELL).and_then(|rest| rest.strip_prefix('/'));
    let transfer = action.strip_prefix(namespace::TRANSFER).and_then(|rest| rest.strip_prefix('/'));
    match (transfer, shell_verb) {
        (Some("Create"), _) => create(host, request, call),
        (Some("Delete"), _) => {
            let id = shell_id(host, request, call)?;
            host.shells.cmd.0.remove(&id);
            host.stats.shells_closed += 1;
            let action = format!("{}/DeleteResponse", namespace::TRANSFER);
            Ok(wsman::reply(request, call, &action, ""))
        }
        (_, Some("Command")) => command(host, request, call),
        (_, Some("Send")) => {
            let id = shell_id(host, request, call)?;
            for stream in message::body_element(request, "Send")?.elements() {
                if let Some(command) = command_id(host, id, stream)?
                    && let Some(shell) = host.shells.cmd.0.get_mut(&id)
                    && let Some(command) = shell.commands.get_mut(&command)
                {
                    command.feed(stream)?;
                }
            }
            Ok(message::reply(request, call, "SendResponse", "<rsp:SendResponse/>"))
        }
        (_, Some("Receive")) => receive(host, request, call),
        (_, Some("Signal")) => signal(host, request, call),
        (_, _) => Err(wsman::action_not_supported(action)),
    }
}

fn create(host: &mut LabHost, request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    let order = message::body_element(request, "Shell")?;
    let id = order.attr("", "ShellId").map_or(Ok(call.fresh[1]), message::guid)?;
    if host.shells.has(id) {
        let text = format!("the shell id {id} is in use");
        return Err(LabFault::new(fault::SHELL_ID_CONFLICT, "w:InvalidSelectors", text));
    }
    shell::within_quota(host, call)?;
    let shell = CmdShell { account: call.account.clone(), commands: BTreeMap::new() };
    host.shells.cmd.0.insert(id, shell);
    host.stats.shells_opened += 1;
    let action = format!("{}/CreateResponse", namespace::TRANSFER);
    let body = message::created(request, call, id, "stdin", "stdout stderr");
    Ok(wsman::reply(request, call, &action, &body))
}

fn command(host: &mut LabHost, request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    let id = shell_id(host, request, call)?;
    let order = message::body_element(request, "CommandLine")?;
    let command = order.attr("", "CommandId").map_or(Ok(call.fresh[1]), message::guid)?;
    shell::within_operations(host, call)?;
    let words = order
        .elements()
        .filter(|e| e.is(namespace::SHELL, "Command") || e.is(namespace::SHELL, "Arguments"));
    let line = words.map(Element::text).collect::<Vec<_>>().join(" ");
    let at = Surroundings {
        computer: &host.computer,
        account: &call.account,
        version: host.windows.version,
        registry: &host.registry,
    };
    let progress = probe::run(&line, None).unwrap_or_else(|| Progress::Ended(cmd::run(&line, at)));
    let Some(shell) = host.shells.cmd.0.get_mut(&id) else { return Err(message::no_shell()) };
    if shell.commands.contains_key(&command) {
        let text = format!("the command id {command} is in use");
        return Err(LabFault::new(fault::COMMAND_ID_CONFLICT, "w:InvalidSelectors", text));
    }
    // [MS-WSMV] 3.1.4.11, note 121.
    if shell.commands.values().any(|command| !command.told) {
        let text = "the shell has a command whose end was not received yet";
        return Err(LabFault::new(fault::CONCURRENCY, "w:Concurrency", text));
    }
    let begun = Command { line, input: Vec::new(), progress, told: false };
    shell.commands.insert(command, begun);
    let body = format!(
        "<rsp:CommandResponse><rsp:CommandId>{}</rsp:CommandId></rsp:CommandResponse>",
        upper(command)
    );
    Ok(message::reply(request, call, "CommandResponse", &body))
}

/// Everything at once, each stream with its end. A second Receive has the end alone.
fn receive(host: &mut LabHost, request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    let id = shell_id(host, request, call)?;
    let order = message::body_element(request, "Receive")?;
    let stream = order.find(namespace::SHELL, "DesiredStream");
    let stream = stream.ok_or_else(|| message::invalid("expected a DesiredStream element"))?;
    let command = command_id(host, id, stream)?;
    let shell = host.shells.cmd.0.get_mut(&id).ok_or_else(message::no_shell)?;
    let Some((command, running)) =
        command.and_then(|id| Some((upper(id), shell.commands.get_mut(&id)?)))
    else {
        return Err(message::invalid("expected the id of a command"));
    };
    let Progress::Ended(said) = &running.progress else {
        return message::nothing_yet(request, call);
    };
    let mut body = String::from("<rsp:ReceiveResponse>");
    for (name, text) in [("stdout", &said.stdout), ("stderr", &said.stderr)] {
        if !text.is_empty() && !running.told {
            let data = STANDARD.encode(text);
            let _ = write!(
                body,
                "<rsp:Stream Name=\"{name}\" CommandId=\"{command}\">{data}</rsp:Stream>"
            );
        }
        let _ = write!(
            body,
            "<rsp:Stream Name=\"{name}\" CommandId=\"{command}\" End=\"true\"></rsp:Stream>"
        );
    }
    running.told = true;
    let _ = write!(
        body,
        "<rsp:CommandState CommandId=\"{command}\" State=\"{}/CommandState/Done\"><rsp:ExitCode>\
         {}</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse>",
        namespace::SHELL,
        said.code
    );
    Ok(message::reply(request, call, "ReceiveResponse", &body))
}

fn signal(host: &mut LabHost, request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    let id = shell_id(host, request, call)?;
    let order = message::body_element(request, "Signal")?;
    let code = order.find(namespace::SHELL, "Code").map(Element::text).unwrap_or_default();
    let command = command_id(host, id, order)?;
    // pypsrp writes `Terminate`, and Windows takes it.
    match code.trim().rsplit('/').next().map(str::to_ascii_lowercase).as_deref() {
        Some("terminate") => {
            if let (Some(command), Some(shell)) = (command, host.shells.cmd.0.get_mut(&id)) {
                shell.commands.remove(&command);
            }
        }
        // The programs here have ended before a key could be pressed.
        Some("ctrl_c" | "ctrl_break") => {}
        Some(_) | None => return Err(message::invalid("the signal's code is not known")),
    }
    Ok(message::reply(request, call, "SignalResponse", "<rsp:SignalResponse/>"))
}

/// The shell that the selector names, if it is the caller's.
fn shell_id(host: &LabHost, request: &Request, call: &Call) -> Result<Uuid, LabFault> {
    let named = request.selector("ShellId").and_then(|id| Uuid::try_parse(id.trim()).ok());
    let own = named
        .filter(|id| host.shells.cmd.0.get(id).is_some_and(|shell| shell.account == call.account));
    own.ok_or_else(message::no_shell)
}

/// The command that an element names; a name that no command has is code 87.
fn command_id(host: &LabHost, id: Uuid, element: &Element) -> Result<Option<Uuid>, LabFault> {
    let Some(text) = element.attr("", "CommandId") else { return Ok(None) };
    let named = Uuid::try_parse(text.trim()).ok();
    let shell = host.shells.cmd.0.get(&id);
    let known = |id: &Uuid| shell.is_some_and(|shell| shell.commands.contains_key(id));
    match named.filter(known) {
        Some(command) => Ok(Some(command)),
        None => Err(LabFault::new(
            fault::INVALID_PARAMETER,
            "w:InvalidParameter",
            format!("no command has the id {text}"),
        )
        .by(Provider::Shell)),
    }
}
