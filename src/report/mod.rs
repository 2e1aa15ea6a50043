//! Events and plans as text for people and JSON for programs. The only module that prints.

pub mod answers;
pub mod board;
pub mod commands;
pub mod compare;
pub mod diff;
pub mod doctor;
pub mod graph;
pub mod human;
pub mod inventory;
pub mod json;
pub mod members;
pub mod out;
pub mod panel;
pub mod paper;
pub mod plan;
pub mod plural;
pub mod recovery;
pub mod rules;
pub mod runs;
pub mod screen;
pub mod standing;
pub mod stats;
pub mod status;
pub mod style;
pub mod summary;
pub mod words;
