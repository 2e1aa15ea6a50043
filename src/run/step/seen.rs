//! What a step's object was read as, and what that says of the step.

use std::collections::BTreeMap;

use crate::host::exchange;
use crate::host::fileserver;
use crate::host::folder;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::service;
use crate::host::sharepoint;
use crate::model::farm::FarmIrm;
use crate::model::fileserver::named;
use crate::model::irm::ExchangeServer;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::step::Act;
use crate::model::step::FARM_SERVER;
use crate::model::step::SettingValue;
use crate::model::step::StepState;
use crate::run::step::line::Line;
use crate::run::step::line::misfit;

/// One reading.
pub(super) struct Seen {
    pub(super) identity: String,
    pub(super) state: StepState,
    /// Servers that the organisation names; empty where that was not asked.
    servers: Vec<ExchangeServer>,
}

/// Whether reading tells if the act was done.
pub(super) fn is_readable(act: &Act) -> bool {
    match act {
        Act::ExchangeIrm { .. }
        | Act::SharepointIrm { .. }
        | Act::ClearFolder { .. }
        | Act::FileObject { .. }
        // What is stopped is started, whoever stopped it: done twice is as well as once.
        | Act::CycleServices { .. } => true,
        Act::RefreshCertificates => false,
    }
}

impl Seen {
    /// Reads what the step is about.
    pub(super) async fn through<C: Connect>(
        line: &mut Line<C>,
        step: &OrganisationStep,
    ) -> Result<Self, HostError> {
        let plain = |state| Self { identity: step.identity.clone(), state, servers: Vec::new() };
        match (line, &step.act) {
            (Line::Shell(shell), Act::ExchangeIrm { .. } | Act::RefreshCertificates) => {
                let found = exchange::observe(shell, &step.via).await?;
                let (identity, state) = (found.dn, found.irm.into());
                Ok(Self { identity, state, servers: found.servers })
            }
            (Line::Shell(shell), Act::SharepointIrm { configuration, .. }) => {
                sharepoint::enter(shell, configuration).await?;
                let found = sharepoint::observe(shell, &step.via).await?;
                // An endpoint that does not tell the farm's id did not tell it to the plan either.
                let identity = found.id.unwrap_or_else(|| step.organisation.clone());
                Ok(Self { identity, state: farm(found.irm), servers: Vec::new() })
            }
            (Line::Shell(shell), Act::ClearFolder { folder }) => {
                let left = folder::count(shell, folder).await?;
                Ok(plain(one("entries", SettingValue::Text(left.to_string()))))
            }
            (Line::Link(wsman), Act::CycleServices { services }) => {
                let states = service::states(wsman, services).await?;
                let settings = states
                    .into_iter()
                    .map(|(name, state)| (name, SettingValue::Text(state)))
                    .collect();
                Ok(plain(StepState::Settings { settings }))
            }
            (Line::Link(wsman), Act::FileObject { object, name, .. }) => {
                let found = fileserver::all(wsman).await?;
                Ok(plain(StepState::Settings { settings: named(&found, *object, name) }))
            }
            (Line::Shell(_) | Line::Link(_), _) => Err(misfit()),
        }
    }

    pub(super) fn is_of(&self, step: &OrganisationStep) -> bool {
        self.identity.eq_ignore_ascii_case(&step.identity)
    }

    /// Whether what the act sets is set, so that it need not be done.
    pub(super) fn holds(&self, act: &Act) -> bool {
        match act {
            Act::ExchangeIrm { settings, .. }
            | Act::SharepointIrm { settings, .. }
            | Act::FileObject { settings, .. } => {
                settings.iter().all(|one| self.setting(&one.name).is_same(&one.after))
            }
            Act::ClearFolder { .. } => self.setting("entries") == SettingValue::Text("0".into()),
            Act::RefreshCertificates | Act::CycleServices { .. } => false,
        }
    }

    /// Whether the act, which was just carried out, has done what it is for.
    pub(super) fn is_done(&self, act: &Act) -> bool {
        match act {
            Act::ExchangeIrm { .. }
            | Act::SharepointIrm { .. }
            | Act::ClearFolder { .. }
            | Act::FileObject { .. } => self.holds(act),
            // The cmdlet's own word is all there is.
            Act::RefreshCertificates => true,
            Act::CycleServices { services } => {
                let runs = |name: &String| match self.setting(name) {
                    SettingValue::Text(state) => state == "Running",
                    // Not every host has every one.
                    SettingValue::Untold => true,
                    SettingValue::Bool(_) | SettingValue::List(_) => false,
                };
                services.iter().all(runs)
            }
        }
    }

    /// What is told of an act that is done: for one that leaves nothing to read, no more than that it
    /// was taken.
    pub(super) fn proof(self, act: &Act) -> StepState {
        if is_readable(act) {
            return self.state;
        }
        let told = format!("{} was taken; what it did cannot be read back", act.verb());
        StepState::Told { told }
    }

    /// What the act begins with, the server that it only compares included.
    pub(super) fn is_as_before(&self, act: &Act) -> bool {
        let mut all = begins_with(act);
        all.all(|(name, before)| {
            let now = self.setting(name);
            now == *before || now.is_same(before)
        })
    }

    /// Why this is no longer what was planned for; `None` if it is.
    pub(super) fn moved(&self, plan: &Plan, step: &OrganisationStep) -> Option<String> {
        if !self.is_as_before(&step.act) {
            let before = told(begins_with(&step.act));
            return Some(format!("expected {before}, found {}", self.told(&step.act)));
        }
        // What goes back needs no complete list of servers: nothing is asked of them.
        if plan.undoes.as_ref().is_some_and(|undoes| !undoes.is_forward()) {
            return None;
        }
        let known = |name: &str| {
            let named = |own: &String| own.eq_ignore_ascii_case(name);
            step.missing.iter().chain(&step.waived).any(named)
                || plan.hosts.values().any(|host| host.is_named(name))
        };
        let fresh: Vec<&str> = self
            .servers
            .iter()
            .filter(|server| !server.is_edge)
            .filter(|server| {
                !known(&server.name) && !server.fqdn.as_ref().is_some_and(|fqdn| known(fqdn))
            })
            .map(|server| server.name.as_str())
            .collect();
        (!fresh.is_empty())
            .then(|| format!("servers that the plan does not know: {}", fresh.join(", ")))
    }

    /// The settings of the act as they were read, in words.
    pub(super) fn told(&self, act: &Act) -> String {
        if let (StepState::Settings { settings }, true) = (&self.state, act.settings().is_empty()) {
            return told(settings.iter().map(|(name, value)| (&**name, value)));
        }
        let settings: Vec<_> =
            begins_with(act).map(|(name, _)| (name, self.setting(name))).collect();
        told(settings.iter().map(|(name, value)| (*name, value)))
    }

    fn setting(&self, name: &str) -> SettingValue {
        match &self.state {
            StepState::Settings { settings } => {
                settings.get(name).cloned().unwrap_or(SettingValue::Untold)
            }
            StepState::Irm(irm) => irm.setting(name),
            StepState::Told { .. } => SettingValue::Untold,
        }
    }
}

fn begins_with(act: &Act) -> impl Iterator<Item = (&str, &SettingValue)> {
    let settings = act.settings().iter().map(|one| (&*one.name, &one.before));
    settings.chain(act.guarded_server().map(|server| (FARM_SERVER, server)))
}

fn farm(irm: FarmIrm) -> StepState {
    let settings: BTreeMap<String, SettingValue> = irm;
    StepState::Settings { settings }
}

fn one(name: &str, value: SettingValue) -> StepState {
    StepState::Settings { settings: BTreeMap::from([(name.to_owned(), value)]) }
}

/// `InternalLicensingEnabled False and ClientAccessServerEnabled True`.
fn told<'a>(settings: impl Iterator<Item = (&'a str, &'a SettingValue)>) -> String {
    let words: Vec<String> = settings.map(|(name, value)| format!("{name} {value}")).collect();
    words.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_that_leaves_nothing_to_read_is_told_as_taken_and_no_more() {
        let seen = || Seen {
            identity: String::new(),
            state: one("entries", SettingValue::Text("0".to_owned())),
            servers: Vec::new(),
        };
        let StepState::Told { told } = seen().proof(&Act::RefreshCertificates) else {
            panic!("it was read")
        };
        assert!(told.ends_with("was taken; what it did cannot be read back"), "{told}");
        let folder = "C:\\cache".to_owned();
        assert_eq!(seen().proof(&Act::ClearFolder { folder }), seen().state);
    }
}
