//! One look at a gate: what the host says of itself, and whether that is what is asked for.
//!
//! What could not be read is red, and says so: silence is not evidence.

pub mod events;
pub mod exchange;
pub mod templates;

use crate::host::identity;
use crate::host::link::Argument;
use crate::host::link::Cmdlet;
use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::link::Shell;
use crate::model::particulars::WebAnswer;

/// The session configuration of the host's own PowerShell.
pub const POWERSHELL: &str = "Microsoft.PowerShell";
/// What the request from the host may take, in seconds.
const REQUEST_SECONDS: &str = "15";

/// What one look saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub green: bool,
    /// The evidence, in words.
    pub seen: String,
}

impl Look {
    pub fn green(seen: impl Into<String>) -> Self {
        Self { green: true, seen: seen.into() }
    }

    pub fn red(seen: impl Into<String>) -> Self {
        Self { green: false, seen: seen.into() }
    }

    /// Nothing was seen, which is red.
    pub fn unread(error: &HostError) -> Self {
        Self::red(format!("not read: {}", error.failure().text()))
    }
}

/// Whether a URL is one that `Invoke-WebRequest` takes.
pub fn is_web(url: &str) -> bool {
    let url = url.to_ascii_lowercase();
    url.starts_with("http://") || url.starts_with("https://")
}

/// Requests a URL from the host: any HTTP status is an answer.
///
/// The request carries no credentials, and PowerShell makes an error of every status from 300 on;
/// its text names the number in brackets, whatever its language.
pub async fn request(shell: &mut impl Shell, url: &str) -> Result<WebAnswer, HostError> {
    ask(shell, url, Vec::new()).await
}

/// The same for what may be long: the host asks whether it is there, and fetches nothing.
pub async fn head(shell: &mut impl Shell, url: &str) -> Result<WebAnswer, HostError> {
    ask(shell, url, vec![("Method", Argument::Text("Head".to_owned()))]).await
}

async fn ask(
    shell: &mut impl Shell,
    url: &str,
    more: Vec<(&'static str, Argument)>,
) -> Result<WebAnswer, HostError> {
    let mut parameters = vec![
        ("Uri", Argument::Text(url.to_owned())),
        ("UseBasicParsing", Argument::Bool(true)),
        ("TimeoutSec", Argument::Text(REQUEST_SECONDS.to_owned())),
    ];
    parameters.extend(more);
    let cmdlet = Cmdlet { name: "Invoke-WebRequest", parameters };
    let message = match shell.run(&cmdlet).await {
        Ok(result) if result.errors.is_empty() => {
            let status = result.output.first().and_then(|page| page.property("StatusCode")?.int());
            let status = status.and_then(|status| u16::try_from(status).ok());
            return status.map(WebAnswer::Status).ok_or_else(|| HostError::Unexpected {
                expected: format!("a status in the answer of {url}"),
                got: "none".to_owned(),
            });
        }
        Ok(result) => result.errors.join("; "),
        Err(HostError::Cmdlet { message, .. }) => message,
        Err(error) => return Err(error),
    };
    Ok(status_in(&message).map_or(WebAnswer::Silent(message), WebAnswer::Status))
}

/// The request as a look.
pub async fn answers(shell: &mut impl Shell, url: &str) -> Look {
    match request(shell, url).await {
        Ok(WebAnswer::Status(status)) => Look::green(format!("{url} answers with HTTP {status}")),
        Ok(WebAnswer::Silent(message)) => Look::red(format!("{url} does not answer: {message}")),
        Err(error) => Look::unread(&error),
    }
}

/// The HTTP status in an error's text: three digits in brackets.
fn status_in(message: &str) -> Option<u16> {
    message.split('(').skip(1).find_map(|rest| {
        let digits = rest.split_once(')')?.0;
        let number: u16 = digits.parse().ok().filter(|_| digits.len() == 3)?;
        (100..600).contains(&number).then_some(number)
    })
}

/// Whether services run, by their short names.
pub async fn services(link: &mut impl Reader, names: &[String]) -> Look {
    let wanted: Vec<String> = names.iter().map(|name| format!("Name='{name}'")).collect();
    let wql = format!("SELECT Name,State FROM Win32_Service WHERE {}", wanted.join(" OR "));
    let found = match identity::query(link, &wql).await {
        Ok(found) => found,
        Err(error) => return Look::unread(&error),
    };
    let state = |name: &String| {
        let one = found.iter().find(|service| {
            service.text("Name").is_some_and(|found| found.eq_ignore_ascii_case(name))
        });
        one.map_or("no such service", |service| service.text("State").unwrap_or("no state"))
    };
    let states: Vec<String> = names.iter().map(|name| format!("{name} {}", state(name))).collect();
    Look { green: names.iter().all(|name| state(name) == "Running"), seen: states.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_found_in_any_language() {
        let check = |text: &str, status: Option<u16>| assert_eq!(status_in(text), status, "{text}");
        check("The remote server returned an error: (401) Unauthorized.", Some(401));
        check("Der Remoteserver hat einen Fehler zurückgegeben: (500) Interner Fehler.", Some(500));
        check("Unable to connect to the remote server", None);
        check("The remote name could not be resolved: 'rms (1)'", None);
        check("(999) (12) (abc", None);
    }
}
