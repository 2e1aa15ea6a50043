//! What NTLM and Kerberos are bound to over TLS: the server's certificate, RFC 5929 section 4.
//!
//! Only the certificate's signature algorithm, its dates and its revocation lists are looked at;
//! whether the certificate is good is decided elsewhere.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::Digest;
use sha2::Sha256;
use sha2::Sha384;
use sha2::Sha512;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
const OCTET_STRING: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]` of TBSCertificate, RFC 5280 section 4.1.
const VERSION: u8 = 0xa0;
/// `[3]` of TBSCertificate.
const EXTENSIONS: u8 = 0xa3;
/// `[0]` of DistributionPoint and of DistributionPointName, RFC 5280 section 4.2.1.13.
const POINT_NAME: u8 = 0xa0;
/// `[6]` of GeneralName, section 4.2.1.6.
const URI: u8 = 0x86;
/// `2.5.29.31`.
const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 0x1f];
/// `[0]` of RSASSA-PSS-params, RFC 4055 section 3.1.
const HASH_ALGORITHM: u8 = 0xa0;

/// `1.2.840.113549.1.1`, RSA.
const PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// `1.2.840.10045.4`, ECDSA.
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
/// `2.16.840.1.101.3.4.2`, hash algorithms of NIST.
const NIST: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
/// `1.3.14.3.2.26`, SHA-1.
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// The application data of the channel binding: `tls-server-end-point:` and the hash of the
/// certificate (DER) by the hash of its own signature, or SHA-256 where that is MD5 or SHA-1.
///
/// `None` if that is no certificate, or signed by an algorithm for which no binding is defined.
pub fn end_point_binding(certificate: &[u8]) -> Option<Vec<u8>> {
    let hash = match signature_hash(certificate)? {
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    };
    Some([b"tls-server-end-point:".as_slice(), &hash].concat())
}

/// When a certificate ends: Validity.notAfter. `None` if that is none.
pub fn valid_until(certificate: &[u8]) -> Option<Timestamp> {
    validity(certificate).map(|(_, until)| until)
}

/// From when until when a certificate (DER) is valid, RFC 5280 section 4.1.2.5; `None` if it does
/// not say so in a form that the RFC allows.
pub fn validity(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (fields, _) = take(SEQUENCE, certificate)?;
    let (fields, _) = take(SEQUENCE, fields)?;
    // The version is explicit, and absent in the oldest certificates.
    let fields = take(VERSION, fields).map_or(fields, |(_, rest)| rest);
    let (_, fields) = take(INTEGER, fields)?;
    let (_, fields) = take(SEQUENCE, fields)?;
    let (_, fields) = take(SEQUENCE, fields)?;
    let (dates, _) = take(SEQUENCE, fields)?;
    let (from, dates) = time(dates)?;
    let (until, _) = time(dates)?;
    Some((from, until))
}

/// Where a certificate (DER) says that its list of revoked ones is: the URLs of its CRL
/// distribution points, RFC 5280 section 4.2.1.13, in its order.
pub fn revocation_lists(certificate: &[u8]) -> Vec<String> {
    let mut urls = Vec::new();
    let points = extension(certificate, CRL_DISTRIBUTION_POINTS);
    let mut points = points.and_then(|value| take(SEQUENCE, value)).unwrap_or_default().0;
    while let Some((point, rest)) = take(SEQUENCE, points) {
        points = rest;
        let name = take(POINT_NAME, point).and_then(|(name, _)| take(POINT_NAME, name));
        let mut names = name.unwrap_or_default().0;
        while let Some((tag, name, rest)) = element(names) {
            names = rest;
            let url = std::str::from_utf8(name).ok().filter(|_| tag == URI);
            urls.extend(url.map(str::to_owned));
        }
    }
    urls
}

/// The value of an extension.
fn extension<'a>(certificate: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let (fields, _) = take(SEQUENCE, certificate)?;
    let (mut fields, _) = take(SEQUENCE, fields)?;
    let (mut extensions, _) = loop {
        let (tag, content, rest) = element(fields)?;
        if tag == EXTENSIONS {
            break take(SEQUENCE, content)?;
        }
        fields = rest;
    };
    while let Some((extension, rest)) = take(SEQUENCE, extensions) {
        extensions = rest;
        let (name, value) = take(OBJECT_IDENTIFIER, extension)?;
        let value = take(BOOLEAN, value).map_or(value, |(_, value)| value);
        if name == wanted {
            return take(OCTET_STRING, value).map(|(value, _)| value);
        }
    }
    None
}

/// `UTCTime` of two digits for the year, or `GeneralizedTime` of four.
fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (text, rest, long) = match take(UTC_TIME, bytes) {
        Some((text, rest)) => (text, rest, false),
        None => take(GENERALIZED_TIME, bytes).map(|(text, rest)| (text, rest, true))?,
    };
    let text = std::str::from_utf8(text).ok()?;
    let text = if long {
        text.to_owned()
    } else {
        let century = if text.get(..2)? < "50" { "20" } else { "19" };
        format!("{century}{text}")
    };
    let time = DateTime::strptime("%Y%m%d%H%M%SZ", &text).ok()?;
    Some((time.to_zoned(TimeZone::UTC).ok()?.timestamp(), rest))
}

/// Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }, RFC 5280 section 4.1.
fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    let (fields, _) = take(SEQUENCE, certificate)?;
    let (_, after) = take(SEQUENCE, fields)?;
    let (algorithm, _) = take(SEQUENCE, after)?;
    let (name, parameters) = take(OBJECT_IDENTIFIER, algorithm)?;
    if let Some(rest) = name.strip_prefix(PKCS1) {
        match rest {
            // MD2, MD4, MD5 and SHA-1; then SHA-256 itself.
            [2..=5 | 11] => Some(Hash::Sha256),
            [12] => Some(Hash::Sha384),
            [13] => Some(Hash::Sha512),
            [10] => pss_hash(parameters),
            _ => None,
        }
    } else {
        match name.strip_prefix(ECDSA)? {
            [1] | [3, 2] => Some(Hash::Sha256),
            [3, 3] => Some(Hash::Sha384),
            [3, 4] => Some(Hash::Sha512),
            _ => None,
        }
    }
}

/// RSA-PSS names its hash in the parameters; without one it is SHA-1.
fn pss_hash(parameters: &[u8]) -> Option<Hash> {
    let (parameters, _) = take(SEQUENCE, parameters)?;
    let Some((tagged, _)) = take(HASH_ALGORITHM, parameters) else { return Some(Hash::Sha256) };
    let (algorithm, _) = take(SEQUENCE, tagged)?;
    let (name, _) = take(OBJECT_IDENTIFIER, algorithm)?;
    if name == SHA1 {
        return Some(Hash::Sha256);
    }
    match name.strip_prefix(NIST)? {
        [1] => Some(Hash::Sha256),
        [2] => Some(Hash::Sha384),
        [3] => Some(Hash::Sha512),
        _ => None,
    }
}

/// The content of the element of this tag that the bytes begin with, and what follows it.
fn take(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// The first element: tag, content, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, bytes) = bytes.split_first()?;
    let (length, bytes) = bytes.split_first()?;
    let (length, bytes) = match *length {
        short @ 0..=0x7f => (usize::from(short), bytes),
        // A certificate of more than 16 MiB is none.
        long @ 0x81..=0x83 => {
            let (digits, bytes) = bytes.split_at_checked(usize::from(long & 0x7f))?;
            let length = digits.iter().fold(0_usize, |sum, digit| sum << 8 | usize::from(*digit));
            (length, bytes)
        }
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::proptest;

    use super::*;

    fn written(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
        [&head, content].concat()
    }

    /// A certificate that is nothing but its signature algorithm.
    fn certificate(name: &[u8], parameters: &[u8]) -> Vec<u8> {
        let algorithm =
            written(SEQUENCE, &[&written(OBJECT_IDENTIFIER, name), parameters].concat());
        let body = written(SEQUENCE, &[0; 130]);
        written(SEQUENCE, &[body, algorithm, vec![3, 1, 0]].concat())
    }

    #[track_caller]
    fn check(name: &[&[u8]], parameters: &[u8], expected: Option<Hash>) {
        assert_eq!(signature_hash(&certificate(&name.concat(), parameters)), expected);
    }

    #[test]
    fn the_hash_is_that_of_the_signature_and_never_weaker_than_sha_256() {
        let null = [5, 0];
        check(&[PKCS1, &[4]], &null, Some(Hash::Sha256));
        check(&[PKCS1, &[5]], &null, Some(Hash::Sha256));
        check(&[PKCS1, &[11]], &null, Some(Hash::Sha256));
        check(&[PKCS1, &[12]], &null, Some(Hash::Sha384));
        check(&[PKCS1, &[13]], &null, Some(Hash::Sha512));
        check(&[ECDSA, &[1]], &[], Some(Hash::Sha256));
        check(&[ECDSA, &[3, 2]], &[], Some(Hash::Sha256));
        check(&[ECDSA, &[3, 3]], &[], Some(Hash::Sha384));
        check(&[ECDSA, &[3, 4]], &[], Some(Hash::Sha512));
    }

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_forms() {
        let check = |time: &[u8], tag, expected: Option<&str>| {
            let validity = [written(UTC_TIME, b"250101000000Z"), written(tag, time)].concat();
            let body = [
                written(VERSION, &[2, 1, 2]),
                written(INTEGER, &[7]),
                written(SEQUENCE, &[]),
                written(SEQUENCE, &[]),
                written(SEQUENCE, &validity),
            ];
            let whole = written(SEQUENCE, &written(SEQUENCE, &body.concat()));
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(valid_until(&whole), expected, "{time:?}");
        };
        check(b"270315120000Z", UTC_TIME, Some("2027-03-15T12:00:00Z"));
        check(b"990315120000Z", UTC_TIME, Some("1999-03-15T12:00:00Z"));
        check(b"20990101000000Z", GENERALIZED_TIME, Some("2099-01-01T00:00:00Z"));
        check(b"nonsense", GENERALIZED_TIME, None);
        assert_eq!(valid_until(b""), None);
    }

    #[test]
    fn every_revocation_list_is_found_that_the_certificate_names() {
        let names = ["http://a.example/1.crl", "ldap:///CN=ca"];
        let mut asked = rcgen::CertificateParams::new(["rms.example".to_owned()]).unwrap();
        assert!(signed(&asked).is_empty());
        let point = |uris: &[&str]| rcgen::CrlDistributionPoint {
            uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
        };
        asked.crl_distribution_points = vec![point(&names), point(&["http://b.example/2.crl"])];
        assert_eq!(signed(&asked), [names[0], names[1], "http://b.example/2.crl"]);
    }

    fn signed(asked: &rcgen::CertificateParams) -> Vec<String> {
        let key = rcgen::KeyPair::generate().unwrap();
        revocation_lists(asked.self_signed(&key).unwrap().der())
    }

    #[test]
    fn rsa_pss_names_its_hash_in_the_parameters() {
        let pss = |hash: &[u8]| {
            let algorithm = written(SEQUENCE, &written(OBJECT_IDENTIFIER, hash));
            written(SEQUENCE, &written(HASH_ALGORITHM, &algorithm))
        };
        let check = |parameters: &[u8], expected| check(&[PKCS1, &[10]], parameters, expected);
        check(&written(SEQUENCE, &[]), Some(Hash::Sha256));
        check(&pss(SHA1), Some(Hash::Sha256));
        check(&pss(&[NIST, &[1]].concat()), Some(Hash::Sha256));
        check(&pss(&[NIST, &[2]].concat()), Some(Hash::Sha384));
        check(&pss(&[NIST, &[3]].concat()), Some(Hash::Sha512));
        check(&pss(&[NIST, &[9]].concat()), None);
    }

    #[test]
    fn without_a_known_algorithm_there_is_no_binding() {
        // Ed25519, for which RFC 5929 has no rule.
        check(&[&[0x2b, 0x65, 0x70]], &[], None);
        assert_eq!(end_point_binding(b""), None);
        assert_eq!(end_point_binding(&[SEQUENCE, 0x84, 1, 0, 0, 0]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail in proptest::collection::vec(any::<u8>(), 0..80), cut in 0..200_usize) {
            drop(end_point_binding(&tail));
            drop(revocation_lists(&tail));
            let mut whole = certificate(PKCS1, &tail);
            whole.truncate(cut);
            drop(end_point_binding(&whole));
        }
    }
}
