//! Our client against the lab, by the exercise that it also does with servers that are not ours.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use jiff::SignedDuration;

use rmsfleet::host::link::Connect as _;
use rmsfleet::host::link::Launch as _;
use rmsfleet::host::link::Reader as _;
use rmsfleet::host::link::Target;
use rmsfleet::host::link::Writer as _;
use rmsfleet::lab::accounts::Accounts as LabAccounts;
use rmsfleet::lab::edge::Edge;
use rmsfleet::lab::faults::FaultSet;
use rmsfleet::lab::power::Timing;
use rmsfleet::lab::serve::Farm;
use rmsfleet::lab::stats::HostStats;
use rmsfleet::lab::tour;
use rmsfleet::model::host::HostName;
use rmsfleet::model::particulars::AccessEntry;
use rmsfleet::model::program::Program;
use rmsfleet::model::registry::KeyPath;
use rmsfleet::model::secret::Account;
use rmsfleet::model::secret::Secret;
use rmsfleet::net::accounts::Accounts;
use rmsfleet::net::connect::Network;
use rmsfleet::net::stats::Stats;
use rmsfleet::wire::operation::Answer;
use rmsfleet::wire::operation::Read;
use rmsfleet::wire::operation::Write;

use crate::exercise::PROBE;
use crate::exercise::Place;
use crate::exercise::Sheet;
use crate::exercise::exercise;
use crate::imagined::endpoint;
use crate::imagined::noon;

fn account() -> Account {
    Account { user: r"CONTOSO\rms".to_owned(), password: Secret::new("pw".to_owned()) }
}

/// The lab, a network of clients that may log on to it, and one of its Exchange servers.
struct Stand {
    farm: Farm,
    network: Network,
    name: HostName,
}

impl Stand {
    async fn start() -> Self {
        // A clock that moves when it is read, so that what waits for a time comes to its end.
        let reads = AtomicI64::new(0);
        let clock = move || noon() + SignedDuration::from_millis(500 * reads.fetch_add(1, Relaxed));
        let edge = Edge::new(clock, |bytes| getrandom::fill(bytes).unwrap());
        let none = FaultSet::default();
        let accounts = LabAccounts::new(account());
        let farm = Farm::start(tour::hosts(), accounts, &none, Timing::tour(), edge).await.unwrap();
        let mut accounts = Accounts::default();
        accounts.insert("default", None, account());
        let network = Network::new(accounts, Stats::default()).unwrap();
        Self { farm, network, name: HostName::new("EX01.corp.contoso.com") }
    }

    fn target(&self, path: &str) -> Target {
        let mut endpoint = endpoint("127.0.0.1", path);
        endpoint.port = self.farm.addresses()[&self.name].port();
        Target {
            host: self.name.clone(),
            endpoint,
            credential: "default".to_owned(),
            user: None,
            connect_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(20),
        }
    }

    fn stats(&self) -> HostStats {
        self.farm.stats().hosts[&self.name].clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lab_passes_the_whole_exercise_and_no_shell_is_left() {
    let stand = Stand::start().await;
    let place =
        Place { wsman: stand.target("/wsman"), powershell: Some(stand.target("/PowerShell/")) };
    let mut sheet = Sheet::new("lab");
    exercise(&stand.network, &place, &mut sheet).await;
    assert!(sheet.failed.is_empty() && sheet.passed > 40, "{}", sheet.failed.join("\n"));
    let stats = stand.stats();
    assert_eq!((stats.shells_opened, stats.shells_closed), (4, 4));
}

/// `SetSecurityDescriptor`, which no server of the matrix knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_list_that_was_set_is_read_back_and_handed_down() {
    let stand = Stand::start().await;
    let mut link = stand.network.connect(&stand.target("/wsman")).await.unwrap();
    let parent = KeyPath::new(r"SOFTWARE\rmsfleet exercise");
    let key = KeyPath::new(r"SOFTWARE\rmsfleet exercise\below");
    let done = Answer::Done { code: 0 };
    let entry = |sid: &str, allows, mask, inherited_below| AccessEntry {
        sid: sid.to_owned(),
        allows,
        mask,
        inherited_below,
    };
    let entries = vec![
        entry("S-1-5-32-544", true, 0xF_003F, true),
        entry("S-1-5-20", true, 0x2_0019, false),
        entry("S-1-1-0", false, 2, true),
    ];
    let write = Write::SetAccessList { key: parent.clone(), entries: entries.clone() };
    let missing = Answer::Done { code: 2 };
    assert_eq!(link.write(&write).await.unwrap(), missing, "there is no such key");
    assert_eq!(link.write(&Write::CreateKey(key.clone())).await.unwrap(), done);
    assert_eq!(link.write(&write).await.unwrap(), done);
    let listed = |entries| Answer::AccessList { code: 0, entries: Some(entries) };
    let read = link.read(&Read::AccessList(parent)).await.unwrap();
    assert_eq!(read, listed(entries.clone()));
    let below = [entries[0].clone(), entries[2].clone()];
    assert_eq!(link.read(&Read::AccessList(key)).await.unwrap(), listed(below.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shell_whose_call_was_cut_off_is_deleted_afterwards() {
    let stand = Stand::start().await;
    let mut link = stand.network.connect(&stand.target("/wsman")).await.unwrap();
    let program = Program::new(&[PROBE, "wait"].map(str::to_owned)).unwrap();
    let before = stand.stats().requests;
    {
        let mut running = Box::pin(link.launch(&program, "", Duration::from_mins(10)));
        // Create, Command and Send have been answered once there is a Receive.
        while stand.stats().requests < before + 4 {
            tokio::select! {
                biased;
                ended = &mut running => panic!("{ended:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    drop(link);
    assert_eq!((stand.stats().shells_opened, stand.stats().shells_closed), (1, 0));
    assert_eq!(stand.network.delete_left().await, [].into());
    assert_eq!(stand.stats().shells_closed, 1);
    assert_eq!(stand.network.delete_left().await, [].into(), "nothing is deleted twice");
    assert_eq!(stand.stats().shells_closed, 1);
}
