//! Globs as Ansible takes them from Python's `fnmatch`: `*`, `?`, `[1-3]`, `[ab]`, `[!x]`.

/// One step of a glob.
enum Step {
    /// `*`
    Any,
    /// `?`
    One,
    Letter(char),
    /// Ranges with both ends.
    Class {
        ranges: Vec<(char, char)>,
        is_negated: bool,
    },
}

impl Step {
    fn takes(&self, letter: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Letter(own) => *own == letter,
            Self::Class { ranges, is_negated } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&letter)) != *is_negated
            }
        }
    }
}

fn steps(glob: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = glob;
    while let Some(letter) = rest.chars().next() {
        let after = rest.strip_prefix(letter).unwrap_or_default();
        let step = match letter {
            '*' => Step::Any,
            '?' => Step::One,
            // An open bracket, or an empty pair, stands for itself.
            '[' => match after.split_once(']').filter(|(inner, _)| !inner.is_empty()) {
                Some((inner, behind)) => {
                    rest = behind;
                    steps.push(class(inner));
                    continue;
                }
                None => Step::Letter('['),
            },
            other => Step::Letter(other),
        };
        steps.push(step);
        rest = after;
    }
    steps
}

fn class(inner: &str) -> Step {
    let (is_negated, inner) = match inner.strip_prefix('!') {
        Some(inner) => (true, inner),
        None => (false, inner),
    };
    let letters: Vec<char> = inner.chars().collect();
    let mut ranges = Vec::new();
    let mut rest = letters.as_slice();
    loop {
        rest = match rest {
            [] => break,
            [from, '-', to, more @ ..] => {
                ranges.push((*from, *to));
                more
            }
            [one, more @ ..] => {
                ranges.push((*one, *one));
                more
            }
        };
    }
    Step::Class { ranges, is_negated }
}

/// Whether a text fits; takes at most text times glob steps.
pub(super) fn fits(glob: &str, text: &str) -> bool {
    let steps = steps(glob);
    let text: Vec<char> = text.chars().collect();
    let (mut g, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(t) {
        match steps.get(g) {
            Some(Step::Any) => {
                retry = Some((g, t));
                g += 1;
            }
            Some(step) if step.takes(*letter) => {
                g += 1;
                t += 1;
            }
            Some(_) | None => {
                let Some((star, at)) = retry else { return false };
                retry = Some((star, at + 1));
                g = star + 1;
                t = at + 1;
            }
        }
    }
    steps.iter().skip(g).all(|step| matches!(step, Step::Any))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(glob: &str, fitting: &[&str], others: &[&str]) {
        for text in fitting {
            assert!(fits(glob, text), "{glob} {text}");
        }
        for text in others {
            assert!(!fits(glob, text), "{glob} {text}");
        }
    }

    #[test]
    fn stars_question_marks_and_classes_are_fnmatchs() {
        check("fs*", &["fs", "fs01"], &["f", "efs"]);
        check("*a*b", &["ab", "xaxb", "aab"], &["a", "abc"]);
        check("fs0?", &["fs01"], &["fs0", "fs011"]);
        check("fs0[1-3]*", &["fs01", "fs03.corp"], &["fs04", "fs0", "fs0-"]);
        check("fs[0-1][ab]", &["fs0a", "fs1b"], &["fs2a", "fs0c"]);
        check("fs[!1-3]", &["fs4", "fsx"], &["fs1", "fs"]);
        check("a[b", &["a[b"], &["ab"]);
        check("a[]b", &["a[]b"], &["ab"]);
        check("[-a]", &["-", "a"], &["b"]);
    }
}
