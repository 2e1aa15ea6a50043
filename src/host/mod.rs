//! Recipes for one host, written over the traits of [`link`].

pub(crate) mod cmdlet;
pub mod diagnosis;
pub mod doctor;
pub mod exchange;
pub mod farm;
pub mod fileserver;
pub mod folder;
pub mod gate;
pub mod identity;
#[cfg(test)]
pub(crate) mod imagined;
pub mod lease;
pub mod link;
pub mod maintenance;
pub mod mark;
pub mod observe;
pub mod particulars;
pub mod peers;
pub mod registry;
pub mod restart;
pub mod service;
pub mod sharepoint;
pub mod support;
