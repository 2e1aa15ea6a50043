//! `lock list` and `lock break NAME`, and the locks that a run takes.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::cli::attend::Shared;
use crate::cli::console::Console;
use crate::cli::request::By;
use crate::cli::stop::Stop;
use crate::cli::stop::about_folder;
use crate::error::Exit;
use crate::host::link::Clock;
use crate::journal::locks::BEAT;
use crate::journal::locks::Held;
use crate::journal::locks::Life;
use crate::journal::locks::LockError;
use crate::journal::locks::Locks;
use crate::journal::locks::Owner;
use crate::model::plan::Plan;
use crate::model::plan::PlannedWork;
use crate::model::step::Act;
use crate::model::visible::Visible;
use crate::net::clock::SystemClock;
use crate::run::action::Stop as Urgency;

/// Domains that two runs must not work on at once; a site or a role only sets the pace.
const SHARED: [&str; 3] = ["dag:", "farm:", "cluster:"];

/// What stands for hosts in none of them.
const OTHERS: &str = "hosts";

/// Takes what the plan touches, for as long as the run goes on.
pub fn take(plan: &Plan, run: &str, state: &Path, by: &By) -> Result<Held, Stop> {
    let now = SystemClock.now();
    let owner = Owner {
        name: String::new(),
        run: run.to_owned(),
        operator: by.operator.clone(),
        workstation: by.workstation.clone(),
        process: std::process::id(),
        started: now,
        heartbeat: now,
    };
    let names: Vec<String> = names(plan).into_iter().collect();
    Locks::new(state).take(&names, &owner, now).map_err(|error| stop(&error))
}

/// Gives signs of life while the run goes on; never ends. If somebody breaks a lock, hosts in
/// flight finish and no other starts.
pub async fn keep(held: Option<&mut Held>, screen: &Shared, urgency: &watch::Sender<Urgency>) {
    if let Some(held) = held {
        loop {
            SystemClock.sleep(BEAT).await;
            match held.beat(SystemClock.now()) {
                Ok(true) => {}
                Ok(false) => {
                    let words = "stopping: somebody broke a lock of this run";
                    // The panel may be gone with its terminal; stopping matters more.
                    drop(screen.lock().note(words));
                    urgency.send_if_modified(|level| {
                        let raised = *level < Urgency::Finish;
                        *level = (*level).max(Urgency::Finish);
                        raised
                    });
                    break;
                }
                Err(error) => tracing::warn!("no sign of life could be written: {error}"),
            }
        }
    }
    std::future::pending::<()>().await;
}

/// Who works on what.
pub fn list(state: &Path, by: &By, console: &mut Console) -> Result<Exit, Stop> {
    let now = SystemClock.now();
    let found = Locks::new(state).list(now, &by.workstation).map_err(|error| stop(&error))?;
    if found.is_empty() {
        console.say("no locks are held here")?;
    }
    for (owner, life) in &found {
        let Owner { name, run, operator, workstation, process, started, heartbeat } = owner;
        let line = format!(
            "{name}  {}  run {run}, {operator} on {workstation}, process {process}, since {}, \
             last sign of life {}",
            words(*life),
            minute(*started),
            minute(*heartbeat)
        );
        console.say(&Visible(&line).to_string())?;
    }
    let locks: Vec<serde_json::Value> = found
        .iter()
        .map(|(owner, life)| serde_json::json!({ "lock": owner, "life": life }))
        .collect();
    console.document("locks", "locks", serde_json::json!({ "locks": locks }))?;
    Ok(Exit::Ok)
}

/// Removes a lock on purpose.
pub fn break_one(
    state: &Path,
    by: &By,
    name: &str,
    force: Option<&str>,
    console: &mut Console,
) -> Result<Exit, Stop> {
    if let Some(other) = force.filter(|force| *force != name) {
        return Err(Stop::new(
            Exit::Usage,
            format!("--force names `{other}`, and the lock is `{name}`"),
        )
        .hint(format!("rmsfleet lock break {name} --force {name}")));
    }
    let locks = Locks::new(state);
    let broken = locks.break_one(name, force.is_some(), SystemClock.now(), &by.workstation);
    let owner = broken.map_err(|error| {
        let hint = match &error {
            LockError::Held(_) => Some(format!(
                "end that process first, or, if it cannot be reached: rmsfleet lock break {name} \
                 --force {name}"
            )),
            LockError::Unnamed { .. } | LockError::NotFound { .. } | LockError::File { .. } => None,
        };
        let stop = stop(&error);
        match hint {
            Some(hint) => stop.hint(hint),
            None => stop,
        }
    })?;
    console.did("Broken", &format!("{name}, held by run {}", owner.run))?;
    console.next(&format!("rmsfleet runs show {}", owner.run))?;
    Ok(Exit::Ok)
}

fn names(plan: &Plan) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for host in plan.hosts.values().filter(|host| host.has_work()) {
        let shared = |id: &&str| SHARED.iter().any(|prefix| id.starts_with(prefix));
        let ids = host.domains.iter().map(|domain| domain.id.as_str()).filter(shared);
        // Whatever sets the pace of its restarts, a farm is one thing.
        let farm = host.farm.iter().map(|farm| format!("farm:{farm}"));
        let mut ids = ids.map(str::to_owned).chain(farm).peekable();
        if ids.peek().is_none() {
            names.insert(OTHERS.to_owned());
        }
        names.extend(ids);
    }
    names.extend(plan.stages.iter().filter_map(|stage| match &stage.work {
        PlannedWork::Hosts { .. } => None,
        PlannedWork::Step(step) => Some(match step.act {
            Act::ExchangeIrm { .. } | Act::RefreshCertificates => {
                format!("organisation:{}", step.organisation)
            }
            Act::SharepointIrm { .. } => format!("farm:{}", step.organisation),
            Act::ClearFolder { .. } | Act::CycleServices { .. } | Act::FileObject { .. } => {
                format!("host:{}", step.via.short())
            }
        }),
    }));
    names
}

fn stop(error: &LockError) -> Stop {
    match error {
        LockError::Held(owner) => Stop::because(Exit::Locked, error).hint(format!(
            "wait for its end; if its process is gone: rmsfleet lock break {0}, then rmsfleet \
             resume {1}",
            owner.name, owner.run
        )),
        LockError::Unnamed { .. } => {
            Stop::because(Exit::Locked, error).hint("try again, or look with: rmsfleet lock list")
        }
        LockError::NotFound { .. } => {
            Stop::because(Exit::NoMatch, error).hint("rmsfleet lock list shows them all")
        }
        LockError::File { .. } => Stop::because(Exit::Data, error).hint(about_folder(error)),
    }
}

fn words(life: Life) -> &'static str {
    match life {
        Life::Alive => "alive",
        Life::Elsewhere => "alive on another workstation",
        Life::Expired => "expired",
    }
}

fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%MZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::FailureDomain;
    use crate::plan::sample;

    #[test]
    fn a_farm_is_one_lock_whatever_sets_the_pace_of_its_restarts() {
        let mut plan = sample::plan();
        let host = plan.hosts.values_mut().find(|host| host.has_work()).unwrap();
        let domain = |id: &str| FailureDomain { id: id.to_owned(), max_unavailable: 1 };
        host.domains = vec![domain("farm-role:SP01/web-front-end"), domain("site:ams")];
        host.farm = Some("SP01".to_owned());
        let names = names(&plan);
        assert!(names.contains("farm:SP01"), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("role") || name.contains("site")));
    }
}
