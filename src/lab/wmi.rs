//! The WMI plug-in: Get, Enumerate, Pull, Release and Invoke (`winrm.md` 1.4 and 1.5).

use std::collections::VecDeque;

use jiff::SignedDuration;

use crate::lab::cim::Class;
use crate::lab::cim::Instances;
use crate::lab::cim::Row;
use crate::lab::classes;
use crate::lab::enumeration;
use crate::lab::enumeration::Enumeration;
use crate::lab::fault;
use crate::lab::fault::LabFault;
use crate::lab::fault::Provider;
use crate::lab::fsrm;
use crate::lab::host::Call;
use crate::lab::host::LabHost;
use crate::lab::host::Outcome;
use crate::lab::invoke;
use crate::lab::request::Request;
use crate::lab::wql;
use crate::lab::wql::Literal;
use crate::lab::wsman;
use crate::wire::namespace;
use crate::wire::xml::Element;

const WQL: &str = "http://schemas.microsoft.com/wbem/wsman/1/WQL";
/// What the envelope around the items needs.
const FRAME: usize = 2500;
/// `MaxBatchItems`.
const MAX_ELEMENTS: usize = 32_000;

/// Answers a request to a resource below the WMI prefix.
pub fn answer(
    host: &mut LabHost,
    request: &Request,
    call: &Call,
    space: &str,
    class: &str,
) -> Result<Outcome, LabFault> {
    let action = request.action.as_str();
    if let Some(verb) = after(action, namespace::TRANSFER) {
        return match verb {
            "Get" => get(host, request, call, space, class),
            "Create" => fsrm::create(host, request, call, &known(space, class)?),
            "Delete" => fsrm::delete(host, request, call, &known(space, class)?),
            _ => Err(wsman::action_not_supported(action)),
        };
    }
    if let Some(verb) = after(action, namespace::ENUMERATION) {
        return match verb {
            "Enumerate" => enumerate(host, request, call, space, class),
            "Pull" => pull(host, request, call),
            "Release" => {
                host.enumerations.take(&context(request), call.now);
                let action = format!("{}/ReleaseResponse", namespace::ENUMERATION);
                Ok(wsman::reply(request, call, &action, ""))
            }
            _ => Err(wsman::action_not_supported(action)),
        };
    }
    match after(action, &request.resource) {
        Some(method) => {
            let class = known(space, class)?;
            invoke::answer(host, request, call, &class, method)
        }
        None => Err(wsman::action_not_supported(action)),
    }
}

fn after<'a>(action: &'a str, prefix: &str) -> Option<&'a str> {
    action.strip_prefix(prefix)?.strip_prefix('/')
}

fn known(space: &str, class: &str) -> Result<Class, LabFault> {
    classes::find(space, class).ok_or_else(|| {
        let text = format!("the class {class} does not exist in {space}");
        LabFault::new(fault::INVALID_RESOURCE_URI, "a:DestinationUnreachable", text)
            .detail("InvalidResourceURI")
            .by(Provider::Wmi)
    })
}

fn not_capable() -> LabFault {
    let text = "the provider is not capable of the attempted operation";
    LabFault::new(fault::PROVIDER_NOT_CAPABLE, "a:ActionNotSupported", text).by(Provider::Wmi)
}

fn get(
    host: &mut LabHost,
    request: &Request,
    call: &Call,
    space: &str,
    class: &str,
) -> Result<Outcome, LabFault> {
    host.stats.reads += 1;
    let class = known(space, class)?;
    match class.instances {
        Instances::None => return Err(not_capable()),
        Instances::One if !request.selectors.is_empty() => return Err(unexpected_selectors()),
        Instances::Keyed if request.selectors.is_empty() => {
            let text = format!("{} is no singleton: selectors must name an instance", class.name);
            return Err(LabFault::new(fault::WMI_SINGLETON, "w:InvalidSelectors", text)
                .detail("InsufficientSelectors")
                .by(Provider::Wmi));
        }
        Instances::Keyed => {
            let named = |key: &&str| request.selector(key).is_some();
            if class.keys.len() != request.selectors.len() || !class.keys.iter().all(named) {
                return Err(unexpected_selectors());
            }
        }
        Instances::One => {}
    }
    let rows = classes::instances(&class, host, call.now);
    let row = rows.iter().find(|row| chosen(row, request)).ok_or_else(|| {
        let text = "no instance is identified by the selectors";
        LabFault::new(fault::RESOURCE_NOT_FOUND, "a:DestinationUnreachable", text).by(Provider::Wmi)
    })?;
    let action = format!("{}/GetResponse", namespace::TRANSFER);
    Ok(wsman::reply(request, call, &action, &row.element(&class)))
}

fn chosen(row: &Row, request: &Request) -> bool {
    request.selectors.iter().all(|(name, value)| {
        let literal = Literal::Text(value.clone());
        row.property(name).is_some_and(|own| own.equals(&literal))
    })
}

fn unexpected_selectors() -> LabFault {
    let text = "the selectors are not the keys of the class";
    LabFault::new(fault::UNEXPECTED_SELECTORS, "w:InvalidSelectors", text)
        .detail("UnexpectedSelectors")
        .by(Provider::Wmi)
}

fn enumerate(
    host: &mut LabHost,
    request: &Request,
    call: &Call,
    space: &str,
    class: &str,
) -> Result<Outcome, LabFault> {
    host.stats.reads += 1;
    let order = request
        .body
        .find(namespace::ENUMERATION, "Enumerate")
        .ok_or_else(|| invalid_schema("expected an Enumerate element"))?;
    let items = match filter(order)? {
        Some(_) if class != "*" || !request.selectors.is_empty() => {
            let text = "a WQL filter needs a resource URI that ends in /* and no selectors";
            return Err(LabFault::new(fault::WMI_ENUM_WQL, "w:InvalidSelectors", text));
        }
        None if class == "*" => {
            return Err(bad_filter("a resource URI that ends in /* needs a filter"));
        }
        Some(text) => select(host, call, space, &text)?,
        None => {
            let class = known(space, class)?;
            if class.instances == Instances::None {
                return Err(not_capable());
            }
            let rows = classes::instances(&class, host, call.now);
            rows.iter().map(|row| row.element(&class)).collect()
        }
    };
    let optimise = order.find(namespace::WSMAN, "OptimizeEnumeration").is_some();
    let wanted = max_elements(order)?;
    let mut items = items;
    let mut body = String::new();
    if optimise {
        let most = wanted.unwrap_or(1).min(host.limits.page);
        let count = if items.len() > host.limits.first_page { 1 } else { most };
        let page = enumeration::page(&mut items, count, room(request));
        body = format!("<w:Items>{page}</w:Items>");
    }
    let finished = optimise && items.is_empty();
    let context = if finished {
        body.push_str("<w:EndOfSequence/>");
        String::new()
    } else {
        open(host, request, call, items, wanted.filter(|_| optimise))?
    };
    let action = format!("{}/EnumerateResponse", namespace::ENUMERATION);
    let body = format!(
        "<n:EnumerateResponse><n:EnumerationContext>{context}</n:EnumerationContext>{body}\
         </n:EnumerateResponse>"
    );
    Ok(wsman::reply(request, call, &action, &body))
}

fn filter(order: &Element) -> Result<Option<String>, LabFault> {
    let own = order.find(namespace::WSMAN, "Filter");
    let Some(filter) = own.or_else(|| order.find(namespace::ENUMERATION, "Filter")) else {
        return Ok(None);
    };
    match filter.attr("", "Dialect") {
        Some(dialect) if dialect.eq_ignore_ascii_case(WQL) => {
            Ok(Some(filter.text().trim().to_owned()))
        }
        Some(_) | None => Err(bad_filter("the filter's dialect is not WQL")),
    }
}

fn select(
    host: &LabHost,
    call: &Call,
    space: &str,
    text: &str,
) -> Result<VecDeque<String>, LabFault> {
    let query = wql::parse(text).map_err(|error| bad_filter(&error.to_string()))?;
    let class = classes::find(space, &query.class)
        .ok_or_else(|| bad_filter(&format!("the class {} does not exist", query.class)))?;
    if class.instances == Instances::None {
        return Err(not_capable());
    }
    let rows = classes::instances(&class, host, call.now);
    let mut items = VecDeque::new();
    for row in rows {
        let unknown = |name: &str| bad_filter(&format!("the class has no property {name}"));
        let lacking = query.properties.iter().flatten().find(|name| row.property(name).is_none());
        if let Some(name) = lacking {
            return Err(unknown(name));
        }
        let equal = |name: &str, literal: &Literal| Some(row.property(name)?.equals(literal));
        let fits = match &query.condition {
            Some(condition) => condition.test(&equal).ok_or_else(|| unknown("of the condition"))?,
            None => true,
        };
        if fits {
            items.push_back(match &query.properties {
                Some(names) => row.fragment(names),
                None => row.element(&class),
            });
        }
    }
    Ok(items)
}

fn open(
    host: &mut LabHost,
    request: &Request,
    call: &Call,
    items: VecDeque<String>,
    max_elements: Option<usize>,
) -> Result<String, LabFault> {
    let open = host.enumerations.of(&call.account) + host.shells.commands_of(&call.account);
    if open >= host.limits.operations_per_user {
        let most = host.limits.operations_per_user;
        let text = format!("the user has {most} operations, which is the limit");
        return Err(LabFault::new(fault::QUOTA_MAX_OPERATIONS, "w:QuotaLimit", text));
    }
    let lasts = SignedDuration::try_from(host.limits.enumeration).unwrap_or_default();
    let context = format!("uuid:{}", call.fresh[1].to_string().to_uppercase());
    let enumeration = Enumeration {
        items,
        account: call.account.clone(),
        max_envelope: request.max_envelope,
        max_elements,
        expires: call.now.saturating_add(lasts).unwrap_or(call.now),
    };
    host.enumerations.open(context.clone(), enumeration);
    Ok(context)
}

fn pull(host: &mut LabHost, request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    host.stats.reads += 1;
    let order = request
        .body
        .find(namespace::ENUMERATION, "Pull")
        .ok_or_else(|| invalid_schema("expected a Pull element"))?;
    let wanted = max_elements(order)?;
    let found = host.enumerations.take(&context(request), call.now);
    let Some(mut open) = found.filter(|open| open.account == call.account) else {
        let text = "the enumeration context is not known: completed, expired or never there";
        return Err(LabFault::new(
            fault::INVALID_ENUMERATION_CONTEXT,
            "n:InvalidEnumerationContext",
            text,
        ));
    };
    let other_count = open.max_elements.is_some_and(|count| wanted != Some(count));
    if open.max_envelope != request.max_envelope || other_count {
        let text = "MaxElements and MaxEnvelopeSize must be those of the Enumerate";
        return Err(LabFault::new(fault::PULL_PARAMS_NOT_SAME, "w:InvalidParameter", text));
    }
    let count = wanted.unwrap_or(1).min(host.limits.page);
    let page = enumeration::page(&mut open.items, count, room(request));
    let rest = if open.items.is_empty() {
        "<n:EndOfSequence/>".to_owned()
    } else {
        let context = format!("uuid:{}", call.fresh[1].to_string().to_uppercase());
        let lasts = SignedDuration::try_from(host.limits.enumeration).unwrap_or_default();
        open.expires = call.now.saturating_add(lasts).unwrap_or(call.now);
        host.enumerations.open(context.clone(), open);
        format!("<n:EnumerationContext>{context}</n:EnumerationContext>")
    };
    let action = format!("{}/PullResponse", namespace::ENUMERATION);
    let body = format!("<n:PullResponse>{rest}<n:Items>{page}</n:Items></n:PullResponse>");
    Ok(wsman::reply(request, call, &action, &body))
}

fn context(request: &Request) -> String {
    let context = request.body.descendant(namespace::ENUMERATION, "EnumerationContext");
    context.map(|context| context.text().trim().to_owned()).unwrap_or_default()
}

fn max_elements(order: &Element) -> Result<Option<usize>, LabFault> {
    let own = order.find(namespace::WSMAN, "MaxElements");
    let Some(count) = own.or_else(|| order.find(namespace::ENUMERATION, "MaxElements")) else {
        return Ok(None);
    };
    match count.text().trim().parse::<usize>() {
        Ok(count) if count > 0 => Ok(Some(count.min(MAX_ELEMENTS))),
        Ok(_) | Err(_) => Err(invalid_schema("MaxElements must be a number above 0")),
    }
}

fn room(request: &Request) -> usize {
    request.max_envelope.saturating_sub(FRAME)
}

fn bad_filter(text: &str) -> LabFault {
    LabFault::new(fault::CANNOT_PROCESS_FILTER, "n:CannotProcessFilter", text).by(Provider::Wmi)
}

fn invalid_schema(text: &str) -> LabFault {
    LabFault::new(fault::SCHEMA_VALIDATION, "w:SchemaValidationError", text)
}
