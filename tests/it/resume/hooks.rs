//! A run with hooks around stages and around itself, killed at each of its records.

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::journal::reader;
use rmsfleet::run::driver::RunError;
use rmsfleet::run::history::History;
use rmsfleet::run::scheduler::is_finished;

use crate::apply::around::hooked;
use crate::apply::ready;
use crate::resume::Death;
use crate::resume::exactly;
use crate::resume::go_on;
use crate::resume::start;

const BEFORE: [&str; 2] = ["program ticket run-1", "program mute one"];

/// INVARIANT: no hook runs a second time without the journal saying so first, each that was begun
/// is taken back, and the taking back comes last.
#[test]
fn killed_at_any_record_no_hook_is_doubled_in_silence_and_each_is_taken_back() {
    let plan = hooked();
    let fleet = ready(&["FS1", "FS2"]);
    let (disk, report) = start(&fleet, &plan, None);
    assert_eq!(report.unwrap().exit, Exit::Ok);
    let lines = disk.lines();
    let (mut kept, mut again_somewhere) = (0, 0);
    for death in [Death::After, Death::Before, Death::Torn] {
        for at in 0..lines {
            let what = format!("{death:?} at line {at}");
            let fleet = ready(&["FS1", "FS2"]);
            let (disk, died) = start(&fleet, &plan, Some((at, death)));
            assert!(matches!(died, Err(RunError::Journal(_))), "{what}");
            let (disk, report) = go_on(&fleet, &plan, &disk, None);
            assert_eq!(report.unwrap().exit, Exit::Ok, "{what}");
            let records = reader::parse(&disk.bytes()).unwrap().records;
            let agains = |name: &str| {
                let again = |event: &Event| {
                    matches!(
                        event,
                        Event::StageHookIntended { errand, again: true } if errand.hook == name
                    )
                };
                records.iter().filter(|record| again(&record.event)).count()
            };
            let programs = [
                ("open", "program ticket run-1"),
                ("quiet", "program mute one"),
                ("loud", "program unmute one"),
                ("shut", "program close run-1"),
            ];
            for (hook, program) in programs {
                let ran = exactly(&fleet, program);
                let fresh = ran.saturating_sub(agains(hook));
                assert!(ran >= 1 && fresh <= 1, "{what}: {program} ran {ran} times");
                again_somewhere += agains(hook);
            }
            for name in ["program mail one", "program mail "] {
                let ran = exactly(&fleet, name);
                assert!(ran >= 1 && ran <= 1 + agains("mail"), "{what}: {name} ran {ran} times");
            }
            let skipped = |event: &Event| matches!(event, Event::StageHookSkipped { .. });
            kept += records.iter().filter(|record| skipped(&record.event)).count();
            let log = fleet.with(|world| world.log.clone());
            let last = |name: &str| log.iter().rposition(|line| line == name).unwrap();
            assert!(last(BEFORE[0]) < last("program close run-1"), "{what}");
            assert!(last(BEFORE[1]) < last("program unmute one"), "{what}");
            assert!(is_finished(&plan, &History::of(&records)), "{what}");
        }
    }
    assert!(kept > 0, "no hook that stood was left alone");
    assert!(again_somewhere > 0, "no hook in doubt ran again");
}
