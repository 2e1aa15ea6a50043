//! Recorded data and peers that stand beside the project, not in it.

use std::env;
use std::path::Path;
use std::path::PathBuf;

/// Where the shared folder is expected, whether it is there or not.
pub(crate) fn root() -> PathBuf {
    env::var_os("RMSFLEET_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
}

/// A folder of the captures, or `None` with a visible line where they are not at hand.
pub(crate) fn captures(folder: &str) -> Option<PathBuf> {
    let path = root().join("captures").join(folder);
    if path.exists() {
        return Some(path);
    }
    skip(&format!("{} is not there", path.display()));
    None
}

#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub(crate) fn skip(why: &str) {
    eprintln!("SKIP: {why}");
}
