//! Name and TCP alone, for `doctor`: what fails here costs nobody a logon.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::host::link::HostError;
use crate::host::link::Target;

/// The addresses of the target's name, each once, in the resolver's order.
pub async fn resolve(target: &Target) -> Result<Vec<IpAddr>, HostError> {
    let mut addresses = Vec::new();
    for address in sockets(target).await? {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    if addresses.is_empty() {
        return Err(not_connected(target, io::Error::other("the name has no address")));
    }
    Ok(addresses)
}

/// The first address that takes a connection; else why the last one did not.
pub async fn dial(target: &Target) -> Result<SocketAddr, HostError> {
    let mut last = io::Error::other("the name has no address");
    for address in sockets(target).await? {
        match timeout(target.connect_timeout, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(address),
            Ok(Err(error)) => last = error,
            Err(_) => last = silent(target),
        }
    }
    Err(not_connected(target, last))
}

async fn sockets(target: &Target) -> Result<Vec<SocketAddr>, HostError> {
    let endpoint = &target.endpoint;
    let found =
        timeout(target.connect_timeout, lookup_host((endpoint.address.as_str(), endpoint.port)));
    match found.await {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(error)) => Err(not_connected(target, error)),
        Err(_) => Err(not_connected(target, silent(target))),
    }
}

fn silent(target: &Target) -> io::Error {
    let limit = target.connect_timeout.as_secs();
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit} seconds"))
}

fn not_connected(target: &Target, error: io::Error) -> HostError {
    HostError::NotConnected { endpoint: target.endpoint.url(), source: error.into() }
}
