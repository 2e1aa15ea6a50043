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
#[derive(Debug, Clone)]
pub struct Gate {
    used: Arc<AtomicBool>,
    wait: Duration,
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
    wait: Duration,
}

impl Default for Gate {
    fn default() -> Self {
        Self { used: Arc::default(), wait: WAIT }
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { inner, used: Arc::clone(&self.used), wait: self.wait }
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
            let wait = self.wait;
            Box::pin(async move {
                tokio::time::sleep(wait).await;
                Err(Closed.into())
            })
        } else {
            Box::pin(self.inner.call(request))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connector that counts.
    #[derive(Clone)]
    struct Connector(Arc<std::sync::atomic::AtomicUsize>);

    impl Service<()> for Connector {
        type Response = usize;
        type Error = BoxError;
        type Future = std::future::Ready<Result<usize, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            std::future::ready(Ok(self.0.fetch_add(1, Ordering::SeqCst) + 1))
        }
    }

    #[tokio::test]
    async fn only_the_first_connect_passes_whichever_clone_asks() {
        let gate = Gate { wait: Duration::ZERO, ..Gate::default() };
        let counter = Arc::default();
        let mut one = gate.layer(Connector(Arc::clone(&counter)));
        let mut two = one.clone();
        assert_eq!(one.call(()).await.unwrap(), 1);
        for gated in [&mut one, &mut two] {
            assert!(gated.call(()).await.unwrap_err().is::<Closed>());
        }
        assert_eq!(counter.load(Ordering::SeqCst), 1);
    }
}
