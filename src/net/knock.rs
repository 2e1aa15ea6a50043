//! Anonymous Identify: proves that WS-Management answers, without spending a logon (`winrm.md` 1.3).

use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;

use crate::host::link::HostError;
use crate::host::link::Target;
use crate::host::support::unsupported;
use crate::net::http::Pipe;
use crate::net::http::SOAP;
use crate::net::stats::Stats;
use crate::wire::wsman;

const IDENTIFY: &str = "Identify";

/// `Ok` only if the host answers with an IdentifyResponse.
pub async fn knock(target: &Target, stats: &Stats, phase: &str) -> Result<(), HostError> {
    if let Some(reason) = unsupported(&target.endpoint) {
        return Err(HostError::Unsupported(reason));
    }
    let envelope = wsman::encode_identify()
        .map_err(|error| HostError::Unsupported(format!("{IDENTIFY}: {error}")))?;
    let anonymous =
        (HeaderName::from_static("wsmanidentify"), HeaderValue::from_static("unauthenticated"));
    let mut pipe = Pipe::new(target, stats, phase)?;
    let reply = pipe.post(IDENTIFY, SOAP, Some(anonymous), envelope).await?;
    let unexpected =
        |got: String| HostError::Unexpected { expected: "an IdentifyResponse".to_owned(), got };
    if reply.status != 200 {
        return Err(unexpected(reply.words()));
    }
    wsman::decode_identify(&reply.body).map(|_| ()).map_err(|error| unexpected(error.to_string()))
}
