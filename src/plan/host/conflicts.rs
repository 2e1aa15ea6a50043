//! What a host holds that its new values would contradict (`connector.md` 1.4 and 5.3).

use crate::model::facts::Observation;
use crate::model::host::HostName;
use crate::model::plan::Blocker;
use crate::model::plan::Note;
use crate::model::plan::PlannedHost;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::plan::client;
use crate::plan::ours::Ours;
use crate::plan::preflight;

use super::note;

/// Exchange leads the MSDRM values to the tenant, a file server to the connector (`connector.md` 1.4):
/// where a file server's values stand and its service too, whoever writes last breaks the other.
pub(super) fn file_server_beside(
    host: &HostName,
    product: Product,
    observation: &Observation,
    ours: Ours<'_>,
) -> Option<Blocker> {
    let service = preflight::RESOURCE_MANAGER.to_lowercase();
    let is_file_server =
        observation.particulars.services.told().is_ok_and(|all| all.contains_key(&service));
    let holds_its_values = client::leads_to_connector(observation, ours);
    (product.role() == Role::Exchange && is_file_server && holds_its_values).then(|| Blocker {
        id: "role-conflict".to_owned(),
        text: format!(
            "{host} is a file server too, with a file server's values: Exchange keeps other data in \
             the same MSDRM values"
        ),
        hint: Some(format!(
            "move one of the two roles, or give the file server up: --waive {host}:role-conflict"
        )),
    })
}

/// What on the host contradicts what is about to be written.
pub(super) fn against(planned: &mut PlannedHost, leftovers: &[String], others: &[String]) {
    let name = planned.name.clone();
    for line in leftovers {
        planned.blockers.push(Blocker {
            id: "migration-leftover".to_owned(),
            text: format!(
                "{line}: a leftover of an AD RMS migration that contradicts the connector's value, \
                 and nobody documents which one wins"
            ),
            hint: Some(format!("remove it by hand, or --waive {name}:migration-leftover")),
        });
    }
    for line in others {
        planned.blockers.push(Blocker {
            id: "other-connector".to_owned(),
            text: format!(
                "{line}, which is another connector's name, or another AD RMS cluster's; after a \
                 change of the connector's name Microsoft asks \
                 to clear all IRM configuration of the server and to configure it again"
            ),
            hint: Some(format!("correct `rms_connector_url`, or --waive {name}:other-connector")),
        });
    }
}

/// Where a server pointed that is about to be pointed elsewhere: nobody but its keeper can tell an
/// AD RMS cluster from a connector of another name.
pub(super) fn elsewhere(lines: &[String]) -> Option<Note> {
    let (first, rest) = lines.split_first()?;
    let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
    let text = format!(
        "{first}{more}: an AD RMS cluster, or a connector of another name, after which Microsoft \
         asks to clear all IRM configuration of the server and to configure it again"
    );
    Some(note("pointed-elsewhere", text))
}
