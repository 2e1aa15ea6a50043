//! Programs around a host's restart, around a stage and around the run.

use serde::Deserialize;
use serde::Serialize;

use crate::model::program::RunOn;

/// A program and its arguments. What stands between double braces is filled in when it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    pub argv: Vec<String>,
    /// In seconds.
    pub timeout: u32,
    /// The hook that takes this one back.
    pub undo: Option<String>,
    #[serde(default, skip_serializing_if = "RunOn::is_controller")]
    pub run_on: RunOn,
}

/// Which hooks stand around a stage or the run, by their names in the plan's conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Around {
    /// In order; each that was begun is taken back by its `undo` when the stage or run is left,
    /// however it is left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// Once all of it is done, and only then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

impl Around {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// When hooks around a stage or the run have their turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    Before,
    After,
    /// What `before` has begun is taken back.
    Undo,
}

/// One program around a stage or the run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Errand {
    /// `None` around the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    pub turn: Turn,
    /// The hook that runs.
    pub hook: String,
    /// The hook that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
}

impl Errand {
    /// `before stage mail`, `after the run`, `to take suspend-alerts back`.
    pub fn place(&self) -> String {
        let around = self
            .stage
            .as_ref()
            .map_or_else(|| "the run".to_owned(), |stage| format!("stage {stage}"));
        match (self.turn, &self.undoes) {
            (Turn::Before, _) => format!("before {around}"),
            (Turn::After, _) => format!("after {around}"),
            (Turn::Undo, Some(hook)) => format!("to take {hook} of {around} back"),
            (Turn::Undo, None) => format!("to leave {around}"),
        }
    }
}
