//! The bodies of replies: whole, or torn off in the middle.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use http::Response;
use hyper::body::Body;
use hyper::body::Bytes;
use hyper::body::Frame;
use hyper::body::SizeHint;

/// The connection is to be reset without a reply, or in the middle of one.
#[derive(Debug, thiserror::Error)]
#[error("the host went down")]
pub struct Gone;

pub type Reply = Response<Payload>;

/// What a reply says after its head.
#[derive(Debug)]
pub struct Payload {
    length: u64,
    rest: Option<Bytes>,
    torn: Torn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Torn {
    No,
    /// Once what is left has been sent.
    AtTheEnd,
    /// It has.
    Now,
}

impl Payload {
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes: Bytes = bytes.into();
        let rest = Some(bytes).filter(|bytes| !bytes.is_empty());
        Self { length: length(rest.as_ref()), rest, torn: Torn::No }
    }

    /// The first half, behind a head that promises the whole.
    #[must_use]
    pub fn torn(self) -> Self {
        let half = self.rest.map(|bytes| bytes.slice(..bytes.len() / 2));
        Self { rest: half, torn: Torn::AtTheEnd, ..self }
    }
}

fn length(bytes: Option<&Bytes>) -> u64 {
    bytes.map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX))
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Gone;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Gone>>> {
        if let Some(bytes) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.torn {
            Torn::No => Poll::Ready(None),
            // What was handed over is sent while the body has nothing to say.
            Torn::AtTheEnd => {
                self.torn = Torn::Now;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Torn::Now => Poll::Ready(Some(Err(Gone))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.torn == Torn::No
    }

    fn size_hint(&self) -> SizeHint {
        let left = if self.torn == Torn::No { length(self.rest.as_ref()) } else { self.length };
        SizeHint::with_exact(left)
    }
}
