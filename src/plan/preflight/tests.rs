use super::*;

use crate::model::particulars::AccessEntry;
use crate::model::particulars::Asked;
use crate::model::particulars::PolicySetting;
use crate::model::particulars::WebAnswer;
use crate::model::preflight::Status;
use crate::model::registry::Listing;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::plan::sample;

/// The worst status of a check on a host that is sound but for one edit, and how many blockers.
#[track_caller]
fn check(
    (role, product): (Role, Option<Product>),
    edit: impl FnOnce(&mut Observation),
    demand: Option<Demand>,
    (check, status, blocked): (Check, Status, usize),
) {
    let host = sample::host("H1", role);
    let hosts = [host.clone()];
    let mut seen = sample::observation("H1", role);
    match role {
        Role::Exchange => sample::install_exchange_2016(&mut seen),
        Role::Sharepoint => sample::install_sharepoint_2016(&mut seen),
        Role::Fci | Role::Connector => {}
    }
    edit(&mut seen);
    let mut preflight = Preflight::default();
    preflight.demands.extend(demand.map(|demand| (check, demand)));
    let survey = Survey::default();
    let case = Case {
        host: &host,
        role,
        product,
        observation: &seen,
        survey: &survey,
        hosts: &hosts,
        preflight: &preflight,
        defaults: &default_keys(role, &sample::pack()),
    };
    let (findings, blockers) = findings(case);
    let own: Vec<&Finding> = findings.iter().filter(|one| one.id == check.id()).collect();
    let worst = own.iter().map(|one| one.status).min();
    assert_eq!(worst, Some(status), "{own:#?}");
    let own = blockers.iter().filter(|one| one.id == check.id()).count();
    assert_eq!(own, blocked, "{blockers:#?}");
}

const EXCHANGE: (Role, Option<Product>) = (Role::Exchange, Some(Product::Exchange2016));
const SHAREPOINT: (Role, Option<Product>) = (Role::Sharepoint, Some(Product::Sharepoint2016));
const FCI: (Role, Option<Product>) = (Role::Fci, Some(Product::Windows2016));

fn put(seen: &mut Observation, key: &str, name: &str, value: Value) {
    sample::set(seen, &ValuePath::new(key, name), State::Present(value));
}

fn sz(text: &str) -> Value {
    Value::Sz(text.to_owned())
}

#[test]
fn a_sound_host_passes_what_blocks() {
    for host in [EXCHANGE, SHAREPOINT, FCI] {
        for id in [Check::OsSupported, Check::NoPendingReboot, Check::NotConnectorServer] {
            check(host, |_| {}, None, (id, Status::Ok, 0));
        }
    }
    check(FCI, |_| {}, None, (Check::ProductVersion, Status::Ok, 0));
    check(EXCHANGE, |_| {}, None, (Check::ProductVersion, Status::Ok, 0));
    check(SHAREPOINT, |_| {}, None, (Check::MsipcClient, Status::Ok, 0));
}

#[test]
fn the_rms_client_is_compared_as_numbers() {
    let key = r"SOFTWARE\Microsoft\MSIPC\CurrentVersion";
    for (version, status, blocked) in [
        ("1.0.2004.0", Status::Ok, 0),
        ("1.0.2003.9", Status::Block, 1),
        ("1.0.622.34", Status::Block, 1),
        ("1.0.10000.0", Status::Ok, 0),
        ("2.x", Status::Block, 1),
    ] {
        let edit = |seen: &mut Observation| put(seen, key, "", sz(version));
        check(SHAREPOINT, edit, None, (Check::MsipcClient, status, blocked));
    }
    let gone = |seen: &mut Observation| sample::set(seen, &ValuePath::new(key, ""), State::Absent);
    check(SHAREPOINT, gone, None, (Check::MsipcClient, Status::Block, 1));
    let se = (Role::Sharepoint, Some(Product::SharepointSe));
    check(se, gone, Some(Demand::Proved), (Check::MsipcClient, Status::Warn, 0));
    let unread = |seen: &mut Observation| {
        let reading = Reading::Unreadable("access denied".to_owned());
        seen.values.insert(ValuePath::new(key, ""), reading);
    };
    check(SHAREPOINT, unread, None, (Check::MsipcClient, Status::NotRead, 1));
    check(SHAREPOINT, unread, Some(Demand::Told), (Check::MsipcClient, Status::NotRead, 0));
}

#[test]
fn exchange_2013_needs_its_third_cumulative_update() {
    let host = (Role::Exchange, Some(Product::Exchange2013));
    for (build, minor, status, blocked) in [
        (775, 38, Status::Ok, 0),
        (775, 37, Status::Block, 1),
        (712, 99, Status::Block, 1),
        (1497, 2, Status::Ok, 0),
    ] {
        let edit = |seen: &mut Observation| {
            let key = crate::plan::product::EXCHANGE_SETUPS[0];
            put(seen, key, "MsiProductMinor", Value::Dword(0));
            put(seen, key, "MsiBuildMajor", Value::Dword(build));
            put(seen, key, "MsiBuildMinor", Value::Dword(minor));
        };
        check(host, edit, None, (Check::ProductVersion, status, blocked));
    }
}

#[test]
fn exchange_2010_needs_a_rollup_that_only_its_file_tells() {
    let host = (Role::Exchange, Some(Product::Exchange2010));
    for (noted, file, status, blocked) in [
        ([14, 3, 123, 4], Some("14.3.195.1"), Status::Ok, 0),
        ([14, 3, 123, 4], Some("14.3.194.9"), Status::Block, 1),
        ([14, 3, 123, 4], None, Status::NotRead, 1),
        ([14, 3, 195, 1], None, Status::Ok, 0),
        // A higher build of an older service pack.
        ([14, 2, 390, 3], Some("14.2.390.3"), Status::Block, 1),
    ] {
        let edit = |seen: &mut Observation| {
            let key = crate::plan::product::EXCHANGE_SETUPS[1];
            let names = ["MsiProductMajor", "MsiProductMinor", "MsiBuildMajor", "MsiBuildMinor"];
            for (name, number) in names.into_iter().zip(noted) {
                put(seen, key, name, Value::Dword(number));
            }
            seen.particulars.files.clear();
            if let Some(version) = file {
                let told = Asked::Told(Some(version.to_owned()));
                seen.particulars.files.insert(r"C:\X\Bin\ExSetup.exe".to_owned(), told);
            }
        };
        check(host, edit, None, (Check::ProductVersion, status, blocked));
    }
}

#[test]
fn the_old_rms_client_has_its_own_limit_on_every_old_windows() {
    let path = r"C:\Windows\System32\msdrm.dll";
    for (windows, file, status, blocked) in [
        ("6.2.9200", None, Status::Ok, 0),
        ("6.1.7601", Some("6.1.7600.17000"), Status::Ok, 0),
        ("6.1.7601", Some("6.1.7600.16385"), Status::Block, 1),
        ("6.0.6002", Some("6.0.6002.22761"), Status::Ok, 0),
        ("6.0.6002", Some("6.0.6002.9999"), Status::Block, 1),
        ("6.1.7601", None, Status::NotRead, 1),
    ] {
        let edit = |seen: &mut Observation| {
            windows.clone_into(&mut seen.os.version);
            if let Some(file) = file {
                let told = Asked::Told(Some(file.to_owned()));
                seen.particulars.files.insert(path.to_owned(), told);
            }
        };
        check(EXCHANGE, edit, None, (Check::MsdrmMode2, status, blocked));
    }
}

/// The file is the client, whatever an installer has left in the registry.
#[test]
fn the_msipc_client_is_judged_by_its_file_where_there_is_one() {
    let path = r"C:\Program Files\Active Directory Rights Management Services Client 2.1\msipc.dll";
    for (file, noted, status, blocked) in [
        (Some("1.0.2004.0"), None, Status::Ok, 0),
        (Some("1.0.622.34"), Some("1.0.2004.0"), Status::Block, 1),
        (None, Some("1.0.2004.0"), Status::Ok, 0),
        (None, None, Status::Block, 1),
    ] {
        let edit = |seen: &mut Observation| {
            let key = ValuePath::new(r"SOFTWARE\Microsoft\MSIPC\CurrentVersion", "");
            let noted = noted.map(|text: &str| Value::Sz(text.to_owned()));
            sample::set(seen, &key, noted.map_or(State::Absent, State::Present));
            let told = Asked::Told(file.map(str::to_owned));
            seen.particulars.files.insert(path.to_owned(), told);
        };
        check(SHAREPOINT, edit, None, (Check::MsipcClient, status, blocked));
    }
}

#[test]
fn every_cause_of_a_pending_restart_blocks_by_itself() {
    let session = r"SYSTEM\CurrentControlSet\Control\Session Manager";
    let servicing =
        r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending";
    let update =
        r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired";
    let exe = r"SOFTWARE\Microsoft\Updates\UpdateExeVolatile";
    let renames = "PendingFileRenameOperations";
    let texts = |texts: &[&str]| Value::MultiSz(texts.iter().map(|&one| one.to_owned()).collect());
    let key = |key: &'static str| {
        move |seen: &mut Observation| {
            seen.listings.insert(KeyPath::new(key), Listing::Known(Vec::new()));
        }
    };
    let expect = |status, blocked| (Check::NoPendingReboot, status, blocked);
    let rename = |seen: &mut Observation| put(seen, session, renames, texts(&[r"\??\C:\a", ""]));
    check(FCI, rename, None, expect(Status::Block, 1));
    check(FCI, key(servicing), None, expect(Status::Block, 1));
    check(FCI, key(update), None, expect(Status::Block, 1));
    let flags = |seen: &mut Observation| put(seen, exe, "Flags", Value::Dword(1));
    check(FCI, flags, None, expect(Status::Block, 1));
    let none = |seen: &mut Observation| put(seen, exe, "Flags", Value::Dword(0));
    check(FCI, none, None, expect(Status::Ok, 0));
    let client = |seen: &mut Observation| seen.particulars.client_restart = Asked::Told(true);
    check(FCI, client, None, expect(Status::Block, 1));
    let all = |seen: &mut Observation| {
        rename(seen);
        key(servicing)(seen);
        key(update)(seen);
        flags(seen);
        client(seen);
    };
    check(FCI, all, None, expect(Status::Block, 5));
    check(FCI, all, Some(Demand::Told), expect(Status::Warn, 0));
    let unread = |seen: &mut Observation| {
        let denied = Listing::Unreadable("access denied".to_owned());
        seen.listings.insert(KeyPath::new(servicing), denied);
    };
    check(FCI, unread, None, expect(Status::NotRead, 0));
    check(FCI, unread, Some(Demand::Proved), expect(Status::NotRead, 1));
}

#[test]
fn the_connector_must_answer_and_what_was_not_asked_for_is_never_taken_as_read() {
    let said = |answer: WebAnswer| {
        move |seen: &mut Observation| seen.particulars.connector = Asked::Told(answer)
    };
    let silent = |text: &str| said(WebAnswer::Silent(text.to_owned()));
    let answers = Check::ConnectorAnswers;
    check(FCI, said(WebAnswer::Status(401)), None, (answers, Status::Ok, 0));
    check(FCI, silent("no route"), None, (answers, Status::Warn, 0));
    check(FCI, silent("no route"), Some(Demand::NotFailed), (answers, Status::Block, 1));
    let unasked = |seen: &mut Observation| {
        seen.particulars.connector = Asked::NotRead("no endpoint".to_owned());
    };
    check(FCI, unasked, None, (answers, Status::NotRead, 0));
    check(FCI, unasked, Some(Demand::Proved), (answers, Status::NotRead, 1));
    let tls = Check::ConnectorTlsChainAndCrl;
    let trust = "Could not establish trust relationship for the SSL/TLS secure channel.";
    check(FCI, said(WebAnswer::Status(401)), Some(Demand::Proved), (tls, Status::NotRead, 0));
    check(FCI, silent(trust), Some(Demand::Proved), (tls, Status::Block, 1));
    check(FCI, silent("no route"), Some(Demand::Proved), (tls, Status::NotRead, 1));
}

#[test]
fn one_revocation_list_that_the_host_gets_is_enough() {
    let list = |place: u32, answer| (format!("http://crl.example/{place}.crl"), answer);
    let silence = || WebAnswer::Silent("no route".to_owned());
    let check = |told: Asked<Vec<(String, WebAnswer)>>, status, blockers| {
        let edit = |seen: &mut Observation| {
            seen.particulars.connector = Asked::Told(WebAnswer::Status(401));
            seen.particulars.revocation = told;
        };
        let tls = Check::ConnectorTlsChainAndCrl;
        check(FCI, edit, Some(Demand::Proved), (tls, status, blockers));
    };
    check(Asked::Told(vec![list(1, WebAnswer::Status(200))]), Status::Ok, 0);
    check(Asked::Told(vec![list(1, silence()), list(2, WebAnswer::Status(200))]), Status::Ok, 0);
    check(Asked::Told(vec![list(1, silence())]), Status::Block, 1);
    check(Asked::Told(vec![list(1, WebAnswer::Status(404))]), Status::Block, 1);
    // LDAP alone, or none: nothing that a host could be asked for.
    check(Asked::Told(Vec::new()), Status::NotRead, 0);
    check(Asked::NotRead("no answer".to_owned()), Status::NotRead, 1);
}

#[test]
fn a_policy_that_writes_our_values_blocks_and_one_not_read_does_not() {
    let setting = PolicySetting {
        policy: "AAD RM Connector activation settings for FCI2012".to_owned(),
        key: KeyPath::new(r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation"),
        name: String::new(),
    };
    let own = |seen: &mut Observation| {
        seen.particulars.policies = Asked::Told((vec![setting], 300));
    };
    check(FCI, own, None, (Check::NoPolicyConflict, Status::Block, 1));
    let none = |seen: &mut Observation| {
        seen.particulars.policies = Asked::NotRead("no such namespace".to_owned());
    };
    check(FCI, none, None, (Check::NoPolicyConflict, Status::NotRead, 0));
    check(FCI, none, Some(Demand::Proved), (Check::NoPolicyConflict, Status::NotRead, 1));
}

#[test]
fn what_is_only_told_never_blocks() {
    let key = r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation";
    let named = |seen: &mut Observation| put(seen, key, "(default)", sz("https://x"));
    check(FCI, named, None, (Check::NamedDefault, Status::Warn, 0));
    let controller = |seen: &mut Observation| seen.os.product_type = 2;
    check(FCI, controller, None, (Check::NotDomainController, Status::Warn, 0));
    let late = |seen: &mut Observation| {
        seen.os.local_time = seen.taken - jiff::SignedDuration::from_mins(6);
    };
    check(FCI, late, None, (Check::ClockSkew, Status::Warn, 0));
    let run = r"SOFTWARE\Microsoft\Office\ClickToRun\Configuration";
    let office = |seen: &mut Observation| put(seen, run, "ProductReleaseIds", sz("O365ProPlus"));
    check(EXCHANGE, office, None, (Check::OfficeClientInstalled, Status::Warn, 0));
}

#[test]
fn a_workstation_a_connector_and_a_missing_role_service_block() {
    let workstation = |seen: &mut Observation| seen.os.product_type = 1;
    check(EXCHANGE, workstation, None, (Check::OsSupported, Status::Block, 1));
    let connector = |seen: &mut Observation| {
        let key = KeyPath::new(r"SOFTWARE\Microsoft\AADRM\Connector");
        seen.listings.insert(key, Listing::Known(Vec::new()));
    };
    check(SHAREPOINT, connector, None, (Check::NotConnectorServer, Status::Block, 1));
    let page = r"D:\Programs\Microsoft Rights Management connector\Web Service\Web.config";
    let file = |version: Option<&'static str>| {
        move |seen: &mut Observation| {
            let told = Asked::Told(version.map(str::to_owned));
            seen.particulars.files.insert(page.to_owned(), told);
        }
    };
    check(SHAREPOINT, file(Some("")), None, (Check::NotConnectorServer, Status::Block, 1));
    check(SHAREPOINT, file(None), None, (Check::NotConnectorServer, Status::Ok, 0));
    let programs = KeyPath::new(r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall");
    let uninstall = |name: &'static str| {
        let programs = programs.clone();
        move |seen: &mut Observation| {
            let told = Asked::Told(vec![name.to_owned()]);
            seen.particulars.subkeys.insert(programs, told);
        }
    };
    let program = uninstall("Microsoft Rights Management connector");
    check(FCI, program, None, (Check::NotConnectorServer, Status::Block, 1));
    let program = uninstall("Microsoft Rights Management client");
    check(FCI, program, None, (Check::NotConnectorServer, Status::Ok, 0));
    let bare = |seen: &mut Observation| seen.particulars.services = Asked::Told([].into());
    check(FCI, bare, None, (Check::ProductVersion, Status::Block, 1));
    let unread =
        |seen: &mut Observation| seen.particulars.services = Asked::NotRead("no".to_owned());
    check(FCI, unread, None, (Check::ProductVersion, Status::NotRead, 1));
}

#[test]
fn aes_is_ready_only_with_build_and_rights() {
    let file = r"C:\Exchange\Bin\ExSetup.exe";
    let ready = |version: &'static str, mask: u32, below: bool| {
        move |seen: &mut Observation| {
            let told = Asked::Told(Some(version.to_owned()));
            seen.particulars.files.insert(file.to_owned(), told);
            let sid = "S-1-5-20".to_owned();
            let entry = AccessEntry { sid, allows: true, mask, inherited_below: below };
            let key = KeyPath::new(r"SOFTWARE\Microsoft\MSIPC\Server");
            seen.particulars.access_lists.insert(key, Asked::Told(vec![entry]));
        }
    };
    let aes = Check::Aes256CbcExchangeSetting;
    check(EXCHANGE, |_| {}, None, (aes, Status::NotRead, 0));
    // The organisation's override is not read, so that no host is ever called ready.
    check(EXCHANGE, ready("15.1.2507.34", 0xF003F, true), None, (aes, Status::NotRead, 0));
    check(EXCHANGE, ready("15.1.2507.6", 0xF003F, true), None, (aes, Status::Warn, 0));
    check(EXCHANGE, ready("15.1.2507.34", 0x20019, true), None, (aes, Status::Warn, 0));
    check(EXCHANGE, ready("15.1.2507.34", 0xF003F, false), None, (aes, Status::Warn, 0));
}

#[test]
fn a_cluster_that_the_inventory_does_not_know_is_told() {
    let complete = Check::InventoryComplete;
    check(FCI, |_| {}, None, (complete, Status::Ok, 0));
    let node = |nodes: &'static [&'static str]| {
        move |seen: &mut Observation| {
            put(seen, "Cluster", "ClusterName", sz("FSCL01"));
            let nodes = nodes.iter().map(|&node| node.to_owned()).collect();
            seen.particulars.members = Asked::Told(nodes);
        }
    };
    check(FCI, node(&["H1"]), None, (complete, Status::Warn, 0));
    check(FCI, node(&["H1", "H2"]), Some(Demand::Proved), (complete, Status::Block, 2));
}

#[test]
fn a_skipped_check_is_not_even_asked() {
    let host = sample::host("EX1", Role::Exchange);
    let mut preflight = Preflight::default();
    for skipped in [
        Check::ConnectorAnswers,
        Check::ConnectorTlsChainAndCrl,
        Check::NoPolicyConflict,
        Check::NoPendingReboot,
        Check::Aes256CbcExchangeSetting,
        Check::OfficeClientInstalled,
    ] {
        preflight.demands.insert(skipped, Demand::Skipped);
    }
    let mut probe = crate::plan::probe(&host, &sample::pack());
    narrow(&mut probe, &preflight);
    assert_eq!(probe.request, None);
    assert!(probe.policies.is_empty() && probe.access_lists.is_empty());
    assert!(probe.subkeys.is_empty() && !probe.client_restart);
}
