//! Host patterns over the example inventory.

use rmsfleet::manifest::builtin;
use rmsfleet::manifest::inventory;
use rmsfleet::manifest::inventory::InventorySources;
use rmsfleet::manifest::pattern;
use rmsfleet::manifest::pattern::PatternError;
use rmsfleet::model::host::Host;
use rmsfleet::model::host::HostName;

use crate::manifest::read;

fn example() -> Vec<Host> {
    let source = builtin::example_inventory();
    inventory::parse(&InventorySources::alone(source.name, source.text), &[]).unwrap().hosts
}

/// The short names that a pattern selects.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let names = pattern::select(text, &example()).unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<&str> = names.iter().map(HostName::short).collect();
    assert_eq!(names, expected, "for {text}");
}

#[track_caller]
fn refused(text: &str, words: &str, help: &str) {
    let error = pattern::select(text, &example()).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.help().unwrap_or_default().contains(help), "{:?}", error.help());
}

#[test]
fn parts_add_keep_and_take_away() {
    check("dag_eu1_ams", &["EX-AMS01", "EX-AMS02"]);
    check("dag_eu1_fra,dag_eu1_ams", &["EX-AMS01", "EX-AMS02", "EX-FRA01", "EX-FRA02"]);
    check("exchange:&dag_eu1_fra:!canary", &["EX-FRA02"]);
    check("!canary:&dag_eu1_fra", &["EX-FRA02"]);
    check("fci:&prod_vip", &["FS01", "FS07"]);
    check("connector", &["RMSC01", "RMSC02"]);
    assert_eq!(pattern::select("all", &example()).unwrap().len(), 26);
    assert_eq!(pattern::select("*:!fci", &example()).unwrap().len(), 12);
}

#[test]
fn hosts_go_by_full_and_short_names_and_globs() {
    check("ex-fra01", &["EX-FRA01"]);
    check("EX-FRA01.corp.contoso.com", &["EX-FRA01"]);
    check("SPAPP*", &["SPAPP01", "SPAPP02"]);
    check("FS?1.corp*", &["FS01", "FS11"]);
    check("dag_*_ams", &["EX-AMS01", "EX-AMS02"]);
}

#[test]
fn canaries_go_by_rank() {
    check("canary", &["EX-FRA01", "FS12"]);
    check("canary-exchange", &["EX-FRA01"]);
    check("canary-sharepoint", &["SPWFE01"]);
    check("canary-fci", &["FS12"]);
    check("canary-fci:canary-sharepoint:canary-exchange", &["EX-FRA01", "FS12", "SPWFE01"]);
}

#[test]
fn a_part_that_matches_nothing_is_an_error() {
    refused("exchagne", "`exchagne` matches no host", "did you mean `exchange`?");
    refused("fci:!FS13", "`FS13` matches no host", "did you mean `FS");
    refused("web[0:2]", "subscripts", "name the hosts");
    refused("~web.*", "regular expressions", "name the hosts");
    refused("", "empty", "`all`");
    refused(" , ", "empty", "`all`");
    refused("fci:!", "a name must follow", "name");
    refused("fci:!all", "leaves no host", "");
}

#[test]
fn a_role_that_nobody_has_is_empty_only_in_a_stage() {
    let hosts = read("all:\n  hosts:\n    A: { rms_role: connector }\n").unwrap().hosts;
    let error = pattern::select("exchange", &hosts).unwrap_err();
    assert_eq!(error, PatternError::Empty { part: "exchange".to_owned() });
    let stage = pattern::select_for_stage("exchange:!canary-exchange", &hosts);
    assert_eq!(stage, Ok(Vec::new()));
    assert!(pattern::select_for_stage("exchagne", &hosts).is_err());
    assert_eq!(pattern::select("all:!canary", &hosts).map(|names| names.len()), Ok(1));
}
