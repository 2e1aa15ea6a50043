//! The one integration test binary.

#[cfg(test)]
mod imagined;
#[cfg(test)]
mod psrp_recorded;
#[cfg(test)]
mod schedule;
#[cfg(test)]
mod shared;
