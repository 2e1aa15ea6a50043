//! `approve FILE`: a detached SSH signature beside the plan, and what those beside it are worth.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use ssh_key::HashAlg;
use ssh_key::LineEnding;
use ssh_key::PrivateKey;
use ssh_key::PublicKey;

use crate::cli::console::Console;
use crate::cli::plan;
use crate::cli::request::Consent;
use crate::cli::show;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::event::Event;
use crate::host::link::Clock;
use crate::model::conditions::Approvals;
use crate::model::plan::Plan;
use crate::model::visible::visible;
use crate::net::clock::SystemClock;
use crate::plan::Sealed;
use crate::plan::approval;
use crate::plan::approval::Approval;
use crate::plan::approval::ApprovalError;
use crate::plan::approval::NAMESPACE;
use crate::plan::approval::NotApproved;
use crate::plan::approval::Signers;
use crate::plan::check_usable;
use crate::plan::seal::sha256;
use crate::report::plural;

/// Keys that are looked for where none is named, below the home folder.
const USUAL_KEYS: [&str; 3] = [".ssh/id_ed25519", ".ssh/id_ecdsa", ".ssh/id_rsa"];

/// Signs the plan file for the person whose key it is.
pub fn run(
    file: &Path,
    key: Option<&Path>,
    home: Option<&Path>,
    consent: &Consent,
    console: &mut Console,
) -> Result<Exit, Stop> {
    let sealed = show::open(file)?;
    let bytes = read(file)?;
    let Some(policy) = policy(&sealed.plan) else {
        return Err(Stop::new(Exit::Refused, "the plan asks for no approvals: nobody would look")
            .hint("in the playbook: change: { approvals: { required: 2, signers: FILE } }"));
    };
    plan::show(&sealed.plan, Some(&sealed.digest), console)?;
    check_usable(&sealed, SystemClock.now())
        .map_err(|refusal| Stop::because(Exit::Refused, &refusal).hint("rmsfleet plan"))?;
    let signers = signers(policy, file)?;
    let key = key_file(key, home)?;
    if !consent.yes {
        if !consent.may_ask || !console.is_human() {
            let text = "the approval waits for a yes, and nobody can be asked";
            return Err(Stop::new(Exit::Paused, text).hint("add --yes"));
        }
        let short: String = sealed.digest.chars().take(12).collect();
        let question =
            format!("Approve this plan ({short}) with {}? Only `yes` signs: ", key.display());
        console.out.text(&question)?;
        if Console::answer()? != "yes" {
            return Err(Stop::new(Exit::Paused, "not approved; nothing was signed"));
        }
    }
    let signature = sign(&key, &bytes, consent)?;
    let approval = signers.check(signature.as_bytes(), &bytes, SystemClock.now());
    let approval = approval.map_err(|error| {
        Stop::because(Exit::Refused, &error)
            .while_doing("the signature would not count, and was not kept")
            .hint(format!("the allowed signers stand in `{}`", policy.signers))
    })?;
    if policy.distinct_from_author && approval::is_author(policy, &approval) {
        let text = format!("{} made the plan, and somebody else has to approve it", approval.by);
        return Err(Stop::new(Exit::Refused, text));
    }
    let path = beside(file, &approval.by);
    std::fs::write(&path, &signature).map_err(|error| {
        Stop::because(Exit::Data, &error)
            .while_doing(format!("`{}` cannot be written", path.display()))
    })?;
    console.did("Approved", &format!("by {} in {}", approval.by, path.display()))?;
    let standing = standing(&sealed.plan, &bytes, file)?;
    console.did("Counted", &standing.counted())?;
    if standing.enough.is_ok() {
        let lab = if sealed.plan.lab { " --lab" } else { "" };
        console.next(&format!("rmsfleet apply {}{lab}", file.display()))?;
    } else {
        console.next(&format!("rmsfleet approve {}  (by somebody else)", file.display()))?;
    }
    Ok(Exit::Ok)
}

/// What the signatures beside a plan are worth.
pub struct Standing {
    /// Every file looked at, with what it is worth.
    pub found: Vec<(PathBuf, Result<Approval, ApprovalError>)>,
    /// Those that count.
    pub enough: Result<Vec<Approval>, NotApproved>,
    required: u32,
}

impl Standing {
    /// `2 of 2 approvals: anna@contoso.com, ben@contoso.com`.
    pub fn counted(&self) -> String {
        match &self.enough {
            Ok(approvals) => {
                let by: Vec<&str> = approvals.iter().map(|one| one.by.as_str()).collect();
                format!("{} of {} approvals: {}", by.len(), self.required, by.join(", "))
            }
            Err(why) => why.to_string(),
        }
    }
}

/// Looks at the signatures beside a plan that asks for approvals.
pub fn standing(plan: &Plan, bytes: &[u8], file: &Path) -> Result<Standing, Stop> {
    let none = Approvals {
        required: 0,
        distinct_from_author: false,
        allowed_signers: String::new(),
        signers: String::new(),
        author: String::new(),
    };
    let Some(policy) = policy(plan) else {
        let enough = approval::enough(&none, &[]);
        return Ok(Standing { found: Vec::new(), enough, required: 0 });
    };
    let signers = signers(policy, file)?;
    let now = SystemClock.now();
    let found: Vec<(PathBuf, Result<Approval, ApprovalError>)> = signatures(file)?
        .into_iter()
        .map(|path| {
            let checked = std::fs::read(&path)
                .map_err(|error| ApprovalError::NotOurs(error.to_string()))
                .and_then(|signature| signers.check(&signature, bytes, now));
            (path, checked)
        })
        .collect();
    let valid: Vec<Approval> = found.iter().filter_map(|(_, one)| one.clone().ok()).collect();
    let enough = approval::enough(policy, &valid);
    Ok(Standing { found, enough, required: policy.required })
}

/// The approvals that a sealed plan may be applied with. Without a policy there are none.
pub fn obtain(sealed: &Sealed, file: &Path) -> Result<Vec<Approval>, Stop> {
    if policy(&sealed.plan).is_none() {
        return Ok(Vec::new());
    }
    let standing = standing(&sealed.plan, &read(file)?, file)?;
    let mut useless = String::new();
    for (path, error) in &standing.found {
        if let Err(error) = error {
            useless.push_str(&format!("; `{}`: {error}", path.display()));
        }
    }
    standing.enough.map_err(|why| {
        Stop::new(Exit::Refused, format!("the plan is not approved: {why}{useless}"))
            .hint(format!("rmsfleet approve {}", file.display()))
    })
}

/// What has to be typed before the plan can be applied, as long as approvals of it are missing.
pub fn missing(plan: &Plan, file: &Path) -> Result<Option<String>, Stop> {
    let Some(policy) = policy(plan) else { return Ok(None) };
    let counted = match standing(plan, &read(file)?, file).map(|standing| standing.enough) {
        Ok(Ok(_)) => return Ok(None),
        Ok(Err(NotApproved::TooFew { counted, .. })) => counted,
        // Whatever keeps them from being counted is told by `approve`.
        Ok(Err(NotApproved::NoAuthor)) | Err(_) => 0,
    };
    let required = usize::try_from(policy.required).unwrap_or(usize::MAX);
    let missing = plural::count(required.saturating_sub(counted), "approval");
    Ok(Some(format!("rmsfleet approve {}  ({missing} missing)", file.display())))
}

/// Keeps the signatures with the run that they allowed, as evidence.
pub fn keep(file: &Path, sealed: &Sealed, folder: &Path) {
    if policy(&sealed.plan).is_none() {
        return;
    }
    for path in signatures(file).unwrap_or_default() {
        let Some(name) = path.file_name() else { continue };
        if let Err(error) = std::fs::copy(&path, folder.join(name)) {
            tracing::warn!("`{}` could not be kept with the run: {error}", path.display());
        }
    }
}

/// What the journal is told.
pub fn events(approvals: &[Approval]) -> Vec<Event> {
    let event = |one: &Approval| Event::PlanApproved { by: one.by.clone(), key: one.key.clone() };
    approvals.iter().map(event).collect()
}

/// Lists what `show` tells of approvals.
pub fn tell(sealed: &Sealed, file: &Path, console: &mut Console) -> Result<(), Stop> {
    let Some(policy) = policy(&sealed.plan) else { return Ok(()) };
    let standing = match standing(&sealed.plan, &read(file)?, file) {
        Ok(standing) => standing,
        Err(stop) => return console.say(&format!("Approvals cannot be told: {stop}")),
    };
    let author = if policy.distinct_from_author {
        format!("; {}, who made the plan, does not count", policy.author)
    } else {
        String::new()
    };
    console.say(&format!("Approvals  {} required{author}", policy.required))?;
    for (path, checked) in &standing.found {
        let name = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
        let text = match checked {
            Ok(approval) => format!("  + {}  {}  ({name})", approval.by, approval.key),
            Err(error) => format!("  ! {name}: {error}"),
        };
        console.say(&visible(&text))?;
    }
    console.say(&format!("  {}", standing.counted()))
}

/// The file of the policy, which must be the one that the plan was sealed with.
fn signers(policy: &Approvals, file: &Path) -> Result<Signers, Stop> {
    let sealed_path = PathBuf::from(&policy.signers);
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let beside = sealed_path.file_name().map(|name| folder.join(name));
    let path = [Some(sealed_path), beside].into_iter().flatten().find(|path| path.exists());
    let Some(path) = path else {
        let text = format!("the allowed signers `{}` are not there", policy.signers);
        return Err(Stop::new(Exit::Data, text)
            .hint("put the file back, or beside the plan; its digest is sealed in the plan"));
    };
    let bytes = read(&path)?;
    let digest = sha256(&bytes);
    if digest != policy.allowed_signers {
        let expected = &policy.allowed_signers;
        let text = format!(
            "`{}` changed since the plan: expected sha256 {expected}, found {digest}",
            path.display()
        );
        return Err(Stop::new(Exit::Refused, text).hint("plan again, or put the old file back"));
    }
    parse_signers(&bytes, &path)
}

/// Reads an allowed-signers file.
pub fn parse_signers(bytes: &[u8], path: &Path) -> Result<Signers, Stop> {
    let doing = format!("`{}`", path.display());
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Stop::because(Exit::Data, &error).while_doing(doing.clone()))?;
    Signers::parse(text).map_err(|error| {
        Stop::because(Exit::Data, &error)
            .while_doing(doing)
            .hint("one person and one key in each line: anna@contoso.com ssh-ed25519 AAAA...")
    })
}

/// Every file beside the plan that is named after it and ends in `.sig`, as `ssh-keygen` names it.
fn signatures(file: &Path) -> Result<Vec<PathBuf>, Stop> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let prefix = file.file_name().map(OsStr::to_string_lossy).unwrap_or_default().into_owned();
    let failed = |error: &std::io::Error| {
        Stop::because(Exit::Data, error)
            .while_doing(format!("`{}` cannot be listed", folder.display()))
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(&error))? {
        let path = entry.map_err(|error| failed(&error))?.path();
        let name = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
        let named = name.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('.'));
        if named && path.extension().is_some_and(|extension| extension == "sig") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn beside(file: &Path, by: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "@.-_".contains(c) { c } else { '_' };
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.sig", by.chars().map(plain).collect::<String>()));
    PathBuf::from(name)
}

fn key_file(key: Option<&Path>, home: Option<&Path>) -> Result<PathBuf, Stop> {
    if let Some(key) = key {
        return Ok(key.to_owned());
    }
    let usual = USUAL_KEYS.iter().filter_map(|name| home.map(|home| home.join(name)));
    usual.into_iter().find(|path| path.exists()).ok_or_else(|| {
        Stop::new(Exit::Usage, "no SSH key was found in the usual places").hint(
            "name one with --key FILE; a .pub file uses the key in the agent or on a security key",
        )
    })
}

/// A private key file is used here; a public one leads to the agent or a security key, and
/// `ssh-keygen` knows how to ask those.
fn sign(key: &Path, plan: &[u8], consent: &Consent) -> Result<String, Stop> {
    let doing = || format!("`{}` cannot sign", key.display());
    let failed = |error: &ssh_key::Error| Stop::because(Exit::Data, error).while_doing(doing());
    let text = read(key)?;
    let public = std::str::from_utf8(&text).is_ok_and(|text| PublicKey::from_openssh(text).is_ok());
    if public {
        return by_ssh_keygen(key, plan);
    }
    let private = PrivateKey::from_openssh(&text).map_err(|error| failed(&error))?;
    if private.algorithm().is_rsa() {
        return by_ssh_keygen(key, plan);
    }
    let private = if private.is_encrypted() {
        if !consent.may_ask {
            let text = format!("`{}` needs its passphrase, and nobody can be asked", key.display());
            return Err(Stop::new(Exit::Paused, text)
                .hint("load it into the SSH agent and give its .pub file with --key"));
        }
        let prompt = format!("Passphrase of {}: ", key.display());
        let secret = zeroize::Zeroizing::new(rpassword::prompt_password(prompt)?);
        private.decrypt(secret.as_bytes()).map_err(|error| failed(&error))?
    } else {
        private
    };
    let signature =
        private.sign(NAMESPACE, HashAlg::Sha512, plan).map_err(|error| failed(&error))?;
    signature.to_pem(LineEnding::LF).map_err(|error| failed(&error))
}

fn by_ssh_keygen(key: &Path, plan: &[u8]) -> Result<String, Stop> {
    let failed = |text: String| {
        Stop::new(Exit::Data, format!("ssh-keygen cannot sign with `{}`: {text}", key.display()))
            .hint("look what the agent holds: ssh-add -l")
    };
    let child = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| failed(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends early says why on its way out.
        drop(stdin.write_all(plan));
    }
    let ended = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if !ended.status.success() {
        return Err(failed(String::from_utf8_lossy(&ended.stderr).trim().to_owned()));
    }
    String::from_utf8(ended.stdout).map_err(|error| failed(error.to_string()))
}

fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    std::fs::read(path).map_err(|error| {
        Stop::because(Exit::Data, &error)
            .while_doing(format!("`{}` cannot be read", path.display()))
    })
}

/// What the plan asks for. One that takes a run back is not held up by it.
fn policy(plan: &Plan) -> Option<&Approvals> {
    let takes_back = plan.undoes.as_ref().is_some_and(|undoes| !undoes.is_forward());
    plan.conditions.approvals.as_ref().filter(|_| !takes_back)
}

/// Whether a plan just made could be applied at all: one that needs approvals has to be a file.
pub fn needs_a_file(plan: &Plan) -> Result<(), Stop> {
    match policy(plan) {
        Some(policy) if !plan.lab => {
            let text =
                format!("the playbook asks for {} approvals of a sealed plan", policy.required);
            Err(Stop::new(Exit::Refused, text).hint(
                "rmsfleet plan -o FILE, then rmsfleet approve FILE, then rmsfleet apply FILE",
            ))
        }
        Some(_) | None => Ok(()),
    }
}
