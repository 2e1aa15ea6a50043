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
use crate::model::registry::Value;
use crate::model::registry::ValuePath;
use crate::plan::url::one_form;

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
        let values = in_common(host);
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

/// Servers that get the same, under one name: those of a role, or of a product where the servers of a
/// role differ. Those of one product that differ are in none.
pub fn alike(plan: &Plan) -> Vec<(&'static str, Vec<&PlannedHost>)> {
    let mut roles: BTreeMap<Role, Vec<&PlannedHost>> = BTreeMap::new();
    for host in hosts(plan) {
        if let Some(role) = host.role {
            roles.entry(role).or_default().push(host);
        }
    }
    let mut found = Vec::new();
    for (role, members) in roles {
        if same(&members, in_common).is_some() {
            found.push((role.id(), members));
            continue;
        }
        let mut products: BTreeMap<Product, Vec<&PlannedHost>> = BTreeMap::new();
        for host in members {
            if let Some(product) = host.product {
                products.entry(product).or_default().push(host);
            }
        }
        let alike = products.into_iter().filter(|(_, members)| same(members, in_common).is_some());
        found.extend(alike.map(|(product, members)| (product.id(), members)));
    }
    found
}

/// What the plan wants on a host, as it is said of several. URLs that differ in case alone are the
/// same to whoever reads them (`connector.md` 1.3), and what stands there may be written in another way
/// than what is wanted.
pub fn in_common(host: &PlannedHost) -> Values {
    let mut values = wanted(host);
    for (_, state) in &mut values {
        if let State::Present(Value::Sz(text)) = state {
            *text = one_form(text);
        }
    }
    values
}

/// The one list that `of` gives for all of these hosts; `None` if they differ.
pub fn same(hosts: &[&PlannedHost], of: fn(&PlannedHost) -> Values) -> Option<Values> {
    let mut lists = hosts.iter().map(|host| of(host));
    let first = lists.next()?;
    lists.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample::Fleet;

    #[test]
    fn servers_that_write_a_url_in_another_case_hold_the_same() {
        let mut fleet = Fleet::new(&["FS1", "FS2"]);
        let key = r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\EnterprisePublishing";
        fleet.set("FS1", key, "", "https://RMS.contoso.com/_wmcs/Licensing");
        let plan = fleet.plan();
        let hosts: Vec<&PlannedHost> = plan.hosts.values().collect();
        assert_ne!(wanted(hosts[0]), wanted(hosts[1]), "each keeps what it holds");
        assert_eq!(sets(&plan).len(), 1);
        assert_eq!(alike(&plan).len(), 1);
        let common = same(&hosts, in_common).unwrap();
        let url = State::Present(Value::Sz("https://rms.contoso.com/_wmcs/licensing".to_owned()));
        assert!(common.iter().any(|(_, state)| *state == url), "{common:?}");
        assert_eq!(same(&hosts, before), None, "what was there goes back as it was");
    }
}
