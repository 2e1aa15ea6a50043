//! Anonymous Identify: proves that WS-Management answers, without spending a logon (`winrm.md` 1.3).

use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;

use crate::host::doctor::Greeting;
use crate::host::doctor::Words;
use crate::host::link::HostError;
use crate::host::link::Knock;
use crate::host::link::Target;
use crate::host::support::unsupported;
use crate::net::http::Pipe;
use crate::net::http::Reply;
use crate::net::http::SOAP;
use crate::net::http::is_silence;
use crate::net::limits::Limits;
use crate::net::stats::Stats;
use crate::wire::operation::Answer;
use crate::wire::wsman;

const IDENTIFY: &str = "Identify";

/// Whether the host answers: with an IdentifyResponse, or that it wants a logon even for that.
pub async fn knock(target: &Target, stats: &Stats, phase: &str) -> Result<Knock, HostError> {
    let reply = match ask(target, stats, phase).await {
        Ok(reply) => reply,
        Err(error) if is_silence(&error) => return Ok(Knock::Silent),
        Err(error) => return Err(error),
    };
    let unexpected =
        |got: String| HostError::Unexpected { expected: "an IdentifyResponse".to_owned(), got };
    match reply.status {
        200 => wsman::decode_identify(&reply.body)
            .map(|_| Knock::Answered)
            .map_err(|error| unexpected(error.to_string())),
        401 => Ok(Knock::Answered),
        _ => Err(unexpected(reply.words())),
    }
}

/// Whatever the host answers, with its clock.
pub async fn greet(target: &Target, stats: &Stats, phase: &str) -> Result<Greeting, HostError> {
    let reply = match ask(target, stats, phase).await {
        Ok(reply) => reply,
        Err(error) if is_silence(&error) => {
            return Ok(Greeting { words: Words::Silence, date: None });
        }
        Err(error) => return Err(error),
    };
    let words = match reply.status {
        200 => match wsman::decode_identify(&reply.body) {
            Ok(Answer::Identity { vendor, version }) => Words::Identified { vendor, version },
            Ok(other) => Words::Nonsense(format!("expected an identity, host sent {other:?}")),
            Err(error) => Words::Nonsense(error.to_string()),
        },
        other => Words::Status(other),
    };
    Ok(Greeting { words, date: reply.date() })
}

async fn ask(target: &Target, stats: &Stats, phase: &str) -> Result<Reply, HostError> {
    if let Some(reason) = unsupported(&target.endpoint) {
        return Err(HostError::Unsupported(reason));
    }
    let envelope = wsman::encode_identify()
        .map_err(|error| HostError::Unsupported(format!("{IDENTIFY}: {error}")))?;
    let anonymous =
        (HeaderName::from_static("wsmanidentify"), HeaderValue::from_static("unauthenticated"));
    let mut pipe = Pipe::within(Limits::brief(target), target, stats, phase)?;
    pipe.post(IDENTIFY, SOAP, Some(anonymous), envelope).await
}
