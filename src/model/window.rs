//! When a host may be touched: windows, and freezes that close them all.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A span of local time that comes back each week; it may run past midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// An IANA zone: `Europe/Amsterdam`.
    pub tz: String,
    /// The days on which it opens.
    pub days: Vec<Day>,
    /// Minutes after local midnight, 0 to 1439.
    pub start: u16,
    /// In seconds.
    pub duration: u32,
    /// Seconds before its end from which on no host starts.
    pub cutoff: u32,
}

/// A span in which nothing is written or restarted, whatever the windows say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    pub from: Timestamp,
    pub to: Timestamp,
    pub reason: String,
}
