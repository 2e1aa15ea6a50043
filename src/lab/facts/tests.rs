use super::*;
use crate::model::registry::Value;
use crate::plan::sample;

#[test]
fn a_host_begins_as_it_was_read() {
    let host = sample::host("FS1", Role::Fci);
    let mut survey = sample::survey(std::slice::from_ref(&host));
    let path = ValuePath::new(r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation", "");
    let denied = path.key.clone();
    if let Some(HostSurvey::Read(seen)) = survey.hosts.get_mut(&host.name) {
        sample::set(seen, &path, State::Present(Value::Sz("https://old".to_owned())));
        seen.access.insert(denied.clone(), Access::Denied);
        seen.identity.computer = "FILER".to_owned();
    }
    let other = sample::host("FS2", Role::Fci);
    let (farm, unknown) = from_facts(&[host, other.clone()], &survey);
    assert_eq!(farm[0].registry.value(&path), Ok(&Value::Sz("https://old".to_owned())));
    assert!(!farm[0].registry.may_write(&denied));
    assert_eq!((farm[0].computer.as_str(), farm.len()), ("FILER", 2));
    assert_eq!(unknown, [other.name]);
}
