//! What `doctor` found out about one host: one check after the other, each with what was seen.

use serde::Deserialize;
use serde::Serialize;

use crate::model::host::HostName;

/// What is checked, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The name leads to an address.
    Name,
    /// The address takes a TCP connection.
    Tcp,
    /// TLS is agreed upon, and the certificate is taken; https only.
    Tls,
    /// WS-Management answers an anonymous Identify.
    Http,
    /// The domain gives a ticket for the host's service principal; Kerberos only.
    Spn,
    /// The account is let in, and sealed messages are understood.
    Logon,
    /// The host is the one that the inventory names.
    Identity,
    /// The host's clock and ours agree.
    Clock,
    /// The keys of the role may be written.
    Rights,
    /// WinRM starts by itself, so that somebody answers after a restart.
    Service,
    /// A second connection of the same account is let in beside the first.
    Quota,
    /// The Exchange endpoint opens a runspace pool and answers a cmdlet.
    Exchange,
}

/// How one check ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    Ok {
        seen: String,
    },
    Failed {
        trouble: Trouble,
        seen: String,
        remedy: Vec<String>,
    },
    /// Not tried, because the check that it rests on failed, or the host does not say. Never as good
    /// as ok.
    Skipped {
        because: String,
    },
}

/// What kind of failure it is: this decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// No address, no connection, no answer.
    Unreachable,
    /// The host answers, and something about it is wrong.
    Wrong,
    /// The logon was refused, or the account was spared because it was refused elsewhere.
    Refused,
}

/// One check with its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    pub check: Check,
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Everything found out about one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkup {
    pub host: HostName,
    pub checks: Vec<Checked>,
}

impl Check {
    /// The word for tables and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Spn => "spn",
            Self::Logon => "logon",
            Self::Identity => "identity",
            Self::Clock => "clock",
            Self::Rights => "rights",
            Self::Service => "service",
            Self::Quota => "quota",
            Self::Exchange => "exchange",
        }
    }
}

impl Checkup {
    /// The gravest trouble of the host, if there is any.
    pub fn trouble(&self) -> Option<Trouble> {
        self.checks
            .iter()
            .filter_map(|checked| match &checked.verdict {
                Verdict::Failed { trouble, .. } => Some(*trouble),
                Verdict::Ok { .. } | Verdict::Skipped { .. } => None,
            })
            .max()
    }
}
