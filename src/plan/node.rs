//! A connector node's event log as evidence (`connector.md` 4.1): its list, whom it refused, its
//! health. Nodes are never written, so nothing here blocks.

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::facts::Observation;
use crate::model::particulars::ConnectorEvent;
use crate::model::preflight::Finding;
use crate::model::preflight::Status;

const SOURCE: &str = "Win32_NTLogEvent, Application, Microsoft RMS connector";
/// What is older than this is history.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// The longest part of a message that is shown.
const EXCERPT: usize = 120;

/// The findings of one node.
pub fn findings(observation: &Observation) -> Vec<Finding> {
    let finding = |id: &str, expected: &str, (status, found): (Status, String)| Finding {
        id: id.to_owned(),
        expected: expected.to_owned(),
        found,
        source: SOURCE.to_owned(),
        time: observation.taken,
        status,
        waived: None,
    };
    let events = match observation.particulars.events.told() {
        Ok(events) => events.as_slice(),
        Err(reason) => {
            let unread = (Status::NotRead, reason.to_owned());
            return vec![finding("connector-events", "the connector's events", unread)];
        }
    };
    // Events carry the node's clock, and so does its own time.
    let now = observation.os.local_time;
    vec![
        finding("connector-list", "a list of accounts, loaded (1004)", list(events)),
        finding(
            "connector-refusals",
            "no server refused within a day (2001)",
            trouble(events, &[2001], now),
        ),
        finding(
            "connector-health",
            "no trouble within a day (2000, 2003, 3000, 3001)",
            trouble(events, &[2000, 2003, 3000, 3001], now),
        ),
        finding(
            "connector-scheme",
            "no server that comes over http within a day (2002)",
            trouble(events, &[2002], now),
        ),
        finding("connector-clients", "first connections of servers (1002)", clients(events)),
    ]
}

fn latest<'e>(events: &'e [ConnectorEvent], ids: &[u32]) -> Option<&'e ConnectorEvent> {
    events.iter().filter(|event| ids.contains(&event.id)).max_by_key(|event| event.time)
}

fn list(events: &[ConnectorEvent]) -> (Status, String) {
    match latest(events, &[1004]) {
        Some(event) => (Status::Ok, format!("last loaded {}", when(event.time))),
        None => {
            (Status::Warn, "no event 1004: it never loaded one, or the log is young".to_owned())
        }
    }
}

fn trouble(events: &[ConnectorEvent], ids: &[u32], now: Timestamp) -> (Status, String) {
    let Some(event) = latest(events, ids) else { return (Status::Ok, "none".to_owned()) };
    let is_recent = now.duration_since(event.time) <= RECENT;
    let number = events.iter().filter(|event| ids.contains(&event.id)).count();
    let text = format!(
        "{number} of them, the last {} {}: {}",
        event.id,
        when(event.time),
        excerpt(&event.message)
    );
    (if is_recent { Status::Warn } else { Status::Ok }, text)
}

fn clients(events: &[ConnectorEvent]) -> (Status, String) {
    match events.iter().filter(|event| event.id == 1002).count() {
        0 => (Status::NotRead, "none: no server has come to this node yet".to_owned()),
        number => (Status::Ok, format!("{number} accounts have come to this node")),
    }
}

fn when(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn excerpt(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= EXCERPT {
        return line;
    }
    format!("{}…", line.chars().take(EXCERPT).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::particulars::Asked;
    use crate::model::product::Role;
    use crate::plan::sample;

    #[track_caller]
    fn check(events: &[(u32, i64)], expected: [Status; 5]) {
        let mut seen = sample::observation("RMSC1", Role::Connector);
        let now = seen.os.local_time;
        let events = events.iter().map(|(id, hours)| ConnectorEvent {
            id: *id,
            time: now - SignedDuration::from_hours(*hours),
            message: format!("event {id}"),
        });
        seen.particulars.events = Asked::Told(events.collect());
        let got: Vec<Status> = findings(&seen).iter().map(|one| one.status).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn a_node_tells_its_list_its_refusals_and_its_health() {
        use Status::NotRead;
        use Status::Ok;
        use Status::Warn;
        check(&[], [Warn, Ok, Ok, Ok, NotRead]);
        check(&[(1004, 1), (1002, 900)], [Ok, Ok, Ok, Ok, Ok]);
        check(&[(1004, 1), (2001, 2)], [Ok, Warn, Ok, Ok, NotRead]);
        check(&[(1004, 1), (2001, 30)], [Ok, Ok, Ok, Ok, NotRead]);
        check(&[(1004, 1), (3000, 30), (2003, 1)], [Ok, Ok, Warn, Ok, NotRead]);
        check(&[(1004, 1), (2002, 1)], [Ok, Ok, Ok, Warn, NotRead]);
    }

    #[test]
    fn a_log_that_was_not_read_is_no_good_news() {
        let mut seen = sample::observation("RMSC1", Role::Connector);
        seen.particulars.events = Asked::NotRead("refused".to_owned());
        let got = findings(&seen);
        assert_eq!((got.len(), got[0].status), (1, Status::NotRead));
    }
}
