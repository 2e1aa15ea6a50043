//! One TCP connection and its security context, as a way to exchange SOAP envelopes.

use std::future::Future;
use std::mem;
use std::sync::Arc;

use crate::host::link::HostError;
use crate::host::link::Target;
use crate::host::support::unsupported;
use crate::net::accounts::Login;
use crate::net::conversation::Conversation;
use crate::net::cookies::Cookies;
use crate::net::guard::AccountGuard;
use crate::net::http::Pipe;
use crate::net::stats::Stats;

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

    /// After an error: a new connection and a new logon, for what is safe to say again.
    fn renew(&mut self) -> impl Future<Output = Result<(), HostError>> + Send {
        std::future::ready(Err(HostError::Unsupported(
            "the connection is not made anew".to_owned(),
        )))
    }
}

/// A connection that is logged on; every message on it is sealed, both ways, or goes over TLS.
///
/// An error, a time-out or a cancelled call ends it. Only where the host itself announced that it
/// closes the connection after a complete reply, or closed it while nothing was under way, the next call
/// logs on anew: nothing is in doubt then.
#[derive(Debug)]
pub struct Channel {
    state: State,
    target: Target,
    login: Arc<Login>,
    guard: AccountGuard,
    stats: Stats,
    phase: String,
    /// What the host gave for its next connections too.
    cookies: Cookies,
}

#[derive(Debug, Default)]
enum State {
    /// What `mem::take` leaves behind: a call that does not come to its good end poisons the channel.
    #[default]
    Broken,
    /// The host closed the connection in good order.
    Closed,
    Ready(Box<(Pipe, Conversation)>),
}

impl Channel {
    /// Connects and logs on.
    ///
    /// `phase` is what the connection's traffic is counted under. Fails with
    /// [`HostError::Unsupported`] before anything is sent if the endpoint asks for what this
    /// version or this system cannot do, or for what would send the password in clear.
    pub async fn open(
        target: &Target,
        login: &Arc<Login>,
        guard: &AccountGuard,
        stats: &Stats,
        phase: &str,
    ) -> Result<Self, HostError> {
        if let Some(reason) = unsupported(&target.endpoint) {
            return Err(HostError::Unsupported(reason));
        }
        let mut channel = Self {
            state: State::Broken,
            target: target.clone(),
            login: Arc::clone(login),
            guard: guard.clone(),
            stats: stats.clone(),
            phase: phase.to_owned(),
            cookies: Cookies::default(),
        };
        channel.state = State::Ready(channel.logon().await?);
        Ok(channel)
    }

    async fn logon(&self) -> Result<Box<(Pipe, Conversation)>, HostError> {
        // Large, and rarer than the messages that may need it.
        let logon = Box::pin(async {
            let pipe = Pipe::new(&self.target, &self.stats, &self.phase)?;
            let mut pipe = pipe.with(self.cookies.clone());
            let conversation = Conversation::begin(&mut pipe, &self.login, &self.guard).await?;
            Ok(Box::new((pipe, conversation)))
        });
        self.guard.once(self.login.user(), &self.target, logon).await
    }
}

impl SoapCall for Channel {
    async fn call(&mut self, what: &str, envelope: Vec<u8>) -> Result<Vec<u8>, HostError> {
        let mut ready = match mem::take(&mut self.state) {
            State::Ready(ready) => ready,
            State::Closed => self.logon().await?,
            State::Broken => {
                return Err(HostError::NotConnected {
                    endpoint: self.target.endpoint.url(),
                    source: "the connection was given up after an earlier failure".into(),
                });
            }
        };
        let (pipe, conversation) = &mut *ready;
        let answered = match conversation.exchange(pipe, what, &envelope).await {
            // The host closed a connection that was silent for long (Windows does after two minutes),
            // and not a byte was sent on it: context and connection are made anew, and nothing is
            // in doubt.
            Err(HostError::NotConnected { .. }) if pipe.is_connected() => {
                ready = self.logon().await?;
                let (pipe, conversation) = &mut *ready;
                conversation.exchange(pipe, what, &envelope).await
            }
            other => other,
        };
        self.cookies.clone_from(ready.0.cookies());
        let (reply, envelope) = answered
            .inspect_err(|error| self.guard.note(self.login.user(), &self.target, error))?;
        self.state = if reply.closes() { State::Closed } else { State::Ready(ready) };
        Ok(envelope)
    }

    async fn renew(&mut self) -> Result<(), HostError> {
        self.state = State::Broken;
        self.state = State::Ready(self.logon().await?);
        Ok(())
    }
}
