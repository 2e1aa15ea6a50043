//! What the fault codes of WS-Man, WMI and Windows mean, and what to do (`winrm.md` 5.3).

use std::fmt;

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

/// One known fault code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultEntry {
    /// An `ERROR_WSMAN_…` offset, an HRESULT or a Win32 code, as it stands in the fault.
    pub code: u32,
    /// The name in Microsoft's headers, without `ERROR_WSMAN_`.
    pub name: &'static str,
    pub remedy: Remedy,
    /// One sentence for people: lower case, no full stop.
    pub meaning: &'static str,
}

/// The entry of a code, if it is one that we know.
pub fn explain(code: u32) -> Option<&'static FaultEntry> {
    let place = CATALOGUE.binary_search_by_key(&code, |entry| entry.code).ok()?;
    CATALOGUE.get(place)
}

/// Every known code, in ascending order.
pub fn all() -> &'static [FaultEntry] {
    CATALOGUE
}

const fn entry(code: u32, name: &'static str, remedy: Remedy, meaning: &'static str) -> FaultEntry {
    FaultEntry { code, name, remedy, meaning }
}

// INVARIANT: sorted by code, each code once; a test holds it, for the binary search.
#[rustfmt::skip]
const CATALOGUE: &[FaultEntry] = &[
    entry(5, "ERROR_ACCESS_DENIED", Remedy::Never, "the account may log on but not do this; a local account needs the unfiltered token, others need to be in Administrators"),
    entry(87, "ERROR_INVALID_PARAMETER", Remedy::Never, "a parameter or an id in the request is not one that the host knows"),
    entry(170, "ERROR_BUSY", Remedy::Never, "the host is still busy with the same request, which it has taken before"),
    entry(995, "ERROR_OPERATION_ABORTED", Remedy::RetryHere, "the WinRM service cancelled the request, usually because it is stopping"),
    entry(1115, "ERROR_SHUTDOWN_IN_PROGRESS", Remedy::RetryHere, "the host is shutting down"),
    entry(1190, "ERROR_SHUTDOWN_IS_SCHEDULED", Remedy::Never, "somebody else has already scheduled a restart of the host"),
    entry(1314, "ERROR_PRIVILEGE_NOT_HELD", Remedy::Never, "the account does not hold the privilege that this needs"),
    entry(1326, "ERROR_LOGON_FAILURE", Remedy::Reauthenticate, "user name or password are wrong"),
    entry(1359, "ERROR_INTERNAL_ERROR", Remedy::Never, "a provider failed inside; the text names its HRESULT"),
    entry(2_147_749_889, "WBEM_E_FAILED", Remedy::Never, "WMI could not carry it out and says no more"),
    entry(2_147_749_890, "WBEM_E_NOT_FOUND", Remedy::Never, "WMI knows no such object"),
    entry(2_147_749_891, "WBEM_E_ACCESS_DENIED", Remedy::Never, "WMI denied the account access"),
    entry(2_147_749_893, "WBEM_E_TYPE_MISMATCH", Remedy::Never, "the value is there with another type"),
    entry(2_147_749_896, "WBEM_E_INVALID_PARAMETER", Remedy::Never, "WMI does not take a parameter"),
    entry(2_147_749_902, "WBEM_E_INVALID_NAMESPACE", Remedy::Never, "the host has no such WMI namespace"),
    entry(2_147_749_904, "WBEM_E_INVALID_CLASS", Remedy::Never, "the host has no such WMI class"),
    entry(2_147_942_402, "ERROR_FILE_NOT_FOUND", Remedy::Never, "the host does not find the file or key"),
    entry(2_147_942_405, "E_ACCESSDENIED", Remedy::Never, "the account was denied access"),
    entry(2_147_942_606, "ERROR_FILENAME_EXCED_RANGE", Remedy::Never, "a file name or command line is too long"),
    entry(2_147_943_515, "ERROR_SHUTDOWN_IN_PROGRESS", Remedy::RetryHere, "the host is shutting down"),
    entry(2_150_858_752, "RESOURCE_NOT_FOUND", Remedy::Never, "the host finds no resource of that address"),
    entry(2_150_858_753, "INVALID_ACTIONURI", Remedy::Never, "the host does not know the action"),
    entry(2_150_858_754, "INVALID_URI", Remedy::Never, "the address of the resource is not valid"),
    entry(2_150_858_755, "PROVIDER_FAILURE", Remedy::Never, "the provider behind the service failed; look at the inner fault"),
    entry(2_150_858_767, "INVALID_MESSAGE_INFORMATION_HEADER", Remedy::Never, "a SOAP header has a value that the host does not take"),
    entry(2_150_858_768, "MUST_UNDERSTAND", Remedy::Never, "the host does not support a header that must be understood"),
    entry(2_150_858_769, "MESSAGE_INFORMATION_HEADER_REQUIRED", Remedy::Never, "a required addressing header is missing"),
    entry(2_150_858_770, "DESTINATION_UNREACHABLE", Remedy::Never, "the host has no such destination"),
    entry(2_150_858_771, "ACTION_NOT_SUPPORTED", Remedy::Never, "the resource does not support the action"),
    entry(2_150_858_772, "ENDPOINT_UNAVAILABLE", Remedy::RetryHere, "the service is there but not ready yet"),
    entry(2_150_858_778, "CANNOT_PROCESS_FILTER", Remedy::Never, "the query, its class or its namespace is not valid on this host"),
    entry(2_150_858_779, "INVALID_ENUMERATION_CONTEXT", Remedy::RetryHere, "the enumeration expired and must be begun again"),
    entry(2_150_858_790, "ENVELOPE_TOO_LARGE", Remedy::Never, "the reply would be larger than the agreed envelope"),
    entry(2_150_858_793, "OPERATION_TIMEDOUT", Remedy::RetryHere, "the operation did not end within its time; only a Receive may simply be repeated"),
    entry(2_150_858_802, "CONCURRENCY", Remedy::RetryHere, "another operation on the same object is still running"),
    entry(2_150_858_805, "ENCODING_LIMIT", Remedy::Never, "the agreed envelope is smaller than the least one, 8192 bytes"),
    entry(2_150_858_806, "FAILED_AUTHENTICATION", Remedy::Reauthenticate, "the host does not accept the authentication"),
    entry(2_150_858_809, "INVALID_OPTIONS", Remedy::Never, "the resource does not take an option"),
    entry(2_150_858_810, "INVALID_PARAMETER", Remedy::Never, "the resource does not take a parameter"),
    entry(2_150_858_811, "INVALID_RESOURCE_URI", Remedy::Never, "the endpoint does not offer this resource; wrong port, path or configuration name"),
    entry(2_150_858_813, "INVALID_SELECTORS", Remedy::Never, "the selectors do not fit the resource"),
    entry(2_150_858_815, "QUOTA_LIMIT", Remedy::RetryHere, "a quota of the service is used up for now"),
    entry(2_150_858_817, "SCHEMA_VALIDATION_ERROR", Remedy::Never, "the body does not have the shape that the resource asks for"),
    entry(2_150_858_818, "UNSUPPORTED_FEATURE", Remedy::Never, "the host does not support a feature that was asked for"),
    entry(2_150_858_819, "INVALID_XML", Remedy::Never, "the request is not valid XML for the host"),
    entry(2_150_858_823, "MAX_ENVELOPE_SIZE", Remedy::Never, "the reply is larger than the agreed envelope"),
    entry(2_150_858_824, "MAX_ENVELOPE_SIZE_EXCEEDED", Remedy::Never, "the request is larger than the host's MaxEnvelopeSizekb"),
    entry(2_150_858_836, "XML_TYPE_MISMATCH", Remedy::Never, "a value in the body has the wrong type"),
    entry(2_150_858_838, "XML_INVALID_VALUES", Remedy::Never, "a value in the body is not valid"),
    entry(2_150_858_839, "XML_MISSING_VALUES", Remedy::Never, "a value is missing in the body"),
    entry(2_150_858_840, "NAMESPACE", Remedy::Never, "the body is in another namespace than the resource asks for"),
    entry(2_150_858_842, "INSUFFICIENT_SELECTORS", Remedy::Never, "a key of the resource is not among the selectors"),
    entry(2_150_858_843, "UNEXPECTED_SELECTORS", Remedy::NewShell, "the shell or command is not there any more"),
    entry(2_150_858_845, "INVALID_SELECTOR_VALUE", Remedy::Never, "a selector has a value that the host does not take"),
    entry(2_150_858_881, "INVALID_TIMEOUT_HEADER", Remedy::Never, "the operation timeout is not one that the host takes"),
    entry(2_150_858_883, "PLUGIN_FAILED", Remedy::RetryHere, "the plug-in behind the service ended"),
    entry(2_150_859_001, "CANNOT_DECRYPT", Remedy::Reauthenticate, "an encrypted message could not be decrypted"),
    entry(2_150_859_002, "WMI_SINGLETON", Remedy::Never, "the class has several instances, and none was selected"),
    entry(2_150_859_003, "WMI_ENUM_WQL", Remedy::Never, "a query needs the wildcard resource and no selectors"),
    entry(2_150_859_010, "WMI_PROVIDER_NOT_CAPABLE", Remedy::Never, "the WMI provider does not support the operation"),
    entry(2_150_859_011, "WMI_INVALID_VALUE", Remedy::Never, "WMI does not take a value"),
    entry(2_150_859_012, "WMI_SERVICE_ACCESS_DENIED", Remedy::Never, "WMI denied the account access to the service"),
    entry(2_150_859_013, "WMI_PROVIDER_ACCESS_DENIED", Remedy::Never, "the WMI provider denied the account access"),
    entry(2_150_859_014, "WMI_CONNECT_ACCESS_DENIED", Remedy::Never, "WMI denied the account access to the namespace"),
    entry(2_150_859_019, "KERBEROS_IPADDRESS", Remedy::Never, "Kerberos does not work with an address; use the host's name"),
    entry(2_150_859_025, "HTTP_REQUEST_TOO_LARGE", Remedy::Never, "the request is larger than the HTTP service takes"),
    entry(2_150_859_026, "HTTP_SERVICE_UNAVAILABLE", Remedy::RetryHere, "the HTTP service is up and the service behind it is not"),
    entry(2_150_859_027, "HTTP_NOT_FOUND", Remedy::Never, "the HTTP service does not know the path"),
    entry(2_150_859_038, "WMI_PROVIDER_INVALID_PARAMETER", Remedy::Never, "the WMI provider does not take a parameter"),
    entry(2_150_859_046, "NETWORK_TIMEDOUT", Remedy::RetryHere, "a network operation behind the service did not end in time"),
    entry(2_150_859_082, "SHELL_ALREADY_CLOSED", Remedy::NewShell, "the shell is already closed"),
    entry(2_150_859_120, "HTTP_SERVER_ERROR", Remedy::RetryHere, "the HTTP service failed and says no more"),
    entry(2_150_859_123, "HTML_ERROR", Remedy::Never, "a web page came where a SOAP reply was expected; another product may answer on the port"),
    entry(2_150_859_161, "REDIRECT_REQUESTED", Remedy::Never, "the service wants to be asked at another address"),
    entry(2_150_859_173, "QUOTA_MAX_SHELLS", Remedy::RetryHere, "the account has as many shells open as the host allows"),
    entry(2_150_859_174, "QUOTA_MAX_OPERATIONS", Remedy::NewShell, "the account has as many operations running as the host allows"),
    entry(2_150_859_175, "QUOTA_USER", Remedy::RetryHere, "the account sent more requests than the host allows for now"),
    entry(2_150_859_176, "QUOTA_SYSTEM", Remedy::RetryHere, "the service has more requests than it allows for now"),
    entry(2_150_859_177, "DIFFERENT_AUTHZ_TOKEN", Remedy::Reauthenticate, "the account's groups changed while it was known; log on again"),
    entry(2_150_859_179, "MAX_SHELL_USERS", Remedy::RetryHere, "as many users have shells open as the host allows"),
    entry(2_150_859_180, "REMOTE_SHELLS_NOT_ALLOWED", Remedy::Never, "the host's policy forbids remote shells"),
    entry(2_150_859_181, "PULL_PARAMS_NOT_SAME_AS_ENUM", Remedy::Never, "the sizes asked for in a pull differ from the enumeration's"),
    entry(2_150_859_204, "SHELL_DISCONNECTED", Remedy::NewShell, "the shell was disconnected"),
    entry(2_150_859_206, "CLIENT_SESSIONID_MISMATCH", Remedy::NewShell, "the session id is not the one that the shell was opened with"),
    entry(2_150_859_212, "COMMAND_TERMINATED", Remedy::NewShell, "the command was terminated"),
    entry(2_150_859_220, "INVALID_CLIENT_COMMANDID", Remedy::Never, "the command id is not a GUID"),
    entry(2_150_859_221, "INVALID_CLIENT_SHELLID", Remedy::Never, "the shell id is not a GUID"),
    entry(2_150_859_222, "CLIENT_COMMANDID_CONFLICT", Remedy::Never, "a command with this id is already there, so the first request arrived"),
    entry(2_150_859_223, "CLIENT_SHELLID_CONFLICT", Remedy::Never, "a shell with this id is already there, so the first request arrived"),
    entry(2_150_859_229, "SERVICE_REMOTE_ACCESS_DISABLED", Remedy::Never, "the host's WinRM service does not accept remote requests"),
    entry(2_150_859_230, "SERVICE_STREAM_DISCONNECTED", Remedy::RetryHere, "the WinRM service is stopping, as in a restart"),
    entry(2_150_859_235, "REMOTE_CONNECTION_NOT_ALLOWED", Remedy::Never, "the endpoint does not allow remote connections"),
    entry(2_150_859_236, "PLUGIN_QUOTA", Remedy::RetryHere, "a quota of the endpoint's configuration is used up for now"),
    entry(2_150_859_237, "PLUGIN_QUOTA", Remedy::RetryHere, "a quota of the endpoint's configuration is used up for now"),
    entry(2_150_859_238, "PLUGIN_QUOTA", Remedy::RetryHere, "a quota of the endpoint's configuration is used up for now"),
    entry(2_150_859_239, "PLUGIN_QUOTA", Remedy::RetryHere, "a quota of the endpoint's configuration is used up for now"),
    entry(2_150_859_240, "PLUGIN_QUOTA", Remedy::RetryHere, "a quota of the endpoint's configuration is used up for now"),
    entry(2_150_859_241, "PLUGIN_QUOTA", Remedy::RetryHere, "a quota of the endpoint's configuration is used up for now"),
    entry(2_150_859_242, "PLUGIN_QUOTA", Remedy::RetryHere, "a quota of the endpoint's configuration is used up for now"),
    entry(2_150_859_250, "IDLETIMEOUT_OUTOFBOUNDS", Remedy::Never, "the idle timeout is outside of what the host allows"),
    entry(2_150_859_258, "CLIENT_SESSION_UNUSABLE", Remedy::Reauthenticate, "the WinRM service was restarted and has forgotten the session"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_unique() {
        assert!(CATALOGUE.is_sorted_by(|left, right| left.code < right.code));
    }

    #[test]
    fn every_code_is_found_and_explained_in_a_sentence() {
        for entry in CATALOGUE {
            assert_eq!(explain(entry.code), Some(entry));
            assert!(entry.meaning.len() > 10 && !entry.meaning.ends_with('.'), "{}", entry.name);
        }
        assert_eq!(explain(0), None);
    }

    #[test]
    fn an_unknown_shell_asks_for_a_new_one() {
        assert_eq!(explain(2_150_858_843).map(|entry| entry.remedy), Some(Remedy::NewShell));
    }
}
