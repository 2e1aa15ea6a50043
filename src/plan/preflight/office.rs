//! Applications of people that stop working with the connector's values (`connector.md` 6.1).

use crate::model::particulars::Asked;
use crate::model::preflight::Check;
use crate::model::probe::Probe;
use crate::model::registry::KeyPath;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::ValuePath;
use crate::plan::preflight::Case;
use crate::plan::preflight::Line;
use crate::plan::preflight::Outcome;

/// What can be uninstalled, in both registry views.
const UNINSTALL: [&str; 2] = [
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
    r"SOFTWARE\Wow6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
];
/// Since Office 2016, and of Office 2013 (the latter is general knowledge).
const CLICK_TO_RUN: [&str; 2] = [
    r"SOFTWARE\Microsoft\Office\ClickToRun\Configuration",
    r"SOFTWARE\Microsoft\Office\15.0\ClickToRun\Configuration",
];
/// The end of every product code of Office, and the products in it that people work with: the
/// suites, Word, Excel, PowerPoint, Outlook, Publisher, Access, OneNote, InfoPath, Project, Visio.
/// Servers of the family, SharePoint among them, begin at 1000.
const OFFICE_CODE: &str = "0000000FF1CE}";
const DESKTOP: [&str; 26] = [
    "0011", "0012", "0013", "0014", "0015", "0016", "0017", "0018", "0019", "001A", "001B", "0029",
    "002E", "002F", "0030", "0031", "0033", "003A", "003B", "003D", "0044", "0051", "0052", "0053",
    "0057", "00A1",
];

pub(super) fn ask(probe: &mut Probe) {
    probe.subkeys.extend(UNINSTALL.map(KeyPath::new));
    probe.values.extend(click_to_run());
}

pub(super) fn is_ours(key: &KeyPath) -> bool {
    UNINSTALL.iter().any(|ours| *key == KeyPath::new(ours))
}

fn click_to_run() -> [ValuePath; 2] {
    CLICK_TO_RUN.map(|key| ValuePath::new(key, "ProductReleaseIds"))
}

pub(super) fn lines(case: Case<'_>) -> Vec<Line> {
    let mut found = Vec::new();
    let mut unread = Vec::new();
    for key in UNINSTALL.map(KeyPath::new) {
        let answer = case.observation.particulars.subkeys.get(&key).unwrap_or(&Asked::Never);
        match answer.told() {
            Ok(names) => found.extend(names.iter().filter(|name| is_desktop(name)).cloned()),
            Err(reason) => unread.push(format!("{key}: {reason}")),
        }
    }
    for path in click_to_run() {
        match case.observation.value(&path) {
            Reading::Known(State::Absent) => {}
            Reading::Known(State::Present(value)) => found.push(format!("Click-to-Run {value}")),
            Reading::Unreadable(reason) => unread.push(format!("Click-to-Run: {reason}")),
        }
    }
    let (outcome, text) = match (found.as_slice(), unread.as_slice()) {
        ([], []) => (Outcome::Good, "none".to_owned()),
        ([], [first, ..]) => (Outcome::Unread, first.clone()),
        ([_, ..], _) => (Outcome::Bad, found.join(", ")),
    };
    vec![Line::new(
        Check::OfficeClientInstalled,
        outcome,
        "no Office for people: it stops working with Rights Management here",
        text,
        "the names of uninstall keys in both views, and Click-to-Run",
    )]
}

/// `{90160000-0011-0000-1000-0000000FF1CE}`, or `Office16.PROPLUS`.
fn is_desktop(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    if upper.ends_with(OFFICE_CODE) {
        let part = upper.split('-').nth(1);
        return part.is_some_and(|part| DESKTOP.contains(&part));
    }
    let suite = upper.strip_prefix("OFFICE").and_then(|rest| rest.split_once('.'));
    suite.is_some_and(|(version, suite)| {
        let starts = ["PROPLUS", "STANDARD", "ENTERPRISE", "PRO", "SMALLBUSINESS", "HOME"];
        version.parse::<u32>().is_ok() && starts.iter().any(|start| suite.starts_with(start))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_told_from_servers_of_the_family() {
        let check = |name: &str, expected: bool| assert_eq!(is_desktop(name), expected, "{name}");
        check("{90160000-0011-0000-1000-0000000FF1CE}", true);
        check("{90140000-001a-0409-0000-0000000ff1ce}", true);
        check("Office16.PROPLUS", true);
        // SharePoint Server, and the proofing tools that it brings along.
        check("{90160000-1014-0000-1000-0000000FF1CE}", false);
        check("{90160000-001F-0409-1000-0000000FF1CE}", false);
        check("Office16.OSERVER", false);
        check("{1F1C2DFC-2D24-3E06-BCB8-725134ADF989}", false);
        check("OfficeScan", false);
    }
}
