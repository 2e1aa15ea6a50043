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
    let names = context! {
        host => context! {
            name => host.name.as_str(),
            short => host.name.short(),
            rms_connector_url => host.connector.clone().unwrap_or_default(),
        },
        change => context! { id => change.unwrap_or_default() },
        run => context! { id => run },
    };
    let filled = render(text, names)?;
    let needs_url = text.contains("rms_connector_url") && host.connector.is_none();
    if needs_url {
        return Err(format!("`{text}` needs `rms_connector_url` of {}", host.name));
    }
    Ok(filled)
}

/// Fills in `stage.name`, `change.id` and `run.id`, for what is about no one host.
pub fn fill_around(
    text: &str,
    stage: Option<&str>,
    change: Option<&str>,
    run: &str,
) -> Result<String, String> {
    let names = context! {
        stage => context! { name => stage.unwrap_or_default() },
        change => context! { id => change.unwrap_or_default() },
        run => context! { id => run },
    };
    render(text, names)
}

fn render(text: &str, names: minijinja::Value) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
        .render_str(text, names)
        .map_err(|error| format!("`{text}` cannot be filled in: {error}"))
}
