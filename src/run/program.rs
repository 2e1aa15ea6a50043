//! Programs of gates and hooks: on the controller, or on a host of the plan.

use std::time::Duration;

use crate::event::SinkError;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::Launch;
use crate::host::link::ProgramResult;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::program::Program;
use crate::model::program::RunOn;
use crate::run::means::Means;

/// A program that can be run where it is to run.
pub enum Order<'a> {
    Here(Vec<String>),
    There(&'a PlannedHost, Program),
}

impl<'a> Order<'a> {
    /// Everything that can be told before it runs; the error is in words. `about` is the host that
    /// the gate or hook is about, if it is about one.
    pub fn new(
        plan: &'a Plan,
        run_on: &RunOn,
        about: Option<&'a PlannedHost>,
        argv: Vec<String>,
    ) -> Result<Self, String> {
        let host = match run_on {
            RunOn::Controller => return Ok(Self::Here(argv)),
            RunOn::Host => about.ok_or_else(|| "it is about no one host here".to_owned())?,
            RunOn::Named(name) => {
                let host = plan.hosts.get(name);
                host.ok_or_else(|| format!("the plan does not have its host {name}"))?
            }
        };
        let program = Program::new(&argv)
            .map_err(|unfit| format!("it cannot be run on {}: {unfit}", host.name))?;
        Ok(Self::There(host, program))
    }

    /// The host that it runs on, unless it runs here.
    pub fn host(&self) -> Option<&'a PlannedHost> {
        match self {
            Self::Here(_) => None,
            Self::There(host, _) => Some(*host),
        }
    }

    /// Runs it once. On a host only if that is the one that the plan saw.
    pub async fn run<C: Connect, K: Clock>(
        &self,
        means: &Means<'_, C, K>,
        input: String,
        seconds: u32,
    ) -> Result<Result<ProgramResult, String>, SinkError> {
        let limit = Duration::from_secs(seconds.into());
        let (host, program) = match self {
            Self::Here(argv) => return Ok(means.controller.program(argv, input, limit).await),
            Self::There(host, program) => (*host, program),
        };
        let mut link = match means.connect(host).await {
            Ok(link) => link,
            Err(trouble) => {
                let failure = trouble.failure()?;
                return Ok(Err(format!("not started on {}: {}", host.name, failure.text())));
            }
        };
        let ended = link.launch(program, &input, limit).await;
        Ok(ended.map_err(|error| format!("on {}: {}", host.name, error.text())))
    }
}

/// How a program ended: `exit 3`, `no exit code`.
pub fn exit(result: &ProgramResult) -> String {
    result.exit_code.map_or_else(|| "no exit code".to_owned(), |code| format!("exit {code}"))
}
