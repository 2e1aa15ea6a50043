//! What hosts hold against what they should, whoever brought it there, and how they differ.

mod steps;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::facts::HostSurvey;
use crate::model::facts::Observation;
use crate::model::facts::Survey;
use crate::model::host::HostName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::Scope;
use crate::model::probe::Probe;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::ValuePath;
use crate::plan::debt;
use crate::plan::desired::ForeignForm;
use crate::plan::desired::same_value;
use crate::plan::diff::stands_at;
use crate::plan::probe;
use crate::plan::url::has_form;

pub use steps::StepFinding;
pub use steps::ask;
pub(in crate::plan) use steps::ask_of;
pub(in crate::plan) use steps::found;
pub use steps::fresh;
pub use steps::object;
pub use steps::steps;

/// One value that a host should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub path: ValuePath,
    pub wanted: State,
    /// What was there before; `None` where it was as wanted already.
    pub before: Option<State>,
    /// The run that wrote it, if one of ours did.
    pub written: Option<WrittenBy>,
    /// Other forms that the rule pack knows.
    pub forms: Vec<ForeignForm>,
}

/// When a value was read back after our write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WrittenBy {
    pub run: String,
    pub at: Timestamp,
}

/// How a value stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// As wanted.
    Holds,
    /// We wrote it, and it holds again what was there before.
    Reverted,
    /// Planned, never written by us, and as it was before.
    NeverApplied,
    /// Neither what was there nor what is wanted.
    Changed,
    /// A form that the rule pack knows, by its id.
    ForeignVariant(String),
    /// Not told; never taken for absent.
    Unread(String),
}

/// One value compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub path: ValuePath,
    pub wanted: State,
    /// `None` if it could not be read.
    pub found: Option<State>,
    pub standing: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<WrittenBy>,
}

/// One host compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostFindings {
    pub host: HostName,
    /// Why nothing of it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    pub findings: Vec<Finding>,
    /// The mark of a restart that is owed and not proved to have happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_owed: Option<String>,
}

/// How a host stands as a whole, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Ok,
    Differs,
    Unread,
}

impl HostFindings {
    pub fn verdict(&self) -> Verdict {
        let unread = |finding: &Finding| matches!(finding.standing, Standing::Unread(_));
        if self.failure.is_some() || self.findings.iter().any(unread) {
            Verdict::Unread
        } else if self.findings.iter().all(|finding| finding.standing == Standing::Holds) {
            Verdict::Ok
        } else {
            Verdict::Differs
        }
    }
}

/// What each host of a plan should hold once the plan is carried out.
pub fn expected(plan: &Plan) -> BTreeMap<HostName, Vec<Expected>> {
    let hosts = plan.hosts.values().filter(|host| host.scope == Scope::InScope);
    hosts
        .map(|host| (host.name.clone(), of_host(host)))
        .filter(|(_, expected)| !expected.is_empty())
        .collect()
}

fn of_host(host: &PlannedHost) -> Vec<Expected> {
    let changes = host.changes.iter().map(|change| Expected {
        path: change.path.clone(),
        wanted: change.after.clone(),
        before: Some(change.before.clone()),
        written: None,
        forms: Vec::new(),
    });
    let equal = host.equal.iter().map(|(path, state)| Expected {
        path: path.clone(),
        wanted: state.clone(),
        before: None,
        written: None,
        forms: Vec::new(),
    });
    changes.chain(equal).collect()
}

/// What must be read for it.
pub fn probes(expected: &BTreeMap<HostName, Vec<Expected>>) -> BTreeMap<HostName, Probe> {
    let probe = |expected: &Vec<Expected>| {
        let mut probe = Probe::default();
        for one in expected {
            probe.values.insert(one.path.clone());
            probe.values.extend(one.forms.iter().map(|form| form.path.clone()));
        }
        probe.values.insert(probe::restart_mark());
        probe
    };
    expected.iter().map(|(host, expected)| (host.clone(), probe(expected))).collect()
}

/// Compares what was read with what was expected.
pub fn compare(expected: &BTreeMap<HostName, Vec<Expected>>, survey: &Survey) -> Vec<HostFindings> {
    let compared = expected.iter().map(|(host, expected)| match survey.hosts.get(host) {
        Some(HostSurvey::Read(seen)) => HostFindings {
            host: host.clone(),
            failure: None,
            findings: expected.iter().map(|one| finding(one, seen)).collect(),
            restart_owed: owed(seen),
        },
        Some(HostSurvey::Failed(failure)) => unread(host, Some(failure.clone())),
        None => unread(host, None),
    });
    compared.collect()
}

/// Hosts that the plan was made for and has no values of, because they were blocked then: nobody
/// can say that they hold what it wants.
pub fn left_out(plan: &Plan) -> Vec<HostFindings> {
    let hosts = plan.hosts.values().filter(|host| host.scope == Scope::InScope);
    hosts
        .filter(|host| of_host(host).is_empty())
        .filter_map(|host| Some((host, host.blockers.first()?)))
        .map(|(host, first)| {
            let why = first.text.clone();
            let kind = if first.id == "unreachable" {
                FailureKind::Unreachable
            } else {
                FailureKind::Fault
            };
            let failure = Failure {
                kind,
                chain: vec!["blocked when planned, not in this plan".to_owned(), why],
                hint: Some("rmsfleet plan".to_owned()),
            };
            unread(&host.name, Some(failure))
        })
        .collect()
}

fn unread(host: &HostName, failure: Option<Failure>) -> HostFindings {
    let failure = failure.unwrap_or_else(|| {
        Failure::new(FailureKind::Fault, "the survey has no answer of this host")
    });
    HostFindings {
        host: host.clone(),
        failure: Some(failure),
        findings: Vec::new(),
        restart_owed: None,
    }
}

fn finding(expected: &Expected, seen: &Observation) -> Finding {
    let (found, standing) = match seen.value(&expected.path) {
        Reading::Unreadable(why) => (None, Standing::Unread(why)),
        Reading::Known(found) => {
            let standing = standing(expected, &found, seen);
            (Some(found), standing)
        }
    };
    Finding {
        path: expected.path.clone(),
        wanted: expected.wanted.clone(),
        found,
        standing,
        written: expected.written.clone(),
    }
}

fn standing(expected: &Expected, found: &State, seen: &Observation) -> Standing {
    if is_same(found, &expected.wanted) {
        return Standing::Holds;
    }
    if let Some(form) = expected.forms.iter().find(|form| is_form(form, expected, seen)) {
        return Standing::ForeignVariant(form.id.clone());
    }
    match (&expected.before, &expected.written) {
        (Some(before), Some(_)) if before == found => Standing::Reverted,
        (Some(before), None) if before == found => Standing::NeverApplied,
        (Some(_) | None, _) => Standing::Changed,
    }
}

/// URLs compare as URLs, as they do when a plan is made.
fn is_same(found: &State, wanted: &State) -> bool {
    match (found, wanted) {
        (State::Present(found), State::Present(wanted)) => same_value(found, wanted),
        (found, wanted) => found == wanted,
    }
}

/// A form under another name counts by standing there, one under the same name by its data.
fn is_form(form: &ForeignForm, expected: &Expected, seen: &Observation) -> bool {
    let Some(State::Present(found)) = stands_at(seen, &form.path) else { return false };
    match &form.data {
        Some(data) => found.as_sz().is_some_and(|found| has_form(found, data)),
        None => form.path != expected.path,
    }
}

fn owed(seen: &Observation) -> Option<String> {
    match seen.value(&probe::restart_mark()) {
        Reading::Known(State::Present(mark)) if debt::paid(seen).is_none() => {
            Some(mark.to_string())
        }
        Reading::Known(_) => None,
        Reading::Unreadable(why) => Some(format!("cannot be told: {why}")),
    }
}

/// The findings of a plan that was made just now: it has read everything already.
pub fn of_fresh(plan: &Plan) -> Vec<HostFindings> {
    let hosts = plan.hosts.values().filter(|host| host.scope == Scope::InScope);
    hosts.map(of_planned).collect()
}

fn of_planned(host: &PlannedHost) -> HostFindings {
    let differs = host.changes.iter().map(|change| Finding {
        path: change.path.clone(),
        wanted: change.after.clone(),
        found: Some(change.before.clone()),
        standing: Standing::NeverApplied,
        written: None,
    });
    let holds = host.equal.iter().map(|(path, state)| Finding {
        path: path.clone(),
        wanted: state.clone(),
        found: Some(state.clone()),
        standing: Standing::Holds,
        written: None,
    });
    let findings: Vec<Finding> = differs.chain(holds).collect();
    // A blocker that left values unread; others say nothing about what the host holds.
    let unread = host.blockers.iter().find(|blocker| {
        findings.is_empty() || matches!(blocker.id.as_str(), "unreadable" | "unreachable")
    });
    let failure = unread.map(|blocker| {
        let kind =
            if blocker.id == "unreachable" { FailureKind::Unreachable } else { FailureKind::Fault };
        Failure { kind, chain: vec![blocker.text.clone()], hint: blocker.hint.clone() }
    });
    HostFindings {
        host: host.name.clone(),
        failure,
        findings,
        restart_owed: host.restart_owed.clone().filter(|_| !host.mark_paid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::product::Role;
    use crate::model::registry::Value;
    use crate::plan::sample;

    const WANTED: &str = "https://rms.contoso.com/_wmcs/licensing";

    #[track_caller]
    fn check(found: Option<&str>, written: bool, expected: &Standing) {
        let sz = |text: &str| State::Present(Value::Sz(text.to_owned()));
        let path = ValuePath::new(r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation", "");
        let run = || WrittenBy { run: "r1".to_owned(), at: Timestamp::UNIX_EPOCH };
        let form = ForeignForm {
            id: "long-form".to_owned(),
            path: path.clone(),
            data: Some("https://long/_wmcs/certification".to_owned()),
            note: String::new(),
        };
        let one = Expected {
            path: path.clone(),
            wanted: sz(WANTED),
            before: Some(sz("https://old")),
            written: written.then(run),
            forms: vec![form],
        };
        let mut seen = sample::observation("FS1", Role::Fci);
        sample::set(&mut seen, &path, found.map_or(State::Absent, sz));
        assert_eq!(finding(&one, &seen).standing, *expected, "{found:?}");
    }

    #[test]
    fn how_a_value_differs_is_told() {
        check(Some("https://RMS.contoso.com/_wmcs/Licensing"), true, &Standing::Holds);
        check(Some(WANTED), false, &Standing::Holds);
        check(Some("https://old"), true, &Standing::Reverted);
        check(Some("https://old"), false, &Standing::NeverApplied);
        check(Some("https://third"), true, &Standing::Changed);
        check(None, true, &Standing::Changed);
        let long = Standing::ForeignVariant("long-form".to_owned());
        check(Some("https://long/_wmcs/certification"), true, &long);
    }

    #[test]
    fn what_was_not_read_is_unread() {
        let path = ValuePath::new("SOFTWARE", "never asked");
        let one = Expected {
            path,
            wanted: State::Absent,
            before: None,
            written: None,
            forms: Vec::new(),
        };
        let seen = sample::observation("FS1", Role::Fci);
        assert!(matches!(finding(&one, &seen).standing, Standing::Unread(_)));
    }

    #[test]
    fn a_host_that_was_blocked_when_planned_is_named_and_never_ok() {
        let mut fleet = sample::Fleet::new(&["FS1", "FS2", "FS3"]);
        for (name, kind) in [("FS1", FailureKind::Unreachable), ("FS2", FailureKind::Denied)] {
            let failure = Failure::new(kind, "no answer");
            fleet.survey.hosts.insert(HostName::new(name), HostSurvey::Failed(failure));
        }
        let plan = fleet.plan();
        let names: Vec<_> = expected(&plan).into_keys().collect();
        assert_eq!(names, [HostName::new("FS3")]);
        let told: Vec<_> = left_out(&plan)
            .into_iter()
            .map(|own| (own.host.to_string(), own.verdict(), own.failure.unwrap().kind))
            .collect();
        let expected = [
            ("FS1".to_owned(), Verdict::Unread, FailureKind::Unreachable),
            ("FS2".to_owned(), Verdict::Unread, FailureKind::Fault),
        ];
        assert_eq!(told, expected);
    }
}
