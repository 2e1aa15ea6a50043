//! The Exchange organisation and its Information Rights Management settings.

use serde::Deserialize;
use serde::Serialize;

use crate::model::host::HostName;
use crate::model::step::SettingValue;

/// `Get-IRMConfiguration`, the properties that we set, read or reason with.
///
/// `None` is a property that was not told, as a narrow role of the account leaves some out. A
/// location that was told to be nowhere is the empty text, or the empty list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IrmConfiguration {
    pub internal_licensing_enabled: Option<bool>,
    pub external_licensing_enabled: Option<bool>,
    pub client_access_server_enabled: Option<bool>,
    pub service_location: Option<String>,
    pub publishing_location: Option<String>,
    pub licensing_location: Option<Vec<String>>,
}

impl IrmConfiguration {
    /// A property by the cmdlet's name for it; untold if it is none that we read.
    pub fn setting(&self, name: &str) -> SettingValue {
        let text =
            |text: &Option<String>| text.clone().map_or(SettingValue::Untold, SettingValue::Text);
        match name {
            "InternalLicensingEnabled" => self.internal_licensing_enabled.into(),
            "ExternalLicensingEnabled" => self.external_licensing_enabled.into(),
            "ClientAccessServerEnabled" => self.client_access_server_enabled.into(),
            "ServiceLocation" => text(&self.service_location),
            "PublishingLocation" => text(&self.publishing_location),
            "LicensingLocation" => {
                self.licensing_location.clone().map_or(SettingValue::Untold, SettingValue::List)
            }
            _ => SettingValue::Untold,
        }
    }

    /// Takes over a property by its name, where the value has the property's type.
    pub fn take(&mut self, name: &str, value: &SettingValue) {
        match (name, value) {
            ("InternalLicensingEnabled", SettingValue::Bool(value)) => {
                self.internal_licensing_enabled = Some(*value);
            }
            ("ClientAccessServerEnabled", SettingValue::Bool(value)) => {
                self.client_access_server_enabled = Some(*value);
            }
            ("LicensingLocation", SettingValue::List(value)) => {
                self.licensing_location = Some(value.clone());
            }
            (_, _) => {}
        }
    }
}

/// One row of `Get-ExchangeServer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeServer {
    pub name: String,
    pub fqdn: Option<String>,
    /// `Version 15.2 (Build 1544.4)`.
    pub version: String,
    pub is_edge: bool,
}

/// One Exchange organisation, as one of its servers described it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// The distinguished name of the IRM object: the organisation's identity.
    pub dn: String,
    /// The organisation's name, taken from the distinguished name.
    pub name: String,
    /// The host whose endpoint answered.
    pub via: HostName,
    pub irm: IrmConfiguration,
    pub servers: Vec<ExchangeServer>,
}
