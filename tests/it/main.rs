//! The one integration test binary.

// The attribute tells clippy what cargo knows: a helper here may unwrap, as a test may.
#[cfg(test)]
mod channel;
#[cfg(test)]
mod peer_server;
#[cfg(test)]
mod peers_channel;
#[cfg(test)]
mod peers_network;
#[cfg(test)]
mod peers_ntlm;
#[cfg(test)]
mod peers_psrp;
#[cfg(test)]
mod psrp_recorded;
#[cfg(test)]
mod psrp_shell;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod wsman_recorded;
