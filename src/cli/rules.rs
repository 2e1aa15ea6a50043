//! `rules list` and `rules explain ID`.

use std::path::Path;

use crate::cli::console::Console;
use crate::cli::load;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::manifest::suggest::did_you_mean;
use crate::report;

pub fn list(path: Option<&Path>, console: &mut Console) -> Result<Exit, Stop> {
    let (pack, _) = load::rules(path, console.style().colour)?;
    console.say(&report::rules::table(&pack, console.style()))?;
    console.say("Next  rmsfleet rules explain RULE")?;
    console.document("rules", "the rule pack", serde_json::to_value(&pack)?)?;
    Ok(Exit::Ok)
}

pub fn explain(path: Option<&Path>, id: &str, console: &mut Console) -> Result<Exit, Stop> {
    let (pack, _) = load::rules(path, console.style().colour)?;
    let Some(rule) = pack.rules.iter().find(|rule| rule.id.eq_ignore_ascii_case(id)) else {
        let hint = did_you_mean(id, pack.rules.iter().map(|rule| rule.id.as_str()))
            .unwrap_or_else(|| "rmsfleet rules list shows them all".to_owned());
        return Err(Stop::new(Exit::NoMatch, format!("no rule `{id}`")).hint(hint));
    };
    console.say(&report::rules::explain(&pack, rule, console.style()))?;
    console.document("rule", "one rule", serde_json::to_value(rule)?)?;
    Ok(Exit::Ok)
}
