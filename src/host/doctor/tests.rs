//! An imagined host at whose bedside each layer can be broken.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::host::imagined::Imagined;
use crate::host::link::Cmdlet;
use crate::host::link::CmdletResult;
use crate::host::link::Knock;
use crate::model::checkup::Verdict;
use crate::model::host::Endpoint;
use crate::model::host::HostName;
use crate::model::host::Scheme;
use crate::model::host::Transport;
use crate::model::registry::KeyPath;
use crate::model::tls::TlsTrust;
use crate::wire::psrp::object::Complex;
use crate::wire::psrp::object::PsObject;

const KEY: &str = r"SOFTWARE\Microsoft";
const NOW: &str = "2026-01-09T12:00:00Z";

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    Name,
    Tcp,
    Tls,
    Ticket,
    Silent,
    Status(u16),
    /// The logon with this number, counted from 1.
    Denied(usize),
    Guarded,
    WrongHost,
    Clock,
    Rights,
    /// WinRM does not start by itself.
    Manual,
    /// The host has no such service to tell of.
    Untold,
    Cmdlet,
}

#[derive(Clone)]
struct Bed {
    broken: Broken,
    log: Arc<Mutex<Vec<&'static str>>>,
}

impl Bed {
    fn note(&self, act: &'static str) -> usize {
        let mut log = self.log.lock().unwrap();
        log.push(act);
        log.iter().filter(|own| **own == act).count()
    }

    fn denies(&self) -> Result<(), HostError> {
        let user = r"CORP\ops".to_owned();
        let count = self.note("logon");
        match self.broken {
            Broken::Denied(number) if number == count => {
                Err(HostError::Denied { user, detail: "401".to_owned() })
            }
            Broken::Ticket => Err(HostError::Unsupported("Kerberos: no such service".to_owned())),
            Broken::Guarded => Err(HostError::Guarded { user, why: "was refused elsewhere" }),
            _ => Ok(()),
        }
    }
}

fn gone() -> HostError {
    HostError::NotConnected { endpoint: "fs01".to_owned(), source: "refused".into() }
}

struct Pool(Bed);

impl Shell for Pool {
    async fn run(&mut self, cmdlet: &Cmdlet) -> Result<CmdletResult, HostError> {
        if self.0.broken == Broken::Cmdlet {
            let message = "not recognised".to_owned();
            return Err(HostError::Cmdlet { cmdlet: cmdlet.name.to_owned(), message });
        }
        let dn = "CN=ControlPoint Config,CN=Transport Settings,CN=Contoso";
        let properties = [("DistinguishedName".to_owned(), PsObject::Text(dn.to_owned()))];
        let object = Complex { properties: properties.into(), ..Complex::default() };
        let output = vec![PsObject::Complex(Box::new(object))];
        Ok(CmdletResult { output, ..CmdletResult::default() })
    }

    async fn close(self) {
        self.0.note("close");
    }
}

impl Connect for Bed {
    type Link = Imagined;
    type Shell = Pool;

    async fn connect(&self, _: &Target) -> Result<Imagined, HostError> {
        self.denies()?;
        let computer = if self.broken == Broken::WrongHost { "OLD" } else { "FS01" };
        let time = if self.broken == Broken::Clock { "2026-01-09T11:40:00Z" } else { NOW };
        let host = Imagined::new()
            .with_instance(
                "Win32_OperatingSystem",
                &[
                    ("Caption", "Windows"),
                    ("CSName", computer),
                    ("LastBootUpTime", NOW),
                    ("LocalDateTime", time),
                    ("ProductType", "3"),
                    ("Version", "10.0"),
                ],
            )
            .with_instance("Win32_ComputerSystem", &[("PartOfDomain", "false")]);
        let mode = if self.broken == Broken::Manual { "Manual" } else { "Auto" };
        let service = [("Name", "WinRM"), ("StartMode", mode), ("State", "Running")];
        let host = if self.broken == Broken::Untold {
            host
        } else {
            host.with_instance("Win32_Service", &service)
        };
        Ok(if self.broken == Broken::Rights { host.denying(KEY) } else { host })
    }

    async fn shell(&self, _: &Target, _: &str) -> Result<Pool, HostError> {
        self.denies()?;
        self.note("open");
        Ok(Pool(self.clone()))
    }

    async fn knock(&self, _: &Target) -> Result<Knock, HostError> {
        Ok(Knock::Answered)
    }

    async fn dial(&self, _: &Target) -> Result<SocketAddr, HostError> {
        if self.broken == Broken::Tcp { Err(gone()) } else { Ok(([127, 0, 0, 1], 5985).into()) }
    }
}

impl Bedside for Bed {
    fn user(&self, _: &Target) -> Option<String> {
        Some(r"CORP\ops".to_owned())
    }

    async fn resolve(&self, _: &Target) -> Result<Vec<IpAddr>, HostError> {
        if self.broken == Broken::Name { Err(gone()) } else { Ok(vec![Ipv4Addr::LOCALHOST.into()]) }
    }

    async fn shake(&self, _: &Target) -> Result<Shown, HostError> {
        self.note("shake");
        if self.broken == Broken::Tls {
            return Err(gone());
        }
        let until = "2026-01-20T00:00:00Z".parse().ok();
        Ok(Shown { protocol: "TLS 1.3", until, thumbprint: "AB12".to_owned(), lists: Vec::new() })
    }

    fn service(&self, target: &Target) -> Option<String> {
        (target.endpoint.transport == Transport::Kerberos).then(|| "HTTP/fs01".to_owned())
    }

    async fn greet(&self, _: &Target) -> Result<Greeting, HostError> {
        let words = match self.broken {
            Broken::Silent => return Err(gone()),
            Broken::Status(status) => Words::Status(status),
            _ => Words::Identified { vendor: "imagined".into(), version: "1".into() },
        };
        // Without a ticket nobody reads the host's own clock.
        let late = (self.broken == Broken::Ticket).then(|| "2026-01-09T11:40:00Z".parse().unwrap());
        Ok(Greeting { words, date: late })
    }
}

#[derive(Clone)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        NOW.parse().unwrap()
    }

    async fn sleep(&self, _: Duration) {}
}

fn patient(scheme: Scheme, transport: Transport) -> Patient {
    let target = Target {
        host: HostName::new("FS01"),
        endpoint: Endpoint {
            scheme,
            address: "fs01".to_owned(),
            port: 5985,
            path: "/wsman".to_owned(),
            transport,
            tls: TlsTrust::default(),
            spn: crate::model::host::Spn::default(),
            client: None,
        },
        credential: "default".to_owned(),
        user: None,
        connect_timeout: Duration::from_secs(1),
        operation_timeout: Duration::from_secs(1),
    };
    let access = BTreeSet::from([KeyPath::new(KEY)]);
    Patient { exchange: Some(target.clone()), target, access }
}

/// Examines a host with one thing broken: the checks that fail and those that are skipped, how
/// often somebody logged on, and the trouble.
#[track_caller]
fn check(
    broken: Broken,
    failed: &[Check],
    skipped: &[Check],
    logons: usize,
    worst: Option<Trouble>,
) {
    check_over((Scheme::Http, Transport::Ntlm), broken, failed, skipped, logons, worst);
}

#[track_caller]
fn check_over(
    (scheme, transport): (Scheme, Transport),
    broken: Broken,
    failed: &[Check],
    skipped: &[Check],
    logons: usize,
    worst: Option<Trouble>,
) {
    let bed = Bed { broken, log: Arc::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let checkup = runtime.block_on(examine(&bed, &Noon, &patient(scheme, transport)));
    let with = |wanted: fn(&Verdict) -> bool| -> Vec<Check> {
        let found = checkup.checks.iter().filter(|checked| wanted(&checked.verdict));
        found.map(|checked| checked.check).collect()
    };
    assert_eq!(with(|verdict| matches!(verdict, Verdict::Failed { .. })), failed, "{checkup:?}");
    assert_eq!(with(|verdict| matches!(verdict, Verdict::Skipped { .. })), skipped, "{checkup:?}");
    let more = usize::from(scheme == Scheme::Https) + usize::from(transport == Transport::Kerberos);
    assert_eq!(checkup.checks.len(), 10 + more);
    assert_eq!(checkup.trouble(), worst);
    for checked in &checkup.checks {
        if let Verdict::Failed { remedy, .. } = &checked.verdict {
            assert!(!remedy.is_empty(), "{checked:?} does not say what to do");
        }
    }
    let log = bed.log.lock().unwrap();
    let count = |act| log.iter().filter(|own| **own == act).count();
    assert_eq!(count("logon"), logons, "{log:?}");
    assert_eq!(count("open"), count("close"), "a pool was left open");
}

const AFTER_LOGON: [Check; 6] =
    [Check::Identity, Check::Clock, Check::Rights, Check::Service, Check::Quota, Check::Exchange];

fn after(check: Check) -> Vec<Check> {
    [Check::Name, Check::Tcp, Check::Http, Check::Logon]
        .into_iter()
        .chain(AFTER_LOGON)
        .filter(|other| *other > check)
        .collect()
}

#[test]
fn a_host_without_trouble_is_green_all_the_way() {
    check(Broken::Nothing, &[], &[], 3, None);
}

#[test]
fn what_rests_on_a_failed_layer_is_skipped() {
    let unreachable = Some(Trouble::Unreachable);
    check(Broken::Name, &[Check::Name], &after(Check::Name), 0, unreachable);
    check(Broken::Tcp, &[Check::Tcp], &after(Check::Tcp), 0, unreachable);
    check(Broken::Silent, &[Check::Http], &after(Check::Http), 0, unreachable);
    let wrong = Some(Trouble::Wrong);
    check(Broken::Status(500), &[Check::Http], &after(Check::Http), 0, wrong);
    check(Broken::WrongHost, &[Check::Identity], &after(Check::Identity), 1, wrong);
}

#[test]
fn tls_is_a_layer_of_its_own_and_says_when_the_certificate_ends() {
    let https = (Scheme::Https, Transport::Ntlm);
    check_over(https, Broken::Nothing, &[], &[], 3, None);
    let wrong = Some(Trouble::Wrong);
    let rest = [&[Check::Http, Check::Logon], AFTER_LOGON.as_slice()].concat();
    check_over(https, Broken::Tls, &[Check::Tls], &rest, 0, wrong);
    let bed = Bed { broken: Broken::Nothing, log: Arc::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let checkup = runtime.block_on(examine(&bed, &Noon, &patient(https.0, https.1)));
    let text = format!("{:?}", checkup.checks[2]);
    assert!(text.contains("ends in 10 days, on 2026-01-20: renew it"), "{text}");
}

#[test]
fn a_ticket_that_cannot_be_had_is_told_from_a_refused_logon() {
    let kerberos = (Scheme::Http, Transport::Kerberos);
    check_over(kerberos, Broken::Nothing, &[], &[], 3, None);
    let wrong = Some(Trouble::Wrong);
    // The date of its replies tells of a clock that Kerberos does not bear.
    let rest = [&[Check::Logon, Check::Identity], &AFTER_LOGON[2..]].concat();
    check_over(kerberos, Broken::Ticket, &[Check::Spn, Check::Clock], &rest, 1, wrong);
    let rest = [&[Check::Spn], AFTER_LOGON.as_slice()].concat();
    let refused = Some(Trouble::Refused);
    check_over(kerberos, Broken::Denied(1), &[Check::Logon], &rest, 1, refused);
}

#[test]
fn a_host_that_wants_a_logon_for_identify_is_given_one() {
    check(Broken::Status(401), &[], &[], 3, None);
}

#[test]
fn after_a_refused_logon_there_is_no_other() {
    let refused = Some(Trouble::Refused);
    check(Broken::Denied(1), &[Check::Logon], &AFTER_LOGON, 1, refused);
    check(Broken::Guarded, &[Check::Logon], &AFTER_LOGON, 1, refused);
    check(Broken::Denied(2), &[Check::Quota], &[Check::Exchange], 2, refused);
    check(Broken::Denied(3), &[Check::Exchange], &[], 3, refused);
}

#[test]
fn what_nothing_rests_on_fails_alone() {
    let wrong = Some(Trouble::Wrong);
    check(Broken::Clock, &[Check::Clock], &[], 3, wrong);
    check(Broken::Rights, &[Check::Rights], &[], 3, wrong);
    check(Broken::Manual, &[Check::Service], &[], 3, wrong);
    check(Broken::Untold, &[], &[Check::Service], 3, None);
    check(Broken::Cmdlet, &[Check::Exchange], &[], 3, wrong);
}
