//! Sealed bodies, `multipart/encrypted`, [MS-WSMV] 2.2.9.1 (`winrm.md` 4.4).
//!
//! Read by header lines and by the length field, never by looking for the boundary: a ciphertext may
//! hold line ends and even the boundary itself.

/// The MIME name under the `Negotiate` scheme.
pub const PROTOCOL: &str = "application/HTTP-SPNEGO-session-encrypted";
/// The MIME name under the `Kerberos` scheme.
const KERBEROS: &str = "application/HTTP-Kerberos-session-encrypted";
/// `Content-Type` of the HTTP message under the `Negotiate` scheme.
pub const CONTENT_TYPE: &str = "multipart/encrypted;\
    protocol=\"application/HTTP-SPNEGO-session-encrypted\";boundary=\"Encrypted Boundary\"";
const KERBEROS_CONTENT_TYPE: &str = "multipart/encrypted;\
    protocol=\"application/HTTP-Kerberos-session-encrypted\";boundary=\"Encrypted Boundary\"";

/// Largest plaintext that is read; as large as a document may be.
pub const MAX_PLAIN: usize = crate::wire::xml::MAX_BYTES;
/// Largest signature that is read: NTLM has 16 bytes, Kerberos 60 to 76.
const MAX_SIGNATURE: usize = 256;
/// Most bytes of a token that its data may hold beyond the length that is told.
const MAX_SURPLUS: usize = 64;
/// Most header lines in a part.
const MAX_LINES: usize = 16;
const BOUNDARY: &str = "Encrypted Boundary";

/// Whether a TAB stands before the lines of a part's header. The specification has it, and some
/// clients insist on it; Windows 10 writes none. Both are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indent {
    Tab,
    None,
}

/// What the messages of a connection are sealed under: the scheme of its logon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `Negotiate`, with NTLM or Kerberos inside.
    Spnego,
    /// `Kerberos`, without SPNEGO.
    Kerberos,
}

impl Protocol {
    /// The MIME name in a body's first part.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spnego => PROTOCOL,
            Self::Kerberos => KERBEROS,
        }
    }

    /// `Content-Type` of the HTTP message.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Spnego => CONTENT_TYPE,
            Self::Kerberos => KERBEROS_CONTENT_TYPE,
        }
    }
}

/// The security parts of a sealed body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed<'a> {
    pub signature: &'a [u8],
    pub cipher: &'a [u8],
}

/// Why bytes are not a sealed body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    #[error("expected {expected} in the sealed body, got `{got}`")]
    Expected { expected: &'static str, got: String },
    #[error("the sealed body ends before {0}")]
    Truncated(&'static str),
    #[error("the sealed body says {0} bytes, more than the limit")]
    TooLarge(u64),
}

/// Whether an HTTP message with this `Content-Type` is sealed, by whatever protocol.
pub fn is_sealed(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("multipart/encrypted")
        || kind.eq_ignore_ascii_case("multipart/x-multi-encrypted")
}

/// Writes a sealed body under `Negotiate`. `sealed.cipher` is as long as the plaintext.
pub fn render(sealed: Sealed<'_>, indent: Indent) -> Vec<u8> {
    render_as(Protocol::Spnego, sealed, indent)
}

/// Writes a sealed body. `sealed.cipher` is as long as the plaintext and its padding.
pub fn render_as(protocol: Protocol, sealed: Sealed<'_>, indent: Indent) -> Vec<u8> {
    let name = protocol.name();
    let tab = match indent {
        Indent::Tab => "\t",
        Indent::None => "",
    };
    let signature = u32::try_from(sealed.signature.len()).unwrap_or(u32::MAX);
    let mut out = format!(
        "--{BOUNDARY}\r\n\
         {tab}Content-Type: {name}\r\n\
         {tab}OriginalContent: type=application/soap+xml;charset=UTF-8;Length={}\r\n\
         --{BOUNDARY}\r\n\
         {tab}Content-Type: application/octet-stream\r\n",
        sealed.cipher.len()
    )
    .into_bytes();
    out.extend_from_slice(&signature.to_le_bytes());
    out.extend_from_slice(sealed.signature);
    out.extend_from_slice(sealed.cipher);
    out.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    out
}

/// Reads a sealed body that holds one message under `Negotiate`.
pub fn parse(body: &[u8]) -> Result<Sealed<'_>, MultipartError> {
    parse_as(Protocol::Spnego, body)
}

/// Reads a sealed body that holds one message.
pub fn parse_as(sealed_by: Protocol, body: &[u8]) -> Result<Sealed<'_>, MultipartError> {
    let mut rest = body;
    delimiter(&mut rest)?;
    let (mut protocol, mut length) = (None, None);
    header(&mut rest, |name, value| {
        if name.eq_ignore_ascii_case("Content-Type") {
            protocol = Some(value);
        } else if name.eq_ignore_ascii_case("OriginalContent") {
            length = original_length(value);
        }
    })?;
    match protocol {
        Some(name) if name.eq_ignore_ascii_case(sealed_by.name()) => {}
        other => return Err(expected(sealed_by.name(), other.unwrap_or_default().as_bytes())),
    }
    let length = length.ok_or_else(|| expected("`Length=` with a number", b"none"))?;
    delimiter(&mut rest)?;
    let (name, value) = field(line(&mut rest)?)?;
    if !name.eq_ignore_ascii_case("Content-Type")
        || !value.eq_ignore_ascii_case("application/octet-stream")
    {
        return Err(expected("`Content-Type: application/octet-stream`", value.as_bytes()));
    }

    let (size, after) = rest.split_first_chunk().ok_or(MultipartError::Truncated("its token"))?;
    let size = u32::from_le_bytes(*size);
    let size = usize::try_from(size)
        .ok()
        .filter(|size| *size <= MAX_SIGNATURE)
        .ok_or(MultipartError::TooLarge(u64::from(size)))?;
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= MAX_PLAIN)
        .ok_or(MultipartError::TooLarge(length))?;
    let (signature, after) =
        after.split_at_checked(size).ok_or(MultipartError::Truncated("its signature's end"))?;
    // A token may be cut elsewhere than the length says (OMI cuts after 60 bytes whatever the
    // encryption type): a little more may stand before the closing boundary, which counts then.
    let missing = match after.split_at_checked(length) {
        Some((cipher, after)) => match end(after) {
            Ok(()) => return Ok(Sealed { signature, cipher }),
            Err(error) => error,
        },
        None => return Err(MultipartError::Truncated("its data's end")),
    };
    (length..=length + MAX_SURPLUS)
        .filter_map(|length| after.split_at_checked(length))
        .find(|(_, after)| end(after).is_ok())
        .map(|(cipher, _)| Sealed { signature, cipher })
        .ok_or(missing)
}

/// The closing boundary, and nothing behind it but the line end that some servers write twice.
fn end(after: &[u8]) -> Result<(), MultipartError> {
    let closing =
        after.strip_prefix(b"--").ok_or_else(|| expected("the closing boundary", after))?;
    let closing = closing.strip_prefix(b" ").unwrap_or(closing);
    let closing = closing.strip_prefix(BOUNDARY.as_bytes()).and_then(|end| end.strip_prefix(b"--"));
    match closing {
        Some(b"" | b"\r\n" | b"\r\n\r\n") => Ok(()),
        Some(more) => Err(expected("the end", more)),
        None => Err(expected("the closing boundary", after)),
    }
}

fn delimiter(rest: &mut &[u8]) -> Result<(), MultipartError> {
    let line = line(rest)?;
    if is_delimiter(line) { Ok(()) } else { Err(expected("`--Encrypted Boundary`", line)) }
}

/// `--Encrypted Boundary`, or `-- Encrypted Boundary` as Exchange writes it.
fn is_delimiter(line: &[u8]) -> bool {
    let Some(name) = line.strip_prefix(b"--") else { return false };
    name.strip_prefix(b" ").unwrap_or(name) == BOUNDARY.as_bytes()
}

/// Reads header fields up to the next delimiter, which stays.
fn header<'a>(
    rest: &mut &'a [u8],
    mut each: impl FnMut(&'a str, &'a str),
) -> Result<(), MultipartError> {
    for _ in 0..MAX_LINES {
        let mut ahead = *rest;
        let line = line(&mut ahead)?;
        if is_delimiter(line) {
            return Ok(());
        }
        let (name, value) = field(line)?;
        each(name, value);
        *rest = ahead;
    }
    Err(expected("`--Encrypted Boundary`", b"more header lines"))
}

fn field(line: &[u8]) -> Result<(&str, &str), MultipartError> {
    std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim()))
        .ok_or_else(|| expected("a header line", line))
}

/// Takes the next line, its end not included.
fn line<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], MultipartError> {
    // A header line is short; without the bound, bytes without line ends would be read to the end.
    let end = rest
        .windows(2)
        .take(1024)
        .position(|two| two == b"\r\n")
        .ok_or(MultipartError::Truncated("its header lines' end"))?;
    let (line, after) =
        rest.split_at_checked(end).ok_or(MultipartError::Truncated("its header lines' end"))?;
    *rest = after.get(2..).unwrap_or_default();
    Ok(line)
}

fn original_length(value: &str) -> Option<u64> {
    value.split(';').find_map(|part| {
        let (name, number) = part.split_once('=')?;
        let number = number.trim();
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if name.trim().eq_ignore_ascii_case("Length") && digits {
            number.parse().ok()
        } else {
            None
        }
    })
}

fn expected(what: &'static str, got: &[u8]) -> MultipartError {
    let shown = got.get(..got.len().min(60)).unwrap_or_default();
    MultipartError::Expected { expected: what, got: shown.escape_ascii().to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::proptest;

    use super::*;

    const SIGNATURE: &[u8] = b"0123456789abcdef";

    /// A body as another implementation would write it.
    fn body(first: &str, indent: &str, cipher: &[u8], last: &str) -> Vec<u8> {
        let head = format!(
            "{first}\r\n{indent}Content-Type: application/HTTP-SPNEGO-session-encrypted\r\n\
             {indent}OriginalContent: type=application/soap+xml;charset=UTF-8;Length={}\r\n\
             {first}\r\n{indent}Content-Type: application/octet-stream\r\n\x10\0\0\0",
            cipher.len()
        );
        [head.as_bytes(), SIGNATURE, cipher, last.as_bytes()].concat()
    }

    #[test]
    fn a_body_is_written_to_the_byte() {
        let sealed = Sealed { signature: SIGNATURE, cipher: b"<sealed>" };
        assert_eq!(
            render(sealed, Indent::Tab).escape_ascii().to_string(),
            "--Encrypted Boundary\\r\\n\
             \\tContent-Type: application/HTTP-SPNEGO-session-encrypted\\r\\n\
             \\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=8\\r\\n\
             --Encrypted Boundary\\r\\n\
             \\tContent-Type: application/octet-stream\\r\\n\
             \\x10\\x00\\x00\\x000123456789abcdef<sealed>--Encrypted Boundary--\\r\\n"
        );
        let plain = render(sealed, Indent::None);
        assert!(!plain.contains(&b'\t'));
        assert_eq!(parse(&plain), Ok(sealed));
    }

    #[test]
    fn every_form_that_servers_write_is_read() {
        let check = |first: &str, indent: &str, cipher: &[u8], last: &str| {
            let bytes = body(first, indent, cipher, last);
            assert_eq!(parse(&bytes), Ok(Sealed { signature: SIGNATURE, cipher }));
        };
        let plain = "--Encrypted Boundary";
        check(plain, "\t", b"x", "--Encrypted Boundary--\r\n");
        check(plain, "", b"x", "--Encrypted Boundary--\r\n");
        check(plain, "", b"", "--Encrypted Boundary--");
        check("-- Encrypted Boundary", "\t", b"x", "-- Encrypted Boundary--\r\n");
        check(plain, "", b"x", "--Encrypted Boundary--\r\n\r\n");
        let nasty = b"\r\n--Encrypted Boundary\r\n\tContent-Type: x\r\n--Encrypted Boundary--\r\n";
        check(plain, "\t", nasty, "--Encrypted Boundary--\r\n");
    }

    /// A Kerberos token of 72 bytes around the data, of which 60 went into the signature.
    #[test]
    fn a_token_that_is_cut_elsewhere_is_read_whole() {
        let whole = b"twelve bytesthe data";
        let bytes = body("--Encrypted Boundary", "", whole, "--Encrypted Boundary--\r\n");
        let text = String::from_utf8(bytes).unwrap().replace("Length=20", "Length=8");
        assert_eq!(parse(text.as_bytes()), Ok(Sealed { signature: SIGNATURE, cipher: whole }));
        let far = text.replace("twelve bytes", &"x".repeat(MAX_SURPLUS + 1));
        assert!(parse(far.as_bytes()).is_err());
    }

    #[test]
    fn what_is_no_sealed_body_says_what_was_expected() {
        let check = |bytes: &[u8], text: &str| {
            assert_eq!(parse(bytes).unwrap_err().to_string(), text);
        };
        let good = body("--Encrypted Boundary", "", b"data", "--Encrypted Boundary--\r\n");
        check(b"<html>\r\n", "expected `--Encrypted Boundary` in the sealed body, got `<html>`");
        check(b"", "the sealed body ends before its header lines' end");
        check(&good[..good.len() - 26], "the sealed body ends before its data's end");
        let huge = String::from_utf8(good.clone()).unwrap().replace("Length=4", "Length=99999999");
        check(huge.as_bytes(), "the sealed body says 99999999 bytes, more than the limit");
        let mut long = good.clone();
        let at = good.windows(4).position(|bytes| bytes == b"\x10\0\0\0").unwrap();
        long[at + 3] = 0xff;
        check(&long, "the sealed body says 4278190096 bytes, more than the limit");
        let two = [good.as_slice(), &good].concat();
        assert!(parse(&two).unwrap_err().to_string().starts_with("expected the end"));
        let kerberos = String::from_utf8(good).unwrap().replace("SPNEGO", "Kerberos");
        let raw = parse_as(Protocol::Kerberos, kerberos.as_bytes());
        assert_eq!(raw, Ok(Sealed { signature: SIGNATURE, cipher: b"data" }));
        check(
            kerberos.as_bytes(),
            "expected application/HTTP-SPNEGO-session-encrypted in the sealed body, \
             got `application/HTTP-Kerberos-session-encrypted`",
        );
    }

    #[test]
    fn a_body_under_kerberos_names_it_in_head_and_part() {
        let sealed = Sealed { signature: SIGNATURE, cipher: b"data" };
        let bytes = render_as(Protocol::Kerberos, sealed, Indent::Tab);
        assert!(Protocol::Kerberos.content_type().contains(Protocol::Kerberos.name()));
        assert_eq!(parse_as(Protocol::Kerberos, &bytes), Ok(sealed));
        assert!(parse(&bytes).is_err(), "another protocol than the logon's is no reply to us");
    }

    #[test]
    fn the_content_type_tells_a_sealed_message() {
        assert!(is_sealed(CONTENT_TYPE));
        assert!(is_sealed("Multipart/Encrypted; boundary=x"));
        assert!(!is_sealed("application/soap+xml;charset=UTF-8"));
        assert!(!is_sealed(""));
    }

    proptest! {
        #[test]
        fn any_ciphertext_survives(
            signature in proptest::collection::vec(any::<u8>(), 0..80),
            cipher in proptest::collection::vec(any::<u8>(), 0..300),
            tab in any::<bool>(),
        ) {
            let sealed = Sealed { signature: &signature, cipher: &cipher };
            let indent = if tab { Indent::Tab } else { Indent::None };
            assert_eq!(parse(&render(sealed, indent)), Ok(sealed));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(at in 0_usize..300, tail in proptest::collection::vec(any::<u8>(), 0..60)) {
            drop(parse(&tail));
            let mut bytes = render(Sealed { signature: SIGNATURE, cipher: b"data" }, Indent::Tab);
            bytes.truncate(at);
            bytes.extend_from_slice(&tail);
            drop(parse(&bytes));
        }
    }
}
