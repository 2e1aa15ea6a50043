//! JSON lines: the same events for programs. Readers ignore fields they do not know.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::event::Record;
use crate::report::words::words;

/// Minor: additions. Major: something a reader relied on changed.
pub const SCHEMA: &str = "1.0";

/// The first line of every stream.
pub fn version(tool: &str) -> String {
    let message = format!("{tool}, schema {SCHEMA}");
    json!({ "type": "version", "schema": SCHEMA, "tool": tool, "message": message }).to_string()
}

/// One event as one line: `ts`, `run`, `seq`, `type`, the event's own fields, `message`.
pub fn event(record: &Record) -> Result<String, serde_json::Error> {
    let mut object = match serde_json::to_value(record)? {
        Value::Object(object) => object,
        other => Map::from_iter([("event".to_owned(), other)]),
    };
    let words = words(&record.event);
    object.insert("message".to_owned(), Value::String(words.sentence()));
    serde_json::to_string(&object)
}

/// A line that is not an event of the run: a plan, a result.
pub fn document(kind: &str, message: &str, body: Value) -> String {
    let mut object = match body {
        Value::Object(object) => object,
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    object.insert("type".to_owned(), Value::String(kind.to_owned()));
    object.insert("schema".to_owned(), Value::String(SCHEMA.to_owned()));
    object.insert("message".to_owned(), Value::String(message.to_owned()));
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::event::Event;
    use crate::model::host::HostName;
    use crate::model::outcome::Outcome;

    #[test]
    fn the_first_line_names_the_schema() {
        let line: Value = serde_json::from_str(&version("rmsfleet 0.1.0")).unwrap();
        assert_eq!(line["type"], "version");
        assert_eq!(line["schema"], "1.0");
    }

    #[test]
    fn an_event_is_one_line_with_a_message() {
        let host = HostName::new("FS01.corp.contoso.com");
        let event = Event::HostEnded { host, outcome: Outcome::Unchanged };
        let record = Record { seq: 7, ts: Timestamp::UNIX_EPOCH, run: "r1".into(), event };
        let line = super::event(&record).unwrap();
        assert!(!line.contains('\n'));
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["seq"], 7);
        assert_eq!(line["type"], "host-ended");
        assert_eq!(line["outcome"], "unchanged");
        assert_eq!(line["ts"], "1970-01-01T00:00:00Z");
        assert_eq!(line["message"], "Unchanged FS01.corp.contoso.com every value was as planned");
    }
}
