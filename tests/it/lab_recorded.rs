//! Requests of other clients, recorded on their way to Windows, as the lab's server reads them.

use std::fs;

use rmsfleet::lab::fault;
use rmsfleet::lab::request::Request;
use rmsfleet::wire::namespace;

use crate::shared;

#[test]
fn what_windows_took_passes_and_what_it_refused_does_not() {
    let Some(folder) = shared::captures("derived/pypsrp-pairs") else { return };
    let (mut passed, mut refused) = (0, 0);
    for case in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(case.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if !path.to_string_lossy().ends_with(".request.xml") {
                continue;
            }
            let mut request = Request::read(&fs::read(&path).unwrap()).unwrap();
            let timeout = request.header.find(namespace::WSMAN, "OperationTimeout");
            let negative = timeout.is_some_and(|timeout| timeout.text().contains('-'));
            let judged = request.judge().map_err(|fault| fault.code);
            let expected = if negative { Err(fault::INVALID_HEADER) } else { Ok(()) };
            assert_eq!(judged, expected, "{}", path.display());
            if negative { refused += 1 } else { passed += 1 }
        }
    }
    assert!(passed > 100 && refused > 0, "{passed} passed, {refused} refused");
}
