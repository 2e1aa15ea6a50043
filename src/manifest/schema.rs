//! The shapes of the files that people write and of the lines that programs read, as JSON Schema.
//!
//! They are texts, so that an editor shows what a reviewer saw. `tests/it/manifest/schema.rs` holds
//! them against the readers, key by key.

pub fn inventory() -> &'static str {
    include_str!("schema/inventory.json")
}

pub fn playbook() -> &'static str {
    include_str!("schema/playbook.json")
}

pub fn credentials() -> &'static str {
    include_str!("schema/credentials.json")
}

pub fn events() -> &'static str {
    include_str!("schema/events.json")
}
