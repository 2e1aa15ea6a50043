//! The one integration test binary.

#[cfg(test)]
mod apply;
#[cfg(test)]
mod imagined;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod psrp_recorded;
#[cfg(test)]
mod schedule;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod survey;
