//! Classification rules and file management jobs of a server that is not ours: read there, and
//! refused there, because it makes none.

use serde_json::json;

use crate::peers_rollout::Bench;

const PLAYBOOK: &str = "version: 1
name: files
stages:
  - name: file-servers
    hosts: FS01:FS02:FS03
  - name: rule
    org_step: fci.classification-rule
    hosts: FS01:FS02:FS03
    set:
      Name: Confidential
      Namespace: ['D:\\Shares']
      Property: Confidentiality_MS
      PropertyValue: \"3000\"
      ContentString: [confidential]
  - name: job
    org_step: fci.file-management-job
    hosts: FS01
    set:
      Name: Protect
      Namespace: ['D:\\Shares']
      RmsTemplate: Contoso - Confidential
      Continuous: true
";

#[test]
fn peers_rules_and_jobs_are_compared_as_the_server_tells_them() {
    let Some(bench) = Bench::start() else { return };
    let rule = |value: &str| {
        json!({"Name": "Confidential", "Namespace": ["D:\\Shares"], "PropertyValue": value,
               "Property": "Confidentiality_MS", "ContentString": ["confidential"]})
    };
    let job = json!({"Name": "Protect", "Namespace": ["D:\\Shares"], "Continuous": true,
                     "Action": {"Type": 3, "RMSTemplate": "Contoso - Confidential"}});
    bench.server().set("FS01", &json!({"fsrm": {"rules": [rule("3000")], "jobs": [job]}}));
    bench.server().set("FS02", &json!({"fsrm": {"rules": [rule("1000")]}}));
    std::fs::write(bench.path().join("p.yml"), PLAYBOOK).unwrap();
    let plan = ["plan", "-i", "inventory.yml", "-p", "p.yml", "--no-input", "--full"];
    let said = bench.expect(&plan, 0);
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        "FS01 has all that Create MSFT_FSRMClassificationRule would set",
        "FS01 has all that Create MSFT_FSRMFileManagementJob would set",
        "FS02 has a classification rule `Confidential` already",
        "its PropertyValue is 1000, not 3000",
        "ON FS03, ONCE",
    ] {
        assert!(flat.contains(text), "`{text}` is missing:\n{said}");
    }
    // This server makes no instances: the run says so, and what it read afterwards.
    let apply = ["apply", "-i", "inventory.yml", "-p", "p.yml", "--yes", "--no-input"];
    let said = bench.expect(&apply, 5);
    assert!(said.contains("read back as it was before"), "{said}");
}
