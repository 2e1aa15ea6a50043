//! Organisation steps and the tenant's URL, as somebody at the terminal sees them in the lab.

use std::path::Path;

use tempfile::TempDir;

use crate::planned;

/// The lab's own inventory with something put in or left out.
fn inventory(folder: &TempDir, edit: impl Fn(String) -> String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("inventories/lab.yml")).unwrap();
    std::fs::write(folder.path().join("inventory.yml"), edit(text)).unwrap();
}

#[track_caller]
fn check(folder: &TempDir, arguments: &[&str], code: i32, expected: &[&str]) -> String {
    planned::check(folder.path(), arguments, &[], code, expected)
}

#[test]
fn the_farm_is_pointed_at_the_connector_once_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let told = [
        "affects every site of farm SP01",
        "CertificateServerUrl  nothing",
        "Set-SPIRMSettings via SPWFE01",
        "CertificateServerUrl https://rmsconnector.contoso.com",
    ];
    check(&folder, &["apply", "--lab"], 0, &told);
}

#[test]
fn a_farm_by_hand_is_waited_for_and_nobody_goes_in_a_persons_place() {
    let folder = tempfile::tempdir().unwrap();
    let playbook = "version: 1\nname: x\nstages:\n  - { name: sp, hosts: sharepoint }\n  - { name: \
                    farm, org_step: sharepoint.use-this-rms-server, mode: manual, timeout: 1s }\n";
    std::fs::write(folder.path().join("p.yml"), playbook).unwrap();
    let told = [
        "Central Administration",
        "enter https://rmsconnector.contoso.com (no path)",
        "rmsfleet promote",
        "nobody said that `farm` is done",
    ];
    check(&folder, &["apply", "--lab", "-p", "p.yml"], 8, &told);
}

#[test]
fn the_tenant_is_asked_of_the_connector_and_shown_with_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let without = |text: String| {
        let lines: Vec<&str> =
            text.lines().filter(|line| !line.contains("rms_tenant_url")).collect();
        lines.join("\n") + "\n"
    };
    inventory(&folder, without);
    let told = [
        "https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com, as the connector",
        "7 hosts: 7 changed",
    ];
    check(&folder, &["apply", "--lab", "-i", "inventory.yml"], 0, &told);
}

#[test]
fn the_migration_goes_off_and_on_again_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    inventory(&folder, |text| {
        let urls = "rms_adrms_urls: [https://adrms.corp.contoso.com, https://rms.contoso.com]";
        text.replace("rms_dag: DAG01\n", &format!("rms_dag: DAG01\n        {urls}\n"))
    });
    let playbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/adrms-migration.yml");
    let playbook = playbook.to_str().unwrap();
    check(&folder, &["lint", "-i", "inventory.yml", "-p", playbook], 0, &[]);
    let said = check(
        &folder,
        &["apply", "--lab", "--full", "-i", "inventory.yml", "-p", playbook],
        0,
        &[
            "cannot be taken back",
            "Remove-Item via EX01",
            "LicensingLocation",
            "Set-IRMConfiguration -RefreshServerCertificates via EX01",
            "Win32_Service via EX02",
            "https://adrms.corp.contoso.com/_wmcs/licensing",
        ],
    );
    let at = |text: &str| said.rfind(text).unwrap_or_else(|| panic!("{text}\n{said}"));
    assert!(at("Remove-Item via") < at("RefreshServerCertificates via"), "{said}");
    assert!(at("RefreshServerCertificates via") < at("Win32_Service via"), "{said}");
    assert!(at("Win32_Service via") < at("Set-SPIRMSettings via"), "{said}");
}

#[test]
fn what_is_destructive_is_refused_until_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let playbook =
        "version: 1\nname: x\nstages:\n  - { name: c, org_step: exchange.clear-cache }\n";
    std::fs::write(folder.path().join("p.yml"), playbook).unwrap();
    let told = ["destructive", "add `destructive: accepted`"];
    check(&folder, &["plan", "--lab", "-p", "p.yml"], 65, &told);
}

#[test]
fn a_connector_of_another_tenant_than_the_inventory_stops_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    // The SharePoint servers have no tenant of their own, so that the connector is asked.
    inventory(&folder, |text| {
        let line =
            "    rms_tenant_url: https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com\n";
        let own = format!("rms_role: exchange\n    {line}");
        text.replacen(line, "", 1).replacen("rms_role: exchange\n", &own, 1)
    });
    let lab = ["plan", "--lab", "-i", "inventory.yml", "--full"];
    check(&folder, &lab, 0, &["as the connector"]);
    let other = "https://00000000-1038-4eec-863d-49bded473437.rms.na.aadrm.com";
    let broken = [&lab[..], &["--faults", "connector-other-tenant"]].concat();
    let said = check(&folder, &broken, 7, &["tenant-url", other]);
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("tenant-url: the inventory says https://5c6bb73b"), "{said}");
}

#[test]
fn what_a_file_server_cannot_take_is_told_in_the_playbook() {
    let folder = tempfile::tempdir().unwrap();
    let check = |stage: &str, told: &str| {
        let playbook = format!("version: 1\nname: x\nstages:\n  - {stage}\n");
        std::fs::write(folder.path().join("p.yml"), playbook).unwrap();
        check(&folder, &["plan", "--lab", "-p", "p.yml"], 65, &[told]);
    };
    let job = |rest: &str| {
        format!(
            "{{ name: j, org_step: fci.file-management-job, set: {{ Name: J, Namespace: ['D:\\a'], \
             {rest} }} }}"
        )
    };
    check("{ name: j, org_step: fci.file-management-job }", "needs the key `set`");
    check(&job("Continuous: true"), "needs `RmsTemplate`");
    check(&job("RmsTemplate: T"), "needs `Schedule` or `Continuous: true`");
    check(&job("RmsTemplate: T, Color: red"), "has no `Color`");
    let both = "Schedule: { Time: \"2026-12-01T02:00:00Z\", Weekly: [Monday], Monthly: [1] }";
    check(&job(&format!("RmsTemplate: T, {both}")), "either `Weekly` or `Monthly`");
    let bare = "Schedule: { Time: \"02:00\", Weekly: [Monday] }";
    check(&job(&format!("RmsTemplate: T, {bare}")), "needs a time with its offset");
    let alone = "Continuous: true, Condition: { Property: P, Condition: Equal }";
    check(&job(&format!("RmsTemplate: T, {alone}")), "needs a `Value` with Equal");
    let rule = "{ name: r, org_step: fci.classification-rule, set: { Name: R, Property: P, Namespace: \
                [Shares] } }";
    check(rule, "needs a folder of the server");
    let wide = "{ name: e, org_step: exchange.set-irm-configuration, hosts: exchange }";
    check(wide, "`org_step` stands beside `hosts`");
}
