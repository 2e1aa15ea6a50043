//! From argv to an exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory;
use clap::FromArgMatches;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;

use crate::cli::apply;
use crate::cli::approve;
use crate::cli::args::Args;
use crate::cli::completions;
use crate::cli::config;
use crate::cli::console::Console;
use crate::cli::console::complain;
use crate::cli::console::name_exit;
use crate::cli::control;
use crate::cli::doctor;
use crate::cli::drift;
use crate::cli::explain;
use crate::cli::export;
use crate::cli::help;
use crate::cli::init;
use crate::cli::inventory;
use crate::cli::lab;
use crate::cli::lint;
use crate::cli::lock;
use crate::cli::log;
use crate::cli::plan;
use crate::cli::request::Action;
use crate::cli::request::Request;
use crate::cli::resume;
use crate::cli::rules;
use crate::cli::runs;
use crate::cli::schema;
use crate::cli::show;
use crate::cli::status;
use crate::cli::stop::Stop;
use crate::cli::surroundings::Surroundings;
use crate::cli::terminal;
use crate::cli::undo;
use crate::cli::verify;
use crate::error::Exit;
use crate::report::out::Out;
use crate::report::style::Style;

/// Runs one command. Help and version are success; every other word from the parser is exit 64.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let around = Surroundings::detect();
    let exit = match parse(argv) {
        Ok(typed) => resolve_and_dispatch(typed, &around),
        Err(error) => explain_usage(&error, &around),
    };
    ExitCode::from(exit.code())
}

fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<Args, clap::Error> {
    let mut command = help::relevant_flags(Args::command());
    let matches = command.try_get_matches_from_mut(argv)?;
    Args::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

fn resolve_and_dispatch(typed: Args, around: &Surroundings) -> Exit {
    let plain = Style { colour: false, unicode: around.speaks_unicode() };
    let around = match around.clone().configure() {
        Ok(around) => around,
        Err(stop) => {
            complain(&stop, plain);
            return stop.exit;
        }
    };
    let request = match Request::resolve(typed, &around) {
        Ok(request) => request,
        Err(error) => {
            let stop = Stop::from(error);
            complain(&stop, plain);
            return stop.exit;
        }
    };
    let style = request.output.look.style;
    let mut console = Console::new(request.output);
    let started = match &console.output.log_file {
        Some(path) => log::start(path, console.output.look.verbosity),
        None => Ok(()),
    };
    let done = started.and_then(|()| dispatch(request.action, &mut console));
    match done.and_then(|exit| name_exit(&mut console, exit).map(|()| exit)) {
        Ok(exit) => exit,
        Err(stop) => {
            let hint = stop.hint.as_ref().map(|hint| console.typed(hint));
            let stop = Stop { hint, ..stop };
            complain(&stop, style);
            stop.exit
        }
    }
}

fn dispatch(action: Action, console: &mut Console) -> Result<Exit, Stop> {
    match action {
        Action::Init { dir } => init::run(&dir, console),
        Action::Completions { shell } => completions::shell(shell, console),
        Action::Man => completions::man(console),
        Action::Explain { files, what, from } => explain::run(&what, &files, &from, console),
        Action::Status { state, run, by } => status::status(&state, &run, &by, console),
        Action::Watch { state, run, by } => status::watch(&state, &run, &by, console),
        Action::Schema { name } => schema::print(name, console),
        Action::ConfigShow { settings, origin } => config::show(&settings, origin, console),
        Action::InventoryGraph { files } => inventory::graph(&files, console),
        Action::InventoryVerify(request) => inventory::verify(&request, console),
        Action::InventoryList { files, pattern } => {
            inventory::list(&files, pattern.as_deref(), console)
        }
        Action::InventoryShow { files, name, origin } => {
            inventory::show(&files, &name, origin, console)
        }
        Action::Doctor(request) => doctor::run(&request, console),
        Action::Plan(request) => plan::run(&request, console),
        Action::Show { file } => show::run(&file, console),
        Action::Approve { file, key, home, consent } => {
            approve::run(&file, key.as_deref(), home.as_deref(), &consent, console)
        }
        Action::Apply(request) => apply::run(&request, console),
        Action::Resume(request) => resume::run(&request, console),
        Action::Undo(request) => undo::run(&request, console),
        Action::Verify(request) => verify::run(&request, console),
        Action::Drift(request) => drift::run(&request, console),
        Action::Export(request) => export::run(&request, console),
        Action::Tell { state, run, word, by } => control::tell(&state, &run, word, &by, console),
        Action::LockList { state, by } => lock::list(&state, &by, console),
        Action::LockBreak { state, by, name, force } => {
            lock::break_one(&state, &by, &name, force.as_deref(), console)
        }
        Action::RunsVerify { runs: state, run } => runs::verify(&state, &run, console),
        Action::LabServe(serve) => lab::serve(&serve, console),
        Action::Lint { files } => lint::run(&files, console),
        Action::RulesList { rules: path } => rules::list(path.as_deref(), console),
        Action::RulesExplain { rules: path, id } => rules::explain(path.as_deref(), &id, console),
        Action::RunsList { runs: state } => runs::list(&state, console),
        Action::RunsShow { runs: state, run } => runs::show(&state, &run, console),
    }
}

/// The runtime of a command that talks to hosts.
pub fn runtime() -> Result<Runtime, Stop> {
    Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Stop::because(Exit::Internal, &error).while_doing("the async runtime cannot be started")
    })
}

fn explain_usage(error: &clap::Error, around: &Surroundings) -> Exit {
    let coloured = terminal::colour_by_environment(around);
    let rendered = error.render();
    let text = if coloured { rendered.ansi().to_string() } else { rendered.to_string() };
    let (mut out, exit, text) = if error.use_stderr() {
        (Out::stderr(), Exit::Usage, format!("{}\n{}\n", text.trim_end(), Exit::Usage))
    } else {
        (Out::stdout(), Exit::Ok, text)
    };
    match out.text(&text) {
        Ok(()) => exit,
        Err(_) => Exit::Internal,
    }
}
