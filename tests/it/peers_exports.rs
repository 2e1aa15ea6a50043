//! What is exported, read by importers and a parser that are not ours.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;

use rmsfleet::export::gpo;
use rmsfleet::export::reg;
use rmsfleet::model::change::Change;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedHost;
use rmsfleet::model::product::Product;
use rmsfleet::model::registry::State;
use rmsfleet::model::registry::Value;
use rmsfleet::model::registry::ValuePath;

use crate::imagined::dice::Dice;
use crate::imagined::hosts_stage;
use crate::imagined::plan;
use crate::imagined::planned;
use crate::peer_server::peers;
use crate::peer_server::python;
use crate::shared;

const TOP: &str = r"HKEY_LOCAL_MACHINE\SOFTWARE\Contoso";

/// One value of every type, plain and odd.
fn values(dice: &mut Dice) -> Vec<Value> {
    let number = u32::try_from(dice.up_to(1 << 30)).unwrap();
    vec![
        Value::Sz(format!("https://rms{number}.contoso.com/_wmcs/licensing")),
        Value::Sz("a \"quoted\" \\ back\\".to_owned()),
        Value::Sz(String::new()),
        // A line break is read back by hivex alone: the exports of the others break their line at it.
        Value::Sz("a\tb".to_owned()),
        Value::ExpandSz("%windir%\\t".to_owned()),
        Value::Binary((0..=255).collect()),
        Value::Dword(u32::MAX - number),
        Value::Qword(u64::MAX - u64::from(number)),
        Value::MultiSz(vec!["one".to_owned(), format!("two {number}")]),
    ]
}

/// Changes from everything to everything, absence and default values included.
fn fs1(dice: &mut Dice) -> PlannedHost {
    let mut host = planned("FS1");
    for key in [r"SOFTWARE\Contoso\A", r"SOFTWARE\Contoso\A\Deep [er]\B", r"SOFTWARE\Contoso\C"] {
        let (mut before, mut after) = (values(dice), values(dice));
        for place in (1..before.len()).rev() {
            before.swap(place, dice.up_to(place + 1));
            after.swap(place, dice.up_to(place + 1));
        }
        for (place, (before, after)) in before.into_iter().zip(after).enumerate() {
            let name = match place {
                0 => String::new(),
                1 => "a \"quoted\" \\ name".to_owned(),
                place => format!("https://t{place}.rms.eu.aadrm.com"),
            };
            let before = if dice.chance(40) { State::Absent } else { State::Present(before) };
            let after = State::Present(after);
            if before != after {
                let path = ValuePath::new(key, name);
                host.changes.push(Change { path, before, after, rule: "test".to_owned() });
            }
        }
    }
    host
}

fn one_host(host: PlannedHost) -> Plan {
    let stage = hosts_stage("servers", vec![vec![host.name.clone()]], 0, Vec::new());
    plan(vec![host], vec![stage])
}

fn file(files: &[rmsfleet::export::file::File], name: &str) -> Vec<u8> {
    let found = files.iter().find(|file| file.name == name);
    found.unwrap_or_else(|| panic!("no {name}")).bytes.clone()
}

/// In the form of the peers' registry dumps.
fn expected<'a>(values: impl Iterator<Item = (&'a ValuePath, &'a State)>) -> Json {
    let mut keys: Map<String, Json> = Map::new();
    for (path, state) in values {
        let State::Present(value) = state else { continue };
        let data = match value {
            Value::Sz(text) | Value::ExpandSz(text) => json!(text),
            Value::Binary(bytes) => {
                json!(rmsfleet::plan::seal::hex(bytes))
            }
            Value::Dword(number) => json!(number),
            Value::Qword(number) => json!(number),
            Value::MultiSz(texts) => json!(texts),
        };
        let key = keys.entry(format!("HKLM\\{}", path.key.as_str())).or_insert_with(|| json!({}));
        key[path.name.as_str()] = json!([value.kind().to_string(), data]);
    }
    Json::Object(keys)
}

/// Lets every importer that is there read the file; Wine where `WINEPREFIX` says it may.
#[track_caller]
fn check(peers: &Path, bytes: &[u8], expected: &Json, what: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (reg, json) = (folder.path().join("a.reg"), folder.path().join("a.json"));
    fs::write(&reg, bytes).unwrap();
    fs::write(&json, expected.to_string()).unwrap();
    let ran = Command::new(python(peers))
        .arg(peers.join("registry/reg_check.py"))
        .arg(&reg)
        .arg(TOP)
        .arg("--expect")
        .arg(&json)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && !said.contains("\n0 passed"), "{what}: {said}");
    assert!(said.contains("PASS"), "{what}: no importer is there: {said}");
}

/// The sections of a file, without its mark and first line.
fn sections(bytes: &[u8]) -> Vec<u8> {
    let line = "Windows Registry Editor Version 5.00\r\n".encode_utf16().count() * 2;
    bytes[2 + line..].to_vec()
}

#[test]
fn peers_registry_files_mean_what_the_plan_says_and_the_undo_brings_back_what_was() {
    let Some(peers) = peers() else { return };
    for seed in 0..4 {
        let plan = one_host(fs1(&mut Dice::new(seed)));
        let files = reg::files(&plan, "0123abcd").unwrap();
        let (there, back) = (file(&files, "hosts/FS1.reg"), file(&files, "hosts/FS1.undo.reg"));
        assert_eq!(sections(&there).len() % 2, 0);
        let changes = || plan.hosts.values().flat_map(|host| &host.changes);
        let after = expected(changes().map(|change| (&change.path, &change.after)));
        check(&peers, &there, &after, &format!("seed {seed}, the way there"));
        // The state before, the import and the undo, one after the other.
        let mut before = planned("FS1");
        before.changes = changes().map(Change::swapped).collect();
        before.changes.retain(|change| change.after != State::Absent);
        let was = expected(before.changes.iter().map(|change| (&change.path, &change.after)));
        let first = reg::files(&one_host(before.clone()), "0123abcd").unwrap();
        let mut all = file(&first, "hosts/FS1.reg");
        all.extend(sections(&there));
        all.extend(sections(&back));
        check(&peers, &all, &was, &format!("seed {seed}, there and back"));
    }
}

/// Parses each file, and prints the string literals of the first.
const PARSE: &str = r"
import sys
try:
    import tree_sitter, tree_sitter_powershell
except ImportError:
    sys.exit(9)
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
def literals(node):
    if node.type == 'string_literal':
        yield node.text.decode()
    for child in node.children:
        yield from literals(child)
for path in sys.argv[1:]:
    raw = open(path, 'rb').read()
    assert raw.startswith(b'\xef\xbb\xbf'), path
    tree = parser.parse(raw[3:])
    if tree.root_node.has_error:
        sys.exit(f'{path} does not parse')
    for text in literals(tree.root_node):
        print(repr(text))
";

/// Scripts that hold every quote PowerShell knows, in names and in data.
#[test]
fn peers_scripts_parse_whatever_quotes_the_values_hold() {
    let Some(peers) = peers() else { return };
    let quotes =
        "' \u{2018} \u{2019} \u{201a} \u{201b} \" \u{201c} \u{201d} \u{201e} ` $x $(1) #> {} '@";
    let mut host = planned("EX1");
    host.product = Some(Product::Exchange2019);
    let mut add = |name: &str, value: Value| {
        let path = ValuePath::new(r"SOFTWARE\Contoso's \u{2019}key", name);
        let (before, after) = (State::Absent, State::Present(value));
        host.changes.push(Change { path, before, after, rule: "test".to_owned() });
    };
    add("", Value::Sz("https://t1.rms.eu.aadrm.com".to_owned()));
    add(quotes, Value::Sz(quotes.to_owned()));
    for (place, quote) in quotes.split(' ').enumerate() {
        add(&format!("{quote}{place}"), Value::Sz(format!("{quote}{quote}a{quote}")));
    }
    add("d", Value::Dword(u32::MAX));
    add("q", Value::Qword(u64::MAX));
    add("b", Value::Binary(vec![0, 255]));
    add("m", Value::MultiSz(vec![quotes.to_owned(), String::new()]));
    let files = gpo::files(&one_host(host), "0123abcd").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for name in ["create-policies.ps1", "undo-policies.ps1"] {
        let path = folder.path().join(name);
        fs::write(&path, file(&files, name)).unwrap();
        paths.push(path);
    }
    // Another Python may have the parser.
    let own = std::env::var_os("RMSFLEET_TREE_SITTER_PYTHON");
    let python = own.map_or_else(|| python(&peers), Into::into);
    let ran = Command::new(python).args(["-c", PARSE]).args(&paths).output().unwrap();
    if ran.status.code() == Some(9) {
        shared::skip("Python has no tree-sitter-powershell");
        return;
    }
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said = String::from_utf8_lossy(&ran.stdout);
    // Python's repr of one whole literal with every single quote doubled.
    let doubled = "\u{2018}\u{2018} \u{2019}\u{2019} \u{201a}\u{201a} \u{201b}\u{201b}";
    assert!(said.contains(doubled), "{said}");
}
