//! Standard output and standard error of one command: text for people, text for programs, never
//! mixed.

use std::fs::File;
use std::io::BufRead;

use crate::cli::again;
use crate::cli::request::Output;
use crate::cli::stop::Stop;
use crate::cli::usage::Format;
use crate::error::Exit;
use crate::model::visible::visible;
use crate::report::commands::in_folder;
use crate::report::json;
use crate::report::out::Out;
use crate::report::style::Style;
use crate::report::style::Tint;

/// The name and version that plans, journals and documents carry.
pub const TOOL: &str = concat!("rmsfleet ", env!("CARGO_PKG_VERSION"));

pub struct Console {
    pub out: Out,
    pub output: Output,
    /// JSON lines: standard output under `jsonl`, and the file of `--json-into`.
    machine: Option<Vec<Out>>,
}

impl Console {
    pub fn new(output: Output) -> Self {
        Self { out: Out::stdout(), output, machine: None }
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

    /// A green verb in the column of line mode, and what was done.
    pub fn did(&mut self, verb: &str, text: &str) -> Result<(), Stop> {
        let verb = self.style().paint(Tint::Good, &format!("{verb:>12}"));
        self.say(&format!("{verb}  {text}"))
    }

    /// The same in red, for what must not be overlooked.
    pub fn warn(&mut self, verb: &str, text: &str) -> Result<(), Stop> {
        let verb = self.style().paint(Tint::Bad, &format!("{verb:>12}"));
        self.say(&format!("{verb}  {text}"))
    }

    /// What to type next.
    pub fn next(&mut self, command: &str) -> Result<(), Stop> {
        let next = self.style().paint(Tint::Strong, "Next");
        let command = self.typed(command);
        self.say(&format!("{next}  {command}"))
    }

    /// A text whose commands about runs name the folder in which runs are found, if that was typed.
    pub fn typed(&self, text: &str) -> String {
        in_folder(text, self.run_dir().as_deref())
    }

    /// That folder as a flag with a space before it.
    pub fn run_dir(&self) -> Option<String> {
        self.output.run_dir.as_deref().map(again::run_dir)
    }

    /// A result for programs; silent for people, unless they also asked for a file.
    pub fn document(
        &mut self,
        kind: &str,
        message: &str,
        body: serde_json::Value,
    ) -> Result<(), Stop> {
        let line = json::document(kind, message, body);
        if self.output.format == Format::Json {
            self.out.line(&line)?;
        }
        let mut machine = self.lend_machine()?;
        for out in &mut machine {
            out.line(&line)?;
        }
        self.take_back(machine);
        Ok(())
    }

    /// The JSON lines, opened with their version at the first call; to be taken back.
    pub fn lend_machine(&mut self) -> Result<Vec<Out>, Stop> {
        if let Some(machine) = self.machine.take() {
            return Ok(machine);
        }
        let mut machine = Vec::new();
        if self.output.format == Format::Jsonl {
            machine.push(Out::stdout());
        }
        if let Some(path) = &self.output.json_into {
            let file = File::create(path).map_err(|error| {
                Stop::because(Exit::Data, &error)
                    .while_doing(format!("`{}` cannot be written", path.display()))
            })?;
            machine.push(Out::new(file));
        }
        for out in &mut machine {
            out.line(&json::version(TOOL))?;
        }
        Ok(machine)
    }

    pub fn take_back(&mut self, machine: Vec<Out>) {
        self.machine = Some(machine);
    }

    /// One line from standard input without its line break; empty at the end of input.
    pub fn answer() -> std::io::Result<String> {
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }
}

/// An error on standard error: what, why, what to do, and the exit code with its name.
pub fn complain(stop: &Stop, style: Style) {
    // What the user typed is shown as typed; everything else may come from a host.
    let shown = |text: &str| if stop.exit == Exit::Usage { text.to_owned() } else { visible(text) };
    let mut text = String::new();
    if let Some(report) = &stop.report {
        text.push_str(&format!("{}\n\n", report.trim_end()));
    }
    text.push_str(&format!("{} {}\n", style.paint(Tint::Bad, "error:"), shown(&stop.to_string())));
    if let Some(hint) = &stop.hint {
        text.push_str(&format!("{} {}\n", style.paint(Tint::Strong, "hint:"), shown(hint)));
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
