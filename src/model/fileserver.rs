//! What a file server's classification and file management hold (`MSFT_FSRM*`), as far as a
//! playbook orders it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::model::step::SettingValue;

/// The setting that says whether the object is there at all.
pub const EXISTS: &str = "Exists";

/// The kinds of objects that a playbook may order on file servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileObject {
    /// `MSFT_FSRMClassificationRule`.
    ClassificationRule,
    /// `MSFT_FSRMFileManagementJob` with the action that protects by an RMS template.
    ManagementJob,
}

impl FileObject {
    pub const ALL: [Self; 2] = [Self::ClassificationRule, Self::ManagementJob];

    pub fn class(self) -> &'static str {
        match self {
            Self::ClassificationRule => "MSFT_FSRMClassificationRule",
            Self::ManagementJob => "MSFT_FSRMFileManagementJob",
        }
    }

    /// In people's words.
    pub fn word(self) -> &'static str {
        match self {
            Self::ClassificationRule => "classification rule",
            Self::ManagementJob => "file management job",
        }
    }

    /// The settings that are told and compared, with their shapes; `Action.RMSTemplate` is a
    /// property of the instance in `Action`.
    pub fn settings(self) -> &'static [(&'static str, Shape)] {
        match self {
            Self::ClassificationRule => &[
                ("Description", Shape::Text),
                ("Property", Shape::Text),
                ("PropertyValue", Shape::Text),
                ("Namespace", Shape::List),
                ("ClassificationMechanism", Shape::Text),
                ("ContentString", Shape::List),
                ("ContentRegularExpression", Shape::List),
            ],
            Self::ManagementJob => &[
                ("Description", Shape::Text),
                ("Namespace", Shape::List),
                ("Action.RMSTemplate", Shape::Text),
                ("Condition.Property", Shape::Text),
                ("Condition.Condition", Shape::Text),
                ("Condition.Value", Shape::Text),
                ("Schedule.Time", Shape::Text),
                ("Schedule.Weekly", Shape::List),
                ("Schedule.Monthly", Shape::List),
                ("Continuous", Shape::Flag),
            ],
        }
    }
}

/// `MSFT_FSRMFMJCondition.Condition`, from 1 on.
pub const CONDITIONS: [&str; 13] = [
    "Equal",
    "NotEqual",
    "GreaterThan",
    "LessThan",
    "Contain",
    "Exist",
    "NotExist",
    "StartWith",
    "EndWith",
    "ContainedIn",
    "PrefixOf",
    "SuffixOf",
    "MatchesPattern",
];

/// `MSFT_FSRMScheduledTask.Weekly`, from 0 on.
pub const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// How a setting is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Text,
    List,
    Flag,
}

impl Shape {
    /// What stands where the object, or the property, has nothing.
    pub fn nothing(self) -> SettingValue {
        match self {
            Self::Text => SettingValue::Text(String::new()),
            Self::List => SettingValue::List(Vec::new()),
            Self::Flag => SettingValue::Bool(false),
        }
    }
}

/// An object as a host told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundObject {
    pub kind: FileObject,
    pub name: String,
    pub settings: BTreeMap<String, SettingValue>,
}

/// What is read of an object that is not there.
pub fn absent(kind: FileObject) -> BTreeMap<String, SettingValue> {
    let nothing = kind.settings().iter().map(|(name, shape)| ((*name).to_owned(), shape.nothing()));
    nothing.chain([(EXISTS.to_owned(), SettingValue::Bool(false))]).collect()
}

/// The object of that name among those that were found; names compare without regard to case.
pub fn named(
    found: &[FoundObject],
    kind: FileObject,
    name: &str,
) -> BTreeMap<String, SettingValue> {
    found
        .iter()
        .find(|own| own.kind == kind && own.name.eq_ignore_ascii_case(name))
        .map_or_else(|| absent(kind), |own| own.settings.clone())
}
