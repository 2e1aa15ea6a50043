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

/// Parts of the example that other decisions have overruled, or that are not built yet.
const OVERRULED: [(&str, &str); 10] = [
    ("  approvals: { required: 2, distinct_from_author: true }\n", ""),
    (
        "    checks: [services-running, component-states-as-found, copies-healthy,",
        "    checks: [services-running, copies-healthy,",
    ),
    (
        "    when: required               # required = values change AND the host used AD RMS (or another connector) before\n    drain: exchange-dag\n",
        "",
    ),
    (
        "    order: [fewest-active-databases, alternate-sites, pam-last]\n",
        "    order: [alternate-sites]\n",
    ),
    (
        "    when: required\n    drain: { hook: lb-drain-wfe }\n    max_unavailable: { per: rms_farm_role, count: 1 }\n",
        "    drain: { hook: lb-drain-wfe }\n    max_unavailable: { per: rms_farm, count: 1 }\n",
    ),
    (
        "    when: always                 # documented: file servers always restart after this change\n",
        "",
    ),
    ("    when: always\n    drain: failover-cluster\n", ""),
    ("    order: [fewest-owned-roles]\n", ""),
    (
        "    identity: from-directory                 # found in AD, not \"first host of the batch\"\n    needs: { group: exchange, verified: \"100%\" }\n    set: { InternalLicensingEnabled: true, ClientAccessServerEnabled: true }\n",
        "",
    ),
    ("builtin/2025.1", "builtin/2026.1"),
];

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

/// Takes out what stands between two texts, the second left in.
fn without(text: &str, from: &str, until: &str) -> String {
    let (before, rest) = text.split_once(from).unwrap();
    let (_, after) = rest.split_once(until).unwrap();
    format!("{before}{until}{after}")
}

#[test]
fn the_example_of_the_format_lints_clean() {
    let Some((farm, mut play)) = texts() else { return };
    for (from, to) in OVERRULED {
        assert!(play.contains(from), "{from}");
        play = play.replace(from, to);
    }
    play = without(&play, "preflight:\n", "gates:\n");
    play = without(&play, "  - name: sharepoint-irm-on\n", "reports:\n");
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
