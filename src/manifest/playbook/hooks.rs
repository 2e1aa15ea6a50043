//! `hooks`, and the lists of their names around stages and the run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::playbook::gates;
use crate::manifest::playbook::named;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::suggest::did_you_mean;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::hook::Around;
use crate::model::hook::Hook;
use crate::model::program::RunOn;
use crate::model::template;
use crate::model::template::About;

/// `hooks_before` and `hooks_after` of a stage, or of the playbook as a whole.
pub(super) fn around(
    fields: &mut Fields<'_>,
    known: &BTreeMap<String, Hook>,
    diagnostics: &mut Diagnostics,
) -> Around {
    let mut names = |key: &'static str| {
        let seen = RefCell::new(BTreeSet::new());
        let once = |item: &Node| {
            let name = one_of(item, known)?;
            if seen.borrow_mut().insert(name.clone()) {
                return Ok(name);
            }
            Err(Mismatch::new(format!("names hook `{name}` twice"))
                .help("a hook runs once in one place: take one of them out".to_owned()))
        };
        fields.read(key, diagnostics, |node| scalar::list(node, once)).unwrap_or_default()
    };
    Around { before: names("hooks_before"), after: names("hooks_after") }
}

fn one_of(node: &Node, known: &BTreeMap<String, Hook>) -> Result<String, Mismatch> {
    let name = scalar::text(node)?;
    let Some(hook) = known.get(name) else {
        let near = did_you_mean(name, known.keys().map(String::as_str));
        return Err(Mismatch::new(format!(
            "names no hook of this playbook, found {}",
            node.kind()
        ))
        .help(near.unwrap_or_else(|| format!("add `{name}:` below `hooks`"))));
    };
    let undo = hook.undo.as_ref().and_then(|undo| known.get(undo));
    let about_one = |hook: &&Hook| hook.run_on == RunOn::Host;
    if [hook].into_iter().chain(undo).any(|hook| about_one(&hook)) {
        return Err(Mismatch::new(format!(
            "names hook `{name}`, which runs on the host that it is about, and there is none here"
        ))
        .help("name the host: `run_on: MGMT01.corp.contoso.com`".to_owned()));
    }
    let parts = hook.argv.iter().chain(undo.into_iter().flat_map(|undo| &undo.argv));
    for part in parts {
        template::sample(part, About::Stage).map_err(|text| {
            Mismatch::new(format!("names hook `{name}`, which runs for no one host here: {text}"))
                .help(template::known(About::Stage).to_owned())
        })?;
    }
    Ok(name.to_owned())
}

/// The mapping under `hooks`: name to a program.
pub(super) fn hooks(
    fields: &mut Fields<'_>,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, Hook> {
    let known = known(fields);
    named(fields, "hooks", diagnostics, |node, diagnostics| {
        let mut inner = Fields::open(node, "a hook", node.span, diagnostics)?;
        let (argv, run_on) = gates::program(&mut inner, true, diagnostics);
        let timeout = inner.require("timeout", diagnostics, scalar::seconds);
        let undo = inner.read("undo", diagnostics, |node| {
            let name = scalar::text(node)?;
            if known.iter().any(|key| key == name) {
                return Ok(name.to_owned());
            }
            let near = did_you_mean(name, known.iter().map(String::as_str));
            Err(Mismatch::new(format!("names no hook, found `{name}`"))
                .help(near.unwrap_or_else(|| format!("add `{name}:` below `hooks`"))))
        });
        inner.finish(diagnostics);
        Some(Hook { argv: argv?, timeout: timeout?, undo, run_on })
    })
}

fn known(fields: &mut Fields<'_>) -> Vec<String> {
    match fields.take("hooks").map(|entry| &entry.value.value) {
        Some(Value::Mapping(entries)) => {
            entries.iter().map(|entry| entry.key.text.clone()).collect()
        }
        Some(Value::Null | Value::Scalar { .. } | Value::Sequence(_) | Value::Vault) | None => {
            Vec::new()
        }
    }
}
