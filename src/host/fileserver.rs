//! Classification rules and file management jobs of a file server, by `MSFT_FSRM*` over CIM
//! (`connector.md` 4.3): read, made, removed. What is there already is never changed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::host::identity;
use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::link::Writer;
use crate::host::registry::unexpected;
use crate::model::fileserver::CONDITIONS;
use crate::model::fileserver::DAYS;
use crate::model::fileserver::EXISTS;
use crate::model::fileserver::FileObject;
use crate::model::fileserver::FoundObject;
use crate::model::fileserver::Shape;
use crate::model::step::Setting;
use crate::model::step::SettingValue;
use crate::wire::operation::Answer;
use crate::wire::operation::CimValue;
use crate::wire::operation::Instance;
use crate::wire::operation::Write;
use crate::wire::xml;

const NAMESPACE: &str = "root/Microsoft/Windows/FSRM";
const RULE: &str = "root/Microsoft/Windows/FSRM/MSFT_FSRMClassificationRule";
const JOB: &str = "root/Microsoft/Windows/FSRM/MSFT_FSRMFileManagementJob";
const ACTION: &str = "root/Microsoft/Windows/FSRM/MSFT_FSRMFMJAction";
const CONDITION: &str = "root/Microsoft/Windows/FSRM/MSFT_FSRMFMJCondition";
const SCHEDULE: &str = "root/Microsoft/Windows/FSRM/MSFT_FSRMScheduledTask";
/// `MSFT_FSRMFMJAction.Type` of protection by Rights Management.
const RMS: i64 = 3;

/// All rules and jobs of the host.
pub async fn all(link: &mut impl Reader) -> Result<Vec<FoundObject>, HostError> {
    let mut found = Vec::new();
    for kind in FileObject::ALL {
        let wql = format!("SELECT * FROM {}", kind.class());
        let rows = identity::query_in(link, NAMESPACE, &wql).await?;
        found.extend(rows.iter().filter_map(|row| object(kind, row)));
    }
    Ok(found)
}

fn object(kind: FileObject, row: &Instance) -> Option<FoundObject> {
    let name = row.text("Name")?.to_owned();
    let told = kind.settings().iter().map(|(name, shape)| {
        let texts: Vec<String> = row
            .properties
            .get(*name)
            .into_iter()
            .flatten()
            .flatten()
            .map(|text| readable(name, text.trim()))
            .filter(|text| !text.is_empty())
            .collect();
        let value = match shape {
            Shape::List => SettingValue::List(texts),
            // More than one where one is meant is another text.
            Shape::Text => SettingValue::Text(texts.join("; ")),
            Shape::Flag => texts
                .first()
                .and_then(|text| xml::boolean(text))
                .map_or(SettingValue::Untold, SettingValue::Bool),
        };
        ((*name).to_owned(), value)
    });
    let mut settings: BTreeMap<String, SettingValue> = told.collect();
    settings.insert(EXISTS.to_owned(), SettingValue::Bool(true));
    Some(FoundObject { kind, name, settings })
}

/// Numbers of an enumeration as their names, a time as an instant.
fn readable(name: &str, text: &str) -> String {
    let number = || text.parse::<usize>().ok();
    let word = match name {
        "Condition.Condition" => number().and_then(|number| CONDITIONS.get(number.checked_sub(1)?)),
        "Schedule.Weekly" => number().and_then(|number| DAYS.get(number)),
        "Schedule.Time" => {
            let time = text.parse::<Timestamp>();
            return time.map_or_else(|_| text.to_owned(), |time| time.to_string());
        }
        _ => None,
    };
    word.map_or_else(|| text.to_owned(), |word| (*word).to_owned())
}

/// Makes the object, or removes it, as the settings' ends say. An `Err` may come after the act:
/// reading tells.
pub async fn set(
    link: &mut impl Writer,
    kind: FileObject,
    name: &str,
    settings: &[Setting],
) -> Result<(), HostError> {
    let class = match kind {
        FileObject::ClassificationRule => RULE,
        FileObject::ManagementJob => JOB,
    };
    let ends = Ends(settings);
    let write = if ends.flag(EXISTS) {
        let mut properties = match kind {
            FileObject::ClassificationRule => rule(ends),
            FileObject::ManagementJob => job(ends)?,
        };
        properties.push(("Name", CimValue::Text(name.to_owned())));
        Write::CreateInstance { class, properties }
    } else {
        Write::DeleteInstance { class, key: ("Name", name.to_owned()) }
    };
    match link.write(&write).await? {
        Answer::Done { .. } => Ok(()),
        other => Err(unexpected("an end of the act", &other)),
    }
}

/// The settings as they shall be.
#[derive(Clone, Copy)]
struct Ends<'a>(&'a [Setting]);

impl Ends<'_> {
    fn end(&self, name: &str) -> Option<&SettingValue> {
        self.0.iter().find(|setting| setting.name == name).map(|setting| &setting.after)
    }

    fn flag(&self, name: &str) -> bool {
        self.end(name) == Some(&SettingValue::Bool(true))
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.end(name) {
            Some(SettingValue::Text(text)) if !text.is_empty() => Some(text),
            Some(
                SettingValue::Text(_)
                | SettingValue::Bool(_)
                | SettingValue::List(_)
                | SettingValue::Untold,
            )
            | None => None,
        }
    }

    fn list(&self, name: &str) -> &[String] {
        match self.end(name) {
            Some(SettingValue::List(list)) => list,
            Some(SettingValue::Text(_) | SettingValue::Bool(_) | SettingValue::Untold) | None => {
                &[]
            }
        }
    }
}

fn texts(list: &[String]) -> CimValue {
    CimValue::Many(list.iter().cloned().map(CimValue::Text).collect())
}

fn rule(ends: Ends<'_>) -> Vec<(&'static str, CimValue)> {
    let plain = ["Description", "Property", "PropertyValue", "ClassificationMechanism"];
    let lists = ["Namespace", "ContentString", "ContentRegularExpression"];
    let plain = plain
        .into_iter()
        .filter_map(|name| ends.text(name).map(|text| (name, CimValue::Text(text.to_owned()))));
    plain.chain(lists.map(|name| (name, texts(ends.list(name))))).collect()
}

fn job(ends: Ends<'_>) -> Result<Vec<(&'static str, CimValue)>, HostError> {
    let text = |name| CimValue::Text(ends.text(name).unwrap_or_default().to_owned());
    let action = vec![("Type", CimValue::Number(RMS)), ("RMSTemplate", text("Action.RMSTemplate"))];
    let mut properties = vec![
        ("Namespace", texts(ends.list("Namespace"))),
        ("Action", CimValue::Embedded { class: ACTION, properties: action }),
        ("Continuous", CimValue::Bool(ends.flag("Continuous"))),
    ];
    if ends.text("Description").is_some() {
        properties.push(("Description", text("Description")));
    }
    if ends.text("Condition.Property").is_some() {
        let word = ends.text("Condition.Condition").unwrap_or_default();
        let mut condition = vec![
            ("Property", text("Condition.Property")),
            ("Condition", CimValue::Number(place(&CONDITIONS, word)? + 1)),
        ];
        if ends.text("Condition.Value").is_some() {
            condition.push(("Value", text("Condition.Value")));
        }
        let embedded = CimValue::Embedded { class: CONDITION, properties: condition };
        properties.push(("Condition", CimValue::Many(vec![embedded])));
    }
    if let Some(time) = ends.text("Schedule.Time") {
        let mut schedule = vec![("Time", CimValue::Moment(time.to_owned()))];
        let days = ends.list("Schedule.Weekly").iter();
        let days = days.map(|day| place(&DAYS, day).map(CimValue::Number));
        schedule.push(("Weekly", CimValue::Many(days.collect::<Result<_, _>>()?)));
        let numbers = ends.list("Schedule.Monthly").iter();
        let numbers = numbers.filter_map(|day| day.parse().ok()).map(CimValue::Number);
        schedule.push(("Monthly", CimValue::Many(numbers.collect())));
        properties.push(("Schedule", CimValue::Embedded { class: SCHEDULE, properties: schedule }));
    }
    Ok(properties)
}

/// The place of a word in its enumeration.
fn place(words: &[&str], word: &str) -> Result<i64, HostError> {
    let found = words.iter().position(|own| own.eq_ignore_ascii_case(word));
    found
        .and_then(|place| i64::try_from(place).ok())
        .ok_or_else(|| HostError::Unsupported(format!("`{word}` is none of {}", words.join(", "))))
}
