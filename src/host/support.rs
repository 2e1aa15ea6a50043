//! What this version can connect to, to be asked before anything is planned.

use crate::model::host::Endpoint;
use crate::model::host::Scheme;
use crate::model::host::Transport;

/// Why an endpoint cannot be reached by this version, in words; `None` if it can.
pub fn unsupported(endpoint: &Endpoint) -> Option<String> {
    match endpoint.scheme {
        Scheme::Http => {}
        Scheme::Https => {
            return Some(
                "HTTPS is not built yet in this version: set `ansible_winrm_scheme: http` with \
                 port 5985; the messages themselves are encrypted there too"
                    .to_owned(),
            );
        }
    }
    let scheme = match endpoint.transport {
        Transport::Ntlm | Transport::Negotiate => return None,
        Transport::Kerberos if cfg!(unix) => return None,
        Transport::Kerberos => "Kerberos is not built for Windows in this version",
        Transport::Basic => "Basic is not built in this version, as it encrypts nothing",
    };
    Some(format!(
        "{scheme}: set `ansible_winrm_transport: ntlm`, and `rms_exchange_auth: negotiate` where \
         it is about Exchange"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::host::Spn;

    #[track_caller]
    fn check(scheme: Scheme, transport: Transport, expected: Option<&str>) {
        let endpoint = Endpoint {
            scheme,
            address: "fs01".to_owned(),
            port: 5985,
            path: "/wsman".to_owned(),
            transport,
            spn: Spn::default(),
        };
        let got = unsupported(&endpoint);
        assert_eq!(got.as_deref().and_then(|text| text.split(':').next()), expected);
    }

    #[test]
    fn ntlm_and_kerberos_over_http_is_what_there_is() {
        check(Scheme::Http, Transport::Ntlm, None);
        check(Scheme::Http, Transport::Negotiate, None);
        let windows = "Kerberos is not built for Windows in this version";
        check(Scheme::Http, Transport::Kerberos, if cfg!(unix) { None } else { Some(windows) });
        let basic = "Basic is not built in this version, as it encrypts nothing";
        check(Scheme::Http, Transport::Basic, Some(basic));
        let https = "HTTPS is not built yet in this version";
        check(Scheme::Https, Transport::Ntlm, Some(https));
    }
}
