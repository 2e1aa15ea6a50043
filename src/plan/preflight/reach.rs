//! Whether the connector answers the host, and who else writes the host's values.

use crate::model::host::Host;
use crate::model::particulars::NEVER;
use crate::model::particulars::WebAnswer;
use crate::model::preflight::Check;
use crate::model::probe::Probe;
use crate::model::product::Role;
use crate::model::registry::KeyPath;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::rules::RulePack;
use crate::plan::preflight::Case;
use crate::plan::preflight::Line;
use crate::plan::preflight::Outcome;
use crate::plan::preflight::default_keys;
use crate::plan::preflight::named_default;

/// What the host is asked to request: IIS answers there, with an error or without.
const PAGE: &str = "/_wmcs/licensing";
const WEB: &str = "Invoke-WebRequest on the host";
const RSOP: &str = "RSOP_RegistryPolicySetting";

pub(super) fn ask(host: &Host, role: Role, pack: &RulePack, probe: &mut Probe) {
    probe.request = host.connector.as_ref().map(|connector| format!("{connector}{PAGE}"));
    let rules = pack.rules.iter();
    let of_role = rules.filter(|rule| rule.products.iter().any(|product| product.role() == role));
    probe.policies = of_role.map(|rule| KeyPath::new(&rule.key)).collect();
    probe.values.extend(default_keys(role, pack).iter().map(named_default));
}

pub(super) fn lines(case: Case<'_>) -> Vec<Line> {
    let mut lines = connector(case);
    lines.push(policy(case));
    lines.extend(defaults(case));
    lines
}

fn connector(case: Case<'_>) -> Vec<Line> {
    let Some(connector) = &case.host.connector else { return Vec::new() };
    let url = format!("{connector}{PAGE}");
    let answer = case.observation.particulars.connector.told();
    let (outcome, found) = match &answer {
        Ok(WebAnswer::Status(status)) => (Outcome::Good, format!("HTTP {status}")),
        Ok(WebAnswer::Silent(message)) => (Outcome::Bad, format!("no answer: {message}")),
        Err(reason) => (Outcome::Unread, (*reason).to_owned()),
    };
    let expected = format!("any HTTP status from {url}");
    let mut lines = vec![Line::new(Check::ConnectorAnswers, outcome, expected, found, WEB)];
    if connector.as_str().starts_with("https://") {
        lines.push(certificate(answer));
        lines.push(revocation(case.observation.particulars.revocation.told()));
    }
    lines
}

/// Windows checks chain and name before it sends anything, so that an answer proves both.
fn certificate(answer: Result<&WebAnswer, &str>) -> Line {
    let (outcome, found) = match answer {
        Ok(WebAnswer::Status(_)) => (Outcome::Good, "accepted by the host".to_owned()),
        Ok(WebAnswer::Silent(message)) if is_about_trust(message) => {
            (Outcome::Bad, message.clone())
        }
        Ok(WebAnswer::Silent(message)) => (Outcome::Unread, format!("no answer: {message}")),
        Err(reason) => (Outcome::Unread, reason.to_owned()),
    };
    let check = Check::ConnectorTlsChainAndCrl;
    Line::new(check, outcome, "a certificate that the host trusts", found, WEB)
}

/// The cmdlet checks no revocation list itself, so the host is asked to fetch those that the
/// certificate names. One of them is enough for Windows.
fn revocation(answers: Result<&Vec<(String, WebAnswer)>, &str>) -> Line {
    let check = Check::ConnectorTlsChainAndCrl;
    let expected = "a revocation list that the host can fetch";
    let answers = match answers {
        Ok(answers) => answers,
        Err(NEVER) => {
            return Line::new(check, Outcome::Unknowable, expected, "not asked for", WEB);
        }
        Err(reason) => return Line::new(check, Outcome::Unread, expected, reason, WEB),
    };
    let words = |(url, answer): &(String, WebAnswer)| match answer {
        WebAnswer::Status(status) => format!("HTTP {status} from {url}"),
        WebAnswer::Silent(message) => format!("no answer from {url}: {message}"),
    };
    let got = answers.iter().find(|(_, answer)| matches!(answer, WebAnswer::Status(200..=299)));
    let (outcome, found) = match (got, answers.first()) {
        (Some(got), _) => (Outcome::Good, words(got)),
        (None, Some(first)) => (Outcome::Bad, words(first)),
        (None, None) => {
            let found = "the connector's certificate names no list that http fetches";
            (Outcome::Unknowable, found.to_owned())
        }
    };
    Line::new(check, outcome, expected, found, WEB)
}

fn is_about_trust(message: &str) -> bool {
    let message = message.to_lowercase();
    ["trust relationship", "ssl/tls", "certificate", "ssl connection"]
        .iter()
        .any(|word| message.contains(word))
}

fn policy(case: Case<'_>) -> Line {
    let (outcome, found) = match case.observation.particulars.policies.told() {
        // A resultant set that was never computed looks like this too.
        Ok((_, 0)) => (Outcome::Unread, "RSoP holds no registry setting at all".to_owned()),
        Ok((settings, all)) => match settings.as_slice() {
            [] => {
                (Outcome::Good, format!("none among {all} settings; preferences are not in them"))
            }
            [first, rest @ ..] => {
                let name = if first.name.is_empty() { "(Default)" } else { &first.name };
                let more = match rest.len() {
                    0 => String::new(),
                    more => format!(", and {more} more"),
                };
                let text = format!(r"policy `{}` sets {}\{name}{more}", first.policy, first.key);
                (Outcome::Bad, text)
            }
        },
        Err(reason) => (Outcome::Unread, reason.to_owned()),
    };
    let expected = "no Group Policy that writes below these keys";
    Line::new(Check::NoPolicyConflict, outcome, expected, found, RSOP)
}

fn defaults(case: Case<'_>) -> Option<Line> {
    let first = case.defaults.first()?;
    let mut unread = None;
    let mut named = Vec::new();
    for key in case.defaults {
        match case.observation.value(&named_default(key)) {
            Reading::Known(State::Absent) => {}
            Reading::Known(State::Present(value)) => named.push(format!("{key} has one: {value}")),
            Reading::Unreadable(reason) => unread = Some(format!("{key}: {reason}")),
        }
    }
    let (outcome, found) = match (named.is_empty(), unread) {
        (false, _) => (Outcome::Bad, named.join("; ")),
        (true, Some(reason)) => (Outcome::Unread, reason),
        (true, None) => (Outcome::Good, "none".to_owned()),
    };
    let source = match case.defaults.len() {
        1 => named_default(first).to_string(),
        number => format!("{} and {} more", named_default(first), number - 1),
    };
    Some(Line::new(
        Check::NamedDefault,
        outcome,
        "no value named `(default)` beside the default value",
        found,
        source,
    ))
}
