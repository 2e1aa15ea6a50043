//! "Did you mean": the nearest known word by edit distance.

/// Longer words are not compared; nobody mistypes one of ours that long.
const LONGEST: usize = 64;

/// The known word nearest to `typed`, if it is near enough to be a slip of the finger.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if typed.len() > LONGEST {
        return None;
    }
    let allowed = (typed.chars().count() / 3).max(1);
    let typed = typed.to_lowercase();
    known
        .into_iter()
        .map(|word| (distance(&typed, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= allowed && *distance < word.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// "did you mean `word`?", for the help line of a diagnostic.
#[expect(single_use_lifetimes, reason = "an elided lifetime is not allowed inside `impl Trait`")]
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(typed, known).map(|word| format!("did you mean `{word}`?"))
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(LONGEST).collect();
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut before: Option<char> = None;
    for (i, from) in left.chars().enumerate() {
        let mut next = vec![i.saturating_add(1)];
        for (j, to) in right.iter().copied().enumerate() {
            let cell =
                |cells: &[usize], at: usize| cells.get(at).copied().unwrap_or(usize::MAX - 1);
            let kept = cell(&row, j) + usize::from(from != to);
            let mut best = kept.min(cell(&row, j + 1) + 1).min(cell(&next, j) + 1);
            let swapped = j > 0 && before == Some(to) && right.get(j - 1) == Some(&from);
            if swapped {
                best = best.min(cell(&above, j - 1) + 1);
            }
            next.push(best);
        }
        above = row;
        row = next;
        before = Some(from);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, known: &[&str], expected: Option<&str>) {
        assert_eq!(nearest(typed, known.iter().copied()), expected, "for {typed}");
    }

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        check("rms_rol", &["rms_role", "rms_site"], Some("rms_role"));
        check("rms_roel", &["rms_role", "rms_site"], Some("rms_role"));
        check("Exchange", &["exchange"], Some("exchange"));
        check("exhcange", &["exchange", "sharepoint"], Some("exchange"));
    }

    #[test]
    fn a_different_word_finds_nothing() {
        check("banana", &["rms_role", "rms_site"], None);
        check("x", &["y"], None);
        check(&"a".repeat(5000), &["rms_role"], None);
    }

    #[test]
    fn distance_counts_a_swap_once() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
