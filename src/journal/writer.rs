//! Appends events as JSON lines and returns when they are on disk.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;

use jiff::Timestamp;

use crate::event::Event;
use crate::event::Record;
use crate::event::Sink;
use crate::event::SinkError;

/// The journal of one run, open for appending. Its only way to fail is for good.
pub struct Writer<T, O> {
    file: File,
    run: String,
    seq: u64,
    time: T,
    observer: O,
    failed: bool,
}

/// Creates the journal; a file that is there already is an error, never overwritten.
///
/// `time` gives the moment of a record. `observer` sees each record once it is on disk.
pub fn create<T, O>(path: &Path, run: &str, time: T, observer: O) -> io::Result<Writer<T, O>>
where
    T: FnMut() -> Timestamp + Send,
    O: FnMut(&Record) + Send,
{
    let file = OpenOptions::new().append(true).create_new(true).open(path)?;
    sync_folder(path)?;
    Ok(Writer { file, run: run.to_owned(), seq: 0, time, observer, failed: false })
}

impl<T, O> Sink for Writer<T, O>
where
    T: FnMut() -> Timestamp + Send,
    O: FnMut(&Record) + Send,
{
    // INVARIANT: an event that could not be written stays the last one: what follows would be
    // read as if nothing were missing.
    fn emit(&mut self, event: Event) -> Result<(), SinkError> {
        if self.failed {
            return Err(io::Error::other("an earlier event could not be written").into());
        }
        let record = Record { seq: self.seq, ts: (self.time)(), run: self.run.clone(), event };
        if let Err(error) = append(&mut self.file, &record) {
            self.failed = true;
            return Err(error.into());
        }
        self.seq += 1;
        (self.observer)(&record);
        Ok(())
    }
}

fn append(file: &mut File, record: &Record) -> io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()
}

/// A new file is only safe once the folder that names it is. Windows keeps no such promise apart.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        Some(_) | None => File::open(".")?.sync_all(),
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_failed_once_takes_nothing_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut told = 0;
        let mut journal =
            create(&path, "run-1", || Timestamp::UNIX_EPOCH, |_: &Record| told += 1).unwrap();
        let event = Event::StageStarted { stage: "one".to_owned() };
        journal.emit(event.clone()).unwrap();
        // A file that is open for reading takes no line; the good one is put back afterwards.
        let good = std::mem::replace(&mut journal.file, File::open(&path).unwrap());
        journal.emit(event.clone()).unwrap_err();
        journal.file = good;
        journal.emit(event).unwrap_err();
        drop(journal);
        assert_eq!(told, 1, "nobody sees what is not on disk");
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }
}
