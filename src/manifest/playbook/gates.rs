//! `gates`, and the lists of their names at stages and restarts.

use std::collections::BTreeMap;

use reqwest::Url;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::playbook::named;
use crate::manifest::playbook::open;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::suggest::did_you_mean;
use crate::manifest::tree::Entry;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::gate::ExchangeCheck;
use crate::model::gate::Gate;
use crate::model::host::HostName;
use crate::model::program::Program;
use crate::model::program::RunOn;
use crate::model::template;
use crate::model::template::About;

/// How long a gate that turns green by itself is looked at, if its playbook does not say.
const WITHIN: u32 = 300;
/// How long a program may run.
const PROGRAM: u32 = 60;
const DAY: u32 = 24 * 3600;

type Read = fn(&mut Fields<'_>, &mut Diagnostics) -> Option<Gate>;

const KINDS: [(&str, Read); 9] = [
    ("http", http),
    ("event-log", event_log),
    ("exchange", exchange),
    ("service", service),
    ("rms-templates", rms_templates),
    ("tcp", tcp),
    ("soak", soak),
    ("approval", approval),
    ("command", command),
];

/// The mapping under `gates`: name to gate.
pub(super) fn gates(
    fields: &mut Fields<'_>,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, Gate> {
    named(fields, "gates", diagnostics, |node, diagnostics| {
        let mut inner = Fields::open(node, "a gate", node.span, diagnostics)?;
        let read = inner.require("type", diagnostics, |node| scalar::choice(node, &KINDS))?;
        let gate = read(&mut inner, diagnostics);
        inner.finish(diagnostics);
        gate
    })
}

/// A list of gate names; one that no gate has is an error at the name.
pub(super) fn names(
    fields: &mut Fields<'_>,
    key: &'static str,
    known: &BTreeMap<String, Gate>,
    diagnostics: &mut Diagnostics,
) -> Vec<String> {
    let Some(entry) = fields.take(key) else { return Vec::new() };
    match scalar::list(&entry.value, |node| one_of(node, known)) {
        Ok(names) => {
            first_soak(&names, known, entry, diagnostics);
            names
        }
        Err(wrong) => {
            diagnostics.push(wrong.of(entry));
            Vec::new()
        }
    }
}

fn one_of(node: &Node, known: &BTreeMap<String, Gate>) -> Result<String, Mismatch> {
    let name = scalar::text(node)?;
    if known.contains_key(name) {
        return Ok(name.to_owned());
    }
    let near = did_you_mean(name, known.keys().map(String::as_str));
    Err(Mismatch::new(format!("names no gate of this playbook, found {}", node.kind()))
        .help(near.unwrap_or_else(|| format!("add `{name}:` below `gates`"))))
}

/// A soak looks at the gates before it again; alone it would be a pause that proves nothing.
fn first_soak(
    names: &[String],
    known: &BTreeMap<String, Gate>,
    entry: &Entry,
    diagnostics: &mut Diagnostics,
) {
    let before =
        names.iter().take_while(|name| !matches!(known.get(*name), Some(Gate::Soak { .. })));
    let looks = before.filter(|name| !matches!(known.get(*name), Some(Gate::Approval { .. })));
    let soaks = names.iter().any(|name| matches!(known.get(name), Some(Gate::Soak { .. })));
    if soaks && looks.count() == 0 {
        diagnostics.push(
            Diagnostic::error(entry.key.span, "the soak has nothing to look at again")
                .help("name the gates that must stay green before it in the list".to_owned()),
        );
    }
}

/// An address with names between double braces, as it is filled in for a host.
fn url(node: &Node) -> Result<String, Mismatch> {
    let text = scalar::text(node)?;
    let filled = template::sample(text, About::Host).map_err(|text| {
        Mismatch::new(format!("never works: {text}")).help(template::known(About::Host).to_owned())
    })?;
    match Url::parse(&filled) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(text.to_owned())
        }
        Ok(_) | Err(_) => {
            Err(Mismatch::new(format!("needs an http or https URL, found {}", node.kind()))
                .help("write `https://…`, or begin with `{{ host.rms_connector_url }}`".to_owned()))
        }
    }
}

fn http(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Gate> {
    fixed(fields, "from", "host", diagnostics);
    fixed(fields, "accept", "any-http-status", diagnostics);
    let url = fields.require("url", diagnostics, url);
    let within = within(fields, WITHIN, diagnostics);
    Some(Gate::Http { url: url?, within })
}

fn event_log(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Gate> {
    fixed(fields, "from", "rms_connectors", diagnostics);
    let mut gate = (Vec::new(), Vec::new(), WITHIN);
    if let Some(mut need) = open(fields, "need", diagnostics) {
        fixed(&mut need, "any_node", "true", diagnostics);
        fixed(&mut need, "about", "host", diagnostics);
        gate.0 = need.require("ids", diagnostics, ids).unwrap_or_default();
        gate.2 = within(&mut need, WITHIN, diagnostics);
        need.finish(diagnostics);
    }
    if let Some(mut forbid) = open(fields, "forbid", diagnostics) {
        fixed(&mut forbid, "about", "host", diagnostics);
        gate.1 = forbid.require("ids", diagnostics, ids).unwrap_or_default();
        forbid.finish(diagnostics);
    }
    let (need, forbid, within) = gate;
    if need.is_empty() && forbid.is_empty() {
        diagnostics.push(
            Diagnostic::error(fields.span(), "this gate looks for no event")
                .help("add `need:` or `forbid:` with `ids:`".to_owned()),
        );
        return None;
    }
    Some(Gate::EventLog { need, forbid, within })
}

fn exchange(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Gate> {
    let checks = fields.require("checks", diagnostics, |node| scalar::list(node, check));
    let within = within(fields, WITHIN, diagnostics);
    Some(Gate::Exchange { checks: checks?, within })
}

/// `services-running`, or a mapping of one key: `{ queues-below: 200 }`.
fn check(node: &Node) -> Result<ExchangeCheck, Mismatch> {
    const WORDS: [(&str, u8); 4] = [
        ("services-running", 0),
        ("component-states-as-found", 1),
        ("copies-healthy", 2),
        ("not-in-maintenance", 3),
    ];
    let wrong = || {
        Mismatch::new(format!("needs a check, found {}", node.kind())).help(
            "write a word, `{ queues-below: 200 }` or `{ test-irm-configuration: { sender: \
             someone@contoso.com } }`"
                .to_owned(),
        )
    };
    match &node.value {
        Value::Mapping(entries) => match entries.as_slice() {
            [entry] if entry.key.text == "queues-below" => {
                scalar::integer(&entry.value, 1, 1_000_000).map(ExchangeCheck::QueuesBelow)
            }
            [entry] if entry.key.text == "test-irm-configuration" => {
                let Value::Mapping(inner) = &entry.value.value else { return Err(wrong()) };
                let sender = inner.iter().find(|entry| entry.key.text == "sender");
                let odd = inner.iter().any(|entry| {
                    !(entry.key.text == "sender"
                        || (entry.key.text == "expect" && entry.value.inline() == "pass"))
                });
                match sender {
                    Some(sender) if !odd => Ok(ExchangeCheck::TestIrmConfiguration {
                        sender: scalar::text(&sender.value)?.to_owned(),
                    }),
                    Some(_) | None => Err(wrong()),
                }
            }
            _ => Err(wrong()),
        },
        Value::Scalar { .. } => Ok(match scalar::choice(node, &WORDS)? {
            0 => ExchangeCheck::ServicesRunning,
            1 => ExchangeCheck::ComponentStatesAsFound,
            2 => ExchangeCheck::CopiesHealthy,
            _ => ExchangeCheck::NotInMaintenance,
        }),
        Value::Null | Value::Sequence(_) | Value::Vault => Err(wrong()),
    }
}

fn service(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Gate> {
    let names = fields.require("names", diagnostics, |node| scalar::list(node, service_name));
    let within = within(fields, WITHIN, diagnostics);
    Some(Gate::Service { names: names?, within })
}

/// Short names hold no quote, so that none can reach out of a WQL text.
fn service_name(node: &Node) -> Result<String, Mismatch> {
    let name = scalar::text(node)?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.$ ".contains(letter);
    if name.chars().all(plain) {
        return Ok(name.to_owned());
    }
    Err(Mismatch::new(format!("needs a service's short name, found {}", node.kind()))
        .help("write it as `sc query` shows it: SrmSvc".to_owned()))
}

/// The connector's nodes take up a list of accounts every 15 minutes, so that is what it waits.
fn rms_templates(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Gate> {
    let expect = fields.read("expect", diagnostics, |node| {
        scalar::list(node, |item| scalar::text(item).map(str::to_owned))
    });
    if expect.as_ref().is_some_and(Vec::is_empty) {
        diagnostics.push(
            Diagnostic::error(fields.span(), "`expect` names no template")
                .help("name one, or leave the key out: any template will do then".to_owned()),
        );
        return None;
    }
    let within = within(fields, 3 * WITHIN, diagnostics);
    Some(Gate::RmsTemplates { expect: expect.unwrap_or_default(), within })
}

fn tcp(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Gate> {
    let port = fields.require("port", diagnostics, |node| scalar::integer(node, 1, 65535));
    let within = within(fields, WITHIN, diagnostics);
    Some(Gate::Tcp { port: u16::try_from(port?).ok()?, within })
}

fn soak(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Gate> {
    let duration = fields.require("duration", diagnostics, scalar::seconds);
    let recheck = fields.require("recheck_every", diagnostics, scalar::seconds);
    let (duration, recheck_every) = (duration?, recheck?);
    if recheck_every == 0 || recheck_every > duration {
        diagnostics.push(
            Diagnostic::error(fields.span(), "this soak never looks again")
                .help("`recheck_every` is at least `1s` and at most `duration`".to_owned()),
        );
        return None;
    }
    Some(Gate::Soak { duration, recheck_every })
}

fn approval(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Gate> {
    let text = |node| scalar::text(node).map(str::to_owned);
    let prompt = fields.require("prompt", diagnostics, text);
    let role = fields.read("role", diagnostics, text);
    let timeout = fields.read("timeout", diagnostics, scalar::seconds).unwrap_or(DAY);
    Some(Gate::Approval { prompt: prompt?, role, timeout })
}

fn command(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Gate> {
    let (argv, run_on) = program(fields, false, diagnostics);
    let timeout = fields.read("timeout", diagnostics, scalar::seconds).unwrap_or(PROGRAM);
    Some(Gate::Command { argv: argv?, timeout, run_on })
}

/// `argv` and `run_on`.
pub(super) fn program(
    fields: &mut Fields<'_>,
    is_filled_in: bool,
    diagnostics: &mut Diagnostics,
) -> (Option<Vec<String>>, RunOn) {
    let run_on = fields.read("run_on", diagnostics, run_on).unwrap_or_default();
    let argv = fields.require("argv", diagnostics, |node| {
        let argv = argv(node)?;
        if is_filled_in {
            filled_in(&argv, node)?;
        }
        if !run_on.is_controller() {
            // What stands between double braces is looked at once it is filled in.
            let sample =
                |part: &String| if is_filled_in { without_names(part) } else { part.clone() };
            let sample: Vec<String> = argv.iter().map(sample).collect();
            fits_a_host(&sample, node)?;
        }
        Ok(argv)
    });
    (argv, run_on)
}

/// A name that nobody can fill in is an error at its word.
fn filled_in(argv: &[String], node: &Node) -> Result<(), Mismatch> {
    let Value::Sequence(items) = &node.value else { return Ok(()) };
    for (part, item) in argv.iter().zip(items) {
        template::sample(part, About::Either).map_err(|text| {
            Mismatch::new(format!("has a part that never works: {text}"))
                .help(template::known(About::Either).to_owned())
                .within(item)
        })?;
    }
    Ok(())
}

/// What a host would not be given as it is written is an error at its word.
fn fits_a_host(argv: &[String], node: &Node) -> Result<(), Mismatch> {
    let Err(unfit) = Program::new(argv) else { return Ok(()) };
    let wrong = Mismatch::new(format!("cannot be run on a host: {unfit}"));
    let wrong = wrong.help(unfit.hint().to_owned());
    let Value::Sequence(items) = &node.value else { return Err(wrong) };
    let is_unfit = |last: &usize| Program::new(argv.get(..=*last).unwrap_or_default()).is_err();
    match (0..argv.len()).find(is_unfit).and_then(|first| items.get(first)) {
        Some(item) => Err(wrong.within(item)),
        None => Err(wrong),
    }
}

fn run_on(node: &Node) -> Result<RunOn, Mismatch> {
    Ok(match scalar::text(node)? {
        "controller" => RunOn::Controller,
        "host" => RunOn::Host,
        name => RunOn::Named(HostName::new(name)),
    })
}

/// The text with a plain letter for each name between double braces.
fn without_names(text: &str) -> String {
    let mut parts = text.split("{{");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| match part.split_once("}}") {
        Some((_, rest)) => text + "x" + rest,
        None => text + "{{" + part,
    })
}

/// A program and its arguments, as a list: nothing is split or expanded.
fn argv(node: &Node) -> Result<Vec<String>, Mismatch> {
    let argv = scalar::list(node, |item| scalar::text(item).map(str::to_owned))?;
    if argv.is_empty() {
        return Err(Mismatch::new("needs a program, found an empty list"));
    }
    Ok(argv)
}

fn ids(node: &Node) -> Result<Vec<u32>, Mismatch> {
    scalar::list(node, |item| scalar::integer(item, 1, 65535))
}

fn within(fields: &mut Fields<'_>, usual: u32, diagnostics: &mut Diagnostics) -> u32 {
    fields.read("within", diagnostics, scalar::seconds).unwrap_or(usual)
}

/// A key that has one form only; it may be written out.
fn fixed(
    fields: &mut Fields<'_>,
    key: &'static str,
    form: &'static str,
    diagnostics: &mut Diagnostics,
) {
    fields.read(key, diagnostics, |node| scalar::choice(node, &[(form, ())]));
}
