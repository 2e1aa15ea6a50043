//! Organisation steps against a server that is not ours, counted there.

use serde_json::Value;
use serde_json::json;

use crate::peers_rollout::Bench;

const CONNECTOR: &str = "https://rmsconnector.contoso.com";

/// How often a cmdlet ran, on all hosts together.
fn times(stats: &Value, cmdlet: &str) -> u64 {
    let hosts = stats["hosts"].as_object().unwrap().values();
    hosts.map(|host| host["cmdlets"][cmdlet].as_u64().unwrap_or_default()).sum()
}

/// An inventory with only these hosts of the bench's.
fn narrowed(bench: &Bench, keep: &str) -> String {
    let text = std::fs::read_to_string(bench.path().join("inventory.yml")).unwrap();
    let hosts = ["EX01", "EX02", "SP01", "FS0"];
    let dropped = |line: &&str| {
        let name = line.trim_start();
        hosts.iter().any(|host| name.starts_with(host) && !name.starts_with(keep))
    };
    let mut kept: Vec<&str> = text.lines().filter(|line| !dropped(line)).collect();
    // A group without hosts is no mapping any more.
    kept.retain(|line| !line.trim().is_empty());
    kept.join("\n") + "\n"
}

#[test]
fn peers_two_inventories_and_two_runs_set_one_organisation_once() {
    let Some(bench) = Bench::start() else { return };
    for (inventory, keep, other) in [("a.yml", "EX01", "EX02"), ("b.yml", "EX02", "EX01")] {
        let text = narrowed(&bench, keep);
        let groups = text.split("    sharepoint:").next().unwrap();
        // The first run turns IRM on; what it was before, only the administrator knows then.
        let known = if keep == "EX02" { "vars:\n    rms_prior_adrms: never\n" } else { "vars:\n" };
        let groups = groups.replacen("vars:\n", known, 1);
        std::fs::write(bench.path().join(inventory), groups).unwrap();
        let apply = [
            "apply",
            "-i",
            inventory,
            "--yes",
            "--no-input",
            "--confirm",
            "Contoso",
            "--waive-server",
            other,
        ];
        bench.expect(&apply, 0);
    }
    let stats = bench.server().stats();
    assert_eq!(times(&stats, "Set-IRMConfiguration"), 1, "{stats}");
}

#[test]
fn peers_a_forgotten_server_is_named_and_holds_the_step() {
    let Some(bench) = Bench::start() else { return };
    let text = narrowed(&bench, "EX01");
    let groups = text.split("    sharepoint:").next().unwrap();
    std::fs::write(bench.path().join("a.yml"), groups).unwrap();
    let apply = ["apply", "-i", "a.yml", "--yes", "--no-input", "--confirm", "Contoso"];
    let said = bench.expect(&apply, 8);
    assert!(said.contains("EX02 not in scope of the inventory"), "{said}");
    assert_eq!(times(&bench.server().stats(), "Set-IRMConfiguration"), 0);
}

#[test]
fn peers_a_farm_out_of_reach_holds_its_step_and_nothing_else() {
    let Some(bench) = Bench::start() else { return };
    bench.server().set("SP01", &json!({"second_hop_fails": true}));
    let apply = ["apply", "-i", "inventory.yml", "--yes", "--no-input", "--confirm", "Contoso"];
    // Whether the farm used AD RMS cannot be read of it either, and is not guessed.
    let said = bench.expect(&["plan", "-i", "inventory.yml", "--no-input", "--limit", "SP01"], 7);
    assert!(said.contains("restart-unknown"), "{said}");
    let text = std::fs::read_to_string(bench.path().join("inventory.yml")).unwrap();
    let answered = text.replacen("SP01: {", "SP01: { rms_prior_adrms: never,", 1);
    std::fs::write(bench.path().join("inventory.yml"), answered).unwrap();
    let said = bench.expect(&apply, 8);
    assert!(said.contains("the farm's cmdlets do not answer"), "{said}");
    assert!(said.contains("mode: manual"), "{said}");
    let stats = bench.server().stats();
    assert_eq!(times(&stats, "Set-SPIRMSettings"), 0);
    assert_eq!(times(&stats, "Set-IRMConfiguration"), 1);
}

#[test]
fn peers_a_farm_is_pointed_at_the_connector_without_a_path() {
    let Some(bench) = Bench::start() else { return };
    let playbook = "version: 1\nname: farm\nstages:\n  - { name: sp, hosts: sharepoint }\n  \
                    - { name: farm, org_step: sharepoint.use-this-rms-server }\n";
    std::fs::write(bench.path().join("p.yml"), playbook).unwrap();
    let apply =
        ["apply", "-i", "inventory.yml", "-p", "p.yml", "--yes", "--no-input", "--confirm", "SP01"];
    let said = bench.expect(&apply, 0);
    assert!(said.contains(&format!("CertificateServerUrl {CONNECTOR}")), "{said}");
    // The second run reads that it is so, and sends nothing.
    bench.expect(&apply, 0);
    assert_eq!(times(&bench.server().stats(), "Set-SPIRMSettings"), 1);
}

#[test]
fn peers_the_clean_up_of_a_migration_goes_in_its_order() {
    let Some(bench) = Bench::start() else { return };
    bench.server().set("EX01", &json!({"irm_test": "pass"}));
    bench.server().set("EX02", &json!({"irm_test": "pass"}));
    let on = "version: 1\nname: turn-on\nstages:\n  - { name: ex, hosts: exchange }\n  - { name: turned-on, \
              org_step: exchange.set-irm-configuration, verify: { test-irm-configuration: { \
              sender: irmtest@contoso.com } } }\n";
    std::fs::write(bench.path().join("on.yml"), on).unwrap();
    let apply = |playbook: &'static str| {
        [
            "apply",
            "-i",
            "inventory.yml",
            "-p",
            playbook,
            "--yes",
            "--no-input",
            "--confirm",
            "Contoso",
        ]
    };
    bench.expect(&apply("on.yml"), 0);
    let stats = bench.server().stats();
    for host in ["EX01", "EX02"] {
        assert_eq!(stats["hosts"][host]["cmdlets"]["Test-IRMConfiguration"], 1, "{host}: {stats}");
    }

    let again = "version: 1\nname: again\nstages:\n  - { name: first, org_step: \
                 exchange.set-irm-configuration, set: { LicensingLocation: tenant-first } }\n  - { \
                 name: away, org_step: exchange.set-irm-configuration, set: { \
                 InternalLicensingEnabled: false }, destructive: accepted }\n  - { name: fresh, \
                 org_step: exchange.refresh-server-certificates, destructive: accepted }\n  - { \
                 name: iis, org_step: exchange.restart-iis, destructive: accepted }\n  - { name: \
                 ex, hosts: exchange }\n  - { name: back, org_step: exchange.set-irm-configuration }\n";
    std::fs::write(bench.path().join("again.yml"), again).unwrap();
    bench.expect(&apply("again.yml"), 0);
    let stats = bench.server().stats();
    let sent: Vec<String> = stats["hosts"]["EX01"]["cmdlet_orders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|order| order["cmdlet"].as_str().unwrap_or_default().to_owned())
        .filter(|cmdlet| cmdlet == "Set-IRMConfiguration")
        .collect();
    // On at first; then the location, off, the refresh, and on again.
    assert_eq!(sent.len(), 5, "{stats}");
    for host in ["EX01", "EX02"] {
        let orders = stats["hosts"][host]["service_orders"].as_array().unwrap();
        let told: Vec<String> = orders
            .iter()
            .map(|order| format!("{} {}", order["method"], order["service"]))
            .collect();
        assert!(told.first().is_some_and(|first| first.contains("StopService")), "{told:?}");
        assert!(told.last().is_some_and(|last| last.contains("StartService")), "{told:?}");
    }
    let said = bench.expect(&["plan", "-i", "inventory.yml", "-p", "on.yml", "--no-input"], 0);
    assert!(said.contains("nothing to do"), "{said}");
}

#[test]
fn peers_a_file_server_that_sees_no_template_stops_the_run() {
    let Some(bench) = Bench::start() else { return };
    for host in ["FS01", "FS02", "FS03", "FS04", "FS05", "FS06"] {
        bench.server().set(host, &json!({"fsrm": {"templates": ["Confidential"]}}));
    }
    bench.server().set("FS02", &json!({"fsrm": {"templates": []}}));
    let playbook = "version: 1\nname: files\ngates:\n  seen: { type: rms-templates, expect: \
                    [confidential], within: 1s }\nstages:\n  - { name: files, hosts: fci, \
                    gates_after: [seen] }\n";
    std::fs::write(bench.path().join("p.yml"), playbook).unwrap();
    let apply = ["apply", "-i", "inventory.yml", "-p", "p.yml", "--yes", "--no-input"];
    let said = bench.expect(&apply, 5);
    assert!(said.contains("gate `seen` stays red: FS02: it sees no RMS template"), "{said}");
}
