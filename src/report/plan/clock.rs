//! Windows and freezes, and who may not start now.

use jiff::Timestamp;

use crate::model::plan::Plan;
use crate::plan::fold::compress;
use crate::plan::opening;
use crate::plan::window::Opening;
use crate::report::plan::RenderOptions;
use crate::report::plan::wrap::wrap;
use crate::report::style::Tint;

/// Nothing where no window and no freeze stands in the plan.
pub(super) fn lines(plan: &Plan, options: &RenderOptions) -> Vec<String> {
    let conditions = &plan.conditions;
    let is_bound = plan.hosts.values().any(|host| host.has_work() && host.window.is_some());
    if !is_bound && conditions.freezes.is_empty() {
        return Vec::new();
    }
    let now = options.now.unwrap_or(plan.created);
    let title = format!("CLOCK  as of {}", minute(now));
    let mut lines = vec![options.style.paint(Tint::Strong, &title)];
    for (window, opening, hosts) in opening::groups(plan, now) {
        let name = window.map_or_else(|| "no window".to_owned(), |name| format!("window {name}"));
        let (tint, state) = match opening {
            Opening::Open => (Tint::Plain, "may start now".to_owned()),
            Opening::Closed { opens: Some(opens), why } => {
                let why = if why == name { String::new() } else { format!(" ({why})") };
                (Tint::Change, format!("does not fit now, opens {}{why}", minute(opens)))
            }
            Opening::Closed { opens: None, why } => {
                (Tint::Bad, format!("has no opening in sight ({why})"))
            }
        };
        let text = format!("{name}: {state}: {}", compress(&hosts));
        let told = wrap("", &text, 4, options.width).into_iter();
        lines.extend(told.map(|line| options.style.paint(tint, &line)));
    }
    for freeze in &conditions.freezes {
        let text = format!(
            "freeze {}: {} to {}, nothing is written or restarted",
            freeze.reason,
            minute(freeze.from),
            minute(freeze.to)
        );
        lines.extend(wrap("", &text, 4, options.width));
    }
    lines
}

fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%MZ").to_string()
}
