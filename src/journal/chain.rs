//! The chain that holds a journal's lines together: each names the line before it and itself.
//!
//! It finds accidents and edits, not a forger: whoever can rewrite the whole file can chain it anew.

use serde::Serialize;
use serde_json::Value;

use crate::event::Record;
use crate::plan::seal::sha256;

/// The first format whose lines are chained.
const CHAINED: u64 = 2;

/// How much of a line that breaks off is shown.
const SHOWN: usize = 4096;

/// One line, and what the next one names as its predecessor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// With its line break.
    pub line: Vec<u8>,
    /// SHA-256 over the line without its own checksum.
    pub sum: String,
}

/// What the lines say about themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub lines: usize,
    /// Whether there is a chain at all; a journal of an older format has none.
    pub chained: bool,
    /// What the next line has to name; empty where there is no chain.
    pub sum: String,
    /// The last line's number and text where it breaks off: the writer was cut short.
    pub torn: Option<(usize, String)>,
    /// Bytes of whole lines.
    pub whole: usize,
}

/// The first line that gives the journal away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("the journal has no whole line")]
    Empty,
    #[error("line {line} was changed after it was written")]
    Changed { line: usize },
    #[error("line {line} was inserted: it does not follow the line before it, the one after does")]
    Inserted { line: usize },
    #[error("at least one line is missing before line {line}")]
    Missing { line: usize },
    #[error("line {line} does not follow the line before it")]
    Stray { line: usize },
    #[error("the journal belongs to the plan with sha256 {named}, the plan has {found}")]
    OtherPlan { named: String, found: String },
}

#[derive(Serialize)]
struct Chained<'a> {
    prev: &'a str,
    #[serde(flatten)]
    record: &'a Record,
}

/// The line of a record that follows the line with checksum `prev`.
pub fn link(record: &Record, prev: &str) -> Result<Link, serde_json::Error> {
    let mut line = serde_json::to_vec(&Chained { prev, record })?;
    let sum = sha256(&line);
    line.pop();
    line.extend_from_slice(format!("{SUM}{sum}\"}}\n").as_bytes());
    Ok(Link { line, sum })
}

/// Checks every line against itself and the one before it; with the plan's digest, the plan too.
pub fn verify(bytes: &[u8], plan: Option<&str>) -> Result<Chain, Broken> {
    let (whole, torn) = whole_lines(bytes);
    let first = *whole.first().ok_or(Broken::Empty)?;
    let start = Named::read(first);
    if let (Some(found), Some(named)) = (plan, &start.digest)
        && named != found
    {
        return Err(Broken::OtherPlan { named: named.clone(), found: found.to_owned() });
    }
    let mut chain = Chain {
        lines: whole.len(),
        // A line that names another is chained, whatever its format says.
        chained: start.prev.is_some() || start.format.is_none_or(|format| format >= CHAINED),
        sum: String::new(),
        torn,
        whole: whole.iter().map(|line| line.len()).sum(),
    };
    if !chain.chained {
        return Ok(chain);
    }
    let mut prev = start.digest.unwrap_or_default();
    for (place, bytes) in whole.iter().enumerate() {
        let line = place + 1;
        let sum = own_sum(bytes).ok_or(Broken::Changed { line })?;
        let named = Named::read(bytes);
        let expected = u64::try_from(place).unwrap_or(u64::MAX);
        if named.prev.as_deref() != Some(&prev) || named.seq != Some(expected) {
            let next = whole.get(line).map(|next| Named::read(next).prev);
            return Err(match named.seq {
                _ if next == Some(Some(prev)) => Broken::Inserted { line },
                Some(seq) if seq > expected => Broken::Missing { line },
                Some(seq) if seq < expected => Broken::Inserted { line },
                Some(_) | None => Broken::Stray { line },
            });
        }
        prev = sum;
    }
    chain.sum = prev;
    Ok(chain)
}

const SUM: &str = ",\"sum\":\"";

/// The line's checksum, if it is the right one.
fn own_sum(line: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix("\"}\n")?;
    let (body, sum) = text.rsplit_once(SUM)?;
    (sha256(format!("{body}}}").as_bytes()) == sum).then(|| sum.to_owned())
}

/// The lines that end, and the rest.
fn whole_lines(bytes: &[u8]) -> (Vec<&[u8]>, Option<(usize, String)>) {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let torn = lines.pop_if(|last| !last.ends_with(b"\n"));
    let torn = torn.map(|rest| {
        let shown = rest.get(..SHOWN).unwrap_or(rest);
        (lines.len() + 1, String::from_utf8_lossy(shown).into_owned())
    });
    (lines, torn)
}

/// What a line says of its place.
#[derive(Default)]
struct Named {
    seq: Option<u64>,
    prev: Option<String>,
    digest: Option<String>,
    format: Option<u64>,
}

impl Named {
    fn read(line: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(line) else { return Self::default() };
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            seq: value.get("seq").and_then(Value::as_u64),
            prev: text("prev"),
            digest: text("digest"),
            format: value.get("format").and_then(Value::as_u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::event::JOURNAL_FORMAT;

    fn journal() -> Vec<u8> {
        let started = Event::RunStarted {
            format: JOURNAL_FORMAT,
            tool: "rmsfleet test".to_owned(),
            plan: "plan-1".to_owned(),
            digest: "0123".to_owned(),
            operator: "admin".to_owned(),
            workstation: "desk".to_owned(),
            lab: false,
            undoes: None,
            rehearsal: false,
        };
        let stage = |name: &str| Event::StageStarted { stage: name.to_owned() };
        let events = [started, stage("one"), stage("two"), stage("three")];
        let mut prev = "0123".to_owned();
        let mut bytes = Vec::new();
        for (seq, event) in (0..).zip(events) {
            let ts = jiff::Timestamp::UNIX_EPOCH;
            let link = link(&Record { seq, ts, run: "run-1".to_owned(), event }, &prev).unwrap();
            bytes.extend_from_slice(&link.line);
            prev = link.sum;
        }
        bytes
    }

    fn lines() -> Vec<Vec<u8>> {
        journal().split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: &Result<usize, Broken>) {
        assert_eq!(&verify(bytes, Some("0123")).map(|chain| chain.lines), expected);
    }

    #[test]
    fn any_changed_bit_is_found_and_its_line_named() {
        let good = journal();
        check(&good, &Ok(4));
        for place in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[place] ^= 1 << bit;
                let line = good[..place].split(|byte| *byte == b'\n').count();
                let found = verify(&bytes, Some("0123"));
                if place + 1 == good.len() {
                    assert_eq!(found.unwrap().torn.unwrap().0, 4, "the last line break is gone");
                } else {
                    let broken = found.map(|chain| (chain.chained, chain.lines));
                    let other_plan = matches!(broken, Err(Broken::OtherPlan { .. }));
                    assert!(
                        broken == Err(Broken::Changed { line }) || (line == 1 && other_plan),
                        "bit {bit} of byte {place}, in line {line}: {broken:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn missing_inserted_and_swapped_lines_are_told_apart() {
        let good = lines();
        let of = |places: &[usize]| -> Vec<u8> {
            places.iter().flat_map(|place| good[*place].clone()).collect()
        };
        check(&of(&[0, 2, 3]), &Err(Broken::Missing { line: 2 }));
        check(&of(&[0, 1, 1, 2, 3]), &Err(Broken::Inserted { line: 3 }));
        check(&of(&[0, 1, 3, 2]), &Err(Broken::Inserted { line: 3 }));
        check(&of(&[1, 2, 3]), &Err(Broken::Missing { line: 1 }));
        check(&[], &Err(Broken::Empty));
    }

    #[test]
    fn a_last_line_that_breaks_off_is_named_and_no_error() {
        let mut bytes = journal();
        bytes.extend_from_slice(b"{\"prev\":\"12");
        let chain = verify(&bytes, None).unwrap();
        assert_eq!(chain.torn, Some((5, "{\"prev\":\"12".to_owned())));
        assert_eq!(chain.whole, journal().len());
        // In the middle it is an edit.
        bytes.extend_from_slice(b"\n");
        check(&bytes, &Err(Broken::Changed { line: 5 }));
    }

    #[test]
    fn the_plan_of_another_run_is_named() {
        let found = verify(&journal(), Some("4567"));
        let named = Broken::OtherPlan { named: "0123".to_owned(), found: "4567".to_owned() };
        assert_eq!(found, Err(named));
    }
}
