//! The one integration test binary.

mod peer_server;
mod peers_channel;
mod peers_ntlm;
