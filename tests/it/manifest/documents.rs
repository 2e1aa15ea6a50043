//! Playbooks and credentials: the shipped ones are valid, wrong ones are told what is wrong.

use std::fs;
use std::path::Path;

use rmsfleet::manifest::builtin;
use rmsfleet::manifest::credentials;
use rmsfleet::manifest::credentials::Provider;
use rmsfleet::manifest::inventory;
use rmsfleet::manifest::inventory::InventorySources;
use rmsfleet::manifest::pattern;
use rmsfleet::manifest::playbook;
use rmsfleet::manifest::rules;
use rmsfleet::manifest::source::Source;
use rmsfleet::model::rollout::BatchSize;
use rmsfleet::model::rollout::Budget;
use rmsfleet::model::rollout::FarmOrder;
use rmsfleet::model::rollout::IrmOrder;
use rmsfleet::model::rollout::OnAbort;
use rmsfleet::model::rollout::OwnDefaults;
use rmsfleet::model::rollout::StageWork;
use rmsfleet::model::rollout::StepOrder;

use crate::manifest::complains;

const STAGES: &str = "stages:\n  - { name: all, hosts: all }\n";

#[track_caller]
fn playbook_complains(text: &str, at: (usize, usize), message: &str, help: &str) {
    let diagnostics = playbook::parse(&Source::new("play.yml", text)).expect_err("refused");
    complains(&diagnostics, text, at, message, help);
}

#[track_caller]
fn credentials_complain(text: &str, at: (usize, usize), message: &str, help: &str) {
    let diagnostics = credentials::parse(&Source::new("cred.yml", text)).expect_err("refused");
    complains(&diagnostics, text, at, message, help);
}

/// A playbook with this line between its head and its stages: line 3.
fn with(line: &str) -> String {
    format!("version: 1\nname: x\n{line}\n{STAGES}")
}

/// A playbook whose one stage has this line: line 6.
fn stage(line: &str) -> String {
    format!("version: 1\nname: x\nstages:\n  - name: a\n    hosts: all\n    {line}\n")
}

#[test]
fn every_shipped_file_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = |folder: &str| -> Vec<Source> {
        let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let files = entries.filter(|path| path.extension().is_some_and(|ext| ext == "yml"));
        let read = |path: std::path::PathBuf| {
            Source::new(path.display().to_string(), fs::read_to_string(&path).unwrap())
        };
        let found: Vec<Source> = files.map(read).collect();
        assert!(!found.is_empty(), "no files in {folder}");
        found
    };
    for source in files("inventories") {
        let sources = InventorySources::alone(source.name, source.text);
        inventory::parse(&sources, &[]).map_err(|d| d.render(false)).unwrap();
    }
    for source in files("playbooks") {
        playbook::parse(&source).map_err(|d| d.render(false)).unwrap();
    }
    for source in files("playbooks/rules") {
        rules::parse(&source).map_err(|d| d.render(false)).unwrap();
    }
}

#[test]
fn the_builtin_playbook_takes_every_host_in_scope_once() {
    let playbook = builtin::playbook().unwrap();
    for source in [builtin::example_inventory(), builtin::lab_inventory()] {
        let sources = InventorySources::alone(source.name, source.text);
        let hosts = inventory::parse(&sources, &[]).unwrap().hosts;
        let mut staged = Vec::new();
        for stage in &playbook.stages {
            if let StageWork::Hosts { pattern, .. } = &stage.work {
                staged.extend(pattern::select_for_stage(pattern, &hosts).unwrap());
            }
        }
        let in_scope = hosts.iter().filter(|host| host.in_scope());
        for host in in_scope {
            let times = staged.iter().filter(|name| **name == host.name).count();
            assert_eq!(times, 1, "{} is staged {times} times", host.name);
        }
    }
    let steps: Vec<&StageWork> = playbook
        .stages
        .iter()
        .map(|stage| &stage.work)
        .filter(|work| matches!(work, StageWork::Step(_)))
        .collect();
    let exchange = StageWork::Step(StepOrder::ExchangeIrm(IrmOrder::default()));
    let farm = StageWork::Step(StepOrder::Farm(FarmOrder { enabled: true, by_hand: None }));
    assert_eq!(steps, [&exchange, &farm]);
}

#[test]
fn a_playbook_carries_what_it_says() {
    let text = "version: 1\nname: x\nlimits: { forks: 7, throttle: { restart: 2 } }\ndefaults:\n  \
                max_fail_percentage: 10\n  count_unreachable_as_failed: false\nchange: { \
                plan_valid_for: 2d }\nmarks: false\nrestart:\n  fci: { max_unavailable: { per: rms_site, \
                count: 3 }, timeout: 90s }\nstages:\n  - name: a\n    hosts: fci\n    serial: [1, 25%, \
                \"100%\"]\n  - { name: b, hosts: all, max_failures: 4, on_abort: stop-at-safe-point, \
                count_unreachable_as_failed: true }\n  - name: c\n    org_step: \
                exchange.set-irm-configuration\n";
    let playbook = playbook::parse(&Source::new("play.yml", text)).map_err(|d| d.render(false));
    let playbook = playbook.unwrap();
    assert_eq!((playbook.limits.forks, playbook.limits.restart), (7, 2));
    assert!(!playbook.count_unreachable_as_failed && !playbook.marks);
    assert_eq!(playbook.plan_valid_hours, 48);
    assert_eq!((playbook.restart_fci.max_unavailable, playbook.restart_fci.timeout), (3, 90));
    assert_eq!(playbook.restart_exchange.timeout, 1800);
    let own = OwnDefaults {
        on_abort: Some(OnAbort::StopAtSafePoint),
        count_unreachable_as_failed: Some(true),
    };
    let said: Vec<OwnDefaults> = playbook.stages.iter().map(|stage| stage.own).collect();
    assert_eq!(said, [OwnDefaults::default(), own, OwnDefaults::default()]);
    let work: Vec<StageWork> = playbook.stages.into_iter().map(|stage| stage.work).collect();
    let serial = vec![BatchSize::Count(1), BatchSize::Percent(25), BatchSize::Percent(100)];
    let hosts = |pattern: &str, serial, budget| StageWork::Hosts {
        pattern: pattern.to_owned(),
        serial,
        budget,
    };
    assert_eq!(
        work,
        [
            hosts("fci", serial, Budget::Percent(10)),
            hosts("all", vec![BatchSize::Percent(100)], Budget::Failures(4)),
            StageWork::Step(StepOrder::ExchangeIrm(IrmOrder::default())),
        ]
    );
}

#[test]
fn an_organisation_step_says_how_it_is_done() {
    let step = |keys: &str| {
        format!("version: 1\nname: x\nstages:\n  - name: a\n    {}\n", keys.replace('\n', "\n    "))
    };
    let irm = "org_step: exchange.set-irm-configuration";
    let farm = "org_step: sharepoint.use-this-rms-server";
    let check = |keys: String, at, message: &str, help: &str| {
        playbook_complains(&step(&keys), at, message, help);
    };
    check("org_step: exchange.set-irm".to_owned(), (5, 15), "unknown organisation step", "set-irm");
    check(format!("{irm}\nidentity: first-host"), (6, 15), "needs one of `from-directory`", "");
    check(
        format!("{irm}\nneeds: {{ group: exchange, verified: \"90%\" }}"),
        (6, 12),
        "cannot be narrowed to `verified: 90%`",
        "waits for every server",
    );
    check(format!("{irm}\nset: {{ SearchEnabled: true }}"), (6, 10), "cannot set", "a step sets");
    check(
        format!("{irm}\nset: {{ InternalLicensingEnabled: false }}"),
        (5, 15),
        "is destructive: it turns",
        "destructive: accepted",
    );
    check(format!("{irm}\nmode: manual"), (6, 5), "`mode` is no key of this step", "remove it");
    check(
        format!("{farm}\nset: {{ CertificateServerUrl: https://x }}"),
        (6, 10),
        "needs one of",
        "write `connector`",
    );
    check(
        format!("{farm}\ndestructive: accepted"),
        (5, 15),
        "stands beside a step that loses nothing",
        "remove the key",
    );
    check("hosts: all\nset: { a: b }".to_owned(), (6, 5), "stage of hosts", "`org_step`");
    let text = step(&format!("{farm}\nmode: manual\ntimeout: 2h\nidentity: from-directory"));
    let playbook = playbook::parse(&Source::new("play.yml", text)).map_err(|d| d.render(false));
    let work = playbook.unwrap().stages.remove(0).work;
    let by_hand = Some(7200);
    assert_eq!(work, StageWork::Step(StepOrder::Farm(FarmOrder { enabled: true, by_hand })));
}

#[test]
fn a_wrong_playbook_is_told_what_is_wrong() {
    playbook_complains(&with("limit: {}"), (3, 1), "unknown key `limit`", "did you mean `limits`?");
    playbook_complains(&with("restart: { fcl: {} }"), (3, 12), "unknown key `fcl`", "`fci`?");
    playbook_complains(
        &with("restart: { fci: { max_unavailable: { per: rms_dag, count: 1 } } }"),
        (3, 43),
        "needs one of `rms_site`",
        "counted per `rms_site`",
    );
    playbook_complains(&with("restart: { fci: { timeout: 30 } }"), (3, 28), "a duration", "`5m`");
    playbook_complains(&with("change: { plan_valid_for: 90m }"), (3, 27), "whole hours", "72h");
    playbook_complains(&stage("serial: 0"), (6, 13), "whole number from 1", "25%");
    playbook_complains(&stage("serial: 120%"), (6, 13), "percentage from 1 to 100", "25%");
    playbook_complains(&stage("serial: []"), (6, 13), "empty list", "");
    playbook_complains(&stage("max_fail_percentage: many"), (6, 26), "percentage from 0", "25%");
    playbook_complains(
        &stage("max_failures: 1\n    max_fail_percentage: 1"),
        (6, 5),
        "stands beside",
        "keep one",
    );
    playbook_complains(&stage("org_step: x"), (6, 5), "`org_step` stands beside `hosts`", "own");
    let text = stage("serial: 1").replace("hosts: all", "hosts: \"web[a-z]\"");
    playbook_complains(&text, (5, 12), "is not a host pattern", "~regex");
    playbook_complains(&stage("serial: atuo"), (6, 13), "whole number from 1", "`auto`");
    playbook_complains(&stage("vars: { rms_role: fci }"), (6, 13), "cannot set `rms_role`", "");
    playbook_complains(&with("reports: [{ format: pdf, path: x }]"), (3, 21), "one of `html`", "");
    let path = with("reports: [{ format: html, path: \"{{ host.name }}.html\" }]");
    playbook_complains(&path, (3, 33), "a template that means nothing", "{{ run.id }}");
    let twice = with("reports: [{ format: html, path: x }, { format: jsonl, path: x }]");
    playbook_complains(&twice, (3, 38), "two reports go to `x`", "its own path");
    playbook_complains(&with("rules: newest"), (3, 8), "rule pack and its version", "builtin/");
    let shells = with("limits: { per_host: { shells: 2 } }");
    playbook_complains(&shells, (3, 31), "whole number from 1 to 1", "more than one shell");
    let retries = with("limits: { per_host: { retries: 11 } }");
    playbook_complains(&retries, (3, 32), "whole number from 0 to 10", "");
    let abort = with("defaults: { on_abort: at-once }");
    playbook_complains(&abort, (3, 23), "one of `finish-in-flight`", "");
    let text = format!("version: 2\nname: x\n{STAGES}");
    playbook_complains(&text, (1, 10), "`version` needs a whole number", "write 1");
    playbook_complains("version: 1\nname: x\n", (1, 1), "needs the key `stages`", "add `stages:`");
    let twice = format!("version: 1\nname: x\n{STAGES}  - {{ name: all, hosts: all }}\n");
    playbook_complains(&twice, (5, 5), "a second stage is named `all`", "own name");
}

#[test]
fn a_drain_that_fits_nobody_and_an_order_nobody_can_tell_are_refused() {
    let check = |restart: &str, at, message, help| {
        playbook_complains(&with(&format!("restart: {{ {restart} }}")), at, message, help);
    };
    check("fci: { drain: exchange-dag }", (3, 26), "drains Exchange servers only", "group");
    check("exchange: { drain: failover-cluster }", (3, 31), "file server clusters", "a DAG drains");
    check("exchange: { order: [pam-last] }", (3, 32), "needs `drain: exchange-dag`", "leave");
    let order = "exchange: { drain: exchange-dag, order: [fewest-owned-roles] }";
    check(order, (3, 53), "needs `drain: failover-cluster`", "leave the word out");
    check("fci: { when: never }", (3, 25), "needs one of `required`", "");
    check("exchange: { drain: dag }", (3, 31), "needs one of `none`", "`{ hook: NAME }`");
}

#[test]
fn every_provider_is_read() {
    let text = "version: 1\ncredentials:\n  a: { type: current-user }\n  b: { type: prompt }\n  c: { type: \
                env, username: u, variable: V }\n  d: { type: file, username: u, path: p }\n  e: { type: \
                command, username: 'D\\u', argv: [pass, show, \"1\"] }\n";
    let file = credentials::parse(&Source::new("cred.yml", text)).map_err(|d| d.render(false));
    let file = file.unwrap();
    let all: Vec<&Provider> = file.credentials.values().collect();
    let u = || "u".to_owned();
    let expected = [
        Provider::CurrentUser,
        Provider::Prompt { username: None },
        Provider::Env { username: u(), variable: "V".into() },
        Provider::File { username: u(), path: "p".into() },
        Provider::Command {
            username: "D\\u".into(),
            argv: vec!["pass".into(), "show".into(), "1".into()],
        },
    ];
    assert_eq!(all, expected.iter().collect::<Vec<_>>());
}

#[test]
fn a_credentials_file_holds_no_secret() {
    let text = "version: 1\ncredentials:\n  a: { type: prompt, password: hunter2 }\n";
    credentials_complain(text, (3, 22), "`password` looks like a secret", "`prompt`, `env`");
    let shown = credentials::parse(&Source::new("cred.yml", text)).unwrap_err().render(false);
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(!shown.contains("unknown key"), "one complaint is enough: {shown}");
}

#[test]
fn a_wrong_credential_is_told_what_is_wrong() {
    let of = |entry: &str| format!("version: 1\ncredentials:\n  a: {{ {entry} }}\n");
    credentials_complain(
        &of("type: dpapi-file"),
        (3, 14),
        "`dpapi-file` is not built yet",
        "`env`",
    );
    credentials_complain(&of("type: keytab"), (3, 6), "needs the key `username`", "add");
    credentials_complain(&of("type: promt"), (3, 14), "unknown provider", "did you mean `prompt`?");
    credentials_complain(&of("username: u"), (3, 3), "needs the key `type`", "add one of");
    credentials_complain(&of("type: env, username: u"), (3, 6), "needs the key `variable`", "add");
    credentials_complain(&of("type: prompt, pth: x"), (3, 22), "unknown key `pth`", "known keys");
    credentials_complain(
        &of("type: command, username: u, argv: pass"),
        (3, 42),
        "needs a list",
        "[pass]",
    );
    credentials_complain("version: 1\n", (1, 1), "needs the key `credentials`", "add");
}
