//! The one integration test binary.

#[cfg(test)]
mod psrp_recorded;
#[cfg(test)]
mod psrp_shell;
#[cfg(test)]
mod shared;
