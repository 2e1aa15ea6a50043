use super::*;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;

use crate::host::imagined::Imagined;
use crate::host::link::Cmdlet;
use crate::host::link::CmdletResult;
use crate::host::link::Shell;
use crate::model::host::Endpoint;
use crate::model::host::HostName;
use crate::model::host::Scheme;
use crate::model::host::Spn;
use crate::model::host::Transport;
use crate::model::tls::TlsTrust;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

/// A clock that only sleeping moves.
#[derive(Clone)]
struct Hand(Arc<Mutex<Timestamp>>);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        *self.0.lock().unwrap() += duration;
    }
}

/// What the host is like from a moment on, in seconds since the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Answers, last started at this second.
    Up(i64),
    /// As `Up`, but the service does not run yet.
    Starting(i64),
    /// Nothing answers.
    Silent,
    /// Takes a connection, and says nothing on it for so many seconds.
    Hangs(i64),
    /// Knocks are answered, logons refused.
    Denies,
    /// The account guard holds.
    Guarded,
    /// The clock was corrected: a later boot time, but up for long.
    Corrected,
}

#[derive(Clone)]
struct Farm {
    clock: Hand,
    phases: Vec<(i64, Phase)>,
    logons: Arc<Mutex<Vec<Timestamp>>>,
}

impl Farm {
    fn phase(&self) -> Phase {
        let now = self.clock.now();
        self.phases.iter().rfind(|(from, _)| at(*from) <= now).unwrap().1
    }
}

enum Never {}

impl Shell for Never {
    async fn run(&mut self, _: &Cmdlet) -> Result<CmdletResult, HostError> {
        match *self {}
    }

    async fn close(self) {
        match self {}
    }
}

impl Connect for Farm {
    type Link = Imagined;
    type Shell = Never;

    async fn connect(&self, _: &Target) -> Result<Imagined, HostError> {
        let now = self.clock.now();
        self.logons.lock().unwrap().push(now);
        let user = "CONTOSO\\ops".to_owned();
        let (boot, up_since, state) = match self.phase() {
            Phase::Up(boot) => (boot, boot, "Running"),
            Phase::Starting(boot) => (boot, boot, "Start Pending"),
            Phase::Corrected => (30, -90_000, "Running"),
            Phase::Silent => return Err(refused()),
            Phase::Hangs(seconds) => {
                *self.clock.0.lock().unwrap() += SignedDuration::from_secs(seconds);
                let (call, source) = ("Enumerate".to_owned(), "no answer".into());
                return Err(HostError::Lost { call, source });
            }
            Phase::Denies => return Err(HostError::Denied { user, detail: "401".to_owned() }),
            Phase::Guarded => return Err(HostError::Guarded { user, why: "was refused" }),
        };
        let up = now.duration_since(at(up_since)).as_secs().to_string();
        let boot = at(boot).to_string();
        Ok(Imagined::new()
            .with_instance("Win32_OperatingSystem", &[("LastBootUpTime", &boot)])
            .with_instance("Win32_PerfFormattedData_PerfOS_System", &[("SystemUpTime", &up)])
            .with_instance("Win32_Service", &[("Name", "W3SVC"), ("State", state)]))
    }

    async fn shell(&self, _: &Target, _: &str) -> Result<Never, HostError> {
        Err(refused())
    }

    async fn knock(&self, _: &Target) -> Result<Knock, HostError> {
        if self.phase() == Phase::Silent { Err(refused()) } else { Ok(Knock::Answered) }
    }

    async fn dial(&self, _: &Target) -> Result<SocketAddr, HostError> {
        Err(refused())
    }
}

fn refused() -> HostError {
    HostError::NotConnected { endpoint: "fs01".to_owned(), source: "connection refused".into() }
}

fn target() -> Target {
    Target {
        host: HostName::new("fs01"),
        endpoint: Endpoint {
            scheme: Scheme::Http,
            address: "fs01".to_owned(),
            port: 5985,
            path: "/wsman".to_owned(),
            transport: Transport::Ntlm,
            tls: TlsTrust::default(),
            spn: Spn::default(),
            client: None,
        },
        credential: "default".to_owned(),
        user: None,
        connect_timeout: Duration::from_secs(5),
        operation_timeout: Duration::from_secs(20),
    }
}

struct Ended {
    result: Result<BootReading, Failure>,
    seen: Vec<String>,
    logons: Vec<Timestamp>,
}

/// Waits 600 s at most for a host that was last started a day before the order.
async fn wait(phases: &[(i64, Phase)]) -> Ended {
    let clock = Hand(Arc::new(Mutex::new(at(1))));
    let logons = Arc::new(Mutex::new(Vec::new()));
    let farm = Farm { clock: clock.clone(), phases: phases.to_vec(), logons: logons.clone() };
    let wait = Wait {
        before: at(-86_400),
        ordered_at: at(0),
        deadline: at(600),
        services: &["w3svc".to_owned()],
        pace: Pace::default(),
    };
    let mut seen = Vec::new();
    let mut note = |text| seen.push(text);
    let result = wait_for_restart(&farm, &clock, &target(), &wait, &mut note).await;
    let logons = logons.lock().unwrap().clone();
    Ended { result, seen, logons }
}

async fn check_fails(phases: &[(i64, Phase)], kind: FailureKind, text: &str) {
    let failure = wait(phases).await.result.unwrap_err();
    assert_eq!(failure.kind, kind, "{failure:?}");
    assert!(failure.text().contains(text), "{failure:?}");
}

const OLD: Phase = Phase::Up(-86_400);

#[tokio::test]
async fn a_usual_restart_is_proved() {
    let phases = [
        (0, OLD),
        (20, Phase::Silent),
        (60, Phase::Denies),
        (90, Phase::Starting(50)),
        (150, Phase::Up(50)),
    ];
    let ended = wait(&phases).await;
    assert_eq!(ended.result.unwrap().last_boot, at(50));
    let seen = ended.seen.join("\n");
    for part in ["still up since", "connection refused", "401", "waiting for w3svc (Start Pending)"]
    {
        assert!(seen.contains(part), "{part} not in {seen}");
    }
    for pair in ended.logons.windows(2) {
        let refused = (at(60)..at(90)).contains(&pair[0]);
        let pause = SignedDuration::from_secs(if refused { 15 } else { 5 });
        assert!(pair[1].duration_since(pair[0]) >= pause, "{pair:?}");
    }
}

#[tokio::test]
async fn a_second_restart_is_waited_for_too() {
    let phases =
        [(0, Phase::Silent), (40, Phase::Up(30)), (44, Phase::Silent), (90, Phase::Up(80))];
    let ended = wait(&phases).await;
    assert_eq!(ended.result.unwrap().last_boot, at(80));
}

#[tokio::test]
async fn what_does_not_come_back_is_told_from_what_did_not_go() {
    let back = FailureKind::NotBack;
    check_fails(&[(0, OLD), (20, Phase::Silent)], back, "connection refused").await;
    check_fails(&[(0, OLD), (20, Phase::Denies)], back, "401").await;
    check_fails(&[(0, Phase::Silent), (60, Phase::Starting(50))], back, "w3svc").await;
    check_fails(&[(0, OLD)], FailureKind::RestartNotBegun, "still up since").await;
}

#[tokio::test]
async fn a_connection_that_died_with_the_host_costs_the_host_no_time() {
    let ended = wait(&[(0, OLD), (580, Phase::Hangs(70)), (600, Phase::Up(590))]).await;
    assert_eq!(ended.result.unwrap().last_boot, at(590));
    let ended = wait(&[(0, OLD), (580, Phase::Hangs(70))]).await;
    assert_eq!(ended.result.unwrap_err().kind, FailureKind::NotBack);
    assert!(ended.logons.last().unwrap() < &at(680), "given back more than once");
}

#[tokio::test]
async fn a_corrected_clock_is_no_restart() {
    check_fails(&[(0, Phase::Corrected)], FailureKind::RestartNotBegun, "still up").await;
}

#[tokio::test]
async fn a_guarded_account_is_not_tried_again() {
    let ended = wait(&[(0, Phase::Guarded)]).await;
    assert_eq!(ended.result.unwrap_err().kind, FailureKind::AccountGuarded);
    assert_eq!(ended.logons.len(), 1);
}

#[tokio::test]
async fn refused_logons_grow_rarer_and_end() {
    let ended = wait(&[(0, Phase::Denies)]).await;
    assert_eq!(ended.logons.len(), 6);
    for (place, pair) in ended.logons.windows(2).enumerate() {
        let pause = SignedDuration::from_secs(15 << place);
        assert!(pair[1].duration_since(pair[0]) >= pause, "{pair:?}");
    }
    let text = ended.result.unwrap_err().text();
    assert!(text.contains("after 6 refused logons no other was tried"), "{text}");
}

#[test]
fn a_proof_needs_both_witnesses() {
    let check = |boot, up_seconds, now, expected| {
        let reading = BootReading { last_boot: at(boot), up_seconds };
        assert_eq!(proof(at(-100), at(0), reading, at(now)), expected, "{reading:?} at {now}");
    };
    check(10, 20, 30, Proof::Proved);
    check(-94, 29, 30, Proof::Proved);
    check(-95, 29, 30, Proof::NotYet);
    check(-100, 130, 30, Proof::OldBoot);
    check(10, 30, 30, Proof::OldBoot);
    check(10, u64::MAX, 30, Proof::OldBoot);
    check(10, 0, -5, Proof::OldBoot);
}

#[tokio::test]
async fn an_order_goes_out_once_and_a_lost_reply_is_no_answer() {
    let mut host = Imagined::new();
    assert_eq!(order(&mut host, 2, "rmsfleet").await.unwrap(), Some(0));
    host.world().codes.insert("Win32_OperatingSystem.Win32ShutdownTracker".into(), 1314);
    assert_eq!(order(&mut host, 2, "rmsfleet").await.unwrap(), Some(1314));
    host.world().breaks.insert("Win32_OperatingSystem.Win32ShutdownTracker".into());
    assert_eq!(order(&mut host, 2, "rmsfleet").await.unwrap(), None);
    assert_eq!(host.acts().len(), 3);
}

#[tokio::test]
async fn only_services_that_run_by_themselves_are_waited_for() {
    let service = |name, mode, state| [("Name", name), ("StartMode", mode), ("State", state)];
    let mut host = Imagined::new()
        .with_instance("Win32_Service", &service("W3SVC", "Auto", "Running"))
        .with_instance("Win32_Service", &service("Spooler", "Auto", "Stopped"))
        .with_instance("Win32_Service", &service("Demand", "Manual", "Running"));
    let names = running_services(&mut host, &["W3SVC", "Spooler", "Demand"]).await.unwrap();
    assert_eq!(names, ["W3SVC"]);
}

#[test]
fn a_service_name_cannot_end_its_quotes() {
    assert_eq!(
        services_wql("Name", &["O'Neil", r"a\b"]),
        r"SELECT Name FROM Win32_Service WHERE Name='O\'Neil' OR Name='a\\b'"
    );
}

#[test]
fn recipes_can_move_between_threads() {
    fn sendable<T: Send>(_: T) {}
    let clock = Hand(Arc::new(Mutex::new(at(0))));
    let logons = Arc::new(Mutex::new(Vec::new()));
    let farm = Farm { clock: clock.clone(), phases: Vec::new(), logons };
    let wait = Wait {
        before: at(0),
        ordered_at: at(0),
        deadline: at(0),
        services: &[],
        pace: Pace::default(),
    };
    let target = target();
    sendable(wait_for_restart(&farm, &clock, &target, &wait, &mut |_| {}));
}
