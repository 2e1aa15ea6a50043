//! The plan file: a JSON document with a format mark, a version and a digest over the plan.

use jiff::Timestamp;
use serde::Deserialize;
use sha2::Digest;
use sha2::Sha256;

use crate::model::plan::FORMAT;
use crate::model::plan::Plan;

const MARK: &str = "rmsfleet-plan";

/// No plan of a fleet comes near this size, in bytes.
const LARGEST: usize = 256 * 1024 * 1024;

/// A plan as it was sealed, with its digest in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub plan: Plan,
    pub digest: String,
}

/// Why bytes are not a sealed plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("expected a sealed plan, and this is none")]
    NotOurs,
    #[error("the plan file ends in the middle; it was cut off while being written or copied")]
    Truncated,
    #[error("expected at most {LARGEST} bytes, the file has {0}")]
    TooLarge(usize),
    #[error(
        "the plan has format {found}, and this version reads up to {FORMAT}; use a newer rmsfleet"
    )]
    TooNew { found: u64 },
    #[error(
        "the plan has format {found}, of an older rmsfleet, and this version reads {FORMAT}; plan \
         again, or use the rmsfleet that made it"
    )]
    TooOld { found: u64 },
    #[error("the plan was changed after it was sealed: expected sha256 {expected}, found {found}")]
    Tampered { expected: String, found: String },
    #[error("the plan file was changed after it was sealed: its layout is not the sealed one")]
    Rewritten,
    #[error("the sealed plan cannot be read: {0}")]
    Unreadable(String),
    #[error("the plan cannot be written: {0}")]
    Unwritable(String),
}

/// Why a sealed plan may be shown and not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the plan expired at {valid_until}; it is {now} now: plan again")]
    Expired { valid_until: Timestamp, now: Timestamp },
    #[error("the plan has findings that keep it from being applied: {0}")]
    Blocked(String),
}

/// Seals: the bytes of the plan file. The digest is over the plan's exact bytes within it.
pub fn seal(plan: &Plan) -> Result<Vec<u8>, SealError> {
    let body =
        serde_json::to_vec(plan).map_err(|error| SealError::Unwritable(error.to_string()))?;
    let mut bytes = head(&sha256(&body)).into_bytes();
    bytes.extend_from_slice(&body);
    bytes.extend_from_slice(TAIL);
    Ok(bytes)
}

/// The digest that [`seal`] puts into the file.
pub fn digest(plan: &Plan) -> Result<String, SealError> {
    serde_json::to_vec(plan)
        .map(|body| sha256(&body))
        .map_err(|error| SealError::Unwritable(error.to_string()))
}

/// Opens a plan file. Bytes that are not exactly what was sealed are an error, never a plan.
pub fn open(bytes: &[u8]) -> Result<Sealed, SealError> {
    if bytes.len() > LARGEST {
        return Err(SealError::TooLarge(bytes.len()));
    }
    let header = header(bytes)?;
    let digest = header.sha256.ok_or(SealError::Rewritten)?;
    let body = bytes
        .strip_prefix(head(&digest).as_bytes())
        .and_then(|rest| rest.strip_suffix(TAIL))
        .ok_or(SealError::Rewritten)?;
    let found = sha256(body);
    if found != digest {
        return Err(SealError::Tampered { expected: digest, found });
    }
    let plan: Plan =
        serde_json::from_slice(body).map_err(|error| SealError::Unreadable(error.to_string()))?;
    if plan.format != FORMAT {
        let text = format!("the file says format {FORMAT}, the plan {}", plan.format);
        return Err(SealError::Unreadable(text));
    }
    Ok(Sealed { plan, digest })
}

/// Whether a sealed plan may be applied now. Single use is the journal's to know.
pub fn check_usable(sealed: &Sealed, now: Timestamp) -> Result<(), Refusal> {
    let plan = &sealed.plan;
    if now > plan.valid_until {
        return Err(Refusal::Expired { valid_until: plan.valid_until, now });
    }
    match plan.blockers.first() {
        Some(blocker) => Err(Refusal::Blocked(blocker.text.clone())),
        None => Ok(()),
    }
}

const TAIL: &[u8] = b"}\n";

fn head(digest: &str) -> String {
    format!("{{\"format\":\"{MARK}\",\"version\":{FORMAT},\"sha256\":\"{digest}\",\"plan\":")
}

/// The fields around the plan; the plan itself is skipped here, so that a newer format can be
/// named before it is misread.
#[derive(Deserialize)]
struct Header {
    format: Option<String>,
    version: Option<u64>,
    sha256: Option<String>,
}

fn header(bytes: &[u8]) -> Result<Header, SealError> {
    let header: Header = serde_json::from_slice(bytes).map_err(|error| {
        let ours = bytes.starts_with(format!("{{\"format\":\"{MARK}\"").as_bytes());
        match (ours, error.is_eof()) {
            (true, true) => SealError::Truncated,
            (true, false) => SealError::Rewritten,
            (false, _) => SealError::NotOurs,
        }
    })?;
    match (header.format.as_deref(), header.version) {
        (Some(MARK), Some(version)) if version > u64::from(FORMAT) => {
            Err(SealError::TooNew { found: version })
        }
        (Some(MARK), Some(version)) if version < u64::from(FORMAT) => {
            Err(SealError::TooOld { found: version })
        }
        (Some(MARK), Some(_)) => Ok(header),
        (Some(MARK), None) => Err(SealError::Rewritten),
        (Some(_) | None, _) => Err(SealError::NotOurs),
    }
}

/// SHA-256 in lower-case hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::sample;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        let got = open(bytes).map(|sealed| sealed.digest).map_err(|error| error.to_string());
        assert!(matches!(&got, Err(text) if text.contains(expected)), "{got:?}");
    }

    fn replaced(from: &str, to: &str) -> Vec<u8> {
        let text = String::from_utf8(seal(&sample::plan()).unwrap()).unwrap();
        assert!(text.contains(from));
        text.replacen(from, to, 1).into_bytes()
    }

    #[test]
    fn a_sealed_plan_opens_as_it_was() {
        let plan = sample::plan();
        let sealed = open(&seal(&plan).unwrap()).unwrap();
        assert_eq!(sealed.digest, digest(&plan).unwrap());
        assert_eq!(sealed.plan, plan);
    }

    #[test]
    fn what_is_not_exactly_what_was_sealed_is_refused_in_words() {
        check(&replaced("rms.contoso.com", "rms.c0ntoso.com"), "changed after it was sealed");
        check(&replaced(",\"plan\":", ", \"plan\":"), "layout");
        check(&replaced("\"version\":1", "\"version\":2"), "newer rmsfleet");
        check(&replaced("\"version\":1", "\"version\":0"), "of an older rmsfleet");
        check(&replaced("rmsfleet-plan", "terraform-plan"), "this is none");
        check(b"", "this is none");
        check(b"\xff\xfe{", "this is none");
        check(&b"[".repeat(100_000), "this is none");
        let whole = seal(&sample::plan()).unwrap();
        check(&whole[..whole.len() / 2], "ends in the middle");
        check(&whole[..whole.len() - 2], "ends in the middle");
    }

    #[test]
    fn an_expired_or_blocked_plan_is_not_usable() {
        let plan = sample::plan();
        let mut sealed = Sealed { digest: digest(&plan).unwrap(), plan };
        let end = sealed.plan.valid_until;
        assert_eq!(check_usable(&sealed, end), Ok(()));
        let late = end.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
        assert!(matches!(check_usable(&sealed, late), Err(Refusal::Expired { .. })));
        sealed.plan.blockers.push(crate::model::plan::Blocker {
            id: "x".into(),
            text: "y".into(),
            hint: None,
        });
        assert_eq!(check_usable(&sealed, end), Err(Refusal::Blocked("y".into())));
    }

    proptest! {
        #[test]
        fn one_changed_byte_anywhere_is_noticed(place: prop::sample::Index, mask in 1u8..) {
            let mut bytes = seal(&sample::plan()).unwrap();
            let place = place.index(bytes.len());
            bytes[place] ^= mask;
            prop_assert!(open(&bytes).is_err());
        }

        #[test]
        fn hostile_bytes_never_panic(bytes: Vec<u8>) {
            prop_assert!(open(&bytes).is_err());
        }
    }
}
