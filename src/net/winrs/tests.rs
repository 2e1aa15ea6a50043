use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use super::*;
use crate::net::left::LeftShells;
use crate::net::left::tests::target;
use crate::wire::fault::TIMED_OUT;
use crate::wire::namespace;

/// What befalls one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    Fault(u32),
    Nonsense,
    Breaks,
    /// The call never ends.
    Hangs,
}

/// Answers as a host does whose program says `hi` and ends with 3, but for one call.
#[derive(Clone, Default)]
struct Host {
    log: Arc<Mutex<Vec<String>>>,
    blow: Option<(&'static str, Blow)>,
    is_gone: bool,
    /// Whether a new connection is taken.
    renews: bool,
}

fn envelope(action: &str, body: &str) -> Vec<u8> {
    format!(
        "<s:Envelope xmlns:s='{}' xmlns:a='{}' xmlns:r='{}'><s:Header><a:Action>{action}</a:Action>\
         <a:RelatesTo>uuid:1</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>",
        namespace::SOAP,
        namespace::ADDRESSING,
        namespace::SHELL
    )
    .into_bytes()
}

fn answer(what: &str) -> Vec<u8> {
    let (transfer, shell) = (namespace::TRANSFER, namespace::SHELL);
    match what {
        "Shell.Create" => envelope(
            &format!("{transfer}/CreateResponse"),
            "<r:Shell><r:ShellId>AB</r:ShellId></r:Shell>",
        ),
        "Shell.Command" => envelope(
            &format!("{shell}/CommandResponse"),
            "<r:CommandResponse><r:CommandId>CD</r:CommandId></r:CommandResponse>",
        ),
        "Shell.Receive" => envelope(
            &format!("{shell}/ReceiveResponse"),
            &format!(
                "<r:ReceiveResponse><r:Stream Name='stdout'>aGk=</r:Stream><r:CommandState \
                 State='{shell}/CommandState/Done'><r:ExitCode>3</r:ExitCode></r:CommandState>\
                 </r:ReceiveResponse>"
            ),
        ),
        "Shell.Send" => envelope(&format!("{shell}/SendResponse"), "<r:SendResponse/>"),
        "Shell.Signal" => envelope(&format!("{shell}/SignalResponse"), "<r:SignalResponse/>"),
        _ => envelope(&format!("{transfer}/DeleteResponse"), ""),
    }
}

fn fault(code: u32) -> Vec<u8> {
    let body = format!(
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Detail><f:WSManFault \
         xmlns:f='{}' Code='{code}'/></s:Detail></s:Fault>",
        namespace::FAULT
    );
    envelope(&format!("{}/fault", namespace::ADDRESSING), &body)
}

impl SoapCall for Host {
    async fn call(&mut self, what: &str, _: Vec<u8>) -> Result<Vec<u8>, HostError> {
        assert!(!self.is_gone, "`{what}` on a connection that is gone");
        self.log.lock().unwrap().push(what.trim_start_matches("Shell.").to_owned());
        match self.blow.filter(|(at, _)| *at == what).map(|(_, blow)| blow) {
            None => Ok(answer(what)),
            Some(Blow::Fault(code)) => Ok(fault(code)),
            Some(Blow::Nonsense) => Ok(b"<nonsense/>".to_vec()),
            Some(Blow::Breaks) => {
                self.is_gone = true;
                Err(HostError::Lost { call: what.to_owned(), source: "reset".into() })
            }
            Some(Blow::Hangs) => std::future::pending().await,
        }
    }

    async fn renew(&mut self) -> Result<(), HostError> {
        self.log.lock().unwrap().push("logon".to_owned());
        if !self.renews {
            let (endpoint, source) = ("fs01".to_owned(), "refused".into());
            return Err(HostError::NotConnected { endpoint, source });
        }
        self.is_gone = false;
        Ok(())
    }
}

fn link(host: Host, left: &LeftShells) -> WsmanLink<Host> {
    let header = Header {
        message_id: String::new(),
        session_id: "uuid:2".to_owned(),
        to: "http://fs01:5985/wsman".to_owned(),
        operation_timeout: Duration::from_secs(20),
        max_envelope: 153_600,
    };
    WsmanLink::new(host, header, Box::new(|| "uuid:1".to_owned()), left.of(&target()))
}

fn program() -> Program {
    Program::new(&[r"C:\Tools\check.exe".to_owned()]).unwrap()
}

const LIMIT: Duration = Duration::from_mins(1);

/// Runs a program on a clock that goes on by `pace` whenever it is read.
fn run(host: &Host, pace: Duration, left: &LeftShells) -> String {
    // Time stands still and jumps to whatever is waited for.
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    let read = AtomicU32::new(0);
    let elapsed = || pace * read.fetch_add(1, Ordering::Relaxed);
    let mut link = link(host.clone(), left);
    let ended = runtime.block_on(link.run(&program(), "{}", LIMIT, elapsed));
    match ended {
        Ok(result) => format!("{} {:?}", result.stdout, result.exit_code),
        Err(ProgramError::NotStarted(_)) => "not started".to_owned(),
        Err(ProgramError::Overdue(_)) => "overdue".to_owned(),
        Err(ProgramError::InDoubt(_)) => "in doubt".to_owned(),
    }
}

#[track_caller]
fn check(blow: Option<(&'static str, Blow)>, renews: bool, ended: &str, calls: &str) {
    let (host, left) = (Host { blow, renews, ..Host::default() }, LeftShells::default());
    let got = run(&host, Duration::from_secs(20), &left);
    assert_eq!((got.as_str(), host.log.lock().unwrap().join(" ").as_str()), (ended, calls));
    let stands = calls.starts_with("Create Command") && !calls.ends_with("Delete");
    assert_eq!(!left.list().is_empty(), stands, "what is not deleted is written down");
}

const WHOLE: &str = "Create Command Send Receive Signal Delete";

#[test]
fn a_program_is_fed_heard_and_its_shell_deleted() {
    check(None, false, "hi Some(3)", WHOLE);
}

#[test]
fn a_fault_ends_in_a_deleted_shell() {
    let blow = |at, code| Some((at, Blow::Fault(code)));
    check(blow("Shell.Create", 5), false, "not started", "Create");
    check(blow("Shell.Create", 2_150_859_173), false, "not started", "Create Create Create");
    check(blow("Shell.Command", 2_147_942_402), false, "not started", "Create Command Delete");
    // Whether it was started is not said.
    check(blow("Shell.Command", TIMED_OUT), false, "in doubt", "Create Command Delete");
    check(blow("Shell.Command", 995), false, "in doubt", "Create Command Delete");
    check(blow("Shell.Send", 109), false, "hi Some(3)", WHOLE);
    check(blow("Shell.Receive", 995), false, "in doubt", WHOLE);
    check(blow("Shell.Signal", shell::NO_SUCH_SHELL), false, "hi Some(3)", WHOLE);
    for gone in shell::GONE {
        check(blow("Shell.Delete", gone), false, "hi Some(3)", WHOLE);
    }
}

#[test]
fn a_program_that_runs_out_of_time_is_told_to_end() {
    let silent = "Create Command Send Receive Receive Receive Signal Delete";
    check(Some(("Shell.Receive", Blow::Fault(TIMED_OUT))), false, "overdue", silent);
}

#[test]
fn a_shell_whose_connection_broke_is_deleted_over_a_new_one() {
    let breaks = |at| Some((at, Blow::Breaks));
    check(breaks("Shell.Create"), true, "not started", "Create");
    check(breaks("Shell.Command"), true, "in doubt", "Create Command logon Delete");
    check(breaks("Shell.Send"), true, "in doubt", "Create Command Send logon Delete");
    check(breaks("Shell.Receive"), true, "in doubt", "Create Command Send Receive logon Delete");
    check(breaks("Shell.Receive"), false, "in doubt", "Create Command Send Receive logon");
    check(breaks("Shell.Signal"), true, "hi Some(3)", &WHOLE.replace("Delete", "logon Delete"));
    let nonsense = Some(("Shell.Receive", Blow::Nonsense));
    check(nonsense, true, "in doubt", "Create Command Send Receive logon Delete");
}

#[test]
fn a_program_whose_future_is_dropped_leaves_its_shell_written_down() {
    let blow = Some(("Shell.Receive", Blow::Hangs));
    let (host, left) = (Host { blow, ..Host::default() }, LeftShells::default());
    let mut link = link(host, &left);
    {
        let program = program();
        let mut running = Box::pin(link.run(&program, "", LIMIT, || Duration::ZERO));
        let waker = futures::task::noop_waker();
        let mut context = std::task::Context::from_waker(&waker);
        assert!(running.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(left.list(), [("AB".to_owned(), CMD.to_owned(), target())]);
}
