//! The one integration test binary.

#[cfg(test)]
mod psrp_recorded;
#[cfg(test)]
mod shared;
