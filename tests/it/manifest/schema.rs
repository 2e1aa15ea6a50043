//! The published schemas against the readers: every key that one knows, the other knows.

use std::collections::BTreeSet;

use serde_json::Value;

use rmsfleet::event::Event;
use rmsfleet::manifest::credentials;
use rmsfleet::manifest::inventory::keys;
use rmsfleet::manifest::playbook;
use rmsfleet::manifest::schema;
use rmsfleet::manifest::source::Source;

use crate::apply::around::events_of_a_run;

/// No key of ours is near it, so that the reader lists those that it knows.
const NOBODYS: &str = "zzzzzzzz";

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The names of a schema's properties, at a place of it.
fn properties(schema: &Value, place: &str) -> BTreeSet<String> {
    let at = schema.pointer(place).unwrap_or_else(|| panic!("nothing at {place}"));
    let properties = at["properties"].as_object().unwrap_or_else(|| panic!("no keys at {place}"));
    properties.keys().cloned().collect()
}

/// The keys that the reader names when it meets one that is nobody's.
#[track_caller]
fn known(complaint: &str) -> BTreeSet<String> {
    let lists = complaint.lines().filter_map(|line| line.split_once("known keys: "));
    let [(_, list)] = lists
        .collect::<Vec<_>>()
        .try_into()
        .unwrap_or_else(|lists: Vec<_>| panic!("{} lists of keys in {complaint}", lists.len()));
    list.split(", ").map(|word| word.trim_matches(['`', ' ']).to_owned()).collect()
}

#[track_caller]
fn check(place: &str, text: &str) {
    let schema = parse(schema::playbook());
    let text = text.replace("ZZ", &format!("{NOBODYS}: 1"));
    let complaint = playbook::parse(&Source::new("p.yml", text)).unwrap_err().to_string();
    assert_eq!(properties(&schema, place), known(&complaint), "{place}");
}

#[test]
fn the_playbooks_schema_and_its_reader_know_the_same_keys() {
    let play = "version: 1\nname: p\nstages: [{ name: s, hosts: all }]\n";
    let with = |key: &str, value: &str| format!("{play}{key}: {value}\n");
    check("", &format!("{play}ZZ\n"));
    check("/properties/limits", &with("limits", "{ ZZ }"));
    check("/properties/limits/properties/throttle", &with("limits", "{ throttle: { ZZ } }"));
    check("/properties/limits/properties/per_host", &with("limits", "{ per_host: { ZZ } }"));
    check("/properties/defaults", &with("defaults", "{ ZZ }"));
    check("/properties/change", &with("change", "{ ZZ }"));
    let approvals = with("change", "{ approvals: { required: 1, ZZ } }");
    check("/properties/change/properties/approvals", &approvals);
    let freeze = "{ freeze: [{ from: \"2026-12-15T00:00:00Z\", to: \"2026-12-16T00:00:00Z\", reason: r, ZZ }] }";
    check("/properties/change/properties/freeze/items", &with("change", freeze));
    let window = "{ w: { tz: Europe/Berlin, days: [mon], start: \"22:00\", duration: 2h, ZZ } }";
    check("/properties/windows/additionalProperties", &with("windows", window));
    let hook = "{ h: { argv: [a], timeout: 5m, ZZ } }";
    check("/properties/hooks/additionalProperties", &with("hooks", hook));
    check("/properties/preflight", &with("preflight", "{ ZZ }"));
    let restart = "/properties/restart/additionalProperties";
    check(restart, &with("restart", "{ fci: { ZZ } }"));
    let down = with("restart", "{ fci: { max_unavailable: { per: rms_site, count: 1, ZZ } } }");
    check(&format!("{restart}/properties/max_unavailable"), &down);
    let warn = with("restart", "{ fci: { warn_users: { message: m, lead: 5m, ZZ } } }");
    check(&format!("{restart}/properties/warn_users"), &warn);
    check("/properties/reports/items", &with("reports", "[{ format: html, path: p, ZZ }]"));
}

#[test]
fn every_kind_of_gate_and_stage_has_its_keys_in_the_schema() {
    let schema = parse(schema::playbook());
    let kinds = schema["properties"]["gates"]["additionalProperties"]["oneOf"].as_array().unwrap();
    let wanted = [
        ("http", "url: \"http://x\""),
        ("event-log", "need: { ids: [1002] }"),
        ("exchange", "checks: [services-running]"),
        ("service", "names: [SrmSvc]"),
        ("rms-templates", "expect: [T]"),
        ("tcp", "port: 445"),
        ("soak", "duration: 30m, recheck_every: 5m"),
        ("approval", "prompt: go"),
        ("command", "argv: [a]"),
    ];
    assert_eq!(kinds.len(), wanted.len());
    let play = "version: 1\nname: p\nstages: [{ name: s, hosts: all }]\ngates:\n";
    for (place, (kind, keys)) in wanted.into_iter().enumerate() {
        assert_eq!(kinds[place]["properties"]["type"]["const"], kind);
        let at = format!("/properties/gates/additionalProperties/oneOf/{place}");
        check(&at, &format!("{play}  g: {{ type: {kind}, {keys}, ZZ }}\n"));
    }
    let log = "/properties/gates/additionalProperties/oneOf/1/properties";
    let need = format!("{play}  g: {{ type: event-log, need: {{ ids: [1002], ZZ }} }}\n");
    check(&format!("{log}/need"), &need);
    let forbid = format!("{play}  g: {{ type: event-log, forbid: {{ ids: [3000], ZZ }} }}\n");
    check(&format!("{log}/forbid"), &forbid);
    let hosts = "version: 1\nname: p\nstages: [{ name: s, hosts: all, ZZ }]\n";
    let step = "version: 1\nname: p\nstages: [{ name: s, org_step: exchange.set-irm-configuration, ZZ }]\n";
    // The reader of stages looks at every key of either kind, to say which belongs where.
    let names = |text: &str| {
        let text = text.replace("ZZ", &format!("{NOBODYS}: 1"));
        known(&playbook::parse(&Source::new("p.yml", text)).unwrap_err().to_string())
    };
    let both: BTreeSet<String> = [0, 1]
        .iter()
        .flat_map(|kind| properties(&schema, &format!("/properties/stages/items/oneOf/{kind}")))
        .collect();
    assert_eq!(names(hosts).union(&names(step)).cloned().collect::<BTreeSet<_>>(), both);
}

#[test]
fn the_credentials_schema_and_its_reader_know_the_same_keys() {
    let schema = parse(schema::credentials());
    let complaint =
        |text: &str| credentials::parse(&Source::new("c.yml", text)).unwrap_err().to_string();
    let root = complaint(&format!("version: 1\ncredentials: {{}}\n{NOBODYS}: 1\n"));
    assert_eq!(properties(&schema, ""), known(&root));
    let kinds = [
        ("current-user", ""),
        ("prompt", ""),
        ("env", "username: u, variable: V, "),
        ("file", "username: u, path: p, "),
        ("command", "username: u, argv: [a], "),
        ("keytab", "username: u, path: p, "),
    ];
    for (place, (kind, keys)) in kinds.into_iter().enumerate() {
        let at = format!("/properties/credentials/additionalProperties/oneOf/{place}");
        let text =
            format!("version: 1\ncredentials:\n  c: {{ type: {kind}, {keys}{NOBODYS}: 1 }}\n");
        assert_eq!(properties(&schema, &at), known(&complaint(&text)), "{kind}");
    }
}

#[test]
fn the_inventorys_schema_knows_every_variable_that_means_something() {
    let schema = parse(schema::inventory());
    let known: BTreeSet<String> =
        keys::RMS_KEYS.iter().chain(&keys::CONNECTION_KEYS).map(|key| (*key).to_owned()).collect();
    assert_eq!(properties(&schema, "/$defs/variables"), known);
}

/// The kinds of lines with a shape of their own, by name.
fn shapes() -> Vec<(String, Value)> {
    let schema = parse(schema::events());
    let shapes = schema["anyOf"].as_array().unwrap().iter().filter_map(|shape| {
        let kind = shape["properties"]["type"]["const"].as_str()?;
        Some((kind.to_owned(), shape.clone()))
    });
    shapes.filter(|(kind, _)| kind != "version").collect()
}

#[test]
fn the_schema_of_events_names_every_event_and_no_other() {
    let wrong = serde_json::from_value::<Event>(serde_json::json!({ "type": NOBODYS }));
    let text = wrong.unwrap_err().to_string();
    let (_, list) = text.split_once("expected one of ").unwrap();
    let events: BTreeSet<String> =
        list.split(", ").map(|word| word.trim_matches(['`', ' ']).to_owned()).collect();
    let shapes: BTreeSet<String> = shapes().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(shapes, events);
}

#[test]
fn what_the_reader_of_a_journal_misses_is_what_the_schema_requires() {
    for (kind, shape) in shapes() {
        let wrong = serde_json::from_value::<Event>(serde_json::json!({ "type": kind }));
        let Err(wrong) = wrong else { continue };
        let text = wrong.to_string();
        let Some((_, field)) = text.split_once("missing field `") else { continue };
        let field = field.trim_end_matches('`');
        let required = shape["required"].as_array().unwrap();
        assert!(required.iter().any(|own| own == field), "{kind} needs {field}");
    }
}

#[test]
fn the_lines_of_a_run_fit_the_schema() {
    let shapes = shapes();
    let events = events_of_a_run();
    assert!(events.len() > 20);
    for event in events {
        let line = serde_json::to_value(&event).unwrap();
        let kind = line["type"].as_str().unwrap();
        let (_, shape) = shapes.iter().find(|(own, _)| own == kind).unwrap();
        let has = |key: &str| line.get(key).is_some() || ["ts", "run", "seq"].contains(&key);
        for key in shape["required"].as_array().unwrap() {
            assert!(has(key.as_str().unwrap()), "{kind} lacks {key}");
        }
        for key in line.as_object().unwrap().keys() {
            assert!(shape["properties"].get(key).is_some(), "{kind} has {key}");
        }
    }
}
