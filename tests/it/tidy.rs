//! The architecture as a test: who may name whom, and the habits that keep files readable.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Each module, and the modules it may name with `crate::`.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("error", &[]),
    ("event", &["model"]),
    ("manifest", &["model"]),
    ("plan", &["model"]),
    ("export", &["model", "plan"]),
    ("wire", &["model"]),
    ("host", &["model", "wire"]),
    ("net", &["model", "wire", "host"]),
    ("run", &["model", "plan", "host", "event", "error"]),
    ("journal", &["model", "plan", "event", "error"]),
    ("report", &["model", "plan", "event", "manifest", "error"]),
    ("lab", &["model", "wire"]),
    ("hostile", &["model", "event", "manifest", "plan", "wire", "journal", "lab"]),
    (
        "cli",
        &[
            "model", "error", "event", "manifest", "plan", "wire", "host", "net", "run", "journal",
            "report", "lab", "export",
        ],
    ),
];

/// Values in the middle: these neither wait, nor look at the clock, nor roll dice. Their tests
/// may read recordings.
const PURE: &[&str] = &["model", "plan", "manifest", "wire", "export"];
const EDGE: &[&str] = &["tokio::", "std::net", "std::fs", "SystemTime", "getrandom", "tracing::"];

const LONGEST_FILE: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, with its text.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

/// The module that a file of `src` belongs to: `src/wire/xml.rs` and `src/wire.rs` are `wire`.
fn module_of(path: &Path) -> String {
    let below = path.strip_prefix(root().join("src")).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// Every module that a text names with `crate::`.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split("crate::").skip(1).map(|rest| {
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
    })
}

/// Code without comments, so that a forbidden word may be talked about.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn violations(module: &str, text: &str) -> Vec<String> {
    let Some((_, below)) = LAYERS.iter().find(|(name, _)| *name == module) else {
        return vec![format!("`{module}` has no row in the table of layers")];
    };
    let text = code(text);
    let mut found: Vec<String> = named(&text)
        .filter(|used| *used != module && !below.contains(used))
        .map(|used| format!("`{module}` may not use `{used}`"))
        .collect();
    if text.contains("use crate::{") {
        found.push("imports stand line by line, never as `use crate::{`".to_owned());
    }
    if PURE.contains(&module) {
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let edge = EDGE.iter().filter(|word| text.contains(**word));
        found.extend(edge.map(|word| format!("`{module}` is pure and may not use `{word}`")));
    }
    found
}

#[track_caller]
fn check_every_source(rule: impl Fn(&Path, &str) -> Vec<String>) {
    let mut broken = Vec::new();
    let sources = sources(&root().join("src"));
    assert!(sources.len() > 20, "the sources were not found");
    for (path, text) in sources {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        broken.extend(rule(&path, &text).into_iter().map(|what| format!("{name}: {what}")));
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// Whether a file is compiled for tests only: its parent says so where it names it.
fn is_test(path: &Path) -> bool {
    let name = path.file_stem().unwrap().to_string_lossy();
    let folder = path.parent().unwrap();
    let parents = [folder.join("mod.rs"), folder.with_extension("rs")];
    parents.iter().filter_map(|parent| fs::read_to_string(parent).ok()).any(|text| {
        text.contains(&format!("#[cfg(test)]\nmod {name};"))
            || text.contains(&format!("#[cfg(test)]\npub(crate) mod {name};"))
    })
}

#[test]
fn modules_name_only_the_layers_below_them() {
    check_every_source(|path, text| match module_of(path).as_str() {
        "main" | "lib" => Vec::new(),
        _ if is_test(path) => Vec::new(),
        module => violations(module, text),
    });
}

#[test]
fn the_layers_have_no_circle() {
    let mut placed: Vec<&str> = Vec::new();
    while placed.len() < LAYERS.len() {
        let ready: Vec<&str> = LAYERS
            .iter()
            .filter(|(name, below)| {
                !placed.contains(name) && below.iter().all(|name| placed.contains(name))
            })
            .map(|(name, _)| *name)
            .collect();
        assert!(!ready.is_empty(), "a circle outside of {placed:?}");
        placed.extend(ready);
    }
}

#[test]
fn a_broken_rule_is_found() {
    assert_eq!(violations("model", "use crate::wire::xml::Node;").len(), 1);
    assert_eq!(violations("plan", "use crate::{model};").len(), 2);
    assert_eq!(violations("wire", "tokio::time::sleep(d).await").len(), 1);
    assert_eq!(violations("attic", "").len(), 1);
    assert!(violations("host", "use crate::wire::xml::Node; // crate::").len() <= 1);
    assert!(violations("wire", "// tokio:: is not for us").is_empty());
}

#[test]
fn a_file_holds_one_idea_and_no_promise() {
    check_every_source(|_, text| {
        let mut found = Vec::new();
        let code = code(text);
        for word in ["todo!", "unimplemented!", "#[allow(", "#![allow("] {
            if code.contains(word) {
                found.push(format!("`{word}` is not used here"));
            }
        }
        found
    });
}

#[test]
fn no_file_hides_a_second_idea() {
    let mut long = Vec::new();
    for folder in ["src", "tests", "examples", "fuzz"] {
        for (path, text) in sources(&root().join(folder)) {
            let lines = text.lines().count();
            if lines > LONGEST_FILE {
                long.push(format!("{}: {lines} lines, more than {LONGEST_FILE}", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn the_documents_stand() {
    for name in ["README.md", "CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(name)).unwrap_or_default();
        assert!(text.lines().count() > 5, "{name} is missing or empty");
    }
}

#[test]
fn main_only_hands_over() {
    let text = fs::read_to_string(root().join("src/main.rs")).unwrap();
    assert!(text.lines().count() < 30);
}
