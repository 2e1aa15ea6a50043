//! The few names that gates and hooks may use between double braces.

use minijinja::Environment;
use minijinja::UndefinedBehavior;
use minijinja::context;

use crate::model::plan::PlannedHost;

/// Fills in `host.name`, `host.short`, `host.rms_connector_url`, `change.id` and `run.id`.
///
/// The error says which name is unknown, or known and without a value here.
pub fn fill(
    text: &str,
    host: &PlannedHost,
    change: Option<&str>,
    run: &str,
) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let names = context! {
        host => context! {
            name => host.name.as_str(),
            short => host.name.short(),
            rms_connector_url => host.connector.clone().unwrap_or_default(),
        },
        change => context! { id => change.unwrap_or_default() },
        run => context! { id => run },
    };
    let filled = environment
        .render_str(text, names)
        .map_err(|error| format!("`{text}` cannot be filled in: {error}"))?;
    let needs_url = text.contains("rms_connector_url") && host.connector.is_none();
    if needs_url {
        return Err(format!("`{text}` needs `rms_connector_url` of {}", host.name));
    }
    Ok(filled)
}
