//! `preflight`: which checks block, which only warn, and which are not made (`features.md` 4.3).

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::playbook::open;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::suggest::did_you_mean;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::preflight::Check;
use crate::model::preflight::Demand;
use crate::model::preflight::Preflight;
use crate::model::preflight::version_parts;

const LISTS: [(&str, Demand); 3] =
    [("require", Demand::Proved), ("warn", Demand::Told), ("skip", Demand::Skipped)];
/// Without these there is nothing to plan with.
const NEVER_SKIPPED: [Check; 1] = [Check::ProductVersion];

/// The mapping under `preflight`. A check that no list names keeps what it usually demands.
pub(super) fn preflight(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Preflight {
    let mut preflight = Preflight::default();
    let Some(mut inner) = open(fields, "preflight", diagnostics) else { return preflight };
    let named = RefCell::new(BTreeSet::new());
    for (list, demand) in LISTS {
        let checks = inner.read(list, diagnostics, |node| {
            scalar::list(node, |item| {
                let (check, min) = check(item)?;
                if demand == Demand::Skipped && NEVER_SKIPPED.contains(&check) {
                    return Err(Mismatch::new(format!("cannot skip `{}`", check.id()))
                        .help("it tells which values a host gets; name it in `warn`".to_owned()));
                }
                if named.borrow_mut().insert(check) {
                    return Ok((check, min));
                }
                Err(Mismatch::new(format!("names `{}`, which was named before", check.id()))
                    .help("name each check once".to_owned()))
            })
        });
        for (check, min) in checks.unwrap_or_default() {
            preflight.demands.insert(check, demand);
            preflight.msipc_min = min.unwrap_or(preflight.msipc_min);
        }
    }
    inner.finish(diagnostics);
    preflight
}

/// `os-supported`, or `msipc-client: { min: "1.0.2004.0" }`.
fn check(node: &Node) -> Result<(Check, Option<Vec<u32>>), Mismatch> {
    let (name, settings) = match &node.value {
        Value::Scalar { text, .. } => (text.trim(), None),
        Value::Mapping(entries) => match entries.as_slice() {
            [entry] => (entry.key.text.as_str(), Some(&entry.value)),
            _ => return Err(Mismatch::new("needs one check per item".to_owned())),
        },
        Value::Null | Value::Sequence(_) | Value::Vault => {
            return Err(Mismatch::new(format!("needs the name of a check, found {}", node.kind())));
        }
    };
    let check = Check::parse(name).ok_or_else(|| {
        let help = did_you_mean(name, Check::ALL.map(Check::id))
            .unwrap_or_else(|| format!("there are {}", Check::ALL.map(Check::id).join(", ")));
        Mismatch::new(format!("names no check that is called `{name}`")).help(help)
    })?;
    match settings {
        None => Ok((check, None)),
        Some(settings) if check == Check::MsipcClient => Ok((check, Some(minimum(settings)?))),
        Some(_) => Err(Mismatch::new(format!("gives settings to `{name}`, which has none"))
            .help(format!("write `- {name}`"))),
    }
}

fn minimum(settings: &Node) -> Result<Vec<u32>, Mismatch> {
    let wrong = || {
        Mismatch::new("needs `min`, a version of four numbers")
            .help(r#"write `msipc-client: { min: "1.0.2004.0" }`"#.to_owned())
    };
    let Value::Mapping(entries) = &settings.value else { return Err(wrong()) };
    let [entry] = entries.as_slice() else { return Err(wrong()) };
    let Value::Scalar { text, .. } = &entry.value.value else { return Err(wrong()) };
    let parts = version_parts(text).filter(|parts| parts.len() == 4);
    parts.filter(|_| entry.key.text == "min").ok_or_else(wrong)
}
