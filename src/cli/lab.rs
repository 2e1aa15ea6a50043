//! The simulated farm: started for one run, or kept up for other clients.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::cli::attend::interrupted;
use crate::cli::console::Console;
use crate::cli::credentials::Wanted;
use crate::cli::facts as saved;
use crate::cli::load;
use crate::cli::request::Files;
use crate::cli::request::Lab;
use crate::cli::request::ServeRequest;
use crate::cli::request::Source;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::host::link::Clock;
use crate::host::restart::Pace;
use crate::lab::accounts::Accounts as LabAccounts;
use crate::lab::edge::Edge;
use crate::lab::facts;
use crate::lab::farm;
use crate::lab::farm::FarmHost;
use crate::lab::faults::Fault;
use crate::lab::faults::FaultSet;
use crate::lab::power::Timing;
use crate::lab::serve::Farm;
use crate::lab::strike::Blow;
use crate::lab::strike::Strike;
use crate::lab::tour;
use crate::manifest::inventory::BasicScope;
use crate::manifest::suggest::did_you_mean;
use crate::model::host::Host;
use crate::model::rollout::Playbook;
use crate::model::secret::Account;
use crate::model::secret::Secret;
use crate::net::accounts::Accounts;
use crate::net::clock::SystemClock;
use crate::net::entropy;

/// What is said when a farm is started for a run.
pub const WORDS: &str = "a farm in this process; it touches nothing real and asks nothing";
/// The farm's only administrator.
pub const USER: &str = r"CORP\rmsadmin";
/// Printed by `lab serve`: it opens nothing but the simulation.
pub const PASSWORD: &str = "Lab-Passw0rd!";
/// The farm's hosts restart in a second, and their accounts are never locked.
pub const PACE: Pace = Pace {
    knock: Duration::from_millis(100),
    look: Duration::from_millis(100),
    refused: Duration::from_millis(300),
};
/// Where a restart takes a second, a minute of waiting says nothing new.
const RESTART_PATIENCE: u32 = 15;

/// Starts a farm with a host for every host of the inventory that has a role.
pub async fn start(
    hosts: &[Host],
    lab: &Lab,
    timing: Timing,
    port_base: Option<u16>,
) -> Result<Farm, Stop> {
    let mut farm_hosts = if let Some(path) = &lab.facts {
        facts::from_facts(hosts, &saved::open(path)?).0
    } else {
        let mut farm_hosts = farm::from_hosts(hosts);
        let connector = hosts.iter().find_map(|host| host.connector.as_ref());
        tour::age(&mut farm_hosts, connector.map_or(tour::CONNECTOR, |origin| origin.as_str()));
        farm_hosts
    };
    if let Some(base) = port_base {
        listen(&mut farm_hosts, base)?;
    }
    let accounts = LabAccounts::new(account());
    Farm::start(farm_hosts, accounts, &faults(&lab.faults, hosts)?, timing, edge()).await.map_err(
        |error| {
            Stop::because(Exit::Data, &error)
                .while_doing("the simulated farm cannot listen on loopback")
                .hint("choose other ports with --port-base, or none for free ones")
        },
    )
}

/// One account for whatever the hosts ask for: the farm knows no other.
pub fn accounts(wanted: &BTreeSet<Wanted>) -> Accounts {
    let mut accounts = Accounts::default();
    for (credential, user) in wanted {
        accounts.insert(credential.clone(), user.clone(), account());
    }
    accounts
}

/// A playbook's patience in the lab's time.
pub fn hasten(playbook: &mut Playbook) {
    let roles = [
        &mut playbook.restart_exchange,
        &mut playbook.restart_sharepoint,
        &mut playbook.restart_fci,
    ];
    let groups = playbook.restart_groups.iter_mut().map(|(_, settings)| settings);
    for settings in roles.into_iter().chain(groups) {
        settings.timeout = settings.timeout.min(RESTART_PATIENCE);
    }
}

/// `lab serve`.
pub fn serve(request: &ServeRequest, console: &mut Console) -> Result<Exit, Stop> {
    let files = Files {
        inventory: request.inventory.clone(),
        is_named: true,
        playbook: None,
        rules: None,
        credentials: None,
        vars: Vec::new(),
        var_files: Vec::new(),
        basic: BasicScope::Tls,
    };
    let (inventory, _) = load::inventory(&files, console.style().colour)?;
    let runtime = crate::cli::runtime()?;
    let served = runtime.block_on(async {
        let timing = match request.inventory {
            Source::EmbeddedLab => Timing::tour(),
            Source::File(_) => Timing::real(),
        };
        let farm = start(&inventory.hosts, &request.lab, timing, request.port_base).await?;
        for (host, address) in farm.addresses() {
            console.out.line(&format!("{host} {address}"))?;
        }
        console.out.line(&format!("user {USER}"))?;
        console.out.line(&format!("password {PASSWORD}"))?;
        console.out.line("ready")?;
        interrupted().await;
        Ok(Exit::Ok)
    });
    runtime.shutdown_background();
    served
}

fn account() -> Account {
    Account { user: USER.to_owned(), password: Secret::new(PASSWORD.to_owned()) }
}

fn listen(hosts: &mut [FarmHost], base: u16) -> Result<(), Stop> {
    for (place, host) in hosts.iter_mut().enumerate() {
        let port = u16::try_from(place).ok().and_then(|place| base.checked_add(place));
        let port = port.ok_or_else(|| {
            Stop::new(Exit::Usage, format!("there are not enough ports above {base}"))
                .hint("choose a lower --port-base")
        })?;
        host.listen = Some((Ipv4Addr::LOCALHOST, port).into());
    }
    Ok(())
}

/// Each is `NAME`, on a host that it fits, or `HOST:NAME`, or `HOST:STRIKE@N` for its n-th message.
fn faults(names: &[String], hosts: &[Host]) -> Result<FaultSet, Stop> {
    let (placed, plain): (Vec<_>, Vec<_>) =
        names.iter().map(|text| text.rsplit_once(':').ok_or(text)).partition(Result::is_ok);
    let plain: Vec<&String> = plain.into_iter().filter_map(Result::err).collect();
    let mut set = if plain.iter().any(|name| *name == "all") {
        FaultSet::usual()
    } else {
        plain.into_iter().map(|name| fault(name)).collect::<Result<_, _>>()?
    };
    for (host, name) in placed.into_iter().flatten() {
        let known = hosts.iter().any(|one| {
            one.name.as_str().eq_ignore_ascii_case(host)
                || one.name.short().eq_ignore_ascii_case(host)
        });
        if !known {
            let text = format!("--faults names `{host}`, which is no host");
            return Err(Stop::new(Exit::NoMatch, text).hint("rmsfleet inventory list shows them"));
        }
        match name.parse::<Blow>() {
            Ok(blow) => set.strike(host, blow),
            Err(_) => set.on(host, fault(name)?),
        }
    }
    Ok(set)
}

fn fault(name: &str) -> Result<Fault, Stop> {
    Fault::parse(name).ok_or_else(|| {
        let faults: Vec<&str> = Fault::ALL.iter().map(|fault| fault.id()).collect();
        let strikes: Vec<&str> = Strike::ALL.iter().map(|strike| strike.id()).collect();
        let word = name.split('@').next().unwrap_or(name);
        let known = || faults.iter().chain(&strikes).copied();
        let hint = match strikes.iter().find(|one| **one == word) {
            Some(word) => format!("one host's message is struck by HOST:{word}@NUMBER"),
            None => did_you_mean(word, known()).unwrap_or_else(|| {
                let (faults, strikes) = (faults.join(", "), strikes.join(", "));
                format!("there are {faults}; and, as HOST:NAME@MESSAGE, {strikes}")
            }),
        };
        Stop::new(Exit::Usage, format!("no fault is called `{name}`")).hint(hint)
    })
}

/// The farm takes time and chance from where everybody does.
fn edge() -> Edge {
    Edge::new(
        || SystemClock.now(),
        |buffer| {
            for piece in buffer.chunks_mut(16) {
                // A farm without chance is still a farm: its challenges only repeat.
                let drawn = entropy::bytes::<16>().unwrap_or_default();
                for (place, byte) in piece.iter_mut().zip(drawn) {
                    *place = byte;
                }
            }
        },
    )
}
