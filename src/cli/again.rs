//! The flags of this command, to be typed again with the next one: a plan of one group must not
//! be followed by advice to apply to all.

use std::path::Path;

use crate::cli::request::Files;
use crate::cli::request::PlanRequest;
use crate::cli::request::Source;
use crate::manifest::inventory::BasicScope;
use crate::model::preflight::Waiver;

/// The flags that choose the files, each with a space before it.
pub fn files(files: &Files) -> String {
    let mut text = String::new();
    match &files.inventory {
        Source::File(path) if path != Path::new("inventory.yml") => push(&mut text, "-i", path),
        Source::File(_) | Source::EmbeddedLab => {}
    }
    for (flag, path) in
        [("-p", &files.playbook), ("--rules", &files.rules), ("--credentials", &files.credentials)]
    {
        if let Some(path) = path {
            push(&mut text, flag, path);
        }
    }
    for (name, value) in &files.vars {
        push(&mut text, "--var", Path::new(&format!("{name}={value}")));
    }
    for path in &files.var_files {
        push(&mut text, "--var-file", path);
    }
    match files.basic {
        BasicScope::Tls => {}
        BasicScope::Anywhere => text.push_str(" --danger-basic-over-http"),
    }
    text
}

/// The flags that choose farm, files, hosts and exceptions; not those that give consent to write.
pub fn plan(request: &PlanRequest) -> String {
    let lab = if request.lab.is_some() { " --lab" } else { "" };
    let mut text = format!("{lab}{}", files(&request.files));
    if let Some(limit) = &request.limit {
        push(&mut text, "-l", Path::new(limit));
    }
    if let Some(seconds) = request.timeout {
        push(&mut text, "--timeout", Path::new(&format!("{seconds}s")));
    }
    for Waiver { host, id, reason } in &request.consent.waive {
        let reason = reason.as_ref().map_or_else(String::new, |reason| format!("={reason}"));
        push(&mut text, "--waive", Path::new(&format!("{host}:{id}{reason}")));
    }
    for name in &request.consent.waive_servers {
        push(&mut text, "--waive-server", Path::new(name));
    }
    text
}

/// The folder in which runs are found, with a space before it.
pub fn run_dir(folder: &Path) -> String {
    let mut text = String::new();
    push(&mut text, "--run-dir", folder);
    text
}

/// In single quotes where a shell would read more than a word.
fn push(text: &mut String, flag: &str, value: &Path) {
    let value = value.display().to_string();
    let is_word = |c: char| c.is_alphanumeric() || "_-./\\:=".contains(c);
    let quote = if value.chars().all(is_word) && !value.is_empty() { "" } else { "'" };
    text.push_str(&format!(" {flag} {quote}{value}{quote}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_is_chosen_again() {
        let mut chosen = Files {
            inventory: Source::File("inventory.yml".into()),
            is_named: false,
            playbook: None,
            rules: None,
            credentials: None,
            vars: Vec::new(),
            var_files: Vec::new(),
            basic: BasicScope::Tls,
        };
        assert_eq!(files(&chosen), "");
        chosen.inventory = Source::File("my fleet/prod.yml".into());
        chosen.playbook = Some("prod.yml".into());
        chosen.vars.push(("rms_site".to_owned(), "ams".to_owned()));
        assert_eq!(files(&chosen), " -i 'my fleet/prod.yml' -p prod.yml --var rms_site=ams");
    }
}
