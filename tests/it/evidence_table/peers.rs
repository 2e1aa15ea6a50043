//! The same table in the registries of a server that is not ours, over the wire.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;

use rmsfleet::model::host::PriorAdrms;
use rmsfleet::model::product::Product;
use rmsfleet::model::product::Role;
use rmsfleet::model::registry;

use crate::evidence_table::case::Beside;
use crate::evidence_table::case::Cache;
use crate::evidence_table::case::Case;
use crate::evidence_table::case::Trouble;
use crate::evidence_table::furnished;
use crate::evidence_table::oracle;
use crate::evidence_table::oracle::Expected;
use crate::peer_server::PASSWORD;
use crate::peer_server::PeerServer;
use crate::peer_server::USER;
use crate::planned;

/// Whether the server can be put into this state, with an organisation and a farm of their own.
fn can_be(case: &Case) -> bool {
    case.beside == Beside::Off
        && case.cache == Cache::Empty
        && case.prior == PriorAdrms::Auto
        && case.trouble != Trouble::ConfigurationManager
}

/// A third of all rows: each piece of evidence on every third product, another third each.
fn cases() -> BTreeMap<String, Case> {
    let mut cases = BTreeMap::new();
    for (place, product) in Product::ALL.into_iter().enumerate() {
        let alone = Case::alone(product).into_iter().filter(can_be).enumerate();
        for (number, case) in alone.filter(|(number, _)| number % 3 == place % 3) {
            let prefix = match product.role() {
                Role::Exchange => "EX",
                Role::Sharepoint => "SP",
                Role::Fci | Role::Connector => "FS",
            };
            cases.insert(format!("{prefix}{place:02}N{number:02}"), case);
        }
    }
    cases
}

fn registry(case: &Case) -> Value {
    let mut keys = serde_json::Map::new();
    for (key, values) in furnished::furnished(case).keys {
        let values: serde_json::Map<String, Value> = values
            .into_iter()
            .map(|(name, value)| {
                let value = match value {
                    registry::Value::Sz(text) => json!(["REG_SZ", text]),
                    registry::Value::Dword(number) => json!(["REG_DWORD", number]),
                    registry::Value::MultiSz(texts) => json!(["REG_MULTI_SZ", texts]),
                    other => panic!("no such value in the table: {other:?}"),
                };
                (name, value)
            })
            .collect();
        keys.insert(format!("HKLM\\{key}"), Value::Object(values));
    }
    Value::Object(keys)
}

fn host(name: &str, case: &Case) -> Value {
    let role = case.product.role();
    let listen = |path: &str| json!({"address": "127.0.0.1:0", "paths": [path]});
    let os = match case.product {
        Product::Windows2012 => "2012",
        Product::Windows2012R2 => "2012r2",
        Product::Windows2019 => "2019",
        Product::Windows2022 => "2022",
        Product::Windows2025 => "2025",
        _ => "2016",
    };
    let roles = match (role, case.trouble) {
        (Role::Exchange, _) => json!(["exchange"]),
        (Role::Sharepoint, _) => json!(["sharepoint"]),
        (Role::Fci | Role::Connector, Trouble::NoResourceManager) => json!([]),
        (Role::Fci | Role::Connector, _) => json!(["fileserver"]),
    };
    let properties = match case.trouble {
        Trouble::Workstation => json!({"ProductType": 1, "Version": "10.0.19045"}),
        Trouble::Windows2008R2 => json!({"Version": "6.1.7601"}),
        Trouble::OtherComputer => json!({"CSName": format!("X{name}")}),
        _ => json!({}),
    };
    let first = oracle::wanted(case.product).into_iter().next();
    let first = first.map_or_else(String::new, |(key, _, _)| format!("HKLM\\{key}"));
    let deny = match case.trouble {
        Trouble::Denied => json!({first: "write"}),
        Trouble::WantedUnreadable => json!({first: "read"}),
        _ => json!({}),
    };
    let files = match case.trouble {
        Trouble::Windows2008R2 => json!({r"C:\Windows\System32\msdrm.dll": "6.1.7600.16385"}),
        _ => json!({}),
    };
    let listen = match role {
        Role::Exchange => json!([listen("/wsman"), listen("/powershell")]),
        Role::Sharepoint | Role::Fci | Role::Connector => json!("127.0.0.1:0"),
    };
    json!({"name": name, "listen": listen, "os": os, "roles": roles, "farm": name, "deny": deny,
           "powershell_auth": ["negotiate", "kerberos"], "os_properties": properties,
           "files": files, "registry": registry(case)})
}

fn inventory(server: &PeerServer, cases: &BTreeMap<String, Case>) -> String {
    let mut text = format!(
        "all:\n  vars:\n    rms_tenant_url: {}\n    rms_connector_url: {}\n    \
         rms_organization: Contoso\n    ansible_winrm_scheme: http\n    \
         ansible_winrm_transport: ntlm\n    ansible_host: 127.0.0.1\n  hosts:\n",
        furnished::T,
        furnished::C
    );
    for (name, case) in cases {
        let ports = &server.ports[name];
        let role = case.product.role();
        let _ = write!(text, "    {name}: {{ rms_role: {role}, ansible_port: {}", ports[0]);
        if let Some(shell) = ports.get(1) {
            let url = format!("http://127.0.0.1:{shell}/powershell");
            let _ = write!(text, ", rms_exchange_url: \"{url}\", rms_exchange_auth: negotiate");
        }
        text.push_str(" }\n");
    }
    text
}

/// What the plan's JSON says of one host, in the oracle's words.
fn told(host: &Value) -> Expected {
    let list = |name: &str| host[name].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let values: BTreeSet<oracle::Row> = list("changes")
        .iter()
        .map(|change| {
            let path = &change["path"];
            let data = change["after"].to_string();
            let data = data.split('"').find(|part| part.starts_with("http")).unwrap_or_default();
            (text(&path["key"]).to_lowercase(), text(&path["name"]), data.to_owned())
        })
        .collect();
    Expected {
        need: match host["verdict"]["need"].as_str() {
            Some("required") => "required",
            Some("not-required") => "not-required",
            Some("unknown") => "unknown",
            other => panic!("{other:?}"),
        },
        values,
        blockers: list("blockers").iter().map(|one| text(&one["id"])).collect(),
        foreign: list("notes").iter().filter(|note| note["id"] == "foreign-variant").count(),
    }
}

#[test]
fn peers_table_of_products_and_evidence_comes_out_as_the_documents_have_it() {
    let cases = cases();
    let hosts: Vec<Value> = cases.iter().map(|(name, case)| host(name, case)).collect();
    let web = json!({format!("{}/_wmcs/licensing", furnished::C): 401});
    let fleet = json!({"users": {USER: PASSWORD}, "hosts": hosts,
                       "defaults": {"domain": "peers.test", "web": web}});
    let Some(server) = PeerServer::start(&fleet) else { return };
    let plan = planned::plan(&inventory(&server, &cases));
    let mut wrong = Vec::new();
    for (name, case) in &cases {
        let (got, expected) = (told(&plan["hosts"][name]), oracle::expected(case));
        if got != expected {
            wrong.push(format!("{name} {case:?}\nexpected {expected:?}\n     got {got:?}"));
        }
    }
    assert!(cases.len() > 300, "the table is not as wide as it says: {}", cases.len());
    let first = wrong.iter().take(8).map(String::as_str).collect::<Vec<_>>().join("\n\n");
    assert!(wrong.is_empty(), "{} of {}:\n{first}", wrong.len(), cases.len());
}
