//! `rmsfleet.toml`: settings that would else be flags, from the project, the user and the system;
//! and `config show`, which says what holds and where it comes from.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;

use toml::de::DeTable;
use toml::de::DeValue;

use crate::cli::console::Console;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::manifest::suggest::did_you_mean;
use crate::report::answers;

/// The project's file, and what the others are called in their folders.
const PROJECT: &str = "rmsfleet.toml";
const OTHERS: &str = "config.toml";

/// What a file may set. Consent is only ever given on the command line, and a limit or a variable
/// that hides in a file would be forgotten.
pub const KEYS: [&str; 16] = [
    "inventory",
    "playbook",
    "credentials",
    "rules",
    "run-dir",
    "forks",
    "timeout",
    "no-input",
    "format",
    "json-into",
    "full",
    "stats",
    "color",
    "progress",
    "log-file",
    "detailed-exitcode",
];
/// Those that name a file or folder, as seen from the file that sets them.
const PATHS: [&str; 7] =
    ["inventory", "playbook", "credentials", "rules", "run-dir", "json-into", "log-file"];

/// One setting as it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    /// `None`: nobody set it, and the command decides.
    pub value: Option<String>,
    /// `flag`, `RMSFLEET_FORKS`, `rmsfleet.toml:3`, `default`.
    pub origin: String,
}

/// A value that a file gives, and where: `rmsfleet.toml:3`.
pub type Given = BTreeMap<String, (String, String)>;

/// Reads every file that there is; the project's wins over the user's, that over the system's.
pub fn gather(cwd: &Path, user: Option<&Path>, system: Option<&Path>) -> Result<Given, Stop> {
    let mut files: Vec<PathBuf> = Vec::new();
    files.extend(system.map(|folder| folder.join(OTHERS)));
    files.extend(user.map(|folder| folder.join(OTHERS)));
    files.extend(project(cwd));
    let mut given = Given::new();
    for path in files {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(Stop::because(Exit::Data, &error)
                    .while_doing(format!("`{}` cannot be read", path.display())));
            }
        };
        given.extend(parse(&path, &text)?);
    }
    Ok(given)
}

/// Looked for upwards, and not beyond the folder that a repository begins in.
fn project(cwd: &Path) -> Option<PathBuf> {
    for folder in cwd.ancestors() {
        let path = folder.join(PROJECT);
        if path.is_file() {
            return Some(path);
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    None
}

/// Flat keys with texts, whole numbers, `true` and `false`. Whatever else TOML has is refused.
fn parse(path: &Path, text: &str) -> Result<Given, Stop> {
    let text = text.trim_start_matches('\u{feff}');
    let wrong = |span: Range<usize>, problem: String, hint: String| {
        let (line, column) = place(text, span.start);
        Stop::new(Exit::Data, format!("{}:{line}:{column}: {problem}", path.display())).hint(hint)
    };
    let table = DeTable::parse(text).map_err(|error| {
        let hint =
            "write key = \"value\" (TOML); a path with `\\` goes in single quotes".to_owned();
        wrong(error.span().unwrap_or_default(), error.message().to_owned(), hint)
    })?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut given = Given::new();
    for (key, value) in table.get_ref() {
        let name: &str = key.get_ref();
        if !KEYS.contains(&name) {
            let hint = did_you_mean(name, KEYS)
                .unwrap_or_else(|| format!("a file may set {}", KEYS.join(", ")));
            return Err(wrong(key.span(), format!("`{name}` cannot be set in a file"), hint));
        }
        let Some(plain) = plain(value.get_ref()) else {
            let kind = value.get_ref().type_str();
            let problem =
                format!("`{name}` needs a text, a whole number, true or false; this is {kind}");
            return Err(wrong(value.span(), problem, format!("write {name} = \"...\"")));
        };
        let plain =
            if PATHS.contains(&name) { folder.join(&plain).display().to_string() } else { plain };
        let (line, _) = place(text, key.span().start);
        given.insert(name.to_owned(), (plain, format!("{}:{line}", path.display())));
    }
    Ok(given)
}

/// What a flag of that name would have been given.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(is_set) => Some(is_set.to_string()),
        DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(|number| number.to_string()),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// Line and column of a byte, both from 1; the column in characters.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// Every setting, one below the other.
pub fn show(settings: &[Setting], origin: bool, console: &mut Console) -> Result<Exit, Stop> {
    let answers: Vec<(&'static str, String)> = settings
        .iter()
        .filter(|setting| origin || setting.value.is_some())
        .map(|setting| {
            let value = setting.value.as_deref().unwrap_or("-");
            let from = if origin { format!("  ({})", setting.origin) } else { String::new() };
            (setting.name, format!("{value}{from}"))
        })
        .collect();
    let look = console.output.look;
    console.say(answers::render("settings", &answers, look.style, look.columns).trim_end())?;
    let body: Vec<serde_json::Value> = settings
        .iter()
        .map(
            |own| serde_json::json!({ "name": own.name, "value": own.value, "origin": own.origin }),
        )
        .collect();
    console.document("settings", "settings that hold", serde_json::json!({ "settings": body }))?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&[(&str, &str)], &str>) {
        let read = parse(Path::new("p/rmsfleet.toml"), text);
        match (read, expected) {
            (Ok(given), Ok(expected)) => {
                let given: Vec<(&str, &str)> =
                    given.iter().map(|(key, (value, _))| (key.as_str(), value.as_str())).collect();
                assert_eq!(given, expected);
            }
            (Err(stop), Err(expected)) => assert_eq!(stop.to_string(), expected),
            (read, expected) => {
                panic!("{:?} for {expected:?}", read.map_err(|stop| stop.to_string()))
            }
        }
    }

    #[test]
    fn texts_numbers_and_switches_are_read_and_paths_are_seen_from_the_file() {
        let text = "# ours\ninventory = \"inventories/prod.yml\" # the fleet\nforks = 40\nno-input = true\n\
                    color = 'never'\n";
        let inventory = Path::new("p").join("inventories/prod.yml").display().to_string();
        check(
            text,
            Ok(&[
                ("color", "never"),
                ("forks", "40"),
                ("inventory", &inventory),
                ("no-input", "true"),
            ]),
        );
    }

    #[test]
    fn what_means_nothing_is_refused_with_its_place() {
        check("[table]\n", Err("p/rmsfleet.toml:1:2: `table` cannot be set in a file"));
        check("\nyes = true\n", Err("p/rmsfleet.toml:2:1: `yes` cannot be set in a file"));
        check("limit = \"fci\"\n", Err("p/rmsfleet.toml:1:1: `limit` cannot be set in a file"));
        check("forks = 1\nforks = 2\n", Err("p/rmsfleet.toml:2:1: duplicate key"));
        let kinds = "needs a text, a whole number, true or false; this is";
        check("forks = [1]\n", Err(&format!("p/rmsfleet.toml:1:9: `forks` {kinds} array")));
        check("forks = -1\n", Err(&format!("p/rmsfleet.toml:1:9: `forks` {kinds} integer")));
    }

    #[test]
    fn what_is_no_toml_is_refused_with_its_place() {
        for (text, place) in [("forks = many\n", "1:9"), ("\ncolor = \"red\n", "2:")] {
            let stop = parse(Path::new("rmsfleet.toml"), text).unwrap_err();
            assert!(stop.to_string().starts_with(&format!("rmsfleet.toml:{place}")), "{stop}");
        }
    }
}
