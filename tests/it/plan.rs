//! Plan files from outside: yesterday's is read, a changed one is refused, both in words.

use std::path::Path;

use rmsfleet::model::host::HostName;
use rmsfleet::model::plan::Scope;
use rmsfleet::plan::Refusal;
use rmsfleet::plan::SealError;
use rmsfleet::plan::check_usable;
use rmsfleet::plan::open;
use rmsfleet::plan::seal;
use rmsfleet::report::plan::RenderOptions;
use rmsfleet::report::plan::render;
use rmsfleet::report::style::Style;

/// A plan that was sealed when format 1 was new. It is never written again.
fn yesterday() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/plan-format-1.rmsplan");
    std::fs::read(path).unwrap()
}

#[test]
fn a_plan_file_of_format_1_is_read() {
    let sealed = open(&yesterday()).unwrap();
    let plan = &sealed.plan;
    assert_eq!(plan.id, "7f9c24e8-3b1a-4d5e-9c6f-0a1b2c3d4e5f");
    assert_eq!(plan.hosts.len(), 8);
    assert_eq!(plan.hosts[&HostName::new("RMSC1")].scope, Scope::Connector);
    assert_eq!(plan.hosts[&HostName::new("EX1")].changes.len(), 3);
    assert!(plan.hosts[&HostName::new("FS2")].is_blocked());
    let again = open(&seal(plan).unwrap()).unwrap();
    assert_eq!(again.plan, *plan);
}

#[test]
fn it_expires_and_is_shown_for_ever() {
    let sealed = open(&yesterday()).unwrap();
    let early = "2026-11-02T20:00:01Z".parse().unwrap();
    assert_eq!(check_usable(&sealed, early), Ok(()));
    let late = "2030-01-01T00:00:00Z".parse().unwrap();
    assert!(matches!(check_usable(&sealed, late), Err(Refusal::Expired { .. })));
    let options = RenderOptions {
        width: 100,
        style: Style::PLAIN,
        full: true,
        host: None,
        digest: Some(sealed.digest.clone()),
    };
    let text = render(&sealed.plan, &options);
    assert!(text.contains("valid until 2026-11-05 20:00Z"), "{text}");
    assert!(text.contains(&sealed.digest), "{text}");
}

#[test]
fn a_changed_value_is_noticed() {
    let text = String::from_utf8(yesterday()).unwrap();
    let changed = text.replacen("https://rms.contoso.com", "https://rms.attacker.io", 1);
    assert!(matches!(open(changed.as_bytes()), Err(SealError::Tampered { .. })));
}
