//! What an error of SSPI means, and what to type.

use windows_sys::Win32::Foundation as code;

use crate::net::kerberos::mechanism::LibraryError;
use crate::net::kerberos::words::Concern;
use crate::net::kerberos::words::Where;

/// An error in words.
pub(in crate::net::kerberos) fn explain(error: &LibraryError, at: Where<'_>) -> (Concern, String) {
    let Where { user, service } = at;
    let (concern, advice) = match error.code {
        code::SEC_E_LOGON_DENIED => (
            Concern::Account,
            format!("the domain refuses `{user}`: wrong password, or a locked, disabled or expired account"),
        ),
        code::SEC_E_NO_CREDENTIALS | code::SEC_E_UNKNOWN_CREDENTIALS => (
            Concern::Other,
            format!("`{user}` has no logon that the network knows: log on to Windows with a domain account, or name an account in credentials.yml"),
        ),
        code::SEC_E_TARGET_UNKNOWN => (
            Concern::Other,
            format!(
                "the domain has no service principal {service}: write the host's full DNS name as its address, or set `ansible_winrm_kerberos_hostname_override` or `rms_spn_class`; `setspn -Q {service}` shows who has it"
            ),
        ),
        code::SEC_E_WRONG_PRINCIPAL => (
            Concern::Other,
            format!("the service principal {service} belongs to another account than the host's (a web site, a reporting server): set `rms_spn_class: HOST` or `WSMAN`"),
        ),
        code::SEC_E_NO_AUTHENTICATING_AUTHORITY => (
            Concern::Other,
            format!("no domain controller answers for {service}: look at DNS and at `nltest /dsgetdc:DOMAIN`"),
        ),
        code::SEC_E_TIME_SKEW => (
            Concern::Other,
            "the clocks of this machine and of the domain differ by more than five minutes: `w32tm /resync`".to_owned(),
        ),
        code::SEC_E_BAD_BINDINGS => (
            Concern::Other,
            "the logon is bound to another certificate than the host's: TLS ends before the host".to_owned(),
        ),
        code::SEC_E_MUTUAL_AUTH_FAILED => {
            (Concern::Other, "the host did not prove that it is the one it claims to be".to_owned())
        }
        code::SEC_E_KDC_UNKNOWN_ETYPE | code::SEC_E_ALGORITHM_MISMATCH => (
            Concern::Other,
            format!("the domain and this machine share no encryption type for {service}"),
        ),
        code::SEC_E_SECPKG_NOT_FOUND | code::SEC_E_POLICY_NLTM_ONLY => {
            (Concern::Other, "the package is missing or switched off by a policy on this machine".to_owned())
        }
        code::SEC_E_OUT_OF_SEQUENCE | code::SEC_E_MESSAGE_ALTERED => {
            (Concern::Other, "a message was lost, repeated or changed on its way".to_owned())
        }
        _ => (Concern::Unclear, format!("`klist get {service}` tells more")),
    };
    (concern, format!("{}; {advice}", error.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_to_type() {
        let check = |code: i32, concern: Concern, words: &str| {
            let error = LibraryError { code, text: "said so".to_owned() };
            let at = Where { user: r"CORP\anna", service: "HTTP/fs01" };
            let (got, text) = explain(&error, at);
            assert_eq!(got, concern, "{text}");
            assert!(text.starts_with("said so; ") && text.contains(words), "{text}");
        };
        check(code::SEC_E_LOGON_DENIED, Concern::Account, r"refuses `CORP\anna`");
        check(code::SEC_E_TARGET_UNKNOWN, Concern::Other, "setspn -Q HTTP/fs01");
        check(code::SEC_E_TIME_SKEW, Concern::Other, "w32tm");
        check(0, Concern::Unclear, "klist get HTTP/fs01");
    }
}
