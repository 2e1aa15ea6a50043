//! Good messages to begin with, made by our own encoders and by the simulated farm.

use ssh_key::HashAlg;
use ssh_key::LineEnding;
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;
use ssh_key::private::KeypairData;

use crate::hostile::lab;
use crate::hostile::logon;
use crate::hostile::psrp;
use crate::hostile::soap;
use crate::lab::markup;
use crate::lab::request::Request;
use crate::manifest::builtin;
use crate::model::registry::Value;
use crate::plan::approval::NAMESPACE;
use crate::wire::multipart::Indent;
use crate::wire::namespace;
use crate::wire::psrp::clixml;
use crate::wire::psrp::clixml::Item;
use crate::wire::psrp::fragment::Assembler;
use crate::wire::psrp::message::Kind;
use crate::wire::psrp::record::ErrorRecord;
use crate::wire::psrp::record::warning_item;
use crate::wire::psrp::request as client;
use crate::wire::psrp::version::Version;
use crate::wire::shell;
use crate::wire::winrs;
use crate::wire::winrs::CmdRequest;
use crate::wire::wsman;

const CREDENTIALS: &str = "version: 1\ncredentials:\n  default:\n    provider: prompt\n    user: CORP\\rms\n  \
                           other:\n    provider: env\n    user: rms@corp\n    variable: RMS_PASSWORD\n";

/// The seeds of one decoder; recorded ones come in beside them from outside.
pub fn of(decoder: &str) -> Vec<Vec<u8>> {
    match decoder {
        "multipart" | "session" => sealed(),
        "ntlm_challenge" | "ntlm_acceptor" => logon::handshake(),
        "spnego" => logon::negotiation(),
        "certificate" => logon::certificates(),
        "winrs" => outputs(),
        "xml" => [replies(), objects().into_iter().take(4).collect()].concat(),
        "wsman" => replies(),
        "shell" => shell_replies(),
        "fragments" => vec![psrp::creation(), psrp::invocation(), server_says()],
        "message" => messages(),
        "clixml" => objects(),
        "pool" => {
            let bodies = objects().into_iter().zip(0_u8..);
            let bodies = bodies.map(|(body, kind)| [vec![kind % 10], body].concat());
            [psrp::greeting(), server_says()].into_iter().chain(bodies).collect()
        }
        "lab_pool" => {
            let both = [psrp::creation(), psrp::invocation()].concat();
            vec![psrp::creation(), psrp::invocation(), both]
        }
        "lab_request" => requests(),
        "wql" => texts(&[
            "SELECT * FROM Win32_OperatingSystem",
            "select Name, State from Win32_Service where (Name='a' or Name<>\"b\") and Pid=-5",
            "select * from C where a=null or b=true",
        ]),
        "command_line" => texts(&[
            "echo out& exit 7",
            "\"C:\\Windows\\system32\\cmd.exe\" /c ver && hostname",
            "reg query \"HKLM\\SOFTWARE\\A b\" /v \"n\"",
            "PowerShell -NoProfile -EncodedCommand ZQBjAGgAbwAgAGgAZQByAGUA",
            "powershell -Command Write-Output 'a b'; exit 3",
        ]),
        "inventory" => {
            vec![text(builtin::example_inventory().text), text(builtin::lab_inventory().text)]
        }
        "playbook" => vec![text(builtin::playbook_source().text)],
        "rules" => vec![text(builtin::rules_source().text)],
        "template" => texts(&["{{ tenant }}/_wmcs/licensing", "a{{ connector ~ 'x' }}b", "*"]),
        "pattern" => texts(&["all:!fs*:&site_ams", "EX[01:20].corp", "~fs\\d+", "a[a:f:2]b"]),
        "credentials" => texts(&[CREDENTIALS]),
        "approval" => [signature(), signers()].map(String::into_bytes).to_vec(),
        _ => Vec::new(),
    }
}

/// One value of each type that can be written.
pub(super) fn values() -> Vec<Value> {
    vec![
        Value::Sz("https://rms.contoso.com/_wmcs/licensing".to_owned()),
        Value::ExpandSz("%SystemRoot%".to_owned()),
        Value::Binary(vec![0, 127, 255]),
        Value::Dword(1),
        Value::MultiSz(vec!["a".to_owned(), "b".to_owned()]),
        Value::Qword(u64::MAX),
    ]
}

fn text(text: String) -> Vec<u8> {
    text.into_bytes()
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn sealed() -> Vec<Vec<u8>> {
    [b"<s:Envelope/>".as_slice(), b"", b"x"]
        .into_iter()
        .flat_map(|plain| [Indent::Tab, Indent::None].map(|indent| logon::sealed(plain, indent)))
        .flatten()
        .chain(texts(&["Negotiate TlRMTVNTUAABAAAA", "Kerberos"]))
        .collect()
}

fn id(number: usize) -> String {
    format!("uuid:00000000-0000-0000-0000-{number:012}")
}

/// Every request that a client has, to registry, classes and shells.
fn requests() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for read in soap::reads() {
        all.extend(wsman::encode_read(&read, &soap::header(id(all.len()))));
    }
    for write in soap::writes() {
        all.extend(wsman::encode_write(&write, &soap::header(id(all.len()))));
    }
    all.extend(wsman::encode_pull("root/cimv2", "1", &soap::header(id(99))));
    for request in soap::shell_requests() {
        let resource = "http://schemas.microsoft.com/powershell/Microsoft.Exchange";
        all.extend(shell::encode_shell(&request, resource, &soap::header(id(all.len()))));
    }
    let shell_id = || soap::SHELL_ID.to_owned();
    for request in [
        CmdRequest::Create,
        CmdRequest::Command {
            shell_id: shell_id(),
            program: "hostname".to_owned(),
            arguments: vec!["a b".to_owned()],
        },
        CmdRequest::Receive { shell_id: shell_id(), command_id: soap::COMMAND_ID.to_owned() },
    ] {
        all.extend(winrs::encode(&request, &soap::header(id(all.len()))));
    }
    all
}

/// What one host of the farm answers to them, faults included.
fn replies() -> Vec<Vec<u8>> {
    let mut host = lab::host();
    requests()
        .iter()
        .filter_map(|bytes| lab::answer(&mut host, &mut Request::read(bytes).ok()?))
        .collect()
}

fn shell_replies() -> Vec<Vec<u8>> {
    let shell = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).contains("windows/shell");
    replies().into_iter().filter(shell).collect()
}

/// Replies to a Receive for a program: running, talking and ended.
fn outputs() -> Vec<Vec<u8>> {
    let stream = |name: &str, text: &str| {
        let id = soap::COMMAND_ID;
        format!("<rsp:Stream Name=\"{name}\" CommandId=\"{id}\">{text}</rsp:Stream>")
    };
    let state = |word: &str, inner: &str| {
        let (space, id) = (namespace::SHELL, soap::COMMAND_ID);
        format!(
            "<rsp:CommandState CommandId=\"{id}\" State=\"{space}/CommandState/{word}\">{inner}\
             </rsp:CommandState>"
        )
    };
    let exit = "<rsp:ExitCode>4294967295</rsp:ExitCode>";
    let bodies = [
        format!("{}{}", stream("stdout", "aGk="), state("Running", "")),
        format!("{}{}", stream("stdout", "w7w="), stream("stderr", "ZXJyDQo=")),
        format!("{}{}", stream("stdout", ""), state("Done", exit)),
        state("Done", ""),
    ];
    let action = format!("{}/ReceiveResponse", namespace::SHELL);
    bodies
        .iter()
        .map(|body| {
            let body = format!("<rsp:ReceiveResponse>{body}</rsp:ReceiveResponse>");
            markup::envelope(&action, &id(1), &id(2), "", &body).into_bytes()
        })
        .collect()
}

/// Bodies of a server's messages, in the order of the kinds that are said.
fn objects() -> Vec<Vec<u8>> {
    let error = ErrorRecord { message: "no".to_owned(), id: Some("No,Get-Thing".to_owned()) };
    let call = Item::bag(vec![
        ("ci", Item::i32(-100)),
        ("mi", Item::enumeration("RemoteHostMethodId", "PromptForChoice", 26)),
    ]);
    let table = Item::dictionary(
        &["System.Collections.Hashtable"],
        vec![(Item::text("a"), Item::list(&["T"], vec![Item::i32(1), Item::Nil]))],
    );
    let all = [
        Item::record(&["T", "System.Object"], "text_x000A_", vec![("A", table)]),
        error.to_item(),
        warning_item("careful"),
        Item::bag(vec![
            ("PipelineState", Item::i32(5)),
            ("ExceptionAsErrorRecord", error.to_item()),
        ]),
        Item::bag(vec![("RunspaceState", Item::i32(3))]),
        call,
        client::init_runspace_pool(),
        Item::Primitive("BA", "AAEC".to_owned()),
        client::session_capability(Version::V2_3),
    ];
    let shared = "<Objs><Obj RefId='0'><TN RefId='0'><T>A</T></TN><Props><S N='x'>y</S></Props></Obj>\
                  <Obj RefId='1'><TNRef RefId='0'/><LST><Ref RefId='0'/><Ref RefId='1'/></LST></Obj>\
                  <Db>1.5</Db><C>65</C><U64>9</U64><DT>2026-01-01T00:00:00Z</DT></Objs>";
    all.iter()
        .map(|item| clixml::encode(item).into_bytes())
        .chain([shared.as_bytes().to_vec()])
        .collect()
}

/// The messages of both sides, put together.
fn messages() -> Vec<Vec<u8>> {
    let stream = [psrp::creation(), psrp::invocation()].concat();
    [stream, server_says()]
        .iter()
        .flat_map(|stream| Assembler::default().receive(stream).unwrap_or_default())
        .collect()
}

/// A pipeline's whole conversation, as an open pool hears it.
fn server_says() -> Vec<u8> {
    let kinds = psrp::SAID.into_iter().take_while(|kind| *kind != Kind::SessionCapability);
    let bodies = kinds.zip(objects()).zip(30..);
    bodies.flat_map(|((kind, body), object)| psrp::said(object, kind, body)).collect()
}

/// The bytes that the seed signature is under, and whose it is.
pub(super) const APPROVED: &[u8] = b"a plan";
pub(super) const SIGNER: &str = "anna@contoso.com";

/// An allowed-signers file with options of each kind.
pub(super) fn signers() -> String {
    let public = key().map(|key| key.public_key().to_openssh().unwrap_or_default());
    format!(
        "# people\n{SIGNER},anna namespaces=\"git,rmsfleet-plan\",valid-after=\"19690101\" {} c\n",
        public.unwrap_or_default()
    )
}

fn signature() -> String {
    let signed = key().and_then(|key| key.sign(NAMESPACE, HashAlg::Sha512, APPROVED).ok());
    signed.and_then(|signature| signature.to_pem(LineEnding::LF).ok()).unwrap_or_default()
}

fn key() -> Option<PrivateKey> {
    let pair = Ed25519Keypair::from_seed(&[7; 32]);
    PrivateKey::new(KeypairData::from(pair), "").ok()
}
