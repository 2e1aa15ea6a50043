//! Whether WinRM itself starts with the host: who restarts a host waits for it.

use crate::host::doctor::sheet::Sheet;
use crate::host::link::Reader;
use crate::host::registry::unexpected;
use crate::model::checkup::Check;
use crate::model::checkup::Trouble;
use crate::wire::operation::Answer;
use crate::wire::operation::Read;

/// Get of the one service. A host that does not tell is not ill for that: nobody has recorded a Get
/// from Windows.
pub(super) async fn examine(link: &mut impl Reader, sheet: &mut Sheet) {
    let class = "root/cimv2/Win32_Service";
    let read = Read::Instance { class, keys: vec![("Name", "WinRM".to_owned())] };
    let service = match link.read(&read).await {
        Ok(Answer::Instances(all)) => all.into_iter().next(),
        Ok(other) => {
            return sheet.skip(Check::Service, unexpected("a service", &other).to_string());
        }
        Err(error) => {
            return sheet.skip(Check::Service, format!("not read: {}", error.failure().text()));
        }
    };
    let told = |name| service.as_ref().and_then(|one| one.text(name));
    let Some(mode) = told("StartMode") else {
        return sheet.skip(Check::Service, "the host does not tell WinRM's start mode".to_owned());
    };
    let seen = format!("WinRM: start mode {mode}, {}", told("State").unwrap_or("state not told"));
    // `Auto` is Automatic, delayed or not (`Win32_Service.StartMode`).
    if mode.eq_ignore_ascii_case("auto") {
        return sheet.ok(Check::Service, seen);
    }
    let remedy = "after a restart nobody would answer: `Set-Service WinRM -StartupType Automatic` \
                  on the host";
    sheet.fail(Check::Service, Trouble::Wrong, seen, vec![remedy.to_owned()]);
}
