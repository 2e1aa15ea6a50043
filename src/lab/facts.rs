//! Simulated hosts that begin as real ones were when somebody read them.

use crate::lab::farm::FarmHost;
use crate::lab::farm::usual_product;
use crate::model::facts::Access;
use crate::model::facts::HostSurvey;
use crate::model::facts::Observation;
use crate::model::facts::Survey;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::irm::Organisation;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::registry::Listing;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValueName;
use crate::model::registry::ValuePath;

/// A farm for an inventory from what its hosts said, and the hosts of which nothing is known:
/// those begin as their product's setup leaves them.
pub fn from_facts(hosts: &[Host], survey: &Survey) -> (Vec<FarmHost>, Vec<HostName>) {
    let (mut farm, mut unknown) = (Vec::new(), Vec::new());
    for host in hosts {
        let Some(role) = host.role else { continue };
        let seen = match survey.hosts.get(&host.name) {
            Some(HostSurvey::Read(observation)) => Some(&**observation),
            Some(HostSurvey::Failed(_)) | None => {
                unknown.push(host.name.clone());
                None
            }
        };
        let product = host.product.or_else(|| product(role, seen?));
        let product = product.unwrap_or_else(|| usual_product(role));
        let mut farm_host = FarmHost::new(host.name.clone(), role, product);
        if let Some(seen) = seen {
            furnish(&mut farm_host, seen);
        }
        let of_host = |one: &&Organisation| {
            let named = |name: &str| name.eq_ignore_ascii_case(host.name.short());
            one.servers.iter().any(|server| named(&server.name))
        };
        if let (Role::Exchange, Some(found)) = (role, survey.organisations.iter().find(of_host)) {
            farm_host.organisation = Some(found.name.clone());
        }
        farm.push(farm_host);
    }
    (farm, unknown)
}

/// The product whose Windows is the one that was seen; other products tell theirs in the registry.
fn product(role: Role, seen: &Observation) -> Option<Product> {
    let build = seen.os.version.rsplit('.').next()?.parse::<u32>().ok()?;
    match (role, build) {
        (Role::Fci | Role::Connector, 9200) => Some(Product::Windows2012),
        (Role::Fci | Role::Connector, 9600) => Some(Product::Windows2012R2),
        (Role::Fci | Role::Connector, 14393) => Some(Product::Windows2016),
        (Role::Fci | Role::Connector, 17763) => Some(Product::Windows2019),
        (Role::Fci | Role::Connector, 20348) => Some(Product::Windows2022),
        (Role::Fci | Role::Connector, 26100) => Some(Product::Windows2025),
        (Role::Fci | Role::Connector | Role::Exchange | Role::Sharepoint, _) => None,
    }
}

fn furnish(host: &mut FarmHost, seen: &Observation) {
    host.computer.clone_from(&seen.identity.computer);
    host.domain.clone_from(&seen.identity.domain);
    for (path, reading) in &seen.values {
        put(host, path.clone(), reading);
    }
    for (key, listing) in &seen.listings {
        let values = match listing {
            Listing::Known(values) => values,
            // Setup may leave a key here that the real host did not have.
            Listing::NoKey => {
                let _ = host.registry.delete_key(key);
                continue;
            }
            Listing::Unreadable(_) => continue,
        };
        host.registry.plant_key(key);
        for (name, reading) in values {
            let name: &ValueName = name;
            put(host, ValuePath::new(key.as_str(), name.as_str()), reading);
        }
    }
    for (key, access) in &seen.access {
        if *access == Access::Denied {
            host.registry.deny_write(key.clone());
        }
    }
}

/// What could not be read there cannot be read here either.
fn put(host: &mut FarmHost, path: ValuePath, reading: &Reading) {
    match reading {
        Reading::Known(State::Present(value)) => host.registry.plant(path, value.clone()),
        // Setup may leave a value here that the real host did not have.
        Reading::Known(State::Absent) => drop(host.registry.delete_value(&path)),
        Reading::Unreadable(why) if why.contains("access denied") => {
            host.registry.deny_read(path.key);
        }
        // A type whose text nobody can read back stands for whatever it was.
        Reading::Unreadable(_) => {
            host.registry.plant(path, Value::ExpandSz("%unread%".to_owned()));
        }
    }
}

#[cfg(test)]
mod tests;
