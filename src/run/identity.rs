//! Before anything is written or restarted: is it still the host that the plan saw?

use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::model::facts::Identity;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedHost;
use crate::run::means::Trouble;
use crate::wire::operation::Answer;
use crate::wire::operation::Instance;
use crate::wire::operation::Read;

/// Asks the host who it is and compares with the plan; a host that was never asked is refused.
pub async fn check(link: &mut impl Reader, host: &PlannedHost) -> Result<(), Trouble> {
    let Some(planned) = &host.identity else {
        return Err(wrong("the plan does not know who this host is".to_owned()));
    };
    let found = read(link).await?;
    if same(planned, &found) {
        Ok(())
    } else {
        Err(wrong(format!("expected {}, the host says it is {}", name(planned), name(&found))))
    }
}

async fn read(link: &mut impl Reader) -> Result<Identity, HostError> {
    let system = instance(link, "SELECT CSName FROM Win32_OperatingSystem").await?;
    let domain = instance(link, "SELECT Domain, PartOfDomain FROM Win32_ComputerSystem").await?;
    let computer = system.text("CSName").ok_or_else(|| HostError::Unexpected {
        expected: "a computer name in `CSName`".to_owned(),
        got: "an operating system without it".to_owned(),
    })?;
    let joined = domain.text("PartOfDomain").is_none_or(|text| text.eq_ignore_ascii_case("true"));
    let domain = domain.text("Domain").filter(|_| joined).map(str::to_owned);
    Ok(Identity { computer: computer.to_owned(), domain })
}

async fn instance(link: &mut impl Reader, wql: &str) -> Result<Instance, HostError> {
    let query = Read::Query { namespace: "root/cimv2".to_owned(), wql: wql.to_owned() };
    match link.read(&query).await? {
        Answer::Instances(found) => found.into_iter().next().ok_or_else(|| HostError::Unexpected {
            expected: "one instance".to_owned(),
            got: "none".to_owned(),
        }),
        other => Err(HostError::Unexpected {
            expected: "instances".to_owned(),
            got: format!("{other:?}"),
        }),
    }
}

fn same(left: &Identity, right: &Identity) -> bool {
    let domain = |identity: &Identity| identity.domain.as_deref().map(str::to_ascii_lowercase);
    left.computer.eq_ignore_ascii_case(&right.computer) && domain(left) == domain(right)
}

fn name(identity: &Identity) -> String {
    let Identity { computer, domain } = identity;
    domain.as_ref().map_or_else(|| computer.clone(), |domain| format!("{computer} in {domain}"))
}

fn wrong(text: String) -> Trouble {
    Failure::new(FailureKind::WrongHost, text)
        .hint("look for a stale DNS record or two names of one server")
        .into()
}
