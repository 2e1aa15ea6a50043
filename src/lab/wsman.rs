//! From a judged request to the part of the host that answers it.

use crate::lab::config;
use crate::lab::fault;
use crate::lab::fault::LabFault;
use crate::lab::host::Call;
use crate::lab::host::LabHost;
use crate::lab::host::Outcome;
use crate::lab::markup;
use crate::lab::request::Request;
use crate::lab::shell;
use crate::lab::winrs;
use crate::lab::wmi;
use crate::wire::namespace;

/// Answers a request whose headers are in order.
pub fn route(host: &mut LabHost, request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    if !call.admin {
        return Err(LabFault::new(fault::ACCESS_DENIED, "w:AccessDenied", "access is denied"));
    }
    let resource = request.resource.as_str();
    // The registry's provider answers for itself.
    if call.denied && !resource.ends_with("/StdRegProv") {
        return Err(LabFault::new(fault::ACCESS_DENIED, "w:AccessDenied", "access is denied"));
    }
    let powershell =
        strip_prefix(resource, namespace::POWERSHELL).and_then(|rest| rest.strip_prefix('/'));
    if let Some(configuration) = powershell {
        let exchange = configuration.eq_ignore_ascii_case("Microsoft.Exchange");
        if exchange != call.exchange_path {
            return Err(not_in_catalog(resource));
        }
        return shell::answer(host, request, call, configuration);
    }
    let cmd = strip_prefix(resource, namespace::SHELL).is_some_and(|rest| rest == "/cmd");
    if cmd && !call.exchange_path {
        return winrs::answer(host, request, call);
    }
    if resource == namespace::CONFIG && !call.exchange_path {
        return config::answer(host, request, call);
    }
    let class = strip_prefix(resource, namespace::WMI).filter(|_| !call.exchange_path);
    match class.and_then(|rest| rest.rsplit_once('/')) {
        Some((namespace, class)) => wmi::answer(host, request, call, namespace, class),
        None => Err(not_in_catalog(resource)),
    }
}

/// A reply with HTTP 200.
pub fn reply(request: &Request, call: &Call, action: &str, body: &str) -> Outcome {
    let envelope = markup::envelope(action, &call.message_id(), &request.message_id, "", body);
    Outcome::Reply { status: 200, envelope }
}

/// The reply does not fit into the client's MaxEnvelopeSize.
pub fn too_large() -> LabFault {
    let text = "the reply is larger than the request's MaxEnvelopeSize";
    LabFault::new(fault::ENVELOPE_TOO_LARGE, "w:EncodingLimit", text).detail("MaxEnvelopeSize")
}

pub fn action_not_supported(action: &str) -> LabFault {
    let text = format!("the action {action} is not supported");
    LabFault::new(fault::ACTION_NOT_SUPPORTED, "a:ActionNotSupported", text)
}

fn not_in_catalog(resource: &str) -> LabFault {
    let text = format!("the resource URI {resource} is not in the catalog");
    LabFault::new(fault::INVALID_RESOURCE_URI, "a:DestinationUnreachable", text)
        .detail("InvalidResourceURI")
}

/// Resource URIs compare without case.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::lab::farm::FarmHost;
    use crate::lab::power::Manner;
    use crate::lab::power::Power;
    use crate::lab::power::Timing;
    use crate::lab::shell::Shells;
    use crate::model::host::HostName;
    use crate::model::product::Product;
    use crate::model::product::Role;
    use crate::wire::xml;
    use crate::wire::xml::Element;

    const CIMV2: &str = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2";
    const REGISTRY: &str = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/default/StdRegProv";
    const SHELL: &str = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell";
    const WQL: &str = "http://schemas.microsoft.com/wbem/wsman/1/WQL";

    /// A host, and the clock and dice of one test.
    struct Bench {
        host: LabHost,
        now: Timestamp,
        drawn: u128,
        admin: bool,
    }

    impl Bench {
        fn new() -> Self {
            let now = Timestamp::from_second(1_700_000_000).unwrap();
            let host = FarmHost::new(HostName::new("FS01"), Role::Fci, Product::Windows2016);
            let power = Power::new(now, Timing::tour(), Manner::Returns);
            let host = LabHost::new(host, power, Shells::default());
            Self { host, now, drawn: 0, admin: true }
        }

        fn send(&mut self, resource: &str, action: &str, header: &str, body: &str) -> Outcome {
            let text = format!(
                "<s:Envelope xmlns:s='{}' xmlns:a='{}' xmlns:w='{}' xmlns:n='{}' xmlns:rsp='{}'>\
                 <s:Header><a:Action s:mustUnderstand='true'>{action}</a:Action>\
                 <a:To>http://FS01:5985/wsman</a:To><a:MessageID>uuid:1</a:MessageID>\
                 <w:ResourceURI s:mustUnderstand='true'>{resource}</w:ResourceURI>\
                 <a:ReplyTo><a:Address>{}</a:Address></a:ReplyTo>{header}</s:Header>\
                 <s:Body>{body}</s:Body></s:Envelope>",
                namespace::SOAP,
                namespace::ADDRESSING,
                namespace::WSMAN,
                namespace::ENUMERATION,
                namespace::SHELL,
                namespace::ANONYMOUS
            );
            let mut request = Request::read(text.as_bytes()).unwrap();
            self.drawn += 2;
            let call = Call {
                now: self.now,
                arrived: self.now,
                account: r"CONTOSO\rms".to_owned(),
                admin: self.admin,
                denied: false,
                exchange_path: false,
                fresh: [Uuid::from_u128(self.drawn), Uuid::from_u128(self.drawn + 1)],
            };
            self.host.answer(&mut request, &call)
        }

        fn reply(&mut self, resource: &str, action: &str, header: &str, body: &str) -> Element {
            match self.send(resource, action, header, body) {
                Outcome::Reply { envelope, .. } => xml::parse(envelope.as_bytes()).unwrap(),
                other => panic!("{other:?}"),
            }
        }

        /// The fault's code, or `Ok` if there is none.
        #[track_caller]
        fn check(
            &mut self,
            resource: &str,
            action: &str,
            header: &str,
            body: &str,
            expected: Result<(), u32>,
        ) {
            let root = self.reply(resource, action, header, body);
            let found = root.descendant(namespace::FAULT, "WSManFault").map(|fault| {
                let inner =
                    fault.elements().find_map(|e| e.descendant(namespace::FAULT, "WSManFault"));
                inner.unwrap_or(fault).attr("", "Code").unwrap().parse().unwrap()
            });
            assert_eq!(found.map_or(Ok(()), Err), expected, "{action}");
        }

        fn invoke(&mut self, class: &str, method: &str, input: &str, expected: Result<(), u32>) {
            self.check(class, &format!("{class}/{method}"), "", input, expected);
        }

        fn enumerate(&mut self, resource: &str, filter: &str, expected: Result<(), u32>) {
            let action = format!("{}/Enumerate", namespace::ENUMERATION);
            let filter = if filter.is_empty() {
                String::new()
            } else {
                format!("<w:Filter Dialect='{WQL}'>{filter}</w:Filter>")
            };
            let body = format!("<n:Enumerate>{filter}</n:Enumerate>");
            self.check(resource, &action, "", &body, expected);
        }
    }

    fn selectors(pairs: &[(&str, &str)]) -> String {
        let one = |(name, value): &(&str, &str)| {
            format!("<w:Selector Name='{name}'>{value}</w:Selector>")
        };
        format!("<w:SelectorSet>{}</w:SelectorSet>", pairs.iter().map(one).collect::<String>())
    }

    #[test]
    fn input_is_judged_by_name_namespace_and_parameters() {
        let input = |name: &str, space: &str, inner: &str| {
            format!("<r:{name} xmlns:r='{space}'>{inner}</r:{name}>")
        };
        let key = "<r:sSubKeyName>SOFTWARE</r:sSubKeyName>";
        let mut bench = Bench::new();
        let mut check = |method: &str, input: String, expected| {
            bench.invoke(REGISTRY, method, &input, expected);
        };
        check("EnumKey", input("EnumKey_INPUT", REGISTRY, key), Ok(()));
        check("EnumKey", input("EnumKey", REGISTRY, key), Err(fault::SCHEMA_VALIDATION));
        check("EnumKey", String::new(), Err(fault::SCHEMA_VALIDATION));
        check("EnumKey", input("EnumKey_INPUT", "urn:x", key), Err(fault::NAMESPACE));
        let unknown = "<r:sKey>SOFTWARE</r:sKey>";
        check("EnumKey", input("EnumKey_INPUT", REGISTRY, unknown), Err(fault::INTERNAL_ERROR));
        check("EnumNo", input("EnumNo_INPUT", REGISTRY, key), Err(fault::ACTION_NOT_SUPPORTED));
        let descriptor = input("SetSecurityDescriptor_INPUT", REGISTRY, key);
        check("SetSecurityDescriptor", descriptor, Ok(()));
        let typed = "<r:sSubKeyName>SOFTWARE</r:sSubKeyName><r:Descriptor>x</r:Descriptor>";
        let descriptor = input("SetSecurityDescriptor_INPUT", REGISTRY, typed);
        check("SetSecurityDescriptor", descriptor, Err(fault::INTERNAL_ERROR));
        let stats = &bench.host.stats;
        assert_eq!((stats.requests, stats.reads, stats.writes, stats.faults), (8, 5, 2, 6));
    }

    #[test]
    fn gets_need_the_selectors_of_the_class() {
        let mut bench = Bench::new();
        let action = format!("{}/Get", namespace::TRANSFER);
        let mut check = |class: &str, pairs: &[(&str, &str)], expected| {
            let header = if pairs.is_empty() { String::new() } else { selectors(pairs) };
            bench.check(&format!("{CIMV2}/{class}"), &action, &header, "", expected);
        };
        check("Win32_OperatingSystem", &[], Ok(()));
        check("Win32_OperatingSystem", &[("Name", "x")], Err(fault::UNEXPECTED_SELECTORS));
        check("Win32_Service", &[("name", "winrm")], Ok(()));
        check("Win32_Service", &[], Err(fault::WMI_SINGLETON));
        check("Win32_Service", &[("State", "Running")], Err(fault::UNEXPECTED_SELECTORS));
        check("Win32_Service", &[("Name", "nope")], Err(fault::RESOURCE_NOT_FOUND));
        check("Win32_Bogus", &[], Err(fault::INVALID_RESOURCE_URI));
        check("StdRegProv", &[], Err(fault::PROVIDER_NOT_CAPABLE));
    }

    #[test]
    fn queries_go_to_the_namespace_and_name_a_class() {
        let mut bench = Bench::new();
        let all = format!("{CIMV2}/*");
        let class = format!("{CIMV2}/Win32_Service");
        bench.enumerate(&all, "select * from Win32_OperatingSystem", Ok(()));
        bench.enumerate(&class, "", Ok(()));
        bench.enumerate(&all, "select * from Win32_No", Err(fault::CANNOT_PROCESS_FILTER));
        bench.enumerate(&all, "select Nope from Win32_Service", Err(fault::CANNOT_PROCESS_FILTER));
        let condition = "select * from Win32_Service where Nope=1";
        bench.enumerate(&all, condition, Err(fault::CANNOT_PROCESS_FILTER));
        bench.enumerate(&all, "delete * from x", Err(fault::CANNOT_PROCESS_FILTER));
        bench.enumerate(&class, "select * from Win32_Service", Err(fault::WMI_ENUM_WQL));
    }

    fn pull(bench: &mut Bench, context: &str, header: &str, expected: Result<(), u32>) {
        let action = format!("{}/Pull", namespace::ENUMERATION);
        let body =
            format!("<n:Pull><n:EnumerationContext>{context}</n:EnumerationContext></n:Pull>");
        bench.check(&format!("{CIMV2}/*"), &action, header, &body, expected);
    }

    fn open(bench: &mut Bench) -> String {
        let class = format!("{CIMV2}/Win32_Service");
        let action = format!("{}/Enumerate", namespace::ENUMERATION);
        let root = bench.reply(&class, &action, "", "<n:Enumerate/>");
        root.descendant(namespace::ENUMERATION, "EnumerationContext").unwrap().text()
    }

    #[test]
    fn an_enumeration_dies_when_it_is_used_up_too_old_or_pulled_otherwise() {
        let mut bench = Bench::new();
        let dead = Err(fault::INVALID_ENUMERATION_CONTEXT);
        let context = open(&mut bench);
        pull(&mut bench, &context, "", Ok(()));
        pull(&mut bench, &context, "", dead);
        pull(&mut bench, "uuid:00", "", dead);
        let context = open(&mut bench);
        let other = "<w:MaxEnvelopeSize>500000</w:MaxEnvelopeSize>";
        pull(&mut bench, &context, other, Err(fault::PULL_PARAMS_NOT_SAME));
        let context = open(&mut bench);
        bench.now = Timestamp::from_second(1_700_000_240).unwrap();
        pull(&mut bench, &context, "", dead);
    }

    #[test]
    fn quotas_are_kept() {
        let mut bench = Bench::new();
        bench.host.limits.operations_per_user = 1;
        open(&mut bench);
        let class = format!("{CIMV2}/Win32_Service");
        bench.enumerate(&class, "", Err(fault::QUOTA_MAX_OPERATIONS));
        bench.host.limits.shells_per_user = 0;
        let create = format!("{}/Create", namespace::TRANSFER);
        let quota = Err(fault::QUOTA_MAX_SHELLS);
        bench.check(SHELL, &create, "", "<rsp:Shell/>", quota);
    }

    #[test]
    fn shells_are_known_by_their_ids() {
        let mut bench = Bench::new();
        let create = format!("{}/Create", namespace::TRANSFER);
        let version = "<w:OptionSet><w:Option Name='protocolversion'>2.3</w:Option></w:OptionSet>";
        let shell = |id: &str| {
            format!(
                "<rsp:Shell ShellId='{id}'><creationXml xmlns='{}'></creationXml></rsp:Shell>",
                namespace::POWERSHELL
            )
        };
        let id = "11111111-2222-3333-4444-555555555555";
        bench.check(SHELL, &create, version, &shell("no"), Err(fault::BAD_ID));
        bench.check(SHELL, &create, "", &shell(id), Err(fault::PLUGIN_FAILED));
        bench.check(SHELL, &create, version, &shell(id), Ok(()));
        bench.check(SHELL, &create, version, &shell(id), Err(fault::SHELL_ID_CONFLICT));

        let receive = format!("{}/Receive", namespace::SHELL);
        let own = selectors(&[("ShellId", id)]);
        let stream = |command: &str| {
            format!(
                "<rsp:Receive><rsp:DesiredStream{command}>stdout</rsp:DesiredStream></rsp:Receive>"
            )
        };
        let other = selectors(&[("ShellId", "21111111-2222-3333-4444-555555555555")]);
        let unknown = Err(fault::UNEXPECTED_SELECTORS);
        bench.check(SHELL, &receive, &other, &stream(""), unknown);
        bench.check(SHELL, &receive, "", &stream(""), unknown);
        let bad = stream(&format!(" CommandId='{id}'"));
        bench.check(SHELL, &receive, &own, &bad, Err(fault::INVALID_PARAMETER));
        let seconds = format!("{own}<w:OperationTimeout>PT20S</w:OperationTimeout>");
        let until = Timestamp::from_second(1_700_000_020).unwrap();
        let waits = bench.send(SHELL, &receive, &seconds, &stream(""));
        assert_eq!(waits, Outcome::Wait(until));
        let at_once = format!("{own}<w:OperationTimeout>PT0S</w:OperationTimeout>");
        bench.check(SHELL, &receive, &at_once, &stream(""), Err(fault::TIMED_OUT));
        let delete = format!("{}/Delete", namespace::TRANSFER);
        bench.check(SHELL, &delete, &own, "", Ok(()));
        bench.check(SHELL, &delete, &own, "", unknown);
    }

    #[test]
    fn restarts_are_ordered_by_flags_that_the_provider_knows() {
        let mut bench = Bench::new();
        let class = format!("{CIMV2}/Win32_OperatingSystem");
        let shutdown = |flags: &str| {
            format!(
                "<r:Win32Shutdown_INPUT xmlns:r='{class}'><r:Flags>{flags}</r:Flags>\
                 <r:Reserved>0</r:Reserved></r:Win32Shutdown_INPUT>"
            )
        };
        let bad = Err(fault::PROVIDER_INVALID_PARAMETER);
        bench.invoke(&class, "Win32Shutdown", &shutdown("64"), bad);
        bench.invoke(&class, "Win32Shutdown", &shutdown("2"), Ok(()));
        assert_eq!(bench.host.stats.restart_orders, 2);
        let mut forced = Bench::new();
        let action = format!("{class}/Win32Shutdown");
        assert_eq!(forced.send(&class, &action, "", &shutdown("6")), Outcome::Lost);
    }

    #[test]
    fn who_is_no_administrator_is_denied() {
        let mut bench = Bench::new();
        bench.admin = false;
        bench.enumerate(&format!("{CIMV2}/Win32_Service"), "", Err(fault::ACCESS_DENIED));
    }

    #[test]
    fn a_reply_must_fit_the_clients_envelope() {
        let mut bench = Bench::new();
        let class = format!("{CIMV2}/Win32_OperatingSystem");
        let action = format!("{}/Get", namespace::TRANSFER);
        let size = "<w:MaxEnvelopeSize>8192</w:MaxEnvelopeSize>";
        bench.check(&class, &action, size, "", Ok(()));
        let key = crate::model::registry::ValuePath::new(r"SOFTWARE\Big", "v");
        bench.host.registry.plant(key, crate::model::registry::Value::Sz("x".repeat(9000)));
        let input = format!(
            "<r:GetStringValue_INPUT xmlns:r='{REGISTRY}'><r:sSubKeyName>SOFTWARE\\Big\
             </r:sSubKeyName><r:sValueName>v</r:sValueName></r:GetStringValue_INPUT>"
        );
        let action = format!("{REGISTRY}/GetStringValue");
        bench.check(REGISTRY, &action, size, &input, Err(fault::ENVELOPE_TOO_LARGE));
    }

    #[test]
    fn a_reboot_takes_volatile_state_away() {
        let mut bench = Bench::new();
        let context = open(&mut bench);
        let boot = bench.host.power.boot_time();
        bench.host.power.order(bench.now, None, true);
        bench.now = Timestamp::from_second(1_700_000_010).unwrap();
        bench.host.look(bench.now);
        assert_eq!(bench.host.stats.reboots, 1);
        assert!(bench.host.power.boot_time() > boot);
        let volatile =
            crate::model::registry::KeyPath::new(r"SOFTWARE\Microsoft\Windows\Lab\SinceBoot");
        assert!(!bench.host.registry.has_key(&volatile));
        pull(&mut bench, &context, "", Err(fault::INVALID_ENUMERATION_CONTEXT));
    }
}
