//! Which RMS templates a file server can see: from the server through the connector to the tenant,
//! as the account that its file management jobs run as (`connector.md` 4.3).

use crate::host::gate::Look;
use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::wire::operation::Answer;
use crate::wire::operation::Read;

/// One look. Templates that are expected must be among those that are seen; without any, one is
/// enough.
pub async fn visible(link: &mut impl Reader, expect: &[String]) -> Look {
    let (code, names) = match link.read(&Read::RmsTemplates).await {
        Ok(Answer::Templates { code, names }) => (code, names),
        Ok(other) => return Look::red(format!("EnumRmsTemplates answered with {other:?}")),
        Err(HostError::Fault(fault)) => {
            return Look::red(format!("EnumRmsTemplates: fault {}", fault.code_text()));
        }
        Err(error) => return Look::unread(&error),
    };
    if code != 0 {
        return Look::red(format!("EnumRmsTemplates returned {code:#010x}"));
    }
    let sees = |name: &String| names.iter().any(|own| own.eq_ignore_ascii_case(name));
    let missing: Vec<&str> = expect.iter().filter(|name| !sees(name)).map(String::as_str).collect();
    match (names.len(), missing.as_slice()) {
        (0, _) => Look::red("it sees no RMS template"),
        (count, []) => Look::green(format!("it sees {count} RMS templates: {}", names.join(", "))),
        (_, missing) => Look::red(format!(
            "it does not see {}, but {}; a departmental template is seen only with \"show this \
             template to all users when the applications do not support user identity\"",
            missing.join(", "),
            names.join(", ")
        )),
    }
}
