//! Reads what the user has on disk: whole texts with their names and digests, nothing parsed.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use sha2::Digest;
use sha2::Sha256;

use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::manifest::inventory::BasicScope;
use crate::manifest::inventory::InventorySources;
use crate::manifest::source::Source;
use crate::model::plan::Input;
use crate::plan::seal::hex;

/// Larger files are not read; no inventory comes near it.
const LARGEST: u64 = 16 * 1024 * 1024;
/// How deep folders below `group_vars/NAME` are looked into.
const DEEPEST: usize = 8;

/// Reads one text file. `what` names it in errors: `inventory`.
pub fn text(what: &str, path: &Path, hint: &str) -> Result<Source, Stop> {
    let fail = |error: &std::io::Error| {
        Stop::because(Exit::Data, error)
            .while_doing(format!("{what} `{}` cannot be read", path.display()))
            .hint(hint)
    };
    let about = fs::metadata(path).map_err(|error| fail(&error))?;
    if about.is_dir() {
        return Err(Stop::new(Exit::Data, format!("{what} `{}` is a folder", path.display()))
            .hint("name the file in it"));
    }
    if about.len() > LARGEST {
        let size = about.len();
        let text = format!("{what} `{}` has {size} bytes, more than {LARGEST}", path.display());
        return Err(Stop::new(Exit::Data, text));
    }
    let bytes = fs::read(path).map_err(|error| fail(&error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let read = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let lines: Vec<&[u8]> = read.split(|byte| *byte == b'\n').collect();
        let (line, begun) = (lines.len(), lines.last().copied().unwrap_or_default());
        let column = 1 + String::from_utf8_lossy(begun).chars().count();
        let wide = matches!(error.as_bytes(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
        let (kind, hint) = if wide {
            // What `>` of Windows PowerShell writes, and Notepad under "Unicode".
            ("UTF-16", "save the file as UTF-8; in PowerShell: Set-Content -Encoding utf8")
        } else {
            ("not UTF-8", "save the file as UTF-8")
        };
        let place = format!("{}:{line}:{column}", path.display());
        // The key alone: what follows it may be a secret.
        let shown = String::from_utf8_lossy(begun);
        let text = match shown.split_once(':') {
            Some((key, _)) => format!("{what} `{place}`: {kind}, in `{}`", key.trim()),
            None => format!("{what} `{place}`: {kind}"),
        };
        Stop::new(Exit::Data, text).hint(hint)
    })?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    Ok(Source::new(path.display().to_string(), text))
}

/// Reads an inventory with the `group_vars` and `host_vars` beside it.
pub fn inventory(path: &Path) -> Result<InventorySources, Stop> {
    let inventory =
        text("inventory", path, "give one with -i FILE, or write a starter with: rmsfleet init")?;
    let beside = path.parent().unwrap_or_else(|| Path::new(""));
    Ok(InventorySources {
        inventory,
        group_vars: vars(&beside.join("group_vars"))?,
        host_vars: vars(&beside.join("host_vars"))?,
        var_files: Vec::new(),
        basic: BasicScope::Tls,
    })
}

/// `NAME`, `NAME.yml`, `NAME.yaml`, `NAME.json`, and everything below a folder `NAME`, in the
/// order of their names, as Ansible reads them.
fn vars(folder: &Path) -> Result<Vec<(String, Source)>, Stop> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            let name = file_name(&path);
            let mut files = Vec::new();
            below(&path, 0, &mut files)?;
            for file in files {
                found.push((name.clone(), text("variables", &file, "check its permissions")?));
            }
        } else if is_vars(&path) {
            let stem = if path.extension().is_some_and(is_yaml) {
                path.file_stem().map(|stem| stem.to_string_lossy().into_owned())
            } else {
                None
            };
            let name = stem.unwrap_or_else(|| file_name(&path));
            found.push((name, text("variables", &path, "check its permissions")?));
        }
    }
    Ok(found)
}

fn below(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Stop> {
    for path in entries(folder)? {
        if path.is_dir() && depth < DEEPEST {
            below(&path, depth + 1, files)?;
        } else if path.is_file() && is_vars(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// The entries of a folder by name; a folder that is not there has none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Stop> {
    let fail = |error: &std::io::Error| {
        Stop::because(Exit::Data, error)
            .while_doing(format!("folder `{}` cannot be read", folder.display()))
    };
    let read = match fs::read_dir(folder) {
        Ok(read) => read,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(&error)),
    };
    let mut paths = Vec::new();
    for entry in read {
        paths.push(entry.map_err(|error| fail(&error))?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Hidden files and what editors leave behind are no variables.
fn is_vars(path: &Path) -> bool {
    let name = file_name(path);
    !name.starts_with('.')
        && !name.ends_with('~')
        && path.extension().is_none_or(|extension| {
            is_yaml(extension)
                || !["bak", "orig", "swp", "retry", "md"].iter().any(|odd| extension == *odd)
        })
}

fn is_yaml(extension: &std::ffi::OsStr) -> bool {
    ["yml", "yaml", "json"].iter().any(|known| extension == *known)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A text as an input of a plan.
pub fn input(what: &str, name: &str, text: &str) -> Input {
    Input { what: what.to_owned(), name: name.to_owned(), sha256: digest(text.as_bytes()) }
}

/// SHA-256 in lower-case hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[&str], expected: &[(&str, &str)]) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "a: 1\n").unwrap();
        }
        let sources = inventory(&folder.path().join("inventory.yml")).unwrap();
        let got: Vec<(String, String)> = sources
            .group_vars
            .into_iter()
            .map(|(name, source)| {
                let path = Path::new(&source.name).strip_prefix(folder.path()).unwrap();
                (name, path.display().to_string().replace('\\', "/"))
            })
            .collect();
        let expected: Vec<(String, String)> =
            expected.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn variables_beside_the_inventory_are_found_as_ansible_finds_them() {
        check(
            &[
                "inventory.yml",
                "group_vars/all.yml",
                "group_vars/fci/b.yaml",
                "group_vars/fci/a.yml",
                "group_vars/mail",
                "group_vars/.hidden.yml",
                "group_vars/all.yml~",
                "group_vars/x.bak",
            ],
            &[
                ("all", "group_vars/all.yml"),
                ("fci", "group_vars/fci/a.yml"),
                ("fci", "group_vars/fci/b.yaml"),
                ("mail", "group_vars/mail"),
            ],
        );
        check(&["inventory.yml"], &[]);
    }

    #[test]
    fn a_missing_inventory_is_a_data_error_with_a_hint() {
        let stop = inventory(Path::new("no/such/file.yml")).unwrap_err();
        assert_eq!(stop.exit, Exit::Data);
        assert!(stop.hint.unwrap().contains("-i FILE"));
    }

    #[test]
    fn a_byte_that_is_not_utf8_is_found_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inventory.yml");
        fs::write(&path, b"a: 1\nb: \xff\n").unwrap();
        let stop = inventory(&path).unwrap_err();
        assert!(stop.to_string().contains("inventory.yml:2:4`: not UTF-8, in `b`"), "{stop}");
        fs::write(&path, b"\xff\xfea\0:\0").unwrap();
        let stop = inventory(&path).unwrap_err();
        assert!(stop.to_string().contains(":1:1`: UTF-16"), "{stop}");
        assert!(stop.hint.unwrap().contains("utf8"));
    }
}
