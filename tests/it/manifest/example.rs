//! The playbook that the format was drawn up with, word for word, against its inventory.

use std::fs;

use jiff::Timestamp;

use rmsfleet::manifest::inventory;
use rmsfleet::manifest::inventory::InventorySources;
use rmsfleet::manifest::pattern;
use rmsfleet::manifest::playbook;
use rmsfleet::manifest::source::Source;
use rmsfleet::model::report::ReportFormat;
use rmsfleet::model::rollout::OnAbort;
use rmsfleet::plan::fits;

use crate::shared;

/// The example's texts, from the folder beside the project: they are never copied into it.
fn texts() -> Option<(String, String)> {
    let path = shared::root().join("reference/features.md");
    let Ok(text) = fs::read_to_string(&path) else {
        shared::skip(&format!("{} is not there", path.display()));
        return None;
    };
    let block = |first: &str| {
        let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        blocks.filter(|block| block.starts_with(first)).map(str::to_owned).next().unwrap()
    };
    Some((block("# inventory.yml -"), block("# rollout.yml -")))
}

#[test]
fn the_example_of_the_format_lints_clean() {
    let Some((farm, play)) = texts() else { return };
    let playbook = playbook::parse(&Source::new("rollout.yml", &play));
    let playbook = playbook.unwrap_or_else(|wrong| panic!("{wrong}"));
    let hosts =
        inventory::parse(&InventorySources::alone("inventory.yml", farm), &[]).unwrap().hosts;
    let names = |text: &str| pattern::select_for_stage(text, &hosts).ok();
    let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    let found = fits::findings(&playbook, &hosts, &names, now);
    assert_eq!(found, [], "{found:#?}");
    let limits = &playbook.limits;
    assert_eq!(
        (limits.forks, limits.restart, limits.exchange_shell, limits.retries),
        (20, 4, 1, 3)
    );
    assert_eq!(playbook.per_host.connect_timeout, Some(15));
    assert_eq!(playbook.inventory.as_deref(), Some("inventory.yml"));
    assert_eq!(playbook.on_abort, OnAbort::FinishInFlight);
    let formats: Vec<ReportFormat> =
        playbook.conditions.reports.iter().map(|report| report.format).collect();
    assert_eq!(
        formats,
        [ReportFormat::Html, ReportFormat::Markdown, ReportFormat::Junit, ReportFormat::Jsonl]
    );
    assert_eq!(playbook.conditions.gates.len(), 8);
}

/// Two people whose signatures count; nobody has the other halves.
const SIGNERS: &str = "\
alice@contoso.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPWSIBW6yUqTKzH62qw/SNlaZoTZ0Zk1Kd5z0mYVkbSp
bob@contoso.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBr4GpSHXLqkb2xZfyKYdzr/xuwXxJ5t9OA7MFbYDsiq
";

/// The same by the program: word for word, but for the rule pack of a version that there never was.
#[test]
fn the_example_of_the_format_lints_by_the_program() {
    let Some((farm, play)) = texts() else { return };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("inventory.yml", &farm);
    write("rollout.yml", &play);
    write("allowed_signers", SIGNERS);
    write(
        "credentials.yml",
        "version: 1\ncredentials:\n  tier1-admin: { type: current-user }\n  sp-farm-admin: { type: \
         prompt, username: sp }\n  connector-reader: { type: prompt, username: r }\n",
    );
    let lint = || {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
            .args(["lint", "-p", "rollout.yml"])
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env("XDG_STATE_HOME", folder.path())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), text.concat())
    };
    let (code, said) = lint();
    assert_eq!(code, Some(65), "{said}");
    assert!(said.contains("asks for rules `builtin/2025.1`, and these are `builtin/"), "{said}");
    let (_, version) = said.split_once("these are `").unwrap();
    let version = version.split('`').next().unwrap();
    write("rollout.yml", &play.replace("builtin/2025.1", version));
    let (code, said) = lint();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("26 hosts, 21 in scope"), "{said}");
}
