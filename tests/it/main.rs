//! The one integration test binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod cli;
#[cfg(test)]
mod psrp_recorded;
#[cfg(test)]
mod shared;
mod tidy;
