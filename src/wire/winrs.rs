//! The cmd shell of WS-Man (`winrm.md` 2, [MS-WSMV] 3.1.4): programs with output and exit code.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::wire::namespace;
use crate::wire::shell::DONE;
use crate::wire::shell::RECEIVE;
use crate::wire::soap;
use crate::wire::soap::Choice;
use crate::wire::soap::Header;
use crate::wire::soap::Request;
use crate::wire::soap::WsmanError;
use crate::wire::xml::Element;

/// The resource of cmd shells; Signal and Delete are the same as for every other shell.
pub const CMD: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd";
/// UTF-8 as a Windows code page.
const UTF8: &str = "65001";
/// A shell whose client has gone is ended by the host after so long without a call. It is the
/// default of Windows Server 2008 R2, so that no host refuses it as too long.
const IDLE: &str = "PT180S";

/// A message to a cmd shell that other shells do not take in this form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CmdRequest {
    /// Opens a shell without a profile, its code page UTF-8. The host chooses the id.
    Create,
    /// Starts a program; the host chooses the id.
    Command { shell_id: String, program: String, arguments: Vec<String> },
    /// Gives a program a piece of its standard input; with the last one the input ends.
    Send { shell_id: String, command_id: String, data: Vec<u8>, end: bool },
    /// Waits for output of a program.
    Receive { shell_id: String, command_id: String },
}

/// One reply to a Receive: bytes, because a character may be cut in two between replies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// `Some` when the program has ended; its exit code, unless it was terminated.
    pub ended: Option<Option<u32>>,
}

impl CmdRequest {
    /// The call's name for errors and statistics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create => "Shell.Create",
            Self::Command { .. } => "Shell.Command",
            Self::Send { .. } => "Shell.Send",
            Self::Receive { .. } => RECEIVE,
        }
    }

    fn action(&self) -> String {
        match self {
            Self::Create => format!("{}/Create", namespace::TRANSFER),
            Self::Command { .. } => format!("{}/Command", namespace::SHELL),
            Self::Send { .. } => format!("{}/Send", namespace::SHELL),
            Self::Receive { .. } => format!("{}/Receive", namespace::SHELL),
        }
    }
}

/// Encodes a message to a cmd shell.
pub fn encode(request: &CmdRequest, header: &Header) -> Result<Vec<u8>, WsmanError> {
    let option = |name, value: &str| Choice { name, value: value.to_owned(), must_comply: false };
    let shell = |id: &String| vec![("ShellId", id.clone())];
    let (selectors, options, body) = match request {
        CmdRequest::Create => {
            let body = element("Shell")
                .child(element("IdleTimeOut").text_node(IDLE))
                .child(element("InputStreams").text_node("stdin"))
                .child(element("OutputStreams").text_node("stdout stderr"));
            let options = vec![option("WINRS_NOPROFILE", "TRUE"), option("WINRS_CODEPAGE", UTF8)];
            (Vec::new(), options, body)
        }
        CmdRequest::Command { shell_id, program, arguments } => {
            let mut body = element("CommandLine").child(element("Command").text_node(program));
            for argument in arguments {
                body = body.child(element("Arguments").text_node(argument));
            }
            let options = vec![
                // The input is a pipe: it can be ended, and no line of it is edited.
                option("WINRS_CONSOLEMODE_STDIN", "FALSE"),
                option("WINRS_SKIP_CMD_SHELL", "FALSE"),
            ];
            (shell(shell_id), options, body)
        }
        CmdRequest::Send { shell_id, command_id, data, end } => {
            let mut stream = element("Stream").attribute("", "Name", "stdin").attribute(
                "",
                "CommandId",
                command_id,
            );
            if *end {
                stream = stream.attribute("", "End", "true");
            }
            let stream = stream.text_node(STANDARD.encode(data));
            (shell(shell_id), Vec::new(), element("Send").child(stream))
        }
        CmdRequest::Receive { shell_id, command_id } => {
            let stream = element("DesiredStream")
                .attribute("", "CommandId", command_id)
                .text_node("stdout stderr");
            let options = vec![option("WSMAN_CMDSHELL_OPTION_KEEPALIVE", "True")];
            (shell(shell_id), options, element("Receive").child(stream))
        }
    };
    let resource = CMD.to_owned();
    let request =
        Request { action: request.action(), resource, options, selectors, body: Some(body) };
    soap::encode(request, header)
}

/// Decodes the reply to a Receive.
pub fn decode_receive(
    command_id: &str,
    header: &Header,
    bytes: &[u8],
) -> Result<Piece, WsmanError> {
    let action = format!("{}/ReceiveResponse", namespace::SHELL);
    let body = soap::decode(bytes, &header.message_id, &action)?;
    let reply = soap::only(&body, namespace::SHELL, "ReceiveResponse")?;
    let mut piece = Piece::default();
    for child in reply.elements() {
        let own = child.attr("", "CommandId").is_none_or(|id| id.eq_ignore_ascii_case(command_id));
        if !own {
            continue;
        }
        if child.is(namespace::SHELL, "Stream") {
            let text: String = child.text().chars().filter(|c| !c.is_ascii_whitespace()).collect();
            let bytes = STANDARD.decode(&text).map_err(|error| {
                WsmanError::unexpected("base64 in Stream", format!("something else ({error})"))
            })?;
            match child.attr("", "Name") {
                Some("stdout") => piece.stdout.extend(bytes),
                Some("stderr") => piece.stderr.extend(bytes),
                Some(_) | None => {}
            }
        } else if child.is(namespace::SHELL, "CommandState")
            && child.attr("", "State") == Some(DONE)
        {
            piece.ended = Some(exit_code(child)?);
        }
    }
    Ok(piece)
}

fn exit_code(state: &Element) -> Result<Option<u32>, WsmanError> {
    // An element with Windows, an attribute with OMI.
    let told = state.find(namespace::SHELL, "ExitCode").map(Element::text);
    let Some(text) = told.or_else(|| state.attr("", "ExitCode").map(str::to_owned)) else {
        return Ok(None);
    };
    // Unsigned on the wire; some servers write the same bits with a sign.
    let number = text.trim().parse::<i64>().ok().and_then(|number| {
        u32::try_from(number).ok().or_else(|| i32::try_from(number).ok().map(i32::cast_unsigned))
    });
    number.map(Some).ok_or_else(|| WsmanError::unexpected("a number in ExitCode", text))
}

fn element(name: &str) -> Element {
    Element::new(namespace::SHELL, name)
}
