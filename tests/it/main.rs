//! The one integration test binary.

mod imagined;
mod schedule;
