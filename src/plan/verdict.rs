//! Whether a host must restart, decided from the state before the change (`connector.md` 5).

use jiff::Timestamp;

use crate::model::host::PriorAdrms;
use crate::model::plan::Blocker;
use crate::model::product::Role;
use crate::model::verdict::Evidence;
use crate::model::verdict::RestartNeed;
use crate::model::verdict::Verdict;
use crate::model::verdict::Weight;

/// What the verdict rests on.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    pub role: Role,
    /// How many values of the host will change.
    pub changes: usize,
    /// Rows 1 to 9, as found.
    pub evidence: Vec<Evidence>,
    /// What the inventory answers.
    pub prior: PriorAdrms,
    /// The mark of an earlier run that left a restart owed.
    pub owed: Option<&'a str>,
    /// When the host has restarted since that mark, as both witnesses say.
    pub paid: Option<Timestamp>,
}

/// The verdict, and what keeps it from being relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    pub verdict: Verdict,
    pub blocker: Option<Blocker>,
}

/// Decides one host's restart. Unknown evidence never becomes a silent "no".
pub fn decide(case: Case<'_>) -> Decided {
    let Case { role, changes, mut evidence, prior, owed, paid } = case;
    let plain = |need, rule: &str, evidence| Decided {
        verdict: Verdict { need, rule: rule.to_owned(), evidence },
        blocker: None,
    };
    if let (Some(mark), Some(boot), 0) = (owed, paid, changes) {
        let text = format!("a restart was owed ({mark}), and the host has booted since, at {boot}");
        evidence.insert(0, fact(Weight::Against, text));
        return plain(RestartNeed::NotRequired, "restart-paid", evidence);
    }
    // One that was paid says nothing of what is written now.
    if let Some(mark) = owed.filter(|_| paid.is_none()) {
        evidence
            .insert(0, fact(Weight::For, format!("an earlier run left a restart owed: {mark}")));
        return plain(RestartNeed::Required, "restart-owed", evidence);
    }
    if changes == 0 {
        evidence.insert(0, fact(Weight::Against, "no value changes".to_owned()));
        let used = prior == PriorAdrms::Used;
        if role == Role::Fci || used || evidence.iter().any(|one| one.weight == Weight::For) {
            let text = "no mark says that a restart is owed; when the values were written is not \
                        told over WMI";
            evidence.push(fact(Weight::NotRead, text.to_owned()));
        }
        return plain(RestartNeed::NotRequired, "no-change", evidence);
    }
    let plural = if changes == 1 { "1 value changes" } else { &format!("{changes} values change") };
    match role {
        Role::Fci => {
            evidence.insert(0, fact(Weight::For, plural.to_owned()));
            plain(RestartNeed::Required, "fci.always", evidence)
        }
        Role::Connector => plain(RestartNeed::NotRequired, "connector.never-written", evidence),
        Role::Exchange => if_adrms("exchange.if-adrms", evidence, prior),
        Role::Sharepoint => if_adrms("sharepoint.if-adrms", evidence, prior),
    }
}

fn if_adrms(rule: &str, mut evidence: Vec<Evidence>, prior: PriorAdrms) -> Decided {
    let has = |weight| evidence.iter().any(|one| one.weight == weight);
    // No evidence at all is as unknown as evidence that could not be read.
    let (positive, unknown) = (has(Weight::For), has(Weight::Unknown) || evidence.is_empty());
    let (need, rule, blocker) = match (positive, unknown, prior) {
        (true, _, PriorAdrms::Auto | PriorAdrms::Used) => (RestartNeed::Required, rule, None),
        (true, _, PriorAdrms::Never) => {
            (RestartNeed::Required, rule, Some(contradiction(&evidence)))
        }
        (false, _, PriorAdrms::Used) => (RestartNeed::Required, "inventory", None),
        (false, true, PriorAdrms::Never) => (RestartNeed::NotRequired, "inventory", None),
        (false, false, PriorAdrms::Auto | PriorAdrms::Never) => {
            (RestartNeed::NotRequired, rule, None)
        }
        (false, true, PriorAdrms::Auto) => (RestartNeed::Unknown, rule, Some(open(&evidence))),
    };
    match prior {
        PriorAdrms::Auto => {}
        PriorAdrms::Used => {
            evidence.push(fact(Weight::For, "the inventory says `rms_prior_adrms: used`".into()));
        }
        PriorAdrms::Never => evidence
            .push(fact(Weight::Against, "the inventory says `rms_prior_adrms: never`".into())),
    }
    let rule = rule.to_owned();
    Decided { verdict: Verdict { need, rule, evidence }, blocker }
}

fn fact(weight: Weight, text: String) -> Evidence {
    Evidence { row: None, weight, text }
}

fn first(evidence: &[Evidence], weight: Weight) -> &str {
    evidence
        .iter()
        .find(|one| one.weight == weight)
        .map_or("no evidence was read", |one| one.text.as_str())
}

fn contradiction(evidence: &[Evidence]) -> Blocker {
    Blocker {
        id: "prior-adrms".to_owned(),
        text: format!(
            "the inventory says AD RMS was never used, but {}",
            first(evidence, Weight::For)
        ),
        hint: Some("set `rms_prior_adrms: used`, or remove the line".to_owned()),
    }
}

fn open(evidence: &[Evidence]) -> Blocker {
    Blocker {
        id: "restart-unknown".to_owned(),
        text: format!(
            "whether AD RMS was used before cannot be told: {}",
            first(evidence, Weight::Unknown)
        ),
        hint: Some("answer with `rms_prior_adrms: used` or `rms_prior_adrms: never`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PriorAdrms::Auto;
    use PriorAdrms::Never;
    use PriorAdrms::Used;
    use RestartNeed::NotRequired;
    use RestartNeed::Required;
    use RestartNeed::Unknown;

    /// `evidence` has one letter per piece: `+` for, `-` against, `?` unknown.
    #[track_caller]
    fn check(
        (role, changes, signs, prior): (Role, usize, &str, PriorAdrms),
        expected: (RestartNeed, &str, Option<&str>),
    ) {
        let evidence: Vec<Evidence> = signs
            .chars()
            .map(|sign| match sign {
                '+' => Weight::For,
                '-' => Weight::Against,
                _ => Weight::Unknown,
            })
            .map(|weight| fact(weight, format!("{weight:?}")))
            .collect();
        let pieces = evidence.len();
        let decided = decide(Case { role, changes, evidence, prior, owed: None, paid: None });
        let blocker = decided.blocker.as_ref().map(|one| one.id.as_str());
        assert_eq!((decided.verdict.need, decided.verdict.rule.as_str(), blocker), expected);
        assert!(decided.verdict.evidence.len() >= pieces, "no piece of evidence is dropped");
        assert!(!decided.verdict.evidence.is_empty() || pieces == 0, "no verdict is silent");
    }

    #[test]
    fn file_servers_restart_when_values_change_and_never_otherwise() {
        check((Role::Fci, 2, "", Auto), (Required, "fci.always", None));
        check((Role::Fci, 2, "", Never), (Required, "fci.always", None));
        check((Role::Fci, 0, "", Auto), (NotRequired, "no-change", None));
    }

    #[test]
    fn exchange_and_sharepoint_restart_only_after_adrms() {
        for (role, rule) in
            [(Role::Exchange, "exchange.if-adrms"), (Role::Sharepoint, "sharepoint.if-adrms")]
        {
            check((role, 1, "--", Auto), (NotRequired, rule, None));
            check((role, 1, "-+", Auto), (Required, rule, None));
            check((role, 1, "?+", Auto), (Required, rule, None));
            check((role, 1, "-?", Auto), (Unknown, rule, Some("restart-unknown")));
            check((role, 1, "", Auto), (Unknown, rule, Some("restart-unknown")));
            check((role, 0, "+?", Auto), (NotRequired, "no-change", None));
        }
    }

    #[test]
    fn the_inventory_answers_what_is_unknown_and_may_not_contradict_what_is_known() {
        let rule = "exchange.if-adrms";
        check((Role::Exchange, 1, "-?", Never), (NotRequired, "inventory", None));
        check((Role::Exchange, 1, "-?", Used), (Required, "inventory", None));
        check((Role::Exchange, 1, "--", Used), (Required, "inventory", None));
        check((Role::Exchange, 1, "--", Never), (NotRequired, rule, None));
        check((Role::Exchange, 1, "+-", Never), (Required, rule, Some("prior-adrms")));
        check((Role::Exchange, 1, "+-", Used), (Required, rule, None));
    }

    #[test]
    fn a_restart_owed_is_paid_even_if_nothing_changes() {
        let case = Case {
            role: Role::Sharepoint,
            changes: 0,
            evidence: Vec::new(),
            prior: Auto,
            owed: Some("run 7"),
            paid: None,
        };
        let decided = decide(case);
        assert_eq!(decided.verdict.need, Required);
        assert_eq!(decided.verdict.rule, "restart-owed");
        assert!(decided.verdict.evidence[0].text.contains("run 7"));
    }
}
