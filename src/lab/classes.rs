//! What a simulated host says about itself in `root/cimv2`.

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::lab::cim::Class;
use crate::lab::cim::Instances;
use crate::lab::cim::Property;
use crate::lab::cim::Row;
use crate::lab::fsrm;
use crate::lab::host::LabHost;
use crate::lab::services::Service;

pub const OPERATING_SYSTEM: Class = class("Win32_OperatingSystem", Instances::One, &[]);
pub const COMPUTER_SYSTEM: Class = class("Win32_ComputerSystem", Instances::Keyed, &["Name"]);
pub const SERVICE: Class = class("Win32_Service", Instances::Keyed, &["Name"]);
pub const PERFORMANCE: Class =
    class("Win32_PerfFormattedData_PerfOS_System", Instances::Keyed, &["Name"]);
pub const REGISTRY: Class =
    Class { namespace: "root/default", name: "StdRegProv", keys: &[], instances: Instances::None };
/// The same provider, registered in `root/cimv2` too since Windows Vista.
pub const REGISTRY_CIMV2: Class = class("StdRegProv", Instances::None, &[]);

pub const FILE_MANAGEMENT: Class = Class {
    namespace: "root/Microsoft/Windows/FSRM",
    name: "MSFT_FSRMFMJAction",
    keys: &[],
    instances: Instances::None,
};

pub const FILE: Class = class("CIM_DataFile", Instances::Keyed, &["Name"]);
const DIRECTORY: Class = class("Win32_Directory", Instances::Keyed, &["Name"]);
pub const EVENT: Class = class("Win32_NTLogEvent", Instances::Keyed, &["Logfile", "RecordNumber"]);
const POLICY_SETTING: Class = policy("RSOP_RegistryPolicySetting", &["id", "precedence"]);
const POLICY: Class = policy("RSOP_GPO", &["id"]);

const ALL: [Class; 14] = [
    fsrm::RULE,
    fsrm::JOB,
    OPERATING_SYSTEM,
    COMPUTER_SYSTEM,
    SERVICE,
    PERFORMANCE,
    REGISTRY,
    REGISTRY_CIMV2,
    FILE_MANAGEMENT,
    FILE,
    DIRECTORY,
    EVENT,
    POLICY_SETTING,
    POLICY,
];

const fn policy(name: &'static str, keys: &'static [&'static str]) -> Class {
    Class { namespace: "root/rsop/computer", name, keys, instances: Instances::Keyed }
}

const fn class(name: &'static str, instances: Instances, keys: &'static [&'static str]) -> Class {
    Class { namespace: "root/cimv2", name, keys, instances }
}

/// The class of that name, both compared without case.
pub fn find(namespace: &str, name: &str) -> Option<Class> {
    ALL.into_iter().find(|class| {
        class.namespace.eq_ignore_ascii_case(namespace) && class.name.eq_ignore_ascii_case(name)
    })
}

/// Every instance of the class on the host.
pub fn instances(class: &Class, host: &LabHost, now: Timestamp) -> Vec<Row> {
    if *class == OPERATING_SYSTEM {
        vec![operating_system(host, now)]
    } else if *class == COMPUTER_SYSTEM {
        vec![computer_system(host)]
    } else if *class == SERVICE {
        host.services.iter().map(|service| service_row(service, host)).collect()
    } else if *class == PERFORMANCE {
        vec![Row::new(vec![
            ("Caption", Property::Null),
            ("Description", Property::Null),
            ("Name", Property::text("")),
            ("Processes", Property::Number(64)),
            ("SystemUpTime", Property::Number(host.power.up_seconds(now))),
        ])]
    } else if *class == FILE {
        let entries = host.folders.iter().flat_map(|(folder, entries)| {
            entries.iter().map(move |entry| entry_row(&format!("{folder}\\{entry}"), None))
        });
        let files = host.local.files.iter();
        let version = |version: &String| (!version.is_empty()).then(|| version.clone());
        files.map(|(path, told)| entry_row(path, version(told).as_deref())).chain(entries).collect()
    } else if *class == DIRECTORY {
        host.folders.keys().map(|folder| entry_row(folder, None)).collect()
    } else if *class == EVENT {
        let events = host.local.events.iter().enumerate();
        events.map(|(place, event)| event_row(place, event, host.local.clock(now))).collect()
    } else if *class == POLICY_SETTING {
        host.local.policies.iter().map(setting_row).collect()
    } else if [fsrm::RULE, fsrm::JOB].contains(class) {
        fsrm::rows(host, class)
    } else if *class == POLICY {
        let names = host.local.policies.iter().map(|(policy, _, _)| *policy);
        let names: std::collections::BTreeSet<&str> = names.collect();
        names.into_iter().map(policy_row).collect()
    } else {
        Vec::new()
    }
}

fn entry_row(path: &str, version: Option<&str>) -> Row {
    let (drive, below) = path.split_at_checked(2).unwrap_or(("", path));
    let folder = below.rsplit_once('\\').map_or("", |(folder, _)| folder);
    Row::new(vec![
        ("Drive", Property::text(drive.to_lowercase())),
        ("Name", Property::text(path.to_lowercase())),
        ("Path", Property::text(format!("{}\\", folder.to_lowercase()))),
        ("Version", version.map_or(Property::Null, Property::text)),
    ])
}

fn event_row(place: usize, (id, minutes, message): &(u32, i64, String), now: Timestamp) -> Row {
    let time = now.saturating_sub(SignedDuration::from_mins(*minutes)).unwrap_or(now);
    Row::new(vec![
        ("EventCode", Property::Number((*id).into())),
        ("Logfile", Property::text("Application")),
        ("Message", Property::text(message)),
        ("RecordNumber", Property::Number(u64::try_from(place).unwrap_or(u64::MAX))),
        ("SourceName", Property::text("Microsoft RMS connector")),
        ("TimeGenerated", Property::Moment(microseconds(time))),
    ])
}

fn policy_id(policy: &str) -> String {
    format!("CN={{{policy}}},CN=POLICIES,CN=SYSTEM,DC=CORP,DC=CONTOSO,DC=COM")
}

fn setting_row((policy, key, name): &(&'static str, String, String)) -> Row {
    Row::new(vec![
        ("GPOID", Property::text(policy_id(policy))),
        ("id", Property::text(format!("{key}\\{name}"))),
        ("precedence", Property::Number(1)),
        ("registryKey", Property::text(key)),
        ("valueName", Property::text(name)),
    ])
}

fn policy_row(policy: &str) -> Row {
    Row::new(vec![("id", Property::text(policy_id(policy))), ("name", Property::text(policy))])
}

fn operating_system(host: &LabHost, now: Timestamp) -> Row {
    let windows = host.windows;
    let install = Timestamp::from_second(1_704_787_200).unwrap_or(Timestamp::UNIX_EPOCH);
    let clock = host.local.clock(now);
    let milliseconds = Timestamp::from_millisecond(clock.as_millisecond()).unwrap_or(clock);
    Row::new(vec![
        ("BuildNumber", Property::text(windows.build())),
        ("BuildType", Property::text("Multiprocessor Free")),
        ("Caption", Property::text(windows.caption)),
        ("CSDVersion", Property::Null),
        ("CSName", Property::text(&host.computer)),
        ("CurrentTimeZone", Property::Number(0)),
        ("Description", Property::text("")),
        ("InstallDate", Property::Moment(install)),
        ("LastBootUpTime", Property::Moment(microseconds(host.power.boot_time()))),
        ("LocalDateTime", Property::Moment(milliseconds)),
        ("Locale", Property::text("0409")),
        ("Manufacturer", Property::text("Microsoft Corporation")),
        ("MUILanguages", Property::Many(vec![Property::text("en-US")])),
        ("Name", Property::text(format!(r"{}|C:\Windows|\Device\Harddisk0", windows.caption))),
        ("OSArchitecture", Property::text("64-bit")),
        ("OSLanguage", Property::Number(1033)),
        ("OSType", Property::Number(18)),
        ("Primary", Property::Bool(true)),
        ("ProductType", Property::Number(3)),
        ("ServicePackMajorVersion", Property::Number(0)),
        ("ServicePackMinorVersion", Property::Number(0)),
        ("Status", Property::text("OK")),
        ("SystemDirectory", Property::text(r"C:\Windows\system32")),
        ("SystemDrive", Property::text("C:")),
        ("Version", Property::text(windows.version)),
        ("WindowsDirectory", Property::text(r"C:\Windows")),
    ])
}

fn computer_system(host: &LabHost) -> Row {
    let roles = ["LM_Workstation", "LM_Server", "NT", "Server_NT"].map(Property::text);
    let joined = host.domain.as_ref();
    let group = "WORKGROUP";
    Row::new(vec![
        ("Caption", Property::text(&host.computer)),
        ("DNSHostName", Property::text(host.computer.to_lowercase())),
        ("Domain", Property::text(joined.map_or(group, String::as_str))),
        ("DomainRole", Property::Number(if joined.is_some() { 3 } else { 2 })),
        ("Manufacturer", Property::text("Simulated")),
        ("Model", Property::text("Lab")),
        ("Name", Property::text(&host.computer)),
        ("NumberOfLogicalProcessors", Property::Number(4)),
        ("PartOfDomain", Property::Bool(joined.is_some())),
        ("Roles", Property::Many(roles.to_vec())),
        ("Status", Property::text("OK")),
        ("UserName", Property::Null),
        ("Workgroup", if joined.is_some() { Property::Null } else { Property::text(group) }),
    ])
}

fn service_row(service: &Service, host: &LabHost) -> Row {
    let state = if service.running { "Running" } else { "Stopped" };
    Row::new(vec![
        ("AcceptStop", Property::Bool(service.running)),
        ("Caption", Property::text(service.display)),
        ("DisplayName", Property::text(service.display)),
        ("ExitCode", Property::Number(if service.running { 0 } else { 1077 })),
        ("Name", Property::text(service.name)),
        ("PathName", Property::text(r"C:\Windows\system32\svchost.exe -k netsvcs")),
        ("Started", Property::Bool(service.running)),
        ("StartMode", Property::text(if service.automatic { "Auto" } else { "Manual" })),
        ("StartName", Property::text("LocalSystem")),
        ("State", Property::text(state)),
        ("Status", Property::text("OK")),
        ("SystemName", Property::text(&host.computer)),
    ])
}

/// WMI's datetimes end at microseconds.
fn microseconds(moment: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(moment.as_microsecond()).unwrap_or(moment)
}
