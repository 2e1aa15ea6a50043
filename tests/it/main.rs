//! The one integration test binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod cli;
#[cfg(test)]
mod imagined;
#[cfg(test)]
mod peers_lab;
#[cfg(test)]
mod psrp_recorded;
#[cfg(test)]
mod schedule;
#[cfg(test)]
mod shared;
mod tidy;
// The attribute tells clippy what cargo knows: a helper here may unwrap, as a test may.
#[cfg(test)]
mod peer_server;
#[cfg(test)]
mod peers_channel;
#[cfg(test)]
mod peers_network;
#[cfg(test)]
mod peers_ntlm;
#[cfg(test)]
#[cfg(test)]
#[cfg(test)]
mod wsman_recorded;
mod peers_psrp;
#[cfg(test)]
#[cfg(test)]
mod psrp_shell;
