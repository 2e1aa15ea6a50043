//! The one integration test binary.

#[cfg(test)]
mod lab_http;
#[cfg(test)]
mod lab_recorded;
#[cfg(test)]
mod peers_lab;
#[cfg(test)]
mod psrp_recorded;
#[cfg(test)]
mod shared;
