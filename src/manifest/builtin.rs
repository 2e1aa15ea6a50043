//! The files that are compiled in.

use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::playbook as playbooks;
use crate::manifest::rules as packs;
use crate::manifest::source::Source;
use crate::model::rollout::Playbook;
use crate::model::rules::RulePack;

/// The inventory of the lab's tour.
pub fn lab_inventory() -> Source {
    Source::new("builtin:inventories/lab.yml", include_str!("../../inventories/lab.yml"))
}

/// The shipped example inventory.
pub fn example_inventory() -> Source {
    Source::new("builtin:inventories/contoso.yml", include_str!("../../inventories/contoso.yml"))
}

/// The playbook that runs when none is given, as text.
pub fn playbook_source() -> Source {
    Source::new(
        "builtin:playbooks/rms-connector.yml",
        include_str!("../../playbooks/rms-connector.yml"),
    )
}

/// The rule pack that counts when none is given, as text.
pub fn rules_source() -> Source {
    Source::new(
        "builtin:playbooks/rules/rms-connector.yml",
        include_str!("../../playbooks/rules/rms-connector.yml"),
    )
}

/// The playbook that runs when none is given. Tests prove that it is valid.
pub fn playbook() -> Result<Playbook, Diagnostics> {
    playbooks::parse(&playbook_source())
}

/// The rule pack that counts when none is given. Tests prove that it is valid.
pub fn rules() -> Result<RulePack, Diagnostics> {
    packs::parse(&rules_source())
}
