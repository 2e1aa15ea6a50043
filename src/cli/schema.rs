//! `schema NAME`: the shape of a file or of an event, as JSON Schema, for editors and programs.

use crate::cli::args::SchemaName;
use crate::cli::console::Console;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::manifest::schema;

pub fn print(name: SchemaName, console: &mut Console) -> Result<Exit, Stop> {
    let schema = match name {
        SchemaName::Inventory => schema::inventory(),
        SchemaName::Playbook => schema::playbook(),
        SchemaName::Credentials => schema::credentials(),
        SchemaName::Events => schema::events(),
    };
    // A schema is for programs, whatever the format.
    console.out.text(schema)?;
    Ok(Exit::Ok)
}
