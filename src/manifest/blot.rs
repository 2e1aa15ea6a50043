//! Secrets in a text that is about to be shown.
//!
//! Works on lines, not on YAML: a text with a syntax error is shown too.

use std::ops::Range;

const WORDS: [&str; 5] = ["passw", "passphrase", "secret", "token", "_pass"];

/// The text with every value of a secret-looking key replaced by stars, byte for byte.
pub(super) fn blot(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Column of a secret key whose value may go on in deeper lines.
    let mut open: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        if open.is_some_and(|column| indent > column || line.trim().is_empty()) {
            stars(line, &mut out);
            continue;
        }
        open = None;
        let mut done = 0;
        for (column, value) in secrets(line) {
            if value.start < done {
                continue;
            }
            out.push_str(line.get(done..value.start).unwrap_or_default());
            stars(line.get(value.clone()).unwrap_or_default(), &mut out);
            done = value.end;
            let flow = line.get(..column).unwrap_or_default().contains('{');
            if !flow && !line.get(value).unwrap_or_default().trim().is_empty() {
                open = Some(column.min(indent));
            }
        }
        out.push_str(line.get(done..).unwrap_or_default());
    }
    out
}

fn stars(text: &str, out: &mut String) {
    for c in text.chars() {
        if c.is_whitespace() {
            out.push(c);
        } else {
            out.push_str("*".repeat(c.len_utf8()).as_str());
        }
    }
}

/// The secret-looking keys of a line: where each begins, and where its value stands.
fn secrets(line: &str) -> Vec<(usize, Range<usize>)> {
    let mut found = Vec::new();
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    for (colon, _) in line.match_indices(':') {
        let before = line.get(..colon).unwrap_or_default();
        let key = before.trim_end().trim_end_matches(['"', '\'']);
        let start = key.rfind(|c| !word(c)).map_or(0, |at| at + 1);
        let name = key.get(start..).unwrap_or_default().to_ascii_lowercase();
        if name != "pass" && !WORDS.iter().any(|word| name.contains(word)) {
            continue;
        }
        let rest = line.get(colon + 1..).unwrap_or_default();
        let from = colon + 1 + (rest.len() - rest.trim_start().len());
        let value = line.get(from..).unwrap_or_default().trim_end();
        let flow = before.contains('{');
        let length = if flow { flow_end(value) } else { value.len() };
        found.push((start, from..from + length));
    }
    found
}

/// Where a value inside of braces ends: at `,` or `}` outside of quotes.
fn flow_end(value: &str) -> usize {
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    match quote {
        Some(quote) => {
            let inner = value.get(1..).unwrap_or_default();
            let close = inner.find(quote).map_or(value.len(), |at| at + 2);
            close.min(value.len())
        }
        None => value.find([',', '}']).unwrap_or(value.len()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(blot(text), expected);
    }

    #[test]
    fn the_value_of_a_secret_is_blotted_out() {
        check("ansible_password: hunter2\nx: y\n", "ansible_password: *******\nx: y\n");
        check("a: {db_passwd: 'a, b', x: y}\n", "a: {db_passwd: *** **, x: y}\n");
        check("a: {pass: abc}\n", "a: {pass: ***}\n");
        check("\"password\" : ä: b\n", "\"password\" : *** *\n");
    }

    #[test]
    fn a_value_of_several_lines_is_blotted_out() {
        check(
            "  token: |\n    one\n\n    two\n  x: y\n",
            "  token: *\n    ***\n\n    ***\n  x: y\n",
        );
    }

    #[test]
    fn names_that_only_sound_like_one_are_left() {
        check("secret_servers:\n  hosts:\n", "secret_servers:\n  hosts:\n");
        check("compass: north\n", "compass: north\n");
    }

    proptest! {
        #[test]
        fn length_and_lines_stay(text in "(pass|_|: |\\{|\\}|'|\"|,|\n|ä| |x){0,40}") {
            let out = blot(&text);
            prop_assert_eq!(out.len(), text.len());
            prop_assert_eq!(out.lines().count(), text.lines().count());
        }
    }
}
