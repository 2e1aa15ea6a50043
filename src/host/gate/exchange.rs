//! An Exchange server's own view of itself, by named cmdlets of its endpoint.

use std::collections::BTreeMap;

use crate::host::cmdlet::ask;
use crate::host::cmdlet::text;
use crate::host::gate::Look;
use crate::host::link::HostError;
use crate::host::link::Shell;
use crate::host::maintenance;
use crate::model::gate::ExchangeCheck;
use crate::model::maintenance::Component;
use crate::model::maintenance::components::unlike;
use crate::wire::psrp::object::PsObject;

/// One look at one check; `server` is the short name, `found` its components before the run took it
/// out of service, if it did.
pub async fn check(
    shell: &mut impl Shell,
    server: &str,
    check: &ExchangeCheck,
    found: Option<&BTreeMap<String, Component>>,
) -> Look {
    let result = match check {
        ExchangeCheck::ComponentStatesAsFound => as_found(shell, server, found).await,
        ExchangeCheck::ServicesRunning => services(shell, server).await,
        ExchangeCheck::CopiesHealthy => copies(shell, server).await,
        ExchangeCheck::NotInMaintenance => in_service(shell, server).await,
        ExchangeCheck::QueuesBelow(limit) => queues(shell, server, *limit).await,
        ExchangeCheck::TestIrmConfiguration { sender } => irm(shell, sender).await,
    };
    result.unwrap_or_else(|error| Look::unread(&error))
}

async fn services(shell: &mut impl Shell, server: &str) -> Result<Look, HostError> {
    let roles = ask(shell, "Test-ServiceHealth", &[("Server", server)]).await?;
    let mut down = Vec::new();
    for role in &roles {
        let running = role.property("RequiredServicesRunning").and_then(PsObject::bool);
        let missing = role.property("ServicesNotRunning");
        let names = missing.and_then(PsObject::list).unwrap_or_default();
        down.extend(names.iter().filter_map(PsObject::to_text));
        if running != Some(true) && names.is_empty() {
            down.push("a role that does not say which".to_owned());
        }
    }
    down.sort();
    down.dedup();
    Ok(match (roles.is_empty(), down.is_empty()) {
        (true, _) => Look::red("Test-ServiceHealth named no role"),
        (false, true) => Look::green("every required service runs"),
        (false, false) => Look::red(format!("not running: {}", down.join(", "))),
    })
}

async fn as_found(
    shell: &mut impl Shell,
    server: &str,
    found: Option<&BTreeMap<String, Component>>,
) -> Result<Look, HostError> {
    let now = maintenance::components(shell, server).await?;
    let odd = unlike(found, &now);
    Ok(match (now.len(), found) {
        (0, _) => Look::red("the server names no component"),
        (_, _) if !odd.is_empty() => Look::red(odd.join(", ")),
        (count, Some(_)) => Look::green(format!("{count} components are as found")),
        (count, None) => Look::green(format!(
            "not taken out of service by this run, and none of {count} components is held down"
        )),
    })
}

async fn copies(shell: &mut impl Shell, server: &str) -> Result<Look, HostError> {
    let copies = ask(shell, "Get-MailboxDatabaseCopyStatus", &[("Server", server)]).await?;
    let mut odd = Vec::new();
    for copy in &copies {
        let status = text(copy, "Status").unwrap_or_else(|| "no status".to_owned());
        if status != "Mounted" && status != "Healthy" {
            odd.push(format!("{} {status}", text(copy, "Name").unwrap_or_default()));
        }
    }
    Ok(match (copies.len(), odd.is_empty()) {
        (0, _) => Look::red("the server names no database copy"),
        (count, true) => Look::green(format!("{count} database copies are mounted or healthy")),
        (_, false) => Look::red(odd.join(", ")),
    })
}

async fn in_service(shell: &mut impl Shell, server: &str) -> Result<Look, HostError> {
    let parameters = [("Identity", server), ("Component", "ServerWideOffline")];
    let states = ask(shell, "Get-ServerComponentState", &parameters).await?;
    let state = states.first().and_then(|state| text(state, "State"));
    Ok(match state.as_deref() {
        Some("Active") => Look::green("ServerWideOffline is Active"),
        Some(other) => Look::red(format!("ServerWideOffline is {other}")),
        None => Look::red("ServerWideOffline has no state"),
    })
}

async fn queues(shell: &mut impl Shell, server: &str, limit: u32) -> Result<Look, HostError> {
    let queues = ask(shell, "Get-Queue", &[("Server", server)]).await?;
    let mut longest = (0, String::new());
    for queue in &queues {
        let name = text(queue, "Identity").unwrap_or_default();
        let Some(count) = queue.property("MessageCount").and_then(PsObject::int) else {
            return Ok(Look::red(format!("queue {name} does not say how many messages it holds")));
        };
        longest = longest.max((count, name));
    }
    let (count, name) = longest;
    Ok(if count < i64::from(limit) {
        Look::green(format!("{} queues, the longest of {count}", queues.len()))
    } else {
        Look::red(format!("queue {name} holds {count} messages, the limit is {limit}"))
    })
}

async fn irm(shell: &mut impl Shell, sender: &str) -> Result<Look, HostError> {
    let results = ask(shell, "Test-IRMConfiguration", &[("Sender", sender)]).await?;
    let report: String = results.iter().filter_map(|one| text(one, "Results")).collect();
    // The word after the last colon is the verdict; the lines before are evidence.
    let verdict = report.trim().rsplit(':').next().unwrap_or_default().trim();
    let failed: Vec<&str> =
        report.lines().map(str::trim).filter(|line| line.contains("FAIL:")).collect();
    Ok(match verdict {
        "PASS" => Look::green("Test-IRMConfiguration passes"),
        _ if failed.is_empty() => Look::red(format!("Test-IRMConfiguration ends in `{verdict}`")),
        _ => Look::red(failed.join("; ")),
    })
}
