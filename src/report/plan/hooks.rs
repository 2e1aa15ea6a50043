//! Programs that the controller runs around a stage or the run.

use crate::model::hook::Around;
use crate::model::plan::Plan;
use crate::report::plan::RenderOptions;
use crate::report::plan::wrap::wrap;
use crate::report::plural;

/// One line for each hook, with what takes it back; in full, also what is run.
pub(super) fn lines(
    plan: &Plan,
    around: &Around,
    indent: usize,
    options: &RenderOptions,
) -> Vec<String> {
    let told = |word: &str, name: &String| {
        let Some(hook) = plan.conditions.hooks.get(name) else {
            return format!("{word} hook {name}");
        };
        let undo = hook.undo.as_ref().filter(|_| word == "before");
        let back = undo.map(|undo| format!(", taken back by {undo}")).unwrap_or_default();
        let argv = if options.full { format!(": {}", hook.argv.join(" ")) } else { String::new() };
        let most = plural::clock(u64::from(hook.timeout));
        format!("{word} hook {name} here, at most {most}{back}{argv}")
    };
    let before = around.before.iter().map(|name| told("before", name));
    let after = around.after.iter().map(|name| told("after", name));
    before.chain(after).flat_map(|text| wrap("", &text, indent, options.width)).collect()
}
