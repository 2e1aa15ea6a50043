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

/// For whom a text is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Host,
    /// A stage, or the run.
    Stage,
    /// Whichever of the two.
    Either,
}

/// Fills in samples, so that what can never be filled in is known before a run.
pub fn sample(text: &str, about: About) -> Result<String, String> {
    let host = context! {
        name => "EX01.contoso.com",
        short => "EX01",
        rms_connector_url => "https://rms.contoso.com",
    };
    let stage = context! { name => "stage" };
    let (change, run) = (context! { id => "CHG1" }, context! { id => "run" });
    let names = match about {
        About::Host => context! { host, change, run },
        About::Stage => context! { stage, change, run },
        About::Either => context! { host, stage, change, run },
    };
    render(text, names)
}

/// The names that a text may have between double braces.
pub fn known(about: About) -> &'static str {
    match about {
        About::Host => {
            "here there are `{{ host.name }}`, `{{ host.short }}`, `{{ host.rms_connector_url }}`, \
             `{{ change.id }}` and `{{ run.id }}`"
        }
        About::Stage => "here there are `{{ stage.name }}`, `{{ change.id }}` and `{{ run.id }}`",
        About::Either => {
            "for a host there are `{{ host.name }}`, `{{ host.short }}` and \
             `{{ host.rms_connector_url }}`, around a stage `{{ stage.name }}`, everywhere \
             `{{ change.id }}` and `{{ run.id }}`"
        }
    }
}

fn render(text: &str, names: minijinja::Value) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.render_str(text, names).map_err(|error| {
        let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        format!("`{text}` cannot be filled in: {why}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_refused_for_a_name_that_is_not_known_there() {
        let good = |text: &str, about| assert!(sample(text, about).is_ok(), "{text} {about:?}");
        let bad = |text: &str, about| assert!(sample(text, about).is_err(), "{text} {about:?}");
        good("{{ host.short }} {{ change.id }} {{ run.id }}", About::Host);
        good("{{ host.name | lower }} {{ stage.name }}", About::Either);
        bad("{{ stage.name }}", About::Host);
        bad("{{ host.name }}", About::Stage);
        for text in ["{{ host.bogus }}", "{{ name }}", "{{ host.name", "{% nonsense %}"] {
            bad(text, About::Either);
        }
        assert_eq!(
            sample("{{ host.rms_connector_url }}/x", About::Host).unwrap(),
            "https://rms.contoso.com/x"
        );
    }
}
