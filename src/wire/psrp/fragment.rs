//! Messages cut into fragments and put together again, [MS-PSRP] 2.2.4.

use std::collections::BTreeMap;

/// Bytes in front of every fragment's part of the message.
pub const HEADER: usize = 21;
/// Largest message that is put together, in bytes.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// Most bytes of unfinished messages, all of them together.
const MAX_PENDING: usize = 32 * 1024 * 1024;
/// Most messages that may be unfinished at once; the pool and each pipeline have one stream each.
const MAX_OPEN: usize = 16;

const START: u8 = 1;
const END: u8 = 2;

/// Why bytes are not the next fragments of a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FragmentError {
    #[error("expected a fragment, got {0} bytes that are too few for it")]
    Short(usize),
    #[error("expected fragment {expected} of object {object}, got fragment {got}")]
    Order { object: u64, expected: u64, got: u64 },
    #[error("expected the start of object {0}, got a later fragment of it")]
    NotStarted(u64),
    #[error("expected the rest of object {0}, it started again")]
    StartedTwice(u64),
    #[error("a message is larger than {MAX_MESSAGE} bytes, or too many are unfinished")]
    TooLarge,
}

/// The largest fragment, header included, whose base64 text fits an envelope of that many bytes
/// beside the SOAP around it.
pub fn size_for_envelope(max_envelope: usize) -> usize {
    const SOAP: usize = 4096;
    (max_envelope.saturating_sub(SOAP) / 4 * 3).max(HEADER + 1)
}

/// Cuts one message into fragments of at most `size` bytes each, header included.
pub fn split(object: u64, message: &[u8], size: usize) -> Vec<Vec<u8>> {
    let mut rest = Outgoing::new(object, message.to_vec());
    std::iter::from_fn(|| rest.next(size)).collect()
}

/// One message on its way out, cut only when it is known how much fits.
#[derive(Debug, Clone)]
pub struct Outgoing {
    object: u64,
    message: Vec<u8>,
    at: usize,
    fragment: u64,
    done: bool,
}

impl Outgoing {
    pub fn new(object: u64, message: Vec<u8>) -> Self {
        Self { object, message, at: 0, fragment: 0, done: false }
    }

    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The next fragment, at most `size` bytes with its header, but never an empty one.
    pub fn next(&mut self, size: usize) -> Option<Vec<u8>> {
        if self.done {
            return None;
        }
        // The length field has 32 bits; no message of ours comes near it.
        let room = size.saturating_sub(HEADER).clamp(1, MAX_MESSAGE);
        let rest = self.message.get(self.at..).unwrap_or_default();
        let part = rest.get(..room).unwrap_or(rest);
        self.done = part.len() == rest.len();
        let start = if self.fragment == 0 { START } else { 0 };
        let end = if self.done { END } else { 0 };
        let mut out = Vec::with_capacity(HEADER + part.len());
        out.extend(self.object.to_be_bytes());
        out.extend(self.fragment.to_be_bytes());
        out.push(start | end);
        out.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(part);
        self.at += part.len();
        self.fragment += 1;
        Some(out)
    }
}

/// Puts messages together. After an error the stream is lost, and so is the pool.
#[derive(Debug, Default)]
pub struct Assembler {
    open: BTreeMap<u64, Partial>,
    pending: usize,
}

#[derive(Debug, Default)]
struct Partial {
    next: u64,
    message: Vec<u8>,
}

impl Assembler {
    /// Takes whole fragments, one or several, and returns the messages that they complete.
    pub fn receive(&mut self, mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, FragmentError> {
        let mut complete = Vec::new();
        while !bytes.is_empty() {
            let (fragment, rest) = Fragment::parse(bytes)?;
            bytes = rest;
            if let Some(message) = self.accept(&fragment)? {
                complete.push(message);
            }
        }
        Ok(complete)
    }

    fn accept(&mut self, fragment: &Fragment<'_>) -> Result<Option<Vec<u8>>, FragmentError> {
        let object = fragment.object;
        if fragment.flags & START != 0 && self.open.contains_key(&object) {
            return Err(FragmentError::StartedTwice(object));
        }
        if fragment.flags & START != 0 {
            if self.open.len() >= MAX_OPEN {
                return Err(FragmentError::TooLarge);
            }
            self.open.insert(object, Partial::default());
        }
        let partial = self.open.get_mut(&object).ok_or(FragmentError::NotStarted(object))?;
        if partial.next != fragment.number {
            let (expected, got) = (partial.next, fragment.number);
            return Err(FragmentError::Order { object, expected, got });
        }
        partial.next = partial.next.saturating_add(1);
        partial.message.extend(fragment.part);
        self.pending += fragment.part.len();
        if partial.message.len() > MAX_MESSAGE || self.pending > MAX_PENDING {
            return Err(FragmentError::TooLarge);
        }
        if fragment.flags & END == 0 {
            return Ok(None);
        }
        let whole = self.open.remove(&object).map(|partial| partial.message);
        self.pending -= whole.as_ref().map_or(0, Vec::len);
        Ok(whole)
    }
}

struct Fragment<'a> {
    object: u64,
    number: u64,
    flags: u8,
    part: &'a [u8],
}

impl<'a> Fragment<'a> {
    fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), FragmentError> {
        let short = FragmentError::Short(bytes.len());
        let parse = || {
            let (object, rest) = bytes.split_first_chunk::<8>()?;
            let (number, rest) = rest.split_first_chunk::<8>()?;
            let (flags, rest) = rest.split_first()?;
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (part, rest) = rest.split_at_checked(length)?;
            let (object, number) = (u64::from_be_bytes(*object), u64::from_be_bytes(*number));
            Some((Self { object, number, flags: *flags, part }, rest))
        };
        parse().ok_or(short)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assembled(fragments: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, FragmentError> {
        let mut assembler = Assembler::default();
        let mut complete = Vec::new();
        for fragment in fragments {
            complete.extend(assembler.receive(fragment)?);
        }
        Ok(complete)
    }

    #[test]
    fn the_header_is_big_endian() {
        let cut = split(0x0102, b"abc", 23);
        assert_eq!(cut[0], b"\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\0\x01\0\0\0\x02ab");
        assert_eq!(cut[1], b"\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x01\x02\0\0\0\x01c");
    }

    #[test]
    fn an_empty_message_is_one_fragment() {
        assert_eq!(assembled(&split(1, b"", 100)), Ok(vec![vec![]]));
    }

    #[test]
    fn two_streams_may_interleave() {
        let (a, b) = (split(1, b"aaaa", 23), split(2, b"bbbb", 23));
        let mixed = [a[0].clone(), b[0].clone(), a[1].clone(), b[1].clone()];
        assert_eq!(assembled(&mixed), Ok(vec![b"aaaa".to_vec(), b"bbbb".to_vec()]));
    }

    #[test]
    fn gaps_and_repeats_are_errors() {
        let cut = split(7, b"abcdef", 23);
        let order = |expected, got| Err(FragmentError::Order { object: 7, expected, got });
        assert_eq!(assembled(&[cut[0].clone(), cut[2].clone()]), order(1, 2));
        assert_eq!(
            assembled(&[cut[0].clone(), cut[0].clone()]),
            Err(FragmentError::StartedTwice(7))
        );
        assert_eq!(assembled(&[cut[1].clone()]), Err(FragmentError::NotStarted(7)));
        assert_eq!(assembled(&[cut[0][..22].to_vec()]), Err(FragmentError::Short(22)));
    }

    #[test]
    fn unfinished_messages_do_not_pile_up() {
        let mut assembler = Assembler::default();
        let refused = (0..100).find_map(|n| assembler.receive(&split(n, b"abc", 22)[0]).err());
        assert_eq!(refused, Some(FragmentError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_was_cut_comes_together(message: Vec<u8>, size in 0_usize..200) {
            let cut = split(1, &message, size);
            prop_assert!(cut.iter().all(|fragment| fragment.len() <= size.max(HEADER + 1)));
            prop_assert_eq!(assembled(&cut), Ok(vec![message.clone()]));
            let joined = cut.concat();
            prop_assert_eq!(Assembler::default().receive(&joined), Ok(vec![message]));
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = Assembler::default().receive(&bytes);
        }
    }
}
