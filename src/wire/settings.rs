//! What WinRM says of its own settings: Get of `winrm/config` (`winrm.md` 5.1).

use std::collections::BTreeMap;

use crate::wire::namespace;
use crate::wire::operation::Answer;
use crate::wire::soap;
use crate::wire::soap::Request;
use crate::wire::soap::WsmanError;
use crate::wire::xml::Element;

/// Deeper trees than Windows sends are not followed.
const DEPTH: usize = 8;
/// More settings than any Windows has, and longer names: what is beyond is left out.
const MOST: usize = 1000;
const LONGEST: usize = 100;

/// Get of everything at once; the host wants an administrator for it.
pub(crate) fn get() -> Request {
    Request {
        action: format!("{}/Get", namespace::TRANSFER),
        resource: namespace::CONFIG.to_owned(),
        ..Request::default()
    }
}

/// Every setting by its path, as `winrm get winrm/config` indents it: `Service/Auth/Basic`.
pub(crate) fn decode(message_id: &str, bytes: &[u8]) -> Result<Answer, WsmanError> {
    let action = format!("{}/GetResponse", namespace::TRANSFER);
    let body = soap::decode(bytes, message_id, &action)?;
    let root = soap::only(&body, namespace::CONFIG, "Config")?;
    let mut settings = BTreeMap::new();
    root.elements().for_each(|child| collect(child, "", DEPTH, &mut settings));
    Ok(Answer::Settings(settings))
}

fn collect(element: &Element, above: &str, depth: usize, into: &mut BTreeMap<String, String>) {
    if element.name.len() > LONGEST || into.len() == MOST {
        return;
    }
    let path =
        if above.is_empty() { element.name.clone() } else { format!("{above}/{}", element.name) };
    if element.elements().next().is_none() {
        into.insert(path, element.text().trim().to_owned());
    } else if depth > 0 {
        element.elements().for_each(|child| collect(child, &path, depth - 1, into));
    }
}
