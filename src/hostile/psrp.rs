//! PowerShell remoting: fragments, messages, serialised objects, and a client's pool.

use uuid::Uuid;

use crate::lab::cmdlet::Command;
use crate::wire::psrp::clixml;
use crate::wire::psrp::clixml::ClixmlError;
use crate::wire::psrp::clixml::Item;
use crate::wire::psrp::fragment;
use crate::wire::psrp::fragment::Assembler;
use crate::wire::psrp::message::Destination;
use crate::wire::psrp::message::Kind;
use crate::wire::psrp::message::Mark;
use crate::wire::psrp::message::Message;
use crate::wire::psrp::object::PsObject;
use crate::wire::psrp::pool::Pool;
use crate::wire::psrp::record;
use crate::wire::psrp::record::ErrorRecord;
use crate::wire::psrp::reply;
use crate::wire::psrp::request::Invocation;
use crate::wire::psrp::request::Parameter;
use crate::wire::xml::XmlError;

pub(super) const POOL: Uuid = Uuid::from_u128(1);
pub(super) const COMMAND: Uuid = Uuid::from_u128(7);
/// Largest text that is written again: what references unfold to is bounded, and long.
const LARGE: usize = 1 << 20;

/// What a server says, for the oracle that wraps bodies itself.
pub(super) const SAID: [Kind; 10] = [
    Kind::PipelineOutput,
    Kind::ErrorRecord,
    Kind::WarningRecord,
    Kind::PipelineState,
    Kind::RunspacePoolState,
    Kind::PipelineHostCall,
    Kind::RunspacePoolHostCall,
    Kind::ApplicationPrivateData,
    Kind::SessionCapability,
    Kind::Other(0x0004_1010),
];

pub(super) fn fragments(bytes: &[u8]) {
    let mut assembler = Assembler::default();
    let Ok(messages) = assembler.receive(bytes) else { return };
    let carried: usize = messages.iter().map(Vec::len).sum();
    assert!(carried <= bytes.len(), "a message from nowhere");
    for message in messages.into_iter().take(8) {
        let stream = fragment::split(9, &message, 400).concat();
        assert_eq!(Assembler::default().receive(&stream), Ok(vec![message]));
    }
}

pub(super) fn message(bytes: &[u8]) {
    let Ok(message) = Message::decode(bytes) else { return };
    // A body that itself begins with a mark would lose that one too.
    let marked = message.body.starts_with(b"\xef\xbb\xbf");
    for mark in [Mark::With, Mark::Without] {
        let again = Message::decode(&message.encode(mark));
        assert!(again.as_ref() == Ok(&message) || marked, "{again:?}");
    }
    drop(clixml::decode(&message.body));
}

pub(super) fn clixml(bytes: &[u8]) {
    // Errors on standard error are never longer than what was said.
    let said = String::from_utf8_lossy(bytes);
    let block = format!("#< CLIXML\r\n{said}");
    assert!(clixml::errors(&block).len() <= block.len(), "text from nowhere");
    let Ok(object) = clixml::decode(bytes) else { return };
    look_into(&object);
    let text = clixml::encode(&Item::from(&object));
    if text.len() > LARGE {
        return;
    }
    match clixml::decode(text.as_bytes()) {
        Ok(again) => {
            assert_eq!(
                clixml::encode(&Item::from(&again)),
                text,
                "written, read and written again"
            );
        }
        // A bare list is written as an object that holds it, so it nests deeper.
        Err(error) => assert!(
            matches!(error, ClixmlError::TooLarge | ClixmlError::Xml(XmlError::TooDeep)),
            "{error}: {text}"
        ),
    }
}

/// The bytes to a new pool, to an open one with a pipeline, and as the body of one message.
pub(super) fn pool(bytes: &[u8]) {
    let (mut new, _) = Pool::new(POOL, 500);
    hear(&mut new, bytes);
    if let Some(mut open) = open_pool() {
        hear(&mut open, bytes);
    }
    if let (Some(mut open), Some((first, body))) = (open_pool(), bytes.split_first()) {
        let kind = SAID.get(usize::from(*first) % SAID.len()).copied().unwrap_or(Kind::Other(0));
        hear(&mut open, &said(40, kind, body.to_vec()));
    }
}

/// One message of a server as its fragments.
pub(super) fn said(object: u64, kind: Kind, body: Vec<u8>) -> Vec<u8> {
    let message =
        Message { destination: Destination::Client, kind, pool: POOL, pipeline: COMMAND, body };
    fragment::split(object, &message.encode(Mark::With), 900).concat()
}

/// What a server says until its pool is open.
pub(super) fn greeting() -> Vec<u8> {
    let capability = Item::bag(vec![("protocolversion", Item::version("2.3"))]);
    let opened = Item::bag(vec![("RunspaceState", Item::i32(2))]);
    let body = |item: &Item| clixml::encode(item).into_bytes();
    [
        said(1, Kind::SessionCapability, body(&capability)),
        said(2, Kind::RunspacePoolState, body(&opened)),
    ]
    .concat()
}

/// A client's first fragments.
pub(super) fn creation() -> Vec<u8> {
    Pool::new(POOL, 2000).1
}

/// The fragments of a client's pipeline.
pub(super) fn invocation() -> Vec<u8> {
    let (mut pool, _) = Pool::new(POOL, 2000);
    drop(pool.receive(&greeting()));
    let invocation = Invocation {
        name: "Set-IRMConfiguration",
        parameters: vec![
            ("InternalLicensingEnabled", Parameter::Bool(true)),
            ("DomainController", Parameter::Text("dc1.contoso.com")),
        ],
    };
    pool.pipeline(COMMAND, &invocation).unwrap_or_default().concat()
}

fn open_pool() -> Option<Pool> {
    let (mut pool, _) = Pool::new(POOL, 500);
    pool.receive(&greeting()).ok()?;
    pool.poll_event()?;
    pool.pipeline(COMMAND, &Invocation { name: "Get-Thing", parameters: Vec::new() }).ok()?;
    Some(pool)
}

/// Events are fewer than bytes, and a broken pool stays broken.
fn hear(pool: &mut Pool, bytes: &[u8]) {
    let heard = pool.receive(bytes);
    let events = std::iter::from_fn(|| pool.poll_event()).count();
    assert!(events <= bytes.len(), "events from nowhere");
    if let Err(error) = heard {
        assert!(!error.to_string().is_empty(), "an error without words");
        assert!(pool.receive(b"").is_err(), "a broken pool was used again");
    }
}

/// Whatever looks into an object that a server or a client sent.
fn look_into(object: &PsObject) {
    drop(ErrorRecord::from_object(object).to_string());
    drop(record::informational(object));
    drop(reply::version(object));
    drop(reply::pool_state(object));
    drop(reply::finish(object));
    drop(reply::host_call(object));
    drop(Command::of_pipeline(object));
    drop(object.to_text());
    let _ = (object.int(), object.bool(), object.list().map(<[PsObject]>::len));
}
