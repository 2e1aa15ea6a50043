//! What real hosts said, kept in a file, so that a rollout can be rehearsed on simulated ones.

use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::cli::console::Console;
use crate::cli::console::TOOL;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::model::facts::HostSurvey;
use crate::model::facts::Survey;

const MARK: &str = "rmsfleet-facts";
const VERSION: u32 = 1;

/// The file: readings only. Credentials are not part of a survey.
#[derive(Debug, Serialize, Deserialize)]
struct FactsFile {
    format: String,
    version: u32,
    tool: String,
    taken: Timestamp,
    survey: Survey,
}

/// Keeps a survey.
pub fn save(
    path: &Path,
    survey: &Survey,
    taken: Timestamp,
    console: &mut Console,
) -> Result<(), Stop> {
    let file = FactsFile {
        format: MARK.to_owned(),
        version: VERSION,
        tool: TOOL.to_owned(),
        taken,
        survey: survey.clone(),
    };
    std::fs::write(path, serde_json::to_vec(&file)?).map_err(|error| {
        Stop::because(Exit::Data, &error)
            .while_doing(format!("`{}` cannot be written", path.display()))
    })?;
    let read = survey.hosts.values().filter(|host| matches!(host, HostSurvey::Read(_))).count();
    console.did("Saved", &format!("{}  what {read} hosts said", path.display()))
}

/// Opens a file of [`save`].
pub fn open(path: &Path) -> Result<Survey, Stop> {
    let doing = || format!("facts `{}`", path.display());
    let hint = "make one with: rmsfleet plan --save-facts FILE";
    let bytes = std::fs::read(path)
        .map_err(|error| Stop::because(Exit::Data, &error).while_doing(doing()).hint(hint))?;
    let file: FactsFile = serde_json::from_slice(&bytes)
        .map_err(|error| Stop::because(Exit::Data, &error).while_doing(doing()).hint(hint))?;
    if file.format != MARK || file.version != VERSION {
        let text = format!(
            "expected `{MARK}` version {VERSION}, found `{}` version {}",
            file.format, file.version
        );
        return Err(Stop::new(Exit::Data, text).while_doing(doing()).hint(hint));
    }
    Ok(file.survey)
}
