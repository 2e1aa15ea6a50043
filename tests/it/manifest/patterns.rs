//! Host patterns over the example inventory.

use rmsfleet::manifest::builtin;
use rmsfleet::manifest::inventory;
use rmsfleet::manifest::inventory::InventorySources;
use rmsfleet::manifest::pattern;
use rmsfleet::manifest::pattern::PatternError;
use rmsfleet::model::host::Host;
use rmsfleet::model::host::HostName;
use rmsfleet::model::host::PriorAdrms;
use rmsfleet::model::surveyed::Surveyed;

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
    check("FS0[1-3]*", &["FS01", "FS02", "FS03"]);
    check("fs[!1]1*,EX-[AF]*01*", &["EX-AMS01", "EX-FRA01", "FS01"]);
    check("FS0[1-3]*[0:1]", &["FS01", "FS02"]);
}

#[test]
fn subscripts_pick_as_ansible_does() {
    check("fci_ams[0]", &["FS01"]);
    check("fci_ams[-1]", &["FS06"]);
    check("fci_ams[1:2]", &["FS02", "FS03"]);
    check("fci_ams[4:]", &["FS05", "FS06"]);
    check("fci_ams[0:-2]:!FS01", &["FS02", "FS03", "FS04", "FS05"]);
    check("canary[1]", &["FS12"]);
}

#[test]
fn expressions_begin_at_the_name() {
    check(r"~(spapp|spsrch)0[12]\.corp", &["SPAPP01", "SPAPP02", "SPSRCH01", "SPSRCH02"]);
    check("~dag_eu1_(fra|nyc)", &["EX-FRA01", "EX-FRA02"]);
    refused("~01", "matches no host", "");
}

#[test]
fn computed_groups_come_from_the_inventory() {
    check("role_exchange:&site_fra", &["EX-FRA01", "EX-FRA02"]);
    check("dag_DAG-EU1:!site_ams", &["EX-FRA01", "EX-FRA02"]);
    check("cluster_fscl01", &["FSCL01N1", "FSCL01N2"]);
    check("product_windows_2016[0]", &["FS01"]);
    check("farm_SP-PROD[0:1]", &["SPWFE01", "SPWFE02"]);
    check("site_f*:!fci", &["EX-FRA01", "EX-FRA02"]);
}

#[test]
fn what_the_survey_found_makes_groups_of_a_stage() {
    let hosts = example();
    let mut surveyed = Surveyed::default();
    let name =
        |short: &str| hosts.iter().find(|host| host.name.short() == short).unwrap().name.clone();
    surveyed.drifted.extend([name("FS02"), name("EX-AMS01")]);
    surveyed.restart_owed.insert(name("FS03"));
    surveyed.prior_adrms.insert(name("EX-AMS01"), PriorAdrms::Used);
    surveyed.prior_adrms.insert(name("EX-AMS02"), PriorAdrms::Auto);
    let check = |text: &str, expected: &[&str]| {
        let names = pattern::select_surveyed(text, &hosts, &surveyed).unwrap();
        assert_eq!(names.iter().map(HostName::short).collect::<Vec<_>>(), expected, "for {text}");
    };
    check("drifted", &["EX-AMS01", "FS02"]);
    check("fci:&drifted,restart_owed", &["FS02"]);
    check("drifted:restart_owed:&fci", &["FS02", "FS03"]);
    check("prior_adrms_used", &["EX-AMS01"]);
    check("prior_adrms_unknown", &["EX-AMS02"]);
    check("prior_adrms_never", &[]);
    assert_eq!(pattern::select_for_stage("drifted", &hosts), Ok(Vec::new()));
    assert_eq!(pattern::select_for_stage("drift*", &hosts), Ok(Vec::new()));
    let found = Surveyed { drifted: [hosts[0].name.clone()].into(), ..Surveyed::default() };
    let chosen = pattern::select_surveyed("drift*:&all", &hosts, &found);
    assert_eq!(chosen, Ok(vec![hosts[0].name.clone()]));
    assert!(pattern::is_surveyed("fci:!drifted") && !pattern::is_surveyed("fci:!canary"));
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
fn a_subscript_counts_canaries_by_rank_and_keeps_their_order() {
    let farm = "fci:\n  vars: { rms_role: fci, rms_connector_url: \"https://c.x.com\" }\n  hosts: { FS1: { rms_canary: 3 }, FS2: { rms_canary: \
                2 }, FS3: { rms_canary: 1 } }\n";
    let hosts = read(farm).unwrap().hosts;
    let chosen = |text| pattern::select_for_stage(text, &hosts).unwrap();
    let names = |names: &[&str]| names.iter().copied().map(HostName::new).collect::<Vec<_>>();
    assert_eq!(chosen("canary[1:2]"), names(&["FS2", "FS1"]));
    assert_eq!(chosen("canary-fci[0:1]"), names(&["FS3", "FS2"]));
}

#[test]
fn a_part_that_matches_nothing_is_an_error() {
    refused("exchagne", "`exchagne` matches no host", "did you mean `exchange`?");
    refused("fci:!FS13", "`FS13` matches no host", "did you mean `FS");
    refused("fci[99]", "`fci[99]` has no hosts", "");
    refused("fci[a-z]", "a subscript is", "~regex");
    refused("FS0[1-3]", "write `[1-3]*`", "~regex");
    refused("fci:!canary[7]", "`canary[7]` has no hosts", "");
    refused("~fci[", "no regular expression", "name the hosts");
    refused("site_amz", "`site_amz` matches no host", "did you mean `site_ams`?");
    refused("drifted", "known only after", "stage");
    refused("all:!drift*", "known only after", "stage");
    refused("exchange:!prior_adrms_*", "known only after", "stage");
    refused("all:!dr*", "`dr*` matches no host", "");
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
