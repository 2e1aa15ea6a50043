//! `C:\rms\probe.exe`: a program that every simulated host has, for gates and hooks to be shown with.
//!
//! Without arguments it reads a gate's question and answers green; `red` answers red, `exit CODE TEXT`
//! says the text and ends with the code, `wait` never ends.

use crate::lab::cmd::Said;
use crate::lab::cmd::words;

/// Where it stands on every host.
pub const PATH: &str = r"C:\rms\probe.exe";

/// How far a program came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    Ended(Said),
    /// It waits for the end of its input.
    Reads,
    /// It waits for nothing that will come.
    Hangs,
}

/// What it does with a command line; `None` if the line calls another program. `input` is its
/// standard input once that has ended.
pub fn run(line: &str, input: Option<&[u8]>) -> Option<Progress> {
    let words = words(line);
    let (path, arguments) = words.split_first()?;
    if !path.eq_ignore_ascii_case(PATH) {
        return None;
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = |stdout: String, code| {
        Some(Progress::Ended(Said { stdout: stdout + "\r\n", stderr: String::new(), code }))
    };
    match *arguments.as_slice() {
        ["exit", code, ref text @ ..] => ended(text.join(" "), code.parse().unwrap_or(1)),
        ["wait"] => Some(Progress::Hangs),
        ["red"] => ended(r#"{"green": false, "seen": "not yet"}"#.to_owned(), 0),
        _ => {
            let Some(input) = input else { return Some(Progress::Reads) };
            ended(format!(r#"{{"green": true, "seen": "{} bytes"}}"#, input.len()), 0)
        }
    }
}
