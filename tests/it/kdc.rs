//! A key distribution centre that is not ours, as a child process.

use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use crate::peer_server::PASSWORD;
use crate::peer_server::peers;
use crate::shared;

pub(crate) const ALICE: &str = "alice@PEERS.TEST";

/// A throw-away KDC; its realm has alice, and services on localhost.
pub(crate) struct Kdc {
    script: PathBuf,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) variables: Vec<(String, String)>,
}

impl Kdc {
    pub(crate) fn start() -> Option<Self> {
        let script = peers()?.join("kdc");
        let installed = ["/usr/sbin", "/usr/bin", "/sbin", "/usr/local/sbin"];
        if !installed.iter().any(|folder| Path::new(folder).join("krb5kdc").exists()) {
            shared::skip("krb5kdc is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let out = Command::new(&script).arg("start").arg(folder.path()).output().unwrap();
        let exports = String::from_utf8(out.stdout).unwrap();
        let variables = exports
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<Vec<_>>();
        assert!(!variables.is_empty(), "the KDC did not start");
        Some(Self { script, folder, variables })
    }

    /// Gives the service and the user a key of each of these encryption types, in the keytab too.
    pub(crate) fn keys(&self, types: &[&str]) {
        let all: Vec<String> = types.iter().map(|name| format!("{name}:normal")).collect();
        let (all, folder) = (all.join(","), self.folder.path().display());
        let mut kadmin = Command::new("kadmin.local")
            .args(["-r", "PEERS.TEST"])
            .envs(self.variables.iter().cloned())
            .env("KRB5_KDC_PROFILE", self.folder.path().join("kdc.conf"))
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = kadmin.stdin.take().unwrap();
        for line in [
            // A session key's type must be one that its service has a key of.
            format!("cpw -e {all} -randkey krbtgt/PEERS.TEST"),
            format!("cpw -e {all} -pw {PASSWORD} alice"),
            format!("cpw -e {all} -randkey HTTP/localhost"),
            format!("ktadd -norandkey -k {folder}/http.keytab HTTP/localhost"),
        ] {
            writeln!(stdin, "{line}").unwrap();
        }
        drop(stdin);
        assert!(kadmin.wait().unwrap().success(), "kadmin.local");
    }

    /// How often somebody asked for a first ticket: what a domain counts wrong passwords by.
    pub(crate) fn asked(&self) -> usize {
        self.log().lines().filter(|line| line.contains("AS_REQ")).count()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("kdc.log")).unwrap_or_default()
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        let _ = Command::new(&self.script).arg("stop").arg(self.folder.path()).status();
    }
}

/// Runs a prepared `kinit`, which asks for the password.
pub(crate) fn kinit(command: &mut Command) {
    let mut kinit = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    writeln!(kinit.stdin.take().unwrap(), "{PASSWORD}").unwrap();
    assert!(kinit.wait().unwrap().success(), "kinit");
}
