use std::process::ExitCode;

fn main() -> ExitCode {
    rmsfleet::cli::run(std::env::args_os())
}
