//! The service's own settings, as a Get of `winrm/config` tells them (`winrm.md` 5.1).

use crate::lab::fault::LabFault;
use crate::lab::host::Call;
use crate::lab::host::LabHost;
use crate::lab::host::Outcome;
use crate::lab::request::Request;
use crate::lab::wsman;
use crate::wire::namespace;

pub fn answer(host: &mut LabHost, request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    if request.action != format!("{}/Get", namespace::TRANSFER) {
        return Err(wsman::action_not_supported(&request.action));
    }
    host.stats.reads += 1;
    let limits = &host.limits;
    let body = format!(
        "<c:Config xmlns:c=\"{}\"><c:MaxEnvelopeSizekb>{}</c:MaxEnvelopeSizekb>\
         <c:MaxTimeoutms>60000</c:MaxTimeoutms><c:Service>\
         <c:MaxConcurrentOperationsPerUser>{}</c:MaxConcurrentOperationsPerUser>\
         <c:MaxConnections>300</c:MaxConnections><c:AllowUnencrypted>false</c:AllowUnencrypted>\
         </c:Service><c:Winrs><c:AllowRemoteShellAccess>true</c:AllowRemoteShellAccess>\
         <c:MaxShellsPerUser>{}</c:MaxShellsPerUser></c:Winrs></c:Config>",
        namespace::CONFIG,
        limits.request / 1024,
        limits.operations_per_user,
        limits.shells_per_user,
    );
    let action = format!("{}/GetResponse", namespace::TRANSFER);
    Ok(wsman::reply(request, call, &action, &body))
}
