//! Who is examined, and what was found before anybody logged on.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::host::link::Target;
use crate::model::registry::KeyPath;
use crate::model::tls::TlsTrust;

/// What a TLS handshake showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// `TLS 1.3`.
    pub protocol: &'static str,
    /// When the host's certificate ends, if that can be read.
    pub until: Option<Timestamp>,
    /// SHA-256 of the certificate, as `rms_tls_pin` takes it.
    pub thumbprint: String,
    /// Where the certificate says that its list of revoked ones is.
    pub lists: Vec<String>,
}

impl Shown {
    /// What is said of a handshake that was fine; also that the certificate ends soon.
    pub(super) fn words(&self, trust: &TlsTrust, now: Timestamp) -> String {
        let until = match self.until {
            None => String::new(),
            Some(until) => {
                let days = until.duration_since(now).as_hours() / 24;
                let date = until.to_string();
                let date = date.split('T').next().unwrap_or_default();
                match days {
                    ..0 => format!(", which ended on {date}"),
                    0..30 => format!(", which ends in {days} days, on {date}: renew it"),
                    _ => format!(", valid until {date}"),
                }
            }
        };
        let trust = match trust {
            TlsTrust::System => "trusted by this system",
            TlsTrust::CaFile(_) => "trusted by `rms_ca_file`",
            TlsTrust::Pin(_) => "the pinned one",
            TlsTrust::Ignore => "not checked, because the inventory says so",
        };
        let Self { protocol, thumbprint, .. } = self;
        format!("{protocol}; certificate {thumbprint} is {trust}{until}")
    }
}

/// The reply to an anonymous Identify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    pub words: Words,
    /// The host's clock, if its HTTP service tells it.
    pub date: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    Identified {
        vendor: String,
        version: String,
    },
    /// Another status than 200.
    Status(u16),
    /// 200 with something else than an IdentifyResponse.
    Nonsense(String),
    /// The connection stands, and nothing came in time.
    Silence,
}

/// Who is examined, and for what.
#[derive(Debug, Clone)]
pub struct Patient {
    pub target: Target,
    /// The keys that the role's values stand in; none for a host that gets no values.
    pub access: BTreeSet<KeyPath>,
    /// The Exchange endpoint of a host that has one.
    pub exchange: Option<Target>,
}
