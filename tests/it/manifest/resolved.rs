//! Which value holds for a host, and where it came from.

use std::collections::BTreeMap;

use rmsfleet::manifest::builtin;
use rmsfleet::manifest::credentials;
use rmsfleet::manifest::inventory;
use rmsfleet::manifest::inventory::BasicScope;
use rmsfleet::manifest::inventory::Inventory;
use rmsfleet::manifest::inventory::InventorySources;
use rmsfleet::manifest::source::Source;
use rmsfleet::model::host::FarmRole;
use rmsfleet::model::host::Host;
use rmsfleet::model::host::HostName;
use rmsfleet::model::host::Scheme;
use rmsfleet::model::host::Transport;
use rmsfleet::model::product::Role;
use rmsfleet::model::tls::TlsTrust;

use crate::manifest::complains;
use crate::manifest::read;

const TREE: &str = "\
all:
  vars: { rms_site: all, rms_connector_url: \"https://rms.contoso.com\" }
  children:
    outer:
      vars: { rms_site: outer, rms_role: fci }
      children:
        inner:
          vars: { rms_site: inner }
          hosts:
            A: { rms_site: host }
            B:
      hosts:
        C:
  hosts:
    D:
";

#[track_caller]
fn host<'i>(inventory: &'i Inventory, name: &str) -> &'i Host {
    inventory.host(name).unwrap_or_else(|| panic!("no host {name}"))
}

/// The site of a host, and the level and line it comes from.
#[track_caller]
fn check(inventory: &Inventory, name: &str, site: &str, level: &str, line: usize) {
    let found = host(inventory, name);
    assert_eq!(found.site.as_deref(), Some(site), "site of {name}");
    let origin = inventory.origins(&found.name).iter().find(|origin| origin.key == "rms_site");
    let origin = origin.unwrap_or_else(|| panic!("no origin for {name}"));
    assert_eq!((origin.value.as_str(), origin.level.as_str(), origin.line), (site, level, line));
}

#[test]
fn the_nearest_level_wins_and_is_named() {
    let inventory = read(TREE).unwrap();
    check(&inventory, "A", "host", "host", 10);
    check(&inventory, "B", "inner", "group inner", 8);
    check(&inventory, "C", "outer", "group outer", 5);
    check(&inventory, "D", "all", "group all", 2);
    assert_eq!(host(&inventory, "A").groups, ["all", "outer", "inner"]);
    let depths: Vec<(&str, usize)> =
        inventory.groups.iter().map(|(name, group)| (name.as_str(), group.depth)).collect();
    assert_eq!(depths, [("all", 0), ("inner", 2), ("outer", 1)]);
}

#[test]
fn an_extra_variable_wins_over_everything() {
    let sources = InventorySources::alone("inv.yml", TREE);
    let extra = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    let inventory = inventory::parse(&sources, &extra("rms_site", "x")).unwrap();
    check(&inventory, "A", "x", "--var", 1);
    let tagged = inventory::parse(&sources, &extra("rms_tags", "[a, b]")).unwrap();
    assert_eq!(host(&tagged, "D").tags, ["a", "b"]);
    let wrong = inventory::parse(&sources, &extra("rms_sites", "x")).unwrap_err();
    complains(&wrong, "rms_sites", (1, 1), "unknown key `rms_sites`", "did you mean `rms_site`?");
    let wrong = inventory::parse(&sources, &extra("site", "x")).unwrap_err();
    complains(&wrong, "site", (1, 1), "unknown variable `site`", "rms_site");
    let wrong = inventory::parse(&sources, &extra("rms_canary", "x")).unwrap_err();
    complains(&wrong, "rms_canary", (1, 13), "whole number", "write a number");
}

#[test]
fn a_tie_is_settled_by_the_host() {
    let text = "all:\n  children:\n    a:\n      vars: { rms_site: ams }\n      hosts: { H: }\n    b:\n      \
                vars: { rms_site: fra }\n      hosts: { H: { rms_site: x } }\n";
    check(&read(text).unwrap(), "H", "x", "host", 8);
    let agreed = text.replace("fra", "ams").replace("{ rms_site: x }", "");
    assert_eq!(host(&read(&agreed).unwrap(), "H").site.as_deref(), Some("ams"));
}

#[test]
fn a_group_drawn_twice_is_one_group() {
    let text = "all:\n  children:\n    a: { hosts: { H: } }\n    b: { children: { a: } }\n    c:\n      \
                children: { a: { vars: { rms_site: x } } }\na: { hosts: { I: } }\n";
    let inventory = read(text).unwrap();
    assert_eq!(host(&inventory, "I").groups, ["all", "b", "c", "a"]);
    check(&inventory, "H", "x", "group a", 6);
    assert_eq!(inventory.groups["a"].hosts, [HostName::new("H"), HostName::new("I")]);
}

#[test]
fn files_beside_the_inventory_count() {
    let mut sources = InventorySources::alone("inv.yml", TREE);
    sources.group_vars = vec![
        ("inner".to_owned(), Source::new("group_vars/inner.yml", "---\nrms_site: file\n")),
        ("iner".to_owned(), Source::new("group_vars/iner.yml", "rms_site: nowhere\n")),
        (
            "all".to_owned(),
            Source::new("group_vars/all/vault.yml", "$ANSIBLE_VAULT;1.1;AES256\n61\n"),
        ),
    ];
    sources.host_vars = vec![("A".to_owned(), Source::new("host_vars/A.yml", "rms_site: own\n"))];
    let inventory = inventory::parse(&sources, &[]).unwrap();
    check(&inventory, "B", "file", "group inner", 2);
    check(&inventory, "A", "own", "host", 1);
    let warnings = inventory.warnings.render(false);
    assert!(warnings.contains("no group `iner`") && warnings.contains("did you mean `inner`?"));
    assert!(warnings.contains("group_vars/all/vault.yml"), "{warnings}");
}

#[test]
fn a_difference_to_ansible_is_told() {
    let mut sources = InventorySources::alone("inv.yml", TREE);
    let all = Source::new("group_vars/all.yml", "rms_site: beside\n");
    sources.group_vars = vec![("all".to_owned(), all)];
    let inventory = inventory::parse(&sources, &[]).unwrap();
    check(&inventory, "B", "inner", "group inner", 8);
    check(&inventory, "D", "beside", "group all", 1);
    complains(&inventory.warnings, TREE, (8, 19), "group `inner` wins over the file", "`inner`");
}

#[test]
fn a_complaint_in_a_file_beside_names_that_file() {
    let mut sources = InventorySources::alone("inv.yml", TREE);
    let text = "x: 1\nrms_rol: fci\n";
    sources.group_vars = vec![("all".to_owned(), Source::new("group_vars/all.yml", text))];
    let diagnostics = inventory::parse(&sources, &[]).unwrap_err();
    complains(&diagnostics, text, (2, 1), "unknown key `rms_rol`", "did you mean `rms_role`?");
    assert!(diagnostics.render(false).contains("group_vars/all.yml:2:1"));
}

/// Scheme, port, path and transport of the endpoint that these host variables give.
#[track_caller]
fn endpoint(vars: &str, expected: (Scheme, u16, &str, Transport)) {
    let text = format!(
        "all:\n  hosts:\n    H:\n      rms_role: connector\n{}",
        vars.lines().fold(String::new(), |text, line| format!("{text}      {line}\n"))
    );
    let inventory = read(&text).map_err(|d| d.render(false)).unwrap();
    let found = &host(&inventory, "H").endpoint;
    assert_eq!((found.scheme, found.port, found.path.as_str(), found.transport), expected);
}

#[test]
fn connection_names_mean_what_they_mean_to_ansible() {
    let negotiate = Transport::Negotiate;
    endpoint("", (Scheme::Https, 5986, "/wsman", negotiate));
    endpoint("ansible_port: 5985", (Scheme::Http, 5985, "/wsman", negotiate));
    endpoint("ansible_port: \"5985\"", (Scheme::Http, 5985, "/wsman", negotiate));
    endpoint("ansible_port: 15985", (Scheme::Https, 15985, "/wsman", negotiate));
    endpoint(
        "ansible_port: 8080\nansible_winrm_scheme: http\nansible_winrm_transport: ntlm\n\
         ansible_winrm_path: /other",
        (Scheme::Http, 8080, "/other", Transport::Ntlm),
    );
    endpoint(
        "ansible_connection: psrp\nansible_psrp_protocol: http\nansible_psrp_auth: kerberos\n\
         ansible_psrp_path: wsman\nansible_winrm_transport: ntlm",
        (Scheme::Http, 5986, "/wsman", Transport::Kerberos),
    );
}

#[test]
fn the_exchange_endpoint_follows_the_host() {
    let text = "all:\n  hosts:\n    H: { rms_role: connector, ansible_host: 10.0.0.7 }\n    I:\n      \
                rms_role: connector\n      rms_exchange_url: https://EX.contoso.com:444/ps/\n      \
                rms_exchange_auth: negotiate\n";
    let inventory = read(text).map_err(|d| d.render(false)).unwrap();
    assert_eq!(host(&inventory, "H").exchange.url(), "http://10.0.0.7:80/PowerShell/");
    assert_eq!(host(&inventory, "H").exchange.transport, Transport::Kerberos);
    assert_eq!(host(&inventory, "I").exchange.url(), "https://ex.contoso.com:444/ps/");
    assert_eq!(host(&inventory, "I").exchange.transport, Transport::Negotiate);
}

#[test]
fn merge_keys_and_anchors_are_followed() {
    let text = "x-common: &common { rms_role: connector, rms_site: ams }\nall:\n  hosts:\n    A:\n      \
                <<: *common\n      rms_site: fra\n    B: *common\n";
    let inventory = read(text).map_err(|d| d.render(false)).unwrap();
    check(&inventory, "A", "fra", "host", 6);
    check(&inventory, "B", "ams", "host", 1);
}

#[test]
fn a_missing_credential_is_found() {
    let text = "all:\n  hosts:\n    A:\n      rms_role: connector\n      rms_credential: tier1-admn\n    B: \
                { rms_role: connector }\n";
    let inventory = read(text).unwrap();
    let file = "version: 1\ncredentials:\n  tier1-admin: { type: current-user }\n";
    let credentials = credentials::parse(&Source::new("credentials.yml", file)).unwrap();
    let wrong = inventory.check_credentials(&credentials).unwrap_err();
    complains(&wrong, text, (5, 23), "no entry `tier1-admn`", "did you mean `tier1-admin`?");
}

#[test]
fn the_example_is_the_fleet_it_describes() {
    let source = builtin::example_inventory();
    let sources = InventorySources::alone(source.name, source.text);
    let inventory = inventory::parse(&sources, &[]).map_err(|d| d.render(false)).unwrap();
    assert!(inventory.warnings.is_empty(), "{}", inventory.warnings.render(false));
    let mut roles: BTreeMap<Option<Role>, usize> = BTreeMap::new();
    for host in &inventory.hosts {
        *roles.entry(host.role).or_default() += 1;
    }
    let expected = [
        (Some(Role::Exchange), 4),
        (Some(Role::Sharepoint), 6),
        (Some(Role::Fci), 14),
        (Some(Role::Connector), 2),
    ];
    assert_eq!(roles, BTreeMap::from(expected));
    let in_scope = inventory.hosts.iter().filter(|host| host.in_scope()).count();
    assert_eq!(in_scope, 4 + 3 + 14);
    let fra = host(&inventory, "EX-FRA01");
    assert_eq!((fra.dag.as_deref(), fra.site.as_deref()), (Some("DAG-EU1"), Some("fra")));
    assert_eq!(fra.canary, Some(1));
    assert_eq!(fra.endpoint.url(), "https://EX-FRA01.corp.contoso.com:5986/wsman");
    assert_eq!(
        host(&inventory, "SPAPP01").farm_roles,
        [FarmRole::Application, FarmRole::CentralAdmin]
    );
    assert_eq!(host(&inventory, "FS01").tags, ["finance", "vip"]);
    assert_eq!(host(&inventory, "FSCL01N2").cluster.as_deref(), Some("FSCL01"));
}

#[test]
fn the_lab_has_eight_hosts() {
    let source = builtin::lab_inventory();
    let sources = InventorySources::alone(source.name, source.text);
    let inventory = inventory::parse(&sources, &[]).map_err(|d| d.render(false)).unwrap();
    assert!(inventory.warnings.is_empty(), "{}", inventory.warnings.render(false));
    let names: Vec<&str> = inventory.hosts.iter().map(|host| host.name.short()).collect();
    assert_eq!(names, ["EX01", "EX02", "SPWFE01", "SPWFE02", "FS01", "FS02", "FS03", "RMSC01"]);
    for host in &inventory.hosts {
        assert_eq!((host.endpoint.port, host.endpoint.transport), (5985, Transport::Ntlm));
        assert_eq!(host.organization.as_deref(), Some("Contoso"));
    }
}

#[test]
fn the_strictest_word_on_certificates_holds_and_for_https_only() {
    let text = "\
all:
  vars: { rms_role: fci, rms_connector_url: \"https://rms.contoso.com\", rms_ca_file: corp.pem }
  hosts:
    file:
    theirs: { ansible_winrm_ca_trust_path: own.pem }
    ignored: { ansible_winrm_server_cert_validation: ignore }
    pinned:
      ansible_winrm_server_cert_validation: ignore
      rms_tls_pin: \"00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13\"
    plain: { ansible_port: 5985, ansible_winrm_server_cert_validation: ignore }
    mail:
      rms_role: exchange
      rms_tenant_url: https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com
      rms_exchange_url: https://mail.contoso.com/PowerShell/
      ansible_port: 5985
";
    let inventory = read(text).unwrap();
    let trust = |name: &str| host(&inventory, name).endpoint.tls.clone();
    let corp = TlsTrust::CaFile("corp.pem".to_owned());
    assert_eq!(trust("file"), corp);
    assert_eq!(trust("theirs"), corp);
    assert_eq!(trust("ignored"), TlsTrust::Ignore);
    let pin = "000102030405060708090A0B0C0D0E0F10111213".parse().unwrap();
    assert_eq!(trust("pinned"), TlsTrust::Pin(pin));
    assert_eq!(trust("plain"), TlsTrust::System);
    assert_eq!(trust("mail"), TlsTrust::System);
    assert_eq!(host(&inventory, "mail").exchange.tls, corp);
}

#[test]
fn basic_over_http_is_a_transport_of_its_own_and_only_for_who_asks_by_name() {
    let text = "all:\n  vars:\n    rms_connector_url: https://rms.contoso.com\n    rms_role: exchange\n    \
                ansible_port: 5985\n    ansible_winrm_transport: basic\n    rms_exchange_auth: basic\n    \
                rms_tenant_url: https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com\n  \
                hosts:\n    A:\n    B: { ansible_port: 5986 }\n";
    complains(
        &read(text).unwrap_err(),
        text,
        (6, 30),
        "in clear text over http",
        "--danger-basic-over-http",
    );
    let mut sources = InventorySources::alone("inventory.yml", text);
    sources.basic = BasicScope::Anywhere;
    let inventory = inventory::parse(&sources, &[]).unwrap();
    let transports = |name| {
        let host = host(&inventory, name);
        [host.endpoint.transport, host.exchange.transport]
    };
    assert_eq!(transports("A"), [Transport::BasicInClear, Transport::BasicInClear]);
    assert_eq!(transports("B"), [Transport::Basic, Transport::BasicInClear]);
}

#[test]
fn a_client_certificate_is_two_files_and_goes_over_https() {
    let text = |more: &str| {
        format!(
            "all:\n  vars:\n    rms_connector_url: https://rms.contoso.com\n    rms_role: fci\n    \
             ansible_winrm_transport: certificate\n{more}  hosts:\n    A:\n"
        )
    };
    let files = "    ansible_winrm_cert_pem: us.pem\n    ansible_winrm_cert_key_pem: us.key\n";
    let inventory = read(&text(files)).unwrap();
    let endpoint = &host(&inventory, "A").endpoint;
    assert_eq!(endpoint.transport, Transport::Certificate);
    let client = endpoint.client.as_ref().unwrap();
    assert_eq!((client.certificate.as_str(), client.key.as_str()), ("us.pem", "us.key"));
    assert!(!endpoint.needs_account());
    complains(
        &read(&text("")).unwrap_err(),
        &text(""),
        (5, 30),
        "needs `ansible_winrm_cert_pem`",
        "two PEM files",
    );
    let half = "    ansible_winrm_cert_pem: us.pem\n";
    complains(
        &read(&text(half)).unwrap_err(),
        &text(half),
        (5, 30),
        "needs `ansible_winrm_cert_key_pem`",
        "two PEM files",
    );
    let http = format!("    ansible_port: 5985\n{files}");
    complains(
        &read(&text(&http)).unwrap_err(),
        &text(&http),
        (5, 30),
        "shows its certificate in the TLS handshake",
        "5986",
    );
}
