//! The few folders of a simulated host that a client may list and empty.

use std::collections::BTreeMap;

use crate::lab::cmdlet::CmdletFailure;
use crate::lab::cmdlet::CmdletOutput;
use crate::lab::cmdlet::Parameters;
use crate::wire::psrp::object::PsObject;
use crate::wire::psrp::record::ErrorRecord;

const LIST: &str = "Get-ChildItem";
const REMOVE: &str = "Remove-Item";

pub fn is_known(cmdlet: &str) -> bool {
    [LIST, REMOVE].iter().any(|known| known.eq_ignore_ascii_case(cmdlet))
}

/// Runs one of the two cmdlets on the host's folders.
pub fn run(
    folders: &mut BTreeMap<String, Vec<String>>,
    cmdlet: &str,
    parameters: &Parameters,
) -> Result<CmdletOutput, CmdletFailure> {
    parameters.allow(cmdlet, &["Path", "LiteralPath", "Recurse", "Force", "Name"])?;
    let given = parameters.get("LiteralPath").or_else(|| parameters.get("Path"));
    let path = given.and_then(PsObject::text).unwrap_or_default().to_lowercase();
    let folder = path.strip_suffix(r"\*").unwrap_or(&path);
    let Some(entries) = folders.get_mut(folder) else {
        if cmdlet.eq_ignore_ascii_case(REMOVE) && path.ends_with('*') {
            // A pattern that matches nothing is no error.
            return Ok(CmdletOutput::default());
        }
        return Ok(CmdletOutput { errors: vec![missing(&path)], ..CmdletOutput::default() });
    };
    if cmdlet.eq_ignore_ascii_case(REMOVE) {
        entries.clear();
        return Ok(CmdletOutput::default());
    }
    let output = entries.iter().cloned().map(PsObject::Text).collect();
    Ok(CmdletOutput { output, ..CmdletOutput::default() })
}

fn missing(path: &str) -> ErrorRecord {
    ErrorRecord {
        message: format!("Cannot find path '{path}' because it does not exist."),
        id: Some("PathNotFound,Microsoft.PowerShell.Commands.GetChildItemCommand".to_owned()),
    }
}
