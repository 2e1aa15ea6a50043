use super::*;
use crate::model::facts::Access;
use crate::model::host::PriorAdrms;
use crate::model::origin::Origin;
use crate::model::outcome::Failure;
use crate::model::registry::KeyPath;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;
use crate::model::rollout::Budget;
use crate::model::surveyed::Surveyed;
use crate::model::window::Day;
use crate::model::window::Window;
use crate::plan::probe;
use crate::plan::sample;
use crate::plan::sample::Fleet;
use crate::plan::seal;

const MSDRM: &str = r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation";
const LICENSE: &str = r"SOFTWARE\Microsoft\ExchangeServer\v15\IRM\LicenseServerRedirection";
const TENANT: &str = "https://t1.rms.eu.aadrm.com";

/// Plans, and compares one host: `changes restart verdict-rule blocker,blocker`.
#[track_caller]
fn check(fleet: &Fleet, name: &str, expected: &str) {
    let plan = fleet.plan();
    let host = &plan.hosts[&HostName::new(name)];
    let blockers: Vec<&str> = host.blockers.iter().map(|one| one.id.as_str()).collect();
    let restart = if host.restart { "restart" } else { "stay" };
    let got =
        format!("{} {restart} {} {}", host.changes.len(), host.verdict.rule, blockers.join(","));
    assert_eq!(got.trim_end(), expected, "{host:#?}");
}

fn step(plan: &Plan) -> Option<&OrganisationStep> {
    plan.stages.iter().find_map(|stage| match &stage.work {
        PlannedWork::Step(step) => Some(&**step),
        PlannedWork::Hosts { .. } => None,
    })
}

fn noted(plan: &Plan, name: &str, id: &str) -> bool {
    plan.hosts[&HostName::new(name)].notes.iter().any(|note| note.id == id)
}

#[test]
fn a_fresh_fleet_changes_and_restarts_by_role() {
    let fleet = Fleet::new(&["EX1", "SP1", "FS1", "RMSC1"]);
    check(&fleet, "EX1", "3 stay exchange.if-adrms");
    check(&fleet, "SP1", "1 stay sharepoint.if-adrms");
    check(&fleet, "FS1", "2 restart fci.always");
    check(&fleet, "RMSC1", "0 stay not-touched");
    let plan = fleet.plan();
    assert_eq!(plan.blockers, []);
    assert_eq!(step(&plan).unwrap().needs, [HostName::new("EX1")]);
    assert_eq!(plan.valid_until.to_string(), "2026-11-05T20:00:00Z");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let fleet = Fleet::new(&["EX2", "EX1", "SP1", "FS2", "FS1", "RMSC1"]);
    assert_eq!(seal(&fleet.plan()).unwrap(), seal(&fleet.plan()).unwrap());
}

#[test]
fn a_plan_after_its_own_apply_is_empty() {
    let mut fleet = Fleet::new(&["EX1", "EX2", "SP1", "FS1", "FS2", "RMSC1"]);
    let first = fleet.plan();
    assert!(first.has_work());
    fleet.apply(&first);
    let second = fleet.plan();
    assert!(!second.has_work(), "{second:#?}");
    assert_eq!(second.hosts.values().map(|host| host.changes.len()).sum::<usize>(), 0);
    assert!(step(&second).unwrap().satisfied);
    check(&fleet, "FS1", "0 stay no-change");
}

#[test]
fn a_host_with_adrms_leftovers_restarts() {
    let mut fleet = Fleet::new(&["EX1", "EX2"]);
    fleet.set("EX1", MSDRM, "", "https://adrms.corp.contoso.com/_wmcs/certification");
    check(&fleet, "EX1", "3 restart exchange.if-adrms");
    check(&fleet, "EX2", "3 stay exchange.if-adrms");
}

#[test]
fn a_value_nobody_read_is_blocked() {
    let mut fleet = Fleet::new(&["FS1"]);
    fleet.seen("FS1").values.remove(&ValuePath::new(MSDRM, ""));
    check(&fleet, "FS1", "1 restart fci.always unreadable");
    assert!(!fleet.plan().has_work());
}

#[test]
fn an_unread_organisation_leaves_the_restart_unknown_until_answered() {
    let mut fleet = Fleet::new(&["EX1"]);
    fleet.survey.organisations.clear();
    let failure = Failure::new(FailureKind::Fault, "no answer");
    fleet.survey.organisation_failures.insert(HostName::new("EX1"), failure);
    check(&fleet, "EX1", "3 stay exchange.if-adrms restart-unknown");
    assert_eq!(fleet.plan().blockers[0].id, "organisation-unread");
    fleet.host("EX1").prior_adrms = PriorAdrms::Never;
    check(&fleet, "EX1", "3 stay inventory");
}

#[test]
fn what_this_version_cannot_do_is_said_before_sealing() {
    let mut fleet = Fleet::new(&["EX1", "FS1"]);
    fleet.survey.organisations.clear();
    let failure = Failure::new(FailureKind::Unsupported, "Kerberos comes later").hint("use ntlm");
    fleet.survey.organisation_failures.insert(HostName::new("EX1"), failure);
    let plan = fleet.plan();
    let found = plan.blockers.iter().find(|one| one.id == "unsupported").unwrap();
    assert_eq!(found.text, "EX1: Kerberos comes later");
}

#[test]
fn a_host_that_did_not_answer_is_blocked_and_the_rest_goes_on() {
    let mut fleet = Fleet::new(&["FS1", "FS2"]);
    let failure = Failure::new(FailureKind::Unreachable, "no connection");
    fleet.survey.hosts.insert(HostName::new("FS1"), HostSurvey::Failed(failure));
    check(&fleet, "FS1", "0 stay not-read unreachable");
    fleet.survey.hosts.remove(&HostName::new("FS1"));
    check(&fleet, "FS1", "0 stay not-read unread");
    check(&fleet, "FS2", "2 restart fci.always");
    let plan = fleet.plan();
    match &plan.stages[0].work {
        PlannedWork::Hosts { batches, .. } => assert_eq!(batches, &[[HostName::new("FS2")]]),
        PlannedWork::Step(_) => panic!("expected hosts"),
    }
}

#[test]
fn a_window_that_cannot_be_kept_blocks_until_waived() {
    let mut fleet = Fleet::new(&["FS1"]);
    fleet.host("FS1").window = Some("files-ams".into());
    check(&fleet, "FS1", "2 restart fci.always window");
    // A restart of 15 min, as much for its services, and the writes do not fit before the cutoff,
    // then they do.
    let mut window = Window {
        tz: "Europe/Amsterdam".into(),
        days: vec![Day::Tue],
        start: 0,
        duration: 2220,
        cutoff: 300,
    };
    fleet.playbook.conditions.windows = [("files-ams".to_owned(), window.clone())].into();
    check(&fleet, "FS1", "2 restart fci.always window");
    window.cutoff = 60;
    fleet.playbook.conditions.windows = [("files-ams".to_owned(), window)].into();
    check(&fleet, "FS1", "2 restart fci.always");
    assert_eq!(fleet.plan().hosts[&HostName::new("FS1")].window.as_deref(), Some("files-ams"));
    fleet.playbook.conditions.windows.clear();
    fleet.waivers = vec![sample::waiver("FS1", "window")];
    check(&fleet, "FS1", "2 restart fci.always");
    assert_eq!(fleet.plan().hosts[&HostName::new("FS1")].window, None);
}

#[test]
fn a_wrong_product_blocks_until_waived() {
    let mut fleet = Fleet::new(&["FS1", "EX1"]);
    fleet.host("FS1").product = Some(crate::model::product::Product::Windows2019);
    check(&fleet, "FS1", "2 restart fci.always product-version");
    fleet.waivers = vec![sample::waiver("FS1", "product-version")];
    check(&fleet, "FS1", "2 restart fci.always");
    assert!(noted(&fleet.plan(), "FS1", "waived"));
    assert!(noted(&fleet.plan(), "FS1", "undocumented"));
    fleet.seen("EX1").values.clear();
    check(&fleet, "EX1", "0 stay not-read unreadable,unreadable");
}

#[test]
fn only_opinions_can_be_waived() {
    let mut fleet = Fleet::new(&["FS1"]);
    fleet.seen("FS1").access.insert(KeyPath::new(MSDRM), Access::Denied);
    fleet.waivers = vec![sample::waiver("FS1", "access-denied"), sample::waiver("FS1", "identity")];
    check(&fleet, "FS1", "2 restart fci.always access-denied");
    let notes = fleet.plan().notes.into_iter().filter(|note| note.id != "tenant-url");
    let notes: Vec<String> = notes.map(|note| note.text).collect();
    assert_eq!(
        notes,
        [
            "the waiver FS1:access-denied had no effect: it cannot be waived",
            "the waiver FS1:identity had no effect: there is no such blocker",
        ]
    );
}

#[test]
fn the_wrong_machine_blocks() {
    let mut fleet = Fleet::new(&["FS1", "FS2"]);
    fleet.seen("FS1").identity.computer = "FS2".into();
    check(&fleet, "FS1", "2 restart fci.always identity,identity-twice");
    check(&fleet, "FS2", "2 restart fci.always identity-twice");
}

#[test]
fn leftovers_and_other_connectors_block_also_where_all_values_are_right() {
    let mut fleet = Fleet::new(&["EX1", "EX2"]);
    fleet.set("EX1", LICENSE, &format!("{TENANT}/_wmcs/licensing"), "https://adrms.contoso.com");
    fleet.set("EX2", LICENSE, TENANT, "https://oldrms.contoso.com");
    check(&fleet, "EX1", "3 restart exchange.if-adrms migration-leftover");
    check(&fleet, "EX2", "3 restart exchange.if-adrms other-connector");
    fleet.waivers =
        vec![sample::waiver("EX1", "migration-leftover"), sample::waiver("EX2", "other-connector")];
    let plan = fleet.plan();
    assert!(plan.hosts.values().all(|host| !host.is_blocked()));
    fleet.apply(&plan);
    fleet.waivers.clear();
    check(&fleet, "EX1", "0 stay no-change migration-leftover");
    check(&fleet, "EX2", "0 stay no-change");
}

#[test]
fn a_named_adrms_cluster_is_no_connectors_earlier_name() {
    let mut fleet = Fleet::new(&["EX1", "EX2"]);
    fleet.set("EX2", LICENSE, TENANT, "https://adrms.contoso.com");
    fleet.set("EX1", MSDRM, "", "https://adrms.contoso.com/_wmcs/certification");
    check(&fleet, "EX1", "3 restart exchange.if-adrms other-connector");
    for host in &mut fleet.hosts {
        host.adrms = vec![Origin::parse("https://adrms.contoso.com").unwrap()];
    }
    let plan = fleet.plan();
    let blockers = plan.hosts.values().flat_map(|host| &host.blockers);
    let ids: Vec<&str> = blockers.map(|own| own.id.as_str()).collect();
    assert!(!ids.contains(&"other-connector"), "{ids:?}");
}

#[test]
fn named_adrms_clusters_ask_for_an_answer_where_no_evidence_is_left() {
    let noted = |prior| {
        let mut fleet = Fleet::new(&["EX1"]);
        fleet.hosts[0].adrms = vec![Origin::parse("https://adrms.contoso.com").unwrap()];
        fleet.hosts[0].prior_adrms = prior;
        noted(&fleet.plan(), "EX1", "prior-adrms-open")
    };
    assert!(noted(PriorAdrms::Auto));
    assert!(!noted(PriorAdrms::Never));
    assert!(!noted(PriorAdrms::Used));
}

#[test]
fn a_restart_left_owed_is_paid_and_a_forbidden_one_is_noted() {
    let mut fleet = Fleet::new(&["SP1", "FS1"]);
    let first = fleet.plan();
    fleet.apply(&first);
    let mark = probe::restart_mark();
    fleet.set("SP1", mark.key.as_str(), mark.name.as_str(), "run 7 since 2026-11-01");
    check(&fleet, "SP1", "0 restart restart-owed");
    assert!(fleet.plan().has_work());
    fleet.host("SP1").restart = crate::model::host::RestartPolicy::Never;
    check(&fleet, "SP1", "0 stay restart-owed");
    assert!(noted(&fleet.plan(), "SP1", "restart-left-owed"));
}

#[test]
fn a_limit_narrows_the_work_and_never_the_organisation() {
    let mut fleet = Fleet::new(&["EX1", "EX2", "FS1"]);
    fleet.limit = Some([HostName::new("EX1")].into());
    check(&fleet, "EX1", "3 stay exchange.if-adrms");
    check(&fleet, "EX2", "0 stay exchange.if-adrms");
    check(&fleet, "FS1", "0 stay not-touched");
    let plan = fleet.plan();
    assert_eq!(step(&plan).unwrap().needs.len(), 2);
    assert_ne!(plan.hosts[&HostName::new("EX2")].scope, Scope::InScope, "so the step is held");
    assert!(noted(&plan, "EX2", "left-out"));
    fleet.limit = Some([HostName::new("FS1")].into());
    assert!(step(&fleet.plan()).is_none(), "no Exchange server is concerned");
    fleet.limit = None;
    let plan = fleet.plan();
    fleet.apply(&plan);
    fleet.limit = Some([HostName::new("EX1")].into());
    check(&fleet, "EX2", "0 stay no-change");
    assert_eq!(fleet.plan().hosts[&HostName::new("EX2")].scope, Scope::InScope);
}

#[test]
fn servers_that_the_inventory_lacks_hold_the_step_until_waived() {
    let mut fleet = Fleet::new(&["EX1"]);
    fleet.survey.organisations = vec![sample::organisation(&["EX1", "EX7"])];
    assert_eq!(step(&fleet.plan()).unwrap().missing, ["EX7"]);
    fleet.waived_servers = vec!["ex7.corp.contoso.com".into()];
    assert!(step(&fleet.plan()).unwrap().missing.is_empty());
    assert_eq!(step(&fleet.plan()).unwrap().waived, ["EX7"]);
}

#[test]
fn two_rules_that_fight_over_a_value_are_found() {
    let mut fleet = Fleet::new(&["FS1"]);
    let mut twin = fleet.pack.rules[0].clone();
    twin.id = "fci.twin".into();
    twin.data = "https://elsewhere/_wmcs/certification".into();
    fleet.pack.rules.push(twin);
    let plan = fleet.plan();
    assert!(plan.blockers[0].text.contains("`fci.activation` and `fci.twin`"), "{plan:#?}");
}

#[test]
fn a_clock_far_off_and_a_denied_mark_are_told() {
    let mut fleet = Fleet::new(&["FS1"]);
    let seen = fleet.seen("FS1");
    seen.os.local_time = "2026-11-02T20:06:00Z".parse().unwrap();
    seen.access.insert(KeyPath::new(crate::model::lease::MARKS_KEY), Access::Denied);
    check(&fleet, "FS1", "2 restart fci.always access-denied");
    assert!(noted(&fleet.plan(), "FS1", "clock-skew"));
    fleet.playbook.marks = false;
    check(&fleet, "FS1", "2 restart fci.always");
}

#[test]
fn a_failed_pattern_blocks_the_plan() {
    let fleet = Fleet::new(&["FS1"]);
    let select = |_: &str, _: &Surveyed| Err("no group `fs`; did you mean `fci`?".to_owned());
    let plan = make(&PlanInput {
        id: String::new(),
        now: sample::now(),
        tool: String::new(),
        lab: true,
        inputs: Vec::new(),
        hosts: &fleet.hosts,
        playbook: &fleet.playbook,
        pack: &fleet.pack,
        survey: &fleet.survey,
        select: &select,
        limit: None,
        waivers: &[],
        waived_servers: &[],
    });
    assert_eq!(plan.blockers[0].id, "pattern");
    assert!(!plan.has_work());
}

#[test]
fn a_value_of_another_type_is_replaced_and_its_form_kept_for_undo() {
    let mut fleet = Fleet::new(&["FS1"]);
    let path = ValuePath::new(MSDRM, "");
    let expand = State::Present(Value::ExpandSz("%X%".into()));
    fleet.seen("FS1").values.insert(path, Reading::Known(expand.clone()));
    let plan = fleet.plan();
    assert_eq!(plan.hosts[&HostName::new("FS1")].changes[0].before, expand);
}

#[test]
fn a_restart_paid_since_the_mark_costs_no_second_one() {
    let mark = |fleet: &mut Fleet| {
        let first = fleet.plan();
        fleet.apply(&first);
        let since = "run-0 2026-10-01T00:00:00Z";
        fleet.set("FS1", crate::model::lease::MARKS_KEY, "RestartOwed", since);
    };
    let mut fleet = Fleet::new(&["FS1"]);
    fleet.seen("FS1").up_seconds = Some(3600);
    mark(&mut fleet);
    check(&fleet, "FS1", "0 stay restart-paid");
    let plan = fleet.plan();
    assert!(noted(&plan, "FS1", "restart-paid"));
    let PlannedWork::Hosts { batches, restarts, .. } = &plan.stages[0].work else { panic!() };
    assert_eq!((batches.concat(), restarts.len()), (vec![HostName::new("FS1")], 0));
    assert_eq!(plan.blockers, []);

    fleet.seen("FS1").up_seconds = None;
    check(&fleet, "FS1", "0 restart restart-owed");
    let mut changing = Fleet::new(&["FS1"]);
    changing.seen("FS1").up_seconds = Some(3600);
    changing.set(
        "FS1",
        crate::model::lease::MARKS_KEY,
        "RestartOwed",
        "run-0 2026-10-01T00:00:00Z",
    );
    // What is written now decides, not a debt that was paid.
    check(&changing, "FS1", "2 restart fci.always");
    changing.seen("FS1").up_seconds = None;
    check(&changing, "FS1", "2 restart restart-owed");
    let mut calm = Fleet::new(&["EX1"]);
    calm.seen("EX1").up_seconds = Some(3600);
    calm.set("EX1", crate::model::lease::MARKS_KEY, "RestartOwed", "run-0 2026-10-01T00:00:00Z");
    check(&calm, "EX1", "3 stay exchange.if-adrms");
    assert!(calm.plan().hosts[&HostName::new("EX1")].mark_paid, "the mark goes all the same");
}

#[test]
fn a_plan_that_leaves_no_marks_says_what_that_costs() {
    let mut fleet = Fleet::new(&["FS1"]);
    let said = |fleet: &Fleet| fleet.plan().notes.iter().any(|note| note.id == "marks-off");
    assert!(!said(&fleet));
    fleet.playbook.marks = false;
    assert!(said(&fleet));
    let first = fleet.plan();
    fleet.apply(&first);
    assert!(!said(&fleet), "nothing restarts");
}

/// `floor(percent x hosts in stage)`: hosts that stand as wanted are hosts of the stage, blocked ones
/// are not.
#[test]
fn a_budget_counts_the_stages_hosts_whether_or_not_they_have_work() {
    let budget = |fleet: &Fleet| {
        let plan = fleet.plan();
        let work = plan.stages.into_iter().find_map(|stage| match stage.work {
            PlannedWork::Hosts { batches, budget, .. } => Some((batches.concat().len(), budget)),
            PlannedWork::Step(_) => None,
        });
        work.unwrap()
    };
    let mut fleet = Fleet::new(&["FS1", "FS2", "FS3", "FS4"]);
    let StageWork::Hosts { budget: bears, .. } = &mut fleet.playbook.stages[0].work else {
        unreachable!()
    };
    *bears = Budget::Percent(50);
    assert_eq!(budget(&fleet), (4, 2));
    let plan = fleet.plan();
    fleet.apply(&plan);
    let path = &plan.hosts[&HostName::new("FS1")].changes[0].path;
    sample::set(fleet.seen("FS1"), path, State::Absent);
    assert_eq!(budget(&fleet), (1, 2));
    sample::set(fleet.seen("FS2"), path, State::Absent);
    fleet.host("FS2").window = Some("nowhere".into());
    assert_eq!(budget(&fleet), (1, 1));
}
