//! A rollout taken back on servers that are not ours: their registries are what they were, and
//! `verify` and `drift` say the truth on the way.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use crate::peers_rollout::Bench;

fn registries(bench: &Bench) -> BTreeMap<String, Value> {
    let hosts = bench.server().ports.keys();
    hosts.map(|host| (host.clone(), bench.server().registry(host))).collect()
}

/// The id of the latest run.
fn latest(bench: &Bench) -> String {
    let text = bench.expect(&["runs", "list", "--format", "json"], 0);
    let runs: Value = serde_json::from_str(&text).unwrap();
    let runs = runs["runs"].as_array().unwrap().clone();
    let id = |run: &Value| run["run"].as_str().unwrap().to_owned();
    runs.iter().map(id).max().unwrap()
}

fn irm_calls(bench: &Bench) -> u64 {
    let stats = bench.server().stats();
    let calls = |host: &str| {
        let all = &stats["hosts"][host]["cmdlets"]["Set-IRMConfiguration"];
        all.as_u64().unwrap_or_default()
    };
    calls("EX01") + calls("EX02")
}

#[test]
fn peers_a_rollout_is_verified_drifts_and_is_taken_back() {
    let Some(bench) = Bench::start() else { return };
    let before = registries(&bench);
    let inventory = ["-i", "inventory.yml", "--no-input"];
    let with = |words: &[&'static str]| [words, &inventory].concat();
    let detailed = |words: &[&'static str]| [&with(words)[..], &["--detailed-exitcode"]].concat();
    bench.expect(&with(&["verify"]), 0);
    bench.expect(&detailed(&["verify"]), 2);
    bench.expect(&with(&["apply", "--yes", "--confirm", "Contoso", "--confirm", "SP01"]), 0);
    bench.expect(&detailed(&["verify"]), 0);
    bench.expect(&detailed(&["verify", "--run", "latest"]), 0);
    bench.expect(&detailed(&["drift"]), 0);

    // Somebody changes a value by hand, and one goes back to where it was.
    let activation = "HKLM\\SOFTWARE\\Microsoft\\MSDRM\\ServiceLocation\\Activation";
    let held = bench.server().registry("FS03");
    bench.server().set_registry(
        "FS03",
        &json!({activation: {"": ["REG_SZ", "https://somebody.else/_wmcs/certification"]}}),
    );
    let told = bench.expect(&detailed(&["drift"]), 2);
    assert!(told.contains("changed") && told.contains("somebody.else"), "{told}");
    assert!(told.contains("written by run"), "{told}");
    bench.expect(&detailed(&["verify", "--run", "latest"]), 2);

    // What somebody else wrote stays; the other hosts go back, and the exit code says so.
    let run = latest(&bench);
    let undo = |run: &str| -> Vec<String> {
        let words =
            ["undo", run, "--yes", "--no-input", "--confirm", "Contoso", "--confirm", "SP01"];
        words.iter().map(|&word| word.to_owned()).collect()
    };
    let expect = |words: &[String], exit: i32| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        bench.expect(&words, exit)
    };
    let told = expect(&undo(&run), 11);
    assert!(told.contains("drifted"), "{told}");
    let mut after = registries(&bench);
    let kept = after.remove("FS03").unwrap();
    assert!(kept.to_string().contains("somebody.else"), "{kept}");
    for (host, registry) in &after {
        assert_eq!(registry, &before[host], "{host}");
    }
    assert_eq!(irm_calls(&bench), 2, "once there, once back");
    let list = bench.expect(&["runs", "list"], 0);
    assert!(list.contains(&format!("undoes {run}")), "{list}");
    assert!(list.contains("undone by"), "{list}");

    // With our values back, the rest goes too.
    bench.server().set_registry("FS03", &held);
    expect(&undo(&run), 0);
    assert_eq!(registries(&bench), before);
    // The undo that did most of it is a run like any other: taken back, the values are there again.
    bench.expect(&detailed(&["verify"]), 2);
}

#[test]
fn peers_an_undo_may_be_sealed_and_applied_later() {
    let Some(bench) = Bench::start() else { return };
    let before = registries(&bench);
    let inventory = ["-i", "inventory.yml", "--no-input"];
    bench.expect(
        &[&["apply", "--yes", "--confirm", "Contoso", "--confirm", "SP01"][..], &inventory]
            .concat(),
        0,
    );
    let run = latest(&bench);
    let writes = bench.server().stats()["hosts"]["FS01"]["actions"].clone();
    bench.expect(&["undo", &run, "--no-input", "-o", "back.rmsplan"], 0);
    let now = bench.server().stats()["hosts"]["FS01"]["actions"].clone();
    let sets = |actions: &Value| {
        let all = actions.as_object().unwrap().iter();
        all.filter(|(name, _)| name.ends_with("SetStringValue") || name.ends_with("DeleteValue"))
            .map(|(_, count)| count.as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(sets(&writes), sets(&now), "`undo -o` wrote");
    // Without the organisation's name it pauses before anything is touched.
    bench.expect(&["apply", "back.rmsplan", "--yes", "--no-input"], 8);
    assert_ne!(registries(&bench), before);
    let paused = latest(&bench);
    bench.expect(
        &["resume", &paused, "--yes", "--no-input", "--confirm", "Contoso", "--confirm", "SP01"],
        0,
    );
    assert_eq!(registries(&bench), before);
    assert_eq!(bench.server().stats()["hosts"]["FS01"]["reboots"], 2, "there and back");
}
