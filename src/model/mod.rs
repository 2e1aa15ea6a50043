//! The nouns: what a host, a value, a change and a plan are. No I/O, no YAML, no XML, no clap.

pub mod care;
pub mod change;
pub mod checkup;
pub mod conditions;
pub mod facts;
pub mod farm;
pub mod gate;
pub mod host;
pub mod irm;
pub mod lease;
pub mod maintenance;
pub mod origin;
pub mod outcome;
pub mod plan;
pub mod probe;
pub mod product;
pub mod registry;
pub mod rollout;
pub mod rules;
pub mod secret;
pub mod step;
pub mod tenant;
pub mod tls;
pub mod verdict;
pub mod visible;
pub mod window;
