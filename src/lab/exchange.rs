//! The lab's Exchange organisation: one state that all its servers' endpoints share.

use std::collections::BTreeMap;

use crate::lab::cmdlet::CmdletFailure;
use crate::lab::cmdlet::CmdletOutput;
use crate::lab::cmdlet::Cmdlets;
use crate::lab::cmdlet::Parameters;
use crate::lab::cmdlet::truth;
use crate::wire::psrp::object::Complex;
use crate::wire::psrp::object::PsObject;

/// One server of the organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabExchangeServer {
    pub name: String,
    pub fqdn: String,
    /// `Version 15.2 (Build 1544.4)`.
    pub version: String,
    pub edge: bool,
}

/// The IRM configuration, the servers, and what was asked of them.
#[derive(Debug, Clone, PartialEq)]
pub struct ExchangeOrganisation {
    pub name: String,
    /// Of the IRM object, in the configuration partition.
    pub dn: String,
    pub servers: Vec<LabExchangeServer>,
    settings: BTreeMap<&'static str, PsObject>,
    /// Calls by cmdlet, refused ones included.
    pub calls: BTreeMap<&'static str, u64>,
    /// How often Set-IRMConfiguration changed something.
    pub writes: u64,
}

const GET_IRM: &str = "Get-IRMConfiguration";
const SET_IRM: &str = "Set-IRMConfiguration";
const TEST_IRM: &str = "Test-IRMConfiguration";
const GET_SERVER: &str = "Get-ExchangeServer";

impl ExchangeOrganisation {
    /// An organisation as it is after setup: internal licensing off, everything else by default.
    pub fn new(name: &str, servers: Vec<LabExchangeServer>) -> Self {
        let on = [
            "AzureRMSLicensingEnabled",
            "JournalReportDecryptionEnabled",
            "ClientAccessServerEnabled",
            "SearchEnabled",
            "EDiscoverySuperUserEnabled",
        ];
        let off = [
            "InternalLicensingEnabled",
            "ExternalLicensingEnabled",
            "SimplifiedClientAccessEnabled",
            "DecryptAttachmentFromPortal",
            "DecryptAttachmentForEncryptOnly",
        ];
        let unset = [
            "RMSOnlineKeySharingLocation",
            "RMSOnlineVersion",
            "ServiceLocation",
            "PublishingLocation",
        ];
        let mut settings: BTreeMap<&'static str, PsObject> = BTreeMap::new();
        settings.extend(on.map(|name| (name, PsObject::Bool(true))));
        settings.extend(off.map(|name| (name, PsObject::Bool(false))));
        settings.extend(unset.map(|name| (name, PsObject::Null)));
        settings.insert("TransportDecryptionSetting", PsObject::Text("Optional".to_owned()));
        settings.insert("LicensingLocation", PsObject::List(Vec::new()));
        Self {
            name: name.to_owned(),
            dn: format!(
                "CN=ControlPoint Config,CN=Transport Settings,CN={name},CN=Microsoft Exchange,\
                 CN=Services,CN=Configuration,DC=contoso,DC=example"
            ),
            servers,
            settings,
            calls: BTreeMap::new(),
            writes: 0,
        }
    }

    /// A setting by the name of its property; `None` if there is none of that name.
    pub fn setting(&self, name: &str) -> Option<&PsObject> {
        self.settings.get(name)
    }

    /// Sets the stage; a name that is no setting is left out.
    pub fn arrange(&mut self, name: &str, value: PsObject) {
        if let Some(own) = self.settings.get_mut(name) {
            *own = value;
        }
    }

    fn get_irm(&self, parameters: &Parameters) -> Result<CmdletOutput, CmdletFailure> {
        parameters.allow(GET_IRM, &[])?;
        let text = |text: &str| PsObject::Text(text.to_owned());
        let mut members: BTreeMap<String, PsObject> =
            self.settings.iter().map(|(&name, value)| (name.to_owned(), value.clone())).collect();
        members.extend([
            ("Identity".to_owned(), text("ControlPoint Config")),
            ("Id".to_owned(), text("ControlPoint Config")),
            ("IsValid".to_owned(), PsObject::Bool(true)),
            ("ObjectState".to_owned(), text("Unchanged")),
            ("DistinguishedName".to_owned(), text(&self.dn)),
        ]);
        let configuration =
            object("Microsoft.Exchange.Management.RightsManagement.IRMConfiguration", members);
        Ok(CmdletOutput { output: vec![configuration], ..CmdletOutput::default() })
    }

    fn set_irm(&mut self, parameters: &Parameters) -> Result<CmdletOutput, CmdletFailure> {
        const REFRESH: &str = "RefreshServerCertificates";
        let known: Vec<&str> = self.settings.keys().copied().chain(["Force", REFRESH]).collect();
        parameters.allow(SET_IRM, &known)?;
        let wanted: Vec<(&'static str, PsObject)> = self
            .settings
            .iter()
            .filter_map(|(&name, now)| Some((name, like(now, parameters.get(name)?))))
            .filter(|(name, value)| self.settings.get(name) != Some(value))
            .collect();
        if parameters.switch("WhatIf") == Some(true) {
            return Ok(CmdletOutput::default());
        }
        // Exchange asks before it turns licensing on or off, and nobody is there to answer.
        let asks = wanted.iter().any(|(name, _)| *name == "InternalLicensingEnabled");
        let answered =
            parameters.switch("Force") == Some(true) || parameters.switch("Confirm") == Some(false);
        if asks && !answered {
            return Err(CmdletFailure::new(
                "A command that prompts the user failed because the host program or the command \
                 type does not support user interaction.",
                format!("Microsoft.Exchange.Configuration.Tasks.TaskException,{SET_IRM}"),
            ));
        }
        if wanted.is_empty() {
            let warning = "The command completed successfully but no settings of 'ControlPoint \
                           Config' have been modified.";
            let warnings = match parameters.switch(REFRESH) {
                Some(true) => Vec::new(),
                Some(false) | None => vec![warning.to_owned()],
            };
            return Ok(CmdletOutput { warnings, ..CmdletOutput::default() });
        }
        self.settings.extend(wanted);
        self.writes += 1;
        Ok(CmdletOutput::default())
    }

    fn test_irm(&self, parameters: &Parameters) -> Result<CmdletOutput, CmdletFailure> {
        parameters.allow(TEST_IRM, &["Sender", "Recipient", "RMSOnline"])?;
        if parameters.get("Sender").is_none() && parameters.positional.is_empty() {
            return Err(CmdletFailure::new(
                "Cannot process command because of one or more missing mandatory parameters: \
                 Sender.",
                format!("MissingMandatoryParameter,{TEST_IRM}"),
            ));
        }
        let enabled = self.setting("InternalLicensingEnabled").and_then(PsObject::bool);
        let word = if enabled == Some(true) { "PASS" } else { "FAIL" };
        let results = format!(
            "Checking Exchange Server ...\r\n    - PASS: Exchange Server is running.\r\n\
             Checking RMS Server ...\r\n    - {word}: Acquiring RMS Templates.\r\n\r\n\
             OVERALL RESULT: {word}\r\n"
        );
        let members = BTreeMap::from([("Results".to_owned(), PsObject::Text(results))]);
        let result = object(
            "Microsoft.Exchange.Data.Storage.RightsManagement.IRMConfigurationValidationResult",
            members,
        );
        Ok(CmdletOutput { output: vec![result], ..CmdletOutput::default() })
    }

    fn get_server(&self, parameters: &Parameters) -> Result<CmdletOutput, CmdletFailure> {
        parameters.allow(GET_SERVER, &["Status"])?;
        let wanted = parameters
            .get("Identity")
            .or_else(|| parameters.positional.first())
            .and_then(PsObject::text);
        let hit = |server: &&LabExchangeServer| {
            wanted.as_ref().is_none_or(|wanted| {
                wanted.eq_ignore_ascii_case(&server.name)
                    || wanted.eq_ignore_ascii_case(&server.fqdn)
            })
        };
        let output: Vec<PsObject> = self.servers.iter().filter(hit).map(server).collect();
        match wanted {
            Some(name) if output.is_empty() => Err(CmdletFailure::new(
                format!(
                    "The operation couldn't be performed because object '{name}' couldn't be found."
                ),
                format!("ManagementObjectNotFoundException,{GET_SERVER}"),
            )),
            Some(_) | None => Ok(CmdletOutput { output, ..CmdletOutput::default() }),
        }
    }
}

impl Cmdlets for ExchangeOrganisation {
    fn run(&mut self, name: &str, parameters: &Parameters) -> Result<CmdletOutput, CmdletFailure> {
        let known = [GET_IRM, SET_IRM, TEST_IRM, GET_SERVER]
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(name))
            .ok_or_else(|| CmdletFailure::unknown_cmdlet(name))?;
        *self.calls.entry(known).or_default() += 1;
        match known {
            GET_IRM => self.get_irm(parameters),
            SET_IRM => self.set_irm(parameters),
            TEST_IRM => self.test_irm(parameters),
            _ => self.get_server(parameters),
        }
    }
}

fn server(server: &LabExchangeServer) -> PsObject {
    let text = |text: &str| PsObject::Text(text.to_owned());
    let members = BTreeMap::from([
        ("Name".to_owned(), text(&server.name)),
        ("Identity".to_owned(), text(&server.name)),
        ("Fqdn".to_owned(), text(&server.fqdn)),
        ("Edition".to_owned(), text("Standard")),
        ("AdminDisplayVersion".to_owned(), text(&server.version)),
        ("ServerRole".to_owned(), text(if server.edge { "Edge" } else { "Mailbox" })),
        ("IsMailboxServer".to_owned(), PsObject::Bool(!server.edge)),
        ("IsClientAccessServer".to_owned(), PsObject::Bool(!server.edge)),
        ("IsHubTransportServer".to_owned(), PsObject::Bool(!server.edge)),
        ("IsEdgeServer".to_owned(), PsObject::Bool(server.edge)),
    ]);
    object("Microsoft.Exchange.Data.Directory.Management.ExchangeServer", members)
}

fn object(type_name: &str, members: BTreeMap<String, PsObject>) -> PsObject {
    PsObject::Complex(Box::new(Complex {
        type_names: vec![type_name.to_owned(), "System.Object".to_owned()],
        members,
        ..Complex::default()
    }))
}

/// The given value in the type that the setting has.
fn like(now: &PsObject, given: &PsObject) -> PsObject {
    let text = |value: &PsObject| value.text().map_or(PsObject::Null, PsObject::Text);
    match (now, given) {
        (PsObject::Bool(_), given) => PsObject::Bool(truth(given)),
        (PsObject::List(_), PsObject::Null) => PsObject::List(Vec::new()),
        (PsObject::List(_), given) => PsObject::List(match given.list() {
            Some(items) => items.iter().map(text).collect(),
            None => vec![text(given)],
        }),
        (_, given) => text(given),
    }
}
