//! `@FILE` and `-` where a list of hosts is asked for.

use std::io::Read;

use crate::cli::usage::UsageError;

/// The pattern with every part `@FILE` replaced by what the file lists, and `-` by standard input:
/// one part a line, `#` begins a remark.
pub fn expand(pattern: &str) -> Result<String, UsageError> {
    let parts = pattern.split(',').map(|part| match part.trim() {
        "-" => {
            let mut text = String::new();
            let read = std::io::stdin().lock().read_to_string(&mut text);
            read.map_err(|error| unread("standard input", &error))?;
            lines("standard input", &text)
        }
        part => match part.strip_prefix('@') {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| unread(&format!("`{path}`"), &error))?;
                lines(&format!("`{path}`"), &text)
            }
            None => Ok(part.to_owned()),
        },
    });
    Ok(parts.collect::<Result<Vec<String>, UsageError>>()?.join(","))
}

fn unread(what: &str, error: &std::io::Error) -> UsageError {
    UsageError::new(
        format!("the list of hosts in {what} cannot be read: {error}"),
        "write one host, group or pattern a line",
    )
}

fn lines(what: &str, text: &str) -> Result<String, UsageError> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        // Nothing would mean every host.
        return Err(UsageError::new(
            format!("{what} lists no host"),
            "write one host, group or pattern a line",
        ));
    }
    Ok(lines.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_lists_parts_of_a_pattern() {
        let path = std::env::temp_dir().join(format!("rmsfleet-list-{}", std::process::id()));
        std::fs::write(&path, "FS01\n\n  # not yet: FS02\nexchange  # all of them\n!EX02\n")
            .unwrap();
        let listed = expand(&format!("canary,@{}", path.display())).unwrap();
        std::fs::write(&path, "# nobody\n").unwrap();
        let nobody = expand(&format!("@{}", path.display()));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(listed, "canary,FS01,exchange,!EX02");
        assert!(nobody.is_err() && expand("@no-such-file").is_err());
        assert_eq!(expand("fci:!canary").unwrap(), "fci:!canary");
    }
}
