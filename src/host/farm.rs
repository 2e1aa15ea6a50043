//! A SharePoint farm's Rights Management settings, as evidence (`connector.md` 5.2, row 7).

use crate::host::gate::POWERSHELL;
use crate::host::link::HostError;
use crate::host::link::Shell;
use crate::host::sharepoint;
use crate::model::particulars::FarmIrm;

/// Reads the farm's settings in the host's own PowerShell. The farm's cmdlets talk to SQL Server,
/// so a session without delegated credentials is refused; that is an error, not an answer.
pub async fn irm(shell: &mut impl Shell) -> Result<FarmIrm, HostError> {
    sharepoint::enter(shell, POWERSHELL).await?;
    Ok(FarmIrm::of(&sharepoint::irm(shell).await?))
}
