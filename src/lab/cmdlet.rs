//! Cmdlets as the lab's PowerShell endpoints run them.

use crate::wire::psrp::object::PsObject;
use crate::wire::psrp::record::ErrorRecord;

/// Parameters that every cmdlet takes, Exchange's common ones included.
const COMMON: [&str; 11] = [
    "Verbose",
    "Debug",
    "ErrorAction",
    "ErrorVariable",
    "WarningAction",
    "InformationAction",
    "OutVariable",
    "Confirm",
    "WhatIf",
    "DomainController",
    "Identity",
];

/// The cmdlets of one endpoint.
pub trait Cmdlets {
    /// Runs one cmdlet; names compare without case.
    fn run(&mut self, name: &str, parameters: &Parameters) -> Result<CmdletOutput, CmdletFailure>;
}

/// One command of a pipeline, as a client asked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    pub name: String,
    /// The name is script text.
    pub script: bool,
    pub parameters: Parameters,
}

/// What a cmdlet was bound to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    /// Without a leading dash, in the order given.
    pub named: Vec<(String, PsObject)>,
    pub positional: Vec<PsObject>,
}

/// What a cmdlet that went through has to say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CmdletOutput {
    pub output: Vec<PsObject>,
    pub warnings: Vec<String>,
    /// Non-terminating errors.
    pub errors: Vec<ErrorRecord>,
}

/// What ends a pipeline as Failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CmdletFailure {
    pub message: String,
    /// `FullyQualifiedErrorId`.
    pub fqid: String,
}

impl CmdletFailure {
    pub fn new(message: impl Into<String>, fqid: impl Into<String>) -> Self {
        Self { message: message.into(), fqid: fqid.into() }
    }

    /// As PowerShell says it of a name that no cmdlet has.
    pub fn unknown_cmdlet(name: &str) -> Self {
        Self::new(
            format!("The term '{name}' is not recognized as the name of a cmdlet."),
            "CommandNotFoundException",
        )
    }

    /// As a runspace in no-language mode says it of a script.
    pub fn script() -> Self {
        Self::new(
            "The syntax is not supported by this runspace: it is in no-language mode.",
            "ScriptsNotAllowed",
        )
    }
}

impl Command {
    /// The commands of a CREATE_PIPELINE, [MS-PSRP] 2.2.2.10; `None` if it is none.
    pub fn of_pipeline(pipeline: &PsObject) -> Option<Vec<Self>> {
        let commands = pipeline.property("PowerShell")?.property("Cmds")?.list()?;
        commands.iter().map(Self::of_object).collect()
    }

    fn of_object(object: &PsObject) -> Option<Self> {
        let mut parameters = Parameters::default();
        for argument in object.property("Args").and_then(PsObject::list).unwrap_or_default() {
            let value = argument.property("V").cloned().unwrap_or(PsObject::Null);
            match argument.property("N").and_then(PsObject::text) {
                Some(name) => {
                    let name = name.trim_start_matches('-').trim_end_matches(':').to_owned();
                    parameters.named.push((name, value));
                }
                None => parameters.positional.push(value),
            }
        }
        Some(Self {
            name: object.property("Cmd")?.text()?,
            script: object.property("IsScript")?.bool()?,
            parameters,
        })
    }
}

impl Parameters {
    pub fn get(&self, name: &str) -> Option<&PsObject> {
        self.named.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// A switch or a Boolean; a switch without a value is on. `None` if it was not given.
    pub fn switch(&self, name: &str) -> Option<bool> {
        self.get(name).map(truth)
    }

    /// Refuses a parameter that the cmdlet does not take.
    pub fn allow(&self, cmdlet: &str, names: &[&str]) -> Result<(), CmdletFailure> {
        let takes =
            |given: &str| names.iter().chain(&COMMON).any(|name| name.eq_ignore_ascii_case(given));
        match self.named.iter().find(|(name, _)| !takes(name)) {
            None => Ok(()),
            Some((name, _)) => Err(CmdletFailure::new(
                format!("A parameter cannot be found that matches parameter name '{name}'."),
                format!("NamedParameterNotFound,{cmdlet}"),
            )),
        }
    }
}

/// How PowerShell would bind the value to a Boolean parameter, for the forms that clients send.
pub fn truth(value: &PsObject) -> bool {
    match value {
        PsObject::Bool(value) => *value,
        PsObject::Complex(_) => {
            value.property("IsPresent").and_then(PsObject::bool).or(value.bool()).unwrap_or(true)
        }
        PsObject::Text(text) => {
            ["true", "$true", "1"].iter().any(|yes| text.eq_ignore_ascii_case(yes))
        }
        PsObject::Int(number) => *number != 0,
        PsObject::Unsigned(number) => *number != 0,
        PsObject::Null
        | PsObject::Double(_)
        | PsObject::Bytes(_)
        | PsObject::List(_)
        | PsObject::Dictionary(_) => true,
    }
}
