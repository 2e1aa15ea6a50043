//! The connector's own word about a server: its event log (`connector.md` 4.1).

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::host::identity;
use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::model::host::HostName;
use crate::model::particulars::ConnectorEvent;

const LOG: &str = "Application";
const SOURCE: &str = "Microsoft RMS connector";
/// Written once per account, at its first connection: an older one counts.
const FIRST_CONNECTION: u32 = 1002;

/// What one connector node's log says about one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Needed events that were found, with their times.
    pub found: Vec<(u32, Timestamp)>,
    pub forbidden: Vec<(u32, Timestamp)>,
}

/// Reads the events about a server that count for a gate.
///
/// Forbidden ones count since `since`, by the node's clock; needed ones too, but for 1002.
pub async fn about(
    link: &mut impl Reader,
    host: &HostName,
    need: &[u32],
    forbid: &[u32],
    since: Timestamp,
) -> Result<Told, HostError> {
    let wql = wql(&[need, forbid].concat());
    let mut told = Told::default();
    for event in identity::query(link, &wql).await? {
        let (Some(code), Some(message)) = (event.text("EventCode"), event.text("Message")) else {
            continue;
        };
        let Ok(code) = code.parse::<u32>() else { continue };
        let time = identity::timestamp(&event, "TimeGenerated")?;
        if !OF_NOBODY.contains(&code) && !names(message, host) {
            continue;
        }
        if forbid.contains(&code) && time >= since {
            told.forbidden.push((code, time));
        } else if need.contains(&code) && (time >= since || code == FIRST_CONNECTION) {
            told.found.push((code, time));
        }
    }
    Ok(told)
}

/// Troubles of the node itself, which name no server and concern them all: Windows authentication,
/// an empty list, no or an empty answer of the service.
const OF_NOBODY: [u32; 4] = [2000, 2003, 3000, 3001];

/// What a node's log is read for as evidence (`connector.md` 4.1): first connections, changes of
/// scheme, downloads of the list, and everything that speaks against the connector.
const EVIDENCE: [u32; 9] = [FIRST_CONNECTION, 1003, 1004, 2000, 2001, 2002, 2003, 3000, 3001];

/// Every event of the connector on a node, as the provider lists them.
pub async fn all(link: &mut impl Reader) -> Result<Vec<ConnectorEvent>, HostError> {
    let mut all = Vec::new();
    for event in identity::query(link, &wql(&EVIDENCE)).await? {
        let code = identity::text(&event, "EventCode")?;
        let id = code.parse().map_err(|_| identity::missing("a number in EventCode", &code))?;
        let time = identity::timestamp(&event, "TimeGenerated")?;
        let message = event.text("Message").unwrap_or_default().to_owned();
        all.push(ConnectorEvent { id, time, message });
    }
    Ok(all)
}

fn wql(ids: &[u32]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("EventCode={id}")).collect();
    format!(
        "SELECT EventCode,TimeGenerated,Message FROM Win32_NTLogEvent WHERE Logfile='{LOG}' AND \
         SourceName='{SOURCE}' AND ({})",
        ids.join(" OR ")
    )
}

/// Whether a message names the server, as a whole word, by its short name; `EX1` is not in `EX10`.
fn names(message: &str, host: &HostName) -> bool {
    let part = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
    message.split(|letter| !part(letter)).any(|word| word.eq_ignore_ascii_case(host.short()))
}

/// How far back a gate looks that opens now.
pub fn since(now: Timestamp, within: u32) -> Timestamp {
    now.saturating_sub(SignedDuration::from_secs(within.into())).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::imagined::Imagined;

    async fn told(code: &str, message: &str) -> Told {
        let time = "2026-11-24T12:00:00Z";
        let event = [("EventCode", code), ("TimeGenerated", time), ("Message", message)];
        let mut node = Imagined::new().with_instance("Win32_NTLogEvent", &event);
        let since = "2026-11-24T11:00:00Z".parse().unwrap();
        about(&mut node, &HostName::new("EX1"), &[1002], &[2001, 3000], since).await.unwrap()
    }

    #[tokio::test]
    async fn a_trouble_that_names_no_server_is_every_servers() {
        let empty = "The response from the service was empty.";
        assert_eq!(told("3000", empty).await.forbidden.len(), 1);
        assert_eq!(told("2001", "Account CONTOSO\\EX2$ is not authorized.").await, Told::default());
        assert_eq!(
            told("2001", "Account CONTOSO\\EX1$ is not authorized.").await.forbidden.len(),
            1
        );
        assert_eq!(told("1002", empty).await, Told::default());
    }

    #[test]
    fn a_server_is_named_by_a_whole_word() {
        let check = |message: &str, expected: bool| {
            assert_eq!(names(message, &HostName::new("EX1.contoso.com")), expected, "{message}");
        };
        check("Account CONTOSO\\EX1$ from EX1.contoso.com is allowed", true);
        check("computer ex1", true);
        check("computer EX10", false);
        check("computer MY-EX1", false);
        check("", false);
    }
}
