use clap::Parser;

use super::*;
use crate::model::host::HostName;
use crate::model::preflight::Waiver;

fn around(variables: &[(&str, &str)]) -> Surroundings {
    Surroundings {
        variables: variables
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        stdin_is_terminal: true,
        state_dir: Some("/state".into()),
        ..Surroundings::default()
    }
}

fn resolve(line: &str, variables: &[(&str, &str)]) -> Result<Request, UsageError> {
    let words = std::iter::once("rmsfleet").chain(line.split_whitespace());
    Request::resolve(Args::try_parse_from(words).unwrap(), &around(variables))
}

fn plan(line: &str, variables: &[(&str, &str)]) -> PlanRequest {
    match resolve(line, variables).unwrap().action {
        Action::Plan(plan) => *plan,
        Action::Apply(apply) => apply.plan,
        other => panic!("not a plan: {other:?}"),
    }
}

#[track_caller]
fn check_inventory(line: &str, variables: &[(&str, &str)], expected: &str) {
    assert_eq!(plan(line, variables).files.inventory, Source::File(expected.into()));
}

#[test]
fn flag_beats_environment_beats_default() {
    let set = [("RMSFLEET_INVENTORY", "env.yml")];
    check_inventory("plan -i flag.yml", &set, "flag.yml");
    check_inventory("plan", &set, "env.yml");
    check_inventory("plan", &[], "inventory.yml");
    assert_eq!(plan("plan", &[("RMSFLEET_FORKS", "7")]).forks, Some(7));
    assert_eq!(plan("plan -f 3", &[("RMSFLEET_FORKS", "x")]).forks, Some(3));
    assert!(resolve("plan", &[("RMSFLEET_FORKS", "many")]).is_err());
}

#[test]
fn a_flag_may_stand_before_or_after_the_verb() {
    assert_eq!(plan("-i a.yml plan --yes", &[]), plan("plan -i a.yml -y", &[]));
}

#[test]
fn consent_never_comes_from_the_environment() {
    let set = [("RMSFLEET_YES", "1"), ("RMSFLEET_CONFIRM", "Contoso"), ("RMSFLEET_WAIVE", "A:b")];
    let expected = Consent { may_ask: true, ..Consent::default() };
    assert_eq!(plan("apply", &set).consent, expected);
    assert!(!plan("apply", &[("RMSFLEET_NO_INPUT", "1")]).consent.may_ask);
}

#[test]
fn every_word_for_check_means_plan() {
    for word in ["--check", "--noop", "--what-if", "-n"] {
        let request = resolve(&format!("apply {word}"), &[]).unwrap();
        assert!(matches!(request.action, Action::Plan(_)), "{word}");
    }
}

#[test]
fn what_makes_a_plan_is_refused_beside_a_sealed_one() {
    for flag in ["--waive EX1:identity", "--waive-server EX7", "-f 1", "--var a=b"] {
        assert!(resolve(&format!("apply change.rmsplan {flag}"), &[]).is_err(), "{flag}");
        assert!(resolve(&format!("apply {flag}"), &[]).is_ok(), "{flag}");
    }
    let limited = plan("apply change.rmsplan", &[("RMSFLEET_LIMIT", "EX1")]);
    assert_eq!(limited.limit.as_deref(), Some("EX1"), "a limit counts wherever it comes from");
    assert!(resolve("resume r1 --limit EX1", &[]).is_err(), "a run keeps its limit");
    assert!(resolve("apply change.rmsplan --yes --confirm Contoso -i a.yml", &[]).is_ok());
}

#[test]
fn what_a_command_takes_no_notice_of_is_refused() {
    assert!(resolve("drift --limit FS01", &[]).is_err(), "it reads every host");
    assert!(resolve("drift --host FS01", &[]).is_ok());
    assert!(resolve("export reg --host FS01 -o files", &[]).is_err(), "it writes every host's");
    assert!(resolve("export reg --limit FS01 -o files", &[]).is_ok());
    assert!(resolve("undo r1 --waive-server EX7", &[]).is_ok());
}

#[test]
fn the_lab_is_not_made_from_a_variable_meant_for_the_fleet() {
    let set = [("RMSFLEET_INVENTORY", "prod.yml")];
    assert_eq!(plan("apply --lab", &set).files.inventory, Source::EmbeddedLab);
    let own = plan("apply --lab -i mine.yml --faults stale,denied", &set);
    assert_eq!(own.files.inventory, Source::File("mine.yml".into()));
    assert_eq!(own.lab, Some(Lab { faults: vec!["stale".into(), "denied".into()], facts: None }));
}

#[test]
fn a_waiver_names_a_host_and_a_blocker() {
    let waived = plan("plan --waive FS07.a.example:product-version", &[]).consent.waive;
    let expected = |reason: Option<&str>| Waiver {
        host: HostName::new("FS07.a.example"),
        id: "product-version".to_owned(),
        reason: reason.map(str::to_owned),
    };
    assert_eq!(waived, [expected(None)]);
    let waived = plan("plan --waive FS07.a.example:product-version=a:b=c", &[]).consent.waive;
    assert_eq!(waived, [expected(Some("a:b=c"))]);
    for wrong in ["FS07", "FS07:", ":id", "FS07:id=", "FS07=id"] {
        assert!(resolve(&format!("plan --waive {wrong}"), &[]).is_err(), "{wrong}");
    }
}
