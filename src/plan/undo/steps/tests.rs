use std::collections::BTreeMap;

use super::*;
use crate::model::farm::Farm;
use crate::model::host::PriorAdrms;
use crate::model::irm::IrmConfiguration;
use crate::model::plan::Plan;
use crate::model::plan::PlannedWork;
use crate::model::preflight::Waiver;
use crate::model::registry::State;
use crate::model::step::Act;
use crate::plan::sample;
use crate::plan::sample::Fleet;
use crate::plan::seal::Sealed;
use crate::plan::undo::Since;
use crate::plan::undo::Written;
use crate::plan::undo::WrittenHost;
use crate::plan::undo::left_behind;
use crate::plan::undo::undo;

const SWITCHES: [&str; 2] = ["InternalLicensingEnabled", "ClientAccessServerEnabled"];

/// A fleet whose plans are carried out on its own survey.
struct World {
    fleet: Fleet,
}

impl World {
    fn new() -> Self {
        let mut fleet = Fleet::new(&["EX1", "SP1"]);
        for host in &mut fleet.hosts {
            host.prior_adrms = PriorAdrms::Never;
        }
        Self { fleet }
    }

    fn irm(&mut self) -> &mut IrmConfiguration {
        &mut self.fleet.survey.organisations[0].irm
    }

    fn farm(&mut self) -> &mut BTreeMap<String, SettingValue> {
        let farms = &mut self.fleet.survey.farms;
        let own = farms.entry("SP".to_owned()).or_insert_with(|| {
            let via = HostName::new("SP1");
            Ok(Farm { id: Some("f1".into()), via, irm: BTreeMap::new(), servers: None })
        });
        &mut own.as_mut().unwrap().irm
    }

    fn read(&mut self, act: &Act, name: &str) -> SettingValue {
        match act {
            Act::SharepointIrm { .. } => {
                self.farm().get(name).cloned().unwrap_or(SettingValue::Untold)
            }
            _ => self.irm().setting(name),
        }
    }

    /// Every value and setting.
    fn state(&mut self) -> (IrmConfiguration, BTreeMap<String, SettingValue>, String) {
        let values = format!("{:?}", self.fleet.seen("EX1").values);
        (self.irm().clone(), self.farm().clone(), values)
    }

    /// What an executor does with a plan: what moved is refused, what is held stays.
    fn carry_out(&mut self, plan: &Plan) -> Written {
        let mut written = Written { ended: true, is_seen: true, ..Written::default() };
        for stage in &plan.stages {
            match &stage.work {
                PlannedWork::Hosts { batches, .. } => {
                    for name in batches.iter().flatten() {
                        let host = &plan.hosts[name];
                        for change in &host.changes {
                            let own = self.fleet.seen(name.as_str());
                            sample::set(own, &change.path, change.after.clone());
                        }
                        let verified = (0..host.changes.len()).collect();
                        let part = WrittenHost { verified, ..WrittenHost::default() };
                        written.hosts.insert(name.clone(), part);
                    }
                }
                PlannedWork::Step(step) if step.satisfied || step.held.is_some() => {}
                PlannedWork::Step(step) => {
                    for one in step.act.settings() {
                        let now = self.read(&step.act, &one.name);
                        assert!(now == one.before || now.is_same(&one.before), "{one:?}: {now}");
                        if let Act::SharepointIrm { .. } = step.act {
                            self.farm().insert(one.name.clone(), one.after.clone());
                        } else {
                            self.irm().take(&one.name, &one.after);
                        }
                    }
                    written.steps.insert((step.organisation.clone(), stage.name.clone()));
                }
            }
        }
        written
    }

    fn undo(&self, original: &Plan, written: &Written) -> Plan {
        self.undo_since(original, written, &Since::default(), &[])
    }

    fn undo_since(
        &self,
        original: &Plan,
        written: &Written,
        since: &Since,
        waivers: &[Waiver],
    ) -> Plan {
        undo(&UndoInput {
            id: "u".to_owned(),
            now: sample::now(),
            tool: "rmsfleet test".to_owned(),
            run: "r1",
            original: &Sealed { plan: original.clone(), digest: "0123".to_owned() },
            written,
            survey: &self.fleet.survey,
            since,
            waivers,
            waived_servers: &[],
        })
    }

    /// A plan with the servers, and steps before and after them. Each begins where the one before
    /// it ends.
    fn plan(
        &mut self,
        before: &[Vec<(&str, SettingValue)>],
        after: &[Vec<(&str, SettingValue)>],
    ) -> Plan {
        let mut plan = self.fleet.plan();
        let is_hosts = |work: &PlannedWork| matches!(work, PlannedWork::Hosts { .. });
        let (hosts, steps): (Vec<_>, Vec<_>) =
            plan.stages.drain(..).partition(|stage| is_hosts(&stage.work));
        let PlannedWork::Step(model) = &steps[0].work else { panic!("{steps:?}") };
        let mut now = self.irm().clone();
        let mut number = 0;
        let mut stages = |orders: &[Vec<(&str, SettingValue)>], needs: &[HostName]| -> Vec<_> {
            orders
                .iter()
                .map(|order| {
                    let settings: Vec<Setting> = order
                        .iter()
                        .map(|(name, after)| Setting {
                            name: (*name).to_owned(),
                            before: now.setting(name),
                            after: after.clone(),
                        })
                        .collect();
                    for own in &settings {
                        now.take(&own.name, &own.after);
                    }
                    let satisfied = settings.iter().all(Setting::is_satisfied);
                    let act = Act::ExchangeIrm { settings, before: now.clone(), sender: None };
                    let needs = needs.to_vec();
                    let step = OrganisationStep { act, satisfied, needs, ..(**model).clone() };
                    number += 1;
                    let name = format!("step {number}");
                    let work = PlannedWork::Step(Box::new(step));
                    PlannedStage { name, work, ..steps[0].clone() }
                })
                .collect()
        };
        let first = stages(before, &[]);
        let last = stages(after, &[HostName::new("EX1")]);
        plan.stages = first.into_iter().chain(hosts).chain(last).collect();
        plan
    }

    /// A plan whose one step points the farm somewhere.
    fn farm_plan(&mut self, server: &str) -> Plan {
        let mut plan = self.plan(&[], &[vec![(SWITCHES[0], SettingValue::Bool(true))]]);
        let mut settings = Vec::new();
        for (name, after) in [
            ("IrmEnabled", SettingValue::Bool(true)),
            (FARM_SERVER, SettingValue::Text(server.to_owned())),
        ] {
            let before = self.farm()[name].clone();
            settings.push(Setting { name: name.to_owned(), before, after });
        }
        let last = plan.stages.last_mut().unwrap();
        let PlannedWork::Step(step) = &mut last.work else { panic!("{last:?}") };
        step.act = Act::SharepointIrm { settings, configuration: "c".into(), server: None };
        step.identity = "f1".to_owned();
        step.organisation = "SP".to_owned();
        step.via = HostName::new("SP1");
        step.needs = vec![HostName::new("SP1")];
        plan
    }
}

fn steps(plan: &Plan) -> Vec<(&str, &OrganisationStep)> {
    let steps = plan.stages.iter().filter_map(|stage| match &stage.work {
        PlannedWork::Step(step) => Some((stage.name.as_str(), &**step)),
        PlannedWork::Hosts { .. } => None,
    });
    steps.collect()
}

/// Small and repeatable.
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn orders(&mut self) -> Vec<Vec<(&'static str, SettingValue)>> {
        (0..self.up_to(4))
            .map(|_| {
                let mut order = Vec::new();
                for name in SWITCHES {
                    if self.up_to(2) == 0 {
                        order.push((name, SettingValue::Bool(self.up_to(2) == 0)));
                    }
                }
                if order.is_empty() || self.up_to(3) == 0 {
                    let list = (0..self.up_to(3)).map(|url| format!("https://{url}")).collect();
                    order.push(("LicensingLocation", SettingValue::List(list)));
                }
                order
            })
            .collect()
    }
}

#[test]
fn whatever_steps_a_run_had_on_one_organisation_it_is_taken_back_and_there_again() {
    for seed in 0..500 {
        let dice = &mut Dice(seed);
        let mut world = World::new();
        for name in SWITCHES {
            let on = SettingValue::Bool(dice.up_to(2) == 0);
            world.irm().take(name, &on);
        }
        let before = world.state();
        let original = world.plan(&dice.orders(), &dice.orders());
        let written = world.carry_out(&original);
        let applied = world.state();
        assert!(applied.2 != before.2, "seed {seed}: the servers are changed");
        let back = world.undo(&original, &written);
        assert!(steps(&back).iter().all(|(_, step)| step.held.is_none()), "seed {seed}");
        let undone = world.carry_out(&back);
        assert_eq!(world.irm(), &before.0, "seed {seed}: taken back");
        assert!(world.state() == before, "seed {seed}: the servers are taken back");
        assert!(!world.undo(&original, &written).has_work(), "seed {seed}: nothing is left");
        let again = world.undo(&back, &undone);
        world.carry_out(&again);
        assert_eq!(world.irm(), &applied.0, "seed {seed}: there again");
        assert!(world.state() == applied, "seed {seed}: the servers are there again");
    }
}

#[test]
fn what_was_switched_off_before_the_servers_comes_on_again_after_them() {
    let mut world = World::new();
    let both = |on: bool| SWITCHES.map(|name| (name, SettingValue::Bool(on))).to_vec();
    let original = world.plan(&[both(false)], &[both(true)]);
    let written = world.carry_out(&original);
    let back = world.undo(&original, &written);
    let names: Vec<&str> = back.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["step 2", "servers", "step 1"]);
    assert_eq!(back.hosts[&HostName::new("EX1")].after_step.as_deref(), Some("step 2"));
    let all = steps(&back);
    let (_, on) = all[1];
    assert!(!on.satisfied, "it is on now, and off by then");
    assert_eq!(on.needs, [HostName::new("EX1")], "what comes on is used at once");
}

#[test]
fn a_farm_that_was_pointed_elsewhere_since_is_left_alone() {
    let mut world = World::new();
    world.farm().insert("IrmEnabled".into(), SettingValue::Bool(false));
    world.farm().insert(FARM_SERVER.into(), SettingValue::Text(String::new()));
    let original = world.farm_plan("https://rms");
    let written = world.carry_out(&original);
    let back = world.undo(&original, &written);
    let (_, step) = steps(&back)[0];
    assert!(!step.satisfied && step.held.is_none());
    assert!(left_behind(&back).any(|text| text.contains("stays https://rms")), "{:?}", back.notes);
    world.farm().insert(FARM_SERVER.into(), SettingValue::Text("https://other".into()));
    let back = world.undo(&original, &written);
    let (_, step) = steps(&back)[0];
    let held = step.held.as_deref().unwrap();
    assert!(held.contains("reads https://other, and run r1 left https://rms"), "{held}");
    assert_eq!(left_behind(&back).count(), 0, "it is not taken away from there");
    let ids: Vec<&str> =
        back.hosts[&HostName::new("SP1")].blockers.iter().map(|own| own.id.as_str()).collect();
    assert_eq!(ids, ["step-stays"]);
    // Decided by name, the server goes back and waits for nothing.
    let waivers = [sample::waiver("SP1", "step-stays")];
    let back = world.undo_since(&original, &written, &Since::default(), &waivers);
    let host = &back.hosts[&HostName::new("SP1")];
    assert!(host.has_work() && host.after_step.is_none());
    // Off already, it matters to nobody where it is pointed.
    world.farm().insert("IrmEnabled".into(), SettingValue::Bool(false));
    let back = world.undo(&original, &written);
    assert!(steps(&back)[0].1.satisfied);
}

#[test]
fn a_farm_is_read_before_it_is_said_what_goes_back() {
    let mut world = World::new();
    world.farm().insert("IrmEnabled".into(), SettingValue::Bool(false));
    world.farm().insert(FARM_SERVER.into(), SettingValue::Text(String::new()));
    let original = world.farm_plan("https://rms");
    let written = world.carry_out(&original);
    assert!(crate::plan::undo::questions(&original, &written)[&HostName::new("SP1")].farm);
    let back = world.undo(&original, &written);
    world.carry_out(&back);
    assert!(!world.undo(&original, &written).has_work());
}

#[test]
fn a_farm_that_had_another_server_keeps_its_rights_management_on() {
    let mut world = World::new();
    world.farm().insert("IrmEnabled".into(), SettingValue::Bool(true));
    world.farm().insert(FARM_SERVER.into(), SettingValue::Text("https://old".into()));
    let original = world.farm_plan("https://rms");
    let written = world.carry_out(&original);
    let back = world.undo(&original, &written);
    let settings = steps(&back)[0].1.act.settings();
    // What the cmdlet is not told, it turns off.
    let on = settings.iter().find(|own| own.name == "IrmEnabled").unwrap();
    assert_eq!(on.after, SettingValue::Bool(true));
    world.carry_out(&back);
    assert_eq!(world.farm()[FARM_SERVER], SettingValue::Text("https://old".into()));
}

#[test]
fn a_person_who_takes_a_step_back_is_told_the_way_back() {
    let mut world = World::new();
    world.farm().insert("IrmEnabled".into(), SettingValue::Bool(false));
    world.farm().insert(FARM_SERVER.into(), SettingValue::Text(String::new()));
    let mut original = world.farm_plan("https://rms");
    let last = original.stages.last_mut().unwrap();
    let PlannedWork::Step(step) = &mut last.work else { panic!("{last:?}") };
    step.by_hand = Some(ByHand { instructions: vec!["turn it on".into()], timeout: 60 });
    let written = world.carry_out(&original);
    let back = world.undo(&original, &written);
    let told = steps(&back)[0].1.by_hand.as_ref().unwrap();
    assert_eq!(told.instructions, ["bring IrmEnabled back from True to False"]);
}

#[test]
fn only_the_first_way_again_asks_for_every_server_and_no_waiver_is_made_up() {
    let mut world = World::new();
    let both = SWITCHES.map(|name| (name, SettingValue::Bool(true))).to_vec();
    let original = world.plan(&[], &[both]);
    let written = world.carry_out(&original);
    world.fleet.survey.organisations = vec![sample::organisation(&["EX1", "EX9"])];
    world.irm().internal_licensing_enabled = Some(true);
    let back = world.undo(&original, &written);
    let (_, step) = steps(&back)[0];
    assert_eq!((step.missing.len(), step.waived.len()), (0, 0), "{step:?}");
    let undone = world.carry_out(&back);
    let again = world.undo(&back, &undone);
    let (_, step) = steps(&again)[0];
    assert_eq!((step.missing.as_slice(), step.waived.len()), (&["EX9".to_owned()][..], 0));
}

#[test]
fn what_another_run_wrote_after_the_run_was_undone_is_not_taken_back_unasked() {
    let mut world = World::new();
    let original = world.plan(&[], &[vec![(SWITCHES[0], SettingValue::Bool(true))]]);
    let written = world.carry_out(&original);
    let again = Again { undone_by: "r2".into(), written_by: Some("r3".into()) };
    let mut since = Since::default();
    let name = HostName::new("EX1");
    for change in &original.hosts[&name].changes {
        since.values.insert((name.clone(), change.path.clone()), again.clone());
    }
    since.objects.insert(object(steps(&original)[0].1).unwrap(), again);
    let back = world.undo_since(&original, &written, &since, &[]);
    let host = &back.hosts[&name];
    let ids = |host: &PlannedHost| -> Vec<String> {
        host.blockers.iter().map(|own| own.id.clone()).collect()
    };
    assert_eq!(ids(host), ["undone-already", "step-stays"]);
    let told = format!("{:?}", back.notes);
    assert!(told.contains("run r1 is undone already by run r2; run r3 has written"), "{told}");
    let held = steps(&back)[0].1.held.as_deref().unwrap();
    assert!(held.contains("rmsfleet undo r3"), "{held}");
    let waivers = [sample::waiver("EX1", "undone-already")];
    let back = world.undo_since(&original, &written, &since, &waivers);
    assert!(!back.hosts[&name].changes.is_empty());
    assert_eq!(ids(&back.hosts[&name]), ["step-stays"], "that is another decision");
    let waivers = [sample::waiver("EX1", "undone-already"), sample::waiver("EX1", "step-stays")];
    let back = world.undo_since(&original, &written, &since, &waivers);
    assert!(back.hosts[&name].has_work());
}

#[test]
fn what_somebody_has_switched_since_stays_although_a_step_had_it_so() {
    let mut world = World::new();
    let one = |on: bool| vec![(SWITCHES[0], SettingValue::Bool(on))];
    world.irm().take(SWITCHES[0], &SettingValue::Bool(true));
    let original = world.plan(&[one(false)], &[one(true)]);
    let mut written = world.carry_out(&original);
    world.irm().take(SWITCHES[0], &SettingValue::Bool(false));
    let back = world.undo(&original, &written);
    let held = steps(&back).into_iter().filter_map(|(_, step)| step.held.as_deref());
    let held: Vec<&str> = held.collect();
    assert!(held.iter().any(|why| why.contains("it stays")), "{held:?}");
    // Where the run's own end is in doubt it may have stopped there.
    written.is_seen = false;
    let back = world.undo(&original, &written);
    assert!(steps(&back).iter().all(|(_, step)| step.held.is_none()));
}

#[test]
fn what_somebody_has_set_again_after_an_undo_is_left_alone() {
    let mut world = World::new();
    let original = world.plan(&[], &[vec![(SWITCHES[0], SettingValue::Bool(true))]]);
    let written = world.carry_out(&original);
    let again = Again { undone_by: "r2".into(), written_by: None };
    let mut since = Since::default();
    since.objects.insert(object(steps(&original)[0].1).unwrap(), again);
    let back = world.undo_since(&original, &written, &since, &[]);
    let held = steps(&back)[0].1.held.as_deref().unwrap_or_default();
    assert!(held.contains("somebody has set it since"), "{held}");
}

#[test]
fn values_that_are_left_on_a_waiver_are_counted() {
    let mut world = World::new();
    let original = world.plan(&[], &[]);
    let written = world.carry_out(&original);
    let name = HostName::new("EX1");
    let change = original.hosts[&name].changes[0].clone();
    sample::set(world.fleet.seen("EX1"), &change.path, State::Absent);
    let waivers = [sample::waiver("EX1", "drifted")];
    let left = |world: &World| {
        let back = world.undo_since(&original, &written, &Since::default(), &waivers);
        let told = left_behind(&back).count();
        (back.undoes.unwrap().left, told)
    };
    assert_eq!(left(&world), (0, 0), "absent is how it was before");
    let mine = State::Present(crate::model::registry::Value::Dword(7));
    sample::set(world.fleet.seen("EX1"), &change.path, mine);
    assert_eq!(left(&world), (1, 1));
}
