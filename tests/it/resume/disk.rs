//! A disk that fills up at any byte: nothing is done that is not on it, and the run can go on.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;

use rmsfleet::event::Event;
use rmsfleet::event::Record;
use rmsfleet::journal::chain;
use rmsfleet::journal::reader;
use rmsfleet::journal::writer;
use rmsfleet::journal::writer::Disk;
use rmsfleet::model::host::HostName;
use rmsfleet::model::plan::Plan;
use rmsfleet::run::driver::RunError;
use rmsfleet::run::driver::execute;

use crate::imagined::change;
use crate::imagined::fleet::Fleet;
use crate::imagined::hosts_stage;
use crate::imagined::plan;
use crate::imagined::planned;
use crate::resume::context;
use crate::resume::path;
use crate::resume::wait;

/// Takes so many bytes, then none.
#[derive(Clone)]
struct Small(Arc<Mutex<(Vec<u8>, usize)>>);

impl Write for Small {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut disk = self.0.lock().unwrap();
        let (bytes, room) = &mut *disk;
        let taken = line.get(..*room).unwrap_or(line);
        if taken.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *room -= taken.len();
        bytes.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Small {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn two_values() -> Plan {
    let mut host = planned("FS1");
    host.changes = vec![change("One", Some("old"), Some("1")), change("Two", None, Some("2"))];
    plan(vec![host], vec![hosts_stage("servers", vec![vec![HostName::new("FS1")]], 0, Vec::new())])
}

/// Runs with room for so many bytes; gives what is on the disk, and whether the run ended well.
fn run(room: usize) -> (Fleet, Vec<u8>, bool) {
    let fleet = Fleet::new(&["FS1"]);
    fleet.put("FS1", &path("One"), "old");
    let disk = Small(Arc::new(Mutex::new((Vec::new(), room))));
    let clock = fleet.clone();
    let now = move || clock.with(|world| world.now);
    let mut sink = writer::over(Box::new(disk.clone()), "run-1", now, |_: &Record| {});
    let plan = two_values();
    let ended = match wait(execute(context(&fleet, &plan, &mut sink))) {
        Ok(_) => true,
        Err(error @ RunError::Journal(_)) => {
            assert!(error.to_string().contains("journal cannot be written"));
            false
        }
        Err(RunError::Idle) => panic!("{room} bytes: the run waits for nothing"),
    };
    let bytes = disk.0.lock().unwrap().0.clone();
    (fleet, bytes, ended)
}

#[test]
fn a_disk_that_is_full_at_any_byte_stops_the_run_before_the_next_act() {
    let whole = run(usize::MAX).1.len();
    for room in 0..whole {
        let (fleet, bytes, ended) = run(room);
        assert!(!ended && bytes.len() == room);
        let acts = fleet.with(|world| {
            let act = |line: &&String| {
                (line.contains(" set ") || line.contains(" delete ")) && !line.contains("Lease")
            };
            world.log.iter().filter(act).count()
        });
        let told = reader::parse(&bytes).map(|journal| {
            let intent = |event: &Event| matches!(event, Event::ChangeIntended { .. });
            journal.records.iter().filter(|record| intent(&record.event)).count()
        });
        assert_eq!(acts, told.unwrap_or(0), "{room} of {whole} bytes");
        if let Ok(chain) = chain::verify(&bytes, Some("0123")) {
            assert_eq!(chain.torn.is_some(), chain.whole < room, "{room} of {whole} bytes");
        }
    }
}
