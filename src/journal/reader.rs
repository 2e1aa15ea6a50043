//! Reads a journal back, even one whose writer died in the middle of a line.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::event::Event;
use crate::event::JOURNAL_FORMAT;
use crate::event::Record;

/// A journal as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    pub records: Vec<Record>,
    /// Events of kinds that this version does not know, which a newer one may have written.
    pub unknown: usize,
    /// The last line's number and text where it breaks off: the writer was cut short.
    pub torn: Option<(usize, String)>,
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read `{path}`")]
    File { path: PathBuf, source: std::io::Error },
    /// The writer was cut short in the first line: no act had begun.
    #[error("the journal has no whole line")]
    Empty,
    /// It has no line, and something else proves that it had some.
    #[error("the journal is lost: {proof} shows that the run had begun")]
    Lost { proof: String },
    #[error("expected a journal that begins with `run-started`, found {found}")]
    Start { found: String },
    #[error(
        "the journal has format {found}, this rmsfleet reads up to {JOURNAL_FORMAT}; use a newer one"
    )]
    Newer { found: u64 },
    #[error("line {line} of the journal is damaged")]
    Damaged { line: usize, source: serde_json::Error },
    #[error("line {line} of the journal has number {found}, expected {expected}")]
    Gap { line: usize, expected: u64, found: u64 },
}

/// Reads the journal at `path`.
pub fn read(path: &Path) -> Result<Journal, ReadError> {
    let bytes =
        std::fs::read(path).map_err(|source| ReadError::File { path: path.to_owned(), source })?;
    parse(&bytes)
}

/// Reads the first record alone: which plan the run started, and when.
pub fn read_start(path: &Path) -> Result<Record, ReadError> {
    let wrong = |source| ReadError::File { path: path.to_owned(), source };
    let mut line = Vec::new();
    let file = std::fs::File::open(path).map_err(wrong)?;
    BufReader::new(file).read_until(b'\n', &mut line).map_err(wrong)?;
    let journal = parse(&line)?;
    journal.records.into_iter().next().ok_or(ReadError::Empty)
}

/// Reads a journal's bytes. Unknown fields and kinds of events are passed over; a last line that
/// breaks off is named in the result and no error.
pub fn parse(bytes: &[u8]) -> Result<Journal, ReadError> {
    let mut journal = Journal { records: Vec::new(), unknown: 0, torn: None };
    let mut expected = 0;
    for (place, bytes) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line = place + 1;
        // Without its line break a line was not written to the end, whatever it says.
        if !bytes.ends_with(b"\n") {
            journal.torn = Some((line, String::from_utf8_lossy(bytes).into_owned()));
            break;
        }
        let value: Value =
            serde_json::from_slice(bytes).map_err(|source| ReadError::Damaged { line, source })?;
        if line == 1 {
            check_start(&value)?;
        }
        let found = value.get("seq").and_then(Value::as_u64).unwrap_or(u64::MAX);
        if found != expected {
            return Err(ReadError::Gap { line, expected, found });
        }
        expected += 1;
        let kind = value.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        match serde_json::from_value(value) {
            Ok(record) => journal.records.push(record),
            Err(source) if knows(&kind) => return Err(ReadError::Damaged { line, source }),
            Err(_) => journal.unknown += 1,
        }
    }
    if expected == 0 { Err(ReadError::Empty) } else { Ok(journal) }
}

/// The whole lines at the beginning of a piece of a journal, as records, and how many bytes they
/// take. What this version does not know is passed over, and what is no record too: whoever needs
/// to be sure reads the whole.
pub fn lines(bytes: &[u8]) -> (Vec<Record>, usize) {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let text = bytes.get(..whole).unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n');
    (lines.filter_map(|line| serde_json::from_slice(line).ok()).collect(), whole)
}

fn check_start(value: &Value) -> Result<(), ReadError> {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or("no type");
    if kind != "run-started" {
        return Err(ReadError::Start { found: format!("`{kind}`") });
    }
    match value.get("format").and_then(Value::as_u64) {
        Some(found) if found <= u64::from(JOURNAL_FORMAT) => Ok(()),
        Some(found) => Err(ReadError::Newer { found }),
        None => Err(ReadError::Start { found: "a `run-started` without format".to_owned() }),
    }
}

/// Whether the event's kind is one of ours: then its fields must fit.
fn knows(kind: &str) -> bool {
    let probe = serde_json::json!({ "type": kind });
    match serde_json::from_value::<Event>(probe) {
        Ok(_) => true,
        Err(error) => !error.to_string().starts_with("unknown variant"),
    }
}
