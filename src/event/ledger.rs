//! Which hooks around stages and the run have run, and which were taken back.

use std::collections::BTreeMap;

use crate::event::Event;
use crate::model::hook::Errand;
use crate::model::hook::Turn;

/// How far a hook came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Announced, and not seen to end well: it may have done all, some or none of it.
    Begun,
    Done,
    /// Its undo was announced, and not seen to end well.
    Undoing,
}

/// Folded from a run's events; a hook that was taken back is as if it had never run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger(BTreeMap<(Option<String>, Turn, String), Progress>);

impl Ledger {
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::StageHookIntended { errand, again: _ } => {
                let progress = match errand.turn {
                    Turn::Before | Turn::After => Progress::Begun,
                    Turn::Undo => Progress::Undoing,
                };
                self.0.insert(key(errand), progress);
            }
            Event::StageHookEnded { errand, ok: true, .. } => match errand.turn {
                Turn::Before | Turn::After => {
                    self.0.insert(key(errand), Progress::Done);
                }
                Turn::Undo => {
                    self.0.remove(&key(errand));
                }
            },
            _ => {}
        }
    }

    /// How far the hook of this place came; `None` if it never ran, or was taken back.
    pub fn progress(&self, stage: Option<&str>, turn: Turn, hook: &str) -> Option<Progress> {
        let turn = if turn == Turn::Undo { Turn::Before } else { turn };
        self.0.get(&(stage.map(str::to_owned), turn, hook.to_owned())).copied()
    }

    /// Hooks before stages or the run that were begun and not taken back: stage, hook.
    pub fn open(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let before = self.0.keys().filter(|(_, turn, _)| *turn == Turn::Before);
        before.map(|(stage, _, hook)| (stage.as_deref(), hook.as_str()))
    }
}

/// An undo is booked under the hook that it takes back.
fn key(errand: &Errand) -> (Option<String>, Turn, String) {
    match (errand.turn, &errand.undoes) {
        (Turn::Undo, Some(hook)) => (errand.stage.clone(), Turn::Before, hook.clone()),
        (turn, _) => (errand.stage.clone(), turn, errand.hook.clone()),
    }
}
