//! Samba's domain controller as a second key distribution centre and as a third NTLM server: what one
//! implementation lets pass, another may not.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use crate::kdc::kinit;
use crate::peer_server::peers;
use crate::peers_matrix::AS;
use crate::peers_matrix::inside;
use crate::peers_ntlm::check_acceptor;
use crate::peers_ntlm::check_client;
use crate::shared;

const BOB: &str = "bob@PEERS.AD";

/// A domain of its own, in a network of its own: its ports are those of every domain controller.
struct Domain {
    script: PathBuf,
    folder: tempfile::TempDir,
    network: String,
}

impl Domain {
    fn provision() -> Option<Self> {
        let script = peers()?.join("samba_ad.sh");
        if !Path::new("/usr/sbin/samba").exists() {
            shared::skip("Samba is not installed (peers/install samba)");
            return None;
        }
        let network = format!("rmsfleet{}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &network]).output();
        if !made.is_ok_and(|made| made.status.success()) {
            shared::skip("Samba's domain controller needs a network namespace (root, iproute2)");
            return None;
        }
        let up = ["-n", network.as_str(), "link", "set", "lo", "up"];
        assert!(Command::new("ip").args(up).status().unwrap().success());
        let domain = Self { script, folder: tempfile::tempdir().unwrap(), network };
        domain.verb("provision");
        domain.verb("users");
        Some(domain)
    }

    fn verb(&self, verb: &str) {
        let ran = Command::new(&self.script)
            .arg(verb)
            .arg(self.folder.path())
            .env("NETNS", &self.network)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(ran.status.success(), "{verb}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    /// Starts the controller and waits until its key distribution centre listens.
    fn start(&self) {
        self.verb("start");
        let wait = "for i in $(seq 150); do (exec 4<>/dev/tcp/127.0.0.1/88) 2>/dev/null && exit 0; \
                    sleep 0.2; done; exit 1";
        let waited = self.inside("bash").args(["-c", wait]).status().unwrap();
        assert!(waited.success(), "Samba's key distribution centre does not listen");
    }

    fn mounted(&self) -> PathBuf {
        Path::new("/etc/netns").join(&self.network)
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A program in the domain's network, with the domain's Kerberos files.
    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.network, program])
            .env("KRB5_CONFIG", self.file("krb5.conf"))
            .env("KRB5_KTNAME", format!("FILE:{}", self.file("http.keytab")))
            .env("KRB5CCNAME", format!("FILE:{}", self.file("tickets")));
        command
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        // The script ends its own shell only, and a controller that stays keeps the next one out.
        if let Ok(all) = Command::new("ip").args(["netns", "pids", &self.network]).output() {
            let all = String::from_utf8_lossy(&all.stdout).into_owned();
            let _ = Command::new("kill").args(all.split_whitespace()).status();
        }
        let _ = std::fs::remove_dir_all(self.mounted());
        let _ = Command::new("ip").args(["netns", "del", &self.network]).status();
    }
}

#[test]
fn peers_samba_issues_tickets_that_are_used_and_judges_our_ntlm() {
    let Some(domain) = Domain::provision() else { return };
    let configuration = domain.file("etc/smb.conf");
    let variables =
        [("SAMBA_CONF", configuration.as_str()), ("NT_DOMAIN", "PEERSAD"), ("NT_USER", "bob")];
    check_client("samba", r"PEERSAD\bob", &variables);
    domain.start();
    kinit(domain.inside("kinit").arg(BOB));
    let own = std::env::current_exe().unwrap();
    let mut child = domain.inside(own.to_str().unwrap());
    inside(child.env(AS, BOB), "kerberos, Samba's KDC");
    with_rc4(&domain);
    found_by_dns(&domain);
}

/// Nothing but the realm's name is configured; the controller's own DNS knows who issues tickets.
fn found_by_dns(domain: &Domain) {
    // What `ip netns exec` mounts over the system's files. The controller does not publish an
    // address on loopback; that it is to be asked, and where, comes from DNS.
    let folder = domain.mounted();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
    std::fs::write(folder.join("hosts"), "127.0.0.1 localhost dc1.peers.ad dc1.peers.ad.\n")
        .unwrap();
    let file = domain.file("dns.conf");
    let text = "[libdefaults]\n default_realm = PEERS.AD\n dns_lookup_kdc = true\n \
                dns_canonicalize_hostname = false\n rdns = false\n[domain_realm]\n localhost = \
                PEERS.AD\n";
    std::fs::write(&file, text).unwrap();
    let tickets = format!("FILE:{}", domain.file("dns.tickets"));
    let inside_it = |program: &str| {
        let mut command = domain.inside(program);
        command.env("KRB5_CONFIG", &file).env("KRB5CCNAME", &tickets);
        command
    };
    kinit(inside_it("kinit").arg(BOB));
    let own = std::env::current_exe().unwrap();
    let mut child = inside_it(own.to_str().unwrap());
    inside(child.env(AS, BOB), "kerberos, Samba's KDC found by DNS");
}

/// RC4 pads with one byte that the length counts. The peer hands that byte on as part of the message,
/// and so refuses its own library's client (pypsrp) as it refuses ours; its library's other way, the
/// token as a whole, takes the byte off (RFC 4757 7.3).
const WHOLE: &str = "import spnego._gss as gss\n\
                     gss.GSSAPIProxy.unwrap_winrm = lambda self, header, data: \
                     self.unwrap(header + data).data\n";

/// A session key for RC4 (RFC 4757), which MIT's distribution centre does not issue.
fn with_rc4(domain: &Domain) {
    let own = std::fs::read_to_string(domain.file("krb5.conf")).unwrap();
    let only = "[libdefaults]\n permitted_enctypes = arcfour-hmac\n default_tkt_enctypes = \
                arcfour-hmac\n default_tgs_enctypes = arcfour-hmac\n allow_weak_crypto = true\n \
                allow_rc4 = true\n";
    let file = domain.file("rc4.conf");
    std::fs::write(&file, own.replacen("[libdefaults]\n", only, 1)).unwrap();
    let tickets = format!("FILE:{}", domain.file("rc4.tickets"));
    let inside_it = |program: &str| {
        let mut command = domain.inside(program);
        command.env("KRB5_CONFIG", &file).env("KRB5CCNAME", &tickets);
        command
    };
    std::fs::write(domain.folder.path().join("sitecustomize.py"), WHOLE).unwrap();
    kinit(inside_it("kinit").arg(BOB));
    let own = std::env::current_exe().unwrap();
    let mut child = inside_it(own.to_str().unwrap());
    child.env(AS, BOB).env("PYTHONPATH", domain.folder.path());
    inside(&mut child, "kerberos with RC4, Samba's KDC");
    let held = inside_it("klist").arg("-e").output().unwrap();
    let held = String::from_utf8_lossy(&held.stdout).into_owned();
    let service = held.split("HTTP/localhost").nth(1).unwrap_or_default();
    let session = service.split("Etype (skey, tkt): ").nth(1).unwrap_or_default();
    let session = session.split(',').next().unwrap_or_default();
    assert!(["DEPRECATED:arcfour-hmac", "arcfour-hmac"].contains(&session), "{held}");
}

#[test]
fn peers_samba_as_a_client_is_understood_by_our_acceptor() {
    if peers().is_some() && Path::new("/usr/sbin/samba").exists() {
        check_acceptor("samba");
    } else {
        shared::skip("Samba is not installed (peers/install samba)");
    }
}
