//! A SharePoint farm's Rights Management settings, as evidence (`connector.md` 5.2, row 7).

use crate::host::gate::POWERSHELL;
use crate::host::link::HostError;
use crate::host::link::Shell;
use crate::host::sharepoint;
use crate::model::farm::FarmIrm as Told;
use crate::model::particulars::FarmIrm;
use crate::model::step::SettingValue;

/// Reads the farm's settings in the host's own PowerShell. The farm's cmdlets talk to SQL Server,
/// so a session without delegated credentials is refused; that is an error, not an answer.
pub async fn irm(shell: &mut impl Shell) -> Result<FarmIrm, HostError> {
    sharepoint::enter(shell, POWERSHELL).await?;
    Ok(of(&sharepoint::irm(shell).await?))
}

/// The evidence in what a farm's step reads.
pub fn of(told: &Told) -> FarmIrm {
    let flag = |name: &str| match told.get(name) {
        Some(SettingValue::Bool(value)) => Some(*value),
        Some(SettingValue::Text(_) | SettingValue::List(_) | SettingValue::Untold) | None => None,
    };
    let server = match told.get("CertificateServerUrl") {
        Some(SettingValue::Text(server)) => Some(server.clone()),
        Some(SettingValue::Bool(_) | SettingValue::List(_) | SettingValue::Untold) | None => None,
    };
    FarmIrm {
        enabled: flag("IrmEnabled"),
        use_directory: flag("UseActiveDirectoryDiscovery"),
        server,
    }
}
