//! One cmdlet with bound parameters, and what its objects say.

use crate::host::link::Argument;
use crate::host::link::Cmdlet;
use crate::host::link::CmdletResult;
use crate::host::link::HostError;
use crate::host::link::Shell;
use crate::wire::psrp::object::PsObject;

/// Runs one cmdlet; a non-terminating error counts as failure too, because half an answer is none.
pub(crate) async fn run(
    shell: &mut impl Shell,
    name: &'static str,
    parameters: Vec<(&'static str, Argument)>,
) -> Result<CmdletResult, HostError> {
    let result = shell.run(&Cmdlet { name, parameters }).await?;
    if result.errors.is_empty() {
        return Ok(result);
    }
    Err(HostError::Cmdlet { cmdlet: name.to_owned(), message: result.errors.join("; ") })
}

/// The same with texts only; what came out.
pub(crate) async fn ask(
    shell: &mut impl Shell,
    name: &'static str,
    parameters: &[(&'static str, &str)],
) -> Result<Vec<PsObject>, HostError> {
    let parameters =
        parameters.iter().map(|(name, value)| (*name, Argument::Text((*value).to_owned())));
    Ok(run(shell, name, parameters.collect()).await?.output)
}

/// The property's text, if it has one; an enumeration gives its name.
pub(crate) fn text(object: &PsObject, name: &str) -> Option<String> {
    object.property(name)?.to_text().filter(|text| !text.is_empty())
}

/// The property's text; without it the answer is none.
pub(crate) fn required(object: &PsObject, cmdlet: &str, name: &str) -> Result<String, HostError> {
    text(object, name).ok_or_else(|| missing(cmdlet, name))
}

/// The texts of a property that is a list; a single one stands for itself. `None` if it is null
/// or missing.
pub(crate) fn texts(object: &PsObject, name: &str) -> Option<Vec<String>> {
    let value = object.property(name)?;
    match (value, value.list()) {
        (PsObject::Null, _) => None,
        (_, Some(items)) => Some(items.iter().filter_map(PsObject::to_text).collect()),
        (_, None) => value.to_text().map(|text| vec![text]),
    }
}

pub(crate) fn missing(cmdlet: &str, property: &str) -> HostError {
    HostError::Unexpected {
        expected: format!("{property} in the output of {cmdlet}"),
        got: "nothing of that name".to_owned(),
    }
}
