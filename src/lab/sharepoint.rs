//! The lab's SharePoint farm: one state that the sessions on all its servers share.

use std::collections::BTreeMap;

use crate::lab::cmdlet::CmdletFailure;
use crate::lab::cmdlet::CmdletOutput;
use crate::lab::cmdlet::Cmdlets;
use crate::lab::cmdlet::Parameters;
use crate::wire::psrp::object::Complex;
use crate::wire::psrp::object::PsObject;

/// The farm's settings and servers, and what was asked of them.
#[derive(Debug, Clone, PartialEq)]
pub struct SharePointFarm {
    /// `SharePoint_Config` and the like.
    pub name: String,
    /// The configuration database's GUID.
    pub id: String,
    /// Name and MinRole of each server.
    pub servers: Vec<(String, String)>,
    /// The module of SharePoint Subscription Edition in place of the snap-in.
    pub module: bool,
    /// The session cannot hand its logon on to the database server.
    pub second_hop_fails: bool,
    enabled: bool,
    use_ad: bool,
    server: Option<String>,
    /// Calls by cmdlet, refused ones included.
    pub calls: BTreeMap<&'static str, u64>,
    /// How often Set-SPIRMSettings went through.
    pub writes: u64,
}

const SNAPIN: &str = "Add-PSSnapin";
const MODULE: &str = "Import-Module";
const GET_FARM: &str = "Get-SPFarm";
const GET_SERVER: &str = "Get-SPServer";
const GET_IRM: &str = "Get-SPIRMSettings";
const SET_IRM: &str = "Set-SPIRMSettings";

impl SharePointFarm {
    /// A farm after setup: Information Rights Management is off.
    pub fn new(name: &str, id: &str, servers: Vec<(String, String)>) -> Self {
        Self {
            name: name.to_owned(),
            id: id.to_owned(),
            servers,
            module: false,
            second_hop_fails: false,
            enabled: false,
            use_ad: false,
            server: None,
            calls: BTreeMap::new(),
            writes: 0,
        }
    }

    /// Sets the stage, as Central Administration would.
    pub fn arrange(&mut self, enabled: bool, use_ad: bool, server: Option<&str>) {
        self.enabled = enabled;
        self.use_ad = use_ad;
        self.server = server.map(str::to_owned);
    }

    /// Whether rights management is on, and by which server.
    pub fn irm(&self) -> (bool, Option<&str>) {
        (self.enabled, self.server.as_deref())
    }

    fn load(parameters: &Parameters, wanted: &str, there: bool) -> Result<(), CmdletFailure> {
        let name = parameters.get("Name").and_then(PsObject::text).unwrap_or_default();
        if there && name.eq_ignore_ascii_case(wanted) {
            return Ok(());
        }
        Err(CmdletFailure::new(
            format!("'{name}' is not installed on this computer."),
            if wanted.contains('.') { "AddPSSnapInRead" } else { "Modules_ModuleNotFound" },
        ))
    }

    /// Every farm cmdlet asks the configuration database.
    fn reach_database(&self, cmdlet: &str) -> Result<(), CmdletFailure> {
        if !self.second_hop_fails {
            return Ok(());
        }
        Err(CmdletFailure::new(
            "The local farm is not accessible. Cmdlets with FeatureDependencyId are not registered.",
            format!("Microsoft.SharePoint.PowerShell.{cmdlet}"),
        ))
    }

    fn settings(&self) -> PsObject {
        let members = BTreeMap::from([
            ("IrmRMSEnabled".to_owned(), PsObject::Bool(self.enabled)),
            ("IrmRMSUseAD".to_owned(), PsObject::Bool(self.use_ad)),
            (
                "IrmRMSCertServer".to_owned(),
                self.server.clone().map_or(PsObject::Null, PsObject::Text),
            ),
        ]);
        object("Microsoft.SharePoint.Administration.SPIrmSettings", members)
    }

    /// What is not given goes off, as with switches.
    fn set(&mut self, parameters: &Parameters) -> Result<(), CmdletFailure> {
        let known = [
            "IrmEnabled",
            "UseActiveDirectoryDiscovery",
            "CertificateServerUrl",
            "SubscriptionScopeSettingsEnabled",
            "SiteSubscription",
            "ServiceAuthenticationCertificate",
        ];
        parameters.allow(SET_IRM, &known)?;
        self.reach_database(SET_IRM)?;
        self.enabled = parameters.switch("IrmEnabled") == Some(true);
        self.use_ad = parameters.switch("UseActiveDirectoryDiscovery") == Some(true);
        if let Some(url) = parameters.get("CertificateServerUrl") {
            self.server = url.text();
        }
        self.writes += 1;
        Ok(())
    }
}

impl Cmdlets for SharePointFarm {
    fn run(&mut self, name: &str, parameters: &Parameters) -> Result<CmdletOutput, CmdletFailure> {
        let known = [SNAPIN, MODULE, GET_FARM, GET_SERVER, GET_IRM, SET_IRM]
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(name))
            .ok_or_else(|| CmdletFailure::unknown_cmdlet(name))?;
        *self.calls.entry(known).or_default() += 1;
        let text = |text: &str| PsObject::Text(text.to_owned());
        let output = match known {
            SNAPIN => {
                Self::load(parameters, "Microsoft.SharePoint.PowerShell", !self.module)?;
                Vec::new()
            }
            MODULE => {
                Self::load(parameters, "SharePointServer", self.module)?;
                Vec::new()
            }
            GET_FARM => {
                self.reach_database(known)?;
                let members = BTreeMap::from([
                    ("Id".to_owned(), text(&self.id)),
                    ("Name".to_owned(), text(&self.name)),
                ]);
                vec![object("Microsoft.SharePoint.Administration.SPFarm", members)]
            }
            GET_SERVER => {
                self.reach_database(known)?;
                let server = |(name, role): &(String, String)| {
                    let members = BTreeMap::from([
                        ("Name".to_owned(), text(name)),
                        ("Address".to_owned(), text(name)),
                        ("Role".to_owned(), text(role)),
                    ]);
                    object("Microsoft.SharePoint.Administration.SPServer", members)
                };
                self.servers.iter().map(server).collect()
            }
            GET_IRM => {
                parameters.allow(GET_IRM, &["SiteSubscription"])?;
                self.reach_database(known)?;
                vec![self.settings()]
            }
            _ => {
                self.set(parameters)?;
                Vec::new()
            }
        };
        Ok(CmdletOutput { output, ..CmdletOutput::default() })
    }
}

fn object(type_name: &str, members: BTreeMap<String, PsObject>) -> PsObject {
    PsObject::Complex(Box::new(Complex {
        type_names: vec![type_name.to_owned(), "System.Object".to_owned()],
        members,
        ..Complex::default()
    }))
}
