//! The attribute-value pairs of target information, [MS-NLMP] 2.2.2.1.

use ntlmclient::TargetInfoEntry;
use ntlmclient::TargetInfoType;

use crate::wire::ntlm::FileTime;
use crate::wire::ntlm::client::Service;

/// `MsvAvFlags`: the AUTHENTICATE message carries a MIC.
pub(super) const HAS_MIC: u32 = 2;

/// Reads pairs up to the terminator; what follows it is no business of ours.
pub(super) fn parse(mut bytes: &[u8]) -> Option<Vec<TargetInfoEntry>> {
    let mut pairs = Vec::new();
    loop {
        let (pair, rest) = TargetInfoEntry::try_from_bytes(bytes).ok()?;
        if pair.entry_type == TargetInfoType::Terminator {
            return Some(pairs);
        }
        pairs.push(pair);
        bytes = rest;
    }
}

/// Writes pairs and the terminator.
pub(super) fn render(pairs: &[TargetInfoEntry]) -> Vec<u8> {
    let mut bytes: Vec<u8> = pairs.iter().flat_map(TargetInfoEntry::to_bytes).collect();
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

/// `MsvAvTimestamp`, if the server told its time.
pub(super) fn timestamp(pairs: &[TargetInfoEntry]) -> Option<FileTime> {
    let pair = pairs.iter().find(|pair| pair.entry_type == TargetInfoType::Timestamp)?;
    Some(FileTime(u64::from_le_bytes(pair.data.as_slice().try_into().ok()?)))
}

/// `MsvAvFlags`, 0 if absent.
pub(super) fn flags(pairs: &[TargetInfoEntry]) -> u32 {
    pairs
        .iter()
        .find(|pair| pair.entry_type == TargetInfoType::Flags)
        .and_then(|pair| pair.data.as_slice().try_into().ok())
        .map_or(0, u32::from_le_bytes)
}

/// What the client answers: the server's pairs with flags, channel binding and target name of its
/// own, [MS-NLMP] 3.1.5.1.2.
pub(super) fn answered(
    server: &[TargetInfoEntry],
    service: &Service<'_>,
    mic: bool,
) -> Vec<TargetInfoEntry> {
    let ours = |kind: TargetInfoType| {
        matches!(
            kind,
            TargetInfoType::Terminator
                | TargetInfoType::Flags
                | TargetInfoType::ChannelBindings
                | TargetInfoType::TargetName
        )
    };
    let mut pairs: Vec<TargetInfoEntry> =
        server.iter().filter(|pair| !ours(pair.entry_type)).cloned().collect();
    let flags = flags(server) | if mic { HAS_MIC } else { 0 };
    if flags != 0 {
        pairs.push(pair(TargetInfoType::Flags, &flags.to_le_bytes()));
    }
    if let Some(binding) = service.channel_binding {
        pairs.push(pair(TargetInfoType::ChannelBindings, &binding));
    }
    pairs.push(TargetInfoEntry::from_string(TargetInfoType::TargetName, service.name));
    pairs
}

pub(super) fn pair(kind: TargetInfoType, data: &[u8]) -> TargetInfoEntry {
    TargetInfoEntry { entry_type: kind, data: data.to_vec() }
}
