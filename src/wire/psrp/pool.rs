//! The client of one runspace pool, [MS-PSRP] 3.1, without any I/O: bytes in, bytes and events out.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::mem;

use uuid::Uuid;

use crate::wire::psrp::clixml;
use crate::wire::psrp::clixml::Item;
use crate::wire::psrp::error::PoolError;
use crate::wire::psrp::fragment;
use crate::wire::psrp::fragment::Assembler;
use crate::wire::psrp::message::Destination;
use crate::wire::psrp::message::Kind;
use crate::wire::psrp::message::Mark;
use crate::wire::psrp::message::Message;
use crate::wire::psrp::object::PsObject;
use crate::wire::psrp::record;
use crate::wire::psrp::record::ErrorRecord;
use crate::wire::psrp::reply;
use crate::wire::psrp::reply::PoolEvent;
use crate::wire::psrp::reply::PoolState;
use crate::wire::psrp::request;
use crate::wire::psrp::request::Invocation;
use crate::wire::psrp::version::Version;

/// The version that we offer, also as the `protocolversion` option of Create.
pub const OFFERED: Version = Version::V2_3;

/// The client's side of a runspace pool with one pipeline at a time, or several.
#[derive(Debug)]
pub struct Pool {
    state: State,
    id: Uuid,
    fragment_size: usize,
    last_object: u64,
    assembler: Assembler,
    pipelines: BTreeSet<Uuid>,
    events: VecDeque<PoolEvent>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The creation payload is on its way; nothing is known of the server.
    Greeting,
    Opening(Version),
    Opened(Version),
    Ended,
    #[default]
    Broken,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Greeting | Self::Opening(_) => "opening",
            Self::Opened(_) => "open",
            Self::Ended => "closed",
            Self::Broken => "broken",
        }
    }
}

impl Pool {
    /// Begins a pool. `id` must be fresh; `fragment_size` is the largest fragment in bytes, as by
    /// [`fragment::size_for_envelope`]. The bytes go, as base64, into the Create's `creationXml`.
    pub fn new(id: Uuid, fragment_size: usize) -> (Self, Vec<u8>) {
        let mut pool = Self {
            state: State::Greeting,
            id,
            fragment_size,
            last_object: 0,
            assembler: Assembler::default(),
            pipelines: BTreeSet::new(),
            events: VecDeque::new(),
        };
        let mut creation = Vec::new();
        for (kind, body) in [
            (Kind::SessionCapability, request::session_capability(OFFERED)),
            (Kind::InitRunspacePool, request::init_runspace_pool()),
        ] {
            creation.extend(pool.fragments(kind, Uuid::nil(), &body).concat());
        }
        (pool, creation)
    }

    /// Begins a pipeline of one cmdlet. The first fragment goes into the Command's `Arguments`, the
    /// others by Send on `stdin`; `pipeline` must be fresh and is the CommandId too.
    pub fn pipeline(
        &mut self,
        pipeline: Uuid,
        invocation: &Invocation<'_>,
    ) -> Result<Vec<Vec<u8>>, PoolError> {
        let State::Opened(version) = self.state else {
            return Err(PoolError::State(self.state.name()));
        };
        self.pipelines.insert(pipeline);
        let body = request::create_pipeline(version, invocation);
        Ok(self.fragments(Kind::CreatePipeline, pipeline, &body))
    }

    /// Takes the decoded bytes of one `Stream` element. After an error the pool is broken.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), PoolError> {
        let mut state = mem::take(&mut self.state);
        if state == State::Broken {
            return Err(PoolError::State(state.name()));
        }
        for message in self.assembler.receive(bytes)? {
            state = self.message(state, &Message::decode(&message)?)?;
        }
        self.state = state;
        Ok(())
    }

    /// The next thing the server said, in the server's order.
    pub fn poll_event(&mut self) -> Option<PoolEvent> {
        self.events.pop_front()
    }

    fn fragments(&mut self, kind: Kind, pipeline: Uuid, body: &Item) -> Vec<Vec<u8>> {
        let message = Message {
            destination: Destination::Server,
            kind,
            pool: self.id,
            pipeline,
            body: clixml::encode(body).into_bytes(),
        };
        self.last_object += 1;
        fragment::split(self.last_object, &message.encode(Mark::Without), self.fragment_size)
    }

    fn message(&mut self, state: State, message: &Message) -> Result<State, PoolError> {
        if message.destination != Destination::Client {
            return Err(PoolError::unexpected("a message for the client", "one for the server"));
        }
        // Windows sends SESSION_CAPABILITY with an all-zero pool id.
        if message.pool != self.id && !message.pool.is_nil() {
            return Err(PoolError::unexpected("a message of this pool", message.pool.to_string()));
        }
        match message.kind {
            Kind::SessionCapability => capability(state, &clixml::decode(&message.body)?),
            Kind::RunspacePoolState => self.pool_state(state, &clixml::decode(&message.body)?),
            Kind::RunspacePoolHostCall | Kind::PipelineHostCall => {
                reply::host_call(&clixml::decode(&message.body)?)?;
                Ok(state)
            }
            Kind::PipelineOutput => self.of_pipeline(state, message, |pipeline, object| {
                Ok(Some(PoolEvent::Output { pipeline, object }))
            }),
            Kind::ErrorRecord => self.of_pipeline(state, message, |pipeline, object| {
                let error = ErrorRecord::from_object(&object);
                Ok(Some(PoolEvent::Error { pipeline, error }))
            }),
            Kind::WarningRecord => self.of_pipeline(state, message, |pipeline, object| {
                let message = record::informational(&object);
                Ok(Some(PoolEvent::Warning { pipeline, message }))
            }),
            Kind::PipelineState => self.of_pipeline(state, message, |pipeline, object| {
                Ok(reply::finish(&object)?.map(|how| PoolEvent::Finished { pipeline, how }))
            }),
            Kind::ApplicationPrivateData | Kind::Other(_) => Ok(state),
            Kind::InitRunspacePool
            | Kind::CreatePipeline
            | Kind::PipelineInput
            | Kind::EndOfPipelineInput => Err(PoolError::unexpected(
                "a message that servers send",
                format!("{:?}", message.kind),
            )),
        }
    }

    fn pool_state(&mut self, state: State, object: &PsObject) -> Result<State, PoolError> {
        Ok(match (reply::pool_state(object)?, state) {
            (PoolState::Opened, State::Opening(version)) => {
                self.events.push_back(PoolEvent::Opened);
                State::Opened(version)
            }
            (PoolState::Opened, State::Greeting) => {
                return Err(PoolError::unexpected("the session capability", "an opened pool"));
            }
            (PoolState::Ended(why), _) => {
                self.events.push_back(PoolEvent::Ended(why));
                State::Ended
            }
            (PoolState::OnTheWay, state)
            | (PoolState::Opened, state @ (State::Opened(_) | State::Ended | State::Broken)) => {
                state
            }
        })
    }

    /// What a pipeline says after its end, or after we gave it up, is of no interest.
    fn of_pipeline(
        &mut self,
        state: State,
        message: &Message,
        read: impl FnOnce(Uuid, PsObject) -> Result<Option<PoolEvent>, PoolError>,
    ) -> Result<State, PoolError> {
        let pipeline = message.pipeline;
        if !self.pipelines.contains(&pipeline) {
            return Ok(state);
        }
        let event = read(pipeline, clixml::decode(&message.body)?)?;
        if matches!(event, Some(PoolEvent::Finished { .. })) {
            self.pipelines.remove(&pipeline);
        }
        self.events.extend(event);
        Ok(state)
    }
}

fn capability(state: State, object: &PsObject) -> Result<State, PoolError> {
    if state != State::Greeting {
        return Err(PoolError::unexpected("one session capability", "another"));
    }
    let theirs = reply::version(object)?;
    if theirs.major != OFFERED.major {
        return Err(PoolError::unexpected("a protocol version 2.x", theirs.to_string()));
    }
    Ok(State::Opening(theirs.min(OFFERED)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::psrp::record::warning_item;
    use crate::wire::psrp::reply::Finish;

    const POOL: Uuid = Uuid::from_u128(1);
    const PIPE: Uuid = Uuid::from_u128(2);

    /// What a server says, one message after the other.
    #[derive(Default)]
    struct Server(u64);

    impl Server {
        fn says(&mut self, kind: Kind, pipeline: Uuid, body: &Item) -> Vec<u8> {
            self.0 += 1;
            let message = Message {
                destination: Destination::Client,
                kind,
                pool: POOL,
                pipeline,
                body: clixml::encode(body).into_bytes(),
            };
            fragment::split(self.0, &message.encode(Mark::With), 64).concat()
        }

        fn opens(&mut self, version: &str) -> Vec<u8> {
            let capability = Item::bag(vec![("protocolversion", Item::version(version))]);
            let opened = Item::bag(vec![("RunspaceState", Item::i32(2))]);
            [
                self.says(Kind::SessionCapability, Uuid::nil(), &capability),
                self.says(Kind::ApplicationPrivateData, Uuid::nil(), &Item::Nil),
                self.says(Kind::RunspacePoolState, Uuid::nil(), &opened),
            ]
            .concat()
        }
    }

    fn invocation() -> Invocation<'static> {
        Invocation {
            name: "Get-Thing",
            parameters: vec![("Force", request::Parameter::Bool(true))],
        }
    }

    fn opened(version: &str) -> (Pool, Server) {
        let (mut pool, creation) = Pool::new(POOL, 1000);
        assert_eq!(Assembler::default().receive(&creation).map(|all| all.len()), Ok(2));
        let mut server = Server::default();
        pool.receive(&server.opens(version)).unwrap();
        assert_eq!(pool.poll_event(), Some(PoolEvent::Opened));
        (pool, server)
    }

    fn state(number: i32) -> Item {
        Item::bag(vec![("PipelineState", Item::i32(number))])
    }

    /// What comes out of an open pool with one pipeline when the server says these.
    fn check(said: &[(Kind, Item)], expected: &[PoolEvent]) {
        let (mut pool, mut server) = opened("2.3");
        pool.pipeline(PIPE, &invocation()).unwrap();
        for (kind, body) in said {
            pool.receive(&server.says(*kind, PIPE, body)).unwrap();
        }
        assert_eq!(std::iter::from_fn(|| pool.poll_event()).collect::<Vec<_>>(), expected);
    }

    fn refused(bytes: &[u8], pool: &mut Pool, text: &str) {
        assert_eq!(pool.receive(bytes).unwrap_err().to_string(), text);
        let after = pool.receive(b"").unwrap_err().to_string();
        assert_eq!(after, "expected an open runspace pool, it is broken");
    }

    #[test]
    fn output_errors_and_warnings_come_in_order_and_noise_does_not() {
        let error = ErrorRecord { message: "no".into(), id: Some("No,Get-Thing".into()) };
        check(
            &[
                (Kind::PipelineState, state(2)),
                (Kind::PipelineOutput, Item::text("a")),
                (Kind::Other(0x0004_1010), Item::Nil),
                (Kind::ErrorRecord, error.to_item()),
                (Kind::WarningRecord, warning_item("careful")),
                (Kind::PipelineState, state(4)),
                (Kind::PipelineOutput, Item::text("too late")),
            ],
            &[
                PoolEvent::Output { pipeline: PIPE, object: PsObject::Text("a".into()) },
                PoolEvent::Error { pipeline: PIPE, error },
                PoolEvent::Warning { pipeline: PIPE, message: "careful".into() },
                PoolEvent::Finished { pipeline: PIPE, how: Finish::Completed },
            ],
        );
    }

    #[test]
    fn a_failed_pipeline_says_why() {
        let error = ErrorRecord { message: "nope".into(), id: Some("ScriptsNotAllowed".into()) };
        let failed = Item::bag(vec![
            ("PipelineState", Item::i32(5)),
            ("ExceptionAsErrorRecord", error.to_item()),
        ]);
        let how = Finish::Failed(error);
        check(&[(Kind::PipelineState, failed)], &[PoolEvent::Finished { pipeline: PIPE, how }]);
    }

    #[test]
    fn an_older_server_gets_fewer_members() {
        let members = |version: &str| {
            let (mut pool, _) = opened(version);
            let fragments = pool.pipeline(PIPE, &invocation()).unwrap();
            assert!(fragments.len() > 1 && fragments.iter().all(|one| one.len() <= 1000));
            let message = Assembler::default().receive(&fragments.concat()).unwrap();
            let body = String::from_utf8(Message::decode(&message[0]).unwrap().body).unwrap();
            [body.contains("MergeError"), body.contains("MergeInformation")]
        };
        assert_eq!(members("2.1"), [false, false]);
        assert_eq!(members("2.2"), [true, false]);
        assert_eq!(members("2.3"), [true, true]);
        assert_eq!(members("2.4"), [true, true]);
    }

    #[test]
    fn a_closed_pool_says_so_and_takes_no_pipeline() {
        let (mut pool, mut server) = opened("2.3");
        let closed = Item::bag(vec![("RunspaceState", Item::i32(3))]);
        pool.receive(&server.says(Kind::RunspacePoolState, Uuid::nil(), &closed)).unwrap();
        let reason = "the server closed the runspace pool".to_owned();
        assert_eq!(pool.poll_event(), Some(PoolEvent::Ended(reason)));
        assert!(pool.pipeline(PIPE, &invocation()).is_err());
    }

    #[test]
    fn a_question_to_the_user_is_an_error_unless_it_wants_no_answer() {
        let call = |id: i32| {
            let method = Item::enumeration("RemoteHostMethodId", "PromptForChoice", 26);
            Item::bag(vec![("ci", Item::i32(id)), ("mi", method)])
        };
        check(&[(Kind::PipelineHostCall, call(-100))], &[]);
        let (mut pool, mut server) = opened("2.3");
        let bytes = server.says(Kind::PipelineHostCall, PIPE, &call(1));
        let text = "the server asks for `PromptForChoice` of a user, and nobody is there";
        refused(&bytes, &mut pool, text);
    }

    #[test]
    fn what_does_not_belong_here_breaks_the_pool() {
        let (mut pool, _) = Pool::new(POOL, 1000);
        let text = "expected a protocol version 2.x, the server sent 3.0";
        refused(&Server::default().opens("3.0"), &mut pool, text);

        let (mut pool, mut server) = opened("2.3");
        let again = server.opens("2.3");
        refused(&again, &mut pool, "expected one session capability, the server sent another");

        let (mut pool, mut server) = opened("2.3");
        let mut bytes = server.says(Kind::PipelineOutput, PIPE, &Item::Nil);
        bytes[21 + 8] ^= 0xff;
        let text =
            "expected a message of this pool, the server sent 000000ff-0000-0000-0000-000000000001";
        refused(&bytes, &mut pool, text);

        let (mut pool, _) = opened("2.3");
        refused(b"short", &mut pool, "the stream of fragments is broken");
    }

    proptest! {
        #[test]
        fn any_message_is_survived(kind: u32, named in 0_usize..14, body: Vec<u8>) {
            let kinds = [
                Kind::SessionCapability, Kind::RunspacePoolState, Kind::PipelineOutput,
                Kind::ErrorRecord, Kind::PipelineState, Kind::WarningRecord, Kind::PipelineHostCall,
            ];
            let (mut pool, _) = opened("2.3");
            pool.pipeline(PIPE, &invocation()).unwrap();
            let message = Message {
                destination: Destination::Client,
                kind: kinds.get(named).copied().unwrap_or(Kind::Other(kind)),
                pool: POOL,
                pipeline: PIPE,
                body,
            };
            let _ = pool.receive(&fragment::split(9, &message.encode(Mark::Without), 50).concat());
        }
    }
}
