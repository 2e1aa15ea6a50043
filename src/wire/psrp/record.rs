//! Error and warning records, [MS-PSRP] 2.2.3.15 and 2.2.3.16, as far as they are told to a user.

use std::fmt;

use crate::wire::psrp::clixml::Item;
use crate::wire::psrp::clixml::Object;
use crate::wire::psrp::object::PsObject;

/// An error record in words, with the id that does not depend on the server's language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorRecord {
    pub message: String,
    /// `FullyQualifiedErrorId`, e.g. `NamedParameterNotFound,Get-IRMConfiguration`.
    pub id: Option<String>,
}

impl ErrorRecord {
    /// The message that the cmdlet itself meant for people wins over the exception's.
    pub fn from_object(record: &PsObject) -> Self {
        let text = |name| record.property(name).and_then(PsObject::text);
        let message = text("ErrorDetails_Message")
            .filter(|message| !message.is_empty())
            .or_else(|| record.property("Exception")?.property("Message")?.text())
            .or_else(|| record.text())
            .unwrap_or_else(|| "an error record without a message".to_owned());
        Self { message, id: text("FullyQualifiedErrorId").filter(|id| !id.is_empty()) }
    }

    /// The record as a server writes it.
    pub fn to_item(&self) -> Item {
        let exception = Item::Object(Object {
            type_names: vec!["System.Exception".to_owned(), "System.Object".to_owned()],
            to_string: Some(format!("System.Exception: {}", self.message)),
            properties: vec![
                ("Message".to_owned(), Item::text(self.message.as_str())),
                ("InnerException".to_owned(), Item::Nil),
                ("HResult".to_owned(), Item::i32(-2_146_233_087)),
            ],
            ..Object::default()
        });
        Item::record(
            &["System.Management.Automation.ErrorRecord", "System.Object"],
            &self.message,
            vec![
                ("Exception", exception),
                ("TargetObject", Item::Nil),
                ("FullyQualifiedErrorId", Item::text(self.id.as_deref().unwrap_or_default())),
                ("InvocationInfo", Item::Nil),
                ("ErrorCategory_Category", Item::i32(0)),
                ("ErrorCategory_Activity", Item::text("")),
                ("ErrorCategory_Reason", Item::text("Exception")),
                ("ErrorCategory_TargetName", Item::text("")),
                ("ErrorCategory_TargetType", Item::text("")),
                ("ErrorCategory_Message", Item::text("NotSpecified: (:) [], Exception")),
                ("SerializeExtendedInfo", Item::bool(false)),
            ],
        )
    }
}

impl fmt::Display for ErrorRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{} ({id})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// The message of a warning, verbose or debug record.
pub fn informational(record: &PsObject) -> String {
    record
        .property("InformationalRecord_Message")
        .and_then(PsObject::text)
        .or_else(|| record.text())
        .unwrap_or_default()
}

/// A warning as a server writes it.
pub fn warning_item(message: &str) -> Item {
    Item::record(
        &[
            "System.Management.Automation.WarningRecord",
            "System.Management.Automation.InformationalRecord",
            "System.Object",
        ],
        message,
        vec![
            ("InformationalRecord_Message", Item::text(message)),
            ("InformationalRecord_SerializeInvocationInfo", Item::bool(false)),
            ("InformationalRecord_PipelineIterationInfo", Item::Nil),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::psrp::clixml::decode;
    use crate::wire::psrp::clixml::encode;

    #[test]
    fn records_survive_the_wire() {
        let record = ErrorRecord { message: "a\r\n<b>".into(), id: Some("X,Get-Y".into()) };
        let object = decode(encode(&record.to_item()).as_bytes()).unwrap();
        assert_eq!(ErrorRecord::from_object(&object), record);
        let object = decode(encode(&warning_item("w_x0041_")).as_bytes()).unwrap();
        assert_eq!(informational(&object), "w_x0041_");
    }

    #[test]
    fn the_message_for_people_wins() {
        let text = |members: Vec<(&'static str, Item)>| {
            let record = Item::record(&["T"], "to string", members);
            ErrorRecord::from_object(&decode(encode(&record).as_bytes()).unwrap()).message
        };
        let exception = ("Exception", Item::bag(vec![("Message", Item::text("exception"))]));
        let details = ("ErrorDetails_Message", Item::text("details"));
        assert_eq!(text(vec![details, exception.clone()]), "details");
        assert_eq!(text(vec![exception]), "exception");
        assert_eq!(text(vec![]), "to string");
    }
}
