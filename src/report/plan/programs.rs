//! Programs that a run starts: hooks around a stage or the run, and everything that runs on a host.

use crate::model::hook::Around;
use crate::model::plan::Plan;
use crate::plan::programs;
use crate::report::plan::RenderOptions;
use crate::report::plan::wrap::wrap;
use crate::report::plural;
use crate::report::style::Tint;

/// One line for each hook, with what takes it back; in full, also what is run.
pub(super) fn around(
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
        let argv =
            if options.full { format!(": {}", programs::line(&hook.argv)) } else { String::new() };
        let most = plural::clock(u64::from(hook.timeout));
        format!("{word} hook {name} {}, at most {most}{back}{argv}", hook.run_on.place())
    };
    let before = around.before.iter().map(|name| told("before", name));
    let after = around.after.iter().map(|name| told("after", name));
    before.chain(after).flat_map(|text| wrap("", &text, indent, options.width)).collect()
}

/// What is started on servers, word by word: whoever reviews the plan approves it too.
pub(super) fn on_hosts(plan: &Plan, options: &RenderOptions) -> Vec<String> {
    let programs = programs::programs(plan).into_iter().filter(|one| !one.run_on.is_controller());
    let mut lines: Vec<String> = programs
        .flat_map(|one| {
            let (most, argv) = (plural::clock(u64::from(one.timeout)), programs::line(one.argv));
            let text = format!(
                "{} {}, {}, at most {most}: {argv}",
                one.what,
                one.place,
                one.run_on.place()
            );
            wrap("", &text, 4, options.width)
        })
        .collect();
    if !lines.is_empty() {
        lines.insert(0, options.style.paint(Tint::Strong, "PROGRAMS  on hosts, over WinRM"));
    }
    lines
}
