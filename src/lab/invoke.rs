//! Methods: the registry's and those that restart the host (`winrm.md` 1.5 to 1.7).

use std::fmt::Write as _;

use crate::lab::act::Act;
use crate::lab::cim::Class;
use crate::lab::cim::Property;
use crate::lab::classes;
use crate::lab::fault;
use crate::lab::fault::LabFault;
use crate::lab::fault::Provider;
use crate::lab::host::Call;
use crate::lab::host::LabHost;
use crate::lab::host::Outcome;
use crate::lab::regmethod;
use crate::lab::regmethod::Effect;
use crate::lab::regmethod::Output;
use crate::lab::regmethod::Parameters;
use crate::lab::regprov;
use crate::lab::request::Request;
use crate::lab::wsman;
use crate::model::product::Role;
use crate::wire::namespace;

/// The tenant's templates.
const TEMPLATES: [&str; 2] = ["Contoso - Confidential", "Contoso - Confidential View Only"];

/// Flags of `Win32Shutdown`.
const REBOOT: u32 = 2;
const FORCED: u32 = 4;
const POWER_OFF: u32 = 8;
/// Return codes of a service's methods that find nothing to do.
const RUNNING_ALREADY: u32 = 10;
const STOPPED_ALREADY: u32 = 5;

/// Carries a method of a class out.
pub fn answer(
    host: &mut LabHost,
    request: &Request,
    call: &Call,
    class: &Class,
    method: &str,
) -> Result<Outcome, LabFault> {
    if *class == classes::SERVICE {
        return service(host, request, call, class, method);
    }
    if !request.selectors.is_empty() {
        let text = "the class takes no selectors";
        return Err(LabFault::new(fault::UNEXPECTED_SELECTORS, "w:InvalidSelectors", text)
            .detail("UnexpectedSelectors")
            .by(Provider::Wmi));
    }
    let output = if *class == classes::REGISTRY || *class == classes::REGISTRY_CIMV2 {
        let known = regmethod::Method::parse(method).ok_or_else(|| unknown(request))?;
        match known.effect() {
            Effect::Reads => host.stats.reads += 1,
            Effect::Writes => host.stats.writes += 1,
        }
        let parameters = parameters(request, class, method, &|name| known.takes(name))?;
        if call.denied {
            known.refused(regmethod::ACCESS_DENIED)
        } else {
            let input = request.body.elements().next().unwrap_or(&request.body);
            let output = regprov::invoke(&mut host.registry, known, input, &parameters)?;
            if let Some(act) = regprov::act(known, &parameters).filter(|_| output.code == 0) {
                host.witness.tell(&act);
            }
            output
        }
    } else if *class == classes::OPERATING_SYSTEM {
        let known = Restart::parse(method).ok_or_else(|| unknown(request))?;
        let parameters = parameters(request, class, method, &|name| known.takes(name))?;
        host.stats.restart_orders += 1;
        let code = known.order(host, call, &parameters)?;
        if matches!(code, None | Some(0)) {
            host.witness.tell(&Act::Restart);
        }
        match code {
            Some(code) => Output { out: Vec::new(), code },
            None => return Ok(Outcome::Lost),
        }
    } else if *class == classes::FILE_MANAGEMENT && method == "EnumRmsTemplates" {
        parameters(request, class, method, &|_| false)?;
        host.stats.reads += 1;
        templates(host)
    } else {
        return Err(unknown(request));
    };
    let action = format!("{}Response", request.action);
    Ok(wsman::reply(request, call, &action, &body(class, method, &output)))
}

/// `StartService` and `StopService` of the service that the selector names.
fn service(
    host: &mut LabHost,
    request: &Request,
    call: &Call,
    class: &Class,
    method: &str,
) -> Result<Outcome, LabFault> {
    let start = match method {
        "StartService" => true,
        "StopService" => false,
        _ => return Err(unknown(request)),
    };
    parameters(request, class, method, &|_| false)?;
    let name = request.selector("Name").unwrap_or_default();
    let own = host.services.iter_mut().find(|own| own.name.eq_ignore_ascii_case(name));
    let Some(own) = own else {
        let text = format!("the selectors name no instance of {}", class.name);
        return Err(LabFault::new(fault::RESOURCE_NOT_FOUND, "a:DestinationUnreachable", text)
            .by(Provider::Wmi));
    };
    let code = match (own.running, start) {
        (true, true) => RUNNING_ALREADY,
        (false, false) => STOPPED_ALREADY,
        (true, false) | (false, true) => 0,
    };
    own.running = start;
    let output = Output { out: Vec::new(), code };
    let action = format!("{}Response", request.action);
    Ok(wsman::reply(request, call, &action, &body(class, method, &output)))
}

/// What a file server sees once it has been restarted with the connector's values: its rights
/// client reads them when it starts.
pub fn visible_templates(host: &LabHost) -> &'static [&'static str] {
    if host.role != Role::Fci || host.stats.reboots == 0 { &[] } else { &TEMPLATES }
}

fn templates(host: &LabHost) -> Output {
    let names = visible_templates(host).iter().copied().map(Property::text).collect();
    Output { out: vec![("RmsTemplates", Property::Many(names))], code: 0 }
}

fn body(class: &Class, method: &str, output: &Output) -> String {
    let mut out = format!(
        "<p:{method}_OUTPUT xmlns:xsi=\"{}\" xmlns:p=\"{}\" xmlns:cim=\"{}\">",
        namespace::XSI,
        class.uri(),
        namespace::CIM
    );
    for (name, value) in &output.out {
        value.write(&mut out, "p:", name);
    }
    let _ = write!(out, "<p:ReturnValue>{}</p:ReturnValue></p:{method}_OUTPUT>", output.code);
    out
}

/// The method's parameters, judged as Windows judges them.
fn parameters(
    request: &Request,
    class: &Class,
    method: &str,
    takes: &dyn Fn(&str) -> bool,
) -> Result<Parameters, LabFault> {
    let wanted = format!("{method}_INPUT");
    let input = request.body.elements().next().filter(|input| input.name == wanted);
    let Some(input) = input else {
        let got = request.body.elements().next().map_or("nothing", |input| input.name.as_str());
        let text = format!("expected the element {wanted}, got {got}");
        return Err(LabFault::new(fault::SCHEMA_VALIDATION, "w:SchemaValidationError", text)
            .by(Provider::Wmi));
    };
    let uri = class.uri();
    let mut spaces = std::iter::once(input).chain(input.elements()).map(|e| &e.namespace);
    if let Some(space) = spaces.find(|space| !space.eq_ignore_ascii_case(&uri)) {
        let text = format!("the input's namespace must be {uri}, not `{space}`");
        return Err(LabFault::new(fault::NAMESPACE, "x:InvalidRepresentation", text)
            .detail("InvalidNamespace")
            .by(Provider::Wmi));
    }
    let mut found = Parameters::new();
    for element in input.elements() {
        if !takes(&element.name) {
            let text = format!("HRESULT = 0x8004102f: {} has no {}", method, element.name);
            return Err(
                LabFault::new(fault::INTERNAL_ERROR, "w:InternalError", text).by(Provider::Wmi)
            );
        }
        let value = (!element.is_nil()).then(|| element.text());
        match found.iter_mut().find(|(name, _)| *name == element.name) {
            Some((_, values)) => values.push(value),
            None => found.push((element.name.clone(), vec![value])),
        }
    }
    Ok(found)
}

fn unknown(request: &Request) -> LabFault {
    wsman::action_not_supported(&request.action).by(Provider::Wmi)
}

/// The methods of `Win32_OperatingSystem` that end in a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restart {
    Reboot,
    Halt,
    WithFlags,
    Tracker,
}

impl Restart {
    fn parse(method: &str) -> Option<Self> {
        Some(match method {
            "Reboot" => Self::Reboot,
            "Shutdown" => Self::Halt,
            "Win32Shutdown" => Self::WithFlags,
            "Win32ShutdownTracker" => Self::Tracker,
            _ => return None,
        })
    }

    fn takes(self, parameter: &str) -> bool {
        let names: &[&str] = match self {
            Self::Reboot | Self::Halt => &[],
            Self::WithFlags => &["Flags", "Reserved"],
            Self::Tracker => &["Timeout", "Comment", "ReasonCode", "Flags"],
        };
        names.contains(&parameter)
    }

    /// The return value; `None` if the host is gone before it can reply, as with forced orders.
    fn order(
        self,
        host: &mut LabHost,
        call: &Call,
        parameters: &Parameters,
    ) -> Result<Option<u32>, LabFault> {
        let number = |name: &str| -> Result<Option<u32>, LabFault> {
            let found = parameters.iter().find(|(own, _)| own == name);
            let Some(text) = found.and_then(|(_, values)| values.first()?.as_deref()) else {
                return Ok(None);
            };
            text.trim().parse().map(Some).map_err(|_| {
                let text = format!("expected a number for {name}, got `{text}`");
                LabFault::new(fault::TYPE_MISMATCH, "w:SchemaValidationError", text)
                    .by(Provider::Wmi)
            })
        };
        let flags = match self {
            Self::Reboot => REBOOT,
            Self::Halt => 1,
            Self::WithFlags => number("Flags")?.unwrap_or(0),
            Self::Tracker => number("Flags")?.unwrap_or(REBOOT),
        };
        if flags & !(1 | REBOOT | FORCED | POWER_OFF) != 0 || flags & !FORCED == 0 {
            let text = format!("the provider does not take the flags {flags}");
            return Err(LabFault::new(
                fault::PROVIDER_INVALID_PARAMETER,
                "w:InvalidParameter",
                text,
            )
            .by(Provider::Wmi));
        }
        let delay = match self {
            Self::Tracker => number("Timeout")?,
            Self::Reboot | Self::Halt | Self::WithFlags => None,
        };
        let code = host.power.order(call.now, delay, flags & REBOOT != 0);
        let lost = code == 0 && flags & FORCED != 0 && self != Self::Tracker;
        Ok((!lost).then_some(code))
    }
}
