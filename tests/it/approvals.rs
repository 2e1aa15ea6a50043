//! Plans that need approvals, from outside: the built program, and the `ssh-keygen` of OpenSSH.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use tempfile::TempDir;

const NAMESPACE: &str = "rmsfleet-plan";

fn playbook() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/rms-connector.yml");
    let policy = "  plan_valid_for: 72h\n  approvals: { required: 2, signers: allowed_signers }\n";
    fs::read_to_string(path).unwrap().replacen("  plan_valid_for: 72h\n", policy, 1)
}

fn ssh_keygen(folder: &Path, arguments: &[&str]) -> Option<bool> {
    let mut child = Command::new("ssh-keygen");
    child.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
    child.stderr(Stdio::null()).status().ok().map(|status| status.success())
}

/// A folder with keys of three people and a plan of the lab; `None` without OpenSSH.
fn bench() -> Option<TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut signers = String::new();
    for (name, kind) in [("anna", "ed25519"), ("ben", "ecdsa"), ("carl", "rsa")] {
        let made = ssh_keygen(at, &["-q", "-t", kind, "-N", "", "-C", name, "-f", name]);
        if made.is_none() {
            crate::shared::skip("ssh-keygen is not installed");
            return None;
        }
        let public = fs::read_to_string(at.join(format!("{name}.pub"))).unwrap();
        signers.push_str(&format!("{name}@contoso.com {public}"));
    }
    ssh_keygen(at, &["-q", "-t", "ed25519", "-N", "", "-f", "eve"]);
    fs::write(at.join("allowed_signers"), signers).unwrap();
    fs::write(at.join("playbook.yml"), playbook()).unwrap();
    let next = "Next  rmsfleet approve x.rmsplan  (2 approvals missing)";
    check(at, "plan --lab -p playbook.yml -o x.rmsplan", 0, next);
    Some(folder)
}

#[track_caller]
fn check(folder: &Path, line: &str, code: i32, expected: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
        .args(line.split(' '))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LANG", "C.UTF-8")
        .env("USER", "author")
        .env("HOME", folder)
        .env("XDG_STATE_HOME", folder.join("state"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "rmsfleet {line}\n{said}");
    assert!(said.contains(expected), "`{expected}` is missing\nrmsfleet {line}\n{said}");
}

#[test]
fn a_plan_goes_only_with_the_signatures_of_two_people() {
    let Some(folder) = bench() else { return };
    let at = folder.path();
    check(at, "apply --lab x.rmsplan", 3, "0 of 2 approvals");
    check(at, "approve x.rmsplan --key eve --yes", 3, "not among the allowed signers");
    check(at, "approve x.rmsplan --key anna --yes", 0, "by anna@contoso.com");
    check(at, "apply --lab x.rmsplan", 3, "1 of 2 approvals");
    check(at, "show x.rmsplan", 0, "Next  rmsfleet approve x.rmsplan  (1 approval missing)");
    check(at, "approve x.rmsplan --key anna", 8, "nobody can be asked");
    check(at, "approve x.rmsplan --key ben --yes", 0, "2 of 2 approvals");
    check(at, "show x.rmsplan", 0, "+ ben@contoso.com");
    check(at, "show x.rmsplan", 0, "Next  rmsfleet apply x.rmsplan --lab");
    check(at, "apply --lab x.rmsplan", 0, "7 hosts: 7 changed");
    check(at, "apply --lab x.rmsplan", 3, "a plan is used once");
}

#[test]
fn ssh_keygen_verifies_our_signatures_and_we_verify_its() {
    let Some(folder) = bench() else { return };
    let at = folder.path();
    check(at, "approve x.rmsplan --key anna --yes", 0, "by anna@contoso.com");
    let verified = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-f", "allowed_signers", "-I", "anna@contoso.com"])
        .args(["-n", NAMESPACE, "-s", "x.rmsplan.anna@contoso.com.sig"])
        .current_dir(at)
        .stdin(fs::File::open(at.join("x.rmsplan")).unwrap())
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    // Theirs, of each kind of key; it writes `x.rmsplan.sig`.
    for name in ["ben", "carl"] {
        let signed = ssh_keygen(at, &["-Y", "sign", "-n", NAMESPACE, "-f", name, "x.rmsplan"]);
        assert_eq!(signed, Some(true));
        let named = format!("x.rmsplan.{name}.sig");
        fs::rename(at.join("x.rmsplan.sig"), at.join(&named)).unwrap();
        check(at, "show x.rmsplan", 0, &format!("+ {name}@contoso.com"));
        check(at, "show x.rmsplan", 0, "2 of 2 approvals");
        fs::remove_file(at.join(&named)).unwrap();
    }
    // Made for something else, and under another plan.
    let signed = ssh_keygen(at, &["-Y", "sign", "-n", "git", "-f", "ben", "x.rmsplan"]);
    assert_eq!(signed, Some(true));
    check(at, "show x.rmsplan", 0, "made for `git`");
    fs::remove_file(at.join("x.rmsplan.sig")).unwrap();
    check(at, "plan --lab -p playbook.yml -o y.rmsplan", 0, "Sealed");
    let stolen = at.join("y.rmsplan.anna.sig");
    fs::copy(at.join("x.rmsplan.anna@contoso.com.sig"), stolen).unwrap();
    check(at, "show y.rmsplan", 0, "is not anna@contoso.com's signature under this plan");
}

#[test]
fn another_signers_file_than_the_sealed_one_approves_nothing() {
    let Some(folder) = bench() else { return };
    let at = folder.path();
    let eve = fs::read_to_string(at.join("eve.pub")).unwrap();
    let signers = fs::read_to_string(at.join("allowed_signers")).unwrap();
    fs::write(at.join("allowed_signers"), signers + &format!("eve@contoso.com {eve}")).unwrap();
    check(at, "approve x.rmsplan --key eve --yes", 3, "changed since the plan");
    check(at, "apply --lab x.rmsplan", 3, "changed since the plan");
}
