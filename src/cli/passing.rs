//! A sink for work that leaves no journal: the survey writes nothing, so nothing must be recorded.

use jiff::Timestamp;

use crate::event::Event;
use crate::event::Record;
use crate::event::Sink;
use crate::event::SinkError;

/// Numbers events and passes them on.
pub struct Passing<T, O> {
    run: String,
    seq: u64,
    time: T,
    observer: O,
}

impl<T, O> Passing<T, O>
where
    T: FnMut() -> Timestamp + Send,
    O: FnMut(&Record) + Send,
{
    pub fn new(run: &str, time: T, observer: O) -> Self {
        Self { run: run.to_owned(), seq: 0, time, observer }
    }
}

impl<T, O> Sink for Passing<T, O>
where
    T: FnMut() -> Timestamp + Send,
    O: FnMut(&Record) + Send,
{
    fn emit(&mut self, event: Event) -> Result<(), SinkError> {
        let record = Record { seq: self.seq, ts: (self.time)(), run: self.run.clone(), event };
        self.seq += 1;
        (self.observer)(&record);
        Ok(())
    }
}
