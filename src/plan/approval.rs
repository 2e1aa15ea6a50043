//! Approvals: detached SSH signatures over the plan file, checked against the allowed signers.
//!
//! The formats are OpenSSH's: `PROTOCOL.sshsig` for the signature, `ssh-keygen(1)` ALLOWED SIGNERS
//! for the file, so that `ssh-keygen -Y sign` and `-Y verify` work on the same files.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ring::signature::RSA_PKCS1_2048_8192_SHA256;
use ring::signature::RSA_PKCS1_2048_8192_SHA512;
use ring::signature::RsaPublicKeyComponents;
use ssh_key::Algorithm;
use ssh_key::HashAlg;
use ssh_key::PublicKey;
use ssh_key::SshSig;

use crate::model::conditions::Approvals;

/// What a signature under a plan is made for, `ssh-keygen -Y sign -n`: one for anything else does
/// not count.
pub const NAMESPACE: &str = "rmsfleet-plan";

/// No signers file and no signature comes near these sizes, in bytes.
const LARGEST_SIGNERS: usize = 1024 * 1024;
const LARGEST_SIGNATURE: usize = 64 * 1024;

/// Whose signatures count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signers {
    signers: Vec<Signer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signer {
    /// The person; further names in the file are other names of the same one.
    principals: Vec<String>,
    /// `None`: for everything.
    namespaces: Option<Vec<String>>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
    key: PublicKey,
}

/// Why a line of an allowed-signers file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text}")]
pub struct SignersError {
    /// From 1.
    pub line: usize,
    pub text: String,
}

/// A signature that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The signer's first name in the file.
    pub by: String,
    /// All of the signer's names there.
    pub names: Vec<String>,
    /// `SHA256:…`.
    pub key: String,
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    #[error("it is no SSH signature: {0}")]
    NotOurs(String),
    #[error("it was made for `{0}`, expected the namespace `{NAMESPACE}`")]
    Namespace(String),
    #[error("its key {key} is not among the allowed signers")]
    UnknownKey { key: String },
    #[error("{by} may not sign plans: {why}")]
    NotAllowed { by: String, why: String },
    #[error("it is not {by}'s signature under this plan")]
    OtherPlan { by: String },
    #[error("{by} signed with {algorithm}, which this version cannot check")]
    Unsupported { by: String, algorithm: String },
}

/// Why signatures that hold are not enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    #[error("{counted} of {required} approvals{}", left_out(.own))]
    TooFew {
        counted: usize,
        required: u32,
        /// Signatures of the plan's author, which do not count.
        own: Vec<String>,
    },
    #[error("the plan does not say who made it, so nobody can be told from its author")]
    NoAuthor,
}

impl Signers {
    /// Reads an allowed-signers file: `NAMES [OPTIONS] KEYTYPE KEY [COMMENT]` in each line.
    pub fn parse(text: &str) -> Result<Self, SignersError> {
        if text.len() > LARGEST_SIGNERS {
            let text = format!("expected at most {LARGEST_SIGNERS} bytes, found {}", text.len());
            return Err(SignersError { line: 1, text });
        }
        let mut signers: Vec<Signer> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |text: String| SignersError { line: number + 1, text };
            let signer = signer(line).map_err(wrong)?;
            // One key for two people would be one person approving twice.
            if let Some(other) =
                signers.iter().find(|other| other.key.key_data() == signer.key.key_data())
            {
                return Err(wrong(format!("{} has the same key", other.name())));
            }
            signers.push(signer);
        }
        Ok(Self { signers })
    }

    /// How many people can approve.
    pub fn people(&self) -> usize {
        let people: BTreeSet<String> = self.signers.iter().map(|one| person(one.name())).collect();
        people.len()
    }

    /// Checks one detached signature over the bytes of a plan file.
    pub fn check(
        &self,
        signature: &[u8],
        plan: &[u8],
        now: Timestamp,
    ) -> Result<Approval, ApprovalError> {
        if signature.len() > LARGEST_SIGNATURE {
            return Err(ApprovalError::NotOurs(format!("it has {} bytes", signature.len())));
        }
        let sig = SshSig::from_pem(signature)
            .map_err(|error| ApprovalError::NotOurs(error.to_string()))?;
        if sig.namespace() != NAMESPACE {
            return Err(ApprovalError::Namespace(sig.namespace().to_owned()));
        }
        let key = PublicKey::from(sig.public_key().clone());
        let print = key.fingerprint(HashAlg::Sha256).to_string();
        let signer = self.signers.iter().find(|one| one.key.key_data() == sig.public_key());
        let Some(signer) = signer else {
            return Err(ApprovalError::UnknownKey { key: print });
        };
        let by = signer.name().to_owned();
        signer.may_sign(now).map_err(|why| ApprovalError::NotAllowed { by: by.clone(), why })?;
        match holds(&key, &sig, plan) {
            Some(true) => Ok(Approval { by, names: signer.principals.clone(), key: print }),
            Some(false) => Err(ApprovalError::OtherPlan { by }),
            None => {
                let algorithm = sig.algorithm().to_string();
                Err(ApprovalError::Unsupported { by, algorithm })
            }
        }
    }

    /// The name of a key's owner, if the key is allowed.
    pub fn owner(&self, key: &PublicKey) -> Option<&str> {
        self.signers.iter().find(|one| one.key.key_data() == key.key_data()).map(Signer::name)
    }
}

/// Those that count towards the policy, one for each person; or why they are too few.
pub fn enough(policy: &Approvals, approvals: &[Approval]) -> Result<Vec<Approval>, NotApproved> {
    if policy.distinct_from_author && matches!(policy.author.as_str(), "" | "unknown") {
        return Err(NotApproved::NoAuthor);
    }
    let mut people: BTreeMap<String, Approval> = BTreeMap::new();
    let mut own = Vec::new();
    for approval in approvals {
        if policy.distinct_from_author && is_author(policy, approval) {
            own.push(approval.by.clone());
        } else {
            people.entry(person(&approval.by)).or_insert_with(|| approval.clone());
        }
    }
    if people.len() < usize::try_from(policy.required).unwrap_or(usize::MAX) {
        return Err(NotApproved::TooFew { counted: people.len(), required: policy.required, own });
    }
    Ok(people.into_values().collect())
}

/// Whether a signature is the plan author's own. `CORP\anna` is `anna@contoso.com`: one person too
/// few is better than one who approves himself.
pub fn is_author(policy: &Approvals, approval: &Approval) -> bool {
    approval.names.iter().any(|name| person(name) == person(&policy.author))
}

/// `anna` of `anna@contoso.com` and of `CORP\anna`.
fn person(name: &str) -> String {
    let name = name.rsplit('\\').next().unwrap_or(name);
    name.split('@').next().unwrap_or(name).to_lowercase()
}

fn left_out(own: &[String]) -> String {
    if own.is_empty() {
        String::new()
    } else {
        format!("; {} made the plan and does not count", own.join(", "))
    }
}

impl Signer {
    fn name(&self) -> &str {
        self.principals.first().map_or("", String::as_str)
    }

    fn may_sign(&self, now: Timestamp) -> Result<(), String> {
        if let Some(namespaces) = &self.namespaces
            && !namespaces.iter().any(|one| one == NAMESPACE || one == "*")
        {
            return Err(format!("the key is allowed for {} only", namespaces.join(", ")));
        }
        match (self.valid_after, self.valid_before) {
            (Some(after), _) if now < after => Err(format!("the key counts from {after} on")),
            (_, Some(before)) if now >= before => Err(format!("the key counted until {before}")),
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }
}

/// `None`: the algorithm is not known here.
fn holds(key: &PublicKey, sig: &SshSig, plan: &[u8]) -> Option<bool> {
    match sig.algorithm() {
        Algorithm::Ed25519 | Algorithm::SkEd25519 | Algorithm::Ecdsa { .. } => {
            Some(key.verify(NAMESPACE, plan, sig).is_ok())
        }
        Algorithm::Rsa { hash: Some(hash) } => {
            let rsa = key.key_data().rsa()?;
            let (n, e) = (rsa.n.as_positive_bytes()?, rsa.e.as_positive_bytes()?);
            let signed = SshSig::signed_data(NAMESPACE, sig.hash_alg(), plan).ok()?;
            let scheme = match hash {
                HashAlg::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
                HashAlg::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
                _ => return None,
            };
            let components = RsaPublicKeyComponents { n, e };
            Some(components.verify(scheme, &signed, sig.signature_bytes()).is_ok())
        }
        _ => None,
    }
}

fn signer(line: &str) -> Result<Signer, String> {
    let words = words(line)?;
    let mut words = words.iter().map(String::as_str);
    let names = words.next().unwrap_or_default();
    let principals: Vec<String> = names.split(',').map(str::to_owned).collect();
    if let Some(name) = principals.iter().find(|name| {
        name.is_empty() || name.contains(['*', '?', '!']) || name.chars().any(char::is_control)
    }) {
        return Err(format!("expected the name of one person, found `{name}`"));
    }
    let mut next = words.next().ok_or("expected a key after the name")?;
    let mut signer_options = (None, None, None);
    if next.parse::<Algorithm>().is_err() || next.contains('=') {
        for option in options(next) {
            let lower = option.to_ascii_lowercase();
            let value = option.split_once('=').map_or("", |(_, value)| value.trim_matches('"'));
            if lower.starts_with("namespaces=") {
                signer_options.0 = Some(value.split(',').map(str::to_owned).collect());
            } else if lower.starts_with("valid-after=") {
                signer_options.1 = Some(moment(value)?);
            } else if lower.starts_with("valid-before=") {
                signer_options.2 = Some(moment(value)?);
            } else {
                return Err(format!("`{option}` is no option that this version honours"));
            }
        }
        next = words.next().ok_or("expected a key after the options")?;
    }
    let blob = words.next().ok_or("expected the key's base64 after its type")?;
    let key = PublicKey::from_openssh(&format!("{next} {blob}"))
        .map_err(|error| format!("the key cannot be read: {error}"))?;
    let (namespaces, valid_after, valid_before) = signer_options;
    Ok(Signer { principals, namespaces, valid_after, valid_before, key })
}

/// Words of a line; spaces within double quotes belong to the word.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        quoted ^= c == '"';
        if c.is_whitespace() && !quoted {
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    if quoted {
        return Err("a double quote is not closed".to_owned());
    }
    words.retain(|word| !word.is_empty());
    Ok(words)
}

/// Options between commas outside of double quotes.
fn options(text: &str) -> Vec<String> {
    let mut options = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        quoted ^= c == '"';
        if c == ',' && !quoted {
            options.push(String::new());
        } else if let Some(option) = options.last_mut() {
            option.push(c);
        }
    }
    options
}

/// `YYYYMMDD[HHMM[SS]][Z]`; without `Z` the workstation's zone would decide, so UTC is taken.
fn moment(text: &str) -> Result<Timestamp, String> {
    let digits = text.trim_end_matches(['Z', 'z']);
    let wrong = || format!("expected YYYYMMDD[HHMM[SS]][Z], found `{text}`");
    if !matches!(digits.len(), 8 | 12 | 14) {
        return Err(wrong());
    }
    DateTime::strptime("%Y%m%d%H%M%S", format!("{digits:0<14}"))
        .and_then(|time| time.to_zoned(TimeZone::UTC))
        .map(|time| time.timestamp())
        .map_err(|_| wrong())
}

#[cfg(test)]
mod tests;
