//! `init`: a starter inventory, playbook and credentials file, each with comments that teach.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use crate::cli::console::Console;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::report::style::Tint;

const FILES: [(&str, &str); 3] = [
    ("inventory.yml", include_str!("starter/inventory.yml")),
    ("playbook.yml", include_str!("starter/playbook.yml")),
    ("credentials.yml", include_str!("starter/credentials.yml")),
];

/// Writes all three files or none: an existing one stops it before the first is written.
pub fn run(dir: &Path, console: &mut Console) -> Result<Exit, Stop> {
    for (name, _) in FILES {
        let path = dir.join(name);
        if path.exists() {
            return Err(Stop::new(Exit::Data, format!("`{}` is there already", path.display()))
                .hint("nothing was written; choose another folder: rmsfleet init DIR"));
        }
    }
    let fail = |path: &Path, error: &std::io::Error| {
        Stop::because(Exit::Data, error)
            .while_doing(format!("`{}` could not be written", path.display()))
    };
    std::fs::create_dir_all(dir).map_err(|error| fail(dir, &error))?;
    for (name, text) in FILES {
        let path = dir.join(name);
        // `create_new`: a file that appeared meanwhile is not overwritten either.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| fail(&path, &error))?;
        file.write_all(text.as_bytes()).map_err(|error| fail(&path, &error))?;
        let verb = console.style().paint(Tint::Good, &format!("{:>12}", "Created"));
        console.say(&format!("{verb}  {}", path.display()))?;
    }
    let place = dir.join("inventory.yml");
    let flag =
        if dir == Path::new(".") { String::new() } else { format!(" -i {}", place.display()) };
    let next = console.style().paint(Tint::Strong, "Next");
    console.say(&format!("{next}  edit {}, then: rmsfleet lint{flag}", place.display()))?;
    Ok(Exit::Ok)
}
