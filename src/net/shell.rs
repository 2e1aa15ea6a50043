//! A PowerShell endpoint over one channel: PSRP in WS-Man shells (`winrm.md` 3.3).

use std::time::Duration;

use uuid::Uuid;

use crate::host::link::Argument;
use crate::host::link::Cmdlet;
use crate::host::link::CmdletResult;
use crate::host::link::HostError;
use crate::host::link::Shell;
use crate::net::again::Again;
use crate::net::channel::SoapCall;
use crate::net::clock::Stopwatch;
use crate::net::left::OwnShells;
use crate::net::link::failed;
use crate::net::tidy::Tidy;
use crate::wire::namespace;
use crate::wire::psrp::error::PoolError;
use crate::wire::psrp::fragment::size_for_envelope;
use crate::wire::psrp::pool;
use crate::wire::psrp::pool::Pool;
use crate::wire::psrp::reply::Finish;
use crate::wire::psrp::reply::PoolEvent;
use crate::wire::psrp::request::Invocation;
use crate::wire::psrp::request::Parameter;
use crate::wire::shell;
use crate::wire::shell::ShellReply;
use crate::wire::shell::ShellRequest;
use crate::wire::soap::Header;
use crate::wire::soap::WsmanError;

/// What the host lists the shell as. Windows bears a Create without a name; OMI does not.
const NAME: &str = "rmsfleet";
/// Most replies in a row that say nothing and are no timeout.
const MAX_EMPTY: u32 = 256;
/// Most bytes that one cmdlet may say.
const MAX_OUTPUT: usize = 64 * 1024 * 1024;

/// Draws ids: a fresh GUID every time.
pub type Ids = Box<dyn FnMut() -> Uuid + Send>;

/// A runspace pool on a host, with one runspace: cmdlets run one after the other.
pub struct PsrpShell<C> {
    channel: C,
    ids: Ids,
    header: Header,
    resource: String,
    /// The id that the host gave the shell; ours, unless the host is very old.
    shell_id: String,
    pool: Pool,
    patience: Duration,
    state: State,
    shells: OwnShells,
}

/// Whether the shell is of use, and whether there is something to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Usable,
    /// The conversation is broken, the connection is not.
    Broken,
    /// The connection is gone.
    Gone,
}

/// The host had nothing to say for longer than we wait.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} seconds", .0.as_secs())]
struct OutOfPatience(Duration);

impl<C: SoapCall> PsrpShell<C> {
    /// Opens a runspace pool of the session configuration (`Microsoft.Exchange`).
    ///
    /// `header` is the model of every request's; its message id is replaced each time. A cmdlet, or
    /// the opening, may stay silent for as long as `patience`, counted in operation timeouts. What
    /// was created is deleted again if the opening fails.
    pub async fn open(
        channel: C,
        configuration: &str,
        header: Header,
        patience: Duration,
        mut ids: Ids,
        shells: OwnShells,
    ) -> Result<Self, HostError> {
        let shell_id = upper(ids());
        let envelope = usize::try_from(header.max_envelope).unwrap_or(usize::MAX);
        let (pool, creation_xml) = Pool::new(ids(), size_for_envelope(envelope));
        let mut opening = Self {
            channel,
            ids,
            header,
            resource: format!("{}/{configuration}", namespace::POWERSHELL),
            shell_id,
            pool,
            patience,
            state: State::Usable,
            shells,
        };
        let create = ShellRequest::Create {
            shell_id: opening.shell_id.clone(),
            name: NAME.to_owned(),
            protocol_version: pool::OFFERED.to_string(),
            creation_xml,
        };
        opening.shells.add(&opening.shell_id, &opening.resource);
        let mut again = Again::default();
        let created = loop {
            match opening.ask(&create).await {
                Err(error) if again.waited_for_room(&error).await => {}
                other => break other,
            }
        };
        let opened = match created {
            Ok(ShellReply::Created { shell_id }) => {
                opening.shells.remove(&opening.shell_id);
                opening.shells.add(&shell_id, &opening.resource);
                opening.shell_id = shell_id;
                opening.wait_until_open().await
            }
            Ok(reply) => Err(misfit("a created shell", &reply)),
            Err(error @ (HostError::Lost { .. } | HostError::Unexpected { .. })) => Err(error),
            // Its service may go on with what it had begun.
            Err(HostError::Fault(fault)) if fault.is_time_out() => Err(HostError::Fault(fault)),
            // Nothing was created.
            Err(error) => {
                opening.shells.remove(&opening.shell_id);
                return Err(error);
            }
        };
        match opened {
            Ok(()) => Ok(opening),
            Err(error) => {
                opening.close().await;
                Err(error)
            }
        }
    }

    async fn wait_until_open(&mut self) -> Result<(), HostError> {
        let mut wait = Wait::new("opening the runspace pool", self.patience);
        loop {
            while let Some(event) = self.pool.poll_event() {
                match event {
                    PoolEvent::Opened => return Ok(()),
                    PoolEvent::Ended(reason) => {
                        return Err(HostError::Unexpected {
                            expected: "an open runspace pool".to_owned(),
                            got: reason,
                        });
                    }
                    PoolEvent::Output { .. }
                    | PoolEvent::Error { .. }
                    | PoolEvent::Warning { .. }
                    | PoolEvent::Finished { .. } => {}
                }
            }
            self.receive(None, &mut wait).await?;
        }
    }

    async fn pipeline(&mut self, cmdlet: &Cmdlet) -> Result<CmdletResult, HostError> {
        let pipeline = (self.ids)();
        let mut fragments = self
            .pool
            .pipeline(pipeline, &invocation(cmdlet))
            .map_err(|error| conversation(&error))?
            .into_iter();
        let start = ShellRequest::Command {
            shell_id: self.shell_id.clone(),
            command_id: upper(pipeline),
            arguments: fragments.next().unwrap_or_default(),
        };
        let command_id = match self.ask(&start).await? {
            ShellReply::Command { command_id } => command_id,
            reply => return Err(misfit("a started command", &reply)),
        };
        let mut sent = Ok(());
        for data in fragments {
            let request = ShellRequest::Send {
                shell_id: self.shell_id.clone(),
                command_id: Some(command_id.clone()),
                data,
            };
            sent = self.ask(&request).await.map(|_| ());
            if sent.is_err() {
                break;
            }
        }
        let result = match sent {
            Ok(()) => self.outcome(cmdlet, pipeline, &command_id).await,
            Err(error) => Err(error),
        };
        self.terminate(command_id).await;
        result
    }

    /// Receives until the pipeline said its last and the command is done.
    async fn outcome(
        &mut self,
        cmdlet: &Cmdlet,
        own: Uuid,
        command_id: &str,
    ) -> Result<CmdletResult, HostError> {
        let failed =
            |message: String| HostError::Cmdlet { cmdlet: cmdlet.name.to_owned(), message };
        let mut result = CmdletResult::default();
        let mut finish = None;
        let mut wait = Wait::new(cmdlet.name, self.patience);
        let mut done = false;
        while !(done && finish.is_some()) {
            if done {
                return Err(failed("the command ended without the state of its pipeline".into()));
            }
            done = match self.receive(Some(command_id.to_owned()), &mut wait).await {
                Ok(done) => done,
                // The pipeline's own word is in; that the command is gone by now changes nothing.
                Err(HostError::Fault(_)) if finish.is_some() => true,
                Err(error) => return Err(error),
            };
            while let Some(event) = self.pool.poll_event() {
                match event {
                    PoolEvent::Output { pipeline, object } if pipeline == own => {
                        result.output.push(object);
                    }
                    PoolEvent::Error { pipeline, error } if pipeline == own => {
                        result.errors.push(error.to_string());
                    }
                    PoolEvent::Warning { pipeline, message } if pipeline == own => {
                        result.warnings.push(message);
                    }
                    PoolEvent::Finished { pipeline, how } if pipeline == own => finish = Some(how),
                    PoolEvent::Ended(reason) => {
                        self.state = State::Broken;
                        return Err(failed(reason));
                    }
                    // Of a pipeline that was given up.
                    PoolEvent::Opened
                    | PoolEvent::Output { .. }
                    | PoolEvent::Error { .. }
                    | PoolEvent::Warning { .. }
                    | PoolEvent::Finished { .. } => {}
                }
            }
        }
        match finish {
            Some(Finish::Completed) => Ok(result),
            Some(Finish::Failed(error)) => Err(failed(error.to_string())),
            Some(Finish::Stopped) | None => Err(failed("the host stopped it".to_owned())),
        }
    }

    /// One Receive; true if the command is done. A timeout is no error until patience ends.
    async fn receive(
        &mut self,
        command_id: Option<String>,
        wait: &mut Wait<'_>,
    ) -> Result<bool, HostError> {
        let request = ShellRequest::Receive { shell_id: self.shell_id.clone(), command_id };
        match self.ask(&request).await {
            Ok(ShellReply::Output { streams, done }) => {
                wait.heard(streams.iter().map(Vec::len).sum())?;
                for bytes in streams {
                    if let Err(error) = self.pool.receive(&bytes) {
                        self.state = State::Broken;
                        return Err(conversation(&error));
                    }
                }
                Ok(done)
            }
            Ok(reply) => Err(misfit("output", &reply)),
            Err(HostError::Fault(fault)) if fault.is_time_out() => {
                wait.heard_nothing_for(self.header.operation_timeout)?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Frees the command's slot on the host; the outcome is known without it.
    async fn terminate(&mut self, command_id: String) {
        let shell_id = self.shell_id.clone();
        let code = shell::TERMINATE.to_owned();
        let signal = ShellRequest::Signal { shell_id, command_id, code };
        if self.is_sound() {
            let resource = self.resource.clone();
            self.tidy(&signal, &resource).await;
        }
    }

    async fn ask(&mut self, request: &ShellRequest) -> Result<ShellReply, HostError> {
        let name = request.name();
        let message_id = format!("uuid:{}", upper((self.ids)()));
        let header = Header { message_id, ..self.header.clone() };
        let envelope = shell::encode_shell(request, &self.resource, &header)
            .map_err(|error| failed(name, error))?;
        let reply = match self.channel.call(name, envelope).await {
            Ok(bytes) => shell::decode_shell(request, &header, &bytes),
            Err(error) => {
                self.state = State::Gone;
                return Err(error);
            }
        };
        if matches!(reply, Err(WsmanError::Xml(_) | WsmanError::Unexpected { .. })) {
            self.state = State::Broken;
        }
        reply.map_err(|error| failed(name, error))
    }
}

impl<C: SoapCall> Shell for PsrpShell<C> {
    async fn run(&mut self, cmdlet: &Cmdlet) -> Result<CmdletResult, HostError> {
        match self.state {
            State::Usable => self.pipeline(cmdlet).await,
            State::Broken | State::Gone => Err(HostError::NotConnected {
                endpoint: self.header.to.clone(),
                source: "the PowerShell session ended with an earlier error".into(),
            }),
        }
    }

    async fn close(mut self) {
        let (shell, resource) = (self.shell_id.clone(), self.resource.clone());
        self.delete(&shell, &resource).await;
    }
}

impl<C: SoapCall> Tidy for PsrpShell<C> {
    fn own_shells(&self) -> &OwnShells {
        &self.shells
    }

    fn is_sound(&self) -> bool {
        self.state != State::Gone
    }

    /// The conversation with the pool ended with its connection; only the shell is spoken of again.
    async fn renew(&mut self) -> Result<(), HostError> {
        self.channel.renew().await?;
        self.state = State::Broken;
        Ok(())
    }

    async fn say(&mut self, request: &ShellRequest, _: &str) -> Result<(), HostError> {
        self.ask(request).await.map(|_| ())
    }
}

/// How long a call has been waiting, and how much it was told.
struct Wait<'a> {
    what: &'a str,
    patience: Duration,
    silent: Duration,
    /// Since the last reply that said something.
    since: Stopwatch,
    empty: u32,
    bytes: usize,
}

impl<'a> Wait<'a> {
    fn new(what: &'a str, patience: Duration) -> Self {
        let since = Stopwatch::start();
        Self { what, patience, silent: Duration::ZERO, since, empty: 0, bytes: 0 }
    }

    fn heard(&mut self, bytes: usize) -> Result<(), HostError> {
        if bytes == 0 {
            self.empty += 1;
            // OMI says so that it has nothing to say, in a time of its own.
            let waited = self.since.elapsed();
            if waited >= self.patience {
                let source = Box::new(OutOfPatience(waited));
                return Err(HostError::Lost { call: self.what.to_owned(), source });
            }
        } else {
            (self.empty, self.since) = (0, Stopwatch::start());
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if self.empty > MAX_EMPTY || self.bytes > MAX_OUTPUT {
            return Err(HostError::Unexpected {
                expected: format!("an end of {}", self.what),
                got: format!("{} bytes and no end", self.bytes),
            });
        }
        Ok(())
    }

    /// A timeout fault means that this time has passed: no clock is needed to count.
    fn heard_nothing_for(&mut self, timeout: Duration) -> Result<(), HostError> {
        self.silent = self.silent.saturating_add(timeout.max(Duration::from_secs(1)));
        if self.silent < self.patience {
            return Ok(());
        }
        let source = Box::new(OutOfPatience(self.silent));
        Err(HostError::Lost { call: self.what.to_owned(), source })
    }
}

fn invocation(cmdlet: &Cmdlet) -> Invocation<'_> {
    let parameters = cmdlet.parameters.iter().map(|(name, argument)| {
        let value = match argument {
            Argument::Bool(value) => Parameter::Bool(*value),
            Argument::Text(text) => Parameter::Text(text),
            Argument::Texts(texts) => Parameter::Texts(texts),
        };
        (*name, value)
    });
    Invocation { name: cmdlet.name, parameters: parameters.collect() }
}

/// As Windows' own clients write ids in SOAP.
fn upper(id: Uuid) -> String {
    id.hyphenated().to_string().to_uppercase()
}

fn conversation(error: &PoolError) -> HostError {
    let mut got = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        got = format!("{got}: {error}");
        cause = error.source();
    }
    HostError::Unexpected { expected: "a PowerShell remoting conversation".to_owned(), got }
}

fn misfit(expected: &str, got: &ShellReply) -> HostError {
    HostError::Unexpected { expected: expected.to_owned(), got: format!("{got:?}") }
}
