//! HTTP over one connection: posts in order, no second connection, no retry, no redirection.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Client;
use reqwest::RequestBuilder;
use reqwest::Url;
use reqwest::header::ACCEPT_ENCODING;
use reqwest::header::CONNECTION;
use reqwest::header::CONTENT_LENGTH;
use reqwest::header::CONTENT_TYPE;
use reqwest::header::COOKIE;
use reqwest::header::DATE;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;
use reqwest::header::WWW_AUTHENTICATE;
use reqwest::tls::TlsInfo;
use tokio::time::timeout;

use crate::host::link::HostError;
use crate::host::link::Target;
use crate::model::host::Scheme;
use crate::net::clock::Stopwatch;
use crate::net::cookies::Cookies;
use crate::net::gate::Gate;
use crate::net::limits::Limits;
use crate::net::stats::Counters;
use crate::net::stats::Stats;
use crate::net::tls;
use crate::wire::certificate;
use crate::wire::session::meaning;

/// The type of a message in clear, and of the empty one that carries a logon token.
pub(super) const SOAP: &str = "application/soap+xml;charset=UTF-8";
/// Largest reply body, in bytes.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// One connection to a target, opened by the first post.
#[derive(Debug)]
pub(super) struct Pipe {
    http: Client,
    target: Target,
    url: Url,
    stats: Stats,
    phase: String,
    limits: Limits,
    /// Whether a reply has come: from then on a failed connect means that the connection is gone.
    connected: bool,
    /// For a page: its requests are GETs, and what the last of them brought is kept.
    page: Option<Page>,
    /// What the host showed of itself, in DER; only with TLS, and from the first reply on.
    certificate: Option<Vec<u8>>,
    /// Our own certificate, where the endpoint has one to show.
    client: Option<Arc<tls::client::Shown>>,
    cookies: Cookies,
}

/// What a connection for a page has brought so far.
#[derive(Debug, Default)]
struct Page {
    body: Option<Vec<u8>>,
}

/// An HTTP reply, its body read to the end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn content_type(&self) -> &str {
        self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The schemes offered, each with its token if it has one.
    pub(super) fn offered(&self) -> Vec<&str> {
        self.headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect()
    }

    /// The names of the schemes offered.
    pub(super) fn schemes(&self) -> Vec<&str> {
        let names = self.offered().into_iter().filter_map(|offer| offer.split_whitespace().next());
        names.collect()
    }

    pub(super) fn offers(&self, scheme: &str) -> bool {
        self.schemes().iter().any(|name| name.eq_ignore_ascii_case(scheme))
    }

    /// Whether the host says that it closes the connection after this reply.
    pub(super) fn closes(&self) -> bool {
        self.headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|token| token.trim().eq_ignore_ascii_case("close"))
    }

    /// The host's clock, to the second.
    pub(super) fn date(&self) -> Option<Timestamp> {
        let text = self.headers.get(DATE)?.to_str().ok()?;
        jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp())
    }

    /// Words for a status that was not asked for.
    pub(super) fn words(&self) -> String {
        format!("HTTP {}: {}", self.status, meaning(self.status))
    }
}

impl Pipe {
    pub(super) fn new(target: &Target, stats: &Stats, phase: &str) -> Result<Self, HostError> {
        Self::within(Limits::of(target), target, stats, phase)
    }

    /// As `new`, with other limits than those of an operation.
    pub(super) fn within(
        limits: Limits,
        target: &Target,
        stats: &Stats,
        phase: &str,
    ) -> Result<Self, HostError> {
        let broken = |error: Box<dyn std::error::Error + Send + Sync>| HostError::NotConnected {
            endpoint: target.endpoint.url(),
            source: error,
        };
        let url = Url::parse(&target.endpoint.url()).map_err(|error| broken(error.into()))?;
        let (tls, client) = tls::config(&target.endpoint).map_err(|error| untrusted(&error))?;
        let http = Client::builder()
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(concat!("rmsfleet/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(None)
            .tls_backend_preconfigured(tls)
            .tls_info(true)
            .connector_layer(Gate::default())
            .build()
            .map_err(|error| broken(error.into()))?;
        Ok(Self {
            http,
            target: target.clone(),
            url,
            stats: stats.clone(),
            phase: phase.to_owned(),
            limits,
            connected: false,
            page: None,
            certificate: None,
            client,
            cookies: Cookies::default(),
        })
    }

    /// Whether the host has asked for our certificate, and was shown it.
    pub(super) fn showed_certificate(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.was_asked_for())
    }

    /// As [`Pipe::new`], for a page: what is posted goes as a GET, without a body.
    pub(super) fn of_page(target: &Target, stats: &Stats, phase: &str) -> Result<Self, HostError> {
        let pipe = Self::new(target, stats, phase)?;
        Ok(Self { page: Some(Page::default()), ..pipe })
    }

    /// The body of the last reply that was a 200.
    pub(super) fn take_page(&mut self) -> Option<Vec<u8>> {
        self.page.as_mut()?.body.take()
    }

    /// The same target on a connection of its own, for a logon that begins anew.
    pub(super) fn again(&self) -> Result<Self, HostError> {
        let pipe = match &self.page {
            None => Self::new(&self.target, &self.stats, &self.phase),
            Some(_) => Self::of_page(&self.target, &self.stats, &self.phase),
        }?;
        Ok(pipe.with(self.cookies.clone()))
    }

    /// The pipe with what the host gave before.
    pub(super) fn with(self, cookies: Cookies) -> Self {
        Self { cookies, ..self }
    }

    pub(super) fn cookies(&self) -> &Cookies {
        &self.cookies
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// What a logon is bound to: `tls-server-end-point:` data, if there is TLS and a rule for the
    /// certificate's signature algorithm. To be asked after a reply.
    pub(super) fn end_point_binding(&self) -> Result<Option<Vec<u8>>, HostError> {
        match (self.target.endpoint.scheme, &self.certificate) {
            (Scheme::Http, _) => Ok(None),
            (Scheme::Https, Some(shown)) => Ok(certificate::end_point_binding(shown)),
            (Scheme::Https, None) => Err(HostError::Unexpected {
                expected: "a certificate to bind the logon to".to_owned(),
                got: "none".to_owned(),
            }),
        }
    }

    /// Counts something that is no request.
    pub(super) fn count(&self, counters: Counters) {
        self.stats.add(&self.target.host, &self.phase, counters);
    }

    /// Posts nothing, without a logon: for what a host shows to anybody, and at once.
    pub(super) async fn post_nothing(&mut self, what: &str) -> Result<Reply, HostError> {
        let usual = std::mem::replace(&mut self.limits, Limits::brief(&self.target));
        let reply = self.post(what, SOAP, None, Vec::new()).await;
        self.limits = usual;
        reply
    }

    /// Posts a body and reads the whole reply.
    ///
    /// [`HostError::NotConnected`] only if not a byte of the request was sent; once it may have been
    /// sent, [`HostError::Lost`].
    pub(super) async fn post(
        &mut self,
        what: &str,
        content_type: &'static str,
        extra: Option<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
    ) -> Result<Reply, HostError> {
        let watch = Stopwatch::start();
        let mut counters = Counters::default();
        let result = self.exchange(what, content_type, extra, body, &mut counters).await;
        counters.time = watch.elapsed();
        self.count(counters);
        result
    }

    async fn exchange(
        &mut self,
        what: &str,
        content_type: &'static str,
        extra: Option<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
        counters: &mut Counters,
    ) -> Result<Reply, HostError> {
        counters.requests = 1;
        counters.sent = size(body.len());
        let mut request = match self.page {
            Some(_) => self.http.get(self.url.clone()),
            None => self
                .http
                .post(self.url.clone())
                .header(CONTENT_TYPE, content_type)
                .header(CONTENT_LENGTH, body.len())
                .body(body),
        };
        request = request.header(ACCEPT_ENCODING, "identity");
        if let Some(cookies) = self.cookies.header() {
            request = request.header(COOKIE, cookies);
        }
        if let Some((name, value)) = extra {
            request = request.header(name, value);
        }
        let end = self.limits.of_call(what).end(self.connected);
        let (status, headers, body) = timeout(end, self.hear(what, request, counters))
            .await
            .map_err(|_| late(what, "ended", end))??;
        if let Some(page) = &mut self.page {
            page.body = (status == 200).then(|| body.clone());
        }
        Ok(Reply { status, headers, body })
    }

    async fn hear(
        &mut self,
        what: &str,
        request: RequestBuilder,
        counters: &mut Counters,
    ) -> Result<(u16, HeaderMap, Vec<u8>), HostError> {
        let head = self.limits.of_call(what).head(self.connected);
        let sent = timeout(head, request.send()).await;
        let mut response =
            sent.map_err(|_| late(what, BEGUN, head))?.map_err(|error| self.failed(what, error))?;
        self.connected = true;
        if let Some(shown) = response.extensions().get::<TlsInfo>() {
            self.certificate = shown.peer_certificate().map(<[u8]>::to_vec);
        }
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        self.cookies.take(&headers);
        let body = self.read(what, &mut response, counters).await?;
        Ok((status, headers, body))
    }

    async fn read(
        &self,
        what: &str,
        response: &mut reqwest::Response,
        counters: &mut Counters,
    ) -> Result<Vec<u8>, HostError> {
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await.map_err(|error| self.lost(what, error))?;
            let Some(chunk) = chunk else { return Ok(body) };
            counters.received += size(chunk.len());
            if body.len() + chunk.len() > MAX_BODY {
                return Err(HostError::Unexpected {
                    expected: format!("a reply to {what} of at most {MAX_BODY} bytes"),
                    got: "more".to_owned(),
                });
            }
            body.extend_from_slice(&chunk);
        }
    }

    /// Whether a reply has come over this connection.
    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    fn failed(&self, what: &str, error: reqwest::Error) -> HostError {
        if error.is_connect() || error.is_builder() {
            HostError::NotConnected {
                endpoint: self.target.endpoint.url(),
                source: self.plain(error),
            }
        } else {
            self.lost(what, error)
        }
    }

    fn lost(&self, what: &str, error: reqwest::Error) -> HostError {
        HostError::Lost { call: what.to_owned(), source: self.plain(error) }
    }

    /// The error without the URL, which the error around it names already; of a wrong protocol, what
    /// to do.
    fn plain(&self, error: reqwest::Error) -> Box<dyn std::error::Error + Send + Sync> {
        match (tls::words::find(&error), self.target.endpoint.scheme) {
            (Some(words), _) => words.into(),
            (None, Scheme::Http) if is_garbage(&error) => {
                "the host does not answer in HTTP on this port; for https set \
                 `ansible_winrm_scheme: https` with `ansible_port: 5986`"
                    .into()
            }
            (None, Scheme::Http | Scheme::Https) => error.without_url().into(),
        }
    }
}

/// A reply that did not begin, or did not end, in its time.
#[derive(Debug, thiserror::Error)]
#[error("no answer has {how} within {seconds} seconds")]
struct Late {
    how: &'static str,
    seconds: u64,
}

/// What the host is waited for in vain: the reply's beginning.
const BEGUN: &str = "begun";

fn late(what: &str, how: &'static str, limit: Duration) -> HostError {
    let source = Box::new(Late { how, seconds: limit.as_secs() });
    HostError::Lost { call: what.to_owned(), source }
}

/// Whether the host took the request and said nothing at all.
pub(super) fn is_silence(error: &HostError) -> bool {
    match error {
        HostError::Lost { source, .. } => {
            source.downcast_ref::<Late>().is_some_and(|late| late.how == BEGUN)
        }
        _ => false,
    }
}

/// Whether what came is no HTTP at all.
fn is_garbage(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// What the inventory trusts cannot be had, so nothing is sent.
pub(super) fn untrusted(error: &tls::TrustError) -> HostError {
    let cause = std::error::Error::source(error).map(|cause| format!(" ({cause})"));
    HostError::Unsupported(format!("{error}{}", cause.unwrap_or_default()))
}

fn size(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
