//! Text as PowerShell literals.

use crate::model::registry::Value;

/// Characters that begin and end a single-quoted string: PowerShell takes the typographic ones for
/// the plain one, and any of them twice for itself.
pub const SINGLE_QUOTES: [char; 5] = ['\'', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}'];

/// A literal in which nothing is expanded. Control characters are the caller's to refuse.
pub fn literal(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        if SINGLE_QUOTES.contains(&c) {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

/// The type and the value as `Set-GPRegistryValue` takes them.
pub fn registry_value(value: &Value) -> (&'static str, String) {
    match value {
        Value::Sz(text) => ("String", literal(text)),
        Value::ExpandSz(text) => ("ExpandString", literal(text)),
        // Both are signed there; the bits are what counts.
        Value::Dword(number) => ("DWord", i32::from_le_bytes(number.to_le_bytes()).to_string()),
        Value::Qword(number) => {
            ("QWord", format!("[long]'{}'", i64::from_le_bytes(number.to_le_bytes())))
        }
        Value::Binary(bytes) => {
            let bytes: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
            ("Binary", format!("[byte[]]@({})", bytes.join(", ")))
        }
        Value::MultiSz(texts) => {
            let texts: Vec<String> = texts.iter().map(|text| literal(text)).collect();
            ("MultiString", format!("[string[]]@({})", texts.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_quote_that_powershell_knows_is_doubled_and_nothing_else() {
        for quote in SINGLE_QUOTES {
            assert_eq!(literal(&format!("a{quote}b")), format!("'a{quote}{quote}b'"));
        }
        let others = "\u{201c}\u{201d}\u{201e}\"`$x$(1)#{}";
        assert_eq!(literal(others), format!("'{others}'"));
    }

    #[test]
    fn numbers_keep_their_bits() {
        assert_eq!(registry_value(&Value::Dword(u32::MAX)), ("DWord", "-1".to_owned()));
        assert_eq!(registry_value(&Value::Qword(1 << 63)).1, format!("[long]'{}'", i64::MIN));
    }
}
