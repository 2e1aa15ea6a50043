//! Who works on what: one lock per organisation, farm and cluster, below the state folder.
//!
//! Each lock is two files. `NAME.lock` is held by the process as long as it lives, and by the
//! system's word nobody else's; `NAME.json` says who that is, for people, and for workstations that
//! share the folder but not the system's word.

use std::fs;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

/// Longer without a sign of life, and a lock of another workstation counts no more.
pub const EXPIRES_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// How often a holder has to give a sign of life.
pub const BEAT: std::time::Duration = std::time::Duration::from_secs(30);

/// Who holds a lock, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The lock's name: `organisation:Contoso`.
    pub name: String,
    pub run: String,
    pub operator: String,
    pub workstation: String,
    pub process: u32,
    pub started: Timestamp,
    pub heartbeat: Timestamp,
}

/// Whether a lock still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    /// Its process runs on this machine.
    Alive,
    /// Its process runs elsewhere, as its last sign of life says.
    Elsewhere,
    /// Its process is gone, or has given no sign of life for too long.
    Expired,
}

/// Why a lock cannot be taken or broken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("cannot use `{path}`")]
    File { path: PathBuf, source: io::Error },
    #[error(
        "`{}` is locked by run {} of {} on {}, process {}, since {}, last sign of life {}",
        .0.name, .0.run, .0.operator, .0.workstation, .0.process, .0.started, .0.heartbeat
    )]
    Held(Box<Owner>),
    /// Its process is just taking it, or leaving.
    #[error("`{name}` is locked by a process that has not said who it is")]
    Unnamed { name: String },
    #[error("there is no lock `{name}`")]
    NotFound { name: String },
}

/// The locks below one state folder.
#[derive(Debug, Clone)]
pub struct Locks {
    folder: PathBuf,
}

/// Locks that this process holds, until it is dropped.
#[derive(Debug)]
pub struct Held {
    folder: PathBuf,
    owners: Vec<(Owner, File)>,
}

impl Locks {
    /// `state` is the state folder; nothing is created until a lock is taken.
    pub fn new(state: &Path) -> Self {
        Self { folder: state.join("locks") }
    }

    /// Takes all of these or none. `owner` says who for each of them; its `name` is not looked at.
    ///
    /// A lock whose process is gone from this workstation is taken over, so that a resume gets what
    /// its run held.
    pub fn take(&self, names: &[String], owner: &Owner, now: Timestamp) -> Result<Held, LockError> {
        fs::create_dir_all(&self.folder).map_err(|source| wrong(&self.folder, source))?;
        let mut held = Held { folder: self.folder.clone(), owners: Vec::new() };
        for name in names {
            let owner = Owner { name: name.clone(), ..owner.clone() };
            let file = self.claim(&owner, now)?;
            held.owners.push((owner, file));
        }
        Ok(held)
    }

    /// All locks with a holder, by name.
    pub fn list(&self, now: Timestamp, workstation: &str) -> Result<Vec<(Owner, Life)>, LockError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(wrong(&self.folder, error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|source| wrong(&self.folder, source))?.path();
            if path.extension().is_some_and(|extension| extension == "json")
                && let Some(owner) = read(&path)
            {
                let life = self.life(&owner, now, workstation)?;
                found.push((owner, life));
            }
        }
        found.sort_by(|(left, _), (right, _)| left.name.cmp(&right.name));
        Ok(found)
    }

    /// Removes an expired lock; with `force` one that counts as well. Gives its last holder.
    pub fn break_one(
        &self,
        name: &str,
        force: bool,
        now: Timestamp,
        workstation: &str,
    ) -> Result<Owner, LockError> {
        let missing = || LockError::NotFound { name: name.to_owned() };
        let owner = read(&self.said(name)).ok_or_else(missing)?;
        if self.life(&owner, now, workstation)? != Life::Expired && !force {
            return Err(LockError::Held(Box::new(owner)));
        }
        for path in [self.said(name), self.kept(name)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(wrong(&path, error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(owner)
    }

    fn claim(&self, owner: &Owner, now: Timestamp) -> Result<File, LockError> {
        let (kept, said) = (self.kept(&owner.name), self.said(&owner.name));
        let file = File::create(&kept).map_err(|source| wrong(&kept, source))?;
        let before = read(&said);
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(match before {
                    Some(before) => LockError::Held(Box::new(before)),
                    None => LockError::Unnamed { name: owner.name.clone() },
                });
            }
            Err(TryLockError::Error(source)) => return Err(wrong(&kept, source)),
        }
        if let Some(before) = before
            && counts_elsewhere(&before, now, &owner.workstation)
        {
            return Err(LockError::Held(Box::new(before)));
        }
        say(&said, owner).map_err(|source| wrong(&said, source))?;
        Ok(file)
    }

    fn life(&self, owner: &Owner, now: Timestamp, workstation: &str) -> Result<Life, LockError> {
        let kept = self.kept(&owner.name);
        match File::open(&kept).map(|file| file.try_lock()) {
            Ok(Err(TryLockError::WouldBlock)) => return Ok(Life::Alive),
            Ok(Err(TryLockError::Error(source))) => return Err(wrong(&kept, source)),
            Ok(Ok(())) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(wrong(&kept, error)),
        }
        Ok(if counts_elsewhere(owner, now, workstation) { Life::Elsewhere } else { Life::Expired })
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{}.lock", file_name(name)))
    }

    fn said(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{}.json", file_name(name)))
    }
}

impl Held {
    /// Gives a sign of life. `false`: somebody broke a lock, and may be at work on the same hosts.
    pub fn beat(&mut self, now: Timestamp) -> Result<bool, LockError> {
        let locks = Locks { folder: self.folder.clone() };
        for (owner, _) in &mut self.owners {
            let said = locks.said(&owner.name);
            if !read(&said).is_some_and(|found| is_same(&found, owner)) {
                return Ok(false);
            }
            owner.heartbeat = now;
            say(&said, owner).map_err(|source| wrong(&said, source))?;
        }
        Ok(true)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let locks = Locks { folder: self.folder.clone() };
        for (owner, _) in &self.owners {
            let said = locks.said(&owner.name);
            if read(&said).is_some_and(|found| is_same(&found, owner)) {
                // What is left here is taken over: the process is gone with the file it holds.
                drop(fs::remove_file(said));
            }
        }
    }
}

fn wrong(path: &Path, source: io::Error) -> LockError {
    LockError::File { path: path.to_owned(), source }
}

/// The system's word reaches as far as this machine.
fn counts_elsewhere(owner: &Owner, now: Timestamp, workstation: &str) -> bool {
    owner.workstation != workstation && now.duration_since(owner.heartbeat) < EXPIRES_AFTER
}

fn is_same(one: &Owner, other: &Owner) -> bool {
    (&one.run, one.process, &one.workstation) == (&other.run, other.process, &other.workstation)
}

/// What cannot be read names nobody.
fn read(path: &Path) -> Option<Owner> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Written beside and moved into place: nobody reads half of it.
fn say(path: &Path, owner: &Owner) -> io::Result<()> {
    let beside = path.with_extension("part");
    let mut file = File::create(&beside)?;
    file.write_all(&serde_json::to_vec(owner)?)?;
    drop(file);
    fs::rename(&beside, path)
}

/// Two names that differ in odd letters alone share a lock, which is the safe side.
fn file_name(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(letter).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn owner(run: &str, workstation: &str, minute: i64) -> Owner {
        Owner {
            name: String::new(),
            run: run.to_owned(),
            operator: "admin".to_owned(),
            workstation: workstation.to_owned(),
            process: 7,
            started: at(minute),
            heartbeat: at(minute),
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn locks() -> (tempfile::TempDir, Locks) {
        let folder = tempfile::tempdir().unwrap();
        let locks = Locks::new(folder.path());
        (folder, locks)
    }

    #[track_caller]
    fn check_held(result: Result<Held, LockError>, run: &str) {
        match result {
            Err(LockError::Held(owner)) => assert_eq!(owner.run, run),
            other => panic!("expected to be kept out by {run}: {other:?}"),
        }
    }

    #[test]
    fn one_holder_at_a_time_and_the_other_is_told_who() {
        let (_folder, locks) = locks();
        let both = names(&["farm:SP-1", "organisation:Contoso"]);
        let first = locks.take(&both, &owner("run-1", "desk", 0), at(0)).unwrap();
        let contoso = names(&["organisation:CONTOSO"]);
        check_held(locks.take(&contoso, &owner("run-2", "desk", 1), at(1)), "run-1");
        let other = names(&["farm:SP-2"]);
        locks.take(&other, &owner("run-2", "desk", 1), at(1)).unwrap();
        drop(first);
        locks.take(&contoso, &owner("run-2", "desk", 2), at(2)).unwrap();
        assert_eq!(locks.list(at(2), "desk").unwrap(), []);
    }

    #[test]
    fn a_lock_whose_process_is_gone_is_taken_over_on_its_own_workstation_at_once() {
        let (_folder, locks) = locks();
        let farm = names(&["farm:SP-1"]);
        let mut first = locks.take(&farm, &owner("run-1", "desk", 0), at(0)).unwrap();
        // As after `kill -9`: the system lets go, and nobody tidies up.
        first.owners.clear();
        drop(first);
        let listed = locks.list(at(1), "desk").unwrap();
        assert_eq!(listed[0].1, Life::Expired);
        check_held(locks.take(&farm, &owner("run-2", "other", 1), at(1)), "run-1");
        locks.take(&farm, &owner("run-1", "desk", 1), at(1)).unwrap();
    }

    #[test]
    fn a_lock_of_another_workstation_expires_without_a_sign_of_life() {
        let (_folder, locks) = locks();
        let farm = names(&["farm:SP-1"]);
        let mut first = locks.take(&farm, &owner("run-1", "other", 0), at(0)).unwrap();
        assert!(first.beat(at(5)).unwrap());
        first.owners.clear();
        assert_eq!(locks.list(at(14), "desk").unwrap()[0].1, Life::Elsewhere);
        check_held(locks.take(&farm, &owner("run-2", "desk", 14), at(14)), "run-1");
        locks.take(&farm, &owner("run-2", "desk", 15), at(15)).unwrap();
    }

    #[test]
    fn only_an_expired_lock_breaks_without_force_and_its_holder_notices() {
        let (_folder, locks) = locks();
        let farm = names(&["farm:SP-1"]);
        let mut first = locks.take(&farm, &owner("run-1", "desk", 0), at(0)).unwrap();
        assert_eq!(locks.list(at(60), "desk").unwrap()[0].1, Life::Alive);
        let broken = |force| locks.break_one("farm:SP-1", force, at(60), "desk");
        assert!(matches!(broken(false), Err(LockError::Held(_))));
        assert_eq!(broken(true).unwrap().run, "run-1");
        assert!(matches!(broken(true), Err(LockError::NotFound { .. })));
        let second = locks.take(&farm, &owner("run-2", "desk", 60), at(60)).unwrap();
        assert!(!first.beat(at(61)).unwrap());
        drop(first);
        assert_eq!(locks.list(at(61), "desk").unwrap()[0].0.run, "run-2");
        drop(second);
    }
}
