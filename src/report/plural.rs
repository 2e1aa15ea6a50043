//! "1 host", "2 hosts".

/// A count with its noun; the plural is the noun with an `s`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Seconds as people read them: `0.21s`, `6m31s`, `2h05m`.
pub fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{:.2}s", seconds.max(0.0));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least 60 here, and a cast from float saturates"
    )]
    let whole = seconds as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}

/// Seconds on a clock face: `07:41`, `1:07:41`.
pub fn clock(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes:02}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// `3/4 up`, with the votes of a cluster where they were told: `3/4 up, 4/5 votes`.
pub fn capacity(up: usize, of: usize, votes: Option<(u32, u32)>) -> String {
    match votes {
        Some((held, all)) => format!("{up}/{of} up, {held}/{all} votes"),
        None => format!("{up}/{of} up"),
    }
}

/// `a, b and 3 more`.
pub fn list<S: AsRef<str>>(items: &[S], shown: usize) -> String {
    let texts: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    match texts.split_at_checked(shown) {
        Some((first, rest)) if !rest.is_empty() => {
            format!("{} and {} more", first.join(", "), rest.len())
        }
        Some(_) | None => texts.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!(count(1, "host"), "1 host");
        assert_eq!(count(0, "host"), "0 hosts");
    }

    #[test]
    fn durations_grow_coarser() {
        assert_eq!(duration(0.214), "0.21s");
        assert_eq!(duration(391.0), "6m31s");
        assert_eq!(duration(7500.0), "2h05m");
        assert_eq!(clock(461), "07:41");
        assert_eq!(clock(4061), "1:07:41");
    }

    #[test]
    fn a_long_list_says_how_much_is_missing() {
        assert_eq!(list(&["a", "b"], 2), "a, b");
        assert_eq!(list(&["a", "b", "c"], 2), "a, b and 1 more");
        assert_eq!(list::<&str>(&[], 2), "");
    }
}
