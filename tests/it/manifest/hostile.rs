//! Texts meant to hurt: nothing panics, nothing grows without bound.

use proptest::prelude::*;
use rmsfleet::manifest::credentials;
use rmsfleet::manifest::diagnostic::Diagnostics;
use rmsfleet::manifest::pattern;
use rmsfleet::manifest::playbook;
use rmsfleet::manifest::rules;
use rmsfleet::manifest::source::Source;
use rmsfleet::manifest::tree;
use rmsfleet::manifest::tree::MAX_TEXT;

use crate::manifest::read;

#[track_caller]
fn check(text: &str, words: &str) {
    let mut diagnostics = Diagnostics::new();
    let tree = tree::parse(&Source::new("bomb.yml", text), &mut diagnostics);
    let shown: Vec<String> = diagnostics.items().iter().map(ToString::to_string).collect();
    assert!(tree.is_none() && shown.iter().any(|item| item.contains(words)), "{shown:?}");
}

#[test]
fn bombs_do_not_go_off() {
    let laughs = (1..12).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let names = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("{text}a{level}: &a{level} [{names}]\n")
    });
    check(&laughs, "unfolds to more than");
    let long = "x".repeat(100_000);
    let copies = vec!["*a"; 1_000].join(", ");
    check(&format!("a: &a {long}\nb: [{copies}]\n"), "unfolds to more than");
    check(&format!("{}{}", "[".repeat(100), "]".repeat(100)), "deeper than");
    check(&"[".repeat(100_000), "deeper than");
    let nested =
        (0..200).fold(String::new(), |text, depth| format!("{text}{}k:\n", " ".repeat(depth)));
    check(&nested, "deeper than");
    check(&"x".repeat(MAX_TEXT + 1), "larger than the limit");
    check(&"- 1\n".repeat(250_000), "unfolds to more than");
    check("a: &a [*a]\n", "alias stands inside");
    let deep = (0..60).fold("&a ".to_owned(), |text, _| format!("{text}[")) + &"]".repeat(60);
    check(&format!("a: {deep}\nb: [[[[[[*a]]]]]]\n"), "deeper than");
}

#[test]
fn a_flood_of_errors_is_cut_short() {
    let text = (0..5_000).fold("all:\n  hosts:\n    A:\n".to_owned(), |text, at| {
        format!("{text}      rms_x{at}: 1\n")
    });
    let diagnostics = read(&text).unwrap_err();
    assert_eq!(diagnostics.items().len(), 200);
    assert!(diagnostics.render(false).ends_with(" more"));
}

#[test]
fn warnings_do_not_bury_an_error() {
    let text = (0..300).fold("all:\n  hosts:\n    A:\n".to_owned(), |text, at| {
        format!("{text}      ansible_x{at}: 1\n")
    });
    let diagnostics = read(&format!("{text}      rms_x: 1\n")).unwrap_err();
    assert_eq!(diagnostics.errors().count(), 1);
}

fn everything(text: &str) {
    let source = Source::new("any.yml", text);
    for result in [
        read(text).map(drop),
        playbook::parse(&source).map(drop),
        rules::parse(&source).map(drop),
        credentials::parse(&source).map(drop),
    ] {
        if let Err(diagnostics) = result {
            assert!(diagnostics.has_errors());
            diagnostics.render(true);
        }
    }
    drop(pattern::parse(text));
    drop(rules::fill(text, None, None));
}

/// Pieces of inventories and playbooks, so that random texts get past the parser.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "all",
        "hosts",
        "children",
        "vars",
        "rms_role",
        "rms_site",
        "ansible_password",
        "FS[01:03]",
        ":",
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "'",
        "\"",
        "&a ",
        "*a",
        "<<: ",
        "!vault ",
        "|\n",
        "{{ x }}",
        "fci",
        "1",
        "ä",
        "😀",
        "\t",
        "#",
        "%",
        "stages",
        "---",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_make_anything_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        everything(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_text_of_yaml_pieces_makes_anything_panic(text in pieces()) {
        everything(&text);
    }
}
