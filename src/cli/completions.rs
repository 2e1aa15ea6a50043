//! `completions SHELL` and `man`: both are made from the same definition that parses.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::args::Args;
use crate::cli::console::Console;
use crate::cli::stop::Stop;
use crate::error::Exit;

pub fn shell(shell: Shell, console: &mut Console) -> Result<Exit, Stop> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "rmsfleet", &mut text);
    console.out.text(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Ok)
}

/// One page for the tool, followed by one section for each verb.
pub fn man(console: &mut Console) -> Result<Exit, Stop> {
    let mut command = Args::command();
    command.build();
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    for verb in command.get_subcommands() {
        clap_mangen::Man::new(verb.clone()).render(&mut text)?;
    }
    console.out.text(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Ok)
}
