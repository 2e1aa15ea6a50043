//! `rmsfleet.toml`: settings that would else be flags, from the project, the user and the system;
//! and `config show`, which says what holds and where it comes from.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

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

/// `key = value` lines: texts in quotes, numbers, `true` and `false`. That is a part of TOML; the
/// rest of it has no meaning here and is refused.
fn parse(path: &Path, text: &str) -> Result<Given, Stop> {
    let mut given = Given::new();
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    for (place, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let at = format!("{}:{}", path.display(), place + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |column: usize, text: String, hint: String| {
            Stop::new(Exit::Data, format!("{at}:{column}: {text}")).hint(hint)
        };
        let Some((key, rest)) = line.split_once('=') else {
            let hint = "write `key = \"value\"`; tables have no meaning here".to_owned();
            return Err(wrong(1, "this is no setting".to_owned(), hint));
        };
        let (key, column) = (key.trim(), key.len() + 2);
        if !KEYS.contains(&key) {
            let hint = did_you_mean(key, KEYS)
                .unwrap_or_else(|| format!("a file may set {}", KEYS.join(", ")));
            return Err(wrong(1, format!("`{key}` cannot be set in a file"), hint));
        }
        let value = value(rest.trim()).map_err(|text| {
            wrong(column, format!("`{key}` {text}"), format!("write {key} = \"...\""))
        })?;
        let value =
            if PATHS.contains(&key) { folder.join(&value).display().to_string() } else { value };
        if given.insert(key.to_owned(), (value, at.clone())).is_some() {
            let hint = "keep one of the two".to_owned();
            return Err(wrong(1, format!("`{key}` is set a second time"), hint));
        }
    }
    Ok(given)
}

/// One value, a remark behind it allowed.
fn value(text: &str) -> Result<String, &'static str> {
    let quote = text.chars().next().filter(|first| ['"', '\''].contains(first));
    let Some(quote) = quote else {
        let word = text.split('#').next().unwrap_or_default().trim();
        let plain = word == "true" || word == "false" || word.parse::<u64>().is_ok();
        return if plain {
            Ok(word.to_owned())
        } else {
            Err("needs a text in quotes, a number, true or false")
        };
    };
    let mut value = String::new();
    let mut letters = text.chars().skip(1);
    let mut is_closed = false;
    while let Some(letter) = letters.next() {
        match letter {
            _ if letter == quote => {
                is_closed = true;
                break;
            }
            '\\' if quote == '"' => match letters.next() {
                Some('\\') => value.push('\\'),
                Some('"') => value.push('"'),
                Some(_) | None => {
                    return Err("has a `\\` that means nothing; put the text in single quotes");
                }
            },
            other => value.push(other),
        }
    }
    let rest: String = letters.collect();
    let rest = rest.trim();
    match (is_closed, rest.is_empty() || rest.starts_with('#')) {
        (true, true) => Ok(value),
        (true, false) => Err("has something behind its closing quote"),
        (false, _) => Err("lacks its closing quote"),
    }
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
        check("[table]\n", Err("p/rmsfleet.toml:1:1: this is no setting"));
        check("\nyes = true\n", Err("p/rmsfleet.toml:2:1: `yes` cannot be set in a file"));
        check("limit = \"fci\"\n", Err("p/rmsfleet.toml:1:1: `limit` cannot be set in a file"));
        check(
            "forks = many\n",
            Err("p/rmsfleet.toml:1:8: `forks` needs a text in quotes, a number, true or false"),
        );
        check("color = \"red\n", Err("p/rmsfleet.toml:1:8: `color` lacks its closing quote"));
        check("forks = 1\nforks = 2\n", Err("p/rmsfleet.toml:2:1: `forks` is set a second time"));
    }
}
