//! A run's record: one line per event, on disk before the act it announces.

pub mod chain;
pub mod control;
mod debt;
pub mod locks;
mod lost;
pub mod reader;
pub mod store;
pub mod summary;
pub mod writer;
