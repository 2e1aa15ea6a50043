//! HTTP as Windows' service speaks it over one connection (`winrm.md` 4.2 and 5.4).

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt as _;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use jiff::Timestamp;

use crate::lab::accounts::Identity;
use crate::lab::host::Call;
use crate::lab::host::Outcome;
use crate::lab::logon::Logon;
use crate::lab::logon::Step;
use crate::lab::markup;
use crate::lab::power::Phase;
use crate::lab::power::Power;
use crate::lab::reply::Gone;
use crate::lab::reply::Payload;
use crate::lab::reply::Reply;
use crate::lab::request::Request;
use crate::lab::station::Station;
use crate::lab::strike::Strike;
use crate::model::tenant::PAGE;
use crate::wire::multipart;
use crate::wire::ntlm::FileTime;

const SOAP: &str = "application/soap+xml;charset=UTF-8";

/// One connection with its security context.
pub struct Connection {
    station: Arc<Station>,
    logon: Mutex<Logon>,
}

/// What the `Authorization` header led to.
enum Authenticated {
    /// The request ends with this.
    Reply(Reply),
    /// The request goes on; its reply carries the handshake's last token, if there is one.
    Go(Option<Vec<u8>>),
}

/// Who asks, where, and whether it is denied.
struct Caller {
    identity: Identity,
    exchange_path: bool,
    denied: bool,
}

impl Connection {
    pub fn new(station: Arc<Station>) -> Self {
        station.host().stats.connections += 1;
        Self { station, logon: Mutex::new(Logon::Nobody) }
    }

    /// Answers one HTTP request, unless something befalls it.
    pub async fn serve(&self, request: http::Request<Incoming>) -> Result<Reply, Gone> {
        let (head, body) = request.into_parts();
        let phase = self.wait_until_it_answers().await?;
        let limit = self.station.host().limits.request;
        let Ok(body) = Limited::new(body, limit).collect().await else {
            return Ok(close(bare(StatusCode::PAYLOAD_TOO_LARGE)));
        };
        let body = body.to_bytes();
        let carries_request = is_sealed(&head.headers) && !body.is_empty();
        let strike = self.station.host().line.falls(carries_request);
        let Some(strike) = strike else { return self.answer(&head, &body, phase, None).await };
        let answered = self.answer(&head, &body, phase, Some(strike));
        match strike {
            Strike::Status500 => Ok(bare(StatusCode::INTERNAL_SERVER_ERROR)),
            Strike::Status503 => Ok(close(bare(StatusCode::SERVICE_UNAVAILABLE))),
            Strike::Status401 => {
                *self.logon() = Logon::Nobody;
                Ok(unauthorized(None))
            }
            Strike::ResetBefore => Err(Gone),
            Strike::ResetAfter => answered.await.and(Err(Gone)),
            Strike::Silence => {
                answered.await?;
                std::future::pending().await
            }
            Strike::Half => Ok(answered.await?.map(Payload::torn)),
            Strike::WrongSequence | Strike::AccessDenied => answered.await,
            Strike::Refused => self.befall(Power::cut_off),
            Strike::NeverReturns => self.befall(|power, now| power.crash(now, false)),
            Strike::SecondBoot => self.befall(|power, now| power.crash(now, true)),
            Strike::NeverReturnsAfter => {
                answered.await?;
                self.befall(|power, now| power.crash(now, false))
            }
            Strike::SecondBootAfter => {
                answered.await?;
                self.befall(|power, now| power.crash(now, true))
            }
        }
    }

    /// Something happens to the host, and the connection is gone with it.
    fn befall(&self, happens: impl FnOnce(&mut Power, Timestamp)) -> Result<Reply, Gone> {
        let now = self.station.commons.edge.now();
        happens(&mut self.station.host().power, now);
        self.station.changed.notify_waiters();
        Err(Gone)
    }

    /// As the host answers by itself; of a strike only what lies within the answer is seen to here.
    async fn answer(
        &self,
        head: &http::request::Parts,
        body: &[u8],
        phase: Phase,
        strike: Option<Strike>,
    ) -> Result<Reply, Gone> {
        if phase == Phase::Starting {
            return Ok(close(bare(StatusCode::SERVICE_UNAVAILABLE)));
        }
        if let Some(page) = self.page(head) {
            return Ok(match self.authenticate(&head.headers, phase) {
                Authenticated::Reply(reply) => reply,
                Authenticated::Go(last) if self.logon().identity().is_some() => {
                    offering(with_body(StatusCode::OK, "text/plain", page), last.as_deref())
                }
                Authenticated::Go(_) => unauthorized(None),
            });
        }
        if head.method != Method::POST {
            return Ok(bare(StatusCode::METHOD_NOT_ALLOWED));
        }
        let path = head.uri.path().trim_end_matches('/').to_ascii_lowercase();
        let exchange_path = match path.as_str() {
            "/wsman" => false,
            "/powershell" if self.station.exchange => true,
            _ => return Ok(close(bare(StatusCode::NOT_FOUND))),
        };
        if !body.is_empty() && !is_known_type(&head.headers) {
            return Ok(bare(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        if let Some(reply) = self.knock(&head.headers, body) {
            return Ok(reply);
        }
        let last = match self.authenticate(&head.headers, phase) {
            Authenticated::Reply(reply) => return Ok(reply),
            Authenticated::Go(last) => last,
        };
        let Some(identity) = self.logon().identity().cloned() else {
            let challenge = unauthorized(None);
            return Ok(if is_sealed(&head.headers) { close(challenge) } else { challenge });
        };
        if body.is_empty() {
            return Ok(offering(bare(StatusCode::OK), last.as_deref()));
        }
        if !is_sealed(&head.headers) {
            // AllowUnencrypted is false: no SOAP, only the status.
            self.station.host().stats.refused_bodies += 1;
            return Ok(bare(StatusCode::INTERNAL_SERVER_ERROR));
        }
        let Ok(plain) = self.logon().unseal(body) else {
            self.station.host().stats.refused_bodies += 1;
            return Ok(close(bare(StatusCode::BAD_REQUEST)));
        };
        let Ok(request) = Request::read(&plain) else {
            return Ok(close(bare(StatusCode::BAD_REQUEST)));
        };
        let caller =
            Caller { identity, exchange_path, denied: strike == Some(Strike::AccessDenied) };
        let (status, envelope) = self.operate(request, &caller).await?;
        if strike == Some(Strike::WrongSequence) {
            // A message of that number that nobody gets to see.
            drop(self.logon().seal(b"lost"));
        }
        Ok(offering(self.sealed(status, &envelope), last.as_deref()))
    }

    /// The connector's page with the tenant's URL, where this host has it and is asked for it.
    fn page(&self, head: &http::request::Parts) -> Option<Vec<u8>> {
        let asked = head.method == Method::GET && head.uri.path().eq_ignore_ascii_case(PAGE);
        let host = self.station.host();
        host.tenant_page.clone().filter(|_| asked).map(String::into_bytes)
    }

    /// Waits a silent phase out, to no avail: what was sent into it is lost.
    async fn wait_until_it_answers(&self) -> Result<Phase, Gone> {
        match self.station.look() {
            (Phase::Silent, lasts) => {
                tokio::time::sleep(lasts.unwrap_or(Duration::MAX)).await;
                Err(Gone)
            }
            (Phase::Refused | Phase::Off, _) => Err(Gone),
            (phase @ (Phase::Up | Phase::Pending | Phase::Starting | Phase::Logon), _) => Ok(phase),
        }
    }

    /// Identify without a logon.
    fn knock(&self, headers: &HeaderMap, body: &[u8]) -> Option<Reply> {
        let wish = headers.get("wsmanidentify")?.to_str().ok()?;
        let identify = wish.eq_ignore_ascii_case("unauthenticated")
            && Request::read(body).is_ok_and(|request| request.is_identify());
        identify.then(|| {
            self.station.host().stats.knocks += 1;
            with_body(StatusCode::OK, SOAP, markup::identity("0.0.0").into_bytes())
        })
    }

    /// Takes a token, if there is one.
    fn authenticate(&self, headers: &HeaderMap, phase: Phase) -> Authenticated {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Authenticated::Go(None);
        };
        let value = value.to_str().unwrap_or_default();
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("Negotiate") {
            return Authenticated::Reply(unauthorized(None));
        }
        let Ok(token) = STANDARD.decode(token.trim()) else {
            return Authenticated::Reply(close(bare(StatusCode::BAD_REQUEST)));
        };
        if phase == Phase::Logon {
            *self.logon() = Logon::Nobody;
            return Authenticated::Reply(unauthorized(None));
        }
        let commons = &self.station.commons;
        let step = {
            let mut accounts = commons.accounts();
            let time = FileTime::from_timestamp(commons.edge.now());
            let challenge = commons.edge.challenge();
            self.logon().step(&token, &self.station.names, &mut accounts, challenge, time)
        };
        match step {
            Step::Challenge(token) => Authenticated::Reply(unauthorized(Some(&token))),
            Step::Accepted(last) => {
                self.station.host().stats.logons += 1;
                Authenticated::Go(last)
            }
            Step::Refused { judged } => {
                if judged {
                    self.station.host().stats.failed_logons += 1;
                }
                Authenticated::Reply(unauthorized(None))
            }
        }
    }

    /// The status and the envelope that answer the request, once there is something to say.
    async fn operate(&self, mut request: Request, caller: &Caller) -> Result<(u16, String), Gone> {
        let station = &self.station;
        let commons = &station.commons;
        let _busy = commons.enter(station.index);
        tokio::time::sleep(commons.latency).await;
        if request.is_identify() {
            let mut host = station.host();
            host.stats.requests += 1;
            return Ok((200, markup::identity(host.windows.version)));
        }
        let arrived = commons.edge.now();
        let mut now = arrived;
        loop {
            let happened = station.changed.notified();
            let call = Call {
                now,
                arrived,
                account: caller.identity.account.clone(),
                admin: caller.identity.admin,
                denied: caller.denied,
                exchange_path: caller.exchange_path,
                fresh: [commons.edge.uuid(), commons.edge.uuid()],
            };
            let outcome = station.host().answer(&mut request, &call);
            match outcome {
                Outcome::Reply { status, envelope } => {
                    station.changed.notify_waiters();
                    return Ok((status, envelope));
                }
                Outcome::Lost => {
                    station.changed.notify_waiters();
                    return Err(Gone);
                }
                Outcome::Wait(until) => {
                    let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
                    // A moment more than the clock's step, so that the next look is past `until`.
                    let left = left + Duration::from_millis(1);
                    tokio::select! {
                        () = happened => {}
                        () = tokio::time::sleep(left) => {}
                    }
                    now = commons.edge.now();
                }
            }
        }
    }

    fn sealed(&self, status: u16, envelope: &str) -> Reply {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match self.logon().seal(envelope.as_bytes()) {
            Ok(body) => with_body(status, multipart::CONTENT_TYPE, body),
            Err(_) => close(bare(StatusCode::INTERNAL_SERVER_ERROR)),
        }
    }

    fn logon(&self) -> MutexGuard<'_, Logon> {
        self.logon.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn is_sealed(headers: &HeaderMap) -> bool {
    multipart::is_sealed(content_type(headers))
}

fn is_known_type(headers: &HeaderMap) -> bool {
    let kind = content_type(headers).split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/soap+xml") || is_sealed(headers)
}

fn bare(status: StatusCode) -> Reply {
    let mut reply = Response::new(Payload::whole(Vec::new()));
    *reply.status_mut() = status;
    // http.sys sends no words behind the number.
    reply.extensions_mut().insert(ReasonPhrase::from_static(b""));
    let server = HeaderValue::from_static("Microsoft-HTTPAPI/2.0");
    reply.headers_mut().insert(header::SERVER, server);
    reply
}

fn with_body(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Reply {
    let mut reply = bare(status);
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    *reply.body_mut() = Payload::whole(body);
    reply
}

fn close(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// 401: with the token of a handshake, or with the schemes that are taken, a header for each.
fn unauthorized(token: Option<&[u8]>) -> Reply {
    let mut reply = offering(bare(StatusCode::UNAUTHORIZED), token);
    if reply.headers().get(header::WWW_AUTHENTICATE).is_none() {
        for scheme in ["Negotiate", "Kerberos"] {
            reply.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
    }
    reply
}

/// The reply with a token of the handshake, if there is one.
fn offering(mut reply: Reply, token: Option<&[u8]>) -> Reply {
    let value = token.and_then(|token| {
        HeaderValue::from_str(&format!("Negotiate {}", STANDARD.encode(token))).ok()
    });
    if let Some(value) = value {
        reply.headers_mut().append(header::WWW_AUTHENTICATE, value);
    }
    reply
}
