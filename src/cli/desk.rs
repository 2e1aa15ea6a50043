//! The machine that a run is carried out from: its programs, and words left in the run's folder.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
#[cfg(unix)]
use rustix::process::Pid;
#[cfg(unix)]
use rustix::process::Signal;
#[cfg(unix)]
use rustix::process::kill_process_group;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
#[cfg(unix)]
use tokio::process::Child;
use tokio::process::Command;

use crate::cli::own::OwnMachine;
use crate::host::link::ProgramResult;
use crate::journal::control;
use crate::journal::control::Word;
use crate::model::plan::PlannedHost;
use crate::run::controller::Controller;

/// So much of what a program prints is kept, in bytes; the rest is read and dropped.
const KEPT: usize = 64 * 1024;

/// [`Controller`] for a run in this folder.
pub struct Desk {
    pub folder: PathBuf,
    /// Whom to compare a host with before it is restarted; `None` in the lab.
    pub own: Option<OwnMachine>,
}

impl Controller for Desk {
    fn program<'a>(
        &'a self,
        argv: &'a [String],
        input: String,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<ProgramResult, String>> {
        async move {
            let (name, arguments) = argv.split_first().ok_or("it names no program")?;
            match tokio::time::timeout(timeout, run(name, arguments, input)).await {
                Ok(result) => result,
                // Dropping the future has ended the program, and what it started.
                Err(_) => Err(format!("`{name}` did not end within {} s", timeout.as_secs())),
            }
        }
        .boxed()
    }

    fn is_own(&self, host: &PlannedHost) -> Option<String> {
        self.own.as_ref()?.is(host)
    }

    fn promoted(&self) -> Option<String> {
        control::take(&self.folder, Word::Promote)
    }
}

async fn run(name: &str, arguments: &[String], input: String) -> Result<ProgramResult, String> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| format!("`{name}` {what}: {error}")
    };
    let mut command = Command::new(name);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // A Ctrl-C at the terminal is for the run, which lets its programs end.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(failed("cannot be started"))?;
    #[cfg(unix)]
    let group = Group::of(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input may have ended already.
            drop(stdin.write_all(input.as_bytes()).await);
        }
    };
    // Whoever still holds the output may be a child's child. Until it ends, nobody asks how the
    // program ended: one that was not asked keeps its number, and with it the group's.
    let ((), stdout, stderr) = futures::join!(feed, keep(stdout), keep(stderr));
    let status = child.wait().await.map_err(failed("cannot be waited for"))?;
    #[cfg(unix)]
    group.ended();
    let exit_code = status.code().and_then(|code| u32::try_from(code).ok());
    Ok(ProgramResult { stdout, stderr, exit_code })
}

/// A program with all that it has started and not set apart: ended together when this is dropped
/// before the program has ended by itself. Must be dropped before its [`Child`], whose number it is.
#[cfg(unix)]
struct Group(Option<Pid>);

#[cfg(unix)]
impl Group {
    fn of(child: &Child) -> Self {
        let number = child.id().and_then(|id| i32::try_from(id).ok());
        Self(number.and_then(Pid::from_raw))
    }

    /// What the program leaves behind of its own accord goes on.
    fn ended(mut self) {
        self.0 = None;
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // An empty group is no failure.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Reads to the end, so that the program never blocks, and keeps the beginning.
async fn keep(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut kept = Vec::new();
    let mut part = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut part).await {
        let room = KEPT.saturating_sub(kept.len());
        kept.extend(part.iter().take(count.min(room)));
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(all(test, unix))]
mod tests {
    #[cfg(target_os = "linux")]
    use std::os::fd::AsRawFd;

    use super::*;

    async fn check(argv: &[&str], input: &str, seconds: u64) -> Result<(u32, String), String> {
        let desk = Desk { folder: PathBuf::new(), own: None };
        let argv: Vec<String> = argv.iter().map(|part| (*part).to_owned()).collect();
        let ended = desk.program(&argv, input.to_owned(), Duration::from_secs(seconds)).await?;
        Ok((ended.exit_code.unwrap_or(u32::MAX), ended.stdout + &ended.stderr))
    }

    #[tokio::test]
    async fn arguments_arrive_whole_and_input_is_handed_over() {
        let echoed = check(&["printf", "%s|", "a b", "$HOME", "'"], "", 30).await;
        assert_eq!(echoed, Ok((0, "a b|$HOME|'|".to_owned())));
        assert_eq!(check(&["cat"], "{\"a\": 1}", 30).await, Ok((0, "{\"a\": 1}".to_owned())));
    }

    #[tokio::test]
    async fn a_failure_keeps_its_code_and_its_words() {
        let failed = check(&["sh", "-c", "echo no >&2; exit 3"], "unread", 30).await;
        assert_eq!(failed, Ok((3, "no\n".to_owned())));
    }

    #[tokio::test]
    async fn what_never_ends_is_ended_and_what_is_missing_is_named() {
        let endless = check(&["cat", "/dev/zero"], "", 0).await;
        assert_eq!(endless, Err("`cat` did not end within 0 s".to_owned()));
        let missing = check(&["no-such-program-anywhere"], "", 30).await.unwrap_err();
        assert!(missing.starts_with("`no-such-program-anywhere` cannot be started"), "{missing}");
    }

    /// The pipe is at its end when nobody holds it any more. Left alone, the child's child would say
    /// so before that.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_a_program_has_started_is_ended_with_it_when_its_time_is_over() {
        let (near, far) = std::io::pipe().unwrap();
        let mut near = tokio::net::unix::pipe::Receiver::from_owned_fd(near.into()).unwrap();
        let open = format!("/proc/{}/fd/{}", std::process::id(), far.as_raw_fd());
        let script = format!("exec 3>{open}; (echo begun >&3; sleep 20; echo left >&3) & sleep 60");
        let arguments = ["-c".to_owned(), script];
        let mut said = [0; 6];
        tokio::select! {
            ended = run("sh", &arguments, String::new()) => panic!("{ended:?}"),
            read = near.read_exact(&mut said) => assert_eq!(read.unwrap(), 6),
        }
        drop(far);
        let mut rest = String::new();
        near.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&said, rest.as_str()), (b"begun\n", ""));
    }

    /// A lock that a program inherits would outlive the run that holds it.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_program_gets_neither_a_lock_nor_another_open_file_and_a_group_of_its_own() {
        let path = std::env::temp_dir().join(format!("rmsfleet-lock-{}", std::process::id()));
        let lock = std::fs::File::create(&path).unwrap();
        lock.lock().unwrap();
        let open = check(&["sh", "-c", "readlink /proc/$$/fd/*"], "", 30).await.unwrap().1;
        let own = check(&["sh", "-c", "cut -d' ' -f5 /proc/$$/stat"], "", 30).await.unwrap().1;
        drop(lock);
        std::fs::remove_file(&path).unwrap();
        // What this process was handed itself may be there; what it opened is not.
        assert!(!open.contains(&*path.display().to_string()), "{open}");
        assert!(open.lines().count() >= 3, "{open}");
        let ours = std::fs::read_to_string("/proc/self/stat").unwrap();
        assert_ne!(own.trim(), ours.split(' ').nth(4).unwrap(), "a Ctrl-C would reach it");
    }

    #[tokio::test]
    async fn output_is_bounded() {
        let much = check(&["head", "-c", "300000", "/dev/zero"], "", 30).await.unwrap();
        assert_eq!((much.0, much.1.len()), (0, KEPT));
    }
}
