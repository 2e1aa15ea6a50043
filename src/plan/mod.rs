//! Desired state against observed state: the plan. Pure and deterministic; time and ids come in.
//!
//! `probe` asks, [`make()`] answers: desired values, diff, verdict, stages, organisation steps,
//! lint. [`seal()`] makes the file. Nothing here reads a clock, a file or a socket.

pub mod adrms;
pub mod approval;
pub mod authorise;
pub mod client;
pub mod compare;
pub mod debt;
pub mod desired;
pub mod diff;
pub mod domain;
pub mod evidence;
pub mod farm;
pub mod fileserver;
pub mod fits;
pub mod fold;
pub mod host;
pub mod identity;
pub mod lint;
pub mod make;
pub mod node;
pub mod opening;
pub mod organisation;
pub mod ours;
pub mod peers;
pub mod preflight;
pub mod probe;
pub mod product;
pub mod programs;
#[cfg(test)]
pub(crate) mod sample;
pub mod seal;
pub mod stage;
pub mod standing;
pub mod steps;
pub mod surroundings;
pub mod surveyed;
pub mod tenant;
pub mod undo;
pub mod url;
pub mod verdict;
pub mod waiver;
pub mod window;
pub mod worst;

pub use make::PlanInput;
pub use make::make;
pub use probe::is_contacted;
pub use probe::probe;
pub use seal::Refusal;
pub use seal::SealError;
pub use seal::Sealed;
pub use seal::check_usable;
pub use seal::open;
pub use seal::seal;
