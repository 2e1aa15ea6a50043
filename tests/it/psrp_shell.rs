//! Our PSRP client and the lab's server, joined in memory by SOAP envelopes.

use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmsfleet::host::exchange;
use rmsfleet::host::link::Argument;
use rmsfleet::host::link::Cmdlet;
use rmsfleet::host::link::HostError;
use rmsfleet::host::link::Shell as _;
use rmsfleet::lab::exchange::ExchangeOrganisation;
use rmsfleet::lab::exchange::LabExchangeServer;
use rmsfleet::lab::psrp::PoolServer;
use rmsfleet::model::host::HostName;
use rmsfleet::model::host::Transport;
use rmsfleet::model::plan::OrganisationStep;
use rmsfleet::model::tls::TlsTrust;
use rmsfleet::net::channel::SoapCall;
use rmsfleet::net::left::LeftShells;
use rmsfleet::net::shell::PsrpShell;
use rmsfleet::wire::fault::TIMED_OUT;
use rmsfleet::wire::namespace;
use rmsfleet::wire::psrp::object::PsObject;
use rmsfleet::wire::soap::Header;
use rmsfleet::wire::xml;
use rmsfleet::wire::xml::Element;
use serde_json::json;
use uuid::Uuid;

use crate::tls::target;

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// `QUOTA_MAX_SHELLS`.
const QUOTA: u32 = 2_150_859_173;

/// What the endpoint keeps, and how it behaves.
struct Endpoint {
    pool: PoolServer,
    exchange: ExchangeOrganisation,
    calls: Vec<String>,
    /// How often Create is refused because there are as many shells as there may be.
    full: usize,
    /// Timeouts to answer before the pool opens.
    silent_at_first: usize,
    /// Timeouts to answer before the next command's Receive is served.
    silent: usize,
    /// The call at which the connection breaks.
    breaks_at: Option<&'static str>,
    /// Whether nobody is there after that.
    is_away: bool,
    /// What we have left there.
    left: LeftShells,
    /// Bytes of fragments in one Receive.
    room: usize,
}

#[derive(Clone)]
struct Wire(Arc<Mutex<Endpoint>>);

impl SoapCall for Wire {
    fn call(
        &mut self,
        what: &str,
        envelope: Vec<u8>,
    ) -> impl Future<Output = Result<Vec<u8>, HostError>> + Send {
        let mut endpoint = self.0.lock().unwrap();
        endpoint.calls.push(what.to_owned());
        let reply = if endpoint.breaks_at == Some(what) {
            Err(HostError::Lost { call: what.to_owned(), source: "reset".into() })
        } else {
            Ok(endpoint.answer(&xml::parse(&envelope).unwrap()))
        };
        drop(endpoint);
        async move { reply }
    }

    async fn renew(&mut self) -> Result<(), HostError> {
        let mut endpoint = self.0.lock().unwrap();
        endpoint.calls.push("logon".to_owned());
        if endpoint.is_away {
            return Err(HostError::NotConnected { endpoint: "ex01".into(), source: "gone".into() });
        }
        endpoint.breaks_at = None;
        Ok(())
    }
}

impl Endpoint {
    fn answer(&mut self, request: &Element) -> Vec<u8> {
        let text = |space: &str, name: &str| {
            request.descendant(space, name).map(Element::text).unwrap_or_default()
        };
        let bytes = |space: &str, name: &str| STANDARD.decode(text(space, name)).unwrap();
        let command = ["CommandLine", "DesiredStream", "Stream", "Signal"]
            .iter()
            .find_map(|name| request.descendant(namespace::SHELL, name)?.attr("", "CommandId"))
            .map(|id| id.parse::<Uuid>().unwrap());
        let shell = |name: &str| Element::new(namespace::SHELL, name);
        let action = text(namespace::ADDRESSING, "Action");
        let mut code = TIMED_OUT;
        let body = match action.rsplit('/').next().unwrap() {
            "Create" if self.full > 0 => {
                self.full -= 1;
                code = QUOTA;
                None
            }
            "Create" => {
                let creation = bytes(namespace::POWERSHELL, "creationXml");
                self.pool.receive(None, &creation, &mut self.exchange).unwrap();
                let id = request.descendant(namespace::SHELL, "Shell").unwrap();
                let id = id.attr("", "ShellId").unwrap();
                Some(shell("Shell").child(shell("ShellId").text_node(id)))
            }
            "Command" => {
                let first = bytes(namespace::SHELL, "Arguments");
                self.pool.receive(command, &first, &mut self.exchange).unwrap();
                let id = command.unwrap().to_string().to_uppercase();
                Some(shell("CommandResponse").child(shell("CommandId").text_node(id)))
            }
            "Send" => {
                let more = bytes(namespace::SHELL, "Stream");
                self.pool.receive(command, &more, &mut self.exchange).unwrap();
                Some(shell("SendResponse"))
            }
            "Receive" => {
                let silent =
                    if command.is_some() { &mut self.silent } else { &mut self.silent_at_first };
                let data = if *silent == 0 {
                    self.pool.reply(command, self.room)
                } else {
                    *silent -= 1;
                    None
                };
                data.map(|data| {
                    let stream = shell("Stream").text_node(STANDARD.encode(data));
                    let mut reply = shell("ReceiveResponse").child(stream);
                    if command.is_some_and(|command| self.pool.is_done(command)) {
                        let done = format!("{}/CommandState/Done", namespace::SHELL);
                        reply = reply.child(shell("CommandState").attribute("", "State", done));
                    }
                    reply
                })
            }
            "Signal" => {
                self.pool.signal(command.unwrap());
                Some(shell("SignalResponse"))
            }
            "Delete" => Some(shell("Nothing")),
            other => panic!("{other}"),
        };
        let fault = || {
            let told = Element::new(namespace::FAULT, "WSManFault");
            let told = told.attribute("", "Code", code.to_string());
            let detail = Element::new(namespace::SOAP, "Detail").child(told);
            Element::new(namespace::SOAP, "Fault").child(detail)
        };
        let relates = text(namespace::ADDRESSING, "MessageID");
        let action = format!("{action}Response");
        let header = Element::new(namespace::SOAP, "Header")
            .child(Element::new(namespace::ADDRESSING, "Action").text_node(action))
            .child(Element::new(namespace::ADDRESSING, "RelatesTo").text_node(relates));
        let body = Element::new(namespace::SOAP, "Body").child(body.unwrap_or_else(fault));
        let envelope = Element::new(namespace::SOAP, "Envelope").child(header).child(body);
        envelope.to_xml().into_bytes()
    }
}

fn endpoint() -> Wire {
    let server = |name: &str, edge: bool| LabExchangeServer {
        name: name.to_owned(),
        fqdn: format!("{name}.contoso.example"),
        version: "Version 15.2 (Build 1544.4)".to_owned(),
        edge,
    };
    let servers = vec![server("EX01", false), server("EDGE01", true)];
    Wire(Arc::new(Mutex::new(Endpoint {
        pool: PoolServer::new(),
        exchange: ExchangeOrganisation::new("Contoso", servers),
        calls: Vec::new(),
        full: 0,
        silent_at_first: 0,
        silent: 0,
        breaks_at: None,
        is_away: false,
        left: LeftShells::default(),
        room: 100_000,
    })))
}

async fn open(wire: &Wire, max_envelope: u32) -> Result<PsrpShell<Wire>, HostError> {
    let header = Header {
        message_id: String::new(),
        session_id: "uuid:0".to_owned(),
        to: "http://ex01/PowerShell/".to_owned(),
        operation_timeout: Duration::from_secs(20),
        max_envelope,
    };
    let mut last = 0;
    let ids = Box::new(move || {
        last += 1;
        Uuid::from_u128(last)
    });
    let patience = Duration::from_secs(100);
    let target = target(80, Transport::Ntlm, TlsTrust::default());
    let shells = wire.0.lock().unwrap().left.of(&target);
    PsrpShell::open(wire.clone(), exchange::CONFIGURATION, header, patience, ids, shells).await
}

/// Runs one cmdlet in a session of its own; `arrange` sets the stage.
fn check(
    arrange: impl FnOnce(&mut Endpoint),
    name: &'static str,
    parameters: Vec<(&'static str, Argument)>,
    expected: &str,
) -> Wire {
    let wire = endpoint();
    arrange(&mut wire.0.lock().unwrap());
    let told = block_on(async {
        let mut shell = open(&wire, 153_600).await?;
        let result = shell.run(&Cmdlet { name, parameters }).await;
        shell.close().await;
        result
    });
    let told = match told {
        Ok(result) => {
            format!("{} objects, {:?}, {:?}", result.output.len(), result.warnings, result.errors)
        }
        Err(error) => error.to_string(),
    };
    assert!(told.contains(expected), "expected `{expected}`, got `{told}`");
    assert_eq!(
        wire.0.lock().unwrap().calls.last().map(String::as_str),
        Some("Shell.Delete"),
        "the shell is deleted on every path"
    );
    wire
}

const ON: Argument = Argument::Bool(true);

#[test]
fn cmdlets_answer_warn_and_fail() {
    check(|_| {}, "get-exchangeserver", vec![], "2 objects, [], []");
    check(|_| {}, "Get-Nothing", vec![], "(CommandNotFoundException)");
    check(|_| {}, "Get-IRMConfiguration", vec![("Nope", ON)], "(NamedParameterNotFound,");
    let sender = Argument::Text("a@contoso.example".to_owned());
    check(|_| {}, "Test-IRMConfiguration", vec![("Sender", sender)], "1 objects");
    let same = vec![("ClientAccessServerEnabled", ON)];
    check(|_| {}, "Set-IRMConfiguration", same, "no settings of");
}

#[test]
fn licensing_is_not_changed_without_an_answer_to_the_question() {
    let changes = |parameters, expected: &str| {
        let wire = check(|_| {}, "Set-IRMConfiguration", parameters, expected);
        let endpoint = wire.0.lock().unwrap();
        (endpoint.exchange.writes, endpoint.exchange.calls.get("Set-IRMConfiguration").copied())
    };
    let licensing = ("InternalLicensingEnabled", ON);
    assert_eq!(changes(vec![licensing.clone()], "does not support user interaction"), (0, Some(1)));
    assert_eq!(changes(vec![licensing.clone(), ("Force", ON)], "0 objects"), (1, Some(1)));
    let confirm = ("Confirm", Argument::Bool(false));
    assert_eq!(changes(vec![licensing, confirm], "0 objects"), (1, Some(1)));
}

#[test]
fn silence_is_waited_for_until_patience_ends() {
    let quiet = |turns| move |endpoint: &mut Endpoint| endpoint.silent = turns;
    let name = "Get-ExchangeServer";
    check(quiet(4), name, vec![], "2 objects");
    let wire = check(quiet(5), name, vec![], "broke while waiting for the answer to Get-Exchange");
    let calls = wire.0.lock().unwrap().calls.clone();
    assert_eq!(calls[calls.len() - 2], "Shell.Signal", "the command is ended: {calls:?}");
}

#[test]
fn replies_in_crumbs_come_together() {
    check(|endpoint| endpoint.room = 50, "Get-ExchangeServer", vec![], "2 objects");
}

#[test]
fn a_request_larger_than_an_envelope_goes_by_send() {
    let wire = endpoint();
    block_on(async {
        let mut shell = open(&wire, 5000).await.unwrap();
        let parameters = vec![("Identity", Argument::Text("EX01".to_owned()))];
        let result = shell.run(&Cmdlet { name: "Get-ExchangeServer", parameters }).await.unwrap();
        assert_eq!(result.output.len(), 1);
        shell.close().await;
    });
    assert!(wire.0.lock().unwrap().calls.iter().any(|call| call == "Shell.Send"));
}

/// Asks twice over a connection that breaks at a call; what was called, and how many shells are left.
fn broken(at: &'static str, is_away: bool) -> (String, usize) {
    let wire = endpoint();
    {
        let mut endpoint = wire.0.lock().unwrap();
        (endpoint.breaks_at, endpoint.is_away) = (Some(at), is_away);
    }
    block_on(async {
        let opened = open(&wire, 153_600).await;
        let Ok(mut shell) = opened else { return };
        let cmdlet = Cmdlet { name: "Get-IRMConfiguration", parameters: vec![] };
        let first = shell.run(&cmdlet).await.unwrap_err();
        assert!(matches!(first, HostError::Lost { .. }), "{first}");
        let again = shell.run(&cmdlet).await.unwrap_err();
        assert!(matches!(again, HostError::NotConnected { .. }), "{again}");
        shell.close().await;
    });
    let endpoint = wire.0.lock().unwrap();
    let calls = endpoint.calls.iter().map(|call| call.trim_start_matches("Shell."));
    (calls.collect::<Vec<_>>().join(" "), endpoint.left.list().len())
}

#[test]
fn of_a_broken_connection_only_the_shell_is_deleted_and_over_a_new_one() {
    assert_eq!(broken("Shell.Create", false), ("Create logon Delete".to_owned(), 0));
    let (calls, left) = broken("Shell.Command", false);
    assert!(calls.ends_with(" Command logon Delete"), "{calls}");
    assert_eq!(left, 0);
}

#[test]
fn a_shell_that_cannot_be_deleted_is_written_down() {
    assert_eq!(broken("Shell.Create", true), ("Create logon".to_owned(), 1));
    let (calls, left) = broken("Shell.Command", true);
    assert!(calls.ends_with(" Command logon"), "{calls}");
    assert_eq!(left, 1);
}

/// Time stands still and jumps to whatever is waited for.
#[tokio::test(start_paused = true)]
async fn a_shell_that_has_no_room_is_asked_for_again_twice() {
    let asked = async |full: usize| {
        let wire = endpoint();
        wire.0.lock().unwrap().full = full;
        let opened = open(&wire, 153_600).await.map(drop);
        let endpoint = wire.0.lock().unwrap();
        let creates = endpoint.calls.iter().filter(|call| *call == "Shell.Create").count();
        (opened.map_err(|error| error.to_string()), creates, endpoint.left.list().len())
    };
    assert_eq!(asked(2).await, (Ok(()), 3, 1));
    let (refused, creates, left) = asked(3).await;
    assert!(refused.unwrap_err().contains("2150859173"));
    assert_eq!((creates, left), (3, 0));
}

#[test]
fn a_pool_that_does_not_open_is_deleted() {
    let wire = endpoint();
    wire.0.lock().unwrap().silent_at_first = 5;
    assert!(block_on(open(&wire, 153_600)).is_err());
    let calls = wire.0.lock().unwrap().calls.clone();
    assert_eq!(calls.first().map(String::as_str), Some("Shell.Create"));
    assert_eq!(calls.last().map(String::as_str), Some("Shell.Delete"), "{calls:?}");
    assert_eq!(calls.len(), 7, "{calls:?}");
}

#[test]
fn the_organisation_is_observed_and_nothing_is_guessed() {
    let wire = endpoint();
    let via = HostName::new("ex01");
    let location = PsObject::List(vec![PsObject::Text("https://a.example/_wmcs".to_owned())]);
    let arrange = |name, value| wire.0.lock().unwrap().exchange.arrange(name, value);
    arrange("LicensingLocation", location);
    arrange("ExternalLicensingEnabled", PsObject::Null);
    let seen = block_on(async {
        let mut shell = open(&wire, 153_600).await.unwrap();
        let seen = exchange::observe(&mut shell, &via).await.unwrap();
        shell.close().await;
        seen
    });
    assert_eq!((seen.name.as_str(), &seen.via), ("Contoso", &via));
    assert_eq!(seen.dn, wire.0.lock().unwrap().exchange.dn);
    assert_eq!(seen.irm.internal_licensing_enabled, Some(false));
    assert_eq!(seen.irm.external_licensing_enabled, None);
    assert_eq!(seen.irm.client_access_server_enabled, Some(true));
    assert_eq!(seen.irm.licensing_location, Some(vec!["https://a.example/_wmcs".to_owned()]));
    assert_eq!(seen.irm.service_location.as_deref(), Some(""));
    let edges: Vec<_> =
        seen.servers.iter().map(|server| (server.name.as_str(), server.is_edge)).collect();
    assert_eq!(edges, [("EX01", false), ("EDGE01", true)]);
    assert_eq!(seen.servers[0].version, "Version 15.2 (Build 1544.4)");
}

fn step(dn: &str) -> OrganisationStep {
    serde_json::from_value(json!({
        "dn": dn,
        "organisation": "Contoso",
        "via": "ex01",
        "endpoint": {
            "scheme": "http", "address": "ex01", "port": 80, "path": "/PowerShell/",
            "transport": "negotiate",
        },
        "credential": "default",
        "user": null,
        "before": {
            "internal_licensing_enabled": false, "external_licensing_enabled": false,
            "client_access_server_enabled": true, "service_location": null,
            "publishing_location": null, "licensing_location": [],
        },
        "set_internal_licensing": true,
        "set_client_access_server": true,
        "satisfied": false,
        "needs": [],
        "missing": [],
        "waived": [],
    }))
    .unwrap()
}

#[test]
fn enabling_is_verified_by_reading_back() {
    let wire = endpoint();
    let step = step(&wire.0.lock().unwrap().exchange.dn);
    block_on(async {
        let mut shell = open(&wire, 153_600).await.unwrap();
        let before = exchange::verify(&mut shell, &step.identity, step.act.settings())
            .await
            .unwrap_err()
            .to_string();
        assert_eq!(
            before,
            "expected InternalLicensingEnabled to read back as True, host sent False"
        );
        exchange::set(&mut shell, step.act.settings()).await.unwrap();
        let after =
            exchange::verify(&mut shell, &step.identity, step.act.settings()).await.unwrap();
        assert_eq!(after.internal_licensing_enabled, Some(true));
        shell.close().await;
    });
    let endpoint = wire.0.lock().unwrap();
    assert_eq!(endpoint.exchange.writes, 1);
    assert_eq!(endpoint.exchange.setting("InternalLicensingEnabled"), Some(&PsObject::Bool(true)));
}

#[test]
fn another_organisation_verifies_nothing() {
    let wire = endpoint();
    let step = step("CN=ControlPoint Config,CN=Transport Settings,CN=Fabrikam");
    let told = block_on(async {
        let mut shell = open(&wire, 153_600).await.unwrap();
        let told = exchange::verify(&mut shell, &step.identity, step.act.settings())
            .await
            .unwrap_err()
            .to_string();
        shell.close().await;
        told
    });
    assert!(told.starts_with("expected the IRM configuration `CN=ControlPoint"), "{told}");
}
