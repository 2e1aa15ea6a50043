//! One TCP connection and its security context, as a way to exchange SOAP envelopes.

use std::future::Future;

use crate::host::link::HostError;

/// Sends one SOAP envelope and brings the reply's envelope back.
///
/// HTTP 200 and HTTP 500 with a SOAP body are both `Ok`: faults are for the caller to decode.
/// After any `Err` the connection and its context are gone; every further call fails.
pub trait SoapCall: Send {
    /// `what` names the call for errors and statistics: `StdRegProv.GetStringValue`.
    fn call(
        &mut self,
        what: &str,
        envelope: Vec<u8>,
    ) -> impl Future<Output = Result<Vec<u8>, HostError>> + Send;
}
