//! `recovery.md`: what a run left behind, host by host, and what to type about it; for whoever
//! finds the servers without the person who started the run.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::event::Event;
use crate::event::Record;
use crate::event::ledger::Ledger;
use crate::model::care::Drain;
use crate::model::change::Change;
use crate::model::host::HostName;
use crate::model::maintenance::Membership;
use crate::model::outcome::Outcome;
use crate::model::plan::Plan;
use crate::model::program::RunOn;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::template;
use crate::plan::programs;
use crate::report::words::ending;

/// What a run has left so far.
#[derive(Debug, Default)]
pub struct Recovery {
    hosts: BTreeMap<HostName, Left>,
    /// Verbs of steps whose end nobody has seen, by organisation and step.
    steps: BTreeMap<(String, String), String>,
    /// Hooks around stages and the run.
    ledger: Ledger,
}

/// What the records leave open on one host.
#[derive(Debug, Clone, Default)]
struct Left {
    /// Announced, by place.
    announced: BTreeMap<usize, Change>,
    /// Read back as planned.
    verified: BTreeSet<usize>,
    marks: BTreeSet<String>,
    owed: Option<String>,
    ordered: bool,
    proved: bool,
    /// Programs that were run for the host, in order, and whether each ended well.
    hooks: Vec<(String, bool)>,
    /// How it stood before it was taken out of service; `None` once it is back.
    maintenance: Option<Membership>,
    outcome: Option<Outcome>,
    begun: bool,
}

impl Recovery {
    pub fn of(records: &[Record]) -> Self {
        let mut recovery = Self::default();
        for record in records {
            recovery.take(&record.event);
        }
        recovery
    }

    /// The text, or `None` if the run left nothing to see to.
    pub fn text(&self, plan: &Plan, run: &str) -> Option<String> {
        render(self, plan, run)
    }
}

fn render(recovery: &Recovery, plan: &Plan, run: &str) -> Option<String> {
    let Recovery { hosts, steps, ledger } = recovery;
    let is_open = |(name, left): &(&HostName, &Left)| left.is_open(drains(plan, name));
    let open: Vec<_> = hosts.iter().filter(is_open).collect();
    let hooks = hooks(plan, run, ledger);
    if open.is_empty() && steps.is_empty() && hooks.is_none() {
        return None;
    }
    let mut text = format!(
        "# Recovery of run {run}\n\n\
         Written from the run's journal. The first thing to try, from the same workstation, is\n\n    \
         rmsfleet resume {run}\n\n\
         It reads every host before it does anything, repeats nothing, and settles what is in \
         doubt. What follows is for when that is not possible. Read before you write: another run \
         may have come meanwhile.\n"
    );
    for ((organisation, _), verb) in steps {
        let look = verb.replacen("Set-", "Get-", 1);
        text.push_str(&format!(
            "\n## {organisation}\n\n`{verb}` was announced, and nobody saw its end. Look, in the \
             product's own management shell:\n\n    {look} | Format-List\n"
        ));
    }
    text.extend(hooks);
    for (name, left) in open {
        text.push_str(&host(plan, run, name, left));
    }
    Some(text)
}

/// Hooks around stages and the run that were begun and not taken back.
fn hooks(plan: &Plan, run: &str, ledger: &Ledger) -> Option<String> {
    let change = plan.conditions.change.as_deref();
    let undone = ledger.open().filter_map(|(stage, name)| {
        let undo = plan.conditions.hooks.get(name)?.undo.as_ref()?;
        let undo = plan.conditions.hooks.get(undo)?;
        let words = undo.argv.iter().map(|part| {
            template::fill_around(part, stage, change, run).unwrap_or_else(|_| part.clone())
        });
        let place = stage.map_or_else(|| "the run".to_owned(), |stage| format!("stage {stage}"));
        let words = programs::line(&words.collect::<Vec<_>>());
        Some(format!(
            "\n## {place}\n\nThe hook `{name}` was run before {place}, and nothing took it back. {}:\
             \n\n    {words}\n",
            where_to(&undo.run_on, None)
        ))
    });
    let text: String = undone.collect();
    (!text.is_empty()).then_some(text)
}

/// Where a person runs what a hook would run.
fn where_to(run_on: &RunOn, about: Option<&HostName>) -> String {
    match (run_on, about) {
        (RunOn::Named(host), _) | (RunOn::Host, Some(host)) => format!("On {host}"),
        (RunOn::Controller, _) | (RunOn::Host, None) => "On the workstation".to_owned(),
    }
}

impl Recovery {
    /// Takes an event in.
    pub fn take(&mut self, event: &Event) {
        self.ledger.take(event);
        match event {
            Event::StepIntended { organisation, step, verb, .. } => {
                self.steps.insert((organisation.clone(), step.clone()), verb.clone());
            }
            Event::StepVerified { organisation, step, .. }
            | Event::StepUnchanged { organisation, step } => {
                self.steps.remove(&(organisation.clone(), step.clone()));
            }
            _ => {}
        }
        let Some(name) = event.host() else { return };
        let left = self.hosts.entry(name.clone()).or_default();
        match event {
            Event::HostStarted { .. } => {
                left.begun = true;
                left.outcome = None;
            }
            Event::ChangeIntended { index, change, .. } => {
                left.announced.insert(*index, change.clone());
                left.verified.remove(index);
            }
            Event::ChangeVerified { index, .. } => {
                left.verified.insert(*index);
            }
            Event::RestoreIntended { index, .. } => {
                left.verified.remove(index);
            }
            Event::RestoreVerified { index, .. } => {
                left.announced.remove(index);
            }
            Event::MarkIntended { mark, set, .. }
            | Event::LeaseIntended { lease: mark, set, .. } => {
                if *set {
                    left.marks.insert(mark.clone());
                } else {
                    left.marks.remove(mark);
                }
            }
            Event::RestartOwed { reason, .. } => left.owed = Some(reason.clone()),
            Event::RestartIntended { .. } => (left.ordered, left.proved) = (true, false),
            Event::RestartProved { .. } => (left.owed, left.proved) = (None, true),
            Event::MaintenanceFound { found, .. } => left.maintenance = Some(found.clone()),
            Event::MaintenanceLeft { .. } => left.maintenance = None,
            Event::HookIntended { hook, .. } => left.hooks.push((hook.clone(), false)),
            Event::HookEnded { ok, .. } => {
                if let Some((_, ended_well)) = left.hooks.last_mut() {
                    *ended_well = *ok;
                }
            }
            Event::HostEnded { outcome, .. } => left.outcome = Some(outcome.clone()),
            _ => {}
        }
    }
}

/// The hook that takes a host out of service, and the one that brings it back.
fn drains<'a>(plan: &'a Plan, host: &HostName) -> Option<(&'a str, &'a str)> {
    let Drain::Hook(name) = &plan.hosts.get(host)?.care.drain else { return None };
    let undo = plan.conditions.hooks.get(name)?.undo.as_ref()?;
    Some((name, undo))
}

impl Left {
    fn is_open(&self, drains: Option<(&str, &str)>) -> bool {
        if self.maintenance.is_some() || drains.is_some_and(|(_, undo)| self.is_drained(undo)) {
            return true;
        }
        match &self.outcome {
            // Its work began and nothing says how it ended.
            None => self.begun,
            Some(Outcome::InDoubt(_) | Outcome::RestartOwed { .. }) => true,
            Some(Outcome::Failed(_) | Outcome::Unreachable(_)) => {
                !self.announced.is_empty() || self.ordered && !self.proved
            }
            Some(
                Outcome::NotStarted
                | Outcome::Unchanged
                | Outcome::Changed { .. }
                | Outcome::Refused(_)
                | Outcome::Blocked,
            ) => false,
        }
    }
}

fn host(plan: &Plan, run: &str, name: &HostName, left: &Left) -> String {
    let how = match &left.outcome {
        None => "the run ended in the middle of the work on it".to_owned(),
        Some(outcome) => {
            let (verb, _, text) = ending(outcome);
            format!("{}: {text}", verb.to_lowercase())
        }
    };
    let mut text = format!("\n## {name}\n\n{how}\n");
    if left.ordered && !left.proved {
        text.push_str(
            "\nA restart was ordered and not proved. Look whether it has happened before you order \
             another:\n\n    Get-CimInstance Win32_OperatingSystem -ComputerName ",
        );
        text.push_str(&format!("{name} | Select-Object LastBootUpTime\n"));
    } else if let Some(reason) = left.owed.as_ref().filter(|_| !left.proved) {
        text.push_str(&format!(
            "\nA restart is owed ({reason}). The new values do not count until it has happened:\n\n    \
             Restart-Computer -ComputerName {name}\n"
        ));
    }
    let unsure: Vec<&Change> = left.changes(false);
    if !unsure.is_empty() {
        text.push_str("\nIn doubt, each holds the old or the new value. Look, on the host:\n\n");
        for change in &unsure {
            text.push_str(&format!("    {}\n", look(change)));
        }
    }
    let written = left.changes(true);
    if !written.is_empty() {
        text.push_str("\nWritten and read back:\n\n");
        for change in &written {
            text.push_str(&format!(
                "- `{}` = `{}`, was `{}`\n",
                change.path, change.after, change.before
            ));
        }
    }
    if !unsure.is_empty() || !written.is_empty() {
        text.push_str("\nTo take them back by hand, on the host, newest first:\n\n");
        for change in left.announced.values().rev() {
            text.push_str(&format!("    {}\n", take_back(change)));
        }
    }
    let hooks = plan.hosts.get(name).and_then(|host| {
        let (drained, undo) = drains(plan, name).filter(|(_, undo)| left.is_drained(undo))?;
        let undo = plan.conditions.hooks.get(undo)?;
        let change = plan.conditions.change.as_deref();
        let words = undo
            .argv
            .iter()
            .map(|part| template::fill(part, host, change, run).unwrap_or_else(|_| part.clone()));
        let words = programs::line(&words.collect::<Vec<_>>());
        Some((drained, where_to(&undo.run_on, Some(name)), words))
    });
    if let Some((drained, place, undo)) = hooks {
        text.push_str(&format!(
            "\nThe hook `{drained}` may have taken it out of service. To bring it back: {place}:\n\n    \
             {undo}\n"
        ));
    }
    let commands = left.maintenance.as_ref().map(Membership::recovery).unwrap_or_default();
    if !commands.is_empty() {
        text.push_str(
            "\nIt may be out of service. To bring it back as it was found, once it is up, in the \
             Exchange Management Shell and on the host; what was not reached is as found \
             already, and these change nothing there:\n\n",
        );
        for command in commands {
            text.push_str(&format!("    {command}\n"));
        }
    }
    if !left.marks.is_empty() {
        text.push_str("\nMarks of this run may stand on it; `resume` removes them:\n\n");
        for mark in &left.marks {
            text.push_str(&format!("- `{mark}`\n"));
        }
    }
    text.push_str(&format!("\nThen: rmsfleet resume {run}, or rmsfleet plan -l {name}\n"));
    text
}

impl Left {
    /// Whether a program may have taken it out of service, and none is known to have brought it back.
    fn is_drained(&self, undo: &str) -> bool {
        self.hooks.last().is_some_and(|(name, ended_well)| name != undo || !ended_well)
    }

    /// Changes that stand, or those of which nobody knows.
    fn changes(&self, verified: bool) -> Vec<&Change> {
        let of = |(index, _): &(&usize, &Change)| self.verified.contains(index) == verified;
        self.announced.iter().filter(of).map(|(_, change)| change).collect()
    }
}

/// PowerShell that reads one value, whatever characters stand in its name.
fn look(change: &Change) -> String {
    let (key, name) = (change.path.key.as_str(), quote(change.path.name.as_str()));
    let key = quote(&format!(r"HKEY_LOCAL_MACHINE\{key}"));
    format!("[Microsoft.Win32.Registry]::GetValue({key}, {name}, $null)")
}

/// PowerShell that puts back what stood before.
fn take_back(change: &Change) -> String {
    let (key, name) = (change.path.key.as_str(), quote(change.path.name.as_str()));
    let State::Present(value) = &change.before else {
        let key = quote(key);
        return format!(
            "[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey({key}, $true).DeleteValue({name})"
        );
    };
    let (data, kind) = match value {
        Value::Sz(text) => (quote(text), "String"),
        Value::ExpandSz(text) => (quote(text), "ExpandString"),
        Value::Dword(number) => (number.cast_signed().to_string(), "DWord"),
        Value::Qword(number) => (number.cast_signed().to_string(), "QWord"),
        Value::MultiSz(texts) => {
            let texts: Vec<String> = texts.iter().map(|text| quote(text)).collect();
            (format!("[string[]]@({})", texts.join(", ")), "MultiString")
        }
        Value::Binary(bytes) => {
            let bytes: Vec<String> = bytes.iter().map(ToString::to_string).collect();
            (format!("[byte[]]@({})", bytes.join(", ")), "Binary")
        }
    };
    let key = quote(&format!(r"HKEY_LOCAL_MACHINE\{key}"));
    format!("[Microsoft.Win32.Registry]::SetValue({key}, {name}, {data}, '{kind}')")
}

/// `''` is how PowerShell writes a quote within single quotes, where nothing else is special.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests;
