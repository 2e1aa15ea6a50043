use super::*;
use crate::model::facts::HostSurvey;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedWork;
use crate::model::step::Act;
use crate::model::step::SettingValue;
use crate::model::tls::TlsTrust;
use crate::plan::sample::Fleet;

const MSDRM: &str = r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation";

fn options() -> RenderOptions {
    RenderOptions {
        width: 120,
        style: Style::PLAIN,
        full: false,
        host: None,
        digest: None,
        now: None,
    }
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let mut rest = text;
    for part in expected {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("`{part}` is missing, or not in this order, in:\n{text}");
        };
        rest = after;
    }
}

fn tour() -> Fleet {
    let mut fleet = Fleet::new(&["EX1", "EX2", "SP1", "SP2", "FS1", "FS2", "FS3", "RMSC1"]);
    fleet.set("EX1", MSDRM, "", "https://adrms.corp.contoso.com/_wmcs/certification");
    fleet
}

#[test]
fn a_plan_reads_from_summary_to_summary() {
    let text = render(&tour().plan(), &options());
    check(
        &text,
        &[
            "rmsfleet plan  sample",
            "8 hosts · rules sample 1 · 1 read-only connector",
            " exchange        2       2      0        0             0  1 required (AD RMS)",
            " fci             3       3      0        0             0  3 always",
            "14 values on 7 hosts, 4 change sets",
            " A  3 hosts  FS[1-3]",
            r"HKLM\SOFTWARE\Microsoft\MSDRM\ServiceLocation",
            r"+ Activation\(Default)  REG_SZ",
            "absent → https://rms.contoso.com/_wmcs/certification",
            "~ MSDRM\\ServiceLocation\\Activation\\(Default)  REG_SZ",
            "  https://adrms.corp.contoso.com/_wmcs/certification",
            "→ https://t1.rms.eu.aadrm.com/_wmcs/certification",
            "ORG-WIDE, ONCE — affects every mailbox of Contoso",
            "~ Set-IRMConfiguration  InternalLicensingEnabled  False → True",
            "after 2 verified servers: EX[1-2]",
            "asks for --confirm Contoso",
            "RESTARTS  4, at most 1 per role exchange, 2 per role fci",
            "required  FS[1-3]  rule fci.always",
            "because  2 values change",
            "required  EX1  rule exchange.if-adrms",
            "points to adrms.corp.contoso.com (row 1)",
            "not needed  EX2  rule exchange.if-adrms",
            "not seen  AD RMS, in 17 places",
            "STAGES",
            "servers       7 hosts in 3 batches (1, 4, 2), stops at the 1st failed host",
            "Plan  14 values · 7 hosts · 1 org-wide step · 4 restarts",
        ],
    );
}

#[test]
fn evidence_is_told_worst_first_and_in_full_with_its_source() {
    let mut fleet = tour();
    let office = crate::model::registry::KeyPath::new(
        r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
    );
    for name in ["FS1", "FS2"] {
        let names = vec!["Office16.PROPLUS".to_owned()];
        let told = crate::model::particulars::Asked::Told(names);
        fleet.seen(name).particulars.subkeys.insert(office.clone(), told);
    }
    fleet.seen("FS3").particulars.services = crate::model::particulars::Asked::Told([].into());
    let plan = fleet.plan();
    let folded = render(&plan, &options());
    check(
        &folded,
        &[
            "PREFLIGHT",
            "1 block",
            "! FS[1-2]  office-client-installed: found Office16.PROPLUS",
            "not read",
            "AUTHORISE",
            "every 15 minutes",
            r"CORP\Exchange Servers",
            "FS[1-2]$",
            "BLOCKED",
            "✗ FS3  product-version: expected the File Server Resource Manager",
        ],
    );
    let host = Some(HostName::new("FS3"));
    let alone = render(&plan, &RenderOptions { host, ..options() });
    check(
        &alone,
        &[
            "block     product-version  found no service SrmSvc",
            "Win32_Service SrmSvc, 2026-11-02 20:00:00Z",
            "ok        os-supported",
        ],
    );
}

#[test]
fn five_hundred_hosts_with_three_sets_fit_on_a_page_and_a_half() {
    let names: Vec<String> = (1..=480)
        .map(|number| format!("FS{number:03}"))
        .chain((1..=16).map(|number| format!("EX{number:02}")))
        .chain((1..=4).map(|number| format!("SP{number}")))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let text = render(&Fleet::new(&names).plan(), &options());
    check(&text, &["A  480 hosts  FS[001-480]", "500 hosts · 1 org-wide step · 480 restarts"]);
    assert!(text.lines().count() < 80, "{text}");
}

#[test]
fn many_different_findings_are_counted_not_listed() {
    let names: Vec<String> = (1..=500).map(|number| format!("FS{number:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut fleet = Fleet::new(&names);
    for host in fleet.hosts.clone() {
        let failure =
            Failure::new(FailureKind::Unreachable, format!("no connection to {}", host.name));
        fleet.survey.hosts.insert(host.name, HostSurvey::Failed(failure));
    }
    let text = render(&fleet.plan(), &options());
    check(&text, &["BLOCKED", "and 492 blockers more (--full)", "nothing that can be done"]);
    assert!(text.lines().count() < 80, "{text}");
    let full = render(&fleet.plan(), &RenderOptions { full: true, ..options() });
    check(&full, &["no connection to FS500"]);
}

#[test]
fn blockers_are_said_in_words_with_what_to_do() {
    let mut fleet = tour();
    fleet.host("FS2").product = Some(crate::model::product::Product::Windows2019);
    fleet.survey.organisations = vec![crate::plan::sample::organisation(&["EX1", "EX2", "EX7"])];
    let text = render(&fleet.plan(), &options());
    check(
        &text,
        &[
            "! held back: EX7 not in scope of the inventory (--waive-server EX7)",
            "NOTES",
            "! FS2  undocumented: windows-2019 is undocumented for the connector",
            "BLOCKED",
            "✗ FS2  product-version: found windows-2016",
            "fix: correct `rms_product`, or --waive FS2:product-version",
            "1 blocked",
        ],
    );
}

#[test]
fn what_hosts_say_cannot_forge_a_line_of_the_plan() {
    let mut plan = tour().plan();
    let forged = "x\n! EX9  forged: line\u{1b}[2J\u{202e}";
    for host in plan.hosts.values_mut() {
        for evidence in &mut host.verdict.evidence {
            evidence.text = forged.to_owned();
        }
        host.blockers.push(Blocker { id: "fault".into(), text: forged.into(), hint: None });
    }
    for stage in &mut plan.stages {
        if let PlannedWork::Step(step) = &mut stage.work {
            step.organisation = forged.to_owned();
            step.identity = forged.to_owned();
        }
    }
    for full in [false, true] {
        let text = render(&plan, &RenderOptions { full, ..options() });
        assert!(!text.contains("\n! EX9") && text.contains(r"\u{a}!"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
}

#[test]
fn a_plan_without_work_says_so() {
    let mut fleet = tour();
    let plan = fleet.plan();
    fleet.apply(&plan);
    let text = render(&fleet.plan(), &options());
    check(
        &text,
        &[
            "ORGANISATION Contoso  has all that Set-IRMConfiguration would set; nothing to do",
            "Nothing to do: every value was read and is as wanted",
        ],
    );
    assert!(!text.contains("STAGES"), "{text}");
}

#[test]
fn ascii_and_no_colour_are_kept_to() {
    let style = Style { colour: false, unicode: false };
    for full in [false, true] {
        let text = render(&tour().plan(), &RenderOptions { style, full, ..options() });
        assert!(text.is_ascii(), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
    let style = Style { colour: true, unicode: true };
    let text = render(&tour().plan(), &RenderOptions { style, ..options() });
    assert!(text.contains('\u{1b}'));
}

#[test]
fn one_host_is_shown_with_all_its_evidence() {
    let host = Some(HostName::new("EX1"));
    let text = render(&tour().plan(), &RenderOptions { host, ..options() });
    check(
        &text,
        &[
            "EX1\n",
            "exchange, exchange-2016",
            "http://EX1:5985/wsman as `default`",
            "says it is EX1 of corp.contoso.com",
            "role:exchange (at most 1 down)",
            "3 values to change",
            "restart required  rule exchange.if-adrms",
            "because  MSDRM",
            "against  ",
            "stage `servers`, batch 1 of 3",
        ],
    );
    let host = Some(HostName::new("NOPE"));
    let text = render(&tour().plan(), &RenderOptions { host, ..options() });
    assert_eq!(text, "the plan has no host `NOPE`\n");
}

#[test]
fn the_json_has_the_plan_and_what_is_derived_from_it() {
    let plan = tour().plan();
    let text = json(&plan, Some("abc")).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["digest"], "abc");
    assert_eq!(value["summary"]["values"], 14);
    assert_eq!(value["sets"][0]["hosts"][0], "FS1");
    let back: Plan = serde_json::from_value(value["plan"].clone()).unwrap();
    assert_eq!(back, plan);
}

#[test]
fn numbers_are_counted_off_as_people_do() {
    let got: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 111].into_iter().map(ordinal).collect();
    assert_eq!(got, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "111th"]);
    assert_eq!(batch_sizes(&[1, 5, 5, 2]), " (1, 2 times 5, 2)");
    assert_eq!(batch_sizes(&[4]), "");
    assert_eq!(batch_sizes(&[1, 1, 1]), " (1 each)");
}

#[test]
fn a_certificate_that_nobody_checks_stands_first_and_in_red() {
    let mut fleet = tour();
    let host = fleet.hosts.iter_mut().find(|host| host.name.as_str() == "FS2").unwrap();
    host.endpoint.tls = TlsTrust::Ignore;
    let plan = fleet.plan();
    check(&render(&plan, &options()), &["NOTES", "! FS2  tls-ignored: the certificate is not"]);
    let (style, full) = (Style { colour: true, ..Style::PLAIN }, true);
    let text = render(&plan, &RenderOptions { style, full, ..options() });
    let red = style.paint(Tint::Bad, "x");
    let start = red.split_once('x').unwrap().0;
    assert!(text.contains(&format!("{start}    ! FS2  tls-ignored")), "{text}");
}

#[test]
fn what_an_undo_brings_back_is_not_called_lost() {
    let with = |change: &dyn Fn(&mut Act)| {
        let mut plan = tour().plan();
        for stage in &mut plan.stages {
            if let PlannedWork::Step(step) = &mut stage.work {
                change(&mut step.act);
            }
        }
        render(&plan, &options())
    };
    let off = with(&|act| {
        let Act::ExchangeIrm { settings, .. } = act else { panic!("another act") };
        for setting in settings {
            (setting.before, setting.after) = (SettingValue::Bool(true), SettingValue::Bool(false));
        }
    });
    check(&off, &["! Information Rights Management goes off for every mailbox"]);
    assert!(!off.contains("cannot be taken back"), "{off}");
    let gone = with(&|act| *act = Act::RefreshCertificates);
    check(&gone, &["! cannot be taken back: nothing brings back what is removed"]);
}
