//! A program on a host: one cmd shell over the connection that is there, from Create to Delete.
//!
//! A shell that is not known to be deleted is written down in `net::left` for as long as that is
//! so, whatever ends the call, a dropped future included; whoever ends the work deletes what is left.

use std::time::Duration;

use crate::host::link::HostError;
use crate::host::link::Launch;
use crate::host::link::ProgramError;
use crate::host::link::ProgramResult;
use crate::model::program::Program;
use crate::net::again::Again;
use crate::net::again::FULL;
use crate::net::channel::SoapCall;
use crate::net::clock::Stopwatch;
use crate::net::left::OwnShells;
use crate::net::link::WsmanLink;
use crate::net::link::failed;
use crate::net::tidy::Tidied;
use crate::net::tidy::Tidy;
use crate::wire::psrp::clixml;
use crate::wire::shell;
use crate::wire::shell::ShellReply;
use crate::wire::shell::ShellRequest;
use crate::wire::soap::Header;
use crate::wire::soap::WsmanError;
use crate::wire::winrs;
use crate::wire::winrs::CMD;
use crate::wire::winrs::CmdRequest;
use crate::wire::winrs::Piece;

/// Most bytes that one program may say.
const MAX_OUTPUT: usize = 16 * 1024 * 1024;
/// Most replies of one program.
const MAX_REPLIES: u32 = 65_536;
/// Bytes of input in one message: half of the smallest envelope, in base64.
const PART: usize = 48 * 1024;
/// The shortest time that a host is asked to wait for output.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest: well within the idle time after which the host ends the shell.
const LONGEST: Duration = Duration::from_mins(1);
/// File, path or folder not found, or a name that is too long; access denied, as Windows and as COM
/// say it; no such shell. A quota that is full started nothing either.
const NOT_STARTED: [u32; 7] = [
    2_147_942_402,
    2_147_942_403,
    2_147_942_606,
    2_147_942_667,
    5,
    2_147_942_405,
    shell::NO_SUCH_SHELL,
];

impl<C: SoapCall> Launch for WsmanLink<C> {
    async fn launch(
        &mut self,
        program: &Program,
        input: &str,
        limit: Duration,
    ) -> Result<ProgramResult, ProgramError> {
        let watch = Stopwatch::start();
        self.run(program, input, limit, || watch.elapsed()).await
    }
}

impl<C: SoapCall> WsmanLink<C> {
    async fn run(
        &mut self,
        program: &Program,
        input: &str,
        limit: Duration,
        elapsed: impl Fn() -> Duration + Send,
    ) -> Result<ProgramResult, ProgramError> {
        let mut again = Again::default();
        let shell = loop {
            match self.create().await {
                Err(error) if again.waited_for_room(&error).await => {}
                other => break other.map_err(ProgramError::NotStarted)?,
            }
        };
        let ended = match self.start(&shell, program).await {
            Ok(command) => {
                let ended = self.follow(&shell, &command, input, limit, elapsed).await;
                // It frees the command's place; a program that still runs is ended by it.
                let code = shell::TERMINATE.to_owned();
                let shell_id = shell.clone();
                let signal = ShellRequest::Signal { shell_id, command_id: command, code };
                if self.tidy(&signal, CMD).await == Tidied::Refused {
                    self.shells().give_up(&shell);
                    return ended;
                }
                ended
            }
            Err(error) => Err(error),
        };
        self.delete(&shell, CMD).await;
        ended
    }

    async fn create(&mut self) -> Result<String, HostError> {
        let reply = self.cmd(&CmdRequest::Create, None, |header, bytes| {
            let like = ShellRequest::Create {
                shell_id: String::new(),
                name: String::new(),
                protocol_version: String::new(),
                creation_xml: Vec::new(),
            };
            shell::decode_shell(&like, header, bytes)
        });
        match reply.await? {
            ShellReply::Created { shell_id } => {
                self.shells().add(&shell_id, CMD);
                Ok(shell_id)
            }
            other => Err(misfit("a created shell", &other)),
        }
    }

    async fn start(&mut self, shell: &str, program: &Program) -> Result<String, ProgramError> {
        let request = CmdRequest::Command {
            shell_id: shell.to_owned(),
            program: program.path().to_owned(),
            arguments: program.words().to_vec(),
        };
        let reply = self.cmd(&request, None, |header, bytes| {
            let like = ShellRequest::Command {
                shell_id: String::new(),
                command_id: String::new(),
                arguments: Vec::new(),
            };
            shell::decode_shell(&like, header, bytes)
        });
        match reply.await {
            Ok(ShellReply::Command { command_id }) => Ok(command_id),
            Ok(other) => Err(ProgramError::InDoubt(misfit("a started command", &other))),
            Err(HostError::Fault(fault)) if fault.code.is_some_and(proves_no_start) => {
                Err(ProgramError::NotStarted(HostError::Fault(fault)))
            }
            Err(error @ (HostError::Unsupported(_) | HostError::NotConnected { .. })) => {
                Err(ProgramError::NotStarted(error))
            }
            Err(error) => Err(ProgramError::InDoubt(error)),
        }
    }

    async fn follow(
        &mut self,
        shell: &str,
        command: &str,
        input: &str,
        limit: Duration,
        elapsed: impl Fn() -> Duration + Send,
    ) -> Result<ProgramResult, ProgramError> {
        self.feed(shell, command, input.as_bytes()).await?;
        let request =
            CmdRequest::Receive { shell_id: shell.to_owned(), command_id: command.to_owned() };
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        for _ in 0..MAX_REPLIES {
            let rest = limit.saturating_sub(elapsed());
            if rest.is_zero() {
                return Err(ProgramError::Overdue(limit));
            }
            // The host answers in time, so that nobody has to cut the connection.
            let wait = Some(rest.clamp(SHORTEST, LONGEST));
            let reply = self
                .cmd(&request, wait, |header, bytes| winrs::decode_receive(command, header, bytes));
            let piece = match reply.await {
                Ok(piece) => piece,
                // Nothing to say yet: the call is over, the data is not lost.
                Err(HostError::Fault(fault)) if fault.is_time_out() => continue,
                Err(error) => return Err(ProgramError::InDoubt(error)),
            };
            let Piece { stdout: out, stderr: err, ended } = piece;
            stdout.extend(out);
            stderr.extend(err);
            if let Some(exit_code) = ended {
                return Ok(ProgramResult {
                    stdout: String::from_utf8_lossy(&stdout).into_owned(),
                    stderr: clixml::errors(&String::from_utf8_lossy(&stderr)).into_owned(),
                    exit_code,
                });
            }
            if stdout.len() + stderr.len() > MAX_OUTPUT {
                break;
            }
        }
        Err(ProgramError::InDoubt(HostError::Unexpected {
            expected: "an end of the program".to_owned(),
            got: format!("{} bytes and no end", stdout.len() + stderr.len()),
        }))
    }

    /// Gives the program its input and ends it. A fault is no reason to stop: a program may end
    /// before it has read anything, and one that misses its input is ended when its time is over.
    async fn feed(&mut self, shell: &str, command: &str, input: &[u8]) -> Result<(), ProgramError> {
        let mut parts: Vec<&[u8]> = input.chunks(PART).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        let last = parts.len() - 1;
        for (place, part) in parts.into_iter().enumerate() {
            let request = CmdRequest::Send {
                shell_id: shell.to_owned(),
                command_id: command.to_owned(),
                data: part.to_vec(),
                end: place == last,
            };
            let sent = self.cmd(&request, None, |header, bytes| {
                let (shell_id, data) = (String::new(), Vec::new());
                let like = ShellRequest::Send { shell_id, command_id: None, data };
                shell::decode_shell(&like, header, bytes)
            });
            match sent.await {
                Ok(_) => {}
                Err(HostError::Fault(fault)) => {
                    tracing::debug!(code = fault.code, "the program's input was not taken");
                    return Ok(());
                }
                Err(error) => return Err(ProgramError::InDoubt(error)),
            }
        }
        Ok(())
    }

    async fn cmd<T>(
        &mut self,
        request: &CmdRequest,
        wait: Option<Duration>,
        decode: impl FnOnce(&Header, &[u8]) -> Result<T, WsmanError>,
    ) -> Result<T, HostError> {
        let mut header = self.next_header();
        if let Some(wait) = wait {
            header.operation_timeout = header.operation_timeout.min(wait);
        }
        let envelope =
            winrs::encode(request, &header).map_err(|error| failed(request.name(), error))?;
        let bytes = self.exchange(request.name(), envelope).await?;
        self.sound(request.name(), decode(&header, &bytes))
    }
}

impl<C: SoapCall> Tidy for WsmanLink<C> {
    fn own_shells(&self) -> &OwnShells {
        self.shells()
    }

    fn is_sound(&self) -> bool {
        Self::is_sound(self)
    }

    async fn renew(&mut self) -> Result<(), HostError> {
        Self::renew(self).await
    }

    async fn say(&mut self, request: &ShellRequest, resource: &str) -> Result<(), HostError> {
        let (name, header) = (request.name(), self.next_header());
        let envelope =
            shell::encode_shell(request, resource, &header).map_err(|error| failed(name, error))?;
        let bytes = self.exchange(name, envelope).await?;
        self.sound(name, shell::decode_shell(request, &header, &bytes)).map(|_| ())
    }
}

/// Faults of Command after which nothing runs; any other one may come after the program's start.
fn proves_no_start(code: u32) -> bool {
    NOT_STARTED.contains(&code) || FULL.contains(&code)
}

fn misfit(expected: &str, got: &ShellReply) -> HostError {
    HostError::Unexpected { expected: expected.to_owned(), got: format!("{got:?}") }
}

#[cfg(test)]
mod tests;
