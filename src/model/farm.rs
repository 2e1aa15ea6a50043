//! A SharePoint farm and its Information Rights Management settings.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::model::host::HostName;
use crate::model::step::SettingValue;

/// `Get-SPIRMSettings`, by the names of the parameters that set each property.
///
/// What is missing was not told; a server that was told to be nowhere is the empty text.
pub type FarmIrm = BTreeMap<String, SettingValue>;

/// One row of `Get-SPServer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FarmServer {
    pub name: String,
    /// `Application`, `WebFrontEnd`, `Invalid` for servers that only hold a database …
    pub role: Option<String>,
}

/// One farm, as one of its servers described it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Farm {
    /// `Get-SPFarm` Id. `None` where the endpoint does not tell; the asserted name is the identity
    /// then.
    pub id: Option<String>,
    pub via: HostName,
    pub irm: FarmIrm,
    /// `None` where the endpoint does not tell.
    pub servers: Option<Vec<FarmServer>>,
}
