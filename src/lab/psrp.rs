//! The server of one runspace pool, [MS-PSRP] 3.2, as an endpoint in no-language mode: named cmdlets
//! run, scripts do not. No I/O: bytes in, bytes out when a Receive asks for them.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use uuid::Uuid;

use crate::lab::cmdlet::CmdletFailure;
use crate::lab::cmdlet::Cmdlets;
use crate::lab::cmdlet::Command;
use crate::wire::psrp::clixml;
use crate::wire::psrp::clixml::ClixmlError;
use crate::wire::psrp::clixml::Item;
use crate::wire::psrp::fragment::Assembler;
use crate::wire::psrp::fragment::FragmentError;
use crate::wire::psrp::fragment::HEADER;
use crate::wire::psrp::fragment::Outgoing;
use crate::wire::psrp::message::Destination;
use crate::wire::psrp::message::Kind;
use crate::wire::psrp::message::Mark;
use crate::wire::psrp::message::Message;
use crate::wire::psrp::message::MessageError;
use crate::wire::psrp::object::PsObject;
use crate::wire::psrp::record::ErrorRecord;
use crate::wire::psrp::record::warning_item;
use crate::wire::psrp::request::session_capability;
use crate::wire::psrp::version::Version;

/// Most pipelines that one pool keeps; clients end theirs by Signal.
const MAX_PIPELINES: usize = 64;

const COMPLETED: i32 = 4;
const FAILED: i32 = 5;
const STOPPED: i32 = 3;

/// What a client sent is no PSRP of this pool; its request is answered with a fault.
#[derive(Debug, thiserror::Error)]
pub enum PoolServerError {
    #[error("the stream of fragments is broken")]
    Fragment(#[from] FragmentError),
    #[error("a message is not readable")]
    Message(#[from] MessageError),
    #[error("the object of a message is not readable")]
    Object(#[from] ClixmlError),
    #[error("expected {expected}, the client sent {got}")]
    Unexpected { expected: &'static str, got: String },
}

/// One runspace pool. Replies wait, by the WS-Man CommandId they belong to, until asked for.
#[derive(Debug, Default)]
pub struct PoolServer {
    state: State,
    pool: Uuid,
    last_object: u64,
    assembler: Assembler,
    pipelines: BTreeMap<Uuid, Pipeline>,
    replies: BTreeMap<Option<Uuid>, VecDeque<Outgoing>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    New,
    Negotiated,
    Opened,
}

/// Kept under its CommandId; the id in the PSRP messages is the client's own affair.
#[derive(Debug)]
struct Pipeline {
    id: Uuid,
    commands: Vec<Command>,
    ended: bool,
}

impl PoolServer {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes fragments: of `creationXml` and the shell's Sends with no command, of a Command's
    /// `Arguments` and its Sends with the CommandId. Runs the pipelines that they complete.
    pub fn receive(
        &mut self,
        command: Option<Uuid>,
        fragments: &[u8],
        cmdlets: &mut impl Cmdlets,
    ) -> Result<(), PoolServerError> {
        for bytes in self.assembler.receive(fragments)? {
            self.message(command, &Message::decode(&bytes)?, cmdlets)?;
        }
        Ok(())
    }

    /// The next fragments for a Receive, together at most `room` bytes; `None` if nothing waits.
    pub fn reply(&mut self, command: Option<Uuid>, room: usize) -> Option<Vec<u8>> {
        let queue = self.replies.get_mut(&command)?;
        let mut out = Vec::new();
        while let Some(message) = queue.front_mut() {
            let left = room.saturating_sub(out.len());
            if !out.is_empty() && left <= HEADER {
                break;
            }
            out.extend(message.next(left).unwrap_or_default());
            if message.is_done() {
                queue.pop_front();
            }
        }
        Some(out).filter(|out| !out.is_empty())
    }

    /// Whether a reply waits.
    pub fn is_ready(&self, command: Option<Uuid>) -> bool {
        self.replies.get(&command).is_some_and(|queue| !queue.is_empty())
    }

    /// Whether the pipeline of this command ended and all it had to say was taken: CommandState Done.
    pub fn is_done(&self, command: Uuid) -> bool {
        self.pipelines.get(&command).is_some_and(|pipeline| pipeline.ended)
            && !self.is_ready(Some(command))
    }

    /// Signal: stops the pipeline if it has not ended, and forgets it.
    pub fn signal(&mut self, command: Uuid) {
        self.pipelines.remove(&command);
        self.replies.remove(&Some(command));
    }

    /// A stop that the client waits for (`powershell/signal/crtl_c`): the state arrives by Receive.
    pub fn stop(&mut self, command: Uuid) {
        if let Some(pipeline) = self.pipelines.get_mut(&command)
            && !pipeline.ended
        {
            pipeline.ended = true;
            let id = pipeline.id;
            self.say(Some(command), Kind::PipelineState, id, &state("PipelineState", STOPPED));
        }
    }

    fn message(
        &mut self,
        command: Option<Uuid>,
        message: &Message,
        cmdlets: &mut impl Cmdlets,
    ) -> Result<(), PoolServerError> {
        if message.destination != Destination::Server {
            return Err(unexpected("a message for the server", "one for the client"));
        }
        match (message.kind, self.state) {
            (Kind::SessionCapability, State::New) => {
                self.state = State::Negotiated;
                self.pool = message.pool;
                let capability = session_capability(Version::V2_3);
                self.say(None, Kind::SessionCapability, Uuid::nil(), &capability);
                Ok(())
            }
            (Kind::InitRunspacePool, State::Negotiated) => {
                clixml::decode(&message.body)?;
                self.state = State::Opened;
                self.say(None, Kind::ApplicationPrivateData, Uuid::nil(), &private_data());
                let opened = state("RunspaceState", 2);
                self.say(None, Kind::RunspacePoolState, Uuid::nil(), &opened);
                Ok(())
            }
            (Kind::CreatePipeline, State::Opened) => {
                let Some(command) = command else {
                    return Err(unexpected("a pipeline with a command id", "one without"));
                };
                self.create(command, message, cmdlets)
            }
            // The cmdlets here take no input.
            (Kind::PipelineInput, State::Opened) => Ok(()),
            (Kind::EndOfPipelineInput, State::Opened) => {
                if let Some(command) = command {
                    self.run(command, cmdlets);
                }
                Ok(())
            }
            (kind, state) => Err(unexpected(
                "a message that fits the pool's state",
                &format!("{kind:?} while it is {state:?}"),
            )),
        }
    }

    fn create(
        &mut self,
        command: Uuid,
        message: &Message,
        cmdlets: &mut impl Cmdlets,
    ) -> Result<(), PoolServerError> {
        if self.pipelines.len() >= MAX_PIPELINES || self.pipelines.contains_key(&command) {
            return Err(unexpected("a new command id", "one in use, or too many"));
        }
        let object = clixml::decode(&message.body)?;
        let commands = Command::of_pipeline(&object)
            .ok_or_else(|| unexpected("a list of commands", "a pipeline without one"))?;
        let pipeline = Pipeline { id: message.pipeline, commands, ended: false };
        self.pipelines.insert(command, pipeline);
        if object.property("NoInput").and_then(PsObject::bool) == Some(true) {
            self.run(command, cmdlets);
        }
        Ok(())
    }

    /// Runs a pipeline once: when its input ended, or at once if it has none.
    fn run(&mut self, command: Uuid, cmdlets: &mut impl Cmdlets) {
        let Some(pipeline) = self.pipelines.get_mut(&command).filter(|own| !own.ended) else {
            return;
        };
        pipeline.ended = true;
        let id = pipeline.id;
        let commands = std::mem::take(&mut pipeline.commands);
        let mut result = if commands.iter().any(|command| command.script) {
            Err(CmdletFailure::script())
        } else {
            Ok(())
        };
        for one in &commands {
            if result.is_err() {
                break;
            }
            result = cmdlets.run(&one.name, &one.parameters).map(|said| {
                for object in &said.output {
                    self.say(Some(command), Kind::PipelineOutput, id, &Item::from(object));
                }
                for warning in &said.warnings {
                    self.say(Some(command), Kind::WarningRecord, id, &warning_item(warning));
                }
                for error in &said.errors {
                    self.say(Some(command), Kind::ErrorRecord, id, &error.to_item());
                }
            });
        }
        let ended = match result {
            Ok(()) => state("PipelineState", COMPLETED),
            Err(CmdletFailure { message, fqid }) => Item::bag(vec![
                ("PipelineState", Item::i32(FAILED)),
                ("ExceptionAsErrorRecord", ErrorRecord { message, id: Some(fqid) }.to_item()),
            ]),
        };
        self.say(Some(command), Kind::PipelineState, id, &ended);
    }

    /// Windows writes a byte order mark, and SESSION_CAPABILITY with an all-zero pool id.
    fn say(&mut self, command: Option<Uuid>, kind: Kind, pipeline: Uuid, body: &Item) {
        let pool = if kind == Kind::SessionCapability { Uuid::nil() } else { self.pool };
        let body = clixml::encode(body).into_bytes();
        let message = Message { destination: Destination::Client, kind, pool, pipeline, body };
        self.last_object += 1;
        let outgoing = Outgoing::new(self.last_object, message.encode(Mark::With));
        self.replies.entry(command).or_default().push_back(outgoing);
    }
}

fn state(name: &str, number: i32) -> Item {
    Item::bag(vec![(name, Item::i32(number))])
}

/// APPLICATION_PRIVATE_DATA with the versions of a Windows Server 2019.
fn private_data() -> Item {
    const TYPES: [&str; 3] = [
        "System.Management.Automation.PSPrimitiveDictionary",
        "System.Collections.Hashtable",
        "System.Object",
    ];
    let versions = [
        ("PSVersion", "5.1.17763.1"),
        ("CLRVersion", "4.0.30319.42000"),
        ("BuildVersion", "10.0.17763.1"),
        ("WSManStackVersion", "3.0"),
        ("PSRemotingProtocolVersion", "2.3"),
        ("SerializationVersion", "1.1.0.1"),
    ];
    let mut table: Vec<(Item, Item)> = versions
        .into_iter()
        .map(|(name, version)| (Item::text(name), Item::version(version)))
        .collect();
    table.push((Item::text("PSEdition"), Item::text("Desktop")));
    let table = Item::dictionary(&TYPES, table);
    let all = Item::dictionary(&TYPES, vec![(Item::text("PSVersionTable"), table)]);
    Item::bag(vec![("ApplicationPrivateData", all)])
}

fn unexpected(expected: &'static str, got: &str) -> PoolServerError {
    PoolServerError::Unexpected { expected, got: got.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lab::cmdlet::CmdletOutput;
    use crate::lab::cmdlet::Parameters;
    use crate::wire::psrp::fragment;
    use crate::wire::psrp::pool::Pool;
    use crate::wire::psrp::reply::Finish;
    use crate::wire::psrp::reply::PoolEvent;
    use crate::wire::psrp::request::Invocation;

    const COMMAND: Uuid = Uuid::from_u128(7);
    const PIPELINE: Uuid = Uuid::from_u128(8);

    /// Every cmdlet brings its own name back.
    struct Echo;

    impl Cmdlets for Echo {
        fn run(&mut self, name: &str, _: &Parameters) -> Result<CmdletOutput, CmdletFailure> {
            let output = vec![PsObject::Text(name.to_owned())];
            Ok(CmdletOutput { output, ..CmdletOutput::default() })
        }
    }

    fn opened() -> (Pool, PoolServer) {
        let (mut pool, creation) = Pool::new(Uuid::from_u128(1), 200);
        let mut server = PoolServer::new();
        server.receive(None, &creation, &mut Echo).unwrap();
        while let Some(bytes) = server.reply(None, 100) {
            assert!(bytes.len() <= 100);
            pool.receive(&bytes).unwrap();
        }
        assert_eq!(pool.poll_event(), Some(PoolEvent::Opened));
        (pool, server)
    }

    fn say(kind: Kind, body: &Item) -> Vec<u8> {
        let message = Message {
            destination: Destination::Server,
            kind,
            pool: Uuid::from_u128(1),
            pipeline: PIPELINE,
            body: clixml::encode(body).into_bytes(),
        };
        fragment::split(99, &message.encode(Mark::Without), 1000).concat()
    }

    /// A pipeline of one command, as another client would begin it.
    fn creation(script: bool, no_input: bool) -> Vec<u8> {
        let command = Item::bag(vec![("Cmd", Item::text("1+1")), ("IsScript", Item::bool(script))]);
        let commands = Item::list(&["T"], vec![command]);
        let body = Item::bag(vec![
            ("NoInput", Item::bool(no_input)),
            ("PowerShell", Item::bag(vec![("Cmds", commands)])),
        ]);
        say(Kind::CreatePipeline, &body)
    }

    #[test]
    fn a_pipeline_is_answered_under_its_command_id_whatever_its_own() {
        let (mut pool, mut server) = opened();
        let invocation = Invocation { name: "Get-Thing", parameters: vec![] };
        for fragment in pool.pipeline(PIPELINE, &invocation).unwrap() {
            assert!(!server.is_done(COMMAND));
            server.receive(Some(COMMAND), &fragment, &mut Echo).unwrap();
        }
        assert!(server.reply(None, 1000).is_none());
        while !server.is_done(COMMAND) {
            pool.receive(&server.reply(Some(COMMAND), 100).unwrap()).unwrap();
        }
        let object = PsObject::Text("Get-Thing".to_owned());
        assert_eq!(pool.poll_event(), Some(PoolEvent::Output { pipeline: PIPELINE, object }));
        let how = Finish::Completed;
        assert_eq!(pool.poll_event(), Some(PoolEvent::Finished { pipeline: PIPELINE, how }));
    }

    #[test]
    fn a_pipeline_with_input_runs_when_the_input_ends() {
        let (_, mut server) = opened();
        server.receive(Some(COMMAND), &creation(false, false), &mut Echo).unwrap();
        assert!(!server.is_ready(Some(COMMAND)));
        server
            .receive(Some(COMMAND), &say(Kind::EndOfPipelineInput, &Item::Nil), &mut Echo)
            .unwrap();
        assert!(server.is_ready(Some(COMMAND)));
        server.signal(COMMAND);
        assert!(!server.is_ready(Some(COMMAND)));
    }

    #[test]
    fn a_script_is_refused() {
        let (_, mut server) = opened();
        server.receive(Some(COMMAND), &creation(true, true), &mut Echo).unwrap();
        let reply = server.reply(Some(COMMAND), 100_000).unwrap();
        assert!(String::from_utf8_lossy(&reply).contains("ScriptsNotAllowed"));
    }

    #[test]
    fn what_comes_too_early_or_twice_is_refused() {
        let mut server = PoolServer::new();
        assert!(server.receive(Some(COMMAND), &creation(false, true), &mut Echo).is_err());
        let (_, mut server) = opened();
        server.receive(Some(COMMAND), &creation(false, true), &mut Echo).unwrap();
        assert!(server.receive(Some(COMMAND), &creation(false, true), &mut Echo).is_err());
        let capability = session_capability(Version::V2_3);
        assert!(
            server.receive(None, &say(Kind::SessionCapability, &capability), &mut Echo).is_err()
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, body: String) {
            let (_, mut server) = opened();
            let _ = server.receive(Some(COMMAND), &bytes, &mut Echo);
            let _ = server.receive(Some(COMMAND), &say(Kind::CreatePipeline, &Item::text(body)), &mut Echo);
        }
    }
}
