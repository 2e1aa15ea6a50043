//! `_xHHHH_`: characters that XML cannot carry, as UTF-16 units, [MS-PSRP] 2.2.5.3.2.

use std::char::REPLACEMENT_CHARACTER;
use std::char::decode_utf16;
use std::fmt::Write as _;

/// Escapes control characters, non-characters, and what would read as an escape.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let looks_escaped = c == '_' && matches!(rest.peek(), Some('x' | 'X'));
        if c.is_control() || looks_escaped || matches!(c, '\u{fffe}' | '\u{ffff}') {
            let _ = write!(out, "_x{:04X}_", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Undoes [`escape`]; half of a surrogate pair becomes the replacement character.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((unit, after)) = unit(rest) {
            units.push(unit);
            rest = after;
            continue;
        }
        flush(&mut units, &mut out);
        out.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    flush(&mut units, &mut out);
    out
}

fn flush(units: &mut Vec<u16>, out: &mut String) {
    out.extend(decode_utf16(units.drain(..)).map(|c| c.unwrap_or(REPLACEMENT_CHARACTER)));
}

fn unit(text: &str) -> Option<(u16, &str)> {
    let rest = text.strip_prefix("_x").or_else(|| text.strip_prefix("_X"))?;
    let digits = rest.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let after = rest.get(4..)?.strip_prefix('_')?;
    Some((u16::from_str_radix(digits, 16).ok()?, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_utf16_units() {
        assert_eq!(unescape("a_x000A__xD83D__xDE00_b"), "a\n\u{1f600}b");
        assert_eq!(unescape("_xD83D_!"), "\u{fffd}!");
        assert_eq!(escape("a\r\n_x0041_"), "a_x000D__x000A__x005F_x0041_");
    }

    #[test]
    fn what_only_resembles_an_escape_stays() {
        for text in ["_x00_", "_x00G0_", "_x0041", "_", "_é0041_", "_x+041_"] {
            assert_eq!(unescape(text), text);
        }
    }

    proptest! {
        #[test]
        fn every_text_survives(text: String) {
            prop_assert_eq!(unescape(&escape(&text)), text);
        }
    }
}
