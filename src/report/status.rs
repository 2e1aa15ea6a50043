//! `status`: where a run stands, for whoever comes to the terminal in the middle of it.

use jiff::Timestamp;

use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::plan::Plan;
use crate::model::plan::PlannedStage;
use crate::model::plan::PlannedWork;
use crate::model::visible::visible;
use crate::plan::fold::compress;
use crate::report::answers::pieces;
use crate::report::human::Labels;
use crate::report::plural;
use crate::report::standing::HostStanding;
use crate::report::standing::Pulse;
use crate::report::standing::Standing;
use crate::report::standing::StepStanding;
use crate::report::style::Sign;
use crate::report::style::Style;
use crate::report::style::Tint;
use crate::report::style::fit;
use crate::report::words::ending;
use crate::report::words::phase;

/// Busy hosts, and hosts in trouble, that are named without `--full`.
const NAMED: usize = 12;

/// What the text is made of.
pub struct Status<'a> {
    pub run: &'a str,
    pub plan: &'a Plan,
    pub standing: &'a Standing,
    pub pulse: &'a Pulse,
    pub now: Timestamp,
    /// Every host, however it stands.
    pub full: bool,
}

impl Status<'_> {
    /// Lines of at most `columns`, but for what must stay whole.
    pub fn render(&self, style: Style, columns: usize) -> String {
        let mut lines = vec![self.head(style)];
        let mut say = |tint: Tint, verb: &str, text: &str| {
            let room = columns.saturating_sub(14).max(24);
            for (place, part) in pieces(&visible(text), room).iter().enumerate() {
                let verb = if place == 0 { verb } else { "" };
                lines.push(format!("{}  {part}", style.paint(tint, &format!("{verb:>12}"))));
            }
        };
        let (tint, text) = self.state();
        say(tint, "State", &text);
        if let Some(reason) = &self.standing.halted {
            say(Tint::Bad, "Halted", reason);
        }
        if let Some(text) = self.stage() {
            say(Tint::Good, "Stage", &text);
        }
        let asks = self.standing.approval(self.plan).is_some();
        if let Some((gate, seen)) = self.standing.gate.as_ref().filter(|_| !asks) {
            let seen = if seen.is_empty() { String::new() } else { format!(", red: {seen}") };
            say(Tint::Change, "Gate", &format!("{gate}{seen}"));
        }
        say(Tint::Good, "Hosts", &self.hosts(style));
        let capacity = self.capacity(style);
        if !capacity.is_empty() {
            say(Tint::Good, "Capacity", &capacity);
        }
        for (verb, tint, text) in self.named(style) {
            say(tint, verb, &text);
        }
        for ((whose, stage), step) in &self.standing.steps {
            let (tint, text) = match step {
                StepStanding::Held(reason) => (Tint::Change, format!("held: {reason}")),
                StepStanding::Unchanged => (Tint::Good, "held what it sets".to_owned()),
                StepStanding::Begun => (Tint::Bad, "begun, and its end was not seen".to_owned()),
                StepStanding::Verified => (Tint::Good, "set and read back".to_owned()),
                StepStanding::Failed(reason) => (Tint::Bad, format!("failed: {reason}")),
            };
            say(tint, "Step", &format!("{stage} for {whose}: {text}"));
        }
        for (stage, hook) in self.standing.hooks.open() {
            let place =
                stage.map_or_else(|| "the run".to_owned(), |stage| format!("stage {stage}"));
            say(Tint::Change, "Hook", &format!("{hook} of {place} ran, and is not taken back yet"));
        }
        for text in self.ahead() {
            say(Tint::Faint, "Ahead", &text);
        }
        lines.join("\n") + "\n"
    }

    fn head(&self, style: Style) -> String {
        let summary = self.standing;
        let dot = style.sign(Sign::Dot);
        let change = self.plan.conditions.change.as_ref();
        let change = change.map(|change| format!("{change} {dot} ")).unwrap_or_default();
        let lab = if summary.lab { " (lab: simulated hosts)" } else { "" };
        let rehearsal = if summary.rehearsal { ", a rehearsal" } else { "" };
        let head = format!("run {}", self.run);
        format!(
            "{}  {}{lab}{rehearsal} {dot} {} on {}",
            style.paint(Tint::Strong, &head),
            visible(&format!("{change}{}", self.plan.playbook)),
            visible(&summary.operator),
            visible(&summary.workstation),
        )
    }

    fn state(&self) -> (Tint, String) {
        let summary = self.standing;
        if let Some((code, name)) = &summary.exit {
            let ended = summary.ended.map(|at| self.ago(at)).unwrap_or_default();
            let tint = if *code == 0 { Tint::Good } else { Tint::Bad };
            return (tint, format!("ended {ended} ago, exit {code} ({name})"));
        }
        let last = self.standing.last.map(|at| self.ago(at)).unwrap_or_default();
        let begun = summary.started.map(|at| self.ago(at)).unwrap_or_default();
        if let Some((_, prompt)) = self.standing.approval(self.plan) {
            return (Tint::Change, format!("waits for a person, since {last}: {prompt}"));
        }
        if let Some((whose, _)) = &self.standing.awaited {
            return (Tint::Change, format!("waits for what is done by hand for {whose}"));
        }
        match self.pulse {
            Pulse::Alive { process, workstation, heartbeat } => {
                let beat = self.ago(*heartbeat);
                let text = format!(
                    "at work for {begun}: process {process} on {workstation}, last sign of life \
                     {beat} ago"
                );
                (Tint::Good, text)
            }
            Pulse::Gone => {
                let text =
                    format!("stands still: its process is gone, and its last word is {last} old");
                (Tint::Bad, text)
            }
            Pulse::Untold => (
                Tint::Change,
                format!("not ended; its last word is {last} old (no lock tells more)"),
            ),
        }
    }

    fn ago(&self, at: Timestamp) -> String {
        let seconds = self.now.duration_since(at).as_secs();
        plural::clock(u64::try_from(seconds).unwrap_or(0))
    }

    fn stage(&self) -> Option<String> {
        let place = self.standing.stage?;
        let stage = self.plan.stages.get(place)?;
        let batch = match self.standing.batch {
            Some((batch, batches)) if !self.standing.is_stage_over => {
                format!(", batch {batch} of {batches}")
            }
            Some(_) | None => String::new(),
        };
        let over = if self.standing.is_stage_over { ", over" } else { "" };
        Some(format!("{} ({} of {}){batch}{over}", stage.name, place + 1, self.plan.stages.len()))
    }

    fn hosts(&self, style: Style) -> String {
        let (mut waiting, mut busy, mut verified) = (0, 0, 0);
        let mut ended: Vec<(&str, usize)> = Vec::new();
        for host in self.standing.hosts.values() {
            match host {
                HostStanding::Waiting => waiting += 1,
                HostStanding::Busy(_) => busy += 1,
                HostStanding::Verified => verified += 1,
                HostStanding::Ended(outcome) => {
                    let (verb, _, _) = ending(outcome);
                    match ended.iter_mut().find(|(known, _)| *known == verb) {
                        Some((_, count)) => *count += 1,
                        None => ended.push((verb, 1)),
                    }
                }
            }
        }
        let mut parts: Vec<String> = ended
            .into_iter()
            .map(|(verb, count)| format!("{count} {}", verb.to_lowercase()))
            .collect();
        for (count, word) in
            [(verified, "written, restart to come"), (busy, "busy"), (waiting, "waiting")]
        {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        let dot = format!(" {} ", style.sign(Sign::Dot));
        format!("{} with work: {}", self.standing.hosts.len(), parts.join(&dot))
    }

    fn capacity(&self, style: Style) -> String {
        let each = self.standing.capacity.iter().map(|(id, (up, of, votes))| {
            let short = id.split_once(':').map_or(id.as_str(), |(_, name)| name);
            format!("{short} {}", plural::capacity(*up, *of, *votes))
        });
        each.collect::<Vec<_>>().join(&format!(" {} ", style.sign(Sign::Dot)))
    }

    /// Hosts in trouble, hosts at work, and what is owed.
    fn named(&self, style: Style) -> Vec<(&'static str, Tint, String)> {
        let labels = Labels::new(self.standing.hosts.keys());
        let width = labels.width().max(8);
        let line = |host: &HostName, text: &str| format!("{:<width$}  {text}", labels.label(host));
        let (mut trouble, mut busy, mut calm) = (Vec::new(), Vec::new(), Vec::new());
        for (name, host) in &self.standing.hosts {
            match host {
                HostStanding::Busy(own) => {
                    let clock = match own.budget {
                        Some(budget) => {
                            format!("{} / {}", self.ago(own.since), plural::clock(budget.into()))
                        }
                        None => self.ago(own.since),
                    };
                    let seen = fit(&visible(&own.seen), 60, style);
                    let text = format!("{:<9} {clock}  {seen}", phase(own.phase));
                    busy.push(("Busy", Tint::Good, line(name, text.trim_end())));
                }
                HostStanding::Ended(outcome @ (Outcome::Unchanged | Outcome::Changed { .. })) => {
                    let (verb, tint, text) = ending(outcome);
                    calm.push((verb, tint, line(name, &text)));
                }
                HostStanding::Ended(outcome) => {
                    let (verb, tint, text) = ending(outcome);
                    trouble.push((verb, tint, line(name, &text)));
                }
                HostStanding::Verified | HostStanding::Waiting => {
                    calm.push(("Waits", Tint::Faint, line(name, "")));
                }
            }
        }
        for (name, reason) in &self.standing.owed {
            let told = matches!(
                self.standing.hosts.get(name),
                Some(HostStanding::Ended(Outcome::RestartOwed { .. }))
            );
            if !told {
                trouble.push(("Owes", Tint::Change, line(name, &format!("a restart: {reason}"))));
            }
        }
        let mut named = Vec::new();
        for list in [trouble, busy] {
            let hidden = if self.full { 0 } else { list.len().saturating_sub(NAMED) };
            let shown = list.len() - hidden;
            named.extend(list.into_iter().take(shown));
            if hidden > 0 {
                named.push(("", Tint::Faint, format!("and {hidden} more (--full)")));
            }
        }
        if self.full {
            named.extend(calm);
        }
        named
    }

    /// What is still to come, stage by stage, the one under way first.
    fn ahead(&self) -> Vec<String> {
        let is_over = self.standing.ended.is_some();
        let from = self.standing.stage.filter(|_| !is_over).unwrap_or(0);
        let stages = self.plan.stages.iter().enumerate().skip(from);
        let told = stages.filter_map(|(place, stage)| self.stage_ahead(place, stage));
        told.collect()
    }

    fn stage_ahead(&self, place: usize, stage: &PlannedStage) -> Option<String> {
        match &stage.work {
            PlannedWork::Hosts { .. } => {
                let hosts = self.standing.ahead(&stage.work);
                (!hosts.is_empty()).then(|| {
                    let count = plural::count(hosts.len(), "host");
                    format!("{}: {count}: {}", stage.name, compress(&hosts))
                })
            }
            PlannedWork::Step(step) => {
                let over = self.standing.stage == Some(place) && self.standing.is_stage_over;
                let name = (step.organisation.clone(), stage.name.clone());
                let done = matches!(
                    self.standing.steps.get(&name),
                    Some(StepStanding::Verified | StepStanding::Unchanged)
                );
                (!over && !done && !step.satisfied)
                    .then(|| format!("{}: once for {}", stage.name, step.organisation))
            }
        }
    }
}
