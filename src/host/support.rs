//! What this version can connect to, to be asked before anything is planned.

use crate::model::host::Endpoint;
use crate::model::host::Scheme;
use crate::model::host::Transport;

/// Why an endpoint cannot be reached by this version, in words; `None` if it can.
pub fn unsupported(endpoint: &Endpoint) -> Option<String> {
    match (endpoint.scheme, endpoint.transport) {
        (
            Scheme::Http | Scheme::Https,
            Transport::Ntlm | Transport::Negotiate | Transport::Kerberos,
        )
        | (Scheme::Https, Transport::Basic | Transport::BasicInClear | Transport::Certificate)
        // Somebody asked for it by name, and the plan says so.
        | (Scheme::Http, Transport::BasicInClear) => None,
        (Scheme::Http, Transport::Certificate) => Some(
            "a client certificate is shown in the TLS handshake, and http has none: set \
             `ansible_winrm_scheme: https` with port 5986"
                .to_owned(),
        ),
        (Scheme::Http, Transport::Basic) => Some(
            "Basic over http would send the password in clear: set `ansible_winrm_scheme: https` \
             with port 5986, or `ansible_winrm_transport: ntlm`; for Exchange an https URL as \
             `rms_exchange_url`, or `rms_exchange_auth: negotiate`"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::host::Spn;
    use crate::model::tls::TlsTrust;

    #[track_caller]
    fn check(scheme: Scheme, transport: Transport, expected: Option<&str>) {
        let endpoint = Endpoint {
            scheme,
            address: "fs01".to_owned(),
            port: 5985,
            path: "/wsman".to_owned(),
            transport,
            tls: TlsTrust::default(),
            spn: Spn::default(),
            client: None,
        };
        let got = unsupported(&endpoint);
        assert_eq!(got.as_deref().and_then(|text| text.split(':').next()), expected);
    }

    #[test]
    fn basic_goes_over_tls_only_and_everything_else_over_both() {
        for scheme in [Scheme::Http, Scheme::Https] {
            check(scheme, Transport::Ntlm, None);
            check(scheme, Transport::Negotiate, None);
            check(scheme, Transport::Kerberos, None);
        }
        check(Scheme::Https, Transport::Basic, None);
        check(Scheme::Http, Transport::BasicInClear, None);
        check(Scheme::Https, Transport::Certificate, None);
        let certificate = "a client certificate is shown in the TLS handshake, and http has none";
        check(Scheme::Http, Transport::Certificate, Some(certificate));
        let basic = "Basic over http would send the password in clear";
        check(Scheme::Http, Transport::Basic, Some(basic));
    }
}
