//! YAML texts to checked values: inventory, playbook, rule pack, credentials.
//!
//! Nothing here opens a file, asks the clock or the environment: texts come in as [`source::Source`]
//! values, and what comes out is either a value of `model` or every complaint at once, each with its
//! place in the text.

mod blot;
pub mod builtin;
pub mod credentials;
pub mod diagnostic;
mod fields;
pub mod inventory;
pub mod pattern;
pub mod playbook;
pub mod range;
pub mod rules;
mod scalar;
pub mod schema;
pub mod source;
pub mod suggest;
pub mod tree;
