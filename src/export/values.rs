//! The value sets of a plan: what each host shall hold, whoever brings it there.

use std::collections::BTreeMap;

use crate::model::change::Change;
use crate::model::host::HostName;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::Scope;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::registry::State;
use crate::model::registry::ValuePath;

/// Values in the order of their paths.
pub type Values = Vec<(ValuePath, State)>;

/// Hosts of one product that shall hold the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueSet {
    pub role: Option<Role>,
    pub product: Option<Product>,
    pub hosts: Vec<HostName>,
    pub values: Values,
}

/// Everything that the plan wants on a host, whether it has to be written or stands there already.
pub fn wanted(host: &PlannedHost) -> Values {
    let written = host.changes.iter().map(|change| (change.path.clone(), change.after.clone()));
    sorted(written.chain(host.equal.iter().cloned()))
}

/// What the plan's changes found before.
pub fn before(host: &PlannedHost) -> Values {
    sorted(host.changes.iter().map(|Change { path, before, .. }| (path.clone(), before.clone())))
}

fn sorted(values: impl Iterator<Item = (ValuePath, State)>) -> Values {
    let mut values: Values = values.collect();
    values.sort_by(|left, right| left.0.cmp(&right.0));
    values
}

/// Hosts that the plan knows values for. Blocked ones are not among them: what they hold, or what
/// they are, is in question.
pub fn hosts(plan: &Plan) -> impl Iterator<Item = &PlannedHost> {
    plan.hosts.values().filter(|host| {
        let known = !host.changes.is_empty() || !host.equal.is_empty();
        host.scope == Scope::InScope && !host.is_blocked() && known
    })
}

/// The sets by role and product; several for one product if its hosts shall hold different things.
pub fn sets(plan: &Plan) -> Vec<ValueSet> {
    let mut sets: Vec<ValueSet> = Vec::new();
    for host in hosts(plan) {
        let values = wanted(host);
        let same = |set: &&mut ValueSet| {
            set.role == host.role && set.product == host.product && set.values == values
        };
        match sets.iter_mut().find(same) {
            Some(set) => set.hosts.push(host.name.clone()),
            None => sets.push(ValueSet {
                role: host.role,
                product: host.product,
                hosts: vec![host.name.clone()],
                values,
            }),
        }
    }
    sets.sort_by(|left, right| {
        (left.role, left.product, &left.hosts).cmp(&(right.role, right.product, &right.hosts))
    });
    sets
}

/// For each role the one list that `of` gives for all of its hosts; a role whose hosts differ is not
/// in it.
pub fn alike(plan: &Plan, of: fn(&PlannedHost) -> Values) -> BTreeMap<Role, Values> {
    let mut roles: BTreeMap<Role, Option<Values>> = BTreeMap::new();
    for host in hosts(plan) {
        let Some(role) = host.role else { continue };
        let values = of(host);
        roles
            .entry(role)
            .and_modify(|all| *all = all.take().filter(|all| *all == values))
            .or_insert(Some(values));
    }
    roles.into_iter().filter_map(|(role, values)| Some((role, values?))).collect()
}
