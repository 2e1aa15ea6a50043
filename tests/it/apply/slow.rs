//! A host whose writes take so long that the time for them is over.

use tokio::sync::watch;

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::event::Sink;
use rmsfleet::event::SinkError;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::run::action::Stop;

use crate::apply::apply_to;
use crate::apply::check_values;
use crate::apply::outcome;
use crate::apply::ready;
use crate::apply::two_values;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::ImaginedSink;
use crate::resume::pass_time;

/// Each value takes so many seconds.
struct Slow(Fleet, i64);

impl Sink for Slow {
    fn emit(&mut self, event: Event) -> Result<(), SinkError> {
        if let Event::ChangeVerified { .. } = event {
            pass_time(&self.0, self.1);
        }
        ImaginedSink(self.0.clone()).emit(event)
    }
}

#[test]
fn no_value_is_begun_when_its_time_is_over_and_the_host_is_as_it_was() {
    let apply = |seconds| {
        let fleet = ready(&["FS1"]);
        let (_sender, stop) = watch::channel(Stop::Go);
        let mut sink = Slow(fleet.clone(), seconds);
        let report = apply_to(&fleet, &two_values(&["FS1"], false), &mut sink, stop).unwrap();
        (fleet, report)
    };
    let (fleet, report) = apply(60);
    assert_eq!(report.exit, Exit::Ok);
    check_values(&fleet, "FS1", Some("1"), Some("2"));
    let (fleet, report) = apply(170);
    let Outcome::Failed(failure) = outcome(&report, "FS1") else { panic!("{report:?}") };
    assert!(failure.text().contains("1 of 2 values were written"), "{failure:?}");
    check_values(&fleet, "FS1", Some("old"), None);
}
