//! What a Kerberos error means, and what to type.

use crate::net::kerberos::mechanism::LibraryError;
use crate::net::kerberos::words::Concern;
use crate::net::kerberos::words::Where;

/// First code of the `krb5` error table; RFC 4120's error numbers count from here.
const TABLE: i32 = -1_765_328_384;

/// What looking for the library failed with, and what to install.
pub(in crate::net::kerberos) fn absent(seen: &str) -> String {
    let install = if cfg!(target_os = "macos") {
        "brew install krb5"
    } else {
        "install `libgssapi-krb5-2` (Debian, Ubuntu) or `krb5-libs` (Fedora, RHEL, SUSE: `krb5`)"
    };
    format!("Kerberos needs the system's GSSAPI library: {install}; tried {seen}")
}

/// An error in words.
pub(in crate::net::kerberos) fn explain(error: &LibraryError, at: Where<'_>) -> (Concern, String) {
    let Where { user, service } = at;
    let text = error.text.trim_end();
    let (concern, advice) = match error.code.wrapping_sub(TABLE) {
        6 => (Concern::Account, format!("the domain does not know `{user}`; write it as user@REALM")),
        18 => (Concern::Account, format!("`{user}` is disabled, locked or expired in the domain")),
        23 => (Concern::Account, format!("the password of `{user}` has expired: change it")),
        24 | 31 => (
            Concern::Account,
            format!("the password of `{user}` is wrong, or the keytab's keys are older than it"),
        ),
        7 => (
            Concern::Other,
            format!(
                "the domain has no service principal {service}: write the host's full DNS name as \
                 its address, or set `ansible_winrm_kerberos_hostname_override` or `rms_spn_class`; \
                 `setspn -Q {service}` shows who has it"
            ),
        ),
        32 | 33 => (Concern::Other, format!("the ticket has expired: type `kinit {user}`")),
        37 => (
            Concern::Other,
            "the clocks of this machine and of the domain differ by more than five minutes: set \
             this machine's (`timedatectl set-ntp true`)"
                .to_owned(),
        ),
        14 => (
            Concern::Other,
            format!("the domain and this machine share no encryption type for {service}"),
        ),
        154 => (
            Concern::Other,
            format!("no domain controller is known for the realm of {service}: name it in krb5.conf ([realms], [domain_realm]), or let DNS have its SRV records"),
        ),
        156 => (
            Concern::Other,
            "no domain controller answers on port 88: look at [realms] in krb5.conf and the network"
                .to_owned(),
        ),
        181 => (
            Concern::Other,
            format!("the keytab holds no keys of `{user}`: `klist -k FILE` shows whose it holds"),
        ),
        141 | 195 => (
            Concern::Other,
            format!(
                "there is no ticket: type `kinit {user}`; from a keytab: it holds no keys of that \
                 name, see `klist -k FILE`"
            ),
        ),
        224 => (
            Concern::Other,
            "krb5.conf names no default realm: write the user as user@REALM, in capitals".to_owned(),
        ),
        _ => (Concern::Other, format!("`KRB5_TRACE=/dev/stderr kvno {service}` tells more")),
    };
    (concern, format!("{text}; {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: i32, concern: Concern, words: &str) {
        let error = LibraryError { code: TABLE + code, text: "said so".to_owned() };
        let at = Where { user: "anna@CORP", service: "HTTP/fs01" };
        let (got, text) = explain(&error, at);
        assert_eq!(got, concern, "{text}");
        assert!(text.starts_with("said so; ") && text.contains(words), "{text}");
    }

    #[test]
    fn an_error_says_what_to_type() {
        check(24, Concern::Account, "the password of `anna@CORP` is wrong");
        check(18, Concern::Account, "locked");
        check(7, Concern::Other, "setspn -Q HTTP/fs01");
        check(37, Concern::Other, "clocks");
        check(32, Concern::Other, "kinit anna@CORP");
        check(195, Concern::Other, "kinit anna@CORP");
        check(99, Concern::Other, "kvno HTTP/fs01");
    }

    #[test]
    fn a_missing_library_names_its_package() {
        assert!(absent("x (no such file)").contains("krb5"));
    }
}
