//! What the command processor of a simulated host makes of a line: a handful of programs that
//! administrators and their tools begin with. Nothing of the workstation is run.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::lab::registry::Registry;
use crate::model::registry::KeyPath;
use crate::model::registry::Value;

/// Command processors within each other.
const DEEPEST: u32 = 4;
/// Exit code of `cmd /c` for a program that is not there.
const NO_PROGRAM: u32 = 1;

/// Where a line is run.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// NetBIOS name of the host.
    pub computer: &'a str,
    /// `DOMAIN\user`.
    pub account: &'a str,
    /// `10.0.17763`.
    pub version: &'a str,
    pub registry: &'a Registry,
}

/// What a line has said when it has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    /// Exit code of the last program, or of `exit`.
    pub code: u32,
}

/// Runs the programs of a line one after the other; after `&&` only while all is well.
pub fn run(line: &str, at: Surroundings<'_>) -> Said {
    within(line, at, 0)
}

fn within(line: &str, at: Surroundings<'_>, depth: u32) -> Said {
    let mut said = Said::default();
    for (only_if_well, part) in parts(line) {
        if only_if_well && said.code != 0 {
            continue;
        }
        let (program, rest) = split(part);
        if program.eq_ignore_ascii_case("exit") {
            let code = rest.trim_start_matches("/b").trim();
            said.code = if code.is_empty() { said.code } else { number(code) };
            break;
        }
        one(program, rest, at, depth, &mut said);
    }
    said
}

/// The commands of a line, each with whether `&&` stands before it. Quotes keep a `&` from cutting.
fn parts(line: &str) -> Vec<(bool, &str)> {
    let mut parts = Vec::new();
    let (mut rest, mut only_if_well) = (line, false);
    loop {
        let mut quoted = false;
        let cut = rest.char_indices().find(|(_, c)| {
            quoted ^= *c == '"';
            *c == '&' && !quoted
        });
        let (part, after) = match cut {
            Some((at, _)) => rest.split_at(at),
            None => (rest, ""),
        };
        if !part.trim().is_empty() {
            parts.push((only_if_well, part.trim_start()));
        }
        let Some(after) = after.strip_prefix('&') else { return parts };
        only_if_well = after.starts_with('&');
        rest = after.strip_prefix('&').unwrap_or(after);
    }
}

/// The program's name without folder and extension, and its arguments.
fn split(part: &str) -> (&str, &str) {
    let (program, rest) = match part.strip_prefix('"').and_then(|part| part.split_once('"')) {
        Some((program, rest)) => (program, rest.trim_start()),
        None => part.split_once(char::is_whitespace).unwrap_or((part, "")),
    };
    let name = program.rsplit(['\\', '/']).next().unwrap_or(program);
    let bare = name.len().saturating_sub(4);
    let is_exe = name.get(bare..).is_some_and(|end| end.eq_ignore_ascii_case(".exe"));
    (if is_exe { name.get(..bare).unwrap_or(name) } else { name }, rest)
}

fn one(program: &str, rest: &str, at: Surroundings<'_>, depth: u32, said: &mut Said) {
    said.code = 0;
    let line = |said: &mut Said, text: &str| {
        let _ = write!(said.stdout, "{text}\r\n");
    };
    match program.to_ascii_lowercase().as_str() {
        "echo" => line(said, rest),
        "ver" => {
            let text = format!("\r\nMicrosoft Windows [Version {}]", at.version);
            line(said, &text);
        }
        "hostname" => line(said, at.computer),
        "whoami" => line(said, &at.account.to_lowercase()),
        "cmd" if depth < DEEPEST => {
            let rest = rest.trim_start_matches("/c").trim();
            said.add(&within(rest, at, depth + 1));
        }
        "reg" => query(rest, at.registry, said),
        "powershell" => said.add(&powershell(rest)),
        _ => {
            said.code = NO_PROGRAM;
            let _ = write!(
                said.stderr,
                "'{program}' is not recognized as an internal or external command,\r\noperable \
                 program or batch file.\r\n"
            );
        }
    }
}

impl Said {
    /// What was said before, and then this.
    fn add(&mut self, after: &Self) {
        self.stdout.push_str(&after.stdout);
        self.stderr.push_str(&after.stderr);
        self.code = after.code;
    }
}

/// `reg query KEY /v NAME`, as far as a texts and numbers go.
fn query(rest: &str, registry: &Registry, said: &mut Said) {
    let words = words(rest);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = match *words.as_slice() {
        ["query", key, "/v", name] => {
            let key = key.strip_prefix(r"HKLM\").unwrap_or(key);
            registry.values(&KeyPath::new(key)).ok().and_then(|values| {
                let mut values = values.iter();
                values.find(|(own, _)| own.as_str().eq_ignore_ascii_case(name))
            })
        }
        _ => None,
    };
    let Some((name, value)) = found else {
        said.code = 1;
        said.stderr.push_str(
            "ERROR: The system was unable to find the specified registry key or value.\r\n",
        );
        return;
    };
    let data = match value {
        Value::Sz(text) | Value::ExpandSz(text) => text.clone(),
        Value::Dword(number) => format!("0x{number:x}"),
        Value::Qword(number) => format!("0x{number:x}"),
        Value::MultiSz(texts) => texts.join(r"\0"),
        Value::Binary(bytes) => bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02X}");
            text
        }),
    };
    let key = words.get(1).unwrap_or(&"").replacen(r"HKLM\", r"HKEY_LOCAL_MACHINE\", 1);
    let _ = write!(
        said.stdout,
        "\r\n{key}\r\n    {}    {}    {data}\r\n\r\n",
        name.as_str(),
        value.kind()
    );
}

/// Windows PowerShell, as far as writing words and ending with a code goes.
fn powershell(arguments: &str) -> Said {
    let mut words = arguments.split_whitespace();
    let encoded = words.find(|word| {
        let word = word.to_ascii_lowercase();
        word.len() >= 2 && "-encodedcommand".starts_with(&word)
    });
    let script = match encoded.and_then(|_| words.next()) {
        Some(text) => decoded(text.trim_matches('"')).unwrap_or_default(),
        None => arguments.trim_start_matches("-Command").trim().to_owned(),
    };
    let mut said = Said::default();
    for statement in script.split([';', '\n']).map(str::trim).filter(|text| !text.is_empty()) {
        let (verb, rest) = statement.split_once(char::is_whitespace).unwrap_or((statement, ""));
        match verb.to_ascii_lowercase().as_str() {
            "write-output" | "echo" => {
                for word in words_of_powershell(rest) {
                    let _ = write!(said.stdout, "{word}\r\n");
                }
            }
            "exit" => {
                said.code = number(rest);
                return said;
            }
            _ if statement.starts_with("$ProgressPreference") => {}
            _ => {
                said.code = 1;
                let text = format!("The term '{verb}' is not recognized as the name of a cmdlet.");
                let _ = write!(
                    said.stderr,
                    "#< CLIXML\r\n<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/\
                     powershell/2004/04\"><S S=\"Error\">{}_x000D__x000A_</S></Objs>",
                    crate::lab::markup::escape(&text)
                );
            }
        }
    }
    said
}

/// Base64 over UTF-16, as `-EncodedCommand` has it.
fn decoded(text: &str) -> Option<String> {
    let bytes = STANDARD.decode(text).ok()?;
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
    Some(char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{fffd}')).collect())
}

fn words_of_powershell(text: &str) -> Vec<String> {
    words(&text.replace('\'', "\""))
}

/// Words between blanks; quotes keep one together.
pub(super) fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// An exit code as a process has it: 32 bits without a sign, spelled with one or without.
fn number(text: &str) -> u32 {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse().ok().map(i32::cast_unsigned)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::registry::ValuePath;

    #[track_caller]
    fn check(line: &str, stdout: &str, stderr: &str, code: u32) {
        let mut registry = Registry::default();
        registry.plant(ValuePath::new(r"SOFTWARE\A b", "N"), Value::Dword(0x1f));
        let at = Surroundings {
            computer: "FS01",
            account: r"CONTOSO\Rms",
            version: "10.0.17763",
            registry: &registry,
        };
        let said = run(line, at);
        let got = (said.stdout.as_str(), said.stderr.as_str(), said.code);
        assert_eq!(got, (stdout, stderr, code), "{line}");
    }

    #[test]
    fn a_line_is_run_as_cmd_would() {
        check("echo out& exit 7", "out\r\n", "", 7);
        check(r#"C:\Windows\system32\cmd.exe /c "echo" a&&hostname"#, "a\r\nFS01\r\n", "", 0);
        check(
            "whoami & ver",
            "contoso\\rms\r\n\r\nMicrosoft Windows [Version 10.0.17763]\r\n",
            "",
            0,
        );
        check("exit /b -1", "", "", u32::MAX);
        check("  ", "", "", 0);
        let unknown = "'nope' is not recognized as an internal or external command,\r\noperable \
                       program or batch file.\r\n";
        check("nope.exe && echo never", "", unknown, 1);
        let deep = "cmd ".repeat(100_000);
        let unknown = unknown.replace("nope", "cmd");
        check(&deep, "", &unknown, 1);
    }

    #[test]
    fn the_registry_is_the_hosts_own() {
        let said = "\r\nHKEY_LOCAL_MACHINE\\software\\a B\r\n    N    REG_DWORD    0x1f\r\n\r\n";
        check(r#"reg query "HKLM\software\a B" /v n"#, said, "", 0);
        let none = "ERROR: The system was unable to find the specified registry key or value.\r\n";
        check(r"reg query HKLM\SOFTWARE\None /v n", "", none, 1);
    }

    #[test]
    fn powershell_writes_words_and_ends_with_a_code() {
        let encoded = |script: &str| {
            let bytes: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
            format!("PowerShell -NoProfile -EncodedCommand {}", STANDARD.encode(bytes))
        };
        check(&encoded("Write-Output 'ü x'; exit 3"), "ü x\r\n", "", 3);
        check("powershell -Command echo a b", "a\r\nb\r\n", "", 0);
    }
}
