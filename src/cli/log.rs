//! `--log-file`: the technical log, for whoever looks into a connection.

use std::fs::OpenOptions;
use std::path::Path;

use tracing::level_filters::LevelFilter;

use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::report::screen::Verbosity;

/// Starts writing to the file; existing text stays.
pub fn start(path: &Path, verbosity: Verbosity) -> Result<(), Stop> {
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
        Stop::because(Exit::Data, &error)
            .while_doing(format!("the log file `{}`", path.display()))
            .hint("choose another with --log-file FILE")
    })?;
    let level = match verbosity {
        Verbosity::Quiet | Verbosity::Normal => LevelFilter::DEBUG,
        Verbosity::Verbose => LevelFilter::TRACE,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::sync::Mutex::new(file))
        .with_ansi(false)
        .with_max_level(level)
        .finish();
    // Set once per process; a second start would only be a second command in one process.
    drop(tracing::subscriber::set_global_default(subscriber));
    Ok(())
}
