//! One sink for all hosts in flight.

use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::event::Event;
use crate::event::Sink;
use crate::event::SinkError;

/// Lends the sink to whoever has something to record. It stays lost once it failed.
pub struct Recorder<'a> {
    inner: Mutex<Inner<'a>>,
}

struct Inner<'a> {
    sink: &'a mut dyn Sink,
    lost: bool,
}

impl<'a> Recorder<'a> {
    pub fn new(sink: &'a mut dyn Sink) -> Self {
        Self { inner: Mutex::new(Inner { sink, lost: false }) }
    }

    /// Returns once the event is safe.
    ///
    /// INVARIANT: after one event was not recorded, none is, so that no act can follow.
    pub fn emit(&self, event: Event) -> Result<(), SinkError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.lost {
            return Err(io::Error::other("an earlier event could not be recorded").into());
        }
        inner.lost = true;
        inner.sink.emit(event)?;
        inner.lost = false;
        Ok(())
    }
}
