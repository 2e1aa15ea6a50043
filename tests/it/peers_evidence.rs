//! Known states in the registry of a server that is not ours, against verdicts and blockers.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;
use crate::peers_rollout::inventory;
use crate::planned;

const TENANT: &str = "https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com";
const CONNECTOR: &str = "https://rmsconnector.contoso.com";
const ADRMS: &str = "https://adrms.corp.contoso.com/_wmcs/licensing";
const REQUIRED: &str = "required";
const NOT: &str = "not-required";
const UNKNOWN: &str = "unknown";

/// One known state: host, role, Windows, registry; the verdict and the blockers that it must give.
struct State {
    name: &'static str,
    os: &'static str,
    registry: Value,
    need: &'static str,
    blockers: &'static [&'static str],
}

fn state(
    name: &'static str,
    os: &'static str,
    registry: Value,
    need: &'static str,
    blockers: &'static [&'static str],
) -> State {
    State { name, os, registry, need, blockers }
}

/// One key below `HKLM\SOFTWARE\Microsoft` with texts.
fn key(path: &str, values: &[(&str, &str)]) -> Value {
    let values: serde_json::Map<String, Value> =
        values.iter().map(|(name, text)| ((*name).to_owned(), json!(["REG_SZ", text]))).collect();
    json!({ format!("HKLM\\SOFTWARE\\{path}"): values })
}

fn exchange(minor: u32, build: u32, revision: u32) -> Value {
    json!({"HKLM\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\Setup": {
        "MsiProductMajor": ["REG_DWORD", 15], "MsiProductMinor": ["REG_DWORD", minor],
        "MsiBuildMajor": ["REG_DWORD", build], "MsiBuildMinor": ["REG_DWORD", revision]}})
}

fn sharepoint(hive: &str, version: &str, client: Option<&str>) -> Value {
    let product = key(
        &format!("Microsoft\\Shared Tools\\Web Server Extensions\\{hive}"),
        &[("Version", version)],
    );
    let client = client.map(|client| key("Microsoft\\MSIPC\\CurrentVersion", &[("", client)]));
    Value::Array([product].into_iter().chain(client).collect())
}

fn and(one: Value, other: Value) -> Value {
    let mut all = match one {
        Value::Array(all) => all,
        one => vec![one],
    };
    all.push(other);
    Value::Array(all)
}

fn states() -> Vec<State> {
    let ex19 = || exchange(2, 1544, 4);
    let sp16 = || sharepoint("16.0", "16.0.4351.1000", Some("1.0.2004.0"));
    let redirection = "Microsoft\\ExchangeServer\\v15\\IRM\\LicenseServerRedirection";
    let licensing = format!("{TENANT}/_wmcs/licensing");
    let cbs = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending";
    let renames = json!({"HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager": {
        "PendingFileRenameOperations": ["REG_MULTI_SZ", ["\\??\\C:\\old.dll"]]}});
    let msdrm = "Microsoft\\MSDRM\\ServiceLocation\\EnterprisePublishing";
    let wow = "Wow6432Node\\Microsoft\\MSIPC\\ServiceLocation\\EnterprisePublishing";
    vec![
        state("EX01", "2019", ex19(), NOT, &[]),
        state("EX02", "2019", and(ex19(), key(msdrm, &[("", ADRMS)])), REQUIRED, &[]),
        state("EX03", "2012r2", exchange(0, 775, 37), NOT, &["product-version"]),
        state("EX04", "2012r2", exchange(0, 775, 38), NOT, &[]),
        state(
            "EX05",
            "2019",
            and(ex19(), key(redirection, &[(licensing.as_str(), ADRMS)])),
            REQUIRED,
            &["migration-leftover"],
        ),
        state("EX06", "2019", and(ex19(), key(wow, &[("", ADRMS)])), REQUIRED, &[]),
        state(
            "EX07",
            "2019",
            and(ex19(), key(redirection, &[(TENANT, "https://oldrms.contoso.com")])),
            REQUIRED,
            &["other-connector"],
        ),
        state("EX08", "2022", exchange(2, 2562, 17), NOT, &[]),
        state(
            "EX09",
            "2019",
            and(ex19(), key("Microsoft\\ExchangeServer\\v15\\EdgeTransportRole", &[])),
            UNKNOWN,
            &["edge-transport"],
        ),
        state("SP01", "2016", sp16(), NOT, &[]),
        state(
            "SP02",
            "2016",
            sharepoint("16.0", "16.0.10337.12109", Some("1.0.622.34")),
            NOT,
            &["msipc-client"],
        ),
        state("SP03", "2019", sharepoint("16.0", "16.0.14326.20450", None), NOT, &[]),
        state("SP04", "2012r2", sharepoint("15.0", "15.0.4569.1000", None), NOT, &["msipc-client"]),
        state("FS01", "2016", json!({}), REQUIRED, &[]),
        state("FS02", "2016", key(cbs, &[]), REQUIRED, &["no-pending-reboot"]),
        state("FS03", "2012r2", renames, REQUIRED, &["no-pending-reboot"]),
        state(
            "FS04",
            "2016",
            key("Microsoft\\AADRM\\Connector", &[]),
            REQUIRED,
            &["not-connector-server"],
        ),
        state("FS05", "2019", ex19(), UNKNOWN, &["role-conflict"]),
        // Without the role service, as its name says.
        state("FSX06", "2019", json!({}), REQUIRED, &["product-version"]),
    ]
}

fn fleet(states: &[State]) -> Value {
    let hosts: Vec<Value> = states
        .iter()
        .map(|state| {
            let role = match state.name.get(..3).unwrap_or_default() {
                "FSX" => json!([]),
                name if name.starts_with("EX") => json!(["exchange"]),
                name if name.starts_with("SP") => json!(["sharepoint"]),
                _ => json!(["fileserver"]),
            };
            let listen = |path: &str| json!({"address": "127.0.0.1:0", "paths": [path]});
            let listen = if state.name.starts_with("EX") {
                json!([listen("/wsman"), listen("/powershell")])
            } else {
                json!("127.0.0.1:0")
            };
            json!({"name": state.name, "listen": listen, "os": state.os, "roles": role,
                   "powershell_auth": ["negotiate", "kerberos"], "registry": state.registry})
        })
        .collect();
    let web = json!({format!("{CONNECTOR}/_wmcs/licensing"): 401});
    json!({"users": {USER: PASSWORD}, "defaults": {"domain": "peers.test", "web": web},
           "hosts": hosts})
}

#[test]
fn peers_known_states_give_their_verdicts_and_blockers() {
    let states = states();
    let Some(server) = PeerServer::start(&fleet(&states)) else { return };
    let plan = planned::plan(&inventory(&server));
    let mut wrong = Vec::new();
    for state in &states {
        let host = &plan["hosts"][state.name];
        let blockers: BTreeSet<&str> = host["blockers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|blocker| blocker["id"].as_str().unwrap())
            .collect();
        let need = host["verdict"]["need"].as_str().unwrap();
        if need != state.need || blockers != state.blockers.iter().copied().collect() {
            wrong.push(format!("{}: {need} {blockers:?}\n{host:#}", state.name));
        }
        let rows: BTreeSet<u64> = host["verdict"]["evidence"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| one["row"].as_u64())
            .collect();
        let all: BTreeSet<u64> = match (state.name.get(..2).unwrap_or_default(), state.need) {
            (_, UNKNOWN) | ("FS", _) => continue,
            ("EX", _) => [1, 2, 3, 4, 5, 6, 8, 9].into(),
            _ => [1, 2, 3, 4, 5, 7, 8, 9].into(),
        };
        if !all.is_subset(&rows) {
            wrong.push(format!("{}: rows {rows:?} of {all:?}", state.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let status_of = |host: &str, id: &str| {
        let findings = plan["hosts"][host]["findings"].as_array().unwrap();
        let found = findings.iter().find(|one| one["id"] == id);
        found.unwrap_or_else(|| panic!("{host} has no {id}"))["status"].clone()
    };
    for host in ["EX01", "SP01", "FS01"] {
        assert_eq!(status_of(host, "connector-answers"), "ok", "{host}");
        // Neither is known to the server, so neither may be called good.
        assert_eq!(status_of(host, "no-policy-conflict"), "not-read", "{host}");
    }
    assert_eq!(status_of("EX01", "aes256-cbc-exchange-setting"), "not-read");
    assert_eq!(status_of("SP03", "msipc-client"), "warn");
}
