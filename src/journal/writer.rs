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
use crate::journal::chain;
use crate::journal::chain::Chain;

/// Where lines go: a file, and in tests one that fails.
pub trait Disk: Write + Send {
    /// Returns once what was written is safe.
    fn sync(&mut self) -> io::Result<()>;
}

impl Disk for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// The journal of one run, open for appending. Its only way to fail is for good.
pub struct Writer<T, O> {
    disk: Box<dyn Disk>,
    run: String,
    seq: u64,
    /// What the next line names as its predecessor; the first one names the plan that it starts.
    prev: Option<String>,
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
    Ok(over(Box::new(file), run, time, observer))
}

/// A new journal on a disk.
pub fn over<T, O>(disk: Box<dyn Disk>, run: &str, time: T, observer: O) -> Writer<T, O>
where
    T: FnMut() -> Timestamp + Send,
    O: FnMut(&Record) + Send,
{
    Writer { disk, run: run.to_owned(), seq: 0, prev: None, time, observer, failed: false }
}

/// Goes on with a journal whose lines were checked: what broke off behind them is taken off, and
/// the next line follows the last whole one.
pub fn reopen<T, O>(
    path: &Path,
    run: &str,
    chain: &Chain,
    time: T,
    observer: O,
) -> io::Result<Writer<T, O>>
where
    T: FnMut() -> Timestamp + Send,
    O: FnMut(&Record) + Send,
{
    let whole = u64::try_from(chain.whole).map_err(io::Error::other)?;
    let file = OpenOptions::new().append(true).open(path)?;
    if file.metadata()?.len() < whole {
        return Err(io::Error::other("the journal was cut after it was checked"));
    }
    file.set_len(whole)?;
    file.sync_all()?;
    follow(Box::new(file), run, chain, time, observer)
}

/// Goes on with a chain whose whole lines, and no others, are on the disk.
pub fn follow<T, O>(
    disk: Box<dyn Disk>,
    run: &str,
    chain: &Chain,
    time: T,
    observer: O,
) -> io::Result<Writer<T, O>>
where
    T: FnMut() -> Timestamp + Send,
    O: FnMut(&Record) + Send,
{
    let seq = u64::try_from(chain.lines).map_err(io::Error::other)?;
    let (run, prev) = (run.to_owned(), Some(chain.sum.clone()));
    Ok(Writer { disk, run, seq, prev, time, observer, failed: false })
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
        self.failed = true;
        let prev = match (&self.prev, &event) {
            (Some(prev), _) => prev.as_str(),
            (None, Event::RunStarted { digest, .. }) => digest.as_str(),
            (None, _) => "",
        };
        let prev = prev.to_owned();
        let record = Record { seq: self.seq, ts: (self.time)(), run: self.run.clone(), event };
        let link = chain::link(&record, &prev).map_err(io::Error::from)?;
        self.disk.write_all(&link.line)?;
        self.disk.sync()?;
        self.failed = false;
        self.prev = Some(link.sum);
        self.seq += 1;
        (self.observer)(&record);
        Ok(())
    }
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
        let bad = Box::new(File::open(&path).unwrap());
        let good = std::mem::replace(&mut journal.disk, bad);
        journal.emit(event.clone()).unwrap_err();
        journal.disk = good;
        journal.emit(event).unwrap_err();
        drop(journal);
        assert_eq!(told, 1, "nobody sees what is not on disk");
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }
}
