//! Computed groups: what the inventory and the survey say about a host, as names for patterns.

use crate::model::host::Host;
use crate::model::host::PriorAdrms;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::surveyed::Surveyed;

/// Groups that only a survey can fill.
pub(super) const SURVEYED: [&str; 5] =
    ["drifted", "restart_owed", "prior_adrms_used", "prior_adrms_never", "prior_adrms_unknown"];

/// The name as computed groups are compared: as Ansible writes what it makes into a group's name,
/// and without regard to case.
pub(super) fn fold(name: &str) -> String {
    let plain = |letter: char| if letter.is_alphanumeric() { letter } else { '_' };
    name.to_lowercase().chars().map(plain).collect()
}

/// Every computed group of a host but the canaries, folded.
pub(super) fn groups(host: &Host, surveyed: Option<&Surveyed>) -> Vec<String> {
    let found = surveyed.and_then(|surveyed| surveyed.products.get(&host.name).copied());
    let product = host.product.or(found);
    let named = [
        ("role", host.role.map(|role| role.id().to_owned())),
        ("product", product.map(|product| product.to_string())),
        ("site", host.site.clone()),
        ("dag", host.dag.clone()),
        ("farm", host.farm.clone()),
        ("cluster", host.cluster.clone()),
        ("window", host.window.clone()),
    ];
    let named =
        named.into_iter().filter_map(|(kind, name)| Some(fold(&format!("{kind}_{}", name?))));
    named.chain(surveyed.into_iter().flat_map(|surveyed| by_survey(host, surveyed))).collect()
}

fn by_survey(host: &Host, surveyed: &Surveyed) -> Vec<String> {
    let mut groups = Vec::new();
    let mut add = |name: &str, is_member: bool| groups.extend(is_member.then(|| name.to_owned()));
    add("drifted", surveyed.drifted.contains(&host.name));
    add("restart_owed", surveyed.restart_owed.contains(&host.name));
    match surveyed.prior_adrms.get(&host.name) {
        Some(PriorAdrms::Used) => add("prior_adrms_used", true),
        Some(PriorAdrms::Never) => add("prior_adrms_never", true),
        Some(PriorAdrms::Auto) => add("prior_adrms_unknown", true),
        None => {}
    }
    groups
}

/// Whether a name is a computed group that may well have no members.
pub(super) fn is_known(name: &str) -> bool {
    let name = fold(name);
    let role = |role: &Role| name == format!("role_{}", role.id());
    let product = |product: &Product| name == fold(&format!("product_{product}"));
    SURVEYED.contains(&name.as_str())
        || Role::ALL.iter().any(role)
        || Product::ALL.iter().any(product)
}
