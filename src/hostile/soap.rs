//! XML, WS-Management replies with all they carry, and the replies of shells.

use std::time::Duration;

use crate::lab::request::Request;
use crate::model::particulars::AccessEntry;
use crate::model::registry::KeyPath;
use crate::model::registry::Kind;
use crate::model::registry::ValuePath;
use crate::wire::namespace;
use crate::wire::operation::Answer;
use crate::wire::operation::Read;
use crate::wire::operation::Write;
use crate::wire::psrp::fragment::Assembler;
use crate::wire::shell;
use crate::wire::shell::ShellReply;
use crate::wire::shell::ShellRequest;
use crate::wire::soap::Header;
use crate::wire::soap::WsmanError;
use crate::wire::winrs;
use crate::wire::wsman;
use crate::wire::wsman::Reply;
use crate::wire::wsman::Sent;
use crate::wire::xml;
use crate::wire::xml::XmlError;

/// Most members of an answer that are asked for again.
const ENOUGH: usize = 4;
pub(super) const SHELL_ID: &str = "00000000-0000-0000-0000-000000000001";
pub(super) const COMMAND_ID: &str = "00000000-0000-0000-0000-000000000007";

pub(super) fn xml(bytes: &[u8]) {
    let Ok(tree) = xml::parse(bytes) else { return };
    let text = tree.to_xml();
    match xml::parse(text.as_bytes()) {
        Ok(again) => assert_eq!(again.to_xml(), text, "written, read and written again"),
        // Escaping makes a text longer, which may take it over the limit.
        Err(error) => assert_eq!(error, XmlError::TooLarge, "what was written is read: {text}"),
    }
}

/// The bytes as the reply to each call whose reply they claim to be, and to Identify and Pull.
pub(super) fn wsman(bytes: &[u8]) {
    judge(wsman::decode_identify(bytes).map(Reply::Answer));
    let (header, action) = told(bytes);
    judge(wsman::decode(Sent::Pull { context: "c" }, &header, bytes));
    for read in reads() {
        if fits(&Sent::Read(&read), &action) {
            judge(wsman::decode(Sent::Read(&read), &header, bytes));
        }
    }
    for write in writes() {
        if fits(&Sent::Write(&write), &action) {
            judge(wsman::decode(Sent::Write(&write), &header, bytes));
        }
    }
}

pub(super) fn shell(bytes: &[u8]) {
    let (header, action) = told(bytes);
    let verb = action.rsplit('/').next().unwrap_or_default();
    for request in shell_requests() {
        let ours = request.name().rsplit('.').next().unwrap_or_default();
        if !verb.starts_with(ours) {
            continue;
        }
        match shell::decode_shell(&request, &header, bytes) {
            Ok(ShellReply::Output { streams, .. }) => {
                let carried: usize = streams.iter().map(Vec::len).sum();
                assert!(carried <= bytes.len(), "output from nowhere");
                let mut assembler = Assembler::default();
                drop(streams.iter().try_for_each(|one| assembler.receive(one).map(drop)));
            }
            Ok(ShellReply::Created { shell_id }) => {
                readable(shell::encode_shell(
                    &ShellRequest::Delete { shell_id },
                    "urn:resource",
                    &header,
                ));
            }
            Ok(ShellReply::Command { command_id }) => {
                let shell_id = SHELL_ID.to_owned();
                let receive = ShellRequest::Receive { shell_id, command_id: Some(command_id) };
                readable(shell::encode_shell(&receive, "urn:resource", &header));
            }
            Ok(ShellReply::Done) => {}
            Err(error) => explained(&error),
        }
    }
}

/// Output of a program: no more than was sent, whoever it claims to belong to.
pub(super) fn winrs(bytes: &[u8]) {
    let (header, _) = told(bytes);
    match winrs::decode_receive(COMMAND_ID, &header, bytes) {
        Ok(piece) => {
            assert!(piece.stdout.len() + piece.stderr.len() <= bytes.len(), "output from nowhere");
        }
        Err(error) => explained(&error),
    }
}

pub(super) fn reads() -> Vec<Read> {
    let path = || ValuePath::new(r"SOFTWARE\Microsoft\MSDRM", "ServiceLocation");
    let mut reads: Vec<Read> =
        Kind::ALL.into_iter().map(|kind| Read::Value { path: path(), kind }).collect();
    reads.extend([
        Read::Identify,
        Read::Settings,
        Read::Instance {
            class: "root/cimv2/Win32_Service",
            keys: vec![("Name", "WinRM".to_owned())],
        },
        Read::EnumValues(KeyPath::new(r"SOFTWARE\Microsoft")),
        Read::EnumKeys(KeyPath::new("SOFTWARE")),
        Read::CheckAccess { key: KeyPath::new("SOFTWARE"), required: 2 },
        query("SELECT * FROM Win32_OperatingSystem"),
        query("SELECT Name, State FROM Win32_Service WHERE Name='W3SVC' OR (Name<>'x')"),
    ]);
    reads
}

pub(super) fn writes() -> Vec<Write> {
    let path = || ValuePath::new(r"SOFTWARE\Microsoft\MSDRM", "ServiceLocation");
    let mut writes: Vec<Write> = super::seeds::values()
        .into_iter()
        .map(|value| Write::SetValue { path: path(), value })
        .collect();
    writes.extend([
        Write::CreateKey(KeyPath::new(r"SOFTWARE\rmsfleet\a")),
        Write::DeleteKey(KeyPath::new(r"SOFTWARE\rmsfleet\a")),
        Write::DeleteValue(path()),
        Write::SetAccessList {
            key: KeyPath::new(r"SOFTWARE\rmsfleet\a"),
            entries: vec![AccessEntry {
                sid: "S-1-5-20".to_owned(),
                allows: true,
                mask: 983_103,
                inherited_below: true,
            }],
        },
        Write::StartService("MSExchangeTransport".to_owned()),
        Write::StopService("MSExchangeTransport".to_owned()),
        Write::DeleteInstance { class: "root/x/Job", key: ("Name", "a".to_owned()) },
        Write::Restart { delay_seconds: 5, comment: "rmsfleet".to_owned() },
    ]);
    writes
}

pub(super) fn shell_requests() -> Vec<ShellRequest> {
    let shell_id = || SHELL_ID.to_owned();
    let command_id = || COMMAND_ID.to_owned();
    vec![
        ShellRequest::Create {
            shell_id: shell_id(),
            name: "rmsfleet".to_owned(),
            protocol_version: "2.3".to_owned(),
            creation_xml: super::psrp::creation(),
        },
        ShellRequest::Receive { shell_id: shell_id(), command_id: None },
        ShellRequest::Command {
            shell_id: shell_id(),
            command_id: command_id(),
            arguments: super::psrp::invocation(),
        },
        ShellRequest::Receive { shell_id: shell_id(), command_id: Some(command_id()) },
        ShellRequest::Send { shell_id: shell_id(), command_id: None, data: vec![1, 2, 3] },
        ShellRequest::Signal {
            shell_id: shell_id(),
            command_id: command_id(),
            code: shell::TERMINATE.to_owned(),
        },
        ShellRequest::Delete { shell_id: shell_id() },
    ]
}

pub(super) fn header(message_id: String) -> Header {
    Header {
        message_id,
        session_id: "uuid:00000000-0000-0000-0000-000000000002".to_owned(),
        to: "http://fs1:5985/wsman".to_owned(),
        operation_timeout: Duration::from_secs(20),
        max_envelope: 153_600,
    }
}

fn query(wql: &str) -> Read {
    Read::Query { namespace: "root/cimv2".to_owned(), wql: wql.to_owned() }
}

/// The header of the request that the bytes say they answer, and the action they claim: what is
/// spoiled shall not end at the first check.
fn told(bytes: &[u8]) -> (Header, String) {
    let tree = xml::parse(bytes).unwrap_or_default();
    let text = |name| {
        let header = tree.find(namespace::SOAP, "Header")?;
        Some(header.find(namespace::ADDRESSING, name)?.text().trim().to_owned())
    };
    (header(text("RelatesTo").unwrap_or_default()), text("Action").unwrap_or_default())
}

fn fits(sent: &Sent<'_>, action: &str) -> bool {
    let name = sent.name();
    action.contains(name.rsplit('.').next().unwrap_or_default())
}

/// Asks again for what an answer named; what is refused is refused in words.
fn judge(reply: Result<Reply, WsmanError>) {
    let header = header("uuid:1".to_owned());
    match reply {
        Ok(Reply::Answer(answer)) => follow(answer, &header),
        Ok(Reply::Page(page)) => {
            for instance in page.instances.iter().take(ENOUGH) {
                let _ = instance.text("Name");
            }
            if let Some(context) = page.next {
                readable(wsman::encode_pull("root/cimv2", &context, &header));
            }
        }
        Err(error) => explained(&error),
    }
}

fn follow(answer: Answer, header: &Header) {
    match answer {
        Answer::Keys { names, .. } => {
            for name in names.iter().take(ENOUGH) {
                readable(wsman::encode_read(&Read::EnumKeys(KeyPath::new(name)), header));
            }
        }
        Answer::Values { values, .. } => {
            for (name, number) in values.into_iter().take(ENOUGH) {
                let kind = Kind::from_number(number).unwrap_or(Kind::Sz);
                let path = ValuePath::new("SOFTWARE", name);
                readable(wsman::encode_read(&Read::Value { path, kind }, header));
            }
        }
        Answer::Value { value: Some(value), .. } => {
            let path = ValuePath::new("SOFTWARE", "x");
            readable(wsman::encode_write(&Write::SetValue { path, value }, header));
        }
        Answer::Value { value: None, .. }
        | Answer::Identity { .. }
        | Answer::Access { .. }
        | Answer::AccessList { .. }
        | Answer::ClientRestart { .. }
        | Answer::Instances(_)
        | Answer::Settings(_)
        | Answer::Templates { .. }
        | Answer::Done { .. } => {}
    }
}

/// A request is either refused before it is sent, or one that a server can read.
fn readable(request: Result<Vec<u8>, WsmanError>) {
    match request {
        Ok(bytes) => {
            assert!(Request::read(&bytes).is_ok(), "sent: {}", String::from_utf8_lossy(&bytes));
        }
        Err(error) => explained(&error),
    }
}

fn explained(error: &WsmanError) {
    assert!(!error.to_string().is_empty(), "an error without words");
    if let WsmanError::Fault(fault) = error {
        drop(fault.code_text());
        let _ = fault.meaning();
    }
}
