//! WS-Man shells, as PSRP uses them (`winrm.md` 2 and 3.3, [MS-WSMV] 3.1.4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::wire::namespace;
use crate::wire::soap;
use crate::wire::soap::Choice;
use crate::wire::soap::Header;
use crate::wire::soap::Request;
use crate::wire::soap::WsmanError;
use crate::wire::xml::Element;

/// The `signal/terminate` code of [`ShellRequest::Signal`]: ends a command and frees its slot.
pub const TERMINATE: &str =
    "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/terminate";
/// PowerShell's own stop code, misspelt in the protocol itself.
pub const STOP: &str = "powershell/signal/crtl_c";
/// The fault of a call to a shell or command that is not there (any more).
pub const NO_SUCH_SHELL: u32 = 2_150_858_843;
/// Faults of Delete that say that the shell is gone; the second: it is closed already.
pub const GONE: [u32; 2] = [NO_SUCH_SHELL, 2_150_859_082];

/// The name of every Receive, of programs too.
pub const RECEIVE: &str = "Shell.Receive";

/// The state of a command that has ended.
pub(crate) const DONE: &str =
    "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done";

/// One message to a shell. Ids are upper-case GUIDs, chosen by the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShellRequest {
    /// Opens a shell; `creation_xml` are the first PSRP fragments, not yet in base64.
    Create {
        shell_id: String,
        /// Shown in `Get-PSSession` on the host; empty for none.
        name: String,
        /// PSRP's version, `2.3`.
        protocol_version: String,
        creation_xml: Vec<u8>,
    },
    /// Waits for output of one command, or of the shell itself.
    Receive {
        shell_id: String,
        command_id: Option<String>,
    },
    /// Starts a pipeline; `arguments` is the first fragment, not yet in base64.
    Command {
        shell_id: String,
        command_id: String,
        arguments: Vec<u8>,
    },
    /// Sends further fragments on `stdin`.
    Send {
        shell_id: String,
        command_id: Option<String>,
        data: Vec<u8>,
    },
    Signal {
        shell_id: String,
        command_id: String,
        code: String,
    },
    Delete {
        shell_id: String,
    },
}

/// What a shell answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShellReply {
    /// The id that the host uses from now on.
    Created { shell_id: String },
    /// The id that the host uses for the command from now on.
    Command { command_id: String },
    /// One item per `Stream` element, decoded from base64, in order.
    Output {
        streams: Vec<Vec<u8>>,
        /// The command has ended and there will be no more.
        done: bool,
    },
    /// Send, Signal and Delete were carried out.
    Done,
}

impl ShellRequest {
    /// The call's name for errors and statistics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "Shell.Create",
            Self::Receive { .. } => RECEIVE,
            Self::Command { .. } => "Shell.Command",
            Self::Send { .. } => "Shell.Send",
            Self::Signal { .. } => "Shell.Signal",
            Self::Delete { .. } => "Shell.Delete",
        }
    }

    fn action(&self) -> String {
        match self {
            Self::Create { .. } => format!("{}/Create", namespace::TRANSFER),
            Self::Receive { .. } => format!("{}/Receive", namespace::SHELL),
            Self::Command { .. } => format!("{}/Command", namespace::SHELL),
            Self::Send { .. } => format!("{}/Send", namespace::SHELL),
            Self::Signal { .. } => format!("{}/Signal", namespace::SHELL),
            Self::Delete { .. } => format!("{}/Delete", namespace::TRANSFER),
        }
    }
}

/// Encodes a message to the shell of kind `resource_uri`
/// (`http://schemas.microsoft.com/powershell/Microsoft.Exchange`).
pub fn encode_shell(
    request: &ShellRequest,
    resource_uri: &str,
    header: &Header,
) -> Result<Vec<u8>, WsmanError> {
    let shell = |id: &String| vec![("ShellId", id.clone())];
    let (selectors, options, body) = match request {
        ShellRequest::Create { shell_id, name, protocol_version, creation_xml } => {
            let mut body = element("Shell").attribute("", "ShellId", shell_id);
            if !name.is_empty() {
                body = body.attribute("", "Name", name);
            }
            let body = body
                .child(element("InputStreams").text_node("stdin pr"))
                .child(element("OutputStreams").text_node("stdout"))
                .child(
                    Element::new(namespace::POWERSHELL, "creationXml")
                        .text_node(STANDARD.encode(creation_xml)),
                );
            let version = Choice {
                name: "protocolversion",
                value: protocol_version.clone(),
                must_comply: true,
            };
            (Vec::new(), vec![version], Some(body))
        }
        ShellRequest::Receive { shell_id, command_id } => {
            let stream = of_command(element("DesiredStream"), command_id.as_ref());
            let keep_alive = Choice {
                name: "WSMAN_CMDSHELL_OPTION_KEEPALIVE",
                value: "True".to_owned(),
                must_comply: false,
            };
            let body = element("Receive").child(stream.text_node("stdout"));
            (shell(shell_id), vec![keep_alive], Some(body))
        }
        ShellRequest::Command { shell_id, command_id, arguments } => {
            let body = of_command(element("CommandLine"), Some(command_id))
                .child(element("Command"))
                .child(element("Arguments").text_node(STANDARD.encode(arguments)));
            // Without meaning for PowerShell; its clients send it, so servers are known to take it.
            let skip = Choice {
                name: "WINRS_SKIP_CMD_SHELL",
                value: "False".to_owned(),
                must_comply: false,
            };
            (shell(shell_id), vec![skip], Some(body))
        }
        ShellRequest::Send { shell_id, command_id, data } => {
            let stream = element("Stream").attribute("", "Name", "stdin");
            let stream = of_command(stream, command_id.as_ref()).text_node(STANDARD.encode(data));
            (shell(shell_id), Vec::new(), Some(element("Send").child(stream)))
        }
        ShellRequest::Signal { shell_id, command_id, code } => {
            let body = of_command(element("Signal"), Some(command_id))
                .child(element("Code").text_node(code));
            (shell(shell_id), Vec::new(), Some(body))
        }
        ShellRequest::Delete { shell_id } => (shell(shell_id), Vec::new(), None),
    };
    let request = Request {
        action: request.action(),
        resource: resource_uri.to_owned(),
        options,
        selectors,
        body,
    };
    soap::encode(request, header)
}

/// Decodes the reply to `request` as it was sent with `header`.
///
/// A fault is `Err(WsmanError::Fault)`; for a Receive one that [`is_time_out`](crate::wire::fault::Fault::is_time_out) means "ask again".
pub fn decode_shell(
    request: &ShellRequest,
    header: &Header,
    bytes: &[u8],
) -> Result<ShellReply, WsmanError> {
    let action = format!("{}Response", request.action());
    let body = soap::decode(bytes, &header.message_id, &action)?;
    match request {
        ShellRequest::Create { .. } => created(&body),
        ShellRequest::Command { .. } => {
            let reply = soap::only(&body, namespace::SHELL, "CommandResponse")?;
            let id = soap::only(reply, namespace::SHELL, "CommandId")?.text().trim().to_owned();
            Ok(ShellReply::Command { command_id: id })
        }
        ShellRequest::Receive { command_id, .. } => output(&body, command_id.as_deref()),
        ShellRequest::Send { .. } | ShellRequest::Signal { .. } | ShellRequest::Delete { .. } => {
            Ok(ShellReply::Done)
        }
    }
}

/// WinRM 1 sends only `ResourceCreated`, so the id is read from its selector first.
fn created(body: &Element) -> Result<ShellReply, WsmanError> {
    let selector = body
        .find(namespace::TRANSFER, "ResourceCreated")
        .and_then(|created| created.descendant(namespace::WSMAN, "SelectorSet"))
        .and_then(|set| {
            set.elements().find(|selector| {
                selector.is(namespace::WSMAN, "Selector")
                    && selector.attr("", "Name") == Some("ShellId")
            })
        });
    let id = if let Some(selector) = selector {
        selector.text()
    } else {
        let shell = soap::only(body, namespace::SHELL, "Shell")?;
        soap::only(shell, namespace::SHELL, "ShellId")?.text()
    };
    Ok(ShellReply::Created { shell_id: id.trim().to_owned() })
}

fn output(body: &Element, command_id: Option<&str>) -> Result<ShellReply, WsmanError> {
    let reply = soap::only(body, namespace::SHELL, "ReceiveResponse")?;
    let mut streams = Vec::new();
    let mut done = false;
    for child in reply.elements() {
        if child.is(namespace::SHELL, "Stream") {
            let text: String = child.text().chars().filter(|c| !c.is_ascii_whitespace()).collect();
            let bytes = STANDARD.decode(&text).map_err(|error| {
                WsmanError::unexpected("base64 in Stream", format!("something else ({error})"))
            })?;
            if !bytes.is_empty() {
                streams.push(bytes);
            }
        } else if child.is(namespace::SHELL, "CommandState") {
            // The state of another command of the same shell says nothing about this one.
            let ours = match (command_id, child.attr("", "CommandId")) {
                (Some(asked), Some(told)) => asked.eq_ignore_ascii_case(told),
                (Some(_) | None, None) => true,
                (None, Some(_)) => false,
            };
            done |= ours && child.attr("", "State") == Some(DONE);
        }
    }
    Ok(ShellReply::Output { streams, done })
}

fn element(name: &str) -> Element {
    Element::new(namespace::SHELL, name)
}

fn of_command(element: Element, command_id: Option<&String>) -> Element {
    match command_id {
        Some(id) => element.attribute("", "CommandId", id),
        None => element,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::wire::xml;

    const ID: &str = "4283CBDC-3706-415B-88BD-B385F3E51A53";

    fn receive() -> ShellRequest {
        ShellRequest::Receive { shell_id: "S".to_owned(), command_id: Some(ID.to_owned()) }
    }

    fn check_output(inner: &str, streams: &[&[u8]], done: bool) {
        let text = format!(
            "<s:Body xmlns:s='{}'><r:ReceiveResponse xmlns:r='{}'>{inner}</r:ReceiveResponse>\
             </s:Body>",
            namespace::SOAP,
            namespace::SHELL
        );
        let body = xml::parse(text.as_bytes()).unwrap();
        let streams = streams.iter().map(|stream| stream.to_vec()).collect();
        assert_eq!(output(&body, Some(ID)), Ok(ShellReply::Output { streams, done }), "{inner}");
    }

    #[test]
    fn output_comes_in_pieces_and_ends_with_its_own_state() {
        check_output("", &[], false);
        check_output(
            "<r:Stream Name='stdout'>aGk=</r:Stream><r:Stream Name='stdout'> Cg\n== </r:Stream>\
             <r:Stream Name='stdout' End='true'/>",
            &[b"hi", b"\n"],
            false,
        );
        let state = |id: &str| format!("<r:CommandState CommandId='{id}' State='{DONE}'/>");
        check_output(&state(&ID.to_lowercase()), &[], true);
        check_output(&state("OTHER"), &[], false);
    }

    #[test]
    fn a_stream_that_is_not_base64_is_refused() {
        let stream = Element::new(namespace::SHELL, "Stream").text_node("#");
        let reply = Element::new(namespace::SHELL, "ReceiveResponse").child(stream);
        let body = Element::new(namespace::SOAP, "Body").child(reply);
        assert!(matches!(output(&body, None), Err(WsmanError::Unexpected { .. })));
    }

    fn header() -> Header {
        Header {
            message_id: "uuid:1".to_owned(),
            session_id: "uuid:2".to_owned(),
            to: "http://ex01/PowerShell/".to_owned(),
            operation_timeout: std::time::Duration::from_millis(1500),
            max_envelope: 153_600,
        }
    }

    /// winrmtest says so that a shell is deleted.
    #[test]
    fn an_envelope_without_a_body_ends_what_wants_no_answer_and_nothing_else() {
        let reply = |action: &str| {
            format!(
                "<s:Envelope xmlns:s='{}' xmlns:a='{}'><s:Header><a:Action>{action}</a:Action>\
                 <a:RelatesTo>uuid:1</a:RelatesTo></s:Header></s:Envelope>",
                namespace::SOAP,
                namespace::ADDRESSING
            )
        };
        let delete = ShellRequest::Delete { shell_id: "S".to_owned() };
        let deleted = reply(&format!("{}/DeleteResponse", namespace::TRANSFER));
        assert_eq!(decode_shell(&delete, &header(), deleted.as_bytes()), Ok(ShellReply::Done));
        let received = reply(&format!("{}/ReceiveResponse", namespace::SHELL));
        assert!(decode_shell(&receive(), &header(), received.as_bytes()).is_err());
    }

    #[test]
    fn a_request_names_its_shell_and_command() {
        let bytes = encode_shell(&receive(), "http://x/Microsoft.Exchange", &header()).unwrap();
        let envelope = xml::parse(&bytes).unwrap();
        let text = |name| envelope.descendant(namespace::WSMAN, name).map(Element::text);
        assert_eq!(text("Selector").as_deref(), Some("S"));
        assert_eq!(text("OperationTimeout").as_deref(), Some("PT1.500S"));
        let stream = envelope.descendant(namespace::SHELL, "DesiredStream").unwrap();
        assert_eq!(stream.attr("", "CommandId"), Some(ID));
    }
}
