//! Programs that a playbook names: where they run, and in which words a Windows host is given one.
//!
//! A host's shell service joins the words of a command with blanks and gives the line to `cmd.exe`
//! (`/C`), and from Windows Server 2012 R2 on the option that leaves `cmd.exe` out is ignored
//! ([MS-WSMV] 3.1.4.11, note 117). So the line is read twice: by `cmd.exe`, and by the program's
//! own C runtime. Only what both read in one way is ever sent:
//!
//! - the program is a full path of plain characters. `cmd.exe /C` strips quotes off a line that begins
//!   with one, under conditions, so that a quoted path may start something else. A full path is found
//!   in no folder that somebody put in front, and is none of `cmd.exe`'s own words (`del`, `echo`);
//! - an argument of anything but plain characters stands in double quotes, within which `& | < > ( ) ^`
//!   mean nothing. Backslashes before the closing quote are doubled, as the C runtime wants it;
//! - refused are a double quote (`cmd.exe` and the C runtime disagree on where it ends), `%` (expanded
//!   even in quotes), `!` (expanded where delayed expansion is switched on), and control characters.
//!
//! What does not fit goes to the program on its standard input.

use serde::Deserialize;
use serde::Serialize;

use crate::model::host::HostName;

/// Most characters of a line: `cmd.exe` takes 8191, and its own call stands before them.
const LONGEST: usize = 8000;
/// What may be started.
const ENDINGS: [&str; 4] = [".exe", ".com", ".cmd", ".bat"];

/// Where a program runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOn {
    /// The machine that the run is carried out from.
    #[default]
    Controller,
    /// The host that it is about: each host of the batch, or the one that restarts.
    Host,
    /// One host of the inventory, whatever it is about.
    Named(HostName),
}

impl RunOn {
    pub fn is_controller(&self) -> bool {
        *self == Self::Controller
    }

    /// `here`, `on the host`, `on MGMT01`.
    pub fn place(&self) -> String {
        match self {
            Self::Controller => "here".to_owned(),
            Self::Host => "on the host".to_owned(),
            Self::Named(host) => format!("on {}", host.short()),
        }
    }
}

/// A program and its arguments as a Windows host is given them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    path: String,
    words: Vec<String>,
}

/// Why a program or an argument is not sent to a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("it names no program")]
    Empty,
    /// With what is wrong with it.
    #[error("`{0}` is no full path of a program: {1}")]
    Path(String, &'static str),
    #[error("`{0}` holds {1:?}, which `cmd.exe` on the host may read as its own")]
    Character(String, char),
    #[error("the program and its arguments are {0} characters long, a host takes {LONGEST}")]
    Long(usize),
}

impl Unfit {
    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty | Self::Path(..) => {
                r"write it as `C:\Tools\check.exe`, without blanks; for a folder with blanks, its short name or a .cmd file elsewhere"
            }
            Self::Character(..) => {
                "leave it out, or put the text into a file on the host; a gate's program is told what it is about on its standard input"
            }
            Self::Long(_) => "put the arguments into a file on the host",
        }
    }
}

impl Program {
    /// The words of an `argv`, or why they are not sent. Nothing is split, joined or expanded.
    pub fn new(argv: &[String]) -> Result<Self, Unfit> {
        let (path, arguments) = argv.split_first().ok_or(Unfit::Empty)?;
        check_path(path)?;
        let words = arguments.iter().map(|text| word(text)).collect::<Result<Vec<_>, _>>()?;
        let length =
            path.chars().count() + words.iter().map(|word| word.chars().count() + 1).sum::<usize>();
        if length > LONGEST {
            return Err(Unfit::Long(length));
        }
        Ok(Self { path: path.clone(), words })
    }

    /// The program's full path on the host.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its arguments, quoted where need be.
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

fn check_path(path: &str) -> Result<(), Unfit> {
    let wrong = |why| Err(Unfit::Path(path.to_owned(), why));
    let mut start = path.chars();
    let drive = start.next().is_some_and(|letter| letter.is_ascii_alphabetic());
    if !(drive && start.next() == Some(':') && start.next() == Some('\\')) {
        return wrong("it does not begin with a drive and a backslash");
    }
    let plain = |letter: char| letter.is_alphanumeric() || r"\-_.~".contains(letter);
    if !start.as_str().chars().all(plain) {
        return wrong("it holds more than letters, digits and `\\ - _ . ~`");
    }
    if start.as_str().split('\\').any(|part| part.is_empty() || part.ends_with('.')) {
        return wrong("a part of it is empty or ends with a dot");
    }
    let lower = path.to_ascii_lowercase();
    if !ENDINGS.iter().any(|ending| lower.ends_with(ending)) {
        return wrong("it does not end with .exe, .com, .cmd or .bat");
    }
    Ok(())
}

fn word(text: &str) -> Result<String, Unfit> {
    let own = |letter: &char| "\"%!".contains(*letter) || letter.is_control();
    if let Some(letter) = text.chars().find(own) {
        return Err(Unfit::Character(text.to_owned(), letter));
    }
    // Without `,`, `;` and `=`: a batch file would take them for the end of an argument.
    let plain = |letter: char| letter.is_alphanumeric() || r"-_./\:+~".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    let backslashes = text.chars().rev().take_while(|letter| *letter == '\\').count();
    Ok(format!("\"{text}{}\"", "\\".repeat(backslashes)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::prop;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    fn program(argv: &[&str]) -> Result<Program, Unfit> {
        Program::new(&argv.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>())
    }

    #[track_caller]
    fn check_word(text: &str, sent: &str) {
        let program = program(&[r"C:\Tools\check.exe", text]).unwrap();
        assert_eq!(program.words(), [sent]);
    }

    #[track_caller]
    fn check_refused(argv: &[&str], why: &str) {
        assert_eq!(program(argv).unwrap_err().to_string(), why);
    }

    #[test]
    fn an_argument_stands_in_quotes_unless_it_is_plain() {
        check_word("-Drain", "-Drain");
        check_word(r"D:\Shares\Größe", r"D:\Shares\Größe");
        check_word("", r#""""#);
        check_word("a & del b", r#""a & del b""#);
        check_word("(^|<>)", r#""(^|<>)""#);
        check_word("a=b", r#""a=b""#);
        check_word(r"C:\Program Files\", r#""C:\Program Files\\""#);
    }

    #[test]
    fn what_the_command_processor_reads_in_its_own_way_is_refused() {
        let path = r"C:\Tools\check.exe";
        check_refused(
            &[path, "%PATH%"],
            "`%PATH%` holds '%', which `cmd.exe` on the host may read as its own",
        );
        for text in ["a\"b", "done!", "a\nb", "a\0b"] {
            assert!(matches!(program(&[path, text]), Err(Unfit::Character(..))), "{text:?}");
        }
        assert!(matches!(program(&[path, &"a".repeat(8000)]), Err(Unfit::Long(_))));
    }

    #[test]
    fn only_a_full_path_names_a_program() {
        check_refused(&[], "it names no program");
        for path in [
            "del",
            "echo.exe",
            r"\\server\share\x.exe",
            r"C:\Program Files\x.exe",
            r"C:\x.exe&del.exe",
            r"C:\a\.\x.exe",
            r"C:\\x.exe",
            r"C:\x.ps1",
            r"C:x.exe",
            r#""C:\x.exe""#,
        ] {
            assert!(matches!(program(&[path]), Err(Unfit::Path(..))), "{path}");
        }
        for path in [r"C:\PROGRA~1\x.EXE", r"d:\Größe\a-b_c.1.cmd"] {
            assert_eq!(program(&[path]).unwrap().path(), path);
        }
    }

    /// What the C runtime makes of a line after the program's name, by the rules that Microsoft
    /// documents: `2n` backslashes before a quote are `n`, and the quote is a boundary.
    fn parsed(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted, mut begun) =
            (Vec::new(), String::new(), false, false);
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                ' ' if !quoted => {
                    if std::mem::take(&mut begun) {
                        words.push(std::mem::take(&mut word));
                    }
                }
                '\\' => {
                    begun = true;
                    let mut count = 1;
                    while letters.next_if_eq(&'\\').is_some() {
                        count += 1;
                    }
                    let before_quote = letters.peek() == Some(&'"');
                    word.push_str(&"\\".repeat(if before_quote { count / 2 } else { count }));
                    if before_quote && count % 2 == 1 {
                        letters.next();
                        word.push('"');
                    }
                }
                '"' => (quoted, begun) = (!quoted, true),
                letter => {
                    begun = true;
                    word.push(letter);
                }
            }
        }
        if begun {
            words.push(word);
        }
        words
    }

    /// What `cmd.exe` would take for its own: outside of quotes its operators, anywhere `%` and `!`.
    fn is_quiet(line: &str) -> bool {
        let mut quoted = false;
        line.chars().all(|letter| {
            quoted ^= letter == '"';
            quoted && !"%!".contains(letter) || !"&|<>()^@%!,;=\n\r".contains(letter)
        }) && !quoted
    }

    proptest! {
        #[test]
        fn whatever_is_sent_arrives_as_it_was_written_and_means_nothing_else(
            arguments in prop::collection::vec("[ -~äß\\\\]{0,12}|[a-z \\\\]{0,6}", 0..5),
        ) {
            let mut argv = vec![r"C:\Tools\check.exe".to_owned()];
            argv.extend(arguments.iter().cloned());
            if let Ok(program) = Program::new(&argv) {
                let line = program.words().join(" ");
                prop_assert_eq!(parsed(&line), arguments);
                assert!(is_quiet(&format!("{} {line}", program.path())), "{}", line);
            }
        }
    }
}
