//! Prose laid out in columns. Words are never cut: a URL stays whole, however long it is.

/// Lines of at most `width` columns, the first behind `mark`, the others aligned with its text.
pub(super) fn wrap(mark: &str, text: &str, indent: usize, width: usize) -> Vec<String> {
    // A painted mark has bytes that take no column; they only make the first line shorter.
    let first = format!("{}{mark}", " ".repeat(indent));
    let rest = " ".repeat(indent + 2);
    let mut lines = Vec::new();
    let mut line = first;
    let mut is_bare = true;
    for word in text.split(' ') {
        let fits = line.chars().count() + 1 + word.chars().count() <= width;
        if !is_bare && !fits {
            lines.push(std::mem::replace(&mut line, rest.clone()));
            is_bare = true;
        }
        if !is_bare {
            line.push(' ');
        }
        line.push_str(word);
        is_bare = false;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_move_to_the_next_line_and_stay_whole() {
        assert_eq!(
            wrap("! ", "one two  https://a-long-name/x end", 2, 14),
            ["  ! one two ", "    https://a-long-name/x", "    end"]
        );
        assert_eq!(wrap("", "", 0, 10), [""]);
        assert_eq!(wrap("", "a b", 0, usize::MAX), ["a b"]);
    }
}
