//! Before anything is written or restarted: is it still the host that the plan saw?

use crate::host::identity;
use crate::host::link::Reader;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedHost;
use crate::run::trouble::Trouble;

/// Asks the host who it is and compares with the plan; a host that was never asked is refused.
pub async fn check(link: &mut impl Reader, host: &PlannedHost) -> Result<(), Trouble> {
    let Some(planned) = &host.identity else {
        return Err(wrong("the plan does not know who this host is".to_owned()));
    };
    let (found, _) = identity::read(link).await?;
    if planned.is_same(&found) {
        Ok(())
    } else {
        Err(wrong(format!("expected {planned}, the host says it is {found}")))
    }
}

fn wrong(text: String) -> Trouble {
    Failure::new(FailureKind::WrongHost, text)
        .hint("look for a stale DNS record or two names of one server")
        .into()
}
