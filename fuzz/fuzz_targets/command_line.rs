#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rmsfleet::hostile::check("command_line", bytes));
