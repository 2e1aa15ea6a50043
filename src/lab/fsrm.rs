//! Classification rules and file management jobs of a simulated file server.

use crate::lab::act::Act;
use crate::lab::cim::Class;
use crate::lab::cim::Instances;
use crate::lab::cim::Property;
use crate::lab::cim::Row;
use crate::lab::fault;
use crate::lab::fault::LabFault;
use crate::lab::fault::Provider;
use crate::lab::host::Call;
use crate::lab::host::LabHost;
use crate::lab::host::Outcome;
use crate::lab::invoke;
use crate::lab::markup::escape;
use crate::lab::request::Request;
use crate::lab::wsman;
use crate::model::product::Role;
use crate::wire::namespace;
use crate::wire::xml::Element;

pub const RULE: Class = class("MSFT_FSRMClassificationRule");
pub const JOB: Class = class("MSFT_FSRMFileManagementJob");

const fn class(name: &'static str) -> Class {
    Class {
        namespace: "root/Microsoft/Windows/FSRM",
        name,
        keys: &["Name"],
        instances: Instances::Keyed,
    }
}

/// What a property holds.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    Number,
    Flag,
    Moment,
    Texts,
    Numbers,
    One(&'static [Field]),
    Many(&'static [Field]),
}

type Field = (&'static str, Holds);

const RULE_FIELDS: [Field; 10] = [
    ("Name", Holds::Text),
    ("Description", Holds::Text),
    ("Disabled", Holds::Flag),
    ("Property", Holds::Text),
    ("PropertyValue", Holds::Text),
    ("Namespace", Holds::Texts),
    ("ClassificationMechanism", Holds::Text),
    ("Parameters", Holds::Texts),
    ("ContentRegularExpression", Holds::Texts),
    ("ContentString", Holds::Texts),
];
const JOB_FIELDS: [Field; 8] = [
    ("Name", Holds::Text),
    ("Description", Holds::Text),
    ("Disabled", Holds::Flag),
    ("Namespace", Holds::Texts),
    ("Condition", Holds::Many(&CONDITION_FIELDS)),
    ("Action", Holds::One(&ACTION_FIELDS)),
    ("Continuous", Holds::Flag),
    ("Schedule", Holds::One(&SCHEDULE_FIELDS)),
];
const CONDITION_FIELDS: [Field; 3] =
    [("Property", Holds::Text), ("Condition", Holds::Number), ("Value", Holds::Text)];
const ACTION_FIELDS: [Field; 2] = [("Type", Holds::Number), ("RMSTemplate", Holds::Text)];
const SCHEDULE_FIELDS: [Field; 3] =
    [("Time", Holds::Moment), ("Weekly", Holds::Numbers), ("Monthly", Holds::Numbers)];

/// Makes an instance, if the class can be made, the name is free and the provider takes it.
pub fn create(
    host: &mut LabHost,
    request: &Request,
    call: &Call,
    class: &Class,
) -> Result<Outcome, LabFault> {
    let fields: &'static [Field] = match *class {
        RULE => &RULE_FIELDS,
        JOB => &JOB_FIELDS,
        _ => return Err(not_capable()),
    };
    if host.role != Role::Fci {
        return Err(not_capable());
    }
    let instance = request.body.elements().find(|element| element.name == class.name);
    let instance = instance.ok_or_else(|| refused("the body holds no instance of the class"))?;
    if !instance.namespace.eq_ignore_ascii_case(&class.uri()) {
        return Err(refused("the instance's namespace is not the class's"));
    }
    let row = Row::new(read(fields, instance)?);
    let text = |name: &str| match row.property(name) {
        Some(Property::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let name = text("Name");
    if name.is_empty() || is_null(&row, "Namespace") {
        return Err(refused("Name and Namespace are required"));
    }
    if find(host, class, &name).is_some() {
        return Err(refused("HRESULT = 0x80041019: an object of this name exists already"));
    }
    if *class == RULE && (text("Property").is_empty() || is_null(&row, "ClassificationMechanism")) {
        return Err(refused("Property and ClassificationMechanism are required"));
    }
    if *class == JOB {
        job(host, &row)?;
    }
    host.stats.writes += 1;
    host.witness.tell(&Act::Made(class.name.to_owned(), name.clone()));
    host.file_objects.push((*class, row));
    let body = format!(
        "<x:ResourceCreated><a:Address>{}</a:Address><a:ReferenceParameters><w:ResourceURI>{}\
         </w:ResourceURI><w:SelectorSet><w:Selector Name=\"Name\">{}</w:Selector>\
         </w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>",
        escape(&request.to),
        escape(&request.resource),
        escape(&name)
    );
    let action = format!("{}/CreateResponse", namespace::TRANSFER);
    Ok(wsman::reply(request, call, &action, &body))
}

/// Removes the instance that the selector names.
pub fn delete(
    host: &mut LabHost,
    request: &Request,
    call: &Call,
    class: &Class,
) -> Result<Outcome, LabFault> {
    if ![RULE, JOB].contains(class) {
        return Err(not_capable());
    }
    let name = request.selector("Name").unwrap_or_default();
    let Some(place) = find(host, class, name) else {
        let text = format!("the selectors name no instance of {}", class.name);
        return Err(LabFault::new(fault::RESOURCE_NOT_FOUND, "a:DestinationUnreachable", text)
            .by(Provider::Wmi));
    };
    host.stats.writes += 1;
    host.witness.tell(&Act::Removed(class.name.to_owned(), name.to_owned()));
    host.file_objects.remove(place);
    let action = format!("{}/DeleteResponse", namespace::TRANSFER);
    Ok(wsman::reply(request, call, &action, ""))
}

/// The instances of one of the classes.
pub fn rows(host: &LabHost, class: &Class) -> Vec<Row> {
    let own = host.file_objects.iter().filter(|(own, _)| own == class);
    own.map(|(_, row)| row.clone()).collect()
}

fn find(host: &LabHost, class: &Class, name: &str) -> Option<usize> {
    host.file_objects.iter().position(|(own, row)| {
        let is_named = |property: &Property| match property {
            Property::Text(own) => own.eq_ignore_ascii_case(name),
            _ => false,
        };
        own == class && row.property("Name").is_some_and(is_named)
    })
}

/// A job protects by a template that the server sees, at a time or all the time.
fn job(host: &LabHost, row: &Row) -> Result<(), LabFault> {
    let Some(Property::Embedded(action)) = row.property("Action") else {
        return Err(refused("Action is required"));
    };
    let template = action.iter().find_map(|(name, value)| match value {
        Property::Text(text) if *name == "RMSTemplate" => Some(text.as_str()),
        _ => None,
    });
    let template = template.unwrap_or_default();
    if !invoke::visible_templates(host).iter().any(|own| own.eq_ignore_ascii_case(template)) {
        return Err(refused("the RMS template is not known to the server"));
    }
    if is_null(row, "Schedule") && row.property("Continuous") != Some(&Property::Bool(true)) {
        return Err(refused("a job needs a schedule, or runs continuously"));
    }
    Ok(())
}

fn is_null(row: &Row, name: &str) -> bool {
    matches!(row.property(name), None | Some(Property::Null))
}

fn read(
    fields: &'static [Field],
    instance: &Element,
) -> Result<Vec<(&'static str, Property)>, LabFault> {
    let unknown = |element: &&Element| !fields.iter().any(|(name, _)| *name == element.name);
    if let Some(other) = instance.elements().find(unknown) {
        return Err(refused(&format!("HRESULT = 0x8004102f: there is no property {}", other.name)));
    }
    fields
        .iter()
        .map(|(name, holds)| {
            let given: Vec<&Element> =
                instance.elements().filter(|own| own.name == *name && !own.is_nil()).collect();
            let mut values =
                given.iter().map(|own| value(*holds, own)).collect::<Result<Vec<_>, _>>()?;
            let many = matches!(holds, Holds::Texts | Holds::Numbers | Holds::Many(_));
            let property = match (many, values.len()) {
                (_, 0) => Property::Null,
                (true, _) => Property::Many(values),
                (false, 1) => values.remove(0),
                (false, _) => return Err(refused(&format!("{name} is no array"))),
            };
            Ok((*name, property))
        })
        .collect()
}

fn value(holds: Holds, element: &Element) -> Result<Property, LabFault> {
    let wrong = || refused(&format!("the value of {} is of another type", element.name));
    let text = element.text();
    Ok(match holds {
        Holds::Text | Holds::Texts => Property::Text(text),
        Holds::Flag => Property::Bool(text.trim().parse().map_err(|_| wrong())?),
        // Days of a month count from its end as well: -1.
        Holds::Number | Holds::Numbers => match text.trim().parse::<i64>().map_err(|_| wrong())? {
            number @ 0.. => Property::Number(number.unsigned_abs()),
            _ => Property::Text(text.trim().to_owned()),
        },
        Holds::Moment => {
            let time = element.find(namespace::CIM, "Datetime").ok_or_else(wrong)?.text();
            Property::Moment(time.trim().parse().map_err(|_| wrong())?)
        }
        Holds::One(fields) | Holds::Many(fields) => Property::Embedded(read(fields, element)?),
    })
}

fn refused(text: &str) -> LabFault {
    LabFault::new(fault::INTERNAL_ERROR, "w:InternalError", text).by(Provider::Wmi)
}

fn not_capable() -> LabFault {
    let text = "the provider is not capable of the attempted operation";
    LabFault::new(fault::PROVIDER_NOT_CAPABLE, "a:ActionNotSupported", text).by(Provider::Wmi)
}
