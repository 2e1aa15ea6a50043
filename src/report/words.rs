//! Every event in words: a verb, whom it concerns, what there is to say.

use jiff::Timestamp;

use crate::event::Event;
use crate::event::Phase;
use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::step::StepState;
use crate::report::plural;
use crate::report::style::Tint;

/// Of a hook that an earlier process has begun.
const AGAIN: &str = "; it may have run before, and was not seen to end well";

/// One event, ready to be laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub verb: &'static str,
    pub tint: Tint,
    pub about: About,
    pub text: String,
    pub weight: Weight,
}

/// Whom an event concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    Host(HostName),
    Name(String),
    Run,
}

/// How much of it a reader wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// With `--verbose` only.
    Detail,
    Normal,
    /// Even with `--quiet`.
    Problem,
}

impl Words {
    fn new(verb: &'static str, tint: Tint, about: About, text: String, weight: Weight) -> Self {
        Self { verb, tint, about, text, weight }
    }

    /// One line without layout, for `message` in JSON.
    pub fn sentence(&self) -> String {
        let about = match &self.about {
            About::Host(host) => host.as_str(),
            About::Name(name) => name,
            About::Run => "",
        };
        let parts = [self.verb, about, &self.text];
        parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ")
    }
}

pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Survey => "survey",
        Phase::Registry => "registry",
        Phase::Peers => "peers",
        Phase::Drain => "drain",
        Phase::Restart => "restart",
        Phase::Settle => "settle",
        Phase::Gates => "gates",
        Phase::Back => "back",
        Phase::Step => "organisation step",
    }
}

/// What to say about an event. Every event has words; `weight` tells who wants them.
pub fn words(event: &Event) -> Words {
    let host = |name: &HostName| About::Host(name.clone());
    let name = |text: &str| About::Name(text.to_owned());
    let detail = |verb, about, text| Words::new(verb, Tint::Good, about, text, Weight::Detail);
    let normal = |verb, about, text| Words::new(verb, Tint::Good, about, text, Weight::Normal);
    let problem = |verb, about, text| Words::new(verb, Tint::Bad, about, text, Weight::Problem);
    match event {
        Event::RunStarted { plan, lab, rehearsal, operator, workstation, .. } => {
            let where_to = match (*lab, *rehearsal) {
                (true, true) => "rehearsal on the simulated farm, plan",
                (false, true) => "rehearsal, nothing is written, plan",
                (true, false) => "simulated farm, plan",
                (false, false) => "plan",
            };
            // The journal has the whole name; eight letters are told apart as well.
            let plan: String = plan.chars().take(8).collect();
            let text = format!("{where_to} {plan}, {operator} on {workstation}");
            normal("Started", About::Run, text)
        }
        Event::RunResumed { segment, operator, workstation, torn, tool: _ } => {
            let torn = if torn.is_some() { ", after a line that breaks off" } else { "" };
            let text = format!("part {segment}, {operator} on {workstation}{torn}");
            normal("Resumed", About::Run, text)
        }
        Event::PlanApproved { by, key } => {
            normal("Approved", About::Run, format!("by {by}, {key}"))
        }
        Event::HostsLeftOut { limit, hosts } => {
            let hosts: Vec<&str> = hosts.iter().map(HostName::short).collect();
            let text = format!("by --limit {limit}: {}", plural::list(&hosts, 8));
            Words::new("Left out", Tint::Change, About::Run, text, Weight::Normal)
        }
        Event::StageStarted { stage } => normal("Stage", name(stage), String::new()),
        Event::BatchStarted { stage, batch, batches, hosts } => {
            let hosts: Vec<&str> = hosts.iter().map(HostName::short).collect();
            let text = format!("batch {batch}/{batches}: {}", plural::list(&hosts, 8));
            normal("Batch", name(stage), text)
        }
        Event::HostStarted { host: at, phase: what } => {
            detail("Starting", host(at), phase(*what).to_owned())
        }
        Event::ChangeIntended { host: at, index, change } => {
            let text =
                format!("{}: {} {}, was {}", index + 1, change.path, change.after, change.before);
            detail("Writing", host(at), text)
        }
        Event::ChangeVerified { host: at, index } => {
            detail("Wrote", host(at), format!("{}: read back as planned", index + 1))
        }
        Event::RestoreIntended { host: at, index } => {
            problem("Restoring", host(at), format!("taking back change {}", index + 1))
        }
        Event::RestoreVerified { host: at, index } => {
            problem("Restored", host(at), format!("change {} taken back and read", index + 1))
        }
        Event::HostSurveyed { host: at, failure: None } => detail("Read", host(at), String::new()),
        Event::HostSurveyed { host: at, failure: Some(failure) } => {
            problem("Unread", host(at), failure.text())
        }
        Event::HostVerified { host: at, values } => {
            normal("Verified", host(at), plural::count(*values, "value"))
        }
        Event::MarkIntended { host: at, mark, set } => {
            let verb = if *set { "Marking" } else { "Unmarking" };
            detail(verb, host(at), mark.clone())
        }
        Event::LeaseIntended { host: at, lease, set } => {
            let verb = if *set { "Leasing" } else { "Releasing" };
            detail(verb, host(at), lease.clone())
        }
        Event::KeyIntended { host: at, key, create } => {
            let verb = if *create { "Creating" } else { "Deleting" };
            detail(verb, host(at), key.to_string())
        }
        Event::RestartOwed { host: at, reason, inherited: _ } => {
            Words::new("Owed", Tint::Change, host(at), format!("restart: {reason}"), Weight::Detail)
        }
        Event::RestartReady { host: at, boot, up_seconds, services: _, others: _ } => {
            let text = format!("up since {}, for {}", minute(*boot), plural::clock(*up_seconds));
            detail("Due", host(at), text)
        }
        Event::RestartIntended { host: at, boot_before } => {
            normal("Restarting", host(at), format!("up since {}", minute(*boot_before)))
        }
        Event::RestartOrdered { host: at, code } => {
            let text = match code {
                Some(0) => "order taken".to_owned(),
                Some(code) => format!("order answered with code {code}"),
                None => "no reply tells whether the order was taken".to_owned(),
            };
            detail("Ordered", host(at), text)
        }
        Event::RestartForeign { host: at, code } => problem(
            "Foreign",
            host(at),
            format!(
                "somebody else's shutdown is on its way, the order was not taken (code {code})"
            ),
        ),
        Event::RestartRepeated { host: at, boot } => problem(
            "Again",
            host(at),
            format!("restarted once more at {}, which nobody here has ordered", minute(*boot)),
        ),
        Event::LeaseLeft { host: at, why } => {
            problem("Left", host(at), format!("the run's lease may still stand there: {why}"))
        }
        Event::ServicesMissing { host: at, services } => {
            problem("Missing", host(at), format!("not running again: {}", services.join(", ")))
        }
        Event::RestartWaiting { host: at, seen } | Event::MaintenanceWaiting { host: at, seen } => {
            detail("Waiting", host(at), seen.clone())
        }
        Event::RestartProved { host: at, boot_after, up_seconds } => {
            let text = format!("booted {}, up {}", minute(*boot_after), plural::clock(*up_seconds));
            normal("Restarted", host(at), text)
        }
        Event::StepHeld { organisation, reason, .. } => {
            Words::new("Held", Tint::Change, name(organisation), reason.clone(), Weight::Problem)
        }
        Event::StepIntended { organisation, via, verb, .. } => {
            normal("Setting", name(organisation), format!("{verb} via {}", via.short()))
        }
        Event::StepAwaited { organisation, instructions, then, .. } => {
            let text = format!("by hand: {}; then: {then}", instructions.join("; "));
            Words::new("Waiting", Tint::Change, name(organisation), text, Weight::Problem)
        }
        Event::StepVerified { organisation, step, after } => {
            let what = if step.is_empty() { String::new() } else { format!("{step}: ") };
            let verb = match after {
                StepState::Told { .. } => "Done",
                StepState::Settings { .. } | StepState::Irm(_) => "Verified",
            };
            normal(verb, name(organisation), format!("{what}{}", state(after)))
        }
        Event::StepUnchanged { organisation, step } => {
            let what = if step.is_empty() { String::new() } else { format!("{step}: ") };
            normal("Unchanged", name(organisation), format!("{what}everything it sets holds"))
        }
        Event::StepFailed { organisation, failure, .. } => {
            problem("Failed", name(organisation), failure.text())
        }
        Event::HostEnded { host: at, outcome } => {
            let (verb, tint, text) = ending(outcome);
            let weight = match outcome {
                Outcome::Unchanged | Outcome::Changed { .. } => Weight::Detail,
                Outcome::RestartOwed { .. } | Outcome::NotStarted | Outcome::Blocked => {
                    Weight::Normal
                }
                Outcome::Refused(_)
                | Outcome::InDoubt(_)
                | Outcome::Failed(_)
                | Outcome::Unreachable(_) => Weight::Problem,
            };
            Words::new(verb, tint, host(at), text, weight)
        }
        Event::PhaseStarted { host: at, phase: what, budget } => {
            let text = format!("{}, at most {}", phase(*what), plural::clock(u64::from(*budget)));
            detail("Phase", host(at), text)
        }
        Event::PeersSeen { host: at, clear, seen } => {
            if *clear {
                detail("Peers", host(at), seen.clone())
            } else {
                Words::new("Waiting", Tint::Change, host(at), seen.clone(), Weight::Normal)
            }
        }
        Event::CapacitySeen { domain, up, of, votes } => {
            normal("Capacity", name(domain), plural::capacity(*up, *of, *votes))
        }
        Event::MaintenanceFound { host: at, found } => {
            let peculiar = found.peculiar();
            let text = if peculiar.is_empty() {
                "in service".to_owned()
            } else {
                format!("kept as found: {}", peculiar.join(", "))
            };
            normal("Found", host(at), text)
        }
        Event::MaintenanceIntended { host: at, act } => detail("Doing", host(at), act.to_string()),
        Event::MaintenanceEntered { host: at } => {
            normal("Drained", host(at), "out of service".to_owned())
        }
        Event::MaintenanceLeft { host: at, foreign } if foreign.is_empty() => {
            normal("Back", host(at), "as found".to_owned())
        }
        Event::MaintenanceLeft { host: at, foreign } => {
            let text = format!("as found, but changed by others: {}", foreign.join(", "));
            Words::new("Back", Tint::Change, host(at), text, Weight::Normal)
        }
        Event::GateStarted { stage, gate, budget } => {
            let most = budget.map(|most| format!(", at most {}", plural::clock(most.into())));
            let text = format!("looking at `{gate}`{}", most.unwrap_or_default());
            detail("Gate", name(stage), text)
        }
        Event::GateSeen { stage, gate, host: at, green, seen } => {
            let on = at.as_ref().map(|host| format!(" on {}", host.short())).unwrap_or_default();
            let text = format!("{gate}{on}: {seen}");
            if *green {
                detail("Green", name(stage), text)
            } else {
                Words::new("Red", Tint::Change, name(stage), text, Weight::Normal)
            }
        }
        Event::GatePassed { stage, gate } => {
            normal("Passed", name(stage), format!("gate `{gate}`"))
        }
        Event::GateFailed { stage, gate: _, reason } => {
            problem("Gate", name(stage), reason.clone())
        }
        Event::HookIntended { host: at, hook, again: false } => {
            detail("Hook", host(at), hook.clone())
        }
        Event::HookIntended { host: at, hook, again: true } => {
            let text = format!("{hook}{AGAIN}");
            Words::new("Hook", Tint::Change, host(at), text, Weight::Problem)
        }
        Event::HookEnded { host: at, hook, ok, said } => {
            let text = format!("{hook}: {said}");
            if *ok { detail("Hook", host(at), text) } else { problem("Hook", host(at), text) }
        }
        Event::StageHookIntended { errand, again } => {
            let text = errand.place();
            if *again {
                let text = format!("{text}{AGAIN}");
                Words::new("Hook", Tint::Change, name(&errand.hook), text, Weight::Problem)
            } else {
                normal("Hook", name(&errand.hook), text)
            }
        }
        Event::StageHookEnded { errand, ok, said } => {
            let about = name(&errand.hook);
            if *ok {
                detail("Hook", about, format!("{}: {said}", errand.place()))
            } else {
                problem("Hook", about, format!("{}: {said}", errand.place()))
            }
        }
        Event::StageHookSkipped { errand, reason } => {
            normal("Skipped", name(&errand.hook), format!("hook {}: {reason}", errand.place()))
        }
        Event::StageEnded { stage } => detail("Done", name(stage), String::new()),
        Event::Halted { reason } => problem("Halted", About::Run, reason.clone()),
        Event::RunEnded { exit, name } => {
            let text = format!("exit {exit} ({name})");
            let tint = if *exit == 0 { Tint::Good } else { Tint::Bad };
            Words::new("Ended", tint, About::Run, text, Weight::Detail)
        }
    }
}

/// The end of a host that the run leaves out, which its outcome does not tell from one whose turn did
/// not come.
pub fn left_out() -> (&'static str, Tint, String) {
    ("Left out", Tint::Change, "by --limit: the run does not touch it".to_owned())
}

/// A host's end: verb, colour, and the reason in words.
pub fn ending(outcome: &Outcome) -> (&'static str, Tint, String) {
    match outcome {
        Outcome::Unchanged => ("Unchanged", Tint::Good, "every value was as planned".to_owned()),
        Outcome::Changed { values, restarted } => {
            let values = plural::count(*values, "value");
            let text = if *restarted { format!("{values}, restarted") } else { values };
            ("Changed", Tint::Good, text)
        }
        Outcome::RestartOwed { values, reason } => {
            let text =
                format!("{} written, restart owed: {reason}", plural::count(*values, "value"));
            ("Owed", Tint::Change, text)
        }
        Outcome::Refused(failure) => ("Refused", Tint::Bad, failure.text()),
        Outcome::InDoubt(failure) => ("In doubt", Tint::Bad, failure.text()),
        Outcome::Failed(failure) => ("Failed", Tint::Bad, failure.text()),
        Outcome::Unreachable(failure) => ("Unreachable", Tint::Unreachable, failure.text()),
        Outcome::NotStarted => {
            ("Not started", Tint::Change, "the run ended before its turn".to_owned())
        }
        Outcome::Blocked => {
            ("Blocked", Tint::Bad, "left alone: the plan has a blocker for it".to_owned())
        }
    }
}

/// What a step's object was read as.
fn state(after: &StepState) -> String {
    match after {
        StepState::Settings { settings } => {
            let words: Vec<String> =
                settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
            format!("read back as {}", words.join(", "))
        }
        StepState::Told { told } => told.clone(),
        StepState::Irm(_) => "the IRM settings read back".to_owned(),
    }
}

/// `11-02 03:11Z`, to the minute.
fn minute(time: Timestamp) -> String {
    time.strftime("%m-%d %H:%MZ").to_string()
}
