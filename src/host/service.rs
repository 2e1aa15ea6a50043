//! Windows services: read, stopped, started (`Win32_Service`, its return codes as data).

use std::time::Duration;

use jiff::SignedDuration;

use crate::host::identity;
use crate::host::link::Clock;
use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::link::Writer;
use crate::host::registry::unexpected;
use crate::wire::operation::Answer;
use crate::wire::operation::Write;

/// Between two looks at a service that stops or starts.
const PACE: Duration = Duration::from_secs(1);
/// How long a service may take for one way.
const PATIENCE: SignedDuration = SignedDuration::from_secs(300);
/// `Service Already Running`, and what StopService says of one that is stopped: 5 in practice,
/// 6 by its documentation.
const RUNNING_ALREADY: u32 = 10;
const STOPPED_ALREADY: [u32; 2] = [5, 6];

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

/// The service's `State`; `None` if the host has none of that name.
pub async fn state(link: &mut impl Reader, name: &str) -> Result<Option<String>, HostError> {
    let found = states(link, &[name.to_owned()]).await?;
    Ok(found.into_iter().next().map(|(_, state)| state))
}

/// Automatic services that Windows itself starts by a trigger or ends when there is nothing to do:
/// that one of them does not run says nothing.
const FLEETING: [&str; 14] = [
    "BITS",
    "CDPSvc",
    "edgeupdate",
    "gpsvc",
    "gupdate",
    "MapsBroker",
    "RemoteRegistry",
    "sppsvc",
    "stisvc",
    "tiledatamodelsvc",
    "TrustedInstaller",
    "UsoSvc",
    "WbioSrvc",
    "wuauserv",
];

/// Services that start by themselves and run now, the fleeting ones left out.
pub async fn automatic(link: &mut impl Reader) -> Result<Vec<String>, HostError> {
    let fleeting = |name: &str| {
        FLEETING.iter().any(|own| own.eq_ignore_ascii_case(name)) || name.starts_with("clr_")
    };
    let all = all_automatic(link).await?;
    let running = all.into_iter().filter(|(_, state)| state == "Running");
    Ok(running.map(|(name, _)| name).filter(|name| !fleeting(name)).collect())
}

/// Those of `names` that do not run, with their state.
pub async fn missing(link: &mut impl Reader, names: &[String]) -> Result<Vec<String>, HostError> {
    let all = all_automatic(link).await?;
    let missing = names.iter().filter_map(|name| {
        match all.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
            Some((_, state)) if state == "Running" => None,
            Some((_, state)) => Some(format!("{name} ({state})")),
            None => Some(format!("{name} (not there)")),
        }
    });
    Ok(missing.collect())
}

async fn all_automatic(link: &mut impl Reader) -> Result<Vec<(String, String)>, HostError> {
    let wql = "SELECT Name,State FROM Win32_Service WHERE StartMode='Auto'";
    let found = identity::query(link, wql).await?;
    let pair = |one: &crate::wire::operation::Instance| {
        Some((one.text("Name")?.to_owned(), one.text("State")?.to_owned()))
    };
    Ok(found.iter().filter_map(pair).collect())
}

/// Stops the service and starts it again, each seen to its end; `pace` lies between two looks.
pub async fn restart<K: Clock>(
    link: &mut impl Writer,
    clock: &K,
    pace: Duration,
    name: &str,
) -> Result<(), HostError> {
    stop(link, clock, pace, name).await?;
    start(link, clock, pace, name).await
}

/// Stops the service and waits until it is.
pub async fn stop<K: Clock>(
    link: &mut impl Writer,
    clock: &K,
    pace: Duration,
    name: &str,
) -> Result<(), HostError> {
    let code = order(link, &Write::StopService(name.to_owned())).await?;
    if code != 0 && !STOPPED_ALREADY.contains(&code) {
        return Err(refused("StopService", name, code));
    }
    // The same codes say that a service which runs takes no orders: that does not end by waiting.
    if code != 0 && state(link, name).await?.as_deref() == Some("Running") {
        return Err(refused("StopService", name, code));
    }
    wait(link, clock, pace, name, "Stopped").await
}

/// Stops what runs of the services, in order, then starts all that the host has, in the other order:
/// what `iisreset` does with the web services.
///
/// Services that did not run before are left alone, unless an earlier attempt may have stopped
/// them; so whoever stopped one on purpose finds it running only after a run that broke here.
pub async fn cycle<K: Clock>(
    link: &mut impl Writer,
    clock: &K,
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
            stop(link, clock, PACE, name).await?;
        }
    }
    for (name, _) in there.iter().rev() {
        start(link, clock, PACE, name).await?;
    }
    Ok(())
}

/// Starts the service and waits until it runs.
pub async fn start<K: Clock>(
    link: &mut impl Writer,
    clock: &K,
    pace: Duration,
    name: &str,
) -> Result<(), HostError> {
    let code = order(link, &Write::StartService(name.to_owned())).await?;
    if code != 0 && code != RUNNING_ALREADY {
        return Err(refused("StartService", name, code));
    }
    wait(link, clock, pace, name, "Running").await
}

async fn order(link: &mut impl Writer, write: &Write) -> Result<u32, HostError> {
    match link.write(write).await? {
        Answer::Done { code } => Ok(code),
        other => Err(unexpected("a return code", &other)),
    }
}

async fn wait<K: Clock>(
    link: &mut impl Reader,
    clock: &K,
    pace: Duration,
    name: &str,
    wanted: &str,
) -> Result<(), HostError> {
    let deadline = clock.now().saturating_add(PATIENCE).unwrap_or(clock.now());
    loop {
        let now = state(link, name).await?;
        if now.as_deref() == Some(wanted) {
            return Ok(());
        }
        if clock.now() >= deadline {
            return Err(HostError::Unexpected {
                expected: format!("{name} to be {wanted} within {} s", PATIENCE.as_secs()),
                got: now.unwrap_or_else(|| "no such service".to_owned()),
            });
        }
        clock.sleep(pace).await;
    }
}

fn refused(method: &str, name: &str, code: u32) -> HostError {
    HostError::Unexpected {
        expected: format!("code 0 of {method} for {name}"),
        got: format!("code {code}"),
    }
}
