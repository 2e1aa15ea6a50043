//! rmsfleet rolls the Microsoft RMS connector configuration out to a fleet of Windows servers.
//!
//! Values stand in the middle, I/O at the edge, and the data flows one way:
//!
//! ```text
//! YAML -> manifest -> desired state -> survey (host recipes -> wire -> net) -> diff -> sealed plan
//! sealed plan -> scheduler (pure) <-> driver (the one async loop) -> host recipes -> wire -> net
//!                every event -> journal (before the act) -> report -> exit code
//! ```
//!
//! `ARCHITECTURE.md` has the map of the modules and what each of them must never do.

pub mod cli;
pub mod error;
pub mod event;
pub mod export;
pub mod host;
#[doc(hidden)]
pub mod hostile;
pub mod journal;
pub mod lab;
pub mod manifest;
pub mod model;
pub mod net;
pub mod plan;
pub mod report;
pub mod run;
pub mod wire;
