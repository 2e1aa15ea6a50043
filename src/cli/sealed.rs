//! What cannot be said beside a sealed plan: everything that would have made another one.

use crate::cli::args::Shared;

/// The first flag given that a sealed plan takes no notice of: passed over in silence, it would
/// seem to have worked. A limit counts wherever it comes from, the environment included, but for
/// `apply`, where it leaves hosts out and changes nothing.
pub fn maker_of_another(typed: &Shared, limited: bool) -> Option<&'static str> {
    let makers = [
        ("--limit", limited),
        ("--waive", !typed.waive.is_empty()),
        ("--waive-server", !typed.waive_server.is_empty()),
        ("--forks", typed.forks.is_some()),
        ("--playbook", typed.playbook.is_some()),
        ("--rules", typed.rules.is_some()),
        ("--var", !typed.var.is_empty()),
        ("--var-file", !typed.var_file.is_empty()),
        ("--timeout", typed.timeout.is_some()),
        ("--danger-basic-over-http", typed.danger_basic_over_http),
    ];
    makers.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
}
