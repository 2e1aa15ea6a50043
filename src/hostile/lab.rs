//! The simulated farm's readers: it may stand in a network, for rehearsals.

use std::sync::Arc;
use std::sync::Mutex;

use jiff::Timestamp;
use uuid::Uuid;

use crate::hostile::psrp;
use crate::lab::cmd;
use crate::lab::cmd::Surroundings;
use crate::lab::cmdlet::CmdletFailure;
use crate::lab::cmdlet::CmdletOutput;
use crate::lab::cmdlet::Cmdlets;
use crate::lab::cmdlet::Parameters;
use crate::lab::exchange::ExchangeOrganisation;
use crate::lab::farm::FarmHost;
use crate::lab::host::Call;
use crate::lab::host::LabHost;
use crate::lab::host::Outcome;
use crate::lab::power::Manner;
use crate::lab::power::Power;
use crate::lab::power::Timing;
use crate::lab::probe;
use crate::lab::probe::Progress;
use crate::lab::psrp::PoolServer;
use crate::lab::request::Request;
use crate::lab::shell::Shells;
use crate::lab::wql;
use crate::model::host::HostName;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::wire::psrp::clixml;
use crate::wire::psrp::fragment::Assembler;
use crate::wire::psrp::message::Message;
use crate::wire::psrp::object::PsObject;
use crate::wire::xml;

/// The bytes to a new pool, and to an open one, with and without a command.
pub(super) fn pool(bytes: &[u8]) {
    hear(PoolServer::new(), None, bytes);
    for command in [None, Some(psrp::COMMAND)] {
        let mut open = PoolServer::new();
        drop(open.receive(None, &psrp::creation(), &mut Echo));
        hear(open, command, bytes);
    }
}

/// One request to an Exchange server, from its bytes to a reply that is readable.
pub(super) fn request(bytes: &[u8]) {
    let Ok(mut request) = Request::read(bytes) else { return };
    drop(answer(&mut host(), &mut request));
}

pub(super) fn wql(bytes: &[u8]) {
    let Ok(query) = wql::parse(&String::from_utf8_lossy(bytes)) else { return };
    if let Some(condition) = &query.condition {
        let _ = condition.test(&|name, _| Some(name.len() % 2 == 0));
    }
}

/// A line for the command processor: what it says does not grow beyond what it was told.
pub(super) fn command_line(bytes: &[u8]) {
    let host = host();
    let at = Surroundings {
        computer: &host.computer,
        account: r"CONTOSO\rms",
        version: host.windows.version,
        registry: &host.registry,
    };
    let line = String::from_utf8_lossy(bytes);
    let said = match probe::run(&line, Some(bytes)) {
        Some(Progress::Ended(said)) => said,
        Some(Progress::Reads | Progress::Hangs) => return,
        None => cmd::run(&line, at),
    };
    let most = 200 * (bytes.len() + 10);
    assert!(said.stdout.len() + said.stderr.len() <= most, "words from nowhere");
}

/// A host of every kind of class and endpoint.
pub(super) fn host() -> LabHost {
    let farm_host = FarmHost::new(HostName::new("EX1"), Role::Exchange, Product::Exchange2019);
    let organisation = ExchangeOrganisation::new("Contoso", Vec::new());
    let power = Power::new(Timestamp::UNIX_EPOCH, Timing::tour(), Manner::Returns);
    LabHost::new(farm_host, power, Shells::new(Some(Arc::new(Mutex::new(organisation)))))
}

/// The reply's envelope, if there is one.
pub(super) fn answer(host: &mut LabHost, request: &mut Request) -> Option<Vec<u8>> {
    let call = Call {
        now: Timestamp::UNIX_EPOCH,
        arrived: Timestamp::UNIX_EPOCH,
        account: r"CONTOSO\rms".to_owned(),
        admin: true,
        denied: false,
        exchange_path: false,
        fresh: [Uuid::from_u128(21), Uuid::from_u128(22)],
    };
    match host.answer(request, &call) {
        Outcome::Reply { status, envelope } => {
            assert!(matches!(status, 200 | 500), "status {status}");
            let tree = xml::parse(envelope.as_bytes());
            assert!(tree.is_ok(), "{tree:?}: {envelope}");
            Some(envelope.into_bytes())
        }
        Outcome::Lost | Outcome::Wait(_) => None,
    }
}

/// Every cmdlet says what it was given.
struct Echo;

impl Cmdlets for Echo {
    fn run(&mut self, name: &str, given: &Parameters) -> Result<CmdletOutput, CmdletFailure> {
        if name.is_empty() {
            return Err(CmdletFailure::unknown_cmdlet(name));
        }
        let mut output = vec![PsObject::Text(name.to_owned())];
        output.extend(given.positional.iter().cloned());
        output.extend(given.named.iter().map(|(_, value)| value.clone()));
        Ok(CmdletOutput { output, warnings: vec![name.to_owned()], errors: Vec::new() })
    }
}

/// Whatever a pool replies can be read by a client.
fn hear(mut server: PoolServer, command: Option<Uuid>, bytes: &[u8]) {
    drop(server.receive(command, bytes, &mut Echo));
    for queue in [None, Some(psrp::COMMAND)] {
        let mut assembler = Assembler::default();
        while let Some(reply) = server.reply(queue, 1000) {
            assert!(reply.len() <= 1000, "{} bytes for a room of 1000", reply.len());
            let messages = assembler.receive(&reply);
            assert!(messages.is_ok(), "{messages:?}");
            for message in messages.unwrap_or_default() {
                let said = Message::decode(&message).map(|message| clixml::decode(&message.body));
                let readable = match &said {
                    Ok(Ok(_)) => true,
                    // A list that was given back nests deeper than it did.
                    Ok(Err(error)) => matches!(
                        error,
                        clixml::ClixmlError::TooLarge
                            | clixml::ClixmlError::Xml(
                                xml::XmlError::TooDeep | xml::XmlError::TooLarge
                            )
                    ),
                    Err(_) => false,
                };
                assert!(readable, "{said:?}");
            }
        }
    }
}
