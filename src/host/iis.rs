//! Web services stopped and started one by one, as `iisreset` does, by `Win32_Service`.

use std::time::Duration;

use crate::host::identity;
use crate::host::link::Clock;
use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::link::Writer;
use crate::wire::operation::Answer;
use crate::wire::operation::Write;

/// Between two looks at a service that stops or starts.
const PACE: Duration = Duration::from_secs(1);
/// How often it is looked at before it counts as stuck.
const LOOKS: u32 = 180;

/// The states of those services that the host has, in the order given.
pub async fn states(
    link: &mut impl Reader,
    services: &[String],
) -> Result<Vec<(String, String)>, HostError> {
    let wanted: Vec<String> = services.iter().map(|name| format!("Name='{name}'")).collect();
    let wql = format!("SELECT Name,State FROM Win32_Service WHERE {}", wanted.join(" OR "));
    let found = identity::query(link, &wql).await?;
    let state = |name: &String| {
        let service = found.iter().find(|service| {
            service.text("Name").is_some_and(|found| found.eq_ignore_ascii_case(name))
        })?;
        Some((name.clone(), service.text("State").unwrap_or("no state").to_owned()))
    };
    Ok(services.iter().filter_map(state).collect())
}

/// Stops what runs of them, in order, then starts all that the host has, in the other order.
///
/// Services that did not run before are left alone, unless an earlier attempt may have stopped
/// them; so whoever stopped one on purpose finds it running only after a run that broke here.
pub async fn cycle(
    link: &mut impl Writer,
    clock: &impl Clock,
    services: &[String],
) -> Result<(), HostError> {
    let there = states(link, services).await?;
    if there.is_empty() {
        return Err(HostError::Unexpected {
            expected: format!("a service of {}", services.join(", ")),
            got: "none of them".to_owned(),
        });
    }
    for (name, state) in &there {
        if state != "Stopped" {
            order(link, clock, name, false).await?;
        }
    }
    for (name, _) in there.iter().rev() {
        order(link, clock, name, true).await?;
    }
    Ok(())
}

async fn order(
    link: &mut impl Writer,
    clock: &impl Clock,
    name: &str,
    run: bool,
) -> Result<(), HostError> {
    let wanted = if run { "Running" } else { "Stopped" };
    let write = if run { Write::StartService } else { Write::StopService };
    let code = match link.write(&write(name.to_owned())).await? {
        Answer::Done { code } => code,
        other => {
            return Err(HostError::Unexpected {
                expected: "a return code".to_owned(),
                got: format!("{other:?}"),
            });
        }
    };
    let mut state = String::new();
    for _ in 0..LOOKS {
        let found = states(link, &[name.to_owned()]).await?;
        state = found.into_iter().next().map(|(_, state)| state).unwrap_or_default();
        if state == wanted {
            return Ok(());
        }
        // 0 is taken; 10 runs already. Anything else will not come to an end by waiting.
        if !matches!(code, 0 | 10) {
            break;
        }
        clock.sleep(PACE).await;
    }
    Err(HostError::Unexpected {
        expected: format!("service {name} {wanted}"),
        got: format!("{state} (return code {code})"),
    })
}
