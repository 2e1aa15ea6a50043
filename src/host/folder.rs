//! A folder on a host that is emptied: the caches of the rights clients (`connector.md` 5.3).

use crate::host::link::Argument;
use crate::host::link::Cmdlet;
use crate::host::link::HostError;
use crate::host::link::Shell;

const LIST: &str = "Get-ChildItem";
const REMOVE: &str = "Remove-Item";

/// How many entries it has, at any depth. A folder that is not there has none.
pub async fn count(shell: &mut impl Shell, folder: &str) -> Result<usize, HostError> {
    let parameters = vec![
        ("LiteralPath", Argument::Text(folder.to_owned())),
        ("Recurse", Argument::Bool(true)),
        ("Force", Argument::Bool(true)),
        // Names only: a whole tree of file objects is nobody's business.
        ("Name", Argument::Bool(true)),
    ];
    let result = shell.run(&Cmdlet { name: LIST, parameters }).await?;
    match result.errors.as_slice() {
        [] => Ok(result.output.len()),
        errors if errors.iter().all(|error| error.contains("PathNotFound")) => Ok(0),
        errors => {
            let message = errors.join("; ");
            Err(HostError::Cmdlet { cmdlet: LIST.to_owned(), message })
        }
    }
}

/// Removes everything in it, and leaves the folder.
pub async fn clear(shell: &mut impl Shell, folder: &str) -> Result<(), HostError> {
    let parameters = vec![
        ("Path", Argument::Text(format!(r"{folder}\*"))),
        ("Recurse", Argument::Bool(true)),
        ("Force", Argument::Bool(true)),
        ("Confirm", Argument::Bool(false)),
    ];
    let result = shell.run(&Cmdlet { name: REMOVE, parameters }).await?;
    if result.errors.is_empty() {
        return Ok(());
    }
    Err(HostError::Cmdlet { cmdlet: REMOVE.to_owned(), message: result.errors.join("; ") })
}
