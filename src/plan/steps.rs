//! All organisation steps of a playbook, in its order.
//!
//! A playbook may set one thing off and on again, so that each step begins where the one before it
//! ends; only the first begins at what was read.

use std::collections::BTreeMap;

use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::irm::Organisation;
use crate::model::plan::Blocker;
use crate::model::plan::OrganisationStep;
use crate::model::product::Role;
use crate::model::rollout::ServerOrder;
use crate::model::rollout::StageWork;
use crate::model::rollout::StepOrder;
use crate::model::step::Act;
use crate::model::surveyed::Surveyed;
use crate::plan::farm;
use crate::plan::fileserver;
use crate::plan::identity;
use crate::plan::make::PlanInput;
use crate::plan::make::within;
use crate::plan::organisation;
use crate::plan::organisation::Subject;
use crate::plan::stage;

/// The folders that hold what the rights clients keep of certificates and licences, by the account
/// that the product runs as (`connector.md` 5.2 row 9, 5.3).
const EXCHANGE_CACHE: &str = r"C:\ProgramData\Microsoft\DRM\Server\S-1-5-18";
const SHAREPOINT_CACHE: &str = r"C:\ProgramData\Microsoft\MSIPC\Server";
/// What `iisreset` stops and starts; stopped in this order.
const IIS: [&str; 2] = ["W3SVC", "IISADMIN"];

/// The steps by the place of their stage, and what stands against them.
#[derive(Debug, Default)]
pub struct Steps {
    by_stage: BTreeMap<usize, Vec<OrganisationStep>>,
    pub blockers: Vec<Blocker>,
    /// An Exchange organisation's step is asked for, and a server of one is concerned.
    pub of_exchange: bool,
}

impl Steps {
    pub fn take(&mut self, stage: usize) -> Vec<OrganisationStep> {
        self.by_stage.remove(&stage).unwrap_or_default()
    }

    /// Whether some step waits for this server.
    pub fn needs(&self, host: &Host) -> bool {
        self.by_stage.values().flatten().any(|step| step.needs.contains(&host.name))
    }
}

pub fn steps(input: &PlanInput<'_>, surveyed: &Surveyed) -> Steps {
    let mut steps = Steps::default();
    let concerned = |role: Role| {
        input
            .hosts
            .iter()
            .any(|host| host.role == Some(role) && host.in_scope() && within(input, host))
    };
    let mut organisations: Vec<Organisation> = input.survey.organisations.clone();
    let mut farms_told = false;
    for (place, stage) in input.playbook.stages.iter().enumerate() {
        let StageWork::Step(order) = &stage.work else { continue };
        let made = match order {
            StepOrder::ExchangeIrm(_) | StepOrder::RefreshCertificates
                if !concerned(Role::Exchange) =>
            {
                continue;
            }
            StepOrder::ExchangeIrm(order) => {
                let subject = Subject::Irm(order);
                exchange(input, &mut steps, &mut organisations, subject)
            }
            StepOrder::RefreshCertificates => {
                exchange(input, &mut steps, &mut organisations, Subject::Refresh)
            }
            StepOrder::Farm(_) if !concerned(Role::Sharepoint) => continue,
            StepOrder::Farm(order) => {
                let (made, blockers) =
                    farm::steps(input.hosts, input.survey, order, input.waived_servers);
                if !farms_told {
                    steps.blockers.extend(blockers);
                    farms_told = true;
                }
                made
            }
            StepOrder::Servers { role, act, only } => {
                let among = match only.as_deref().map(|only| (input.select)(only, surveyed)) {
                    None => None,
                    Some(Ok(names)) => Some(names),
                    Some(Err(reason)) => {
                        steps.blockers.push(stage::no_pattern(&stage.name, &reason));
                        continue;
                    }
                };
                servers(input, *role, act, among.as_deref())
            }
        };
        steps.by_stage.insert(place, made);
    }
    steps
}

fn exchange(
    input: &PlanInput<'_>,
    steps: &mut Steps,
    organisations: &mut [Organisation],
    subject: Subject<'_>,
) -> Vec<OrganisationStep> {
    let (made, mut blockers) = organisation::steps(
        input.hosts,
        input.survey,
        organisations,
        subject,
        input.waived_servers,
    );
    // If no Exchange server answered at all, each is blocked for itself and the rest may go on.
    let answered = input.hosts.iter().any(|host| {
        host.role == Some(Role::Exchange)
            && identity::identity_of(input.survey, &host.name).is_some()
    });
    if answered {
        blockers.extend(organisation::unread(input.survey));
    }
    blockers.retain(|blocker| !steps.blockers.contains(blocker));
    steps.blockers.extend(blockers);
    steps.of_exchange = true;
    for step in &made {
        let known = organisations.iter_mut().find(|one| one.dn == step.identity);
        if let (Some(organisation), false) = (known, step.satisfied) {
            for setting in step.act.settings() {
                organisation.irm.take(&setting.name, &setting.after);
            }
        }
    }
    made
}

/// One step for each server of the role that the run may touch, among those that are named.
fn servers(
    input: &PlanInput<'_>,
    role: Role,
    order: &ServerOrder,
    among: Option<&[HostName]>,
) -> Vec<OrganisationStep> {
    let exchange: Vec<&Host> =
        input.hosts.iter().filter(|host| host.role == Some(Role::Exchange)).collect();
    let touched = input
        .hosts
        .iter()
        .filter(|host| host.role == Some(role) && host.in_scope() && within(input, host))
        .filter(|host| among.is_none_or(|names| names.contains(&host.name)));
    touched
        .map(|host| {
            let belongs = match role {
                Role::Exchange => organisation::organisation_of(host, input.survey)
                    .map(|organisation| organisation.name.clone()),
                Role::Sharepoint => host.farm.clone(),
                Role::Fci | Role::Connector => None,
            };
            // What is done to each server for its organisation is not done to half of them.
            let organisation = match (role, order) {
                (Role::Exchange, ServerOrder::ClearCache | ServerOrder::RestartIis) => {
                    organisation::organisation_of(host, input.survey)
                }
                _ => None,
            };
            let unlisted = organisation.map(|found| {
                organisation::unlisted(found, &exchange, input.survey, input.waived_servers)
            });
            let (missing, waived) =
                unlisted.map_or_else(Default::default, |own| (own.missing, own.pardoned));
            let mut held = None;
            let act = match order {
                ServerOrder::FileObject { object, name, settings } => {
                    let (act, why) = fileserver::act(host, input.survey, *object, name, settings);
                    held = why;
                    act
                }
                ServerOrder::ClearCache => Act::ClearFolder {
                    folder: match role {
                        Role::Sharepoint => SHAREPOINT_CACHE.to_owned(),
                        Role::Exchange | Role::Fci | Role::Connector => EXCHANGE_CACHE.to_owned(),
                    },
                },
                ServerOrder::RestartIis => {
                    Act::CycleServices { services: IIS.map(str::to_owned).into() }
                }
            };
            OrganisationStep {
                identity: host.name.as_str().to_owned(),
                organisation: belongs.unwrap_or_else(|| host.name.short().to_owned()),
                via: host.name.clone(),
                endpoint: host.endpoint.clone(),
                credential: host.credential.clone(),
                user: host.user.clone(),
                // What a file server protects needs its values and its restart first.
                needs: match act {
                    Act::FileObject { .. } => vec![host.name.clone()],
                    _ => Vec::new(),
                },
                satisfied: fileserver::is_satisfied(&act),
                act,
                missing,
                waived,
                held,
                by_hand: None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::gate::StageGates;
    use crate::model::hook::Around;
    use crate::model::plan::PlannedWork;
    use crate::model::rollout::IrmOrder;
    use crate::model::rollout::OwnDefaults;
    use crate::model::rollout::PlaybookStage;
    use crate::model::step::SettingValue;
    use crate::plan::sample::Fleet;

    fn stage(name: &str, order: StepOrder) -> PlaybookStage {
        let (name, work) = (name.to_owned(), StageWork::Step(order));
        PlaybookStage {
            name,
            vars: Vec::new(),
            work,
            gates: StageGates::default(),
            hooks: Around::default(),
            own: OwnDefaults::default(),
        }
    }

    fn planned(fleet: &Fleet) -> Vec<OrganisationStep> {
        let stages = fleet.plan().stages;
        let steps = stages.into_iter().filter_map(|stage| match stage.work {
            PlannedWork::Step(step) => Some(*step),
            PlannedWork::Hosts { .. } => None,
        });
        steps.collect()
    }

    #[test]
    fn a_step_begins_where_the_one_before_it_ends() {
        let mut fleet = Fleet::new(&["EX1", "EX2"]);
        for organisation in &mut fleet.survey.organisations {
            organisation.irm.internal_licensing_enabled = Some(true);
            organisation.irm.client_access_server_enabled = Some(true);
            organisation.irm.licensing_location =
                Some(vec!["https://adrms/_wmcs/licensing".into()]);
        }
        let only = |internal, tenant_first| IrmOrder {
            internal_licensing: internal,
            client_access_server: None,
            tenant_first,
            sender: None,
        };
        fleet.playbook.stages.insert(0, stage("url", StepOrder::ExchangeIrm(only(None, true))));
        fleet
            .playbook
            .stages
            .insert(1, stage("off", StepOrder::ExchangeIrm(only(Some(false), false))));
        let steps = planned(&fleet);
        let [url, off, on] = steps.as_slice() else { panic!("{steps:?}") };
        let SettingValue::List(after) = &url.act.settings()[0].after else { panic!("{url:?}") };
        assert_eq!(after.len(), 2);
        assert!(after[0].ends_with(".aadrm.com/_wmcs/licensing"), "Azure first: {after:?}");
        assert!(url.needs.is_empty() && off.needs.is_empty(), "nothing is switched on yet");
        assert!(!off.satisfied && off.act.loss().is_some());
        // It was on when it was read, and it is off by then.
        assert!(!on.satisfied, "{on:?}");
        assert_eq!(on.act.settings()[0].before, SettingValue::Bool(false));
        assert_eq!(on.needs.len(), 2);
    }

    #[test]
    fn what_concerns_a_server_is_a_step_of_its_own_for_each() {
        let mut fleet = Fleet::new(&["EX1", "EX2", "FS1"]);
        let act = ServerOrder::ClearCache;
        let order = StepOrder::Servers { role: Role::Exchange, act, only: Some("EX".into()) };
        fleet.playbook.stages.insert(0, stage("cache", order));
        let plan = fleet.plan();
        let names: Vec<&str> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names[..2], ["cache EX1", "cache EX2"]);
        let steps = planned(&fleet);
        assert_eq!(steps[0].confirmation(), Some("Contoso"));
        assert_eq!(steps[0].act.inverse(), None);
    }
}
