//! What a sound host tells beside its registry.

use crate::model::particulars::Asked;
use crate::model::particulars::FarmIrm;
use crate::model::particulars::Particulars;
use crate::model::particulars::Service;
use crate::model::particulars::WebAnswer;
use crate::model::probe::Probe;

/// A host on which nothing stands against anything.
pub(super) fn particulars(questions: &Probe) -> Particulars {
    let service = Service { state: "Running".into(), account: Some("LocalSystem".into()) };
    let services = questions.services.iter().map(|name| name.to_lowercase());
    // Configuration Manager's client is nobody's by nature.
    let services = services.filter(|name| name != "ccmexec").map(|name| (name, service.clone()));
    let off = FarmIrm { enabled: Some(false), use_directory: Some(false), server: None };
    Particulars {
        services: Asked::Told(services.collect()),
        subkeys: questions.subkeys.iter().map(|key| (key.clone(), Asked::Told(vec![]))).collect(),
        members: Asked::Told(Vec::new()),
        cached: Asked::Told(0),
        policies: Asked::Told((Vec::new(), 0)),
        connector: Asked::Told(WebAnswer::Status(401)),
        farm: Asked::Told(off),
        events: Asked::Told(Vec::new()),
        ..Particulars::default()
    }
}
