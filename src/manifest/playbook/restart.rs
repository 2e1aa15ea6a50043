//! `restart`: how the hosts of a role or group are taken down and brought back.

use std::collections::BTreeMap;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::playbook::gates;
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
use crate::model::hook::Hook;
use crate::model::rollout::RestartDomain;
use crate::model::rollout::RestartSettings;
use crate::model::rollout::RestartWhen;
use crate::model::template;
use crate::model::template::About;

/// Which failure domain a restart is counted in.
const DAG: (&str, RestartDomain) = ("rms_dag", RestartDomain::RmsDag);
const FARM: (&str, RestartDomain) = ("rms_farm", RestartDomain::RmsFarm);
const FARM_ROLE: (&str, RestartDomain) = ("rms_farm_role", RestartDomain::RmsFarmRole);
const SITE: (&str, RestartDomain) = ("rms_site", RestartDomain::RmsSite);
const CLUSTER: (&str, RestartDomain) = ("rms_cluster", RestartDomain::RmsCluster);
/// Those that a role has, the usual one first.
const EXCHANGE: &[(&str, RestartDomain)] = &[DAG, SITE];
const SHAREPOINT: &[(&str, RestartDomain)] = &[FARM, FARM_ROLE, SITE];
const FILES: &[(&str, RestartDomain)] = &[SITE, CLUSTER];
const ANY: &[(&str, RestartDomain)] = &[DAG, FARM, FARM_ROLE, SITE, CLUSTER];
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
        when: RestartWhen::Required,
        per: None,
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
        let (mut settings, domains) = match name {
            "exchange" => (usual(30), EXCHANGE),
            "sharepoint" => (usual(20), SHAREPOINT),
            "fci" => (usual(15), FILES),
            _ => (usual(30), ANY),
        };
        let near = did_you_mean(name, ROLES).filter(|_| !ROLES.contains(&name));
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
        restart(&mut inner, (name, domains), &mut settings, conditions, diagnostics);
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
    (name, domains): (&str, &'static [(&'static str, RestartDomain)]),
    settings: &mut RestartSettings,
    conditions: &Conditions,
    diagnostics: &mut Diagnostics,
) {
    settings.when = fields
        .read("when", diagnostics, |node| {
            const WORDS: [(&str, RestartWhen); 2] =
                [("required", RestartWhen::Required), ("always", RestartWhen::Always)];
            scalar::choice(node, &WORDS)
        })
        .unwrap_or_default();
    fields.read("restore", diagnostics, |node| scalar::choice(node, &[("as-found", ())]));
    fields.read("boot_proof", diagnostics, |node| {
        const PROOFS: [(&str, ()); 2] = [("last-boot-time-changed", ()), ("logon-ready", ())];
        scalar::list(node, |item| scalar::choice(item, &PROOFS))
    });
    if let Some(timeout) = fields.read("timeout", diagnostics, scalar::seconds) {
        settings.timeout = timeout;
    }
    if let Some(mut inner) = open(fields, "max_unavailable", diagnostics) {
        settings.per = inner.require("per", diagnostics, |node| {
            scalar::choice(node, domains).map_err(|wrong| match domains {
                [(own, _), ..] if ROLES.contains(&name) => {
                    wrong.help(format!("this role is counted per `{own}`"))
                }
                _ => wrong,
            })
        });
        let count = inner.require("count", diagnostics, |node| scalar::integer(node, 1, 1000));
        settings.max_unavailable = count.unwrap_or(1);
        inner.finish(diagnostics);
    }
    let care = &mut settings.care;
    care.drain = fields
        .read("drain", diagnostics, |node| drain(node, name, &conditions.hooks))
        .unwrap_or_default();
    let drain = care.drain.clone();
    care.order = fields
        .read("order", diagnostics, |node| scalar::list(node, |item| order(item, &drain)))
        .unwrap_or_else(|| usual_order(&drain));
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

/// The drains that have a name of their own.
#[derive(Clone, Copy)]
enum Word {
    None,
    ExchangeDag,
    FailoverCluster,
}

/// `none`, `exchange-dag`, `failover-cluster`, or `{ hook: NAME }`.
fn drain(node: &Node, name: &str, hooks: &BTreeMap<String, Hook>) -> Result<Drain, Mismatch> {
    const WORDS: [(&str, Word); 3] = [
        ("none", Word::None),
        ("exchange-dag", Word::ExchangeDag),
        ("failover-cluster", Word::FailoverCluster),
    ];
    const BY_HAND: &str = "a hook of yours is written `{ hook: NAME }`";
    match &node.value {
        Value::Mapping(entries) => match entries.as_slice() {
            [entry] if entry.key.text == "hook" => {
                let name = scalar::text(&entry.value)?;
                match hooks.get(name) {
                    Some(hook) if hook.undo.is_some() => {
                        let undo = hook.undo.as_ref().and_then(|undo| hooks.get(undo));
                        for hook in [hook].into_iter().chain(undo) {
                            about_a_host(name, hook)?;
                        }
                        Ok(Drain::Hook(name.to_owned()))
                    }
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
        Value::Scalar { .. } | Value::Null | Value::Sequence(_) | Value::Vault => {
            let found =
                scalar::choice(node, &WORDS).map_err(|wrong| wrong.help(BY_HAND.to_owned()))?;
            match (found, name) {
                (Word::ExchangeDag, "sharepoint" | "fci") => {
                    Err(Mismatch::new("drains Exchange servers only")
                        .help("put it below `restart.exchange`, or below a group".to_owned()))
                }
                (Word::FailoverCluster, "exchange" | "sharepoint") => {
                    Err(Mismatch::new("drains nodes of file server clusters only").help(
                        "put it below the cluster's group; a DAG drains by `exchange-dag`"
                            .to_owned(),
                    ))
                }
                (Word::None, _) => Ok(Drain::None),
                (Word::ExchangeDag, _) => Ok(Drain::ExchangeDag),
                (Word::FailoverCluster, _) => Ok(Drain::FailoverCluster),
            }
        }
    }
}

fn about_a_host(name: &str, hook: &Hook) -> Result<(), Mismatch> {
    for part in &hook.argv {
        template::sample(part, About::Host).map_err(|text| {
            Mismatch::new(format!("names hook `{name}`, which never works here: {text}"))
                .help(template::known(About::Host).to_owned())
        })?;
    }
    Ok(())
}

/// Without `order`, a built-in drain knows a good one.
fn usual_order(drain: &Drain) -> Vec<RestartOrder> {
    match drain {
        Drain::ExchangeDag => vec![
            RestartOrder::FewestActiveDatabases,
            RestartOrder::AlternateSites,
            RestartOrder::PamLast,
        ],
        Drain::FailoverCluster => vec![RestartOrder::FewestOwnedRoles],
        Drain::None | Drain::Hook(_) => Vec::new(),
    }
}

/// A word of `order`; what only a DAG or cluster can tell needs the drain that asks it.
fn order(node: &Node, drain: &Drain) -> Result<RestartOrder, Mismatch> {
    const WORDS: [(&str, RestartOrder); 5] = [
        ("fewest-active-databases", RestartOrder::FewestActiveDatabases),
        ("alternate-sites", RestartOrder::AlternateSites),
        ("pam-last", RestartOrder::PamLast),
        ("central-admin-last", RestartOrder::CentralAdminLast),
        ("fewest-owned-roles", RestartOrder::FewestOwnedRoles),
    ];
    let word = scalar::choice(node, &WORDS)?;
    let (needs, there) = match word {
        RestartOrder::FewestActiveDatabases | RestartOrder::PamLast => {
            ("exchange-dag", *drain == Drain::ExchangeDag)
        }
        RestartOrder::FewestOwnedRoles => ("failover-cluster", *drain == Drain::FailoverCluster),
        // These two hold by themselves.
        RestartOrder::AlternateSites | RestartOrder::CentralAdminLast => ("", true),
    };
    if there {
        return Ok(word);
    }
    Err(Mismatch::new(format!("needs `drain: {needs}`, which knows what the hosts carry"))
        .help(format!("add `drain: {needs}`, or leave the word out")))
}
