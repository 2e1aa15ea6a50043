//! PSRP against what Windows servers and other clients were recorded to send.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmsfleet::wire::namespace;
use rmsfleet::wire::psrp::clixml;
use rmsfleet::wire::psrp::fragment::Assembler;
use rmsfleet::wire::psrp::message::Kind;
use rmsfleet::wire::psrp::message::Mark;
use rmsfleet::wire::psrp::message::Message;
use rmsfleet::wire::psrp::object::PsObject;
use rmsfleet::wire::psrp::pool::Pool;
use rmsfleet::wire::psrp::record::ErrorRecord;
use rmsfleet::wire::psrp::reply::Finish;
use rmsfleet::wire::psrp::reply::PoolEvent;
use rmsfleet::wire::psrp::request::Invocation;
use rmsfleet::wire::psrp::request::Parameter;
use rmsfleet::wire::xml;
use rmsfleet::wire::xml::Element;
use serde_json::Value;

use crate::shared::captures;

/// The messages that we know by name, as the recording spells them.
const NAMED: [&str; 12] = [
    "SESSION_CAPABILITY",
    "INIT_RUNSPACEPOOL",
    "RUNSPACEPOOL_STATE",
    "CREATE_PIPELINE",
    "APPLICATION_PRIVATE_DATA",
    "PIPELINE_INPUT",
    "END_OF_PIPELINE_INPUT",
    "PIPELINE_OUTPUT",
    "ERROR_RECORD",
    "PIPELINE_STATE",
    "WARNING_RECORD",
    "PIPELINE_HOST_CALL",
];

/// What `powershell.exe` wrote to standard error, as another client recorded it.
#[test]
fn of_recorded_standard_error_the_errors_remain() {
    let Some(folder) = captures("pypsrp/data") else { return };
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let noise = read("test_sanitise_clixml_with_no_errors.xml");
    assert_eq!(clixml::errors(&noise).trim(), "");
    let both = read("test_sanitise_clixml_with_error.xml");
    let told = clixml::errors(&both);
    assert!(told.starts_with("fake : "), "{told}");
    assert!(!told.contains("_x000") && !told.contains('<'), "{told}");
}

/// The messages of one recorded conversation, in order, by the names of the recording.
fn recorded(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kind(row: &Value) -> Kind {
    let number = text(row, "message_type").strip_prefix("0x").unwrap();
    Kind::from_number(u32::from_str_radix(number, 16).unwrap())
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap()
}

#[test]
fn every_recorded_message_decodes() {
    let Some(folder) = captures("derived") else { return };
    let rows = recorded(&folder.join("psrp_messages.jsonl"));
    assert!(rows.len() > 150, "only {} messages", rows.len());
    for row in rows {
        let body = text(&row, "data");
        if !body.is_empty() {
            clixml::decode(body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {body}"));
        }
        let named = !matches!(kind(&row), Kind::Other(_));
        assert_eq!(named, NAMED.contains(&text(&row, "message_name")), "{row}");
    }
}

#[test]
fn every_recorded_literal_decodes() {
    for folder in ["extracted-literals/psrpcore-clixml", "extracted-literals/pypsrp-clixml"] {
        let Some(folder) = captures(folder) else { return };
        let files: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty());
        for file in files {
            let bytes = fs::read(&file).unwrap();
            let object =
                clixml::decode(&bytes).unwrap_or_else(|error| panic!("{file:?}: {error:?}"));
            assert!(matches!(object, PsObject::Complex(_)), "{file:?}: {object:?}");
        }
    }
}

/// The text of every element of that name in the SOAP files of a conversation, from base64.
fn payloads(case: &Path, suffix: &str, namespace: &str, name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = fs::read_dir(case)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(suffix))
        .collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        collect(&xml::parse(&fs::read(file).unwrap()).unwrap(), namespace, name, &mut found);
    }
    found.iter().map(|text| STANDARD.decode(text).unwrap()).collect()
}

fn collect(element: &Element, namespace: &str, name: &str, found: &mut Vec<String>) {
    if element.is(namespace, name) {
        found.push(element.text());
    }
    for child in element.elements() {
        collect(child, namespace, name, found);
    }
}

fn tree(message: &Message) -> Element {
    xml::parse(&message.body).unwrap()
}

fn messages(fragments: &[u8]) -> Vec<Message> {
    let all = Assembler::default().receive(fragments).unwrap();
    all.iter().map(|bytes| Message::decode(bytes).unwrap()).collect()
}

#[test]
fn our_creation_payload_is_the_one_that_windows_took() {
    let Some(folder) = captures("derived/pypsrp-pairs") else { return };
    for case in ["psrp_open_runspace", "psrp_with_jea_configuration", "psrp_error_failed"] {
        let theirs =
            payloads(&folder.join(case), "request.xml", namespace::POWERSHELL, "creationXml");
        let theirs = messages(&theirs[0]);
        let (_, ours) = Pool::new(theirs[0].pool, 100_000);
        let ours = messages(&ours);
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(tree(ours), tree(theirs), "{case}");
            let header = |message: &Message| {
                let bytes = message.encode(Mark::Without);
                bytes[..40].to_vec()
            };
            assert_eq!(header(ours), header(theirs), "{case}");
        }
    }
}

/// Plays the server's half of a recorded conversation to our client, which runs the same cmdlet.
fn replay(case: &Path, invocation: &Invocation<'_>) -> (Message, Message, Vec<PoolEvent>) {
    let create = payloads(case, "request.xml", namespace::POWERSHELL, "creationXml");
    let command = payloads(case, "request.xml", namespace::SHELL, "Arguments");
    let streams = payloads(case, "response.xml", namespace::SHELL, "Stream");
    let theirs = messages(&command[0]).remove(0);
    let (mut pool, _) = Pool::new(messages(&create[0])[0].pool, 100_000);
    let mut ours = None;
    let mut events = Vec::new();
    for stream in streams {
        pool.receive(&stream).unwrap();
        while let Some(event) = pool.poll_event() {
            if event == PoolEvent::Opened {
                let fragments = pool.pipeline(theirs.pipeline, invocation).unwrap();
                ours = messages(&fragments.concat()).pop();
            }
            events.push(event);
        }
    }
    (ours.unwrap(), theirs, events)
}

#[test]
fn our_pipeline_is_the_one_that_a_no_language_endpoint_took() {
    let Some(folder) = captures("derived/pypsrp-pairs") else { return };
    let path = r"WSMan:\localhost\Service\AllowUnencrypted";
    let invocation =
        Invocation { name: "Get-Item", parameters: vec![("Path", Parameter::Text(path))] };
    let (ours, theirs, events) = replay(&folder.join("psrp_with_jea_configuration"), &invocation);
    assert_eq!(tree(&ours), tree(&theirs));
    assert_eq!((ours.pool, ours.pipeline), (theirs.pool, theirs.pipeline));
    let [PoolEvent::Opened, PoolEvent::Output { object, .. }, PoolEvent::Finished { how, .. }] =
        &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(object.property("Value").and_then(PsObject::text).as_deref(), Some("true"));
    assert_eq!(how, &Finish::Completed);
}

#[test]
fn a_recorded_failure_is_told_in_its_own_words() {
    let Some(folder) = captures("derived/pypsrp-pairs") else { return };
    let invocation = Invocation { name: "Get-Item", parameters: vec![] };
    let (_, _, events) = replay(&folder.join("psrp_error_failed"), &invocation);
    let error = ErrorRecord {
        message: "error".to_owned(),
        id: Some("Microsoft.PowerShell.Commands.WriteErrorException".to_owned()),
    };
    let last = events.last().unwrap();
    assert!(
        matches!(last, PoolEvent::Finished { how: Finish::Failed(got), .. } if *got == error),
        "{events:?}"
    );
}

#[test]
fn recorded_records_are_told_in_their_own_words() {
    let Some(folder) = captures("derived") else { return };
    let mut told = BTreeMap::new();
    for row in recorded(&folder.join("psrp_messages.jsonl")) {
        let object = || clixml::decode(text(&row, "data").as_bytes()).unwrap();
        if kind(&row) == Kind::ErrorRecord {
            let error = ErrorRecord::from_object(&object());
            told.insert(error.id.unwrap(), error.message);
        }
        if kind(&row) == Kind::WarningRecord {
            told.insert("warning".into(), rmsfleet::wire::psrp::record::informational(&object()));
        }
    }
    assert_eq!(told.get("warning").map(String::as_str), Some("warning stream"));
    assert_eq!(
        told.get("Microsoft.PowerShell.Commands.WriteErrorException").map(String::as_str),
        Some("error stream")
    );
    assert_eq!(told.len(), 3, "{told:?}");
}
