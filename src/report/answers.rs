//! Questions and answers about one thing, one below the other.

use crate::model::visible::visible;
use crate::report::style::Style;
use crate::report::style::Tint;

/// Columns of the questions.
const QUESTION: usize = 18;

/// A title, then each question with its answer; an empty question goes on with the one before.
pub fn render(
    title: &str,
    answers: &[(&'static str, String)],
    style: Style,
    columns: usize,
) -> String {
    let mut lines = vec![style.paint(Tint::Strong, &visible(title))];
    let room = columns.saturating_sub(QUESTION + 2).max(24);
    for (question, answer) in answers {
        for (place, part) in pieces(&visible(answer), room).iter().enumerate() {
            let question = if place == 0 { *question } else { "" };
            let question = style.paint(Tint::Faint, &format!("{question:>QUESTION$}"));
            lines.push(format!("{question}  {part}"));
        }
    }
    lines.join("\n") + "\n"
}

/// The text in parts of at most `room` columns; a word that is longer stays whole.
pub(super) fn pieces(text: &str, room: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let last = parts.last().map_or(0, |part| part.chars().count());
        if last > 0 && last + word.trim_end().chars().count() > room {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push_str(word);
        }
    }
    parts.iter().map(|part| part.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_stand_in_one_column_and_long_words_stay_whole() {
        let answers = [
            (
                "restart",
                "required by rule fci.always and by a-word-that-is-longer-than-that".to_owned(),
            ),
            ("", "because 2 values change".to_owned()),
        ];
        let expected = "\
FS01
           restart  required by rule
                    fci.always and by
                    a-word-that-is-longer-than-that
                    because 2 values change
";
        assert_eq!(render("FS01", &answers, Style::PLAIN, 44), expected);
    }
}
