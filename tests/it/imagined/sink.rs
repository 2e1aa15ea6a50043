//! Events in their place between the acts.

use std::io;

use rmsfleet::event::Event;
use rmsfleet::event::Sink;
use rmsfleet::event::SinkError;

use crate::imagined::fleet::Fleet;

/// Writes events into the world's log, so that they stand in order with the acts.
pub(crate) struct ImaginedSink(pub(crate) Fleet);

impl Sink for ImaginedSink {
    fn emit(&mut self, event: Event) -> Result<(), SinkError> {
        self.0.with(|world| {
            if world.events.len() >= world.sink_fails_at {
                return Err(io::Error::other("the disk is full").into());
            }
            let tag = serde_json::to_value(&event).unwrap();
            let host = tag.get("host").and_then(|host| host.as_str()).unwrap_or("run");
            let kind = tag.get("type").and_then(|kind| kind.as_str()).unwrap();
            world.log.push(format!("[{host} {kind}]"));
            world.events.push(event);
            Ok(())
        })
    }
}
