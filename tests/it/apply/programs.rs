//! Programs of gates and hooks that run on a host.

use std::time::Duration;

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::host::link::Launch;
use rmsfleet::host::link::ProgramError;
use rmsfleet::host::link::ProgramResult;
use rmsfleet::model::care::Drain;
use rmsfleet::model::gate::Gate;
use rmsfleet::model::hook::Around;
use rmsfleet::model::hook::Hook;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::FailureDomain;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::program::Program;
use rmsfleet::model::program::RunOn;

use crate::apply::apply;
use crate::apply::check_values;
use crate::apply::orders;
use crate::apply::outcome;
use crate::apply::ready;
use crate::apply::two_values;
use crate::imagined::fleet::Fleet;
use crate::imagined::hosts_stage;
use crate::imagined::link::ImaginedLink;
use crate::imagined::strike::Struck;

/// The program is in the machine's log with its words; `world.programs` says how it ends. A path
/// that ends with `lost.exe` runs, and its connection breaks.
impl Launch for ImaginedLink {
    async fn launch(
        &mut self,
        program: &Program,
        input: &str,
        _limit: Duration,
    ) -> Result<ProgramResult, ProgramError> {
        tokio::task::yield_now().await;
        match self.fleet.struck(&self.name, "program") {
            Struck::Before(error) | Struck::After(error, _) => {
                return Err(ProgramError::InDoubt(error));
            }
            Struck::No | Struck::Code(_) => {}
        }
        let (path, words) = (program.path(), program.words().join(" "));
        let asked = if input.is_empty() { "" } else { " asked" };
        let exit_code = self.fleet.with(|world| {
            world.log.push(format!("{} program {path} {words}{asked}", self.name));
            world.programs.get(path).copied().unwrap_or_default()
        });
        if path.ends_with("lost.exe") {
            let (call, source) = ("Shell.Receive".to_owned(), "reset by peer".into());
            let lost = rmsfleet::host::link::HostError::Lost { call, source };
            return Err(ProgramError::InDoubt(lost));
        }
        let stdout = r#"{"green": true, "seen": "all is well"}"#.to_owned();
        Ok(ProgramResult { stdout, stderr: String::new(), exit_code: Some(exit_code) })
    }
}

fn argv(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

fn hook(parts: &[&str], undo: Option<&str>, run_on: RunOn) -> Hook {
    Hook { argv: argv(parts), timeout: 60, undo: undo.map(str::to_owned), run_on }
}

fn named(host: &str) -> RunOn {
    RunOn::Named(HostName::new(host))
}

/// One stage of two hosts, whose hook before runs on FS2.
fn around(parts: &[&str]) -> Plan {
    let mut plan = two_values(&["FS1", "FS2"], false);
    let back = hook(&[r"C:\T\back.exe", "{{ stage.name }}"], None, named("FS2"));
    plan.conditions.hooks.insert("quiet".to_owned(), hook(parts, Some("loud"), named("FS2")));
    plan.conditions.hooks.insert("loud".to_owned(), back);
    plan.stages[0].hooks = Around { before: vec!["quiet".to_owned()], after: Vec::new() };
    plan
}

/// Programs, and what was recorded right before each.
fn programs(fleet: &Fleet) -> Vec<String> {
    fleet
        .with(|world| world.log.iter().filter(|line| line.contains(" program ")).cloned().collect())
}

fn halted(fleet: &Fleet) -> Vec<String> {
    let reason = |event: &Event| match event {
        Event::Halted { reason } => Some(reason.clone()),
        _ => None,
    };
    fleet.with(|world| world.events.iter().filter_map(reason).collect())
}

#[test]
fn a_hook_runs_on_its_host_after_its_intent_and_is_taken_back_there() {
    let fleet = ready(&["FS1", "FS2"]);
    let plan = around(&[r"C:\T\mute.exe", "{{ stage.name }}", "a & b"]);
    assert_eq!(apply(&fleet, &plan).unwrap().exit, Exit::Ok);
    let mute = r#"FS2 program C:\T\mute.exe servers "a & b""#;
    assert_eq!(programs(&fleet), [mute, r"FS2 program C:\T\back.exe servers"]);
    let log = fleet.with(|world| world.log.clone());
    let at = log.iter().position(|line| line == mute).unwrap();
    assert_eq!(log[at - 2..at], ["[run stage-hook-intended]", "FS2 logon"]);
}

#[test]
fn a_hook_whose_end_nobody_saw_is_in_doubt_and_not_sent_again() {
    let fleet = ready(&["FS1", "FS2"]);
    let report = apply(&fleet, &around(&[r"C:\T\lost.exe"])).unwrap();
    assert_eq!(report.exit, Exit::Aborted);
    assert_eq!(
        programs(&fleet).len(),
        2,
        "the hook, and what takes it back: {:?}",
        programs(&fleet)
    );
    let [reason] = halted(&fleet).try_into().unwrap();
    assert!(reason.contains("on FS2: the program is in doubt: it may have run"), "{reason}");
    check_values(&fleet, "FS1", Some("old"), None);
}

#[test]
fn a_hook_does_not_run_on_a_host_that_is_not_the_one_of_the_plan() {
    let fleet = ready(&["FS1", "FS2"]);
    fleet.with(|world| world.machines.get_mut("FS2").unwrap().computer = "OTHER".to_owned());
    assert_eq!(apply(&fleet, &around(&[r"C:\T\mute.exe"])).unwrap().exit, Exit::Aborted);
    assert!(programs(&fleet).is_empty(), "{:?}", programs(&fleet));
    let [reason] = halted(&fleet).try_into().unwrap();
    assert!(reason.contains("not started on FS2") && reason.contains("OTHER"), "{reason}");
}

#[test]
fn what_a_name_in_braces_brings_is_looked_at_before_the_intent() {
    let fleet = ready(&["FS1", "FS2"]);
    let mut plan = around(&[r"C:\T\mute.exe", "{{ change.id }}"]);
    plan.conditions.change = Some("%TEMP%".to_owned());
    assert_eq!(apply(&fleet, &plan).unwrap().exit, Exit::Aborted);
    assert!(programs(&fleet).is_empty());
    assert_eq!(fleet.count("stage-hook-intended"), 0);
    let [reason] = halted(&fleet).try_into().unwrap();
    assert!(reason.contains("cannot be run on FS2: `%TEMP%` holds '%'"), "{reason}");
}

#[test]
fn a_gate_asks_every_host_about_itself_or_one_host_about_all() {
    let mut plan = two_values(&["FS1", "FS2"], false);
    let gate = |run_on| Gate::Command { argv: argv(&[r"C:\T\look.exe"]), timeout: 60, run_on };
    plan.conditions.gates.insert("each".to_owned(), gate(RunOn::Host));
    plan.conditions.gates.insert("one".to_owned(), gate(named("FS2")));
    plan.stages[0].gates.before = argv(&["each", "one"]);
    let fleet = ready(&["FS1", "FS2"]);
    assert_eq!(apply(&fleet, &plan).unwrap().exit, Exit::Ok);
    let mut asked = programs(&fleet);
    asked[..2].sort();
    let line = |host: &str| format!(r"{host} program C:\T\look.exe  asked");
    assert_eq!(asked, [line("FS1"), line("FS2"), line("FS2")]);

    let fleet = ready(&["FS1", "FS2"]);
    fleet.with(|world| world.programs.insert(r"C:\T\look.exe".to_owned(), 2));
    assert_eq!(apply(&fleet, &plan).unwrap().exit, Exit::Aborted);
    check_values(&fleet, "FS1", Some("old"), None);
    assert_eq!(fleet.count("set One"), 0);
}

#[test]
fn a_host_is_drained_by_its_own_program_and_one_that_fails_restarts_nothing() {
    let mut plan = two_values(&["FS1"], true);
    let out = hook(&[r"C:\T\out.exe", "{{ host.short }}"], Some("in"), RunOn::Host);
    plan.conditions.hooks.insert("out".to_owned(), out);
    plan.conditions.hooks.insert("in".to_owned(), hook(&[r"C:\T\in.exe"], None, RunOn::Host));
    for host in plan.hosts.values_mut() {
        host.care.drain = Drain::Hook("out".to_owned());
    }
    let fleet = ready(&["FS1"]);
    assert_eq!(apply(&fleet, &plan).unwrap().exit, Exit::Ok);
    assert_eq!(programs(&fleet), [r"FS1 program C:\T\out.exe FS1", r"FS1 program C:\T\in.exe "]);

    let fleet = ready(&["FS1"]);
    fleet.with(|world| world.programs.insert(r"C:\T\out.exe".to_owned(), 7));
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(orders(&fleet, "FS1"), 0);
    let Outcome::Failed(failure) = outcome(&report, "FS1") else { panic!("{report:?}") };
    assert_eq!(failure.kind, FailureKind::Hook);
    assert!(failure.text().contains("hook `out`: on FS1: exit 7"), "{}", failure.text());
}

/// A host that nobody could bring back counts as down, whatever the budget bears.
#[test]
fn a_host_that_cannot_be_brought_back_keeps_its_peers_up() {
    for (back, orders_of_the_other) in [(0, 1), (7, 0)] {
        let mut plan = two_values(&["FS1", "FS2"], true);
        let names: Vec<HostName> = plan.hosts.keys().cloned().collect();
        plan.stages = vec![hosts_stage("servers", vec![names.clone()], 1, names)];
        for (name, host) in &mut plan.hosts {
            let (out, into) = (format!("out {name}"), format!("in {name}"));
            let program = |word: &str| format!(r"C:\T\{}.exe", word.replace(' ', "-"));
            let undo = Some(into.as_str());
            let away = hook(&[program(&out).as_str()], undo, RunOn::Host);
            plan.conditions.hooks.insert(out.clone(), away);
            let again = hook(&[program(&into).as_str()], None, RunOn::Host);
            plan.conditions.hooks.insert(into.clone(), again);
            host.care.drain = Drain::Hook(out);
            host.domains = vec![FailureDomain { id: "farm:F".to_owned(), max_unavailable: 1 }];
        }
        let fleet = ready(&["FS1", "FS2"]);
        fleet.with(|world| {
            world.programs.insert(r"C:\T\out-FS1.exe".to_owned(), 7);
            world.programs.insert(r"C:\T\in-FS1.exe".to_owned(), back);
        });
        let report = apply(&fleet, &plan).unwrap();
        assert!(matches!(outcome(&report, "FS1"), Outcome::Failed(_)), "{report:?}");
        assert_eq!(orders(&fleet, "FS2"), orders_of_the_other, "{report:#?}");
    }
}

/// What no program of ours took out of service is brought back by none.
#[test]
fn the_machine_that_the_run_goes_on_from_is_neither_drained_nor_brought_back() {
    let mut plan = two_values(&["FS1"], true);
    let out = hook(&[r"C:\T\out.exe"], Some("in"), RunOn::Host);
    plan.conditions.hooks.insert("out".to_owned(), out);
    plan.conditions.hooks.insert("in".to_owned(), hook(&[r"C:\T\in.exe"], None, RunOn::Host));
    for host in plan.hosts.values_mut() {
        host.care.drain = Drain::Hook("out".to_owned());
    }
    let fleet = ready(&["FS1"]);
    fleet.with(|world| world.own = Some("FS1".to_owned()));
    let report = apply(&fleet, &plan).unwrap();
    assert!(matches!(outcome(&report, "FS1"), Outcome::Failed(_)), "{report:?}");
    assert_eq!(programs(&fleet), [""; 0]);
}
