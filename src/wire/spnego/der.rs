//! As much DER as SPNEGO needs (X.690): one-byte tags, definite lengths, nothing nested by itself.

use crate::wire::spnego::SpnegoError;

/// Largest length that is read or written; no token comes near it.
const MAX_LENGTH: usize = 64 * 1024;

pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[APPLICATION 0]`, the frame of a first token (RFC 2743, 3.1).
pub(super) const FRAME: u8 = 0x60;

/// `[n]`, constructed.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// The elements of some content, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What has not been read.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next element: its tag and its content.
    pub(super) fn next(&mut self) -> Result<(u8, &'a [u8]), SpnegoError> {
        let truncated = || SpnegoError::malformed("an element", "its beginning only");
        let (tag, rest) = self.0.split_first().ok_or_else(truncated)?;
        if tag & 0x1f == 0x1f {
            return Err(SpnegoError::malformed("a tag of one byte", format!("{tag:#04x}")));
        }
        let (first, rest) = rest.split_first().ok_or_else(truncated)?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x83 => {
                let (digits, rest) =
                    rest.split_at_checked(usize::from(first & 0x7f)).ok_or_else(truncated)?;
                let length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
                (length, rest)
            }
            _ => return Err(SpnegoError::malformed("a length", format!("{first:#04x}"))),
        };
        if length > MAX_LENGTH {
            return Err(SpnegoError::malformed(
                "a token of a sane size",
                format!("{length} bytes"),
            ));
        }
        let (content, rest) = rest.split_at_checked(length).ok_or_else(truncated)?;
        self.0 = rest;
        Ok((*tag, content))
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8, what: &'static str) -> Result<&'a [u8], SpnegoError> {
        match self.next()? {
            (got, content) if got == tag => Ok(content),
            (got, _) => Err(SpnegoError::malformed(what, format!("tag {got:#04x}"))),
        }
    }
}

/// The only element in some content.
pub(super) fn only<'a>(
    bytes: &'a [u8],
    tag: u8,
    what: &'static str,
) -> Result<&'a [u8], SpnegoError> {
    let mut reader = Reader::new(bytes);
    let content = reader.expect(tag, what)?;
    if reader.is_empty() {
        Ok(content)
    } else {
        Err(SpnegoError::malformed(what, "more behind it"))
    }
}

/// An element, its length in the shortest form.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let bytes = content.len().to_be_bytes();
    let digits = bytes
        .iter()
        .position(|byte| *byte != 0)
        .map_or(&[][..], |at| bytes.get(at..).unwrap_or_default());
    match digits {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(0x7f));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::proptest;

    use super::*;

    #[test]
    fn lengths_are_written_in_their_shortest_form_and_read_back() {
        let check = |length: usize, head: &[u8]| {
            let content = vec![7; length];
            let bytes = element(OCTETS, &content);
            assert!(bytes.starts_with(head), "{length}");
            assert_eq!(only(&bytes, OCTETS, "octets"), Ok(content.as_slice()));
        };
        check(0, &[4, 0]);
        check(127, &[4, 127, 7]);
        check(128, &[4, 0x81, 128, 7]);
        check(256, &[4, 0x82, 1, 0, 7]);
        check(MAX_LENGTH, &[4, 0x83, 1, 0, 0, 7]);
    }

    #[track_caller]
    fn check_refused(bytes: &[u8]) {
        assert!(only(bytes, OCTETS, "octets").is_err(), "{bytes:?}");
    }

    #[test]
    fn what_is_not_whole_or_not_der_is_refused() {
        check_refused(&[]);
        check_refused(&[4]);
        check_refused(&[4, 2, 0]);
        check_refused(&[4, 0x80, 0, 0]);
        check_refused(&[4, 0x84, 0, 0, 0, 0]);
        check_refused(&[4, 0x83, 0xff, 0xff, 0xff]);
        check_refused(&[0x1f, 1, 0]);
        check_refused(&[4, 0, 0]);
        check_refused(&[5, 0]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            while reader.next().is_ok() {}
        }
    }
}
