//! The AUTHENTICATE message with its integrity code, [MS-NLMP] 2.2.1.3.

use ntlmclient::AuthenticateMessage;
use ntlmclient::Message;

use crate::wire::ntlm::NtlmError;
use crate::wire::ntlm::payload;
use crate::wire::ntlm::response::hmac_md5;
use crate::wire::ntlm::u32_at;

/// Offsets of the payload fields: LM, NT, domain, user, workstation, session key.
pub(super) const FIELDS: [usize; 6] = [12, 20, 28, 36, 44, 52];
/// Where the message ends that has no integrity code: 64 bytes and the version.
const HEAD: usize = 72;
const MIC: usize = 16;

/// Writes the message with 16 zero bytes where the integrity code goes.
///
/// The package knows no such field, so the room is made here: a gap behind the version, and every
/// payload offset moved by its size.
pub(super) fn render(message: AuthenticateMessage) -> Result<Vec<u8>, NtlmError> {
    let bytes = Message::Authenticate(message)
        .to_bytes()
        .map_err(|error| NtlmError::malformed("AUTHENTICATE", error.to_string()))?;
    let (head, body) = bytes
        .split_at_checked(HEAD)
        .ok_or_else(|| NtlmError::malformed("AUTHENTICATE", "a short one from the package"))?;
    let mut out = head.to_vec();
    for field in FIELDS {
        let at = field + 4;
        let moved = u32_at(head, at).and_then(|offset| offset.checked_add(16));
        if let (Some(moved), Some(slot)) = (moved, out.get_mut(at..at + 4)) {
            slot.copy_from_slice(&moved.to_le_bytes());
        }
    }
    out.extend_from_slice(&[0; MIC]);
    out.extend_from_slice(body);
    Ok(out)
}

/// Puts the integrity code over the three messages into the third.
pub(super) fn sign(key: &[u8; 16], negotiate: &[u8], challenge: &[u8], authenticate: &mut [u8]) {
    let mic = hmac_md5(key, &[negotiate, challenge, authenticate]);
    if let Some(slot) = authenticate.get_mut(HEAD..HEAD + MIC) {
        slot.copy_from_slice(&mic);
    }
}

/// Takes the integrity code out of a message: the code, and the message with zeros in its place.
///
/// It ends where the payload begins: at 88, or at 80 with clients that leave the version out.
pub(super) fn take_mic(message: &[u8]) -> Option<([u8; 16], Vec<u8>)> {
    let first = FIELDS
        .iter()
        .filter(|field| payload(message, **field).is_some_and(|payload| !payload.is_empty()))
        .filter_map(|field| u32_at(message, field + 4))
        .min()?;
    let end = usize::try_from(first).ok()?.min(HEAD + MIC);
    let start = end.checked_sub(MIC)?;
    if start < HEAD - 8 {
        return None;
    }
    let mic = message.get(start..end)?.try_into().ok()?;
    let mut cleared = message.to_vec();
    cleared.get_mut(start..end)?.fill(0);
    Some((mic, cleared))
}
