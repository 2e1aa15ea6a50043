//! The SharePoint farm: read it, point it at the connector, read it again (`connector.md` 4.2).

use crate::host::cmdlet::run;
use crate::host::exchange::argument;
use crate::host::gate::POWERSHELL;
use crate::host::link::Argument;
use crate::host::link::Cmdlet;
use crate::host::link::HostError;
use crate::host::link::Shell;
use crate::model::farm::Farm;
use crate::model::farm::FarmIrm;
use crate::model::farm::FarmServer;
use crate::model::host::HostName;
use crate::model::step::Setting;
use crate::model::step::SettingValue;
use crate::wire::psrp::object::PsObject;

const GET_IRM: &str = "Get-SPIRMSettings";
const SET_IRM: &str = "Set-SPIRMSettings";
const GET_FARM: &str = "Get-SPFarm";
const GET_SERVER: &str = "Get-SPServer";

/// Each parameter of `Set-SPIRMSettings` that a step may bind, and the property that it sets.
const PARAMETERS: [(&str, &str); 3] = [
    ("IrmEnabled", "IrmRMSEnabled"),
    ("CertificateServerUrl", "IrmRMSCertServer"),
    ("UseActiveDirectoryDiscovery", "IrmRMSUseAD"),
];

/// Makes the farm's cmdlets known to the session, where it is the host's general endpoint: a
/// snap-in up to SharePoint 2019, a module since. An endpoint made for the farm has them.
pub async fn enter(shell: &mut impl Shell, configuration: &str) -> Result<(), HostError> {
    if !configuration.eq_ignore_ascii_case(POWERSHELL) {
        return Ok(());
    }
    let name = |text: &str| vec![("Name", Argument::Text(text.to_owned()))];
    let snapin =
        Cmdlet { name: "Add-PSSnapin", parameters: name("Microsoft.SharePoint.PowerShell") };
    let refused = match shell.run(&snapin).await {
        Ok(result) if result.errors.is_empty() => return Ok(()),
        Ok(result) => result.errors.join("; "),
        Err(HostError::Cmdlet { message, .. }) => message,
        Err(error) => return Err(error),
    };
    let module = run(shell, "Import-Module", name("SharePointServer")).await;
    module.map(drop).map_err(|error| match error {
        HostError::Cmdlet { message, .. } => HostError::Cmdlet {
            cmdlet: "Import-Module".to_owned(),
            message: format!("{message}; and the snap-in: {refused}"),
        },
        other => other,
    })
}

/// Reads the farm as this server describes it.
pub async fn observe(shell: &mut impl Shell, via: &HostName) -> Result<Farm, HostError> {
    let irm = irm(shell).await?;
    let id = told(shell.run(&Cmdlet { name: GET_FARM, parameters: Vec::new() }).await)?;
    let id = id.and_then(|rows| rows.first().and_then(|farm| text(farm, "Id")));
    let servers = told(shell.run(&Cmdlet { name: GET_SERVER, parameters: Vec::new() }).await)?;
    let servers = servers.map(|rows| rows.iter().filter_map(server).collect());
    Ok(Farm { id, via: via.clone(), irm, servers })
}

/// The farm's settings, by one cmdlet.
pub async fn irm(shell: &mut impl Shell) -> Result<FarmIrm, HostError> {
    let result = run(shell, GET_IRM, Vec::new()).await?;
    let [object] = result.output.as_slice() else {
        return Err(HostError::Unexpected {
            expected: "one set of IRM settings".to_owned(),
            got: format!("{} objects", result.output.len()),
        });
    };
    let read = |(parameter, property): &(&str, &str)| {
        let value = match object.property(property)? {
            PsObject::Null => SettingValue::Text(String::new()),
            value => match value.bool() {
                Some(value) => SettingValue::Bool(value),
                None => SettingValue::Text(value.to_text()?),
            },
        };
        Some(((*parameter).to_owned(), value))
    };
    Ok(PARAMETERS.iter().filter_map(read).collect())
}

/// Brings the farm's settings to their ends. An `Err` may come after the act: reading tells.
///
/// The cmdlet turns off what it is not told, so that every setting goes along; a switch that is to
/// be off is left out.
pub async fn set(shell: &mut impl Shell, settings: &[Setting]) -> Result<(), HostError> {
    let known = PARAMETERS.map(|(parameter, _)| parameter);
    let mut parameters = Vec::new();
    for setting in settings {
        let (name, value) = argument(&known, SET_IRM, setting)?;
        match value {
            Argument::Bool(false) if name != "IrmEnabled" => {}
            Argument::Text(text) if text.is_empty() => {}
            value => parameters.push((name, value)),
        }
    }
    run(shell, SET_IRM, parameters).await.map(drop)
}

/// Rows of a cmdlet that an endpoint may lack or refuse; `None` if it does. A connection that
/// broke is an error all the same.
fn told(
    result: Result<crate::host::link::CmdletResult, HostError>,
) -> Result<Option<Vec<PsObject>>, HostError> {
    match result {
        Ok(result) if result.errors.is_empty() => Ok(Some(result.output)),
        Ok(_) | Err(HostError::Cmdlet { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn server(object: &PsObject) -> Option<FarmServer> {
    let name = text(object, "Name").or_else(|| text(object, "Address"))?;
    Some(FarmServer { name, role: text(object, "Role") })
}

fn text(object: &PsObject, name: &str) -> Option<String> {
    object.property(name)?.to_text().filter(|text| !text.is_empty())
}
