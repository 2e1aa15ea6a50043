//! The survey of an imagined fleet: everything is asked, nothing is written.

use std::collections::BTreeSet;
use std::time::Duration;

use rmsfleet::event::Event;
use rmsfleet::event::Sink;
use rmsfleet::event::SinkError;
use rmsfleet::host::link::Target;
use rmsfleet::model::care::Care;
use rmsfleet::model::facts::HostSurvey;
use rmsfleet::model::facts::Survey;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::probe::Probe;
use rmsfleet::model::registry::Reading;
use rmsfleet::model::registry::ValuePath;
use rmsfleet::model::rollout::Limits;
use rmsfleet::run::survey::Question;
use rmsfleet::run::survey::survey;

use crate::imagined::KEY;
use crate::imagined::endpoint;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::ImaginedSink;
use crate::imagined::fleet::Luck;
use crate::imagined::state;

fn target(name: &str, path: &str) -> Target {
    Target {
        host: HostName::new(name),
        endpoint: endpoint(name, path),
        credential: "default".to_owned(),
        user: None,
        connect_timeout: Duration::from_secs(5),
        operation_timeout: Duration::from_secs(20),
    }
}

fn question(name: &str, organisation: bool) -> Question {
    let values = BTreeSet::from([ValuePath::new(KEY, "One"), ValuePath::new(KEY, "Two")]);
    Question {
        target: target(name, "/wsman"),
        probe: Probe { values, organisation, ..Probe::default() },
        exchange: organisation.then(|| target(name, "/PowerShell/")),
        farm: None,
        care: Care::default(),
    }
}

fn ask(fleet: &Fleet, questions: &[Question], sink: &mut dyn Sink) -> Result<Survey, SinkError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(survey(
        fleet,
        fleet,
        questions,
        &Limits { forks: 2, ..Limits::default() },
        sink,
    ))
}

#[track_caller]
fn check(fleet: &Fleet, names: &[&str]) -> Survey {
    let questions: Vec<Question> =
        names.iter().map(|name| question(name, name.starts_with("EX"))).collect();
    let survey = ask(fleet, &questions, &mut ImaginedSink(fleet.clone())).unwrap();
    for act in ["set", "create", "delete", "drop", "restart", "Set-"] {
        let acts = fleet.with(|world| {
            let line = |line: &&String| line.split(' ').nth(1).is_some_and(|w| w.starts_with(act));
            world.log.iter().filter(line).count()
        });
        assert_eq!(acts, 0, "a survey must not {act}");
    }
    survey
}

#[test]
fn every_value_is_read_over_one_logon_per_host() {
    let fleet = Fleet::new(&["FS1", "FS2", "FS3"]);
    fleet.put("FS1", &ValuePath::new(KEY, "One"), "1");
    let survey = check(&fleet, &["FS1", "FS2", "FS3"]);
    let HostSurvey::Read(seen) = &survey.hosts[&HostName::new("FS1")] else { panic!() };
    assert_eq!(seen.value(&ValuePath::new(KEY, "One")), Reading::Known(state(Some("1"))));
    assert_eq!(seen.value(&ValuePath::new(KEY, "Two")), Reading::Known(state(None)));
    assert_eq!(seen.identity.computer, "FS1");
    for name in ["FS1", "FS2", "FS3"] {
        assert_eq!(fleet.count(&format!("{name} logon")), 1);
        assert_eq!(fleet.count(&format!("[{name} host-surveyed]")), 1);
    }
}

#[test]
fn a_host_that_fails_is_part_of_the_survey() {
    let fleet = Fleet::new(&["FS1", "FS2"]);
    fleet.luck("FS2", Luck { unreachable: true, ..Luck::default() });
    let survey = check(&fleet, &["FS1", "FS2"]);
    assert!(matches!(survey.hosts[&HostName::new("FS1")], HostSurvey::Read(_)));
    let HostSurvey::Failed(failure) = &survey.hosts[&HostName::new("FS2")] else { panic!() };
    assert_eq!(failure.kind, FailureKind::Unreachable);
    let told = fleet.with(|world| {
        world.events.iter().any(|event| {
            matches!(event, Event::HostSurveyed { host, failure: Some(_) } if host.as_str() == "FS2")
        })
    });
    assert!(told);
}

#[test]
fn an_organisation_is_asked_once_however_many_servers_it_has() {
    let fleet = Fleet::new(&["EX1", "EX2", "FS1"]);
    let survey = check(&fleet, &["EX1", "EX2", "FS1"]);
    assert_eq!(survey.organisations.len(), 1);
    assert_eq!(survey.organisations[0].name, "Contoso");
    assert_eq!(survey.organisations[0].via, HostName::new("EX1"));
    assert_eq!((fleet.count("shell"), fleet.count("close")), (1, 1));
}

#[test]
fn the_next_server_is_asked_where_the_first_cannot_be_read() {
    let fleet = Fleet::new(&["EX1", "EX2"]);
    fleet.luck("EX1", Luck { denied: true, ..Luck::default() });
    let survey = check(&fleet, &["EX1", "EX2"]);
    assert_eq!(survey.organisations[0].via, HostName::new("EX2"));
    assert_eq!(fleet.count("EX1 shell"), 0, "a refused account is not tried again");
}

#[test]
fn an_endpoint_that_does_not_tell_is_named_and_the_next_is_asked() {
    let fleet = Fleet::new(&["EX1", "EX2"]);
    fleet.luck("EX1", Luck { no_shell: true, ..Luck::default() });
    let survey = check(&fleet, &["EX1", "EX2"]);
    assert_eq!(survey.organisations[0].via, HostName::new("EX2"));
    let failed: Vec<&HostName> = survey.organisation_failures.keys().collect();
    assert_eq!(failed, [&HostName::new("EX1")]);
}

#[test]
fn a_sink_that_fails_ends_the_survey() {
    let fleet = Fleet::new(&["FS1", "FS2"]);
    fleet.with(|world| world.sink_fails_at = 1);
    let questions = [question("FS1", false), question("FS2", false)];
    assert!(ask(&fleet, &questions, &mut ImaginedSink(fleet.clone())).is_err());
}
