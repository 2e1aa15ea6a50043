//! Recorded messages as seeds, where the folder that holds them is at hand.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Longest recording that is taken: the search wants many inputs more than long ones.
const LONGEST: usize = 24 * 1024;

/// Seeds, each with the decoders that they are for.
pub(crate) type Seeds = Vec<(&'static [&'static str], Vec<u8>)>;

/// All recordings below the captures, and the project's own files of older formats.
pub(crate) fn read(shared: &Path) -> Seeds {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut seeds = Seeds::new();
    for path in files(&shared.join("captures")).into_iter().chain(files(&project)) {
        if let Ok(bytes) = fs::read(&path) {
            sort(&path, bytes, &mut seeds);
        }
    }
    seeds.retain(|(_, bytes)| bytes.len() <= LONGEST);
    seeds
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn sort(path: &Path, bytes: Vec<u8>, seeds: &mut Seeds) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    match kind.as_str() {
        "rmsplan" => seeds.push((&["plan"], bytes)),
        "jsonl" if name.starts_with("journal") => seeds.push((&["journal"], bytes)),
        "jsonl" => messages(&bytes, seeds),
        "xml" if contains(&bytes, b"Envelope") => {
            seeds.push((&["xml", "wsman", "shell", "winrs", "lab_request"], bytes));
        }
        "xml" => seeds.push((&["xml", "clixml", "pool"], bytes)),
        "json" if name.starts_with("ntlm_") => handshakes(&bytes, seeds),
        "json" if name.starts_with("cbt_") => certificates(&bytes, seeds),
        "json" if name.starts_with("spnego_") => tokens(&bytes, seeds),
        "" if name.starts_with("initial_context") || name.starts_with("neg_token") => {
            seeds.push((&["spnego"], bytes));
        }
        "" if name.starts_with("ntlm_") => {
            seeds.push((&["ntlm_challenge", "ntlm_acceptor"], bytes));
        }
        _ => {}
    }
}

/// The objects of a recorded conversation, a message on each line.
fn messages(bytes: &[u8], seeds: &mut Seeds) {
    for line in String::from_utf8_lossy(bytes).lines() {
        let row: Value = serde_json::from_str(line).unwrap_or_default();
        if let Some(text) = row.get("data").and_then(Value::as_str) {
            seeds.push((&["clixml", "pool"], text.as_bytes().to_vec()));
        }
    }
}

/// The messages of recorded NTLM handshakes, in hex.
fn handshakes(bytes: &[u8], seeds: &mut Seeds) {
    let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let scenarios = document.get("scenarios").and_then(Value::as_array);
    for scenario in scenarios.into_iter().flatten() {
        for name in ["negotiate", "challenge", "authenticate"] {
            if let Some(bytes) = scenario.get(name).and_then(Value::as_str).and_then(from_hex) {
                seeds.push((&["ntlm_challenge", "ntlm_acceptor"], bytes));
            }
        }
    }
}

/// Recorded certificates, in base64.
fn certificates(bytes: &[u8], seeds: &mut Seeds) {
    let rows: Value = serde_json::from_slice(bytes).unwrap_or_default();
    for row in rows.as_array().into_iter().flatten() {
        let text = row.get("cert_der_base64").and_then(Value::as_str).unwrap_or_default();
        if let Ok(bytes) = STANDARD.decode(text) {
            seeds.push((&["certificate"], bytes));
        }
    }
}

/// The tokens of recorded logons, in hex, under the logon's name.
fn tokens(bytes: &[u8], seeds: &mut Seeds) {
    let logons: Value = serde_json::from_slice(bytes).unwrap_or_default();
    for tokens in logons.as_object().into_iter().flat_map(|all| all.values()) {
        for token in tokens.as_array().into_iter().flatten() {
            if let Some(bytes) = token.as_str().and_then(from_hex) {
                seeds.push((&["spnego"], bytes));
            }
        }
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    Some(
        digits?
            .chunks_exact(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect(),
    )
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|part| part == word)
}
