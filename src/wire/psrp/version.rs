//! Protocol versions: 2.1 is PowerShell 2, 2.2 is 3 and 4, 2.3 is 5 and later.

use std::fmt;

/// A `protocolversion`, as both sides announce it in SESSION_CAPABILITY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

impl Version {
    pub const V2_1: Self = Self { major: 2, minor: 1 };
    pub const V2_2: Self = Self { major: 2, minor: 2 };
    pub const V2_3: Self = Self { major: 2, minor: 3 };

    /// Reads `2.3`; further parts (`2.3.0.0`) are ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, rest) = text.split_once('.')?;
        let minor = rest.split('.').next()?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
