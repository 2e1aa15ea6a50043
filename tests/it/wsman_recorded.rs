//! WS-Management against what Windows servers, and others, were recorded to send.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::any;
use proptest::prelude::prop;
use proptest::proptest;
use rmsfleet::model::registry::KeyPath;
use rmsfleet::wire::fault::Fault;
use rmsfleet::wire::namespace;
use rmsfleet::wire::operation::Answer;
use rmsfleet::wire::operation::Instance;
use rmsfleet::wire::operation::Read;
use rmsfleet::wire::shell;
use rmsfleet::wire::shell::ShellReply;
use rmsfleet::wire::shell::ShellRequest;
use rmsfleet::wire::soap::Header;
use rmsfleet::wire::soap::WsmanError;
use rmsfleet::wire::wsman;
use rmsfleet::wire::wsman::Reply;
use rmsfleet::wire::wsman::Sent;
use rmsfleet::wire::xml;
use rmsfleet::wire::xml::Element;

use crate::shared;

fn header(message_id: &str) -> Header {
    Header {
        message_id: message_id.to_owned(),
        session_id: "uuid:AECF49AF-7164-43E6-B10A-E38E8C4986AD".to_owned(),
        to: "https://127.0.0.1:55986/wsman".to_owned(),
        operation_timeout: Duration::from_secs(20),
        max_envelope: 153_600,
    }
}

fn header_text(envelope: &Element, space: &str, name: &str) -> Option<String> {
    let header = envelope.find(namespace::SOAP, "Header")?;
    Some(header.find(space, name)?.text().trim().to_owned())
}

/// A header that the reply relates to, whatever it relates to.
fn header_for(reply: &[u8]) -> Header {
    let envelope = xml::parse(reply).unwrap();
    header(&header_text(&envelope, namespace::ADDRESSING, "RelatesTo").unwrap_or_default())
}

/// The request of ours that is of the same kind as a recorded one, ids included.
fn same_kind(envelope: &Element) -> Option<ShellRequest> {
    let action = header_text(envelope, namespace::ADDRESSING, "Action")?;
    let shell_id = envelope
        .descendant(namespace::WSMAN, "Selector")
        .map(Element::text)
        .or_else(|| {
            let shell = envelope.descendant(namespace::SHELL, "Shell")?;
            shell.attr("", "ShellId").map(str::to_owned)
        })
        .unwrap_or_default();
    let command_id = ["DesiredStream", "CommandLine", "Stream", "Signal"]
        .iter()
        .find_map(|name| envelope.descendant(namespace::SHELL, name))
        .and_then(|element| element.attr("", "CommandId"))
        .map(str::to_owned);
    let known = command_id.clone().unwrap_or_default();
    Some(match action.rsplit('/').next()? {
        "Create" => ShellRequest::Create {
            shell_id,
            name: String::new(),
            protocol_version: "2.3".to_owned(),
            creation_xml: decoded(envelope, namespace::POWERSHELL, "creationXml"),
        },
        "Command" => ShellRequest::Command {
            shell_id,
            command_id: known,
            arguments: decoded(envelope, namespace::SHELL, "Arguments"),
        },
        "Receive" => ShellRequest::Receive { shell_id, command_id },
        "Send" => ShellRequest::Send {
            shell_id,
            command_id,
            data: decoded(envelope, namespace::SHELL, "Stream"),
        },
        "Signal" => ShellRequest::Signal {
            shell_id,
            command_id: known,
            code: envelope.descendant(namespace::SHELL, "Code")?.text(),
        },
        "Delete" => ShellRequest::Delete { shell_id },
        _ => return None,
    })
}

fn decoded(envelope: &Element, space: &str, name: &str) -> Vec<u8> {
    use base64::Engine as _;
    let text = envelope.descendant(space, name).map(Element::text).unwrap_or_default();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
}

/// Every recorded exchange with a shell: case, request, reply.
fn exchanges(folder: &Path) -> Vec<(String, Element, Vec<u8>)> {
    let mut found = Vec::new();
    for case in fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        for number in 0.. {
            let Ok(request) = fs::read(case.join(format!("{number:02}.request.xml"))) else {
                break;
            };
            let reply = fs::read(case.join(format!("{number:02}.response.xml"))).unwrap();
            let name = format!("{}/{number:02}", case.file_name().unwrap().to_string_lossy());
            found.push((name, xml::parse(&request).unwrap(), reply));
        }
    }
    found
}

#[test]
fn every_recorded_shell_exchange_decodes() {
    let Some(folder) = shared::captures("derived/pypsrp-pairs") else { return };
    let mut replies = BTreeMap::<&str, usize>::new();
    let mut faults = BTreeMap::<u32, usize>::new();
    for (name, request, reply) in exchanges(&folder) {
        let id = header_text(&request, namespace::ADDRESSING, "MessageID").unwrap();
        let Some(ours) = same_kind(&request) else {
            // Something that we never ask, but its faults are like all others.
            let reading = wsman::decode(Sent::Read(&query()), &header(&id), &reply);
            if let Err(WsmanError::Fault(fault)) = reading {
                *faults.entry(fault.code.unwrap()).or_default() += 1;
            }
            continue;
        };
        let reading = shell::decode_shell(&ours, &header(&id), &reply);
        if name == "winrs_unicode/04" {
            // The recording pairs this reply with a request that it does not relate to.
            assert!(matches!(reading, Err(WsmanError::Unexpected { .. })), "{reading:?}");
            continue;
        }
        match reading {
            Ok(ShellReply::Created { shell_id }) => {
                assert_eq!(shell_id.len(), 36, "{name}");
                *replies.entry("created").or_default() += 1;
            }
            Ok(ShellReply::Command { command_id }) => {
                assert_eq!(command_id.len(), 36, "{name}");
                *replies.entry("command").or_default() += 1;
            }
            Ok(ShellReply::Output { done, .. }) => {
                *replies.entry(if done { "done" } else { "running" }).or_default() += 1;
            }
            Ok(ShellReply::Done) => *replies.entry("carried out").or_default() += 1,
            Err(WsmanError::Fault(fault)) => {
                let code = fault.code.unwrap_or_else(|| panic!("{name}: {fault:?}"));
                let meaning = fault.meaning().unwrap_or_else(|| panic!("{name}: {fault:?}"));
                assert!(!meaning.name.is_empty() && !fault.reason.is_empty(), "{name}");
                *faults.entry(code).or_default() += 1;
            }
            Err(error) => panic!("{name}: {error}"),
        }
        // The same reply to another request is refused, faults and all.
        let other = shell::decode_shell(&ours, &header("uuid:OTHER"), &reply);
        assert!(matches!(other, Err(WsmanError::Unexpected { .. })), "{name}: {other:?}");
    }
    assert!(replies.values().sum::<usize>() > 100, "{replies:?}");
    for kind in ["created", "command", "done", "running", "carried out"] {
        assert!(replies.contains_key(kind), "{kind} not in {replies:?}");
    }
    let codes: Vec<u32> = faults.into_keys().collect();
    assert_eq!(codes, [87, 2_147_942_402, 2_150_858_767, 2_150_858_793, 2_150_858_843]);
}

/// What a request says, apart from where, when and under which ids.
fn headers_of(envelope: &Element) -> BTreeMap<String, String> {
    let header = envelope.find(namespace::SOAP, "Header").unwrap();
    header
        .elements()
        .map(|element| {
            let must = element.attr(namespace::SOAP, "mustUnderstand").unwrap_or("-");
            (format!("{}#{}", element.namespace, element.name), must.to_owned())
        })
        .collect()
}

#[test]
fn our_powershell_requests_are_those_that_real_servers_accepted() {
    let Some(folder) = shared::captures("derived/pypsrp-pairs") else { return };
    let mut compared = 0;
    for (name, theirs, _) in exchanges(&folder) {
        // The shells of `psrp_is_alive…` ask for an idle timeout, which we do not.
        if !name.starts_with("psrp_") || name.starts_with("psrp_is_alive") {
            continue;
        }
        let Some(request) = same_kind(&theirs) else { continue };
        let id = header_text(&theirs, namespace::ADDRESSING, "MessageID").unwrap();
        let resource = header_text(&theirs, namespace::WSMAN, "ResourceURI").unwrap();
        let ours = shell::encode_shell(&request, &resource, &header(&id)).unwrap();
        let ours = xml::parse(&ours).unwrap();
        assert_eq!(headers_of(&ours), headers_of(&theirs), "{name}");
        let body = |envelope: &Element| envelope.find(namespace::SOAP, "Body").cloned();
        assert_eq!(sorted(body(&ours)), sorted(body(&theirs)), "{name}");
        compared += 1;
    }
    assert!(compared > 40, "only {compared}");
}

/// Attributes have no order.
fn sorted(element: Option<Element>) -> Option<Element> {
    fn sort(element: &mut Element) {
        element.attributes.sort();
        for node in &mut element.children {
            if let xml::Node::Element(child) = node {
                sort(child);
            }
        }
    }
    let mut element = element?;
    sort(&mut element);
    Some(element)
}

#[test]
fn the_recorded_list_of_keys_decodes() {
    let Some(folder) = shared::captures("openwsman") else { return };
    let reply = fs::read(folder.join("EnumKey.xml")).unwrap();
    let read = Read::EnumKeys(KeyPath::new("SOFTWARE"));
    let answer = wsman::decode(Sent::Read(&read), &header_for(&reply), &reply).unwrap();
    let Reply::Answer(Answer::Keys { code: 0, names }) = answer else { panic!("{answer:?}") };
    assert_eq!(names.len(), 26);
    assert_eq!(names[16], "Mozilla Firefox 9.0.1 (x86 en-US)");

    let read = Read::EnumValues(KeyPath::new("SOFTWARE"));
    let error = wsman::decode(Sent::Read(&read), &header_for(&reply), &reply).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("EnumValuesResponse") && text.contains("EnumKeyResponse"), "{text}");
}

fn query() -> Read {
    Read::Query { namespace: "root/cimv2".to_owned(), wql: "select * from x".to_owned() }
}

fn page(folder: &Path, file: &str, context: Option<&str>) -> (Vec<Instance>, Option<String>) {
    let reply = fs::read(folder.join(file)).unwrap();
    let query = query();
    let sent = context.map_or(Sent::Read(&query), |context| Sent::Pull { context });
    match wsman::decode(sent, &header_for(&reply), &reply) {
        Ok(Reply::Page(page)) => (page.instances, page.next),
        other => panic!("{file}: {other:?}"),
    }
}

#[test]
fn recorded_enumerations_decode_in_both_item_forms() {
    let Some(folder) = shared::captures("opennms-wsman") else { return };
    let (instances, next) = page(&folder, "optimized-enum-response.xml", None);
    assert_eq!((instances[0].class.as_str(), next), ("DCIM_PowerSupplyView", None));
    assert_eq!(instances[0].text("Manufacturer"), Some("Dell"));

    let (instances, next) = page(&folder, "optimized-enum-response-with-fragments-1.xml", None);
    let context = "uuid:9BF32A71-F913-4F19-95C9-A642AD4B758F".to_owned();
    assert_eq!((instances[0].text("Name"), next), (Some("A:"), Some(context)));
    assert_eq!(instances[0].text("Size"), None, "nil is no text");

    let (instances, next) =
        page(&folder, "optimized-enum-response-with-fragments-2.xml", Some("uuid:9BF3"));
    assert_eq!((instances.len(), next), (3, None));

    // No context in a PullResponse: the old one goes on.
    let (instances, next) = page(&folder, "recursive-pull-response-1.xml", Some("uuid:1"));
    assert_eq!((instances.len(), next.as_deref()), (1, Some("uuid:1")));
    assert_eq!(page(&folder, "recursive-pull-response-2.xml", Some("uuid:1")).1, None);
    assert_eq!(page(&folder, "pull-response.xml", Some("uuid:1")).0.len(), 1);
    assert!(page(&folder, "enum-response.xml", None).1.is_some());
}

#[test]
fn a_recorded_identity_decodes() {
    let Some(folder) = shared::captures("opennms-wsman") else { return };
    let reply = fs::read(folder.join("identify-response.xml")).unwrap();
    let answer = wsman::decode_identify(&reply).unwrap();
    let expected = Answer::Identity { vendor: "Openwsman Project".into(), version: "2.0.0".into() };
    assert_eq!(answer, expected);
}

fn fault(folder: &Path, file: &str) -> Fault {
    let reply = fs::read(folder.join(file)).unwrap();
    match wsman::decode(Sent::Read(&query()), &header_for(&reply), &reply) {
        Err(WsmanError::Fault(fault)) => fault,
        other => panic!("{file}: {other:?}"),
    }
}

fn check_fault(folder: &Path, file: &str, code: Option<u32>, subcode: &str, reason: &str) {
    let fault = fault(folder, file);
    assert_eq!(fault.code, code, "{file}");
    assert_eq!(fault.subcode.as_deref(), Some(subcode), "{file}");
    assert!(fault.reason.starts_with(reason), "{file}: {}", fault.reason);
}

#[test]
fn recorded_faults_of_every_form_decode() {
    let Some(folder) = shared::captures("extracted-literals/pywinrm") else { return };
    let check = |name: &str, code, subcode, reason| {
        check_fault(
            &folder,
            &format!("test_wsman_fault_{name}__xml_text.xml"),
            code,
            subcode,
            reason,
        );
    };
    check("known_fault", Some(2_150_858_793), "TimedOut", "The WS-Management service cannot");
    check("with_wsmanfault", Some(2_150_858_817), "SchemaValidationError", "Detail message.");
    check("wmi_error_detail", Some(2_150_859_174), "InternalError", "WMI Message.");
    check("must_understand", None, "MustUnderstand", "Test reason.");
    check("no_reason", None, "Unknown", "Unknown");
}

/// Of a management controller, and of Windows for an instance that is not there.
#[test]
fn an_instance_that_was_got_and_one_that_is_not_there_are_read() {
    let Some(folder) = shared::captures("opennms-wsman") else { return };
    let class = "root/cimv2/DCIM_ComputerSystem";
    let read = Read::Instance { class, keys: vec![("Name", "srv:system".to_owned())] };
    let got = |file: &str| {
        let bytes = fs::read(folder.join(file)).unwrap();
        wsman::decode(Sent::Read(&read), &header_for(&bytes), &bytes)
    };
    let Ok(Reply::Answer(Answer::Instances(all))) = got("get-response.xml") else { panic!() };
    let [one] = all.try_into().unwrap();
    assert_eq!(one.class, "DCIM_ComputerSystem");
    assert_eq!((one.text("ElementName"), one.text("Caption")), (Some("Computer System"), None));
    assert_eq!(one.properties["IdentifyingDescriptions"][0].as_deref(), Some("CIM:GUID"));
    let Err(WsmanError::Fault(fault)) = got("get-response-fault.xml") else { panic!() };
    assert_eq!(fault.code, Some(2_150_858_752));
}

#[test]
fn the_inner_fault_wins() {
    let Some(folder) = shared::captures("opennms-wsman") else { return };
    let nested = fault(&folder, "get-response-fault.xml");
    assert_eq!(nested.machine.as_deref(), Some("WIN-PHTGQ0P3OAO"));
    assert_eq!(nested.provider.as_deref(), Some("WMI Provider"));
    let Some(folder) = shared::captures("extracted-literals/masterzen") else { return };
    let file = "executeCommandResponseWithError.xml";
    check_fault(&folder, file, Some(2_147_942_606), "InternalError", "The filename or extension");
}

/// Whatever becomes of a reply on the way, reading it ends in an answer or an error.
#[test]
fn a_damaged_reply_never_panics() {
    let Some(folder) = shared::captures("opennms-wsman") else { return };
    let replies: Vec<Vec<u8>> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let header = header("{{ xPath request.body '/Envelope/Header/MessageID/text()' }}");
    let query = query();
    let keys = Read::EnumKeys(KeyPath::new("x"));
    proptest!(|(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    )| {
        let mut reply = which.get(&replies).clone();
        for (place, byte) in damage {
            let place = place.index(reply.len());
            reply[place] = byte;
        }
        reply.truncate(cut.index(reply.len()) + 1);
        for sent in [Sent::Read(&query), Sent::Read(&keys), Sent::Pull { context: "x" }] {
            let _ = wsman::decode(sent, &header, &reply);
        }
        let _ = wsman::decode_identify(&reply);
    });
}

/// Get of `winrm/config`: our request asks as the recorded one did, and the replies decode.
#[test]
fn recorded_settings_are_asked_for_and_read() {
    for size in ["150", "500", "4096"] {
        let folder = format!("derived/pypsrp-pairs/wsman_update_envelope_size_{size}");
        let Some(folder) = shared::captures(&folder) else { return };
        let reply = fs::read(folder.join("00.response.xml")).unwrap();
        let header = header_for(&reply);
        let sent = Sent::Read(&Read::Settings);
        let Reply::Answer(Answer::Settings(told)) = wsman::decode(sent, &header, &reply).unwrap()
        else {
            panic!("no settings");
        };
        let expected = [
            ("MaxEnvelopeSizekb", size),
            ("Service/MaxConnections", "300"),
            ("Service/MaxConcurrentOperationsPerUser", "1500"),
            ("Service/Auth/CbtHardeningLevel", "Relaxed"),
            ("Client/Auth/Digest", "true"),
            ("Client/TrustedHosts", ""),
            ("Winrs/MaxShellsPerUser", "2147483647"),
        ];
        for (path, value) in expected {
            assert_eq!(told.get(path).map(String::as_str), Some(value), "{path}");
        }
        let ours = wsman::encode_read(&Read::Settings, &header).unwrap();
        let (ours, theirs) = (
            xml::parse(&ours).unwrap(),
            xml::parse(&fs::read(folder.join("00.request.xml")).unwrap()).unwrap(),
        );
        for (space, name) in [(namespace::ADDRESSING, "Action"), (namespace::WSMAN, "ResourceURI")]
        {
            assert_eq!(header_text(&ours, space, name), header_text(&theirs, space, name));
        }
    }
}
