//! `restart`: how the hosts of a role or group are taken down and brought back.

use std::collections::BTreeMap;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::playbook::gates;
use crate::manifest::playbook::named;
use crate::manifest::playbook::open;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::suggest::did_you_mean;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::care::Care;
use crate::model::care::Drain;
use crate::model::care::RestartOrder;
use crate::model::care::Warning;
use crate::model::conditions::Conditions;
use crate::model::gate::Hook;
use crate::model::rollout::RestartSettings;

/// Which failure domain a restart is counted in; a role has its own.
const DOMAINS: [&str; 4] = ["rms_dag", "rms_farm", "rms_site", "rms_cluster"];
const ROLES: [&str; 3] = ["exchange", "sharepoint", "fci"];
/// The longest warning; Windows takes no delay above ten years, people none above this.
const LONGEST_LEAD: u32 = 3600;

/// The settings of the three roles, and those of groups in the file's order.
pub(super) struct Restarts {
    pub(super) exchange: RestartSettings,
    pub(super) sharepoint: RestartSettings,
    pub(super) fci: RestartSettings,
    pub(super) groups: Vec<(String, RestartSettings)>,
}

/// Exchange, SharePoint, FCI, then groups by name.
pub(super) fn restarts(
    fields: &mut Fields<'_>,
    conditions: &Conditions,
    diagnostics: &mut Diagnostics,
) -> Restarts {
    let usual = |minutes: u32| RestartSettings {
        max_unavailable: 1,
        timeout: minutes * 60,
        care: Care::default(),
    };
    let mut all =
        Restarts { exchange: usual(30), sharepoint: usual(20), fci: usual(15), groups: Vec::new() };
    let Some(entry) = fields.take("restart") else { return all };
    let Value::Mapping(entries) = &entry.value.value else {
        // Says what is wrong, and takes nothing out.
        Fields::open(&entry.value, "restart", entry.key.span, diagnostics);
        return all;
    };
    for entry in entries {
        let name = entry.key.text.as_str();
        let (mut settings, domain) = match name {
            "exchange" => (usual(30), Some("rms_dag")),
            "sharepoint" => (usual(20), Some("rms_farm")),
            "fci" => (usual(15), Some("rms_site")),
            _ => (usual(30), None),
        };
        let near = did_you_mean(name, ROLES).filter(|_| domain.is_none());
        if let Some(near) = near {
            let message = format!("unknown key `{name}` in restart");
            diagnostics.push(Diagnostic::error(entry.key.span, message).help(near));
            continue;
        }
        let Some(mut inner) =
            Fields::open(&entry.value, "restart settings", entry.key.span, diagnostics)
        else {
            continue;
        };
        restart(&mut inner, domain, &mut settings, conditions, diagnostics);
        inner.finish(diagnostics);
        match name {
            "exchange" => all.exchange = settings,
            "sharepoint" => all.sharepoint = settings,
            "fci" => all.fci = settings,
            group => all.groups.push((group.to_owned(), settings)),
        }
    }
    all
}

fn restart(
    fields: &mut Fields<'_>,
    domain: Option<&'static str>,
    settings: &mut RestartSettings,
    conditions: &Conditions,
    diagnostics: &mut Diagnostics,
) {
    let rule = "the rule is fixed: file servers always, the others if they used AD RMS";
    fields.refuse("when", rule, diagnostics);
    fields.read("restore", diagnostics, |node| scalar::choice(node, &[("as-found", ())]));
    fields.read("boot_proof", diagnostics, |node| {
        const PROOFS: [(&str, ()); 2] = [("last-boot-time-changed", ()), ("logon-ready", ())];
        scalar::list(node, |item| scalar::choice(item, &PROOFS))
    });
    if let Some(timeout) = fields.read("timeout", diagnostics, scalar::seconds) {
        settings.timeout = timeout;
    }
    if let Some(mut inner) = open(fields, "max_unavailable", diagnostics) {
        let domains: Vec<(&str, ())> = match domain {
            Some(domain) => vec![(domain, ())],
            None => DOMAINS.iter().map(|domain| (*domain, ())).collect(),
        };
        inner.require("per", diagnostics, |node| {
            scalar::choice(node, &domains).map_err(|wrong| match domain {
                Some(domain) => wrong.help(format!("this role is counted per `{domain}`")),
                None => wrong,
            })
        });
        let count = inner.require("count", diagnostics, |node| scalar::integer(node, 1, 1000));
        settings.max_unavailable = count.unwrap_or(1);
        inner.finish(diagnostics);
    }
    let care = &mut settings.care;
    care.drain = fields
        .read("drain", diagnostics, |node| drain(node, &conditions.hooks))
        .unwrap_or_default();
    care.order =
        fields.read("order", diagnostics, |node| scalar::list(node, order)).unwrap_or_default();
    care.warn = open(fields, "warn_users", diagnostics).and_then(|mut inner| {
        let message =
            inner.require("message", diagnostics, |node| scalar::text(node).map(str::to_owned));
        let lead = inner.require("lead", diagnostics, |node| {
            scalar::seconds(node)
                .and_then(|seconds| if seconds <= LONGEST_LEAD { Ok(seconds) } else { Err(long()) })
        });
        inner.finish(diagnostics);
        Some(Warning { message: message?, lead: lead? })
    });
    care.gates_after = gates::names(fields, "gates_after", &conditions.gates, diagnostics);
    lingering(fields, care, conditions, diagnostics);
}

/// Gates of a restart hold up its failure domain, so that none of them may wait for a person.
fn lingering(
    fields: &Fields<'_>,
    care: &Care,
    conditions: &Conditions,
    diagnostics: &mut Diagnostics,
) {
    use crate::model::gate::Gate;
    let waits = |name: &&String| matches!(conditions.gates.get(*name), Some(Gate::Approval { .. }));
    if let Some(name) = care.gates_after.iter().find(waits) {
        diagnostics.push(
            Diagnostic::error(
                fields.span(),
                format!("`{name}` waits for a person after a restart"),
            )
            .help("put the approval into a stage's `gates_after`".to_owned()),
        );
    }
}

fn long() -> Mismatch {
    Mismatch::new("needs at most an hour").help("write `5m`".to_owned())
}

/// `none`, or `{ hook: NAME }`.
fn drain(node: &Node, hooks: &BTreeMap<String, Hook>) -> Result<Drain, Mismatch> {
    const BY_HAND: &str = "this version drains with a hook of yours: `{ hook: NAME }`";
    match &node.value {
        Value::Mapping(entries) => match entries.as_slice() {
            [entry] if entry.key.text == "hook" => {
                let name = scalar::text(&entry.value)?;
                match hooks.get(name) {
                    Some(hook) if hook.undo.is_some() => Ok(Drain::Hook(name.to_owned())),
                    Some(_) => {
                        Err(Mismatch::new(format!("names hook `{name}`, which has no undo")).help(
                            "a hook that drains names in `undo` the one that brings the host \
                               back"
                                .to_owned(),
                        ))
                    }
                    None => {
                        let near = did_you_mean(name, hooks.keys().map(String::as_str));
                        Err(Mismatch::new(format!("names no hook, found `{name}`"))
                            .help(near.unwrap_or_else(|| format!("add `{name}:` below `hooks`"))))
                    }
                }
            }
            _ => Err(Mismatch::new("needs one key, `hook`").help(BY_HAND.to_owned())),
        },
        Value::Scalar { text, .. }
            if matches!(text.trim(), "exchange-dag" | "failover-cluster") =>
        {
            Err(Mismatch::new(format!("`{}` is not supported by this version", text.trim()))
                .help(BY_HAND.to_owned()))
        }
        Value::Scalar { .. } | Value::Null | Value::Sequence(_) | Value::Vault => {
            scalar::choice(node, &[("none", ())])
                .map(|()| Drain::None)
                .map_err(|wrong| wrong.help(BY_HAND.to_owned()))
        }
    }
}

fn order(node: &Node) -> Result<RestartOrder, Mismatch> {
    const WORDS: [(&str, RestartOrder); 2] = [
        ("alternate-sites", RestartOrder::AlternateSites),
        ("central-admin-last", RestartOrder::CentralAdminLast),
    ];
    scalar::choice(node, &WORDS).map_err(|wrong| {
        wrong.help("sites alternate and Central Administration comes last by themselves".to_owned())
    })
}

/// The mapping under `hooks`: name to a program of the controller.
pub(super) fn hooks(
    fields: &mut Fields<'_>,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, Hook> {
    let known = known(fields);
    named(fields, "hooks", diagnostics, |node, diagnostics| {
        let mut inner = Fields::open(node, "a hook", node.span, diagnostics)?;
        inner.read("run_on", diagnostics, |node| scalar::choice(node, &[("controller", ())]));
        let argv = inner.require("argv", diagnostics, gates::argv);
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
        Some(Hook { argv: argv?, timeout: timeout?, undo })
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
