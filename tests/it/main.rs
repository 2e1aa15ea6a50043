//! The one integration test binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod cli;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod psrp_recorded;
#[cfg(test)]
mod shared;
mod tidy;
// The attribute tells clippy what cargo knows: a helper here may unwrap, as a test may.
#[cfg(test)]
mod peer_server;
#[cfg(test)]
mod peers_channel;
#[cfg(test)]
mod peers_ntlm;
