//! What a product's own client was told: where to look servers up, and to which connector to go.

use std::collections::BTreeSet;

use crate::model::facts::HostSurvey;
use crate::model::facts::Observation;
use crate::model::facts::Survey;
use crate::model::product::Product;
use crate::model::registry::KeyPath;
use crate::model::registry::Listing;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;
use crate::model::tenant::is_azure;
use crate::plan::evidence::EXCHANGE_REDIRECTION;
use crate::plan::evidence::MSDRM;
use crate::plan::evidence::MSIPC;
use crate::plan::evidence::MSIPC_REDIRECTION;
use crate::plan::ours::Ours;
use crate::plan::ours::Whose;
use crate::plan::ours::whose;
use crate::plan::url::is_bare_origin;
use crate::plan::url::url_host;

/// The client that a product looks its servers up with, in the view that it reads: keys whose default
/// values count, and keys whose every value does.
fn client(product: Product) -> (Vec<&'static str>, Vec<&'static str>) {
    let [activation, publishing, ..] = MSDRM;
    let [certification, licensing, ..] = MSIPC;
    let [redirection, _] = MSIPC_REDIRECTION;
    match product {
        Product::Exchange2010 | Product::Exchange2013 => {
            (vec![activation, publishing], EXCHANGE_REDIRECTION.into())
        }
        Product::Exchange2016 | Product::Exchange2019 | Product::ExchangeSe => (
            vec![activation, publishing, certification, licensing],
            EXCHANGE_REDIRECTION.into_iter().chain([redirection]).collect(),
        ),
        Product::Sharepoint2013
        | Product::Sharepoint2016
        | Product::Sharepoint2019
        | Product::SharepointSe => (vec![certification, licensing], vec![redirection]),
        Product::Sharepoint2010
        | Product::Windows2012
        | Product::Windows2012R2
        | Product::Windows2016
        | Product::Windows2019
        | Product::Windows2022
        | Product::Windows2025 => (vec![activation, publishing], Vec::new()),
    }
}

/// What the product's client was told.
fn told(product: Product, observation: &Observation) -> Vec<Value> {
    let (defaults, lists) = client(product);
    let defaults = defaults.iter().map(|key| observation.value(&ValuePath::new(*key, "")));
    let lists =
        lists.iter().filter_map(|key| match observation.listings.get(&KeyPath::new(*key)) {
            Some(Listing::Known(values)) => Some(values.iter().map(|(_, reading)| reading.clone())),
            Some(Listing::NoKey | Listing::Unreadable(_)) | None => None,
        });
    let known = |reading| match reading {
        Reading::Known(State::Present(value)) => Some(value),
        Reading::Known(State::Absent) | Reading::Unreadable(_) => None,
    };
    defaults
        .chain(lists.flatten())
        .filter_map(known)
        .filter(|value| value.as_sz() != Some(""))
        .collect()
}

/// Whether any value tells the client where to go: then nothing is found by way of AD.
pub fn has_places(product: Product, observation: &Observation) -> bool {
    !told(product, observation).is_empty()
}

/// Whether any value sends the client to the connector.
pub fn names_connector(product: Product, observation: &Observation, ours: Ours<'_>) -> bool {
    told(product, observation)
        .iter()
        .filter_map(Value::as_sz)
        .any(|text| matches!(whose(text, ours), Whose::Connector | Whose::ConnectorOtherForm))
}

/// Whether both MSDRM locations lead to the connector, as those of a file server do.
pub fn leads_to_connector(observation: &Observation, ours: Ours<'_>) -> bool {
    let [activation, publishing, ..] = MSDRM;
    [activation, publishing].iter().all(|key| {
        let reading = observation.value(&ValuePath::new(*key, ""));
        let Reading::Known(State::Present(value)) = reading else { return false };
        value.as_sz().is_some_and(|text| matches!(whose(text, ours), Whose::Connector))
    })
}

/// Names of connectors that some server of the fleet was sent to before ours: what redirections of a
/// tenant lead to that the inventory knows neither as a connector nor as an AD RMS cluster.
pub fn earlier_connectors(survey: &Survey, known: &BTreeSet<String>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for host in survey.hosts.values() {
        let HostSurvey::Read(observation) = host else { continue };
        // One named by its path is a leftover of a migration, and leads to AD RMS.
        for key in EXCHANGE_REDIRECTION.iter().chain(&MSIPC_REDIRECTION) {
            let Some(Listing::Known(values)) = observation.listings.get(&KeyPath::new(*key)) else {
                continue;
            };
            for (name, reading) in values {
                let Reading::Known(State::Present(value)) = reading else { continue };
                let is_tenant = url_host(name.as_str()).is_some_and(|host| is_azure(&host));
                let is_connectors = is_tenant && is_bare_origin(name.as_str());
                let host = value.as_sz().and_then(url_host).filter(|host| !is_azure(host));
                names.extend(host.filter(|host| is_connectors && !known.contains(host)));
            }
        }
    }
    names
}
