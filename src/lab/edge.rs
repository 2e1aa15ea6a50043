//! Time and chance, as arguments of the farm.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Builder;
use uuid::Uuid;

type Draw = dyn Fn(&mut [u8]) + Send + Sync;

/// Where the farm takes time and random bytes from.
#[derive(Clone)]
pub struct Edge {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    draw: Arc<Draw>,
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edge")
    }
}

impl Edge {
    pub fn new(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        draw: impl Fn(&mut [u8]) + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), draw: Arc::new(draw) }
    }

    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    pub fn challenge(&self) -> [u8; 8] {
        let mut bytes = [0; 8];
        (self.draw)(&mut bytes);
        bytes
    }

    pub fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        (self.draw)(&mut bytes);
        Builder::from_random_bytes(bytes).into_uuid()
    }
}
