//! Our client against the lab, by the exercise that it also does with servers that are not ours.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use jiff::SignedDuration;

use rmsfleet::host::link::Target;
use rmsfleet::lab::accounts::Accounts as LabAccounts;
use rmsfleet::lab::edge::Edge;
use rmsfleet::lab::faults::FaultSet;
use rmsfleet::lab::power::Timing;
use rmsfleet::lab::serve::Farm;
use rmsfleet::lab::tour;
use rmsfleet::model::host::HostName;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;
use rmsfleet::net::accounts::Accounts;
use rmsfleet::net::connect::Network;
use rmsfleet::net::stats::Stats;

use crate::exercise::Place;
use crate::exercise::Sheet;
use crate::exercise::exercise;
use crate::imagined::endpoint;
use crate::imagined::noon;

fn account() -> Account {
    Account { user: r"CONTOSO\rms".to_owned(), password: Secret::new("pw".to_owned()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lab_passes_the_whole_exercise_and_no_shell_is_left() {
    // A clock that moves when it is read, so that what waits for a time comes to its end.
    let reads = AtomicI64::new(0);
    let clock = move || noon() + SignedDuration::from_millis(500 * reads.fetch_add(1, Relaxed));
    let edge = Edge::new(clock, |bytes| getrandom::fill(bytes).unwrap());
    let none = FaultSet::default();
    let accounts = LabAccounts::new(account());
    let farm = Farm::start(tour::hosts(), accounts, &none, Timing::tour(), edge).await.unwrap();
    let name = HostName::new("EX01.corp.contoso.com");
    let address = farm.addresses()[&name];
    let target = |path: &str| {
        let mut endpoint = endpoint("127.0.0.1", path);
        endpoint.port = address.port();
        Target {
            host: name.clone(),
            endpoint,
            credential: "default".to_owned(),
            user: None,
            connect_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(20),
        }
    };
    let place = Place { wsman: target("/wsman"), powershell: Some(target("/PowerShell/")) };
    let mut accounts = Accounts::default();
    accounts.insert("default", None, account());
    let network = Network::new(accounts, Stats::default()).unwrap();
    let mut sheet = Sheet::new("lab");
    exercise(&network, &place, &mut sheet).await;
    assert!(sheet.failed.is_empty() && sheet.passed > 40, "{}", sheet.failed.join("\n"));
    let stats = &farm.stats().hosts[&name];
    assert_eq!((stats.shells_opened, stats.shells_closed), (4, 4));
}
