//! A cmd shell over one channel: programs one after the other, the shell deleted on every path.

use std::time::Duration;

use crate::host::link::CommandShell;
use crate::host::link::HostError;
use crate::host::link::ProgramResult;
use crate::net::channel::SoapCall;
use crate::net::link::MessageIds;
use crate::net::link::failed;
use crate::wire::shell;
use crate::wire::shell::ShellReply;
use crate::wire::shell::ShellRequest;
use crate::wire::shell::TIMED_OUT;
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

/// A cmd shell on a host.
pub struct WinrsShell<C> {
    /// `None` once the connection is gone, and the shell with it as far as we can tell.
    channel: Option<C>,
    ids: MessageIds,
    header: Header,
    shell_id: String,
    patience: Duration,
}

impl<C: SoapCall> WinrsShell<C> {
    /// Opens a shell. `header` is the model of every request's; a program may stay silent for as
    /// long as `patience`, counted in operation timeouts.
    pub async fn open(
        channel: C,
        header: Header,
        patience: Duration,
        ids: MessageIds,
    ) -> Result<Self, HostError> {
        let mut opening =
            Self { channel: Some(channel), ids, header, shell_id: String::new(), patience };
        let reply = opening.cmd(&CmdRequest::Create, |header, bytes| {
            let like = ShellRequest::Create {
                shell_id: String::new(),
                name: String::new(),
                protocol_version: String::new(),
                creation_xml: Vec::new(),
            };
            shell::decode_shell(&like, header, bytes)
        });
        match reply.await? {
            ShellReply::Created { shell_id } => opening.shell_id = shell_id,
            other => return Err(misfit("a created shell", &other)),
        }
        Ok(opening)
    }

    async fn start(&mut self, program: &str, arguments: &[&str]) -> Result<String, HostError> {
        let request = CmdRequest::Command {
            shell_id: self.shell_id.clone(),
            program: program.to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        };
        let reply = self.cmd(&request, |header, bytes| {
            let like = ShellRequest::Command {
                shell_id: String::new(),
                command_id: String::new(),
                arguments: Vec::new(),
            };
            shell::decode_shell(&like, header, bytes)
        });
        match reply.await? {
            ShellReply::Command { command_id } => Ok(command_id),
            other => Err(misfit("a started command", &other)),
        }
    }

    /// Receives until the program has ended.
    async fn listen(&mut self, program: &str, command: &str) -> Result<ProgramResult, HostError> {
        let request =
            CmdRequest::Receive { shell_id: self.shell_id.clone(), command_id: command.to_owned() };
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut silent = Duration::ZERO;
        for _ in 0..MAX_REPLIES {
            let reply =
                self.cmd(&request, |header, bytes| winrs::decode_receive(command, header, bytes));
            let piece = match reply.await {
                Ok(piece) => piece,
                // Nothing to say yet: the call is over, the data is not lost.
                Err(HostError::Fault(fault)) if fault.code == Some(TIMED_OUT) => {
                    silent += self.header.operation_timeout.max(Duration::from_secs(1));
                    if silent >= self.patience {
                        let source = format!("no word within {} seconds", silent.as_secs()).into();
                        return Err(HostError::Lost { call: program.to_owned(), source });
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            silent = Duration::ZERO;
            let Piece { stdout: out, stderr: err, ended } = piece;
            stdout.extend(out);
            stderr.extend(err);
            if let Some(exit_code) = ended {
                return Ok(ProgramResult {
                    stdout: String::from_utf8_lossy(&stdout).into_owned(),
                    stderr: String::from_utf8_lossy(&stderr).into_owned(),
                    exit_code,
                });
            }
            if stdout.len() + stderr.len() > MAX_OUTPUT {
                break;
            }
        }
        Err(HostError::Unexpected {
            expected: format!("an end of `{program}`"),
            got: format!("{} bytes and no end", stdout.len() + stderr.len()),
        })
    }

    async fn cmd<T>(
        &mut self,
        request: &CmdRequest,
        decode: impl FnOnce(&Header, &[u8]) -> Result<T, WsmanError>,
    ) -> Result<T, HostError> {
        let header = self.next_header();
        let envelope =
            winrs::encode(request, &header).map_err(|error| failed(request.name(), error))?;
        let bytes = self.send(request.name(), envelope).await?;
        decode(&header, &bytes).map_err(|error| failed(request.name(), error))
    }

    /// Signal and Delete; that they fail changes nothing for the caller.
    async fn tidy(&mut self, request: ShellRequest) {
        let header = self.next_header();
        let Ok(envelope) = shell::encode_shell(&request, CMD, &header) else { return };
        let done = match self.send(request.name(), envelope).await {
            Ok(bytes) => shell::decode_shell(&request, &header, &bytes).is_ok(),
            Err(_) => false,
        };
        if !done {
            tracing::debug!(call = request.name(), shell = self.shell_id, "not carried out");
        }
    }

    async fn send(&mut self, what: &str, envelope: Vec<u8>) -> Result<Vec<u8>, HostError> {
        let Some(mut channel) = self.channel.take() else {
            return Err(HostError::NotConnected {
                endpoint: self.header.to.clone(),
                source: "the shell's connection ended with an earlier error".into(),
            });
        };
        let bytes = channel.call(what, envelope).await?;
        self.channel = Some(channel);
        Ok(bytes)
    }

    fn next_header(&mut self) -> Header {
        Header { message_id: (self.ids)(), ..self.header.clone() }
    }
}

impl<C: SoapCall> CommandShell for WinrsShell<C> {
    async fn run(&mut self, program: &str, arguments: &[&str]) -> Result<ProgramResult, HostError> {
        let command_id = self.start(program, arguments).await?;
        let result = self.listen(program, &command_id).await;
        let code = shell::TERMINATE.to_owned();
        let shell_id = self.shell_id.clone();
        self.tidy(ShellRequest::Signal { shell_id, command_id, code }).await;
        result
    }

    async fn close(mut self) {
        let shell_id = self.shell_id.clone();
        self.tidy(ShellRequest::Delete { shell_id }).await;
    }
}

fn misfit(expected: &str, got: &ShellReply) -> HostError {
    HostError::Unexpected { expected: expected.to_owned(), got: format!("{got:?}") }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;

    use super::*;
    use crate::wire::namespace;

    /// Opens a shell, and then answers as told: nonsense, or a broken connection.
    struct Host {
        log: Arc<Mutex<Vec<String>>>,
        breaks: bool,
    }

    impl SoapCall for Host {
        async fn call(&mut self, what: &str, _: Vec<u8>) -> Result<Vec<u8>, HostError> {
            self.log.lock().unwrap().push(what.to_owned());
            match what {
                "Shell.Create" => Ok(format!(
                    "<s:Envelope xmlns:s='{}' xmlns:a='{}'><s:Header><a:Action>{}/CreateResponse\
                     </a:Action><a:RelatesTo>uuid:1</a:RelatesTo></s:Header><s:Body><r:Shell \
                     xmlns:r='{}'><r:ShellId>AB</r:ShellId></r:Shell></s:Body></s:Envelope>",
                    namespace::SOAP,
                    namespace::ADDRESSING,
                    namespace::TRANSFER,
                    namespace::SHELL
                )
                .into_bytes()),
                _ if self.breaks => {
                    Err(HostError::Lost { call: what.to_owned(), source: "reset".into() })
                }
                _ => Ok(b"<nonsense/>".to_vec()),
            }
        }
    }

    #[track_caller]
    fn check(breaks: bool, calls: &[&str]) {
        let log = Arc::default();
        let host = Host { log: Arc::clone(&log), breaks };
        let header = Header {
            message_id: String::new(),
            session_id: "uuid:2".to_owned(),
            to: "http://fs01:5985/wsman".to_owned(),
            operation_timeout: Duration::from_secs(20),
            max_envelope: 153_600,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let ids: MessageIds = Box::new(|| "uuid:1".to_owned());
            let patience = Duration::from_mins(1);
            let mut shell = WinrsShell::open(host, header, patience, ids).await.unwrap();
            assert_eq!(shell.shell_id, "AB");
            assert!(shell.run("ver", &[]).await.is_err());
            shell.close().await;
        });
        assert_eq!(*log.lock().unwrap(), calls);
    }

    #[test]
    fn a_shell_is_deleted_after_an_error_unless_the_connection_is_gone() {
        check(false, &["Shell.Create", "Shell.Command", "Shell.Delete"]);
        check(true, &["Shell.Create", "Shell.Command"]);
    }
}
