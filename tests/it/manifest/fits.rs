//! What lint finds: playbooks that are right by themselves and cannot work with their inventory.

use jiff::Timestamp;

use rmsfleet::manifest::pattern;
use rmsfleet::manifest::playbook;
use rmsfleet::manifest::source::Source;
use rmsfleet::plan::fits;
use rmsfleet::plan::fits::Finding;
use rmsfleet::plan::fits::Place;

use crate::manifest::read;

const FARM: &str = "all:
  vars: { rms_connector_url: \"https://c.x.com\", rms_tenant_url: \"https://t.rms.eu.aadrm.com\" }
  children:
    exchange:
      vars: { rms_role: exchange, rms_dag: DAG1 }
      hosts: { EX1: { rms_canary: 1 }, EX2: , EX3: }
    fci:
      vars: { rms_role: fci, rms_site: ams, rms_window: night }
      hosts: { FS1: { rms_canary: 1 }, FS2: , FS3: , FS4: }
    nodes:
      vars: { rms_role: connector }
      hosts: { RMSC1: }
";

const SOUND: &str = "version: 1
name: sound
change:
  id: CHG1
windows:
  night: { tz: UTC, days: [tue, wed], start: \"22:00\", duration: 4h, cutoff: 30m }
gates:
  saw: { type: event-log, need: { ids: [1002] } }
  healthy: { type: exchange, checks: [services-running] }
  runs: { type: service, names: [SrmSvc] }
restart:
  exchange: { gates_after: [healthy] }
  fci: { timeout: 15m }
stages:
  - { name: canary, hosts: canary, serial: 1 }
  - { name: files, hosts: \"fci:!canary\", serial: 1, gates_between: [runs], gates_after: [runs] }
  - { name: mail, hosts: \"exchange:!canary\", gates_after: [healthy] }
  - { name: irm, org_step: exchange.set-irm-configuration, gates_after: [saw] }
";

fn findings(play: &str, farm: &str) -> Vec<Finding> {
    let playbook =
        playbook::parse(&Source::new("p.yml", play)).unwrap_or_else(|wrong| panic!("{wrong}"));
    let hosts = read(farm).unwrap_or_else(|wrong| panic!("{wrong}")).hosts;
    let names = |text: &str| {
        if pattern::is_surveyed(text) { None } else { pattern::select_for_stage(text, &hosts).ok() }
    };
    let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    fits::findings(&playbook, &hosts, &names, now)
}

/// One replacement in the playbook or in the inventory leads to one finding, at one place.
#[track_caller]
fn check(from: &str, to: &str, place: &str, words: &str) {
    let in_play = SOUND.contains(from);
    assert!(in_play || FARM.contains(from), "`{from}` stands nowhere");
    let found = findings(&SOUND.replace(from, to), &FARM.replace(from, to));
    let at = |finding: &Finding| match &finding.place {
        Place::Playbook(path) => path.join("/"),
        Place::Host(host, key) => format!("{host} {key}"),
    };
    let told: Vec<String> = found
        .iter()
        .map(|one| {
            let kind = if one.is_error { "E" } else { "W" };
            format!("{kind} {}: {} ({})", at(one), one.text, one.hint)
        })
        .collect();
    let fits = |one: &&Finding| {
        let kind = if one.is_error { "E" } else { "W" };
        format!("{kind} {}", at(one)) == place && one.text.contains(words)
    };
    assert!(found.iter().any(|one| fits(&one)), "{place} {words}: {told:#?}");
}

#[test]
fn a_playbook_that_fits_has_no_findings() {
    assert_eq!(findings(SOUND, FARM), []);
}

#[test]
fn stages_that_cannot_be_meant_are_found() {
    check("hosts: canary,", "hosts: all,", "E stages/1/hosts", "FS2, FS3, FS4");
    check("hosts: canary,", "hosts: all,", "W stages/2/hosts", "takes no host");
    check(
        "\"fci:!canary\"",
        "\"fci:!canary:!FS3\"",
        "E stages",
        "no stage of the playbook takes FS3",
    );
    check("serial: 1, gates_between", "gates_between", "W stages/1/gates_between", "one batch");
    let never = "serial: 1, max_fail_percentage: 100, gates_between";
    check("serial: 1, gates_between", never, "W stages/1/hosts", "never stops for failures");
    let all = "exchange: { max_unavailable: { per: rms_dag, count: 3 }, gates_after";
    check("exchange: { gates_after", all, "E restart/exchange/max_unavailable", "all 3 hosts");
    check("fci: { timeout: 15m }", "nobody_here: {}", "E restart/nobody_here", "has no group");
    let twice = "EX2: { rms_canary: 1 }, EX3";
    check("EX2: , EX3", twice, "E EX2 rms_canary", "rank 1 that another exchange host has");
}

/// Without the step, and behind it, Exchange speaks to the connector for all that lint knows.
#[test]
fn a_gate_behind_a_restart_waits_for_the_connector_where_no_step_comes_later() {
    let play = SOUND.replace("gates_after: [healthy] }\n  fci", "gates_after: [saw] }\n  fci");
    let step = "  - { name: irm, org_step: exchange.set-irm-configuration, gates_after: [saw] }\n";
    assert!(findings(&play, FARM).iter().any(|one| one.text.contains("Exchange is silent")));
    assert_eq!(findings(&play.replace(step, ""), FARM), []);
}

/// A drain, a restart and the way back have the whole budget each.
#[test]
fn a_window_is_measured_by_all_that_a_restart_brings_with_it() {
    let night =
        "night: { tz: UTC, days: [tue, wed], start: \"22:00\", duration: 90m, cutoff: 30m }";
    let wide = "night: { tz: UTC, days: [tue, wed], start: \"22:00\", duration: 4h, cutoff: 30m }";
    assert_eq!(findings(&SOUND.replace(wide, night), FARM), []);
    let drained = SOUND
        .replace(wide, night)
        .replace("fci: { timeout: 15m }", "fci: { timeout: 15m, drain: failover-cluster }");
    let farm = FARM.replace("rms_site: ams", "rms_cluster: C1");
    let found = findings(&drained, &farm);
    assert!(found.iter().any(|one| one.text.contains("may take 63 min")), "{found:?}");
}

#[test]
fn gates_that_can_never_be_green_are_found() {
    check(
        "rms_role: connector",
        "rms_role: none",
        "E stages/3/gates_after/0",
        "`rms_role: connector`",
    );
    let early = "hosts: \"exchange:!canary\", gates_after: [healthy, saw]";
    check(
        "hosts: \"exchange:!canary\", gates_after: [healthy]",
        early,
        "E stages/2/gates_after/1",
        "Exchange is silent",
    );
    check(
        "org_step: exchange.set-irm-configuration, gates_after",
        "org_step: exchange.set-irm-configuration, gates_before",
        "E stages/3/gates_before/0",
        "Exchange is silent",
    );
    check("gates_after: [runs]", "gates_after: [healthy]", "E stages/1/gates_after/0", "has none");
    check(
        "healthy: { type: exchange, checks: [services-running] }",
        "healthy: { type: rms-templates }",
        "E stages/2/gates_after/0",
        "asks file servers",
    );
    check(
        "exchange: { gates_after: [healthy] }",
        "exchange: { gates_after: [saw] }",
        "E restart/exchange/gates_after/0",
        "Exchange is silent",
    );
    check(
        "fci: { timeout: 15m }",
        "fci: { gates_after: [healthy] }",
        "E restart/fci/gates_after/0",
        "has none",
    );
    check(
        "gates_between: [runs], gates_after: [runs] }",
        "max_failures: 0 }",
        "W gates/runs",
        "never looked at",
    );
    let http =
        "saw: { type: http, url: \"{{ host.rms_connector_url }}/x\" }\n  more: { type: event-log";
    check("saw: { type: event-log", http, "W gates/more", "never looked at");
}

#[test]
fn a_program_on_a_host_that_nobody_will_know_is_found() {
    let gate =
        |host: &str| format!(r"saw: {{ type: command, argv: ['C:\T\look.exe'], run_on: {host} }}");
    let saw = "saw: { type: event-log, need: { ids: [1002] } }";
    let unknown = "E gates/saw/run_on";
    check(saw, &gate("FS9"), unknown, "`FS9` is no one host of the inventory");
    let play = SOUND.replace(saw, &gate("fs2"));
    assert_eq!(findings(&play, FARM), []);
    let roleless = FARM.replace("RMSC1: }", "RMSC1: }\n    others: { hosts: { MGMT1: } }");
    let found = findings(&SOUND.replace(saw, &gate("MGMT1")), &roleless);
    assert!(found.iter().any(|one| one.text.contains("MGMT1 has no `rms_role`")), "{found:?}");
}

#[test]
fn clocks_that_leave_no_room_are_found() {
    check("timeout: 15m", "timeout: 4h", "E windows/night", "may take 258 min");
    check("rms_window: night", "rms_window: nigth", "E FS1 rms_window", "does not define");
    check("rms_window: night", "rms_owner: me", "W windows/night", "no host has");
    let for_years = "id: CHG1\n  freeze: [{ from: \"2026-01-01T00:00:00Z\", to: \"2036-01-01T00:00:00Z\", reason: audit }]";
    check("id: CHG1", for_years, "E change/freeze", "can never be touched");
}
