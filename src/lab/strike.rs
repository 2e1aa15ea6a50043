//! One message between the network and a host, struck in every way in which messages are lost.

use std::fmt;
use std::str::FromStr;

/// What can befall one HTTP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// The way to the host is gone for a moment: the connection breaks, and none is taken.
    Refused,
    /// The connection breaks before the host has read the message.
    ResetBefore,
    /// The host does what it is asked, and the connection breaks before its reply.
    ResetAfter,
    /// The host does what it is asked and says nothing.
    Silence,
    /// The host does what it is asked; half of its reply arrives.
    Half,
    /// The host does what it is asked; its reply is sealed with the number of a later one.
    WrongSequence,
    /// HTTP 500 without a word; nothing is done.
    Status500,
    /// HTTP 503: the service is starting; nothing is done.
    Status503,
    /// HTTP 401 in the middle of everything: whoever judges logons is starting; nothing is done.
    Status401,
    /// Code 5: the account lacks the right; nothing is done.
    AccessDenied,
    /// The host goes down before it does anything, and never comes back.
    NeverReturns,
    /// It does what it is asked first.
    NeverReturnsAfter,
    /// The host restarts by itself before it does anything.
    SecondBoot,
    /// It does what it is asked first.
    SecondBootAfter,
}

impl Strike {
    pub const ALL: [Self; 14] = [
        Self::Refused,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::Silence,
        Self::Half,
        Self::WrongSequence,
        Self::Status500,
        Self::Status503,
        Self::Status401,
        Self::AccessDenied,
        Self::NeverReturns,
        Self::NeverReturnsAfter,
        Self::SecondBoot,
        Self::SecondBootAfter,
    ];

    /// The word of the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::ResetBefore => "reset-before",
            Self::ResetAfter => "reset-after",
            Self::Silence => "silence",
            Self::Half => "half",
            Self::WrongSequence => "wrong-sequence",
            Self::Status500 => "http-500",
            Self::Status503 => "http-503",
            Self::Status401 => "http-401",
            Self::AccessDenied => "denied",
            Self::NeverReturns => "never-returns",
            Self::NeverReturnsAfter => "never-returns-after",
            Self::SecondBoot => "second-boot",
            Self::SecondBootAfter => "second-boot-after",
        }
    }

    /// Whether it falls only on messages that carry a sealed request, not on those of a handshake.
    fn wants_a_request(self) -> bool {
        match self {
            Self::Half | Self::WrongSequence | Self::AccessDenied => true,
            Self::Refused
            | Self::ResetBefore
            | Self::ResetAfter
            | Self::Silence
            | Self::Status500
            | Self::Status503
            | Self::Status401
            | Self::NeverReturns
            | Self::NeverReturnsAfter
            | Self::SecondBoot
            | Self::SecondBootAfter => false,
        }
    }
}

/// Which of a host's messages are struck: from this one on, so many that the strike fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blow {
    pub strike: Strike,
    /// Counted from 0.
    pub at: u64,
    pub times: u64,
}

/// As it is written: `reset-after@12`, `silence@3x2`.
impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.strike.id(), self.at)?;
        if self.times == 1 { Ok(()) } else { write!(f, "x{}", self.times) }
    }
}

/// Text that names no blow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoBlow;

impl FromStr for Blow {
    type Err = NoBlow;

    fn from_str(text: &str) -> Result<Self, NoBlow> {
        let (id, place) = text.split_once('@').ok_or(NoBlow)?;
        let (at, times) = place.split_once('x').unwrap_or((place, "1"));
        let strike = Strike::ALL.into_iter().find(|one| one.id() == id).ok_or(NoBlow)?;
        let number = |text: &str| text.parse().map_err(|_| NoBlow);
        Ok(Self { strike, at: number(at)?, times: number(times)? })
    }
}

/// A host's messages as they come in, handshakes and anonymous ones included.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// So many have come; those sent to a host that is down are lost uncounted.
    pub messages: u64,
    pub blow: Option<Blow>,
}

impl Line {
    /// Counts one message, and gives what befalls it.
    pub fn falls(&mut self, carries_request: bool) -> Option<Strike> {
        let place = self.messages;
        self.messages += 1;
        let blow = self.blow.as_mut()?;
        let fits = carries_request || !blow.strike.wants_a_request();
        if place < blow.at || blow.times == 0 || !fits {
            return None;
        }
        blow.times -= 1;
        Some(blow.strike)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blow_reads_as_it_is_written() {
        for strike in Strike::ALL {
            for times in [1, 3] {
                let blow = Blow { strike, at: 12, times };
                assert_eq!(blow.to_string().parse(), Ok(blow));
            }
        }
        for text in ["silence", "silence@", "silence@x2", "nope@3", "silence@3x", "@3"] {
            assert_eq!(text.parse::<Blow>(), Err(NoBlow), "{text}");
        }
    }

    #[test]
    fn a_blow_falls_on_the_messages_that_it_fits_and_on_no_more() {
        let mut line = Line { messages: 0, blow: "half@1x2".parse().ok() };
        let carries = [true, false, true, true, true];
        let fallen: Vec<bool> = carries.map(|carries| line.falls(carries).is_some()).into();
        assert_eq!(fallen, [false, false, true, true, false]);
        assert_eq!(line.messages, 5);
    }
}
