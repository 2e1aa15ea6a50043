//! Codes of the security packages, and of the logons that the Security log tells of (4625).

use crate::wire::catalogue::FaultEntry;
use crate::wire::catalogue::Remedy;
use crate::wire::catalogue::entry;

// INVARIANT: sorted by code, each code once; a test holds it, for the binary search.
#[rustfmt::skip]
pub(super) const CODES: &[FaultEntry] = &[
    entry(0x8009_0302, "SEC_E_UNSUPPORTED_FUNCTION", Remedy::Never, "the security package does not support what was asked for", "a policy that forbids NTLM or an old encryption type"),
    entry(0x8009_0303, "SEC_E_TARGET_UNKNOWN", Remedy::Never, "the domain has no such service principal", "an alias or an address instead of the host's name: `setspn -Q HTTP/host`"),
    entry(0x8009_0304, "SEC_E_INTERNAL_ERROR", Remedy::RetryHere, "the Local Security Authority could not be reached", "the host is starting, or no domain controller answers"),
    entry(0x8009_0308, "SEC_E_INVALID_TOKEN", Remedy::Reauthenticate, "a token of the logon is not readable", "something in between alters headers, or a proxy joins connections"),
    entry(0x8009_030c, "SEC_E_LOGON_DENIED", Remedy::Never, "the logon was refused", "a wrong password, a locked or disabled account, or an account that the host does not know; event 4625 tells which"),
    entry(0x8009_030d, "SEC_E_UNKNOWN_CREDENTIALS", Remedy::Never, "the credentials are not known to the package", "no ticket is at hand and no password was given"),
    entry(0x8009_030e, "SEC_E_NO_CREDENTIALS", Remedy::Never, "there are no credentials to log on with", "no ticket (`klist`), or a service account without one"),
    entry(0x8009_030f, "SEC_E_MESSAGE_ALTERED", Remedy::Reauthenticate, "a message does not fit its signature", "something in between alters messages"),
    entry(0x8009_0310, "SEC_E_OUT_OF_SEQUENCE", Remedy::Reauthenticate, "a message came out of order", "a proxy or load balancer that joins connections"),
    entry(0x8009_0311, "SEC_E_NO_AUTHENTICATING_AUTHORITY", Remedy::RetryHere, "no domain controller could be reached", "DNS, the network, or a host that is starting"),
    entry(0x8009_0322, "SEC_E_WRONG_PRINCIPAL", Remedy::Never, "the service principal belongs to another account", "two accounts with the name, or an application pool that holds HTTP/host: `setspn -Q HTTP/host`; `rms_spn_class: WSMAN` goes round it"),
    entry(0x8009_0324, "SEC_E_TIME_SKEW", Remedy::Never, "the clocks of client, host and domain differ too much", "set the time: Kerberos bears five minutes"),
    entry(0x8009_0325, "SEC_E_UNTRUSTED_ROOT", Remedy::Never, "the certificate's authority is not trusted", "name it with `rms_ca_file`, or pin the certificate with `rms_tls_pin`"),
    entry(0x8009_0327, "SEC_E_CERT_UNKNOWN", Remedy::Never, "the certificate could not be judged", "expired, or not for this use"),
    entry(0x8009_0328, "SEC_E_CERT_EXPIRED", Remedy::Never, "the certificate has expired", "renew it on the host, and its WinRM listener with it"),
    entry(0x8009_0330, "SEC_E_DECRYPT_FAILURE", Remedy::Reauthenticate, "a message could not be decrypted", "a security context that belongs to another connection"),
    entry(0x8009_0331, "SEC_E_ALGORITHM_MISMATCH", Remedy::Never, "client and host share no algorithm", "TLS versions or Kerberos encryption types that one side has turned off"),
    entry(0x8009_0342, "SEC_E_KDC_UNSUPPORTED_ETYPE", Remedy::Never, "the domain controller does not support the encryption type", "RC4 turned off, or an account without AES keys (its password is older than AES in the domain)"),
    entry(0x8009_0346, "SEC_E_BAD_BINDINGS", Remedy::Never, "the channel binding does not fit", "TLS ends before the host (a load balancer, a proxy that inspects), or CbtHardeningLevel is Strict"),
    entry(0xc000_0022, "STATUS_ACCESS_DENIED", Remedy::Never, "access was denied", "as for code 5: `rmsfleet explain 5` says more"),
    entry(0xc000_005e, "STATUS_NO_LOGON_SERVERS", Remedy::RetryHere, "no domain controller is there to judge the logon", "the host is starting, or cut off from its domain"),
    entry(0xc000_0064, "STATUS_NO_SUCH_USER", Remedy::Never, "the account does not exist", "a misspelt name, or the wrong domain"),
    entry(0xc000_006a, "STATUS_WRONG_PASSWORD", Remedy::Never, "the name is right and the password is wrong", "mistyped, or changed since"),
    entry(0xc000_006d, "STATUS_LOGON_FAILURE", Remedy::Never, "the logon failed", "look at the SubStatus beside it, which is more precise"),
    entry(0xc000_006e, "STATUS_ACCOUNT_RESTRICTION", Remedy::Never, "a restriction of the account forbids the logon", "Protected Users without Kerberos, an empty password, or a policy silo"),
    entry(0xc000_006f, "STATUS_INVALID_LOGON_HOURS", Remedy::Never, "the account may not log on at this hour", "its logon hours in the directory"),
    entry(0xc000_0070, "STATUS_INVALID_WORKSTATION", Remedy::Never, "the account may not log on from or at this computer", "`Log On To` of the account in the directory"),
    entry(0xc000_0071, "STATUS_PASSWORD_EXPIRED", Remedy::Never, "the password has expired", "change it first"),
    entry(0xc000_0072, "STATUS_ACCOUNT_DISABLED", Remedy::Never, "the account is disabled", "enable it, or use another"),
    entry(0xc000_00dc, "STATUS_INVALID_SERVER_STATE", Remedy::RetryHere, "the security database is in the wrong state for the request", "the host is starting"),
    entry(0xc000_0133, "STATUS_TIME_DIFFERENCE_AT_DC", Remedy::Never, "the host's clock and its domain controller's differ too much", "set the time"),
    entry(0xc000_015b, "STATUS_LOGON_TYPE_NOT_GRANTED", Remedy::Never, "the account may not log on over the network", "`Access this computer from the network`, or the right that denies it"),
    entry(0xc000_018d, "STATUS_TRUSTED_RELATIONSHIP_FAILURE", Remedy::Never, "the host's trust with its domain is broken", "`Test-ComputerSecureChannel -Repair` on the host"),
    entry(0xc000_0192, "STATUS_NETLOGON_NOT_STARTED", Remedy::RetryHere, "the Netlogon service does not run yet", "the host is starting"),
    entry(0xc000_0193, "STATUS_ACCOUNT_EXPIRED", Remedy::Never, "the account has expired", "its end date in the directory"),
    entry(0xc000_0224, "STATUS_PASSWORD_MUST_CHANGE", Remedy::Never, "the password must be changed before the first logon", "log on interactively once"),
    entry(0xc000_0234, "STATUS_ACCOUNT_LOCKED_OUT", Remedy::Never, "the account is locked after too many wrong passwords", "another tool or service still uses an old password: event 4740 on the domain controller names the computer"),
    entry(0xc000_0413, "STATUS_AUTHENTICATION_FIREWALL_FAILED", Remedy::Never, "the account is not allowed to log on to this computer across the trust", "selective authentication: `Allowed to Authenticate` on the host's object"),
    entry(0xc000_0418, "STATUS_NTLM_BLOCKED", Remedy::Never, "NTLM is blocked here", "policy `Restrict NTLM`: only Kerberos works"),
];
