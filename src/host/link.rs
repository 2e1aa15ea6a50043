//! What a recipe needs of a connection. `net` implements it; tests imagine it.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::host::Endpoint;
use crate::model::host::HostName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::program::Program;
use crate::wire::catalogue::FaultEntry;
use crate::wire::fault::Fault;
use crate::wire::operation::Answer;
use crate::wire::operation::Read;
use crate::wire::operation::Write;
use crate::wire::psrp::object::PsObject;

/// Where and as whom to connect; the secret stays with the implementor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub host: HostName,
    pub endpoint: Endpoint,
    pub credential: String,
    pub user: Option<String>,
    pub connect_timeout: Duration,
    pub operation_timeout: Duration,
}

/// A named cmdlet with bound parameters. No script text crosses the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cmdlet {
    pub name: &'static str,
    pub parameters: Vec<(&'static str, Argument)>,
}

/// A parameter's value; a switch is `Bool(true)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
}

/// What a pipeline brought back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CmdletResult {
    pub output: Vec<PsObject>,
    /// Non-terminating error records, in words.
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
}

/// Questions only: what the survey is given.
pub trait Reader: Send {
    fn read(&mut self, read: &Read) -> impl Future<Output = Result<Answer, HostError>> + Send;
}

/// Questions and acts: what the executor is given.
pub trait Writer: Reader {
    fn write(&mut self, write: &Write) -> impl Future<Output = Result<Answer, HostError>> + Send;
}

/// A PowerShell remoting endpoint for reading cmdlets.
pub trait Shell: Send {
    fn run(
        &mut self,
        cmdlet: &Cmdlet,
    ) -> impl Future<Output = Result<CmdletResult, HostError>> + Send;
    /// Closes the runspace pool and deletes the shell; called on every path.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// What a program on the host said, and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgramResult {
    pub stdout: String,
    pub stderr: String,
    /// `None` if it was terminated.
    pub exit_code: Option<u32>,
}

/// Runs programs of gates and hooks on the host of the connection.
pub trait Launch: Send {
    /// Runs a program once, gives it a text on its standard input, and waits for its end. When its
    /// time is over it is told to end. Nothing that it needed stays open on the host.
    fn launch(
        &mut self,
        program: &Program,
        input: &str,
        limit: Duration,
    ) -> impl Future<Output = Result<ProgramResult, ProgramError>> + Send;
}

/// Why nobody knows how a program ended.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The host did not start it.
    #[error("the program was not started")]
    NotStarted(#[source] HostError),
    /// With how long it ran.
    #[error("the program did not end within {} s and was told to end", .0.as_secs())]
    Overdue(Duration),
    /// It may have run to its end, in part or not at all.
    #[error("the program is in doubt: it may have run to its end, in part or not at all")]
    InDoubt(#[source] HostError),
}

impl ProgramError {
    /// In words, with its causes.
    pub fn text(&self) -> String {
        match self {
            Self::Overdue(_) => self.to_string(),
            Self::NotStarted(error) | Self::InDoubt(error) => {
                format!("{self}: {}", error.failure().text())
            }
        }
    }
}

/// Opens connections: one per host and phase, one security context each.
pub trait Connect: Clone + Send + Sync + 'static {
    type Link: Writer + Launch + 'static;
    type Shell: Shell + 'static;

    /// Logs on for reading and writing. Survey code receives it as `impl Reader`.
    fn connect(
        &self,
        target: &Target,
    ) -> impl Future<Output = Result<Self::Link, HostError>> + Send;

    /// Opens a runspace pool on a PSRP endpoint (`Microsoft.Exchange`).
    fn shell(
        &self,
        target: &Target,
        configuration: &str,
    ) -> impl Future<Output = Result<Self::Shell, HostError>> + Send;

    /// Opens a TCP connection and closes it again; who answered.
    fn dial(&self, target: &Target) -> impl Future<Output = Result<SocketAddr, HostError>> + Send;

    /// Anonymous Identify: proves that the service answers without spending a logon.
    fn knock(&self, target: &Target) -> impl Future<Output = Result<Knock, HostError>> + Send;
}

/// What becomes of an anonymous Identify where the host takes the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knock {
    /// The service answered, be it that it wants a logon first.
    Answered,
    /// It said nothing for as long as we wait. Some servers answer no request that has no
    /// `Authorization` (`winrm.md` 4.4), so this is no proof that the service is away.
    Silent,
}

/// The edge's clock, as an argument for recipes that wait.
pub trait Clock: Clone + Send + Sync + 'static {
    fn now(&self) -> Timestamp;
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// What ends a call to one host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No connection: nothing was sent.
    #[error("no connection to `{endpoint}`")]
    NotConnected { endpoint: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// The connection broke after the request was sent: it may or may not have been carried out.
    #[error("the connection broke while waiting for the answer to {call}")]
    Lost { call: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// The logon was refused.
    #[error("the host refused the logon of `{user}`: {detail}")]
    Denied { user: String, detail: String },
    /// The host refused a ticket that the domain gave: it judged no account.
    #[error("the host refused the ticket for {service}: {detail}")]
    TicketRefused { service: String, detail: String },
    /// The account guard kept the account from being tried.
    #[error("account `{user}` {why}, so it is not tried here")]
    Guarded { user: String, why: &'static str },
    #[error("fault {}: {}", .0.code_text(), .0.reason)]
    Fault(Box<Fault>),
    /// An answer that is no answer to what was asked.
    #[error("expected {expected}, host sent {got}")]
    Unexpected { expected: String, got: String },
    /// The pipeline failed.
    #[error("`{cmdlet}` failed: {message}")]
    Cmdlet { cmdlet: String, message: String },
    /// This version cannot do what the inventory asks for.
    #[error("{0}")]
    Unsupported(String),
}

impl HostError {
    /// The failure's kind for the host's outcome. No wildcard arm: a new variant must decide.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::NotConnected { .. } | Self::Lost { .. } => FailureKind::Unreachable,
            Self::Denied { .. } => FailureKind::Denied,
            Self::Guarded { .. } => FailureKind::AccountGuarded,
            // Of a refused ticket the account is good: it concerns the host alone.
            Self::TicketRefused { .. }
            | Self::Fault(_)
            | Self::Unexpected { .. }
            | Self::Cmdlet { .. } => FailureKind::Fault,
            Self::Unsupported(_) => FailureKind::Unsupported,
        }
    }

    /// The failure as data, with its causes.
    pub fn failure(&self) -> Failure {
        let mut chain = vec![self.to_string()];
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            chain.push(error.to_string());
            cause = error.source();
        }
        let hint = match self {
            Self::Fault(fault) => {
                let whole = |entry: &FaultEntry| {
                    format!("{}; {}; {}", entry.meaning, entry.cause, entry.remedy)
                };
                fault.meaning().map(whole)
            }
            Self::Denied { .. } | Self::TicketRefused { .. } => Some(
                "`rmsfleet doctor HOST` looks at name, clock, scheme, account and rights one by one"
                    .to_owned(),
            ),
            Self::NotConnected { .. }
            | Self::Lost { .. }
            | Self::Guarded { .. }
            | Self::Unexpected { .. }
            | Self::Cmdlet { .. }
            | Self::Unsupported(_) => None,
        };
        Failure { kind: self.kind(), chain, hint }
    }
}
