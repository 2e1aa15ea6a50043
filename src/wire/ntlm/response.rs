//! The NTLMv2 response and its keys, [MS-NLMP] 3.3.2.

use hmac::Hmac;
use hmac::Mac;
use hmac::digest::KeyInit;
use md5::Digest;
use md5::Md5;
use zeroize::Zeroize;
use zeroize::Zeroizing;

use crate::model::secret::Secret;
use crate::wire::ntlm::FileTime;

/// A key of 128 bits, wiped when dropped.
pub(super) type Key = Zeroizing<[u8; 16]>;

/// Bytes of `temp` before the AV pairs: versions, reserved, time, client challenge, reserved.
pub(super) const TEMP_HEAD: usize = 28;

/// What the client sends, and the key that both ends compute.
pub(super) struct Response {
    /// NTProofStr and `temp`.
    pub(super) nt: Vec<u8>,
    pub(super) session_base_key: Key,
}

/// NTOWFv2: the key made of password, user and domain.
///
/// The user's name is raised letter by letter, as Windows does, not by Unicode's full rules, which
/// would make two letters of one. The domain is taken as it is.
pub(super) fn ntowfv2(user: &str, domain: &str, password: &Secret) -> Key {
    // The package's name says v1, but it is the MD4 of the password that both versions start from.
    let nt_hash = Zeroizing::new(ntlmclient::ntlm_v1_password_func(password.expose()));
    let name = utf16(&user.chars().map(raise).collect::<String>());
    Zeroizing::new(hmac_md5(&nt_hash, &[&name, &utf16(domain)]))
}

/// Computes the response; `target_info` must end with its terminator.
pub(super) fn respond(
    ntowfv2: &Key,
    server_challenge: [u8; 8],
    client_challenge: [u8; 8],
    time: FileTime,
    target_info: &[u8],
) -> Response {
    let mut temp = vec![1, 1, 0, 0, 0, 0, 0, 0];
    temp.extend_from_slice(&time.0.to_le_bytes());
    temp.extend_from_slice(&client_challenge);
    temp.extend_from_slice(&[0; 4]);
    temp.extend_from_slice(target_info);
    temp.extend_from_slice(&[0; 4]);
    let proof = proof(ntowfv2, server_challenge, &temp);
    let mut nt = proof.to_vec();
    nt.extend_from_slice(&temp);
    Response { nt, session_base_key: session_base_key(ntowfv2, &proof) }
}

/// NTProofStr.
pub(super) fn proof(ntowfv2: &Key, server_challenge: [u8; 8], temp: &[u8]) -> [u8; 16] {
    hmac_md5(ntowfv2, &[&server_challenge, temp])
}

pub(super) fn session_base_key(ntowfv2: &Key, proof: &[u8; 16]) -> Key {
    Zeroizing::new(hmac_md5(ntowfv2, &[proof]))
}

/// LMv2, sent only to a server that tells no time.
pub(super) fn lmv2(ntowfv2: &Key, server_challenge: [u8; 8], client_challenge: [u8; 8]) -> Vec<u8> {
    let mut lm = hmac_md5(ntowfv2, &[&server_challenge, &client_challenge]).to_vec();
    lm.extend_from_slice(&client_challenge);
    lm
}

pub(super) fn hmac_md5(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 16] {
    // HMAC pads a short key with zeros to the block; done here, so that no length can be wrong.
    let mut block = [0_u8; 64];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut mac = <Hmac<Md5> as KeyInit>::new(&block.into());
    block.zeroize();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

pub(super) fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The capital of a letter, if it is one letter.
fn raise(letter: char) -> char {
    let mut raised = letter.to_uppercase();
    match (raised.next(), raised.next()) {
        (Some(one), None) => one,
        (Some(_), Some(_)) | (None, _) => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_whose_capital_is_two_letters_stays() {
        assert_eq!("größe".chars().map(raise).collect::<String>(), "GRÖßE");
    }
}
