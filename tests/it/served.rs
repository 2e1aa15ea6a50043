//! A farm that stays up behind real sockets: what one command does, the next one finds.

use std::fmt::Write as _;
use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use tempfile::TempDir;

use crate::planned;

/// The lab's own farm, with a folder that has an inventory for it.
struct Served {
    child: Child,
    folder: TempDir,
}

impl Served {
    /// `prefixes` are the beginnings of the names that stand in the inventory, with their roles.
    fn start(prefixes: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_rmsfleet"))
            .args(["lab", "serve"])
            .env("XDG_STATE_HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let lines: Vec<String> =
            out.lines().map(Result::unwrap).take_while(|line| line != "ready").collect();
        let word = |name: &str| {
            let found = lines.iter().find_map(|line| line.strip_prefix(name));
            found.unwrap_or_default().trim().to_owned()
        };
        let mut inventory = String::from(
            "all:\n  vars:\n    rms_tenant_url: https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.\
             aadrm.com\n    rms_connector_url: http://rmsconnector.contoso.com\n    \
             ansible_winrm_scheme: http\n    ansible_winrm_transport: ntlm\n    ansible_host: \
             127.0.0.1\n  children:\n",
        );
        for (prefix, role) in prefixes {
            let _ = write!(
                inventory,
                "    {role}:\n      vars: {{ rms_role: {role}, rms_farm: SP01 }}\n      hosts:\n"
            );
            let own = lines.iter().filter(|line| line.starts_with(prefix));
            for (name, address) in own.filter_map(|line| line.split_once(' ')) {
                let port = address.rsplit_once(':').unwrap().1;
                let _ = writeln!(inventory, "        {name}: {{ ansible_port: {port} }}");
            }
        }
        let credentials = format!(
            "version: 1\ncredentials:\n  default:\n    type: env\n    username: '{}'\n    \
             variable: LAB_PASSWORD\n",
            word("user")
        );
        std::fs::write(folder.path().join("inventory.yml"), inventory).unwrap();
        std::fs::write(folder.path().join("credentials.yml"), credentials).unwrap();
        std::fs::write(folder.path().join("password"), word("password")).unwrap();
        Self { child, folder }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Runs a command with the inventory and looks for its exit code and words.
    #[track_caller]
    fn check(&self, arguments: &[&str], code: i32, expected: &[&str]) -> String {
        let folder = self.folder.path();
        let password = std::fs::read_to_string(folder.join("password")).unwrap();
        let arguments = [arguments, &["-i", "inventory.yml", "--no-input"]].concat();
        planned::check(folder, &arguments, &[("LAB_PASSWORD", &password)], code, expected)
    }

    /// The only run that there is besides those named.
    fn run(&self, known: &[&str]) -> String {
        let runs = std::fs::read_dir(self.folder.path().join("state/rmsfleet/runs")).unwrap();
        let names = runs.map(|run| run.unwrap().file_name().into_string().unwrap());
        let mut fresh = names.filter(|name| !known.contains(&name.as_str()));
        let one = fresh.next().expect("a run");
        assert_eq!(fresh.next(), None);
        one
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

const FILES: &str = "version: 1
name: files
stages:
  - name: file-servers
    hosts: fci
  - name: rule
    org_step: fci.classification-rule
    hosts: FS01*:FS02*
    set:
      Name: Confidential
      Namespace: ['D:\\Shares']
      Property: Confidentiality_MS
      PropertyValue: \"3000\"
      ContentString: [confidential]
  - name: job
    org_step: fci.file-management-job
    hosts: FS01*
    set:
      Name: Protect
      Namespace: ['D:\\Shares']
      RmsTemplate: Contoso - Confidential
      Condition: { Property: Confidentiality_MS, Condition: Equal, Value: \"3000\" }
      Schedule: { Time: \"2026-12-01T02:00:00+01:00\", Weekly: [Sunday] }
";

#[test]
fn rules_and_jobs_are_made_verified_found_again_and_taken_back() {
    let served = Served::start(&[("FS", "fci")]);
    served.write("p.yml", FILES);
    let told = [
        "ON FS01, ONCE",
        "affects the files that its classification rule `Confidential` is about",
        "Exists  False",
        "ContentString  none",
        "Action.RMSTemplate  nothing",
        "after 1 verified server: FS01",
        "Create MSFT_FSRMFileManagementJob via FS01",
    ];
    let said = served.check(&["apply", "-p", "p.yml", "--yes", "--full"], 0, &told);
    assert!(!said.contains("via FS03"), "{said}");
    let first = served.run(&[]);
    let again = [
        "has all that Create MSFT_FSRMClassificationRule would set",
        "has all that Create MSFT_FSRMFileManagementJob would set",
    ];
    served.check(&["plan", "-p", "p.yml"], 0, &again);
    let held = ["classification rule `Confidential`", "file management job `Protect`"];
    served.check(&["verify", "--run", &first, "--detailed-exitcode"], 0, &held);
    served.check(&["drift", "--detailed-exitcode"], 0, &held);

    served.write("other.yml", &FILES.replace("PropertyValue: \"3000\"", "PropertyValue: \"1000\""));
    let other =
        ["FS01 has a classification rule `Confidential` already", "its PropertyValue is 3000"];
    let said = served.check(&["plan", "-p", "other.yml", "--full"], 0, &[]);
    let flat =
        said.split_whitespace().collect::<Vec<_>>().join(" ").replace(".corp.contoso.com", "");
    for text in other {
        assert!(flat.contains(text), "`{text}` is missing:\n{said}");
    }

    let back = ["Delete MSFT_FSRMFileManagementJob via FS01"];
    served.check(&["undo", &first, "--yes"], 0, &back);
    served.check(&["verify", "--run", &first, "--detailed-exitcode"], 2, &["Exists False"]);
    let undo = served.run(&[&first]);
    served.check(&["verify", "--run", &undo, "--detailed-exitcode"], 0, &["rule `Confidential`"]);
    served.check(&["drift", "--detailed-exitcode"], 0, &["job `Protect`"]);
}

const FARM: &str = "version: 1
name: farm
stages:
  - { name: servers, hosts: sharepoint }
  - { name: farm, org_step: sharepoint.use-this-rms-server }
";

#[test]
fn a_farm_is_verified_and_watched_by_the_way_of_its_step() {
    let served = Served::start(&[("SPWFE", "sharepoint")]);
    served.write("p.yml", FARM);
    served.write(
        "off.yml",
        &FARM.replace(
            "use-this-rms-server",
            "use-this-rms-server, set: { IrmEnabled: false }, destructive: accepted",
        ),
    );
    let set = ["CertificateServerUrl http://rmsconnector.contoso.com"];
    served.check(&["apply", "-p", "p.yml", "--yes", "--confirm", "SP01"], 0, &set);
    let first = served.run(&[]);
    served.check(&["verify", "--run", &first, "--detailed-exitcode"], 0, &set);
    served.check(&["drift", "--detailed-exitcode"], 0, &set);
    served.check(&["apply", "-p", "off.yml", "--yes", "--confirm", "SP01"], 0, &[]);
    let off = ["IrmEnabled False", "1 organisation step not as wanted"];
    served.check(&["verify", "--run", &first, "--detailed-exitcode"], 2, &off);
    // The last run wanted it so.
    served.check(&["drift", "--detailed-exitcode"], 0, &["IrmEnabled False"]);
}

#[test]
fn a_farm_goes_back_once_and_what_a_later_run_wrote_stays() {
    let served = Served::start(&[("SPWFE", "sharepoint")]);
    served.write("p.yml", FARM);
    let apply = ["apply", "-p", "p.yml", "--yes", "--confirm", "SP01"];
    served.check(&apply, 0, &[]);
    let first = served.run(&[]);
    let undo = ["undo", first.as_str(), "--yes", "--confirm", "SP01"];
    served.check(&undo, 0, &["CertificateServerUrl of farm SP01 stays http://rmsconnector"]);
    let back = served.run(&[&first]);
    // The farm is read: there is nothing left to take back, and none of it is invented.
    let said = served.check(&undo, 0, &["nothing to do"]);
    assert!(said.contains(&format!("run {first} is undone already by run {back}")), "{said}");
    served.check(&apply, 0, &[]);
    let again = served.run(&[&first, &back]);
    let said = served.check(&undo, 11, &["undone-already"]);
    assert!(said.contains(&format!("rmsfleet undo {again}")), "{said}");
    served.check(&["drift", "--detailed-exitcode"], 0, &["IrmEnabled True"]);
}
