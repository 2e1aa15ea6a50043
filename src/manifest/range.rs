//! Host ranges: `FS[01:12]`, `web-[a:c]`, `n[01:50:2]`, several in one name.

/// The most names that one range, or one inventory, may stand for.
pub const MAX_NAMES: usize = 10_000;

/// The longest name, in bytes; a DNS name has at most 253.
const MAX_LENGTH: usize = 512;

/// Why a name with brackets stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    #[error("name is longer than {MAX_LENGTH} bytes")]
    Long,
    #[error("bracket `[` is not closed")]
    Open,
    #[error("`]` has no `[` before it")]
    Close,
    #[error("range `[{0}]` needs a start and an end")]
    Shape(String),
    #[error("range `[{0}]` mixes numbers and letters, or is neither")]
    Ends(String),
    #[error("range `[{0}]` pads its start to another width than its end")]
    Padding(String),
    #[error("range `[{0}]` ends before it starts, so it stands for no host")]
    Empty(String),
    #[error("range `[{0}]` has a step that is not a number above 0")]
    Step(String),
    #[error("range stands for more than {MAX_NAMES} hosts")]
    TooMany,
    #[error("range stands for `{0}` twice")]
    Twice(String),
}

impl RangeError {
    /// What to type instead.
    pub fn help(&self) -> String {
        match self {
            Self::Long => "a DNS name has at most 253 characters".to_owned(),
            Self::Open | Self::Close => "write a range as `FS[01:12]`".to_owned(),
            Self::Shape(_) => "write `[01:12]`, `[a:c]` or, with a step, `[01:50:2]`".to_owned(),
            Self::Ends(_) => {
                "write two numbers or two single letters: `[01:12]`, `[a:c]`".to_owned()
            }
            Self::Padding(_) => "give both ends the same number of digits: `[01:12]`".to_owned(),
            Self::Empty(range) => match range.split_once(':') {
                Some((from, to)) if !to.contains(':') => format!("write `[{to}:{from}]`"),
                Some(_) | None => "put the smaller end first".to_owned(),
            },
            Self::Step(_) => "write a step of 1 or more: `[01:50:2]`".to_owned(),
            Self::TooMany => "make the range smaller, or split the inventory".to_owned(),
            Self::Twice(_) => "put a separator between the ranges: `n[1:9]-[1:9]`".to_owned(),
        }
    }
}

/// All names that a name stands for, in order; a name without brackets stands for itself.
pub fn expand(name: &str) -> Result<Vec<String>, RangeError> {
    if name.len() > MAX_LENGTH {
        return Err(RangeError::Long);
    }
    let mut names = vec![String::new()];
    let mut rest = name;
    let mut ranges = 0;
    while let Some((head, tail)) = rest.split_once('[') {
        let (inside, tail) = tail.split_once(']').ok_or(RangeError::Open)?;
        if head.contains(']') {
            return Err(RangeError::Close);
        }
        let items = items(inside)?;
        if names.len().saturating_mul(items.len()) > MAX_NAMES {
            return Err(RangeError::TooMany);
        }
        names = names
            .iter()
            .flat_map(|name| items.iter().map(move |item| format!("{name}{head}{item}")))
            .collect();
        rest = tail;
        ranges += 1;
    }
    if rest.contains(']') {
        return Err(RangeError::Close);
    }
    for name in &mut names {
        name.push_str(rest);
    }
    if ranges > 1 {
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort();
        let twice = sorted.windows(2).find_map(|pair| match pair {
            [left, right] if left == right => Some((*left).clone()),
            _ => None,
        });
        if let Some(twice) = twice {
            return Err(RangeError::Twice(twice));
        }
    }
    Ok(names)
}

fn items(range: &str) -> Result<Vec<String>, RangeError> {
    let parts: Vec<&str> = range.split(':').map(str::trim).collect();
    let (from, to, step) = match parts.as_slice() {
        [from, to] => (*from, *to, 1),
        [from, to, step] => {
            let number = step.parse::<usize>().ok().filter(|step| *step > 0);
            (*from, *to, number.ok_or_else(|| RangeError::Step(range.to_owned()))?)
        }
        _ => return Err(RangeError::Shape(range.to_owned())),
    };
    // As in Ansible, a missing start is 0; a missing end means nothing.
    let from = if from.is_empty() { "0" } else { from };
    if to.is_empty() {
        return Err(RangeError::Shape(range.to_owned()));
    }
    let items = if let (Some(first), Some(last)) = (letter(from), letter(to)) {
        (first..=last).step_by(step).map(String::from).collect()
    } else {
        numbers(range, from, to, step)?
    };
    if items.is_empty() { Err(RangeError::Empty(range.to_owned())) } else { Ok(items) }
}

/// The numbers of a range; a start with leading zeros sets the width.
fn numbers(range: &str, from: &str, to: &str, step: usize) -> Result<Vec<String>, RangeError> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let ends = || RangeError::Ends(range.to_owned());
    if !digits(from) || !digits(to) {
        return Err(ends());
    }
    let padded = |text: &str| text.len() > 1 && text.starts_with('0');
    if (padded(from) || padded(to)) && from.len() != to.len() {
        return Err(RangeError::Padding(range.to_owned()));
    }
    let width = if padded(from) { from.len() } else { 0 };
    let (from, to): (u32, u32) =
        (from.parse().map_err(|_| ends())?, to.parse().map_err(|_| ends())?);
    let numbers: Vec<String> = (from..=to)
        .step_by(step)
        .take(MAX_NAMES + 1)
        .map(|number| format!("{number:0width$}"))
        .collect();
    if numbers.len() > MAX_NAMES { Err(RangeError::TooMany) } else { Ok(numbers) }
}

fn letter(text: &str) -> Option<char> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(letter), None) if letter.is_ascii_alphabetic() => Some(letter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &Result<Vec<&str>, RangeError>) {
        let got = expand(name);
        let got = got.as_ref().map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(got.map_err(Clone::clone), expected.clone(), "for {name}");
    }

    #[test]
    fn a_range_counts_pads_and_steps() {
        check("FS01", &Ok(vec!["FS01"]));
        check("FS[08:11].x", &Ok(vec!["FS08.x", "FS09.x", "FS10.x", "FS11.x"]));
        check("FS[8:11]", &Ok(vec!["FS8", "FS9", "FS10", "FS11"]));
        check("w[a:c]", &Ok(vec!["wa", "wb", "wc"]));
        check("n[01:07:3]", &Ok(vec!["n01", "n04", "n07"]));
        check("n[1:2]-[a:b]", &Ok(vec!["n1-a", "n1-b", "n2-a", "n2-b"]));
        check("n[:2]", &Ok(vec!["n0", "n1", "n2"]));
        check("n[3:3]", &Ok(vec!["n3"]));
    }

    #[test]
    fn a_range_that_stands_for_nothing_is_refused() {
        check("n[12:01]", &Err(RangeError::Empty("12:01".into())));
        check("n[c:a]", &Err(RangeError::Empty("c:a".into())));
        check("n[01:100]", &Err(RangeError::Padding("01:100".into())));
        check("n[1:a]", &Err(RangeError::Ends("1:a".into())));
        check("n[1]", &Err(RangeError::Shape("1".into())));
        check("n[5:]", &Err(RangeError::Shape("5:".into())));
        check(&"n".repeat(600), &Err(RangeError::Long));
        check("n[1:5:0]", &Err(RangeError::Step("1:5:0".into())));
        check("n[1:5", &Err(RangeError::Open));
        check("n1:5]", &Err(RangeError::Close));
        check("n[1:99999999]", &Err(RangeError::TooMany));
        check("n[1:999][1:999]", &Err(RangeError::TooMany));
        check("n[1:11][1:11]", &Err(RangeError::Twice("n111".into())));
        check(
            "n[99999999999:99999999999]",
            &Err(RangeError::Ends("99999999999:99999999999".into())),
        );
    }

    proptest! {
        #[test]
        fn a_number_range_has_as_many_names_as_numbers(
            from in 0_u32..500, more in 0_u32..500, step in 1_u32..20, width in 3_usize..6,
        ) {
            let to = from + more;
            let names = expand(&format!("a[{from:0width$}:{to:0width$}:{step}]z")).unwrap();
            prop_assert_eq!(names.len(), (more / step + 1) as usize);
            for (at, name) in (0_u32..).zip(&names) {
                prop_assert_eq!(name, &format!("a{:0width$}z", from + at * step));
            }
        }

        #[test]
        fn no_text_makes_it_panic(name in "\\PC*") {
            if let Ok(names) = expand(&name) {
                prop_assert!(!names.is_empty() && names.len() <= MAX_NAMES);
            }
        }

        #[test]
        fn no_text_of_brackets_makes_it_panic(name in "[a0:\\[\\]1-]{0,12}") {
            let _ = expand(&name);
        }
    }
}
