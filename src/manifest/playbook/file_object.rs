//! `set` of the file servers' steps: a classification rule, or a file management job that protects.
//! The keys are the cmdlets' (`New-FsrmClassificationRule`, `New-FsrmFileManagementJob`).

use jiff::Timestamp;

use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::tree::Entry;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::fileserver::CONDITIONS;
use crate::model::fileserver::DAYS;
use crate::model::fileserver::FileObject;
use crate::model::step::SettingValue;

/// The object's name and all its settings, those that are not given as nothing.
pub(super) type Read = (String, Vec<(String, SettingValue)>);

pub(super) fn read(object: FileObject, node: &Node) -> Result<Read, Mismatch> {
    let mut draft = Draft::new(object);
    for Entry { key, value } in scalar::settings(node, draft.known())? {
        let name = key.text.as_str();
        let at = |wrong: Mismatch| wrong.within(value);
        match (name, object) {
            ("Name", _) => draft.name = Some(scalar::text(value).map_err(at)?.to_owned()),
            ("Condition", FileObject::ManagementJob) => condition(&mut draft, value).map_err(at)?,
            ("Schedule", FileObject::ManagementJob) => schedule(&mut draft, value).map_err(at)?,
            ("Continuous", FileObject::ManagementJob) => {
                draft.put(name, SettingValue::Bool(scalar::boolean(value).map_err(at)?));
            }
            ("RmsTemplate", FileObject::ManagementJob) => {
                draft.put("Action.RMSTemplate", text(value).map_err(at)?);
            }
            ("Namespace", _) => {
                let places = scalar::list(value, place).map_err(at)?;
                draft.put(name, SettingValue::List(places));
            }
            ("Description" | "Property" | "PropertyValue" | "ClassificationMechanism", _)
                if draft.has(name) =>
            {
                draft.put(name, text(value).map_err(at)?);
            }
            ("ContentString" | "ContentRegularExpression", FileObject::ClassificationRule) => {
                let texts = scalar::list(value, |node| scalar::text(node).map(str::to_owned))
                    .map_err(at)?;
                draft.put(name, SettingValue::List(texts));
            }
            (other, _) => {
                return Err(Mismatch::new(format!("has no `{other}`"))
                    .help(format!("its keys are {}", draft.known())));
            }
        }
    }
    draft.finish(node)
}

struct Draft {
    object: FileObject,
    name: Option<String>,
    settings: Vec<(String, SettingValue)>,
}

impl Draft {
    fn new(object: FileObject) -> Self {
        let nothing = object.settings().iter();
        let nothing = nothing.map(|(name, shape)| ((*name).to_owned(), shape.nothing()));
        Self { object, name: None, settings: nothing.collect() }
    }

    fn known(&self) -> &'static str {
        match self.object {
            FileObject::ClassificationRule => {
                "Name, Description, Namespace, Property, PropertyValue, ClassificationMechanism, \
                 ContentString and ContentRegularExpression"
            }
            FileObject::ManagementJob => {
                "Name, Description, Namespace, RmsTemplate, Condition, Schedule and Continuous"
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.settings.iter().any(|(own, _)| own == name)
    }

    fn put(&mut self, name: &str, value: SettingValue) {
        if let Some((_, own)) = self.settings.iter_mut().find(|(own, _)| own == name) {
            *own = value;
        }
    }

    fn is_given(&self, name: &str) -> bool {
        let shape = self.object.settings().iter().find(|(own, _)| *own == name);
        let own = self.settings.iter().find(|(own, _)| own == name);
        own.map(|(_, value)| value) != shape.map(|(_, shape)| shape.nothing()).as_ref()
    }

    /// What an object cannot do without.
    fn finish(mut self, node: &Node) -> Result<Read, Mismatch> {
        let word = self.object.word();
        let missing = |name: &str| {
            Mismatch::new(format!("needs `{name}` for a {word}")).help(format!("add `{name}:`"))
        };
        let needed: &[(&str, &str)] = match self.object {
            FileObject::ClassificationRule => {
                &[("Namespace", "Namespace"), ("Property", "Property")]
            }
            FileObject::ManagementJob => {
                &[("Namespace", "Namespace"), ("Action.RMSTemplate", "RmsTemplate")]
            }
        };
        if let Some((_, name)) = needed.iter().find(|(own, _)| !self.is_given(own)) {
            return Err(missing(name).within(node));
        }
        match self.object {
            FileObject::ClassificationRule => {
                let by_content = ["ContentString", "ContentRegularExpression"];
                let by_content = by_content.iter().any(|name| self.is_given(name));
                if !self.is_given("ClassificationMechanism") {
                    let usual = if by_content { "Content Classifier" } else { "Folder Classifier" };
                    self.put("ClassificationMechanism", SettingValue::Text(usual.to_owned()));
                }
            }
            FileObject::ManagementJob => {
                if !self.is_given("Schedule.Time") && !self.is_given("Continuous") {
                    return Err(Mismatch::new("needs `Schedule` or `Continuous: true`")
                        .help("without either the job never runs".to_owned()));
                }
            }
        }
        let Some(name) = self.name.clone() else { return Err(missing("Name").within(node)) };
        Ok((name, self.settings))
    }
}

fn text(node: &Node) -> Result<SettingValue, Mismatch> {
    scalar::text(node).map(|text| SettingValue::Text(text.to_owned()))
}

/// A folder of the server, or a usage in brackets as FSRM has them.
fn place(node: &Node) -> Result<String, Mismatch> {
    let text = scalar::text(node)?;
    let mut start = text.chars();
    let drive = matches!(
        (start.next(), start.next(), start.next()),
        (Some('A'..='Z' | 'a'..='z'), Some(':'), Some('\\'))
    );
    if drive || text.starts_with('[') && text.ends_with(']') {
        return Ok(text.to_owned());
    }
    Err(Mismatch::new(format!("needs a folder of the server, found `{text}`"))
        .help(r"write its local path, as D:\Shares, or a usage in brackets".to_owned()))
}

/// `Condition: { Property: Confidentiality_MS, Condition: Equal, Value: "3000" }`.
fn condition(draft: &mut Draft, node: &Node) -> Result<(), Mismatch> {
    let known = "Property, Condition and Value";
    let mut word = None;
    for Entry { key, value } in scalar::settings(node, known)? {
        match key.text.as_str() {
            "Property" => draft.put("Condition.Property", text(value)?),
            "Value" => draft.put("Condition.Value", text(value)?),
            "Condition" => {
                word = Some(scalar::choice(value, &CONDITIONS.map(|word| (word, word)))?);
            }
            other => {
                return Err(
                    Mismatch::new(format!("has no `{other}`")).help(format!("it has {known}"))
                );
            }
        }
    }
    let Some(word) = word.filter(|_| draft.is_given("Condition.Property")) else {
        return Err(Mismatch::new("needs `Property` and `Condition`"));
    };
    let by_itself = matches!(word, "Exist" | "NotExist");
    if by_itself == draft.is_given("Condition.Value") {
        let text = if by_itself { "takes no `Value`" } else { "needs a `Value`" };
        return Err(Mismatch::new(format!("{text} with {word}")));
    }
    draft.put("Condition.Condition", SettingValue::Text(word.to_owned()));
    Ok(())
}

/// `Schedule: { Time: "2026-12-01T02:00:00+01:00", Weekly: [Sunday] }`.
fn schedule(draft: &mut Draft, node: &Node) -> Result<(), Mismatch> {
    let known = "Time, Weekly and Monthly";
    for Entry { key, value } in scalar::settings(node, known)? {
        match key.text.as_str() {
            "Time" => {
                let text = scalar::text(value)?;
                let time: Timestamp = text.parse().map_err(|_| {
                    Mismatch::new(format!("needs a time with its offset, found `{text}`"))
                        .help("write the first run: \"2026-12-01T02:00:00+01:00\"".to_owned())
                })?;
                draft.put("Schedule.Time", SettingValue::Text(time.to_string()));
            }
            "Weekly" => {
                let days = DAYS.map(|day| (day, day));
                let days =
                    scalar::list(value, |node| scalar::choice(node, &days).map(str::to_owned))?;
                draft.put("Schedule.Weekly", SettingValue::List(days));
            }
            "Monthly" => {
                let days = scalar::list(value, |node| match &node.value {
                    Value::Scalar { text, .. } if text.trim() == "-1" => Ok("-1".to_owned()),
                    _ => scalar::integer(node, 1, 31).map(|day| day.to_string()),
                })?;
                draft.put("Schedule.Monthly", SettingValue::List(days));
            }
            other => {
                return Err(
                    Mismatch::new(format!("has no `{other}`")).help(format!("it has {known}"))
                );
            }
        }
    }
    let (weekly, monthly) = (draft.is_given("Schedule.Weekly"), draft.is_given("Schedule.Monthly"));
    if !draft.is_given("Schedule.Time") || weekly == monthly {
        return Err(Mismatch::new("needs `Time`, and either `Weekly` or `Monthly`"));
    }
    Ok(())
}
