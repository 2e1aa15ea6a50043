//! What a client says: the capability, a new runspace pool, a pipeline of one named cmdlet.
//!
//! Member for member what Windows servers of 2.1 to 2.3 were seen to accept.

use crate::wire::psrp::clixml::Item;
use crate::wire::psrp::version::Version;

/// A named cmdlet with bound parameters; there is no way to say a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation<'a> {
    pub name: &'a str,
    pub parameters: Vec<(&'a str, Parameter<'a>)>,
}

/// A parameter's value; a switch is `Bool(true)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter<'a> {
    Bool(bool),
    Text(&'a str),
    /// A `String[]`.
    Texts(&'a [String]),
}

const LIST: &[&str] = &[
    "System.Collections.Generic.List`1[[System.Management.Automation.PSObject, \
     System.Management.Automation, Version=1.0.0.0, Culture=neutral, \
     PublicKeyToken=31bf3856ad364e35]]",
    "System.Object",
];

const TEXTS: &[&str] = &["System.String[]", "System.Array", "System.Object"];

/// SESSION_CAPABILITY, [MS-PSRP] 2.2.2.1.
pub fn session_capability(version: Version) -> Item {
    Item::bag(vec![
        ("protocolversion", Item::version(version.to_string())),
        ("PSVersion", Item::version("2.0")),
        ("SerializationVersion", Item::version("1.1.0.1")),
    ])
}

/// INIT_RUNSPACEPOOL, [MS-PSRP] 2.2.2.2: one runspace and no host, so that nothing can be asked.
pub fn init_runspace_pool() -> Item {
    Item::bag(vec![
        ("MinRunspaces", Item::i32(1)),
        ("MaxRunspaces", Item::i32(1)),
        ("PSThreadOptions", runspaces("PSThreadOptions", "Default", 0)),
        ("ApartmentState", runspaces("ApartmentState", "UNKNOWN", 2)),
        ("HostInfo", no_host()),
        ("ApplicationArguments", Item::Nil),
    ])
}

/// CREATE_PIPELINE, [MS-PSRP] 2.2.2.10, with the members that `version` knows.
pub fn create_pipeline(version: Version, invocation: &Invocation<'_>) -> Item {
    Item::bag(vec![
        ("NoInput", Item::bool(true)),
        ("ApartmentState", runspaces("ApartmentState", "UNKNOWN", 2)),
        ("RemoteStreamOptions", runspaces("RemoteStreamOptions", "AddInvocationInfo", 15)),
        ("AddToHistory", Item::bool(false)),
        ("HostInfo", no_host()),
        (
            "PowerShell",
            Item::bag(vec![
                ("IsNested", Item::bool(false)),
                ("ExtraCmds", Item::Nil),
                ("Cmds", Item::list(LIST, vec![command(version, invocation)])),
                ("History", Item::Nil),
                ("RedirectShellErrorOutputPipe", Item::bool(false)),
            ]),
        ),
        ("IsNested", Item::bool(false)),
    ])
}

fn command(version: Version, invocation: &Invocation<'_>) -> Item {
    let nothing = || runspaces("PipelineResultTypes", "None", 0);
    let arguments = invocation.parameters.iter().map(|(name, value)| {
        let value = match value {
            Parameter::Bool(value) => Item::bool(*value),
            Parameter::Text(text) => Item::text(*text),
            Parameter::Texts(texts) => Item::list(TEXTS, texts.iter().map(Item::text).collect()),
        };
        Item::bag(vec![("N", Item::text(*name)), ("V", value)])
    });
    let mut members = vec![
        ("Cmd", Item::text(invocation.name)),
        ("IsScript", Item::bool(false)),
        ("UseLocalScope", Item::Nil),
        ("MergeMyResult", nothing()),
        ("MergeToResult", nothing()),
        ("MergePreviousResults", nothing()),
        ("Args", Item::list(LIST, arguments.collect())),
    ];
    if version >= Version::V2_2 {
        members.extend(
            ["MergeError", "MergeWarning", "MergeVerbose", "MergeDebug"]
                .map(|name| (name, nothing())),
        );
    }
    if version >= Version::V2_3 {
        members.push(("MergeInformation", nothing()));
    }
    Item::bag(members)
}

fn runspaces(name: &str, text: &str, number: i32) -> Item {
    Item::enumeration(&format!("System.Management.Automation.Runspaces.{name}"), text, number)
}

fn no_host() -> Item {
    let names = ["_isHostNull", "_isHostUINull", "_isHostRawUINull", "_useRunspaceHost"];
    Item::bag(names.into_iter().map(|name| (name, Item::bool(true))).collect())
}
