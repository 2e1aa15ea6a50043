//! What starts next, and the one loop that carries it out.
//!
//! [`scheduler`] decides and never waits; [`driver`] waits and never decides. Neither knows
//! sockets, YAML or the journal's file: connections and the clock are traits of `host::link`,
//! records go to an `event::Sink`.

pub mod action;
pub mod around;
pub mod configure;
pub mod controller;
pub mod domains;
pub mod driver;
pub mod exit;
pub mod gate;
pub mod gates;
pub mod history;
pub mod hook;
pub mod identity;
pub mod lease;
pub mod maintenance;
pub mod mark;
pub mod means;
pub mod order;
pub mod peers;
pub mod program;
pub mod reach;
pub mod recorder;
pub mod rehearse;
pub mod restart;
pub mod restore;
pub mod scheduler;
pub mod settled;
pub mod since;
pub mod standing;
pub mod step;
pub mod survey;
pub mod trouble;
pub mod unproved;
pub mod written;
