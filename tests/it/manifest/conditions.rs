//! Gates, hooks, windows and freezes of a playbook.

use rmsfleet::manifest::playbook;
use rmsfleet::manifest::source::Source;
use rmsfleet::model::care::Drain;
use rmsfleet::model::care::RestartOrder;
use rmsfleet::model::gate::ExchangeCheck;
use rmsfleet::model::gate::Gate;
use rmsfleet::model::rollout::RestartDomain;
use rmsfleet::model::rollout::RestartWhen;

const FULL: &str = r#"version: 1
name: full
change:
  id: CHG0041234
  approvals: { required: 2, signers: people }
  freeze:
    - { from: "2026-12-15T00:00:00+01:00", to: "2027-01-05T00:00:00+01:00", reason: year-end }
windows:
  night: { tz: Europe/Amsterdam, days: [tue, wed], start: "22:00", duration: 6h, cutoff: 45m }
gates:
  answers: { type: http, from: host, url: "{{ host.rms_connector_url }}/_wmcs/licensing", within: 10s }
  saw-host:
    type: event-log
    from: rms_connectors
    need: { any_node: true, ids: [1002], about: host, within: 30m }
    forbid: { ids: [2001, 3000], about: host }
  healthy: { type: exchange, checks: [services-running, { queues-below: 200 }] }
  runs: { type: service, names: [SrmSvc] }
  port: { type: tcp, port: 445, within: 5m }
  soak: { type: soak, duration: 30m, recheck_every: 5m }
  go: { type: approval, prompt: Go on?, role: change-manager, timeout: 24h }
  check: { type: command, argv: [check, "{{ host.name }}"], timeout: 5s }
hooks:
  away: { run_on: controller, argv: [lb, drain], timeout: 1m, undo: back }
  back: { argv: [lb, enable], timeout: 1m }
restart:
  sharepoint: { drain: { hook: away }, gates_after: [answers] }
  fci: { warn_users: { message: Restart, lead: 5m }, timeout: 20m }
  exchange: { drain: exchange-dag, restore: as-found, when: always }
  cluster_a: { drain: failover-cluster, max_unavailable: { per: rms_cluster, count: 1 } }
  farm_a: { max_unavailable: { per: rms_farm_role, count: 2 }, order: [central-admin-last] }
stages:
  - name: a
    hosts: all
    gates_before: [go]
    gates_between: [runs, port]
    gates_after: [answers, saw-host, soak]
"#;

#[test]
fn gates_windows_hooks_and_freezes_are_read() {
    let playbook = playbook::parse(&Source::new("p.yml", FULL)).unwrap();
    let policy = playbook.conditions.approvals.clone().unwrap();
    assert_eq!((policy.required, policy.distinct_from_author), (2, true));
    assert_eq!(policy.signers, "people");
    let conditions = &playbook.conditions;
    assert_eq!(conditions.change.as_deref(), Some("CHG0041234"));
    assert_eq!(conditions.windows["night"].start, 22 * 60);
    assert_eq!(conditions.windows["night"].cutoff, 45 * 60);
    assert_eq!(conditions.freezes[0].from.to_string(), "2026-12-14T23:00:00Z");
    assert_eq!(conditions.gates.len(), 8);
    let saw = Gate::EventLog { need: vec![1002], forbid: vec![2001, 3000], within: 1800 };
    assert_eq!(conditions.gates["saw-host"], saw);
    let checks = vec![ExchangeCheck::ServicesRunning, ExchangeCheck::QueuesBelow(200)];
    assert_eq!(conditions.gates["healthy"], Gate::Exchange { checks, within: 300 });
    assert_eq!(playbook.restart_sharepoint.care.drain, Drain::Hook("away".to_owned()));
    assert_eq!(playbook.restart_fci.care.warn.as_ref().map(|warning| warning.lead), Some(300));
    let exchange = &playbook.restart_exchange;
    assert_eq!((&exchange.care.drain, exchange.when), (&Drain::ExchangeDag, RestartWhen::Always));
    let usual =
        [RestartOrder::FewestActiveDatabases, RestartOrder::AlternateSites, RestartOrder::PamLast];
    assert_eq!(exchange.care.order, usual);
    let groups = &playbook.restart_groups;
    assert_eq!((groups[0].0.as_str(), groups[1].0.as_str()), ("cluster_a", "farm_a"));
    assert_eq!(groups[0].1.care.drain, Drain::FailoverCluster);
    assert_eq!(groups[1].1.per, Some(RestartDomain::RmsFarmRole));
    assert_eq!(playbook.stages[0].gates.between, ["runs", "port"]);
}

#[test]
fn conditions_that_cannot_hold_are_told() {
    let broken = |from: &str, to: &str| FULL.replace(from, to);
    let check = |text: &str, message: &str, help: &str| {
        let refused = playbook::parse(&Source::new("p.yml", text)).expect_err("refused");
        let complaints = refused.render(false);
        assert!(complaints.contains(message), "{complaints}");
        assert!(complaints.contains(help), "{complaints}");
    };
    check(&broken("[answers, saw-host, soak]", "[anwsers]"), "names no gate", "`answers`?");
    check(&broken("[answers, saw-host, soak]", "[soak]"), "nothing to look at again", "before it");
    check(&broken("Amsterdam", "Amstrdam"), "needs a time zone", "IANA");
    check(&broken("\"22:00\"", "22"), "needs a time of day", "\"22:00\"");
    check(&broken("cutoff: 45m", "cutoff: 6h"), "nothing can start", "longer than its cutoff");
    check(&broken("2027-01-05", "2026-01-05"), "ends before it begins", "exchange");
    check(&broken("recheck_every: 5m", "recheck_every: 40m"), "never looks again", "at most");
    check(&broken(", undo: back", ""), "which has no undo", "brings the host");
    check(&broken("undo: back", "undo: bak"), "names no hook", "`back`?");
    check(&broken("[answers] }", "[go] }"), "waits for a person", "stage's `gates_after`");
    check(&broken("SrmSvc", "\"x' OR 1\""), "short name", "SrmSvc");
    check(&broken("services-running", "on"), "needs one of", "one of these words");
    check(&broken("type: tcp", "type: udp"), "needs one of", "`tcp`");
    let on_host = |argv: &str| {
        broken("run_on: controller, argv: [lb, drain]", &format!("run_on: host, argv: {argv}"))
    };
    check(&on_host("[lb, drain]"), "`lb` is no full path of a program", "C:\\Tools\\check.exe");
    check(&on_host(r"['C:\T\lb.exe', '%TEMP%']"), "holds '%'", "standard input");
    let at = "p.yml:24:47";
    check(&on_host(r"['C:\T\lb.exe', '%TEMP%']"), at, "standard input");
    let gate = r#"type: command, argv: ['C:\T\c.exe', "{{ host.name }}%"], run_on: FS1"#;
    check(
        &broken(r#"type: command, argv: [check, "{{ host.name }}"]"#, gate),
        "holds '%'",
        "standard input",
    );
    let around = on_host(r"['C:\T\lb.exe', drain]")
        .replace("hosts: all", "hosts: all\n    hooks_before: [away]");
    check(&around, "there is none here", "run_on: MGMT01");
    let twice = broken("hosts: all", "hosts: all\n    hooks_before: [away, away]");
    check(&twice, "names hook `away` twice", "take one of them out");
}
