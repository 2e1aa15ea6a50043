//! The text form of registry values that regedit imports: version 5.00, UTF-16LE with a byte order
//! mark, CRLF.
//!
//! What independent importers ask for beyond Windows: every parent key named before its children
//! (hivex), an empty line after the last value (Samba).

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::export::file::ExportError;
use crate::export::file::is_plain;
use crate::model::registry::KeyPath;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValueName;
use crate::model::registry::ValuePath;
use crate::model::visible::visible;

const FORMAT: &str = "a .reg file";
/// Where regedit breaks lines of bytes.
const COLUMNS: usize = 78;

/// Whether keys above those with values are named too. Naming a key creates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parents {
    Named,
    /// They stand already, or are none of the file's business.
    Left,
}

/// A file that sets what is present and deletes what is absent. It never deletes a key: `[-KEY]`
/// would take everything below it, whoever wrote it.
pub fn encode(
    values: &[(ValuePath, State)],
    comments: &[String],
    parents: Parents,
) -> Result<Vec<u8>, ExportError> {
    let mut lines = vec!["Windows Registry Editor Version 5.00".to_owned(), String::new()];
    lines.extend(comments.iter().map(|comment| format!("; {}", visible(comment))));
    if !comments.is_empty() {
        lines.push(String::new());
    }
    let mut keys: BTreeMap<&KeyPath, Vec<(&ValuePath, &State)>> = BTreeMap::new();
    for (path, state) in values {
        keys.entry(&path.key).or_default().push((path, state));
    }
    let mut named: BTreeSet<KeyPath> = BTreeSet::new();
    for (key, values) in keys {
        if parents == Parents::Named {
            for above in above(key) {
                if named.insert(above.clone()) {
                    lines.extend([heading(&above), String::new()]);
                }
            }
        }
        named.insert(key.clone());
        lines.push(heading(key));
        for (path, state) in values {
            lines.push(line(path, state)?);
        }
        lines.push(String::new());
    }
    // The last line is empty too, and it ends.
    let text = lines.join("\r\n") + "\r\n";
    Ok(utf16(&text))
}

fn heading(key: &KeyPath) -> String {
    format!("[HKEY_LOCAL_MACHINE\\{}]", key.as_str())
}

/// From the top down, without the key itself.
fn above(key: &KeyPath) -> Vec<KeyPath> {
    let mut keys: Vec<KeyPath> = std::iter::successors(key.parent(), KeyPath::parent).collect();
    keys.reverse();
    keys
}

fn line(path: &ValuePath, state: &State) -> Result<String, ExportError> {
    if !is_plain(path.key.as_str()) || !is_plain(path.name.as_str()) {
        return Err(ExportError::Name { format: FORMAT, path: path.clone() });
    }
    let name = name(&path.name);
    Ok(match state {
        State::Absent => format!("{name}=-"),
        State::Present(value) => data(&name, value),
    })
}

fn name(name: &ValueName) -> String {
    if name.is_default() { "@".to_owned() } else { quoted(name.as_str()) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn data(name: &str, value: &Value) -> String {
    match value {
        Value::Sz(text) if is_plain(text) => format!("{name}={}", quoted(text)),
        // Within quotes a line break would end the line.
        Value::Sz(text) => bytes(name, "hex(1)", &terminated(text)),
        Value::ExpandSz(text) => bytes(name, "hex(2)", &terminated(text)),
        Value::Binary(data) => bytes(name, "hex", data),
        Value::Dword(number) => format!("{name}=dword:{number:08x}"),
        Value::MultiSz(texts) => {
            let mut all: Vec<u8> = texts.iter().flat_map(|text| terminated(text)).collect();
            all.extend([0, 0]);
            bytes(name, "hex(7)", &all)
        }
        Value::Qword(number) => bytes(name, "hex(b)", &number.to_le_bytes()),
    }
}

fn bytes(name: &str, kind: &str, bytes: &[u8]) -> String {
    let mut text = format!("{name}={kind}:");
    let mut column = text.chars().count();
    for (place, byte) in bytes.iter().enumerate() {
        if place > 0 {
            text.push(',');
            column += 1;
            if column + 3 > COLUMNS {
                text.push_str("\\\r\n  ");
                column = 2;
            }
        }
        text.push_str(&format!("{byte:02x}"));
        column += 2;
    }
    text
}

fn terminated(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[(ValuePath, State)], parents: Parents, expected: &str) {
        let bytes = encode(values, &["a comment".to_owned()], parents).unwrap();
        assert_eq!(&bytes[..2], [0xff, 0xfe]);
        let units: Vec<u16> =
            bytes[2..].chunks(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
        let text = String::from_utf16(&units).unwrap();
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        let head = "Windows Registry Editor Version 5.00\n\n; a comment\n\n";
        assert_eq!(text.replace("\r\n", "\n"), format!("{head}{expected}"));
    }

    fn present(name: &str, value: Value) -> (ValuePath, State) {
        (ValuePath::new(r"SOFTWARE\A\B", name), State::Present(value))
    }

    #[test]
    fn every_type_is_written_as_regedit_does() {
        check(
            &[
                present("", Value::Sz(r#"a "quoted" \ back"#.to_owned())),
                present(r#"n"\"#, Value::Sz(String::new())),
                present("broken", Value::Sz("a\r\nb".to_owned())),
                present("x", Value::ExpandSz("%a%".to_owned())),
                present("b", Value::Binary(vec![0, 255, 16])),
                present("e", Value::Binary(Vec::new())),
                present("d", Value::Dword(u32::MAX)),
                present("q", Value::Qword(1 << 63)),
                present("m", Value::MultiSz(vec!["1".to_owned(), "2".to_owned()])),
            ],
            Parents::Left,
            "[HKEY_LOCAL_MACHINE\\SOFTWARE\\A\\B]\n\
             @=\"a \\\"quoted\\\" \\\\ back\"\n\
             \"n\\\"\\\\\"=\"\"\n\
             \"broken\"=hex(1):61,00,0d,00,0a,00,62,00,00,00\n\
             \"x\"=hex(2):25,00,61,00,25,00,00,00\n\
             \"b\"=hex:00,ff,10\n\
             \"e\"=hex:\n\
             \"d\"=dword:ffffffff\n\
             \"q\"=hex(b):00,00,00,00,00,00,00,80\n\
             \"m\"=hex(7):31,00,00,00,32,00,00,00,00,00\n\n",
        );
    }

    #[test]
    fn parents_come_first_and_what_is_absent_is_deleted() {
        let other = ValuePath::new(r"SOFTWARE\A\C", "");
        check(
            &[(ValuePath::new(r"SOFTWARE\A\B", "gone"), State::Absent), (other, State::Absent)],
            Parents::Named,
            "[HKEY_LOCAL_MACHINE\\SOFTWARE]\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\A]\n\n\
             [HKEY_LOCAL_MACHINE\\SOFTWARE\\A\\B]\n\"gone\"=-\n\n\
             [HKEY_LOCAL_MACHINE\\SOFTWARE\\A\\C]\n@=-\n\n",
        );
    }

    #[test]
    fn long_data_is_continued() {
        let value = Value::Binary((0..60).collect());
        let text = data("\"long\"", &value);
        assert!(text.lines().count() > 1 && text.lines().all(|line| line.len() <= 80), "{text}");
        let joined = text.replace("\\\r\n  ", "");
        assert!(joined.ends_with("3a,3b") && joined.matches(',').count() == 59, "{joined}");
    }

    #[test]
    fn what_a_line_cannot_say_is_refused() {
        for path in [ValuePath::new("SOFTWARE", "a\nb"), ValuePath::new("SOFT\u{1}WARE", "x")] {
            let error = encode(&[(path, State::Absent)], &[], Parents::Left).unwrap_err();
            assert!(error.to_string().contains("control character"), "{error}");
        }
    }
}
