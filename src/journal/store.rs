//! Where runs are kept: `runs/<id>/{journal.jsonl, plan}` below the state folder.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::event::Event;
use crate::event::Record;
use crate::journal::lost;
use crate::journal::reader;
use crate::journal::reader::Journal;
use crate::journal::reader::ReadError;

/// All runs below one state folder.
#[derive(Debug, Clone)]
pub struct Store {
    runs: PathBuf,
}

/// The place of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    pub id: String,
    pub path: PathBuf,
}

/// The run that used a plan before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    pub run: String,
    /// `None`: its journal is lost.
    pub at: Option<Timestamp>,
}

/// Why a run cannot be found or kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot use `{path}`")]
    Folder { path: PathBuf, source: io::Error },
    #[error("run `{id}` has been started already")]
    Taken { id: String },
    #[error("`{id}` cannot name a run; expected letters, digits and hyphens")]
    Name { id: String },
    #[error("no run begins with `{prefix}`")]
    NotFound { prefix: String },
    #[error("`{prefix}` is not enough: it begins {}", .found.join(", "))]
    Ambiguous { prefix: String, found: Vec<String> },
    #[error("cannot tell whether the plan was used, because run `{run}` cannot be read")]
    Unreadable { run: String, source: ReadError },
}

impl RunFolder {
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    /// The sealed plan as it was applied.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan")
    }

    pub fn read(&self) -> Result<Journal, ReadError> {
        reader::read(&self.journal()).map_err(|error| self.or_lost(error))
    }

    /// Why the journal has no line although the run had begun; `None` if it has one, or nothing
    /// tells of a beginning.
    pub fn lost(&self) -> Option<ReadError> {
        let error = self.start().err()?;
        matches!(error, ReadError::Lost { .. }).then_some(error)
    }

    fn start(&self) -> Result<Record, ReadError> {
        reader::read_start(&self.journal()).map_err(|error| self.or_lost(error))
    }

    fn or_lost(&self, error: ReadError) -> ReadError {
        let proof = if lost::is_nothing(&error) { lost::proof(self) } else { None };
        proof.map_or(error, |proof| ReadError::Lost { proof })
    }

    /// The id of the plan beside the journal.
    fn plan_id(&self) -> Option<String> {
        let sealed = crate::plan::open(&fs::read(self.plan()).ok()?).ok()?;
        Some(sealed.plan.id)
    }
}

impl Store {
    /// `state` is the state folder; nothing is created until a run is.
    pub fn new(state: &Path) -> Self {
        Self { runs: state.join("runs") }
    }

    /// Makes the folder of a new run and keeps the sealed plan's text in it.
    pub fn create(&self, id: &str, plan: &[u8]) -> Result<RunFolder, StoreError> {
        if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(StoreError::Name { id: id.to_owned() });
        }
        let folder = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Folder { path, source }
        };
        fs::create_dir_all(&self.runs).map_err(folder(&self.runs))?;
        let run = RunFolder { id: id.to_owned(), path: self.runs.join(id) };
        match fs::create_dir(&run.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(StoreError::Taken { id: run.id });
            }
            Err(error) => return Err(folder(&run.path)(error)),
        }
        let mut file = fs::File::create_new(run.plan()).map_err(folder(&run.plan()))?;
        file.write_all(plan).and_then(|()| file.sync_all()).map_err(folder(&run.plan()))?;
        Ok(run)
    }

    /// Where a run of this id is kept.
    pub fn folder(&self, id: &str) -> PathBuf {
        self.runs.join(id)
    }

    /// All runs in the order of their ids.
    pub fn list(&self) -> Result<Vec<RunFolder>, StoreError> {
        let wrong = |source| StoreError::Folder { path: self.runs.clone(), source };
        let entries = match fs::read_dir(&self.runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(wrong(error)),
        };
        let mut runs = Vec::new();
        for entry in entries {
            let path = entry.map_err(wrong)?.path();
            if let (true, Some(id)) = (path.is_dir(), path.file_name().and_then(|id| id.to_str())) {
                runs.push(RunFolder { id: id.to_owned(), path });
            }
        }
        runs.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(runs)
    }

    /// The one run whose id begins so.
    pub fn find(&self, prefix: &str) -> Result<RunFolder, StoreError> {
        let mut found: Vec<RunFolder> =
            self.list()?.into_iter().filter(|run| run.id.starts_with(prefix)).collect();
        if let Some(exact) = found.iter().position(|run| run.id == prefix) {
            return Ok(found.swap_remove(exact));
        }
        match (found.pop(), found.is_empty()) {
            (None, _) => Err(StoreError::NotFound { prefix: prefix.to_owned() }),
            (Some(run), true) => Ok(run),
            (Some(run), false) => {
                found.push(run);
                let found = found.into_iter().map(|run| run.id).collect();
                Err(StoreError::Ambiguous { prefix: prefix.to_owned(), found })
            }
        }
    }

    /// The run that has started this sealed plan: a plan is used once.
    ///
    /// A journal that cannot be read is an error, because it might be that run's. One that was
    /// never begun is passed over: no act precedes the first line. For one that is lost the plan in
    /// its folder speaks.
    pub fn used(&self, plan: &str) -> Result<Option<Used>, StoreError> {
        for run in self.list()? {
            let start = match run.start() {
                Ok(start) => start,
                Err(error) if lost::is_nothing(&error) => continue,
                Err(source @ ReadError::Lost { .. }) => match run.plan_id() {
                    Some(id) if id == plan => return Ok(Some(Used { run: run.id, at: None })),
                    Some(_) => continue,
                    // Put away with its plan: nothing of it is left that a plan could be.
                    None if !run.plan().exists() => continue,
                    None => return Err(StoreError::Unreadable { run: run.id, source }),
                },
                Err(source) => return Err(StoreError::Unreadable { run: run.id, source }),
            };
            // A rehearsal uses nothing up.
            if let Event::RunStarted { plan: id, rehearsal: false, .. } = start.event
                && id == plan
            {
                return Ok(Some(Used { run: run.id, at: Some(start.ts) }));
            }
        }
        Ok(None)
    }
}
