//! Words to a running process from other terminals: small files in the run's folder.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// `touch STOP` in the run's folder, or beside its plan file, does what `abort` does; in the state
/// folder, to every run.
const STOP: &str = "STOP";

/// What a person can tell a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Hosts in flight finish, none starts; `resume` goes on.
    Pause,
    /// The approval that a gate waits for.
    Promote,
    /// Hosts in flight finish, none starts, and the run ends.
    Abort,
}

impl Word {
    /// As the command and the file are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Promote => "promote",
            Self::Abort => "abort",
        }
    }
}

/// Leaves a word for the process that works on the run.
pub fn leave(folder: &Path, word: Word, by: &str) -> io::Result<()> {
    fs::write(folder.join(word.name()), by)
}

/// Takes a word, if it is there, and who left it; it counts once.
pub fn take(folder: &Path, word: Word) -> Option<String> {
    let path = folder.join(word.name());
    let by = fs::read_to_string(&path).unwrap_or_default();
    fs::remove_file(path).ok().map(|()| by)
}

/// The stop that was asked for, if any: it stays asked for until [`clear`].
pub fn asked(folder: &Path) -> Option<Word> {
    let stands = |name: &str| folder.join(name).exists();
    if stop_file(folder).is_some() || stands(Word::Abort.name()) {
        Some(Word::Abort)
    } else if stands(Word::Pause.name()) {
        Some(Word::Pause)
    } else {
        None
    }
}

/// Forgets words that were meant for an earlier process. A STOP file stays: whoever put it there
/// takes it away.
pub fn clear(folder: &Path) {
    for word in [Word::Pause, Word::Promote, Word::Abort] {
        take(folder, word);
    }
}

/// Where a run's folder notes the folder of the plan file that it was started with.
const PLAN_FOLDER: &str = "plan-folder";

/// Notes where the plan file stands, so that a STOP file beside it counts too.
pub fn started_with(folder: &Path, plan: &Path) -> io::Result<()> {
    let plan = fs::canonicalize(plan)?;
    match plan.parent().and_then(Path::to_str) {
        Some(beside) => fs::write(folder.join(PLAN_FOLDER), beside),
        None => Ok(()),
    }
}

/// The STOP file that forbids the run to go on: in its folder, in the state folder, or beside the plan
/// file that it was started with.
pub fn stop_file(folder: &Path) -> Option<PathBuf> {
    let state = folder.parent().and_then(Path::parent).map(Path::to_owned);
    let beside = fs::read_to_string(folder.join(PLAN_FOLDER)).ok().map(PathBuf::from);
    let places = [Some(folder.to_owned()), state, beside].into_iter().flatten();
    places.map(|place| place.join(STOP)).find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promotion_counts_once_and_a_stop_until_it_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        assert_eq!(take(at, Word::Promote), None);
        leave(at, Word::Promote, "anna").unwrap();
        assert_eq!(take(at, Word::Promote).as_deref(), Some("anna"));
        assert_eq!(take(at, Word::Promote), None);
        leave(at, Word::Pause, "anna").unwrap();
        assert_eq!(asked(at), Some(Word::Pause));
        leave(at, Word::Abort, "anna").unwrap();
        assert_eq!(asked(at), Some(Word::Abort));
        clear(at);
        assert_eq!(asked(at), None);
        fs::write(at.join(STOP), "").unwrap();
        clear(at);
        assert_eq!(asked(at), Some(Word::Abort));
        assert_eq!(stop_file(at), Some(at.join(STOP)));
    }

    #[test]
    fn a_stop_beside_the_plan_file_stops_the_run_that_was_started_with_it() {
        let (folder, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let plan = files.path().join("night.rmsplan");
        fs::write(&plan, "").unwrap();
        started_with(folder.path(), &plan).unwrap();
        assert_eq!(asked(folder.path()), None);
        fs::write(files.path().join(STOP), "").unwrap();
        assert_eq!(asked(folder.path()), Some(Word::Abort));
    }
}
