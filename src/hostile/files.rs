//! Files: sealed plans, journals, and what people write in YAML.

use jiff::Timestamp;
use sha2::Digest;
use sha2::Sha256;

use crate::hostile::seeds;
use crate::journal::chain;
use crate::journal::reader;
use crate::journal::summary;
use crate::manifest::builtin;
use crate::manifest::credentials;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::inventory;
use crate::manifest::inventory::InventorySources;
use crate::manifest::pattern;
use crate::manifest::playbook;
use crate::manifest::range;
use crate::manifest::rules;
use crate::manifest::source::Source;
use crate::model::origin::Origin;
use crate::plan::approval::Signers;
use crate::plan::open;
use crate::plan::seal;

/// Most text that a template of a thousand bytes may grow to.
const LONGEST_FILLED: usize = 100_000;

/// The bytes as they are, and sealed anew: a digest keeps out accidents and no one who can hash.
pub(super) fn plan(bytes: &[u8]) {
    opened(bytes);
    if let Some(bytes) = resealed(bytes) {
        opened(&bytes);
    }
}

/// As a signature under a plan, and as the file of those whose signatures count.
pub(super) fn approval(bytes: &[u8]) {
    let known = Signers::parse(&seeds::signers()).unwrap_or_default();
    if let Ok(approval) = known.check(bytes, seeds::APPROVED, Timestamp::UNIX_EPOCH) {
        assert_eq!(approval.by, seeds::SIGNER, "a signature of nobody");
    }
    let other = known.check(bytes, b"another plan", Timestamp::UNIX_EPOCH);
    assert!(other.is_err(), "a signature under every plan");
    let text = String::from_utf8_lossy(bytes);
    if let Ok(signers) = Signers::parse(&text) {
        assert!(signers.people() <= text.lines().count(), "more people than lines");
    }
}

pub(super) fn journal(bytes: &[u8]) {
    // Checked before it is read: whatever holds together ends where its last whole line does.
    if let Ok(chain) = chain::verify(bytes, None) {
        assert!(chain.whole <= bytes.len() && chain.torn.is_some() == (chain.whole < bytes.len()));
    }
    let Ok(journal) = reader::parse(bytes) else { return };
    drop(summary::summarise(&journal.records));
    // Records of kinds that are not known leave gaps, which a journal must not have.
    if journal.unknown != 0 {
        return;
    }
    let mut written = Vec::new();
    for record in &journal.records {
        let line = serde_json::to_vec(record);
        assert!(line.is_ok(), "a record that cannot be written: {record:?}");
        written.extend(line.unwrap_or_default());
        written.push(b'\n');
    }
    let again = reader::parse(&written).map(|again| again.records);
    assert!(again.is_ok_and(|again| again == journal.records), "written and read again");
}

pub(super) fn inventory(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    // The same text beside the inventory: variables of a group.
    let mut sources = InventorySources::alone("hosts.yml", text.clone());
    let first = inventory::parse(&sources, &[("rms_site".to_owned(), "ams".to_owned())]);
    told(first.as_ref().err());
    if let Ok(read) = first {
        told(Some(&read.warnings));
        drop(pattern::select("all:!*1", &read.hosts));
    }
    sources.inventory = builtin::lab_inventory();
    sources.group_vars.push(("all".to_owned(), Source::new("group_vars/all.yml", text)));
    told(inventory::parse(&sources, &[]).as_ref().err());
}

pub(super) fn playbook(bytes: &[u8]) {
    told(playbook::parse(&source(bytes)).as_ref().err());
}

pub(super) fn rules(bytes: &[u8]) {
    told(rules::parse(&source(bytes)).as_ref().err());
}

pub(super) fn template(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let origin = Origin::parse("https://rms.contoso.com").ok();
    if let Ok(filled) = rules::fill(&text, origin.as_ref(), origin.as_ref()) {
        assert!(filled.len() <= text.len().max(LONGEST_FILLED), "{} bytes", filled.len());
        let _ = rules::fits(&filled, &text);
    }
}

/// The bytes as a pattern of hosts and as a range of names.
pub(super) fn pattern(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match pattern::parse(&text) {
        Ok(read) => assert!(pattern::parse(read.as_str()).is_ok(), "read again"),
        Err(error) => assert!(!error.to_string().is_empty(), "an error without words"),
    }
    if let Ok(names) = range::expand(&text) {
        assert!(names.len() <= range::MAX_NAMES, "{} names", names.len());
    }
}

pub(super) fn credentials(bytes: &[u8]) {
    told(credentials::parse(&source(bytes)).as_ref().err());
}

fn source(bytes: &[u8]) -> Source {
    Source::new("hostile.yml", String::from_utf8_lossy(bytes))
}

/// Complaints can be shown, whatever they point at.
fn told(diagnostics: Option<&Diagnostics>) {
    if let Some(diagnostics) = diagnostics {
        drop(diagnostics.render(false));
        drop(diagnostics.render(true));
    }
}

fn opened(bytes: &[u8]) {
    let Ok(sealed) = open(bytes) else { return };
    let again = seal(&sealed.plan);
    assert!(again.is_ok(), "a plan that cannot be sealed: {again:?}");
    let again = open(&again.unwrap_or_default());
    assert!(again.is_ok_and(|again| again.plan == sealed.plan), "sealed and opened again");
}

/// The same plan with the digest that it has now.
fn resealed(bytes: &[u8]) -> Option<Vec<u8>> {
    const DIGEST: &[u8] = b"\"sha256\":\"";
    const PLAN: &[u8] = b"\",\"plan\":";
    let at = bytes.windows(DIGEST.len()).position(|part| part == DIGEST)? + DIGEST.len();
    let body = at + bytes.get(at..)?.windows(PLAN.len()).position(|part| part == PLAN)?;
    let plan = bytes.get(body + PLAN.len()..)?.strip_suffix(b"}\n")?;
    let digest = seal::hex(&Sha256::digest(plan));
    Some([bytes.get(..at)?, digest.as_bytes(), bytes.get(body..)?].concat())
}
