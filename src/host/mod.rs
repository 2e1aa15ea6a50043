//! Recipes for one host, written over the traits of [`link`].

pub mod link;
pub mod support;
