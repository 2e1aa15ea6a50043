//! What this version can connect to, to be asked before anything is planned.

use crate::model::host::Endpoint;
use crate::model::host::Scheme;
use crate::model::host::Transport;

/// Why an endpoint cannot be reached by this version, in words; `None` if it can.
pub fn unsupported(endpoint: &Endpoint) -> Option<String> {
    match (endpoint.scheme, endpoint.transport) {
        (Scheme::Http | Scheme::Https, Transport::Ntlm | Transport::Negotiate)
        | (Scheme::Https, Transport::Basic) => None,
        (Scheme::Http, Transport::Basic) => Some(
            "Basic over http would send the password in clear: set `ansible_winrm_scheme: https` \
             with port 5986, or `ansible_winrm_transport: ntlm`; for Exchange an https URL as \
             `rms_exchange_url`, or `rms_exchange_auth: negotiate`"
                .to_owned(),
        ),
        (Scheme::Http | Scheme::Https, Transport::Kerberos) => Some(
            "Kerberos is not built yet in this version: set `ansible_winrm_transport: ntlm`, and \
             `rms_exchange_auth: negotiate` where it is about Exchange"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        };
        let got = unsupported(&endpoint);
        assert_eq!(got.as_deref().and_then(|text| text.split(':').next()), expected);
    }

    #[test]
    fn ntlm_goes_over_both_schemes_and_basic_over_tls_only() {
        check(Scheme::Http, Transport::Ntlm, None);
        check(Scheme::Http, Transport::Negotiate, None);
        check(Scheme::Https, Transport::Ntlm, None);
        check(Scheme::Https, Transport::Negotiate, None);
        check(Scheme::Https, Transport::Basic, None);
        let basic = "Basic over http would send the password in clear";
        check(Scheme::Http, Transport::Basic, Some(basic));
        let kerberos = "Kerberos is not built yet in this version";
        check(Scheme::Http, Transport::Kerberos, Some(kerberos));
        check(Scheme::Https, Transport::Kerberos, Some(kerberos));
    }
}
