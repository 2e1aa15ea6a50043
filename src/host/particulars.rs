//! What the survey asks beside registry values. An answer that does not come is noted, and the
//! survey goes on; only a connection that ends ends it.

use std::collections::BTreeMap;

use crate::host::fileserver;
use crate::host::gate::events;
use crate::host::identity;
use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::registry;
use crate::host::registry::meaning;
use crate::host::registry::unexpected;
use crate::model::facts::OperatingSystem;
use crate::model::particulars::AccessEntry;
use crate::model::particulars::Asked;
use crate::model::particulars::Particulars;
use crate::model::particulars::PolicySetting;
use crate::model::particulars::Service;
use crate::model::probe::Cache;
use crate::model::probe::Probe;
use crate::model::registry::KeyPath;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::ValuePath;
use crate::wire::operation::Answer;
use crate::wire::operation::Instance;
use crate::wire::operation::Read;

/// Where the resultant set of computer policies stands.
const POLICIES: &str = "root/rsop/computer";
/// The service of Configuration Manager's client.
pub const CLIENT_SERVICE: &str = "CcmExec";
/// The file of the RMS client 1.
pub const MSDRM: &str = r"C:\Windows\System32\msdrm.dll";
/// From this version on, Windows has Cryptographic Mode 2 by nature.
const MODE2_BY_NATURE: (u32, u32) = (6, 2);

/// Answers the parts of a probe that are no registry values; `values` are those read before.
pub async fn observe(
    link: &mut impl Reader,
    probe: &Probe,
    os: &OperatingSystem,
    values: &BTreeMap<ValuePath, Reading>,
) -> Result<Particulars, HostError> {
    let mut found = Particulars::default();
    if !probe.services.is_empty() {
        found.services = settle(services(link, probe).await)?;
    }
    for key in &probe.subkeys {
        found.subkeys.insert(key.clone(), subkeys(link, key).await?);
    }
    if let Some(key) = &probe.members {
        found.members = members(link, key).await?;
    }
    for path in files(probe, os, values) {
        let version = settle(file_version(link, &path).await)?;
        found.files.insert(path, version);
    }
    if let Some(cache) = &probe.cache {
        found.cached = settle(count_cached(link, cache).await)?;
    }
    if !probe.policies.is_empty() {
        found.policies = settle(policies(link, probe).await)?;
    }
    if probe.client_restart && may_have_client(&found) {
        found.client_restart = client_restart(link).await?;
    }
    for key in &probe.access_lists {
        found.access_lists.insert(key.clone(), access_list(link, key).await?);
    }
    if probe.file_objects {
        found.file_objects = settle(fileserver::all(link).await)?;
    }
    if probe.events {
        found.events = settle(events::all(link).await)?;
    }
    Ok(found)
}

/// An answer that makes no sense, or a refusal, is no answer; a broken connection is an error.
pub(crate) fn settle<T>(result: Result<T, HostError>) -> Result<Asked<T>, HostError> {
    match result {
        Ok(told) => Ok(Asked::Told(told)),
        Err(error @ (HostError::Fault(_) | HostError::Unexpected { .. })) => {
            Ok(Asked::NotRead(error.failure().text()))
        }
        Err(error) => Err(error),
    }
}

async fn services(
    link: &mut impl Reader,
    probe: &Probe,
) -> Result<BTreeMap<String, Service>, HostError> {
    let wanted: Vec<String> = probe.services.iter().map(|name| format!("Name='{name}'")).collect();
    let wql =
        format!("SELECT Name,StartName,State FROM Win32_Service WHERE {}", wanted.join(" OR "));
    let mut services = BTreeMap::new();
    for service in identity::query(link, &wql).await? {
        let account = service.text("StartName").map(str::to_owned);
        let state = identity::text(&service, "State")?;
        let name = identity::text(&service, "Name")?.to_lowercase();
        services.insert(name, Service { state, account });
    }
    Ok(services)
}

async fn subkeys(link: &mut impl Reader, key: &KeyPath) -> Result<Asked<Vec<String>>, HostError> {
    match link.read(&Read::EnumKeys(key.clone())).await? {
        Answer::Keys { code: 0, names } => Ok(Asked::Told(names)),
        Answer::Keys { code: 2, .. } => Ok(Asked::Told(Vec::new())),
        Answer::Keys { code, .. } => Ok(Asked::NotRead(meaning(code))),
        other => Err(unexpected("a list of keys", &other)),
    }
}

async fn members(link: &mut impl Reader, key: &KeyPath) -> Result<Asked<Vec<String>>, HostError> {
    let ids = match subkeys(link, key).await? {
        Asked::Told(ids) => ids,
        other => return Ok(other),
    };
    let mut names = Vec::new();
    for id in ids {
        let path = ValuePath::new(format!(r"{}\{id}", key.as_str()), "NodeName");
        match registry::observe(link, &path).await? {
            Reading::Known(State::Present(name)) => names.push(name.to_string()),
            Reading::Known(State::Absent) => {}
            Reading::Unreadable(reason) => return Ok(Asked::NotRead(format!("{path}: {reason}"))),
        }
    }
    Ok(Asked::Told(names))
}

/// Files whose folder is known by now, and the RMS client's where Windows is old.
fn files(
    probe: &Probe,
    os: &OperatingSystem,
    values: &BTreeMap<ValuePath, Reading>,
) -> Vec<String> {
    let mut paths = Vec::new();
    let mut version = os.version.split('.').map(|part| part.parse::<u32>().ok());
    let is_old = match (version.next().flatten(), version.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) < MODE2_BY_NATURE,
        (_, _) => true,
    };
    if probe.rights_client && is_old {
        paths.push(MSDRM.to_owned());
    }
    for (folder, file) in &probe.files {
        if let Some(Reading::Known(State::Present(value))) = values.get(folder)
            && let Some(folder) = value.as_sz()
        {
            paths.push(format!("{}\\{file}", folder.trim_end_matches('\\')));
        }
    }
    paths
}

/// A file that bears no version is there with an empty one.
async fn file_version(link: &mut impl Reader, path: &str) -> Result<Option<String>, HostError> {
    let wql = format!("SELECT Name,Version FROM CIM_DataFile WHERE Name='{}'", literal(path));
    let files = identity::query(link, &wql).await?;
    let version = |file: &Instance| file.text("Version").map_or("", |text| text.trim()).to_owned();
    Ok(files.first().map(version))
}

async fn count_cached(link: &mut impl Reader, cache: &Cache) -> Result<usize, HostError> {
    let folder = match cache {
        Cache::Folder(folder) => return Ok(below(link, "CIM_DataFile", folder).await?.len()),
        Cache::ByAccount(folder) => folder,
    };
    let mut files = 0;
    for account in below(link, "Win32_Directory", folder).await? {
        files += below(link, "CIM_DataFile", &identity::text(&account, "Name")?).await?.len();
    }
    Ok(files)
}

/// The files or folders right in a folder; none where there is no such folder. Drive and path are
/// equalities: anything else would make the provider walk the whole disk.
async fn below(
    link: &mut impl Reader,
    class: &str,
    folder: &str,
) -> Result<Vec<Instance>, HostError> {
    let (drive, path) = folder.split_at_checked(2).unwrap_or(("C:", folder));
    let wql = format!(
        "SELECT Name FROM {class} WHERE Drive='{drive}' AND Path='{}'",
        literal(&format!("{}\\", path.trim_end_matches('\\')))
    );
    identity::query(link, &wql).await
}

/// A backslash counts twice in a WQL literal.
fn literal(text: &str) -> String {
    text.replace('\\', r"\\").replace('\'', r"\'")
}

/// All registry settings of all policies, of which those that concern us are kept. RSoP knows
/// registry policy; what Group Policy Preferences deliver is not in this class.
async fn policies(
    link: &mut impl Reader,
    probe: &Probe,
) -> Result<(Vec<PolicySetting>, usize), HostError> {
    let ask = "SELECT GPOID,registryKey,valueName FROM RSOP_RegistryPolicySetting";
    let all = identity::query_in(link, POLICIES, ask).await?;
    let mut concerned = Vec::new();
    for setting in &all {
        let Some(key) = setting.text("registryKey").map(bare_key) else { continue };
        if probe.policies.iter().any(|ours| *ours == key) {
            let name = setting.text("valueName").unwrap_or_default().to_owned();
            let policy = setting.text("GPOID").unwrap_or("an unnamed policy").to_owned();
            concerned.push(PolicySetting { policy, key, name });
        }
    }
    if !concerned.is_empty() {
        let named = identity::query_in(link, POLICIES, "SELECT id,name FROM RSOP_GPO").await?;
        for setting in &mut concerned {
            let own = |policy: &&Instance| policy.text("id") == Some(setting.policy.as_str());
            if let Some(name) = named.iter().find(own).and_then(|policy| policy.text("name")) {
                name.clone_into(&mut setting.policy);
            }
        }
    }
    Ok((concerned, all.len()))
}

fn bare_key(text: &str) -> KeyPath {
    let text = text.trim_matches('\\');
    let hives = [r"HKEY_LOCAL_MACHINE\", r"HKLM\", r"MACHINE\"];
    let bare = hives.iter().find_map(|hive| {
        let (head, rest) = text.split_at_checked(hive.len())?;
        head.eq_ignore_ascii_case(hive).then_some(rest)
    });
    KeyPath::new(bare.unwrap_or(text))
}

/// Without its service there is no client; if nobody can tell of the service, the client is asked.
fn may_have_client(found: &Particulars) -> bool {
    match found.services.told() {
        Ok(services) => services.contains_key(&CLIENT_SERVICE.to_lowercase()),
        Err(_) => true,
    }
}

async fn client_restart(link: &mut impl Reader) -> Result<Asked<bool>, HostError> {
    Ok(match settle(link.read(&Read::ClientRestart).await)? {
        Asked::Told(Answer::ClientRestart { code: 0, pending: Some(pending) }) => {
            Asked::Told(pending)
        }
        Asked::Told(Answer::ClientRestart { code, .. }) => {
            Asked::NotRead(format!("its client answers with code {code} and does not say"))
        }
        Asked::Told(other) => return Err(unexpected("whether a restart is pending", &other)),
        Asked::NotRead(reason) => Asked::NotRead(reason),
        Asked::Never => Asked::Never,
    })
}

async fn access_list(
    link: &mut impl Reader,
    key: &KeyPath,
) -> Result<Asked<Vec<AccessEntry>>, HostError> {
    Ok(match settle(link.read(&Read::AccessList(key.clone())).await)? {
        Asked::Told(Answer::AccessList { code: 0, entries: Some(entries) }) => Asked::Told(entries),
        // There is no key that anybody could have rights on.
        Asked::Told(Answer::AccessList { code: 2, .. }) => Asked::Told(Vec::new()),
        Asked::Told(Answer::AccessList { code: 0, entries: None }) => {
            Asked::NotRead("no descriptor came".to_owned())
        }
        Asked::Told(Answer::AccessList { code, .. }) => Asked::NotRead(meaning(code)),
        Asked::Told(other) => return Err(unexpected("an access list", &other)),
        Asked::NotRead(reason) => Asked::NotRead(reason),
        Asked::Never => Asked::Never,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::host::imagined::Imagined;
    use crate::model::registry::Value;

    fn old_windows() -> OperatingSystem {
        OperatingSystem {
            caption: String::new(),
            version: "6.1.7601".to_owned(),
            product_type: 3,
            last_boot: jiff::Timestamp::UNIX_EPOCH,
            local_time: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn everything_is_asked_and_nothing_written() {
        let folder = ValuePath::new(r"SOFTWARE\Setup", "Path");
        let policy = KeyPath::new(r"SOFTWARE\Microsoft\MSDRM");
        let mut host = Imagined::new()
            .with_key(r"SOFTWARE\Microsoft\Office")
            .with_instance("Win32_Service", &[("Name", "SrmSvc"), ("State", "Running")])
            .with_instance("CIM_DataFile", &[("Name", "x"), ("Version", "6.1.7600.17000")])
            .with_instance(
                "RSOP_RegistryPolicySetting",
                &[
                    ("GPOID", "cn={1}"),
                    ("registryKey", r"Software\Microsoft\MSDRM"),
                    ("valueName", ""),
                ],
            )
            .with_instance("RSOP_RegistryPolicySetting", &[("registryKey", r"Software\Other")])
            .with_instance("RSOP_GPO", &[("id", "cn={1}"), ("name", "RMS")]);
        let probe = Probe {
            services: ["SrmSvc".to_owned()].into(),
            subkeys: [KeyPath::new(r"SOFTWARE\Microsoft")].into(),
            files: [(folder.clone(), r"Bin\ExSetup.exe".to_owned())].into(),
            rights_client: true,
            policies: [policy.clone()].into(),
            client_restart: true,
            access_lists: [KeyPath::new(r"SOFTWARE\Nowhere")].into(),
            ..Probe::default()
        };
        let values =
            [(folder, Reading::Known(State::Present(Value::Sz(r"C:\Exchange\".to_owned()))))];
        let found = observe(&mut host, &probe, &old_windows(), &values.into()).await.unwrap();
        assert_eq!(found.services.told().unwrap()["srmsvc"].state, "Running");
        assert_eq!(
            found.files.keys().map(String::as_str).collect::<Vec<_>>(),
            [r"C:\Exchange\Bin\ExSetup.exe", MSDRM]
        );
        let setting = PolicySetting { policy: "RMS".into(), key: policy, name: String::new() };
        assert_eq!(found.policies, Asked::Told((vec![setting], 2)));
        assert_eq!(found.client_restart, Asked::Never, "there is no client to ask");
        assert_eq!(found.access_lists.values().next(), Some(&Asked::Told(Vec::new())));
        assert_eq!(host.acts(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn the_files_of_every_account_are_counted() {
        let mut host = Imagined::new()
            .with_instance("Win32_Directory", &[("Name", r"c:\server\s-1-5-20")])
            .with_instance("Win32_Directory", &[("Name", r"c:\server\s-1-5-21-7")])
            .with_instance("CIM_DataFile", &[("Name", "x")]);
        let probe =
            Probe { cache: Some(Cache::ByAccount(r"C:\Server".to_owned())), ..Probe::default() };
        let found = observe(&mut host, &probe, &old_windows(), &BTreeMap::new()).await.unwrap();
        assert_eq!(found.cached, Asked::Told(2), "one file in each folder");
    }

    #[test]
    fn a_policys_key_is_ours_in_any_spelling() {
        let ours = KeyPath::new(r"SOFTWARE\Microsoft\MSDRM");
        for text in [r"Software\Microsoft\MSDRM", r"HKLM\software\microsoft\msdrm\"] {
            assert_eq!(bare_key(text), ours, "{text}");
        }
    }
}
