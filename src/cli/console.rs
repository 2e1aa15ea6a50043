//! Standard output and standard error of one command.

use crate::cli::request::Format;
use crate::cli::request::Output;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::report::json;
use crate::report::out::Out;
use crate::report::style::Style;
use crate::report::style::Tint;

/// The name and version that documents carry.
pub const TOOL: &str = concat!("rmsfleet ", env!("CARGO_PKG_VERSION"));

/// Text for people and text for programs, never mixed.
pub struct Console {
    pub out: Out,
    pub output: Output,
}

impl Console {
    pub fn new(output: Output) -> Self {
        Self { out: Out::stdout(), output }
    }

    pub fn style(&self) -> Style {
        self.output.look.style
    }

    pub fn is_human(&self) -> bool {
        self.output.format == Format::Human
    }

    /// Text for people; silent under `--format json` and `jsonl`.
    pub fn say(&mut self, text: &str) -> Result<(), Stop> {
        if self.is_human() && !text.is_empty() {
            self.out.line(text)?;
        }
        Ok(())
    }

    /// A result for programs; silent for people. A JSON lines stream starts with its version.
    pub fn document(
        &mut self,
        kind: &str,
        message: &str,
        body: serde_json::Value,
    ) -> Result<(), Stop> {
        match self.output.format {
            Format::Human => return Ok(()),
            Format::Json => {}
            Format::Jsonl => self.out.line(&json::version(TOOL))?,
        }
        self.out.line(&json::document(kind, message, body))?;
        Ok(())
    }
}

/// An error on standard error: what, why, what to do, and the exit code with its name.
pub fn complain(stop: &Stop, style: Style) {
    let mut text = format!("{} {stop}\n", style.paint(Tint::Bad, "error:"));
    if let Some(hint) = &stop.hint {
        text.push_str(&format!("{} {hint}\n", style.paint(Tint::Strong, "hint:")));
    }
    text.push_str(&format!("{}\n", stop.exit));
    // If standard error is gone, the exit code still tells.
    drop(Out::stderr().text(&text));
}

/// The exit code's name, where a command ended by itself.
pub fn name_exit(console: &mut Console, exit: Exit) -> Result<(), Stop> {
    if exit == Exit::Ok {
        return Ok(());
    }
    let line = console.style().paint(Tint::Bad, &exit.to_string());
    console.say(&line)
}
