//! The one integration test binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod cli;
mod tidy;
