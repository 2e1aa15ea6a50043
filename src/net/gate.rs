//! A connector that connects once.
//!
//! NTLM authenticates the TCP connection, so a request must never go out on another one. A pool of
//! one does not hold that: it races a new connection against the return of the old one, and takes a
//! new one silently when the old one is gone. Behind this gate the first connect passes and every
//! later one waits a moment, so that a connection on its way back is taken, and then fails.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

/// How long a second connect waits for the connection to come back to the pool: a matter of one
/// task being scheduled.
const WAIT: Duration = Duration::from_millis(500);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The gate of one HTTP client, given to `ClientBuilder::connector_layer`.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    used: Arc<AtomicBool>,
}

/// The error of a second connect.
#[derive(Debug, thiserror::Error)]
#[error("the host has closed the connection, and its logon went with it")]
pub struct Closed;

/// A connector behind the gate.
#[derive(Debug, Clone)]
pub struct Gated<S> {
    inner: S,
    used: Arc<AtomicBool>,
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { inner, used: Arc::clone(&self.used) }
    }
}

impl<S, R> Service<R> for Gated<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        if self.used.swap(true, Ordering::SeqCst) {
            Box::pin(async {
                tokio::time::sleep(WAIT).await;
                Err(Closed.into())
            })
        } else {
            Box::pin(self.inner.call(request))
        }
    }
}
