//! The program run by tests as somebody at a terminal runs it, for its exit code, words and plan.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::peer_server::PASSWORD;
use crate::peer_server::USER;

/// Runs a command in a folder, its state kept there too, and looks for its exit code and words.
#[track_caller]
pub(crate) fn check(
    folder: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
    code: i32,
    expected: &[&str],
) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
        .args(arguments)
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("NO_COLOR", "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{said}");
    for text in expected {
        assert!(said.contains(text), "`{text}` is missing in {arguments:?}:\n{said}");
    }
    said
}

/// The plan, as JSON, that an inventory of the peer server's hosts comes to with the built-in
/// playbook.
pub(crate) fn plan(inventory: &str) -> Value {
    plan_with(inventory, None, &[])
}

/// The same with another playbook and environment.
pub(crate) fn plan_with(
    inventory: &str,
    playbook: Option<&str>,
    variables: &[(&str, &str)],
) -> Value {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("inventory.yml"), inventory).unwrap();
    let credentials = format!(
        "version: 1\ncredentials:\n  default:\n    type: env\n    username: {USER}\n    variable: \
         PEER_PASSWORD\n"
    );
    std::fs::write(folder.path().join("credentials.yml"), credentials).unwrap();
    if let Some(playbook) = playbook {
        std::fs::write(folder.path().join("playbook.yml"), playbook).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
        .args(["plan", "-i", "inventory.yml", "--no-input", "--format", "json"])
        .args(playbook.map(|_| ["-p", "playbook.yml"]).into_iter().flatten())
        .current_dir(folder.path())
        .env("XDG_STATE_HOME", folder.path().join("state"))
        .env("PEER_PASSWORD", PASSWORD)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
    });
    document["plan"].clone()
}
