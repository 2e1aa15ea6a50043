use super::*;

use std::time::Duration;

use proptest::prelude::any;
use proptest::proptest;

use crate::model::particulars::AccessEntry;
use crate::model::registry::KeyPath;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;
use crate::wire::xml;

const ID: &str = "uuid:11111111-2222-3333-4444-555555555555";
const REGISTRY: &str = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/default/StdRegProv";

fn header() -> Header {
    Header {
        message_id: ID.to_owned(),
        session_id: "uuid:SESSION".to_owned(),
        to: "http://fs01:5985/wsman".to_owned(),
        operation_timeout: Duration::from_secs(20),
        max_envelope: 153_600,
    }
}

fn path(name: &str) -> ValuePath {
    ValuePath::new(r"SOFTWARE\Microsoft\MSDRM", name)
}

fn read_value(kind: Kind) -> Read {
    Read::Value { path: path("n"), kind }
}

fn set(value: Value) -> Write {
    Write::SetValue { path: path("n"), value }
}

/// A reply of the registry provider, with these out parameters.
fn reply(method: &str, out: &str) -> Vec<u8> {
    format!(
        "<s:Envelope xmlns:s='{}' xmlns:a='{}'><s:Header><a:Action>{REGISTRY}/{method}Response\
         </a:Action><a:RelatesTo>{ID}</a:RelatesTo></s:Header><s:Body>\
         <p:{method}_OUTPUT xmlns:p='{REGISTRY}' xmlns:xsi='{}'>{out}</p:{method}_OUTPUT>\
         </s:Body></s:Envelope>",
        namespace::SOAP,
        namespace::ADDRESSING,
        namespace::XSI,
    )
    .into_bytes()
}

fn method(read: &Read) -> String {
    Sent::Read(read).name().rsplit('.').next().unwrap().to_owned()
}

fn decoded(read: &Read, out: &str) -> Result<Answer, WsmanError> {
    match decode(Sent::Read(read), &header(), &reply(&method(read), out))? {
        Reply::Answer(answer) => Ok(answer),
        Reply::Page(page) => panic!("{page:?}"),
    }
}

fn check(read: &Read, out: &str, expected: Answer) {
    assert_eq!(decoded(read, out), Ok(expected), "{out}");
}

fn check_refused(read: &Read, out: &str, part: &str) {
    let error = decoded(read, out).unwrap_err().to_string();
    assert!(error.contains(part), "{error}");
}

/// The body of a request, as name and text of every parameter.
fn parameters(request: &[u8]) -> (Element, Vec<(String, String)>) {
    let envelope = xml::parse(request).unwrap();
    let body = envelope.find(namespace::SOAP, "Body").unwrap();
    let input = body.elements().next().unwrap();
    let all = input.elements().map(|child| (child.name.clone(), child.text())).collect();
    assert!(input.elements().all(|child| child.namespace == input.namespace));
    (input.clone(), all)
}

fn check_write(write: &Write, name: &str, data: &[(&str, &str)]) {
    let (input, parameters) = parameters(&encode_write(write, &header()).unwrap());
    assert!(input.is(REGISTRY, &format!("{name}_INPUT")), "{input:?}");
    let mut expected = vec![
        ("hDefKey".to_owned(), "2147483650".to_owned()),
        ("sSubKeyName".to_owned(), r"SOFTWARE\Microsoft\MSDRM".to_owned()),
    ];
    let data = data.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    expected.extend(data);
    assert_eq!(parameters, expected);
}

#[test]
fn every_kind_is_written_in_its_own_form() {
    let name = ("sValueName", "n");
    check_write(&set(Value::Sz("x".into())), "SetStringValue", &[name, ("sValue", "x")]);
    check_write(&set(Value::Sz(String::new())), "SetStringValue", &[name, ("sValue", "")]);
    check_write(
        &set(Value::ExpandSz("%x%".into())),
        "SetExpandedStringValue",
        &[name, ("sValue", "%x%")],
    );
    check_write(&set(Value::Dword(u32::MAX)), "SetDWORDValue", &[name, ("uValue", "4294967295")]);
    check_write(&set(Value::Qword(7)), "SetQWORDValue", &[name, ("uValue", "7")]);
    check_write(
        &set(Value::Binary(vec![0, 255])),
        "SetBinaryValue",
        &[name, ("uValue", "0"), ("uValue", "255")],
    );
    check_write(
        &set(Value::MultiSz(vec!["a".into(), "b".into()])),
        "SetMultiStringValue",
        &[name, ("sValue", "a"), ("sValue", "b")],
    );
    check_write(&Write::DeleteValue(path("")), "DeleteValue", &[("sValueName", "")]);
    check_write(&Write::CreateKey(path("").key), "CreateKey", &[]);
    check_write(&Write::DeleteKey(path("").key), "DeleteKey", &[]);
}

/// Hosts ignore the choice of a view without a word, so that none is ever made.
#[test]
fn the_32_bit_view_is_a_path_and_no_option() {
    let key = r"SOFTWARE\Wow6432Node\Microsoft\MSIPC";
    let path = ValuePath::new(key, "n");
    let value = Write::SetValue { path: path.clone(), value: Value::Sz("x".into()) };
    let read = Read::Value { path, kind: Kind::Sz };
    for request in [encode_write(&value, &header()), encode_read(&read, &header())] {
        let request = request.unwrap();
        let (_, parameters) = parameters(&request);
        assert_eq!(parameters[1], ("sSubKeyName".to_owned(), key.to_owned()));
        assert!(!String::from_utf8(request).unwrap().contains("Architecture"));
    }
}

#[test]
fn what_the_wire_cannot_carry_is_refused_before_it_is_sent() {
    for value in [
        Value::MultiSz(Vec::new()),
        Value::MultiSz(vec!["a".into(), String::new()]),
        Value::Binary(Vec::new()),
        Value::Sz("a\0b".into()),
        Value::Sz("\u{1b}".into()),
    ] {
        let write = set(value);
        let error = encode_write(&write, &header()).unwrap_err();
        assert!(matches!(error, WsmanError::Uncarriable(_)), "{write:?}: {error}");
    }
    let hive = Write::DeleteKey(KeyPath::new(r"\"));
    assert!(matches!(encode_write(&hive, &header()), Err(WsmanError::Uncarriable(_))));
    let read = Read::Value { path: path("\u{7}"), kind: Kind::Sz };
    assert!(matches!(encode_read(&read, &header()), Err(WsmanError::Uncarriable(_))));
}

#[test]
fn a_restart_is_a_tracked_reboot_of_the_class_itself() {
    let write = Write::Restart { delay_seconds: 2, comment: "a & b".into() };
    let request = encode_write(&write, &header()).unwrap();
    let (input, parameters) = parameters(&request);
    assert!(input.name == "Win32ShutdownTracker_INPUT");
    let expected =
        [("Timeout", "2"), ("Comment", "a & b"), ("ReasonCode", "2147745793"), ("Flags", "2")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(parameters, expected);
    assert!(!String::from_utf8(request).unwrap().contains("Selector"));
    assert_eq!(Sent::Write(&write).name(), "Win32_OperatingSystem.Win32ShutdownTracker");
}

#[test]
fn a_query_is_an_optimized_enumerate() {
    let read = Read::Query { namespace: "root/cimv2".into(), wql: "select a<b".into() };
    let request = xml::parse(&encode_read(&read, &header()).unwrap()).unwrap();
    let resource = request.descendant(namespace::WSMAN, "ResourceURI").unwrap().text();
    assert_eq!(resource, "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/*");
    let enumerate = request.descendant(namespace::ENUMERATION, "Enumerate").unwrap();
    assert!(enumerate.find(namespace::WSMAN, "OptimizeEnumeration").is_some());
    assert_eq!(enumerate.find(namespace::WSMAN, "MaxElements").unwrap().text(), "32000");
    assert_eq!(enumerate.find(namespace::WSMAN, "Filter").unwrap().text(), "select a<b");

    let request = encode_pull("root/cimv2", "uuid:1", &header()).unwrap();
    let request = xml::parse(&request).unwrap();
    let pull = request.descendant(namespace::ENUMERATION, "Pull").unwrap();
    assert_eq!(pull.find(namespace::ENUMERATION, "MaxElements").unwrap().text(), "32000");
}

#[test]
fn identify_goes_without_headers() {
    let request = xml::parse(&encode_read(&Read::Identify, &header()).unwrap()).unwrap();
    assert_eq!(request.find(namespace::SOAP, "Header").unwrap().elements().count(), 0);
    assert!(request.descendant(namespace::IDENTIFY, "Identify").is_some());
}

#[test]
fn an_identity_is_read_in_omis_form_too() {
    for space in [namespace::IDENTIFY, namespace::SOAP] {
        let reply = format!(
            "<s:Envelope xmlns:s='{}' xmlns:w='{}'><s:Body><r:IdentifyResponse xmlns:r='{space}'>\
             <w:ProductVendor>V</w:ProductVendor><w:ProductVersion>1</w:ProductVersion>\
             </r:IdentifyResponse></s:Body></s:Envelope>",
            namespace::SOAP,
            namespace::IDENTIFY
        );
        let told = decode_identify(reply.as_bytes()).unwrap();
        let expected = Answer::Identity { vendor: "V".to_owned(), version: "1".to_owned() };
        assert_eq!(told, expected, "{space}");
    }
}

/// OMI answers by the class of whichever of the two comes last.
#[test]
fn the_action_comes_after_the_resource() {
    let request = xml::parse(&encode_read(&read_value(Kind::Sz), &header()).unwrap()).unwrap();
    let headers = request.find(namespace::SOAP, "Header").unwrap();
    let place = |name: &str| headers.elements().position(|own| own.name == name).unwrap();
    assert!(place("To") < place("ResourceURI") && place("ResourceURI") < place("Action"));
    let reply =
        String::from_utf8(reply("GetStringValue", "<p:ReturnValue>2</p:ReturnValue>")).unwrap();
    let spelled =
        reply.replace("GetStringValueResponse</a:Action>", "getStringValueRESPONSE</a:Action>");
    assert_ne!(spelled, reply);
    let sent = read_value(Kind::Sz);
    decode(Sent::Read(&sent), &header(), spelled.as_bytes()).unwrap();
}

#[test]
fn values_are_read_wherever_the_return_value_stands() {
    let value = |value| Answer::Value { code: 0, value: Some(value) };
    let ok = "<p:ReturnValue>0</p:ReturnValue>";
    let sz = read_value(Kind::Sz);
    check(&sz, &format!("<p:sValue> a </p:sValue>{ok}"), value(Value::Sz(" a ".into())));
    check(&sz, &format!("{ok}<p:sValue/>"), value(Value::Sz(String::new())));
    let dword = read_value(Kind::Dword);
    check(&dword, &format!("{ok}<p:uValue>1</p:uValue>"), value(Value::Dword(1)));
    let qword = read_value(Kind::Qword);
    let most = format!("<p:uValue>{}</p:uValue>{ok}", u64::MAX);
    check(&qword, &most, value(Value::Qword(u64::MAX)));
    let two = "<p:uValue>0</p:uValue><p:uValue>255</p:uValue>";
    let binary = read_value(Kind::Binary);
    check(&binary, &format!("{two}{ok}"), value(Value::Binary(vec![0, 255])));
    let two = "<p:sValue>a</p:sValue><p:sValue>b</p:sValue>";
    let multi = read_value(Kind::MultiSz);
    check(&multi, &format!("{two}{ok}"), value(Value::MultiSz(vec!["a".into(), "b".into()])));
}

#[test]
fn nil_and_missing_data_are_alike() {
    for kind in Kind::ALL {
        for out in ["", "<p:sValue xsi:nil='true'/><p:uValue xsi:nil='1'/>"] {
            for code in [0, 2, 2_147_749_893] {
                let out = format!("{out}<p:ReturnValue>{code}</p:ReturnValue>");
                check(&read_value(kind), &out, Answer::Value { code, value: None });
            }
        }
    }
}

#[test]
fn lists_are_read_pairwise_or_refused() {
    let read = Read::EnumValues(path("").key);
    let ok = "<p:ReturnValue>0</p:ReturnValue>";
    let values = vec![(String::new(), 1), ("b".to_owned(), 4)];
    let lists =
        "<p:sNames></p:sNames><p:Types>1</p:Types><p:sNames>b</p:sNames><p:Types>4</p:Types>";
    check(&read, &format!("{lists}{ok}"), Answer::Values { code: 0, values });
    let none = "<p:sNames xsi:nil='true'/><p:Types xsi:nil='true'/>";
    check(&read, &format!("{none}{ok}"), Answer::Values { code: 0, values: Vec::new() });
    let refused = "<p:ReturnValue>2</p:ReturnValue>";
    check(&read, refused, Answer::Values { code: 2, values: Vec::new() });
    check_refused(&read, &format!("<p:sNames>a</p:sNames>{ok}"), "1 names and 0 types");
}

#[test]
fn an_access_check_may_refuse_by_code_or_by_answer() {
    let read = Read::CheckAccess { key: KeyPath::new("SOFTWARE"), required: 6 };
    for (out, code, granted) in [
        ("<p:bGranted>true</p:bGranted><p:ReturnValue>0</p:ReturnValue>", 0, Some(true)),
        ("<p:bGranted>false</p:bGranted><p:ReturnValue>5</p:ReturnValue>", 5, Some(false)),
        ("<p:ReturnValue>2</p:ReturnValue>", 2, None),
    ] {
        check(&read, out, Answer::Access { code, granted });
    }
    check_refused(&read, "<p:bGranted>x</p:bGranted><p:ReturnValue>0</p:ReturnValue>", "`x`");
}

#[test]
fn a_reply_that_makes_no_sense_says_what_came() {
    let dword = read_value(Kind::Dword);
    let ok = "<p:ReturnValue>0</p:ReturnValue>";
    check_refused(&dword, "", "a ReturnValue");
    check_refused(&dword, &format!("<p:uValue>many</p:uValue>{ok}"), "`many`");
    check_refused(&dword, &format!("<p:uValue>4294967296</p:uValue>{ok}"), "a number in uValue");
    check_refused(
        &dword,
        &format!("<p:uValue>1</p:uValue><p:uValue>2</p:uValue>{ok}"),
        "2 of them",
    );

    let bytes = reply("GetDWORDValue", ok);
    let other = Header { message_id: "uuid:OTHER".into(), ..header() };
    let error = decode(Sent::Read(&dword), &other, &bytes).unwrap_err().to_string();
    assert!(error.contains("uuid:OTHER") && error.contains(ID), "{error}");

    let error = decode(Sent::Write(&set(Value::Dword(1))), &header(), &bytes).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("SetDWORDValue") && error.contains("GetDWORDValue"), "{error}");

    let text = String::from_utf8(bytes).unwrap();
    let body = text.replace("GetDWORDValue_OUTPUT", "Other_OUTPUT");
    let error = decode(Sent::Read(&dword), &header(), body.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("GetDWORDValue_OUTPUT") && error.contains("Other_OUTPUT"), "{error}");
    let unrelated = text.replace("RelatesTo", "Related");
    let error = decode(Sent::Read(&dword), &header(), unrelated.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("relates to no message"), "{error}");
}

proptest! {
    #[test]
    fn any_text_survives_or_is_refused(text in any::<String>()) {
        let write = set(Value::Sz(text.clone()));
        match encode_write(&write, &header()) {
            Ok(request) => assert_eq!(parameters(&request).1[3].1, text),
            Err(error) => {
                assert!(matches!(error, WsmanError::Uncarriable(_)), "{error}");
                assert!(!xml::is_carriable(&text));
            }
        }
    }
}

#[test]
fn an_access_list_is_read_in_whatever_namespace_its_parts_stand() {
    let read = Read::AccessList(KeyPath::new("SOFTWARE"));
    let out = "<p:Descriptor xmlns:d='urn:x'><d:ControlFlags>4</d:ControlFlags>\
               <d:DACL><p:AccessMask>983103</p:AccessMask><p:AceFlags>3</p:AceFlags>\
               <p:AceType>0</p:AceType><p:Trustee><d:Name>NETWORK SERVICE</d:Name>\
               <d:SIDString>S-1-5-20</d:SIDString></p:Trustee></d:DACL></p:Descriptor>\
               <p:ReturnValue>0</p:ReturnValue>";
    let entry = AccessEntry {
        sid: "S-1-5-20".to_owned(),
        allows: true,
        mask: 983_103,
        inherited_below: true,
    };
    check(&read, out, Answer::AccessList { code: 0, entries: Some(vec![entry]) });
    let refused = "<p:Descriptor xsi:nil='true'/><p:ReturnValue>5</p:ReturnValue>";
    check(&read, refused, Answer::AccessList { code: 5, entries: None });
    let short = "<p:Descriptor><p:DACL><p:AceType>0</p:AceType></p:DACL></p:Descriptor>\
                 <p:ReturnValue>0</p:ReturnValue>";
    check_refused(&read, short, "less");
}

#[test]
fn an_access_list_is_sent_as_a_descriptor_of_its_own_class() {
    let entry = |sid: &str, allows, inherited_below| AccessEntry {
        sid: sid.to_owned(),
        allows,
        mask: 983_103,
        inherited_below,
    };
    let entries = vec![entry("S-1-5-20", true, true), entry("S-1-1-0", false, false)];
    let write = Write::SetAccessList { key: KeyPath::new(r"SOFTWARE\a"), entries };
    let request = encode_write(&write, &header()).unwrap();
    let element = xml::parse(&request).unwrap();
    let body = element.find(namespace::SOAP, "Body").unwrap();
    let input = body.find(REGISTRY, "SetSecurityDescriptor_INPUT").unwrap();
    let names: Vec<&str> = input.elements().map(|own| own.name.as_str()).collect();
    assert_eq!(names, ["hDefKey", "sSubKeyName", "Descriptor"]);
    let descriptor = input.find(REGISTRY, "Descriptor").unwrap();
    let root = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/default";
    let classed = |element: &Element, class: &str| {
        let typed =
            element.attr(namespace::XSI, "type").unwrap().ends_with(&format!(":{class}_Type"));
        typed && element.elements().all(|part| part.namespace == format!("{root}/{class}"))
    };
    assert!(classed(descriptor, "__SecurityDescriptor"));
    let told: Vec<Vec<String>> = descriptor
        .elements()
        .filter(|own| own.name == "DACL")
        .map(|ace| {
            assert!(classed(ace, "__ACE"));
            assert!(classed(ace.elements().last().unwrap(), "__Trustee"));
            let text = |own: &Element| own.elements().next().unwrap_or(own).text();
            ace.elements().map(|own| format!("{} {}", own.name, text(own))).collect()
        })
        .collect();
    let line =
        |flags, kind, sid| ["AccessMask 983103", flags, kind, sid].map(str::to_owned).to_vec();
    let first = line("AceFlags 2", "AceType 0", "Trustee S-1-5-20");
    assert_eq!(told, [first, line("AceFlags 0", "AceType 1", "Trustee S-1-1-0")]);
}

#[test]
fn an_access_list_for_nobody_is_not_sent() {
    let write = Write::SetAccessList { key: KeyPath::new("SOFTWARE"), entries: Vec::new() };
    assert!(matches!(encode_write(&write, &header()), Err(WsmanError::Uncarriable(_))));
}
