//! One PSRP message, [MS-PSRP] 2.2.1: who it is for, what it is, and a CLIXML body.

use uuid::Uuid;

const TO_CLIENT: u32 = 1;
const TO_SERVER: u32 = 2;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What a message is about. The numbers stand in [MS-PSRP] 2.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    SessionCapability,
    InitRunspacePool,
    RunspacePoolState,
    CreatePipeline,
    ApplicationPrivateData,
    RunspacePoolHostCall,
    PipelineInput,
    EndOfPipelineInput,
    PipelineOutput,
    ErrorRecord,
    PipelineState,
    WarningRecord,
    PipelineHostCall,
    /// One that neither side here has a use for: progress, verbose, events, key exchange.
    Other(u32),
}

impl Kind {
    const NAMED: [Self; 13] = [
        Self::SessionCapability,
        Self::InitRunspacePool,
        Self::RunspacePoolState,
        Self::CreatePipeline,
        Self::ApplicationPrivateData,
        Self::RunspacePoolHostCall,
        Self::PipelineInput,
        Self::EndOfPipelineInput,
        Self::PipelineOutput,
        Self::ErrorRecord,
        Self::PipelineState,
        Self::WarningRecord,
        Self::PipelineHostCall,
    ];

    pub fn number(self) -> u32 {
        match self {
            Self::SessionCapability => 0x0001_0002,
            Self::InitRunspacePool => 0x0001_0004,
            Self::RunspacePoolState => 0x0002_1005,
            Self::CreatePipeline => 0x0002_1006,
            Self::ApplicationPrivateData => 0x0002_1009,
            Self::RunspacePoolHostCall => 0x0002_1100,
            Self::PipelineInput => 0x0004_1002,
            Self::EndOfPipelineInput => 0x0004_1003,
            Self::PipelineOutput => 0x0004_1004,
            Self::ErrorRecord => 0x0004_1005,
            Self::PipelineState => 0x0004_1006,
            Self::WarningRecord => 0x0004_1009,
            Self::PipelineHostCall => 0x0004_1100,
            Self::Other(number) => number,
        }
    }

    pub fn from_number(number: u32) -> Self {
        Self::NAMED.into_iter().find(|kind| kind.number() == number).unwrap_or(Self::Other(number))
    }
}

/// Which side a message is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    Client,
    Server,
}

/// A message with its body still as bytes. A pool's own messages have the nil pipeline id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub destination: Destination,
    pub kind: Kind,
    pub pool: Uuid,
    pub pipeline: Uuid,
    /// UTF-8 CLIXML without a byte order mark; empty for a message that has none.
    pub body: Vec<u8>,
}

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    #[error("expected a message of at least 40 bytes, got {0}")]
    Short(usize),
    #[error("expected a message for the client (1) or the server (2), got one for {0}")]
    Destination(u32),
}

/// Whether a byte order mark goes in front of the body: Windows servers write one, clients do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    With,
    Without,
}

impl Message {
    pub fn encode(&self, mark: Mark) -> Vec<u8> {
        let destination = match self.destination {
            Destination::Client => TO_CLIENT,
            Destination::Server => TO_SERVER,
        };
        let mut out = Vec::with_capacity(43 + self.body.len());
        out.extend(destination.to_le_bytes());
        out.extend(self.kind.number().to_le_bytes());
        out.extend(self.pool.to_bytes_le());
        out.extend(self.pipeline.to_bytes_le());
        if mark == Mark::With && !self.body.is_empty() {
            out.extend(BOM);
        }
        out.extend(&self.body);
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let header = || {
            let (destination, rest) = bytes.split_first_chunk::<4>()?;
            let (kind, rest) = rest.split_first_chunk::<4>()?;
            let (pool, rest) = rest.split_first_chunk::<16>()?;
            let (pipeline, rest) = rest.split_first_chunk::<16>()?;
            Some((destination, kind, pool, pipeline, rest))
        };
        let (destination, kind, pool, pipeline, body) =
            header().ok_or(MessageError::Short(bytes.len()))?;
        let destination = match u32::from_le_bytes(*destination) {
            TO_CLIENT => Destination::Client,
            TO_SERVER => Destination::Server,
            other => return Err(MessageError::Destination(other)),
        };
        Ok(Self {
            destination,
            kind: Kind::from_number(u32::from_le_bytes(*kind)),
            pool: Uuid::from_bytes_le(*pool),
            pipeline: Uuid::from_bytes_le(*pipeline),
            body: body.strip_prefix(BOM).unwrap_or(body).to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: Kind) -> Message {
        Message {
            destination: Destination::Client,
            kind,
            pool: Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
            pipeline: Uuid::nil(),
            body: b"<S>x</S>".to_vec(),
        }
    }

    #[test]
    fn the_header_is_little_endian_and_ids_are_in_dotnet_order() {
        let bytes = message(Kind::RunspacePoolState).encode(Mark::With);
        assert_eq!(bytes[..8], *b"\x01\0\0\0\x05\x10\x02\0");
        assert_eq!(bytes[8..16], *b"\x33\x22\x11\x00\x55\x44\x77\x66");
        assert_eq!(bytes[40..43], *BOM);
    }

    #[test]
    fn every_kind_survives_with_and_without_the_mark() {
        for kind in Kind::NAMED.into_iter().chain([Kind::Other(0x0004_1010)]) {
            for mark in [Mark::With, Mark::Without] {
                assert_eq!(Message::decode(&message(kind).encode(mark)), Ok(message(kind)));
            }
        }
    }

    #[test]
    fn a_message_for_nobody_is_refused() {
        let mut bytes = message(Kind::PipelineOutput).encode(Mark::With);
        bytes[0] = 3;
        assert_eq!(Message::decode(&bytes), Err(MessageError::Destination(3)));
        assert_eq!(Message::decode(&bytes[..39]), Err(MessageError::Short(39)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = Message::decode(&bytes);
        }
    }
}
