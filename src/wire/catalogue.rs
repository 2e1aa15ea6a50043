//! What the codes of WS-Man, WMI and Windows mean, and what to do (`winrm.md` 5.3).

use std::fmt;

mod security;
mod windows;
mod wsman;

/// What a caller may do after a fault. Repeating is only ever for what is safe to repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// The same request, on the same connection, after a while.
    RetryHere,
    /// The shell is gone or full: a new one on the same connection.
    NewShell,
    /// A new connection with a new logon.
    Reauthenticate,
    /// Something must be changed first.
    Never,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RetryHere => "try again after a while",
            Self::NewShell => "open a new shell",
            Self::Reauthenticate => "log on again",
            Self::Never => "trying again does not help",
        })
    }
}

/// One known code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultEntry {
    /// An HRESULT, a Win32 code or an NTSTATUS, as it stands in a fault or a log.
    pub code: u32,
    /// The name in Microsoft's headers, without `ERROR_WSMAN_`.
    pub name: &'static str,
    pub remedy: Remedy,
    /// One sentence for people: lower case, no full stop.
    pub meaning: &'static str,
    /// What usually lies behind it, in the same form.
    pub cause: &'static str,
}

/// Kinds of codes by their upper bits ([MS-ERREF] 2.1 to 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Win32,
    WsMan,
    Wmi,
    /// SSPI, certificates and smart cards.
    Security,
    NtStatus,
    /// An HRESULT of another facility.
    Other,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Win32 => "a Win32 error",
            Self::WsMan => "an error of WS-Management",
            Self::Wmi => "an error of WMI",
            Self::Security => "an error of a security package",
            Self::NtStatus => "an NTSTATUS",
            Self::Other => "an HRESULT of another part of Windows",
        })
    }
}

/// The entry of a code, if it is one that we know; a code inside another (`0x80070005` is 5) by the
/// inner one where it has no entry of its own.
pub fn explain(code: u32) -> Option<&'static FaultEntry> {
    find(code).or_else(|| find(unwrapped(code)?))
}

/// What kind of code it is.
pub fn family(code: u32) -> Family {
    match (code >> 16, code >> 28) {
        (0 | 0x8007, _) => Family::Win32,
        (0x8033, _) => Family::WsMan,
        (0x8004, _) => Family::Wmi,
        (0x8009 | 0x800b, _) => Family::Security,
        (_, 0xc | 0xd) => Family::NtStatus,
        _ => Family::Other,
    }
}

/// Every known code, each part of it in ascending order.
pub fn all() -> impl Iterator<Item = &'static FaultEntry> {
    [windows::CODES, wsman::CODES, security::CODES].into_iter().flatten()
}

/// `HRESULT_FROM_WIN32` and `HRESULT_FROM_NT`, undone.
fn unwrapped(code: u32) -> Option<u32> {
    match code & 0xffff_0000 {
        0x8007_0000 => Some(code & 0xffff),
        _ if code >> 28 == 0xd => Some(code & !0x1000_0000),
        _ => None,
    }
}

fn find(code: u32) -> Option<&'static FaultEntry> {
    [windows::CODES, wsman::CODES, security::CODES].into_iter().find_map(|codes| {
        let place = codes.binary_search_by_key(&code, |entry| entry.code).ok()?;
        codes.get(place)
    })
}

const fn entry(
    code: u32,
    name: &'static str,
    remedy: Remedy,
    meaning: &'static str,
    cause: &'static str,
) -> FaultEntry {
    FaultEntry { code, name, remedy, meaning, cause }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_sorted_and_unique() {
        for codes in [windows::CODES, wsman::CODES, security::CODES] {
            assert!(codes.is_sorted_by(|left, right| left.code < right.code));
        }
        let codes: BTreeSet<u32> = all().map(|entry| entry.code).collect();
        assert_eq!(codes.len(), all().count());
    }

    #[test]
    fn every_code_is_found_and_explained_in_sentences() {
        for entry in all() {
            assert_eq!(explain(entry.code), Some(entry));
            for text in [entry.meaning, entry.cause] {
                assert!(text.len() > 8 && !text.ends_with('.'), "{}: {text}", entry.name);
            }
        }
        assert_eq!(explain(0), None);
    }

    #[test]
    fn a_code_inside_another_is_found() {
        let name = |code| explain(code).map(|entry| entry.name);
        assert_eq!(name(0x8007_0005), Some("E_ACCESSDENIED"));
        assert_eq!(name(0x8007_052e), Some("ERROR_LOGON_FAILURE"));
        assert_eq!(name(0xd000_006d), Some("STATUS_LOGON_FAILURE"));
        assert_eq!(name(0x8007_ffff), None);
    }

    #[test]
    fn codes_have_families() {
        let check = |code, expected| assert_eq!(family(code), expected, "{code:#010x}");
        check(5, Family::Win32);
        check(0x8007_0005, Family::Win32);
        check(0x8033_8029, Family::WsMan);
        check(0x8004_1003, Family::Wmi);
        check(0x8009_0322, Family::Security);
        check(0xc000_006d, Family::NtStatus);
        check(0x8001_0001, Family::Other);
    }

    /// A second logon with what was refused costs the account one more.
    #[test]
    fn after_a_refused_logon_no_other_is_advised() {
        for code in [1_326, 2_150_858_806, 0x8009_030c, 0xc000_006d, 0x8007_052e] {
            assert_eq!(explain(code).map(|entry| entry.remedy), Some(Remedy::Never), "{code}");
        }
    }

    /// The table of `winrm.md` 5.3: what a caller may do.
    #[test]
    fn the_remedies_are_those_of_the_table() {
        let check = |codes: &[u32], expected| {
            for code in codes {
                assert_eq!(explain(*code).map(|entry| entry.remedy), Some(expected), "{code}");
            }
        };
        let offsets = |offsets: &[u32]| offsets.iter().map(|o| 0x8033_8000 + o).collect::<Vec<_>>();
        check(
            &offsets(&[20, 27, 41, 50, 63, 131, 274, 294, 421, 423, 424, 478]),
            Remedy::RetryHere,
        );
        check(&[995, 1115, 2_147_943_515], Remedy::RetryHere);
        check(&offsets(&[91, 330, 422, 452, 454, 460]), Remedy::NewShell);
        check(&offsets(&[249, 425, 506]), Remedy::Reauthenticate);
        let never =
            [0, 1, 2, 3, 15, 16, 17, 19, 26, 54, 59, 61, 65, 66, 67, 88, 258, 259, 260, 261, 262];
        check(&offsets(&never), Remedy::Never);
        check(&[5, 87, 1190, 1359, 2_147_942_402, 2_147_942_606], Remedy::Never);
    }
}
