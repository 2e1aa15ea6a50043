//! A host's product, and what the checks find about the host.

use crate::model::facts::Observation;
use crate::model::host::Host;
use crate::model::plan::Blocker;
use crate::model::plan::PlannedHost;
use crate::model::preflight::Check;
use crate::model::preflight::Demand;
use crate::model::preflight::Finding;
use crate::model::preflight::Status;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::rules::RulePack;
use crate::model::rules::Support;
use crate::plan::host::Context;
use crate::plan::host::blocker;
use crate::plan::host::note;
use crate::plan::preflight;
use crate::plan::product;
use crate::plan::product::Found;

/// Everything that the checks find. What speaks against the product itself stands first.
pub(super) fn check(
    planned: &mut PlannedHost,
    host: &Host,
    role: Role,
    version: Option<Blocker>,
    observation: &Observation,
    context: Context<'_>,
) {
    let preflight = &context.playbook.preflight;
    let case = preflight::Case {
        host,
        role,
        product: planned.product,
        observation,
        survey: context.survey,
        hosts: context.hosts,
        preflight,
        defaults: &preflight::default_keys(role, context.pack),
    };
    let (findings, blockers) = preflight::findings(case);
    planned.findings = findings;
    // A product that cannot be told has no rules, whatever the playbook is content with.
    let lenient =
        preflight.demand(Check::ProductVersion) == Demand::Told && planned.product.is_some();
    let is_borne = |one: &Blocker| lenient && one.id == Check::ProductVersion.id();
    let (status, found) = match &version {
        None => {
            (Status::Ok, planned.product.map_or_else(String::new, |product| product.to_string()))
        }
        Some(one) if is_borne(one) => (Status::Warn, one.text.clone()),
        Some(one) if one.id == "unreadable" => (Status::NotRead, one.text.clone()),
        Some(one) => (Status::Block, one.text.clone()),
    };
    planned.findings.push(Finding {
        id: version.as_ref().map_or(Check::ProductVersion.id(), |one| one.id.as_str()).to_owned(),
        expected: host.product.map_or_else(|| format!("a product of {role}"), |it| it.to_string()),
        found,
        source: product::source(role).to_owned(),
        time: observation.taken,
        status,
        waived: None,
    });
    planned.blockers.extend(version.filter(|one| !is_borne(one)));
    planned.blockers.extend(blockers);
}

/// The product whose rules apply, and what speaks against it.
pub(super) fn version(
    host: &Host,
    role: Role,
    observation: &Observation,
) -> (Option<Product>, Option<Blocker>) {
    let mismatch = |text: String| {
        let hint = match host.product {
            Some(_) => format!("correct `rms_product`, or --waive {}:product-version", host.name),
            None => "state `rms_product` in the inventory, and waive this by name".to_owned(),
        };
        Some(Blocker { id: "product-version".to_owned(), text, hint: Some(hint) })
    };
    let says = host.product.map_or_else(
        || "and the inventory says nothing".to_owned(),
        |product| format!("the inventory says {product}"),
    );
    match product::discover(role, observation) {
        Found::Product(found, version) => match host.product {
            Some(asserted) if asserted != found => {
                (Some(asserted), mismatch(format!("found {found} ({version}), {says}")))
            }
            Some(_) | None => (Some(found), None),
        },
        Found::NotInstalled => {
            (host.product, mismatch(format!("found no {role} installation, {says}")))
        }
        Found::UnknownVersion(version) => {
            (host.product, mismatch(format!("found {version}, {says}")))
        }
        Found::EdgeTransport => (
            None,
            Some(blocker("edge-transport", "an Edge Transport server does not use the connector")),
        ),
        Found::Conflict(text) => (None, Some(blocker("role-conflict", &text))),
        Found::Unreadable(reason) => (
            host.product,
            Some(blocker("unreadable", &format!("the product cannot be told: {reason}"))),
        ),
    }
}

pub(super) fn label(planned: &mut PlannedHost, product: Product, pack: &RulePack) {
    let Some(label) = pack.products.iter().find(|label| label.product == product) else { return };
    planned.support = Some(label.support);
    let id = match label.support {
        Support::Documented => {
            let remark = label.note.as_ref().filter(|text| text.contains("support ended"));
            planned.notes.extend(remark.map(|text| note("ended", format!("{product}: {text}"))));
            return;
        }
        Support::Undocumented => "undocumented",
        Support::Unsupported => "unsupported",
    };
    let remark = label.note.as_ref().map_or_else(String::new, |text| format!(": {text}"));
    let text =
        format!("{product} is {id} for the connector ({}, {}){remark}", label.source, label.date);
    planned.notes.push(note(id, text));
}
