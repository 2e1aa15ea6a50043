//! `show FILE`: a sealed plan again, of any age.

use std::path::Path;

use crate::cli::approve;
use crate::cli::console::Console;
use crate::cli::papers;
use crate::cli::papers::Subject;
use crate::cli::plan;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::host::link::Clock;
use crate::model::visible::visible;
use crate::net::clock::SystemClock;
use crate::plan::SealError;
use crate::plan::Sealed;
use crate::plan::check_usable;
use crate::report::style::Tint;

pub fn run(path: &Path, console: &mut Console) -> Result<Exit, Stop> {
    let sealed = open(path)?;
    let subject = Subject { plan: &sealed.plan, digest: &sealed.digest, records: &[] };
    if papers::show(&subject, console)? {
        return Ok(Exit::Ok);
    }
    plan::show(&sealed.plan, Some(&sealed.digest), console)?;
    approve::tell(&sealed, path, console)?;
    match check_usable(&sealed, SystemClock.now()) {
        Ok(()) => {
            let lab = if sealed.plan.lab { " --lab" } else { "" };
            let missing = approve::missing(&sealed.plan, path)?;
            console.next(
                &missing.unwrap_or_else(|| format!("rmsfleet apply {}{lab}", path.display())),
            )?;
        }
        Err(refusal) => {
            let note =
                console.style().paint(Tint::Change, &visible(&format!("not for use: {refusal}")));
            console.say(&note)?;
        }
    }
    Ok(Exit::Ok)
}

/// Reads a plan file. One that was altered is refused, one that is none is invalid.
pub fn open(path: &Path) -> Result<Sealed, Stop> {
    let bytes = std::fs::read(path).map_err(|error| {
        Stop::because(Exit::Data, &error)
            .while_doing(format!("plan `{}` cannot be read", path.display()))
            .hint("make one with: rmsfleet plan -o FILE")
    })?;
    crate::plan::open(&bytes).map_err(|error| {
        let exit = match error {
            SealError::Tampered { .. } | SealError::Rewritten => Exit::Refused,
            SealError::NotOurs
            | SealError::Truncated
            | SealError::TooLarge(_)
            | SealError::TooNew { .. }
            | SealError::TooOld { .. }
            | SealError::Unreadable(_)
            | SealError::Unwritable(_) => Exit::Data,
        };
        Stop::because(exit, &error)
            .while_doing(format!("`{}`", path.display()))
            .hint("a sealed plan is made with: rmsfleet plan -o FILE")
    })
}
