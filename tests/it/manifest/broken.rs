//! Inventories with one thing wrong: the place, the words and the help.

use crate::manifest::complains;
use crate::manifest::read;

/// Refused, with one complaint among all at that place.
#[track_caller]
fn check(text: &str, at: (usize, usize), message: &str, help: &str) {
    let diagnostics = read(text).expect_err("inventory should be refused");
    complains(&diagnostics, text, at, message, help);
}

/// Taken, with a warning.
#[track_caller]
fn warns(text: &str, at: (usize, usize), message: &str, help: &str) {
    let inventory = read(text).map_err(|d| d.render(false)).expect("inventory should be taken");
    complains(&inventory.warnings, text, at, message, help);
}

/// A file server with these host variables.
fn server(vars: &str) -> String {
    format!(
        "all:\n  vars:\n    rms_connector_url: https://rms.contoso.com\n  hosts:\n    FS01:\n      \
         rms_role: fci\n      {vars}\n"
    )
}

#[test]
fn a_misspelt_key_gets_a_suggestion() {
    check(
        "all:\n  vars:\n    rms_rol: fci\n  hosts:\n    FS01:\n",
        (3, 5),
        "unknown key `rms_rol`",
        "did you mean `rms_role`?",
    );
    check(&server("rms-site: ams"), (7, 7), "unknown key `rms-site`", "did you mean `rms_site`?");
    check(&server("rms_zebra_crossing: 1"), (7, 7), "unknown key", "remove it");
    check(
        "all:\n  host:\n    FS01:\n",
        (2, 3),
        "unknown key `host` in group `all`",
        "did you mean `hosts`?",
    );
}

#[test]
fn a_key_in_the_wrong_place_is_told_where_it_belongs() {
    let text = "all:\n  rms_role: fci\n  hosts:\n    FS01:\n";
    check(text, (2, 3), "unknown key `rms_role`", "below `vars:`");
    let text = "all:\n  web:\n    hosts:\n      FS01:\n";
    check(text, (2, 3), "unknown key `web`", "below `children:`");
    check("hosts:\n  FS01:\n", (1, 1), "`hosts` stands outside of a group", "put `all:` above");
}

#[test]
fn a_duplicate_key_names_both_lines() {
    check(
        "all:\n  vars:\n    rms_site: ams\n    rms_site: fra\n  hosts:\n    FS01:\n",
        (4, 5),
        "key `rms_site` is given twice, first in line 3",
        "keep one",
    );
}

#[test]
fn a_syntax_error_has_its_place() {
    check("all:\n\thosts:\n", (2, 1), "a tab stands in the indentation", "indent with spaces");
    check("all:\n  vars:\n    x: a: b\n", (3, 9), "mapping values", "into quotes");
    check("all:\n  vars:\n    x: \"a\n  hosts:\n", (3, 8), "unclosed quote", "close the quote");
    check("all:\n  hosts:\n    FS01:\n   FS02:\n", (4, 4), "not valid YAML", "2 or 4 spaces");
    check("all:\n  vars: *nope\n", (2, 9), "unknown anchor", "define the anchor");
    check("all:\n  vars: { a: 1\n  hosts:\n", (3, 8), "flow mapping", "close every `{`");
    check("all:\n  vars:\n    x: @me\n", (3, 8), "unexpected character", "into quotes");
    check("all:\n  hosts:\n    A:\n---\nall:\n", (5, 1), "second YAML document", "one document");
}

#[test]
fn a_slip_that_the_parser_notices_late_is_shown_where_it_is() {
    let vars = |lines: &str| format!("all:\n  vars:\n{lines}  hosts:\n    FS01:\n");
    check(&vars("    a: b\n\t"), (4, 1), "a tab stands in the indentation", "with spaces");
    check(&vars("    rms_role:fci\n    a: b\n"), (3, 5), "missing after `rms_role:`", "a space");
    check(&vars("    a: b\n      c: d\n"), (4, 7), "deeper than the one above", "4 spaces");
    let groups = |name: &str| format!("all:\n  children:\n    {name}\n    mail:\n      hosts:\n");
    check(&groups("fci"), (3, 5), "a colon is missing after `fci`", "write `fci:`");
    check(&groups("FS[1:2].x"), (3, 5), "missing after `FS[1:2].x`", "write `FS[1:2].x:`");
    let ini = "# hosts\n[fci]\nFS01 ansible_host=10.0.0.1\n";
    check(ini, (2, 1), "an INI inventory", "ansible-inventory");
    let escape = vars("    ansible_user: \"CORP\\svc\"\n");
    check(&escape, (3, 19), "not valid YAML", "single quotes");
    let secret = vars("    ansible_password:\n      hunter2\n      a: b\n");
    let shown = read(&secret).expect_err("refused").to_string();
    assert!(!shown.lines().next().unwrap_or_default().contains("hunter2"), "{shown}");
}

#[test]
fn settings_without_a_role_are_not_passed_over_in_silence() {
    let text = "all:\n  vars:\n    rms_site: ams\n  hosts:\n    FS01:\n      rms_canary: 1\n";
    warns(text, (6, 7), "`rms_canary` stands on hosts without `rms_role`", "`rms_role: none`");
    let meant = text.replace("rms_canary: 1", "{ rms_canary: 1, rms_role: none }");
    assert!(read(&meant).is_ok_and(|inventory| inventory.warnings.is_empty()));
}

#[test]
fn a_list_is_no_mapping() {
    let text = "all:\n  hosts:\n    - FS01\n";
    check(text, (3, 5), "`hosts` needs a mapping of names, found a list", "not `- NAME`");
    check("all:\n  hosts:\n    FS01\n", (3, 5), "needs a mapping of names", "with a colon");
    check("- all\n", (1, 1), "inventory needs a mapping of groups", "begin with `all:`");
    check("all:\n  vars: x\n", (2, 9), "variables of group `all` need a mapping", "name: value");
    check(
        "all:\n  hosts:\n    FS01:\n      rms_role:fci\n",
        (4, 7),
        "variables of host `FS01` need a mapping",
        "a space after the colon",
    );
    check("all: [a]\n", (1, 6), "group `all` needs a mapping", "`hosts:`");
}

#[test]
fn an_empty_inventory_is_refused() {
    check("", (1, 1), "inventory is empty", "begin with `all:`");
    check("all:\n  vars: { a: b }\n", (1, 1), "inventory has no hosts", "below `hosts:`");
}

#[test]
fn a_secret_in_clear_text_is_refused_and_not_shown() {
    let text = "all:\n  vars:\n    ansible_password: hunter2\n  hosts:\n    FS01: \
                { ansible_winrm_password: 'two, words', rms_rol: x }\n";
    check(text, (3, 5), "`ansible_password` holds a secret in clear text", "credentials.yml");
    check(text, (5, 13), "`ansible_winrm_password` holds a secret", "credentials.yml");
    check(text, (5, 51), "unknown key `rms_rol`", "did you mean");
    let shown = read(text).expect_err("refused").render(false);
    assert!(!shown.contains("hunter2") && !shown.contains("words"), "{shown}");
    let twice = "all:\n  vars:\n    ansible_password: hunter2\n    ansible_password: hunter3\n";
    let shown = read(twice).expect_err("refused").render(false);
    assert!(!shown.contains("hunter"), "{shown}");
    let broken = "all:\n  vars:\n    ansible_password: hunter2: x\n";
    let shown = read(broken).expect_err("refused").render(false);
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn a_word_that_is_not_allowed_lists_the_ones_that_are() {
    let words = "one of `exchange`, `sharepoint`, `fci`, `connector`, `none`";
    let text = "all:\n  hosts:\n    EX01:\n      rms_role: exchnage\n";
    check(text, (4, 17), words, "did you mean `exchange`?");
    check(&server("rms_restart: sometimes"), (7, 20), "`auto`, `always`", "write one of");
    check(&server("rms_prior_adrms: no"), (7, 24), "`auto`, `used`, `never`", "write one of");
    check(&server("rms_configure: yes"), (7, 22), "`auto`, `true`, `false`", "write `true`");
    check(&server("rms_product: windows-server-2019"), (7, 20), "one of", "`windows-2019`?");
    check(&server("rms_product: windows-2061"), (7, 20), "`windows-2016`", "did you mean");
    check(&server("rms_farm_role: [front]"), (7, 23), "`front-end`", "write one of");
    check(&server("rms_exchange_auth: ntlm"), (7, 26), "`kerberos`, `negotiate`", "write one");
}

#[test]
fn a_wrong_type_says_what_is_wanted() {
    check(&server("rms_canary: first"), (7, 19), "whole number from 1", "write a number");
    check(&server("rms_canary: 0"), (7, 19), "whole number from 1", "write a number");
    check(&server("rms_tags: vip"), (7, 17), "needs a list, found `vip`", "[vip]");
    check(&server("rms_tags: vip, old"), (7, 17), "needs a list", "[vip, old]");
    check(&server("rms_site: \"a\\rb\""), (7, 17), "control characters", "single quotes");
    check(&server("rms_tags: [vip, no]"), (7, 23), "bare `no` is a boolean", "\"no\"");
    check(&server("rms_site: on"), (7, 17), "bare `on` is a boolean", "\"on\"");
    check(&server("rms_farm: 1.10"), (7, 17), "bare `1.10` is a number", "\"1.10\"");
    check(&server("rms_site:"), (7, 7), "needs a text, found nothing", "write a text");
    check(&server("rms_site: \"\""), (7, 17), "found an empty one", "write a text");
    check(&server("rms_site: { a: b }"), (7, 17), "found a mapping", "write a text");
}

#[test]
fn a_url_is_corrected() {
    let url = |text: &str| {
        format!(
            "all:\n  vars:\n    rms_connector_url: {text}\n  hosts:\n    FS01: {{ rms_role: fci }}\n"
        )
    };
    let at = (3, 24);
    check(
        &url("https://rms.contoso.com/_wmcs"),
        at,
        "a path `/_wmcs`",
        "`https://rms.contoso.com`",
    );
    check(&url("https://https://rms.contoso.com"), at, "given twice", "`https://rms.contoso.com`");
    check(&url("rms.contoso.com"), at, "no scheme", "`https://rms.contoso.com`");
    check(&url("https://<YourConnector>"), at, "placeholder", "real host name");
    check(&url("ftp://rms.contoso.com"), at, "neither http nor https", "`https://rms.contoso.com`");
    let tenant = "all:\n  vars: { rms_tenant_url: \"http://x.aadrm.com\" }\n  hosts: { A: }\n";
    check(tenant, (2, 27), "needs an https URL", "write `https://x.aadrm.com`");
    check(
        &server("rms_exchange_url: http://ex01/Power Shell/"),
        (7, 25),
        "plain path",
        "PowerShell",
    );
}

#[test]
fn a_template_is_refused() {
    check(&server("rms_site: \"{{ site }}\""), (7, 17), "holds a template", "the value itself");
    check(&server("rms_site: {{ site }}"), (7, 18), "without quotes", "the value itself");
    check(&server("ansible_host: \"{{ ip }}\""), (7, 21), "holds a template", "the value itself");
}

#[test]
fn what_a_role_needs_must_be_there() {
    let text =
        "all:\n  hosts:\n    EX[01:02]: { rms_role: exchange }\n    FS01: { rms_role: fci }\n";
    let words = "has role `exchange` and no `rms_connector_url`";
    check(text, (3, 5), words, "once for all hosts");
    check(text, (4, 5), "has role `fci` and no `rms_connector_url`", "once for all hosts");
    let count = read(text).expect_err("refused").errors().count();
    assert_eq!(count, 2, "a range complains once");
}

#[test]
fn a_product_must_fit_its_role() {
    let text = server("rms_product: exchange-2019");
    check(&text, (7, 20), "`exchange-2019` is not a product of role `fci`", "`windows-2016`");
}

#[test]
fn one_node_is_no_connector_name() {
    let text = "all:\n  vars: { rms_connector_url: \"https://RMSC01.corp.contoso.com\" }\n  hosts:\n    \
                FS01: { rms_role: fci }\n    RMSC01.corp.contoso.com: { rms_role: connector }\n";
    check(text, (2, 30), "names the single connector node", "load-balanced name");
    let text = text.replace("RMSC01.corp.contoso.com\"", "10.0.0.9\"");
    let text = text.replace("rms_role: connector", "rms_role: connector, ansible_host: 10.0.0.9");
    check(&text, (2, 30), "names the single connector node", "load-balanced name");
}

#[test]
fn the_connector_never_runs_on_a_server_that_it_serves() {
    let text = "all:\n  vars: { rms_connector_url: \"https://ex01.corp.contoso.com\" }\n  hosts:\n    \
                FS01: { rms_role: fci }\n    EX01.corp.contoso.com: { rms_role: exchange }\n";
    let words = "names `EX01.corp.contoso.com`, a server of role `exchange`";
    check(text, (2, 30), words, "write its own name");
    check(
        &text.replace("EX01.corp.contoso.com:", "ex01:"),
        (2, 30),
        "a server of role",
        "own name",
    );
}

#[test]
fn an_old_cluster_is_neither_the_connector_nor_a_tenant() {
    let with = |url: &str| {
        format!(
            "all:\n  vars:\n    rms_connector_url: https://rms.contoso.com\n    rms_tenant_url: \
             https://t1.contoso.com\n    rms_adrms_urls: [https://adrms.contoso.com, {url}]\n  hosts:\n    \
             EX01: {{ rms_role: exchange }}\n"
        )
    };
    let help = "AD RMS cluster that is left behind";
    check(&with("https://RMS.contoso.com"), (5, 49), "the connector's own URL", help);
    check(&with("http://t1.contoso.com"), (5, 49), "a tenant's URL", help);
    check(&with("https://x.rms.eu.aadrm.com"), (5, 49), "a tenant's URL", help);
}

#[test]
fn groups_of_equal_depth_must_agree() {
    let text = "all:\n  children:\n    a:\n      vars: { rms_site: ams }\n      hosts: { FS01: }\n    \
                b:\n      vars: { rms_site: fra }\n      hosts: { FS01: }\n";
    let words = "groups `a` (line 4) and `b` (line 7) disagree on `rms_site`";
    check(text, (7, 15), words, "on the host or in a deeper group");
}

#[test]
fn a_host_has_one_role() {
    let text = "all:\n  children:\n    mail:\n      vars: { rms_role: exchange }\n      hosts: { A: }\n    \
                files:\n      children:\n        deep:\n          vars: { rms_role: fci }\n          \
                hosts: { A: }\n";
    check(text, (9, 19), "disagree on `rms_role`", "a host has one role");
}

#[test]
fn a_host_has_one_value_of_a_key() {
    let text = "all:\n  children:\n    a:\n      hosts: { FS01: { rms_site: ams } }\n    b:\n      \
                hosts: { FS01: { rms_site: fra } }\n";
    check(text, (6, 24), "host `FS01` has two values of `rms_site`, in lines 4 and 6", "keep one");
    let text = "all:\n  children:\n    a:\n      children:\n        c: { vars: { rms_site: x } }\n    \
                b:\n      children:\n        c: { vars: { rms_site: y } }\n  hosts: { A: }\n";
    check(text, (8, 22), "group `c` has two values of `rms_site`, in lines 5 and 8", "keep one");
}

#[test]
fn a_circle_of_groups_is_drawn() {
    let text = "all:\n  hosts: { A: }\n  children:\n    a:\n      children:\n        b:\n          \
                children:\n            a:\n";
    check(text, (8, 13), "groups stand in a circle", "remove one");
    check("a: { children: { a: } }\n", (1, 18), "circle: a > a", "remove one");
    check("a: { children: { all: } }\n", (1, 18), "circle", "remove one");
}

#[test]
fn a_range_must_stand_for_hosts() {
    let range = |name: &str| format!("all:\n  hosts:\n    {name}:\n");
    check(&range("FS[12:01]"), (3, 5), "ends before it starts", "write `[01:12]`");
    check(&range("FS[01:100]"), (3, 5), "another width", "same number of digits");
    check(&range("FS[1:a]"), (3, 5), "mixes numbers and letters", "two single letters");
    check(&range("FS[01:12"), (3, 5), "not closed", "`FS[01:12]`");
    check(&range("FS[1:99999]"), (3, 5), "more than 10000 hosts", "smaller");
    check(&range("\"[a:c].x\":\n    FS[1:9:0]"), (4, 5), "step", "1 or more");
    let text = "all:\n  hosts:\n    FS[01:03]:\n    FS[03:05]:\n";
    check(text, (4, 5), "host `FS03` is listed twice in group `all`, first in line 3", "meet");
}

#[test]
fn a_host_name_must_be_one() {
    let host = |name: &str| format!("all:\n  hosts:\n    {name}:\n");
    check(&host("FS 9"), (3, 5), "`FS 9` is not a host name", "letters, digits");
    check(&host("https://fs01"), (3, 5), "not a host name", "`ansible_winrm_scheme`");
    check(&host("fs01:5986"), (3, 5), "not a host name", "`ansible_port`");
    check(&host("FS01:\n    fs01"), (4, 5), "spelled `FS01` in line 3", "write `FS01`");
    check(&host("[a:c].x"), (3, 5), "key is not a text", "into quotes");
}

#[test]
fn a_connection_must_be_one_that_we_have() {
    check(
        &server("ansible_connection: ssh"),
        (7, 27),
        "needs `winrm` or `psrp`",
        "take `rms_role`",
    );
    check(&server("ansible_port: 99999"), (7, 21), "from 1 to 65535", "write a number");
    check(&server("ansible_winrm_transport: credssp"), (7, 32), "not supported", "`negotiate`");
    check(
        &server("ansible_winrm_transport: nltm"),
        (7, 32),
        "needs one of",
        "did you mean `ntlm`?",
    );
    check(&server("ansible_winrm_scheme: htps"), (7, 29), "needs one of", "did you mean `https`?");
    check(&server("ansible_host: 10.0.0.1:5985"), (7, 21), "needs a host name", "`ansible_port`");
    check(
        &server("ansible_port: 5985\n      ansible_winrm_transport: basic"),
        (8, 32),
        "clear text over http",
        "use `negotiate`",
    );
    check(
        &server(
            "ansible_winrm_operation_timeout_sec: 60\n      ansible_winrm_read_timeout_sec: 30",
        ),
        (8, 39),
        "must be longer than",
        "write 70",
    );
}

#[test]
fn urls_of_an_old_cluster_are_origins_too() {
    let path = "rms_adrms_urls: [https://adrms.contoso.com/_wmcs/licensing]";
    check(&server(path), (7, 24), "scheme and host", "write `https://adrms.contoso.com`");
    let twice = "rms_adrms_urls: [https://a.contoso.com, HTTPS://A.contoso.com/]";
    check(&server(twice), (7, 23), "twice", "correct the value");
    check(&server("rms_adrms_urls: https://a.contoso.com"), (7, 23), "needs a list", "brackets");
    let endpoint = "rms_sharepoint_configuration: \"Rms; Farm\"";
    check(&server(endpoint), (7, 37), "name of a session configuration", "Contoso.RmsFarm");
}

#[test]
fn an_unknown_tag_is_refused() {
    check(&server("x: !lookup y"), (7, 10), "unknown tag `!lookup`", "`!vault`");
}

#[test]
fn every_complaint_comes_at_once() {
    let text = "all:\n  vars:\n    rms_rol: x\n    rms_site: ams\n    rms_site: fra\n    \
                ansible_password: x\n  hosts:\n    FS[2:1]:\n    FS01: { rms_role: fci, rms_canary: x }\n";
    let diagnostics = read(text).expect_err("refused");
    let lines: Vec<usize> = diagnostics.errors().map(|item| item.line).collect();
    assert_eq!(lines, [3, 5, 6, 8, 9, 9], "{}", diagnostics.render(false));
}

#[test]
fn bytes_before_the_place_do_not_move_the_caret() {
    let text = "all:\n  hosts:\n    FS01: { a: \"ä€😀\", rms_rle: fci }\n";
    check(text, (3, 23), "unknown key `rms_rle`", "did you mean `rms_role`?");
    check("\u{feff}all:\n  hots:\n", (2, 3), "unknown key `hots`", "did you mean `hosts`?");
    check("all:\r\n  hots:\r\n", (2, 3), "unknown key `hots`", "did you mean `hosts`?");
}

#[test]
fn strange_is_not_wrong() {
    warns(
        &server("ansible_group_priority: 5"),
        (7, 7),
        "`ansible_group_priority` is ignored",
        "deeper",
    );
    warns(&server("ansible_hots: x"), (7, 7), "`ansible_hots` is ignored", "`ansible_host`");
    warns(
        &server("ansible_password: !vault |\n        6162"),
        (7, 25),
        "`!vault` value",
        "credentials",
    );
    warns(&server("ansible_password: \"{{ x }}\""), (7, 7), "is ignored", "credentials.yml");
    let ignore = "ansible_winrm_server_cert_validation: ignore";
    warns(&server(ignore), (7, 45), "lets anyone in between read and change", "");
    let group = server("rms_site: ams").replace("  hosts:", &format!("    {ignore}\n  hosts:"));
    warns(&group, (4, 43), "honoured on a host only", "");
    warns("all:\n  hosts:\n    A:\n", (3, 5), "no host has `rms_role`", "below the `vars:`");
    let short = server("rms_site: ams").replace("rms.contoso.com", "rms");
    warns(&short, (3, 24), "not a fully qualified name", "short name");
}

#[test]
fn a_pin_is_a_whole_thumbprint() {
    check(&server("rms_tls_pin: abcd"), (7, 20), "found 4", "CertificateThumbprint");
    check(&server("rms_tls_pin: sha1"), (7, 20), "found `s`", "CertificateThumbprint");
    check(&server("rms_ca_file: []"), (7, 20), "needs a text", "write a text");
}

#[test]
fn other_hosts_of_an_existing_inventory_are_left_alone() {
    let text = "all:\n  hosts:\n    LX01:\n      ansible_connection: ssh\n      ansible_port: 0\n      \
                ansible_host: \"{{ ip }}\"\n      company: contoso\n      when: no\n";
    let inventory = read(text).expect("taken");
    assert_eq!(inventory.hosts.first().map(|host| host.role), Some(None));
}
