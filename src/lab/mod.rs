//! (being built)

pub mod cmdlet;
pub mod exchange;
pub mod psrp;
