//! Organisation steps: what is done once, for an Exchange organisation, a SharePoint farm or one
//! server, after the hosts that it depends on are verified.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::model::fileserver::EXISTS;
use crate::model::fileserver::FileObject;
use crate::model::host::Endpoint;
use crate::model::host::HostName;
use crate::model::irm::IrmConfiguration;

mod written;

/// A step of the plan: what it is keyed by, who does it, and what it needs first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "written::Written")]
pub struct OrganisationStep {
    /// What is only there once: the distinguished name of the IRM object, the farm's id, the
    /// server's name.
    pub identity: String,
    /// Whose step it is, in people's words: the organisation's name, the farm's, the server's.
    pub organisation: String,
    /// The host whose endpoint is used.
    pub via: HostName,
    pub endpoint: Endpoint,
    pub credential: String,
    pub user: Option<String>,
    pub act: Act,
    /// Nothing to do: what the step wants was read when the plan was made.
    pub satisfied: bool,
    /// Hosts of the plan that must be verified first.
    pub needs: Vec<HostName>,
    /// Servers of the organisation or farm that the inventory lacks; they hold the step until
    /// waived.
    pub missing: Vec<String>,
    /// Servers waived by name on the command line.
    pub waived: Vec<String>,
    /// Why nobody can do it as things stand; the rest of the run goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Done by a person, who says so; the run shows the steps and waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<ByHand>,
}

/// `mode: manual`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByHand {
    /// What to do, one sentence each.
    pub instructions: Vec<String>,
    /// How long the run waits for the word, in seconds.
    pub timeout: u32,
}

/// What a step does. Each kind carries its state before and after, so that ends can be swapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Act {
    /// `Set-IRMConfiguration`, once per Exchange organisation.
    ExchangeIrm {
        settings: Vec<Setting>,
        /// All that was read; the locations are evidence, not a condition.
        before: IrmConfiguration,
        /// Whom `Test-IRMConfiguration` sends as, on every server, once it is set.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender: Option<String>,
    },
    /// `Set-IRMConfiguration -RefreshServerCertificates`, once per Exchange organisation. Nothing
    /// of it can be read back.
    RefreshCertificates,
    /// `Set-SPIRMSettings`, once per farm.
    SharepointIrm {
        settings: Vec<Setting>,
        /// The session configuration of the host that has the farm's cmdlets.
        configuration: String,
        /// The server that the farm must still be pointed at. It is compared, and never written:
        /// the cmdlet cannot set it to nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<SettingValue>,
    },
    /// `Remove-Item` of everything in a folder of one server.
    ClearFolder { folder: String },
    /// Services of one server, stopped in this order and started in the other.
    CycleServices { services: Vec<String> },
    /// A classification rule or file management job of one file server, made or removed. One that
    /// is there already is never changed.
    FileObject { object: FileObject, name: String, settings: Vec<Setting> },
}

/// One setting that a step writes, with both its ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The cmdlet's parameter, which is also the property that is read back.
    pub name: String,
    pub before: SettingValue,
    pub after: SettingValue,
}

/// What a setting holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SettingValue {
    Bool(bool),
    Text(String),
    List(Vec<String>),
    /// The host did not tell. It is written as null.
    Untold,
}

/// What was read of a step's object when it was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StepState {
    Settings {
        settings: BTreeMap<String, SettingValue>,
    },
    /// A person's word, or evidence in words.
    Told {
        told: String,
    },
    /// Every field of it may be missing, so it is tried last.
    Irm(IrmConfiguration),
}

impl From<IrmConfiguration> for StepState {
    fn from(irm: IrmConfiguration) -> Self {
        Self::Irm(irm)
    }
}

impl OrganisationStep {
    /// The name that has to be given with `--confirm`: the organisation's or the farm's, also for
    /// a step on one of its servers. What a person does by hand needs none.
    pub fn confirmation(&self) -> Option<&str> {
        // What only adds to one server, and goes again with an undo, is asked for with the plan.
        let adds = matches!(self.act, Act::FileObject { .. });
        (self.by_hand.is_none() && !adds).then_some(&self.organisation)
    }
}

impl Act {
    /// The cmdlet or method that the act goes by.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::ExchangeIrm { .. } => "Set-IRMConfiguration",
            Self::RefreshCertificates => "Set-IRMConfiguration -RefreshServerCertificates",
            Self::SharepointIrm { .. } => "Set-SPIRMSettings",
            Self::ClearFolder { .. } => "Remove-Item",
            Self::CycleServices { .. } => "Win32_Service",
            Self::FileObject { object, .. } => match (object, self.makes()) {
                (FileObject::ClassificationRule, true) => "Create MSFT_FSRMClassificationRule",
                (FileObject::ClassificationRule, false) => "Delete MSFT_FSRMClassificationRule",
                (FileObject::ManagementJob, true) => "Create MSFT_FSRMFileManagementJob",
                (FileObject::ManagementJob, false) => "Delete MSFT_FSRMFileManagementJob",
            },
        }
    }

    /// Whom it affects, in words that follow "affects".
    pub fn reach(&self, organisation: &str) -> String {
        match self {
            Self::ExchangeIrm { .. } => format!("every mailbox of {organisation}"),
            Self::RefreshCertificates => format!(
                "every Exchange server of {organisation}: their rights certificates and cached \
                 templates are gone and fetched anew"
            ),
            Self::SharepointIrm { .. } => format!("every site of farm {organisation}"),
            Self::ClearFolder { folder } => {
                format!("the cached certificates and licences in {folder}, for good")
            }
            Self::CycleServices { services } => {
                format!("every web session of the server: {} stop and start", services.join(", "))
            }
            Self::FileObject { object, name, .. } => {
                format!("the files that its {} `{name}` is about", object.word())
            }
        }
    }

    /// What is lost with it, in words; `None` where everything can be taken back.
    pub fn loss(&self) -> Option<String> {
        let off = |name: &str| {
            self.settings().iter().any(|setting| {
                setting.name == name
                    && setting.after == SettingValue::Bool(false)
                    && !setting.is_satisfied()
            })
        };
        match self {
            Self::ExchangeIrm { .. } => {
                (off("InternalLicensingEnabled") || off("ClientAccessServerEnabled")).then(|| {
                    "Information Rights Management goes off for every mailbox; what is protected \
                 stays protected"
                        .to_owned()
                })
            }
            Self::SharepointIrm { .. } => off("IrmEnabled").then(|| {
                "Information Rights Management goes off for the farm; documents that are checked \
                 out of protected libraries become unreadable"
                    .to_owned()
            }),
            Self::RefreshCertificates | Self::ClearFolder { .. } => {
                Some("nothing brings back what is removed; it is fetched anew".to_owned())
            }
            Self::CycleServices { .. } => Some("sessions end; nothing else is lost".to_owned()),
            Self::FileObject { .. } => None,
        }
    }

    /// Whether one server is concerned, and not what it belongs to.
    pub fn is_local(&self) -> bool {
        match self {
            Self::ExchangeIrm { .. } | Self::RefreshCertificates | Self::SharepointIrm { .. } => {
                false
            }
            Self::ClearFolder { .. } | Self::CycleServices { .. } | Self::FileObject { .. } => true,
        }
    }

    /// What it writes, where that is settings.
    pub fn settings(&self) -> &[Setting] {
        match self {
            Self::ExchangeIrm { settings, .. }
            | Self::SharepointIrm { settings, .. }
            | Self::FileObject { settings, .. } => settings,
            Self::RefreshCertificates | Self::ClearFolder { .. } | Self::CycleServices { .. } => {
                &[]
            }
        }
    }

    /// The same, to be changed.
    pub fn settings_mut(&mut self) -> Option<&mut Vec<Setting>> {
        match self {
            Self::ExchangeIrm { settings, .. }
            | Self::SharepointIrm { settings, .. }
            | Self::FileObject { settings, .. } => Some(settings),
            Self::RefreshCertificates | Self::ClearFolder { .. } | Self::CycleServices { .. } => {
                None
            }
        }
    }

    /// Adds the settings of an earlier act on the same object that this one does not set.
    pub fn keep(&mut self, earlier: &Self) {
        let Some(settings) = self.settings_mut() else { return };
        for setting in earlier.settings() {
            if !settings.iter().any(|own| own.name == setting.name) {
                settings.push(setting.clone());
            }
        }
    }

    /// The act that takes this one back; `None` where nothing can.
    ///
    /// A setting that was as wanted before is left out, and so is one whose state before is not
    /// known.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        let swapped = |settings: &[Setting]| -> Vec<Setting> {
            let moved = settings.iter().filter(|setting| {
                setting.before != SettingValue::Untold && !setting.is_satisfied()
            });
            moved.map(Setting::swapped).collect()
        };
        match self {
            Self::ExchangeIrm { settings, before, .. } => {
                let settings = swapped(settings);
                let mut now = before.clone();
                for setting in &settings {
                    now.take(&setting.name, &setting.before);
                }
                (!settings.is_empty()).then_some(Self::ExchangeIrm {
                    settings,
                    before: now,
                    sender: None,
                })
            }
            Self::RefreshCertificates | Self::ClearFolder { .. } | Self::CycleServices { .. } => {
                None
            }
            Self::SharepointIrm { settings, configuration, server } => {
                farm_inverse(settings, configuration, server.as_ref())
            }
            Self::FileObject { object, name, settings } => {
                let settings = swapped(settings);
                (!settings.is_empty()).then(|| Self::FileObject {
                    object: *object,
                    name: name.clone(),
                    settings,
                })
            }
        }
    }

    /// What it sets, for acts that set the same thing at different times; `None` where nothing is
    /// left to compare with.
    pub fn object(&self) -> Option<String> {
        match self {
            Self::ExchangeIrm { .. } => Some("exchange".to_owned()),
            Self::SharepointIrm { .. } => Some("farm".to_owned()),
            Self::FileObject { object, name, .. } => Some(format!("{} {name}", object.class())),
            Self::RefreshCertificates | Self::ClearFolder { .. } | Self::CycleServices { .. } => {
                None
            }
        }
    }

    /// Begins each setting where an earlier act on the same object began it.
    pub fn begin_with(&mut self, earlier: &Self) {
        let Some(settings) = self.settings_mut() else { return };
        for setting in settings {
            if let Some(own) = earlier.settings().iter().find(|own| own.name == setting.name) {
                setting.before = own.before.clone();
            }
        }
    }

    /// Whether it turns something on that was off, which is used at once.
    pub fn turns_on(&self) -> bool {
        let on = |setting: &Setting| setting.after == SettingValue::Bool(true);
        self.settings().iter().any(|setting| on(setting) && !setting.is_satisfied())
    }

    /// The server that must still stand where the act does not write one.
    pub fn guarded_server(&self) -> Option<&SettingValue> {
        match self {
            Self::SharepointIrm { server, .. } => server.as_ref(),
            Self::ExchangeIrm { .. }
            | Self::RefreshCertificates
            | Self::ClearFolder { .. }
            | Self::CycleServices { .. }
            | Self::FileObject { .. } => None,
        }
    }

    /// Whether the file server's object is there when the act is done.
    pub fn makes(&self) -> bool {
        self.settings()
            .iter()
            .any(|setting| setting.name == EXISTS && setting.after == SettingValue::Bool(true))
    }
}

/// The name of the farm's server among its settings.
pub const FARM_SERVER: &str = "CertificateServerUrl";

/// The cmdlet turns off what it is not told, so that everything goes along; but a server that stays
/// is only named where IRM is on afterwards, and compared in any case.
fn farm_inverse(
    settings: &[Setting],
    configuration: &str,
    guarded: Option<&SettingValue>,
) -> Option<Act> {
    let nothing = SettingValue::Text(String::new());
    let told = settings.iter().filter(|own| own.before != SettingValue::Untold);
    let mut settings: Vec<Setting> = told.map(Setting::swapped).collect();
    let is_off = |own: &Setting| own.name == "IrmEnabled" && own.after == SettingValue::Bool(false);
    let off = settings.iter().any(is_off);
    let mut server = None;
    settings.retain(|own| {
        let stays = own.after == nothing || (off && own.is_satisfied());
        if own.name == FARM_SERVER && stays {
            server = Some(own.before.clone());
        }
        own.name != FARM_SERVER || !stays
    });
    if settings.iter().all(Setting::is_satisfied) {
        return None;
    }
    // What was compared when IRM went off is named when it goes on again.
    if let (Some(own), None) = (guarded, &server) {
        if off {
            server = Some(own.clone());
        } else {
            let name = FARM_SERVER.to_owned();
            settings.push(Setting { name, before: own.clone(), after: own.clone() });
        }
    }
    Some(Act::SharepointIrm { settings, configuration: configuration.to_owned(), server })
}

impl Setting {
    fn swapped(&self) -> Self {
        let Self { name, before, after } = self.clone();
        Self { name, before: after, after: before }
    }

    /// Whether nothing has to be written for it.
    pub fn is_satisfied(&self) -> bool {
        self.before.is_same(&self.after)
    }
}

impl SettingValue {
    /// URLs compare without regard to case and a last slash.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(own), Self::Text(other)) => is_same_text(own, other),
            (Self::List(own), Self::List(other)) => {
                own.len() == other.len()
                    && own.iter().zip(other).all(|(own, other)| is_same_text(own, other))
            }
            (Self::Bool(own), Self::Bool(other)) => own == other,
            // What was not told is like nothing, itself included.
            (Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Untold, _) => false,
        }
    }
}

fn is_same_text(own: &str, other: &str) -> bool {
    own.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
}

impl std::fmt::Display for SettingValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::Text(text) if text.is_empty() => f.write_str("nothing"),
            Self::Text(text) => f.write_str(text),
            Self::List(list) if list.is_empty() => f.write_str("none"),
            Self::List(list) => f.write_str(&list.join(", ")),
            Self::Untold => f.write_str("not told"),
        }
    }
}

impl From<Option<bool>> for SettingValue {
    fn from(value: Option<bool>) -> Self {
        value.map_or(Self::Untold, Self::Bool)
    }
}
