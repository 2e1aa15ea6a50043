//! A host as the inventory describes it, all variables resolved and typed.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::model::origin::Origin;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::tls::ClientCertificate;
use crate::model::tls::TlsTrust;

/// A host's name as the inventory spells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostName(pub String);

impl HostName {
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first label: `EX-AMS01` of `EX-AMS01.corp.contoso.com`.
    pub fn short(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `ansible_winrm_scheme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    Http,
    Https,
}

/// `ansible_winrm_transport` and `rms_exchange_auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// NTLM under `Negotiate`.
    Ntlm,
    /// Kerberos where a ticket is at hand, else NTLM.
    Negotiate,
    Kerberos,
    Basic,
    /// Basic over http: everybody on the way reads the password. Only `--danger-basic-over-http`
    /// makes it of [`Transport::Basic`].
    #[serde(rename = "basic-in-clear")]
    BasicInClear,
    /// The TLS handshake shows a client certificate, which the host maps to an account of its own.
    Certificate,
}

/// `rms_spn_class`: the first half of the name that Kerberos asks a ticket for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SpnClass {
    #[default]
    Http,
    Host,
    Wsman,
}

impl SpnClass {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Host => "HOST",
            Self::Wsman => "WSMAN",
        }
    }
}

/// What Kerberos asks a ticket for, where it is not `HTTP/` and the endpoint's address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spn {
    pub class: SpnClass,
    /// `ansible_winrm_kerberos_hostname_override`.
    pub host: Option<String>,
}

impl Spn {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where WS-Management answers: `http://10.0.0.1:5985/wsman`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub scheme: Scheme,
    /// `ansible_host`, else the inventory name; a DNS name or an address.
    pub address: String,
    pub port: u16,
    /// With its leading slash: `/wsman`, `/PowerShell/`.
    pub path: String,
    pub transport: Transport,
    /// Which certificate is taken for the host's own, where the scheme is https.
    #[serde(default, skip_serializing_if = "TlsTrust::is_default")]
    pub tls: TlsTrust,
    #[serde(default, skip_serializing_if = "Spn::is_default")]
    pub spn: Spn,
    /// What [`Transport::Certificate`] shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientCertificate>,
}

impl Endpoint {
    /// Whether somebody with a password or a ticket logs on; a client certificate speaks for itself.
    pub fn needs_account(&self) -> bool {
        self.transport != Transport::Certificate
    }

    pub fn url(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let address = if self.address.contains(':') {
            format!("[{}]", self.address)
        } else {
            self.address.clone()
        };
        format!("{scheme}://{address}:{}{}", self.port, self.path)
    }
}

/// `rms_configure`: whether the host's values are ours to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Configure {
    /// By the role's table: of a SharePoint farm only front ends and Central Administration.
    Auto,
    Yes,
    No,
}

/// `rms_prior_adrms`: what the inventory says about Rights Management before the connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PriorAdrms {
    Auto,
    Used,
    Never,
}

/// `rms_restart`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RestartPolicy {
    Auto,
    Always,
    /// A restart that the rules require stays owed, in every report.
    Never,
    /// As `never`, but a person has promised to do it.
    Manual,
}

/// `rms_farm_role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FarmRole {
    FrontEnd,
    DistributedCache,
    Application,
    CentralAdmin,
    Search,
}

/// The host's own PowerShell.
pub fn general_endpoint() -> String {
    "Microsoft.PowerShell".to_owned()
}

impl FarmRole {
    /// As `rms_farm_role` spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::FrontEnd => "front-end",
            Self::DistributedCache => "distributed-cache",
            Self::Application => "application",
            Self::CentralAdmin => "central-admin",
            Self::Search => "search",
        }
    }
}

/// A host of the inventory. One without a role is listed as out of scope and never contacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub name: HostName,
    /// Every group the host is in, ancestors too, `all` first, nearer groups later.
    pub groups: Vec<String>,
    pub role: Option<Role>,
    /// `rms_product`: asserted, so the discovered one must equal it.
    pub product: Option<Product>,
    pub configure: Configure,
    pub endpoint: Endpoint,
    /// `rms_credential`, else `default`.
    pub credential: String,
    /// `ansible_user`, used where the credential itself names nobody.
    pub user: Option<String>,
    pub tenant: Option<Origin>,
    pub connector: Option<Origin>,
    pub prior_adrms: PriorAdrms,
    pub restart: RestartPolicy,
    pub dag: Option<String>,
    pub farm: Option<String>,
    pub cluster: Option<String>,
    pub site: Option<String>,
    pub farm_roles: Vec<FarmRole>,
    /// `rms_canary`: rank among the canaries, 1 first.
    pub canary: Option<u32>,
    /// `rms_window`: when the host may be touched, by the name of one of the playbook's windows.
    #[serde(default)]
    pub window: Option<String>,
    pub tags: Vec<String>,
    pub owner: Option<String>,
    /// `rms_exchange_url` with `rms_exchange_auth`: where the Exchange PSRP endpoint answers.
    pub exchange: Endpoint,
    /// `rms_organization`: the asserted name of the Exchange organisation.
    pub organization: Option<String>,
    /// `rms_sharepoint_configuration`: the session configuration that has the farm's cmdlets.
    #[serde(default = "general_endpoint")]
    pub sharepoint: String,
    /// `rms_adrms_urls`: AD RMS clusters whose content the servers must still open.
    #[serde(default)]
    pub adrms: Vec<Origin>,
    /// Time for connecting to the host, in seconds.
    pub connect_timeout: u32,
    /// WS-Man OperationTimeout, in seconds; the HTTP read limit always exceeds it.
    pub operation_timeout: u32,
}

impl Host {
    /// Whether the role's table says that this host gets values (`features.md` F4).
    pub fn in_scope(&self) -> bool {
        match (self.role, self.configure) {
            (None | Some(Role::Connector), _) | (_, Configure::No) => false,
            (Some(_), Configure::Yes) | (Some(Role::Exchange | Role::Fci), Configure::Auto) => true,
            (Some(Role::Sharepoint), Configure::Auto) => {
                self.farm_roles.is_empty()
                    || self.farm_roles.contains(&FarmRole::FrontEnd)
                    || self.farm_roles.contains(&FarmRole::CentralAdmin)
            }
        }
    }
}
