//! The farm on loopback: one listener per host, which closes while its host is down.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::SignedDuration;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::lab::accounts::Accounts;
use crate::lab::availability::Availability;
use crate::lab::availability::Server;
use crate::lab::edge::Edge;
use crate::lab::exchange::ExchangeOrganisation;
use crate::lab::exchange::LabExchangeServer;
use crate::lab::farm::FarmHost;
use crate::lab::faults::FaultSet;
use crate::lab::host::LabHost;
use crate::lab::http::Connection;
use crate::lab::power::Phase;
use crate::lab::power::Power;
use crate::lab::power::Timing;
use crate::lab::sharepoint::SharePointFarm;
use crate::lab::shell::Organisation;
use crate::lab::shell::SharePoint;
use crate::lab::shell::SharedAvailability;
use crate::lab::shell::Shells;
use crate::lab::station::Commons;
use crate::lab::station::Station;
use crate::lab::stats::FarmStats;
use crate::lab::windows;
use crate::model::host::HostName;
use crate::model::product::Product;
use crate::wire::ntlm::acceptor::Names;

/// How often a host tries to take its address back after a boot.
const REBIND: Duration = Duration::from_millis(20);

/// A farm that runs; dropping it switches every host off.
pub struct Farm {
    stations: Vec<Arc<Station>>,
    organisations: BTreeMap<String, Organisation>,
    farms: BTreeMap<String, SharePoint>,
    availability: SharedAvailability,
    /// Aborted with the farm.
    _tasks: JoinSet<()>,
}

impl fmt::Debug for Farm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Farm").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}

impl Farm {
    /// Binds every host and begins to answer. Must run on a tokio runtime.
    pub async fn start(
        mut hosts: Vec<FarmHost>,
        accounts: Accounts,
        faults: &FaultSet,
        timing: Timing,
        edge: Edge,
    ) -> io::Result<Self> {
        faults.apply(&mut hosts);
        let organisations = organisations(&hosts);
        let farms = farms(&hosts);
        let availability = Arc::new(Mutex::new(availability(&hosts)));
        let now = edge.now();
        let commons = Arc::new(Commons::new(edge, timing.latency, accounts, hosts.len()));
        let mut stations = Vec::new();
        let mut tasks = JoinSet::new();
        for (index, host) in hosts.into_iter().enumerate() {
            let wanted = host.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
            let listener = TcpListener::bind(wanted).await?;
            let address = listener.local_addr()?;
            let organisation =
                host.organisation.as_ref().and_then(|name| organisations.get(name)).cloned();
            let names = names(&host);
            let exchange = organisation.is_some();
            let power = Power::new(last_boot(now, index), timing, host.manner);
            let farm = host.farm.as_ref().and_then(|name| farms.get(name)).cloned();
            let shells = Shells::new(organisation).of_farm(farm);
            let shells = shells.among(availability.clone(), &host.computer);
            let host = LabHost::new(host, power, shells);
            let station = Station::new(index, address, names, exchange, commons.clone(), host);
            let station = Arc::new(station);
            tasks.spawn(keep(station.clone(), listener));
            stations.push(station);
        }
        Ok(Self { stations, organisations, farms, availability, _tasks: tasks })
    }

    /// Where each host answers, also while it is down.
    pub fn addresses(&self) -> BTreeMap<HostName, SocketAddr> {
        let name = |station: &Station| station.host().name.clone();
        self.stations.iter().map(|station| (name(station), station.address)).collect()
    }

    pub fn stats(&self) -> FarmStats {
        let mut stats = FarmStats::default();
        for station in &self.stations {
            let host = station.host();
            stats.hosts.insert(host.name.clone(), host.stats.clone());
        }
        if let Some(station) = self.stations.first() {
            stats.busy_peak = station.commons.busy_peak();
        }
        stats
    }

    /// Looks into a host, or changes it behind the clients' backs; `None` if there is no such host.
    pub fn with_host<T>(&self, name: &HostName, f: impl FnOnce(&mut LabHost) -> T) -> Option<T> {
        let named = |station: &&Arc<Station>| station.host().name == *name;
        let station = self.stations.iter().find(named)?;
        let result = f(&mut station.host());
        station.changed.notify_waiters();
        Some(result)
    }

    /// The state of a SharePoint farm.
    pub fn farm(&self, name: &str) -> Option<SharePoint> {
        self.farms.get(name).cloned()
    }

    /// The DAGs and clusters of the farm.
    pub fn availability(&self) -> SharedAvailability {
        self.availability.clone()
    }

    /// The state of an Exchange organisation.
    pub fn organisation(&self, name: &str) -> Option<Organisation> {
        self.organisations.get(name).cloned()
    }
}

/// Every organisation that the hosts name, with its servers.
fn organisations(hosts: &[FarmHost]) -> BTreeMap<String, Organisation> {
    let mut servers: BTreeMap<String, Vec<LabExchangeServer>> = BTreeMap::new();
    for host in hosts {
        let Some(organisation) = &host.organisation else { continue };
        let [major, minor, build, revision] =
            windows::exchange_build(host.product).unwrap_or([15, 2, 1544, 4]);
        servers.entry(organisation.clone()).or_default().push(LabExchangeServer {
            name: host.computer.clone(),
            fqdn: host.fqdn(),
            version: format!("Version {major}.{minor} (Build {build}.{revision})"),
            edge: false,
        });
    }
    servers
        .into_iter()
        .map(|(name, servers)| {
            let organisation = ExchangeOrganisation::new(&name, servers);
            (name, Arc::new(Mutex::new(organisation)))
        })
        .collect()
}

/// Every SharePoint farm that the hosts name, with its servers.
fn farms(hosts: &[FarmHost]) -> BTreeMap<String, SharePoint> {
    let mut farms: BTreeMap<String, SharePointFarm> = BTreeMap::new();
    for host in hosts {
        let Some(name) = &host.farm else { continue };
        let next = farms.len();
        let farm = farms.entry(name.clone()).or_insert_with(|| {
            let id = format!("0f1a2b3c-4d5e-4f60-8a7b-{next:012x}");
            SharePointFarm::new(name, &id, Vec::new())
        });
        farm.module |= host.product == Product::SharepointSe;
        farm.servers.push((host.computer.clone(), "WebFrontEnd".to_owned()));
    }
    for farm in farms.values_mut() {
        farm.servers.push(("SQL01".to_owned(), "Invalid".to_owned()));
    }
    farms.into_iter().map(|(name, farm)| (name, Arc::new(Mutex::new(farm)))).collect()
}

/// Every DAG and cluster that the hosts name.
fn availability(hosts: &[FarmHost]) -> Availability {
    let mut farm = Availability::default();
    for host in hosts {
        if host.organisation.is_some() || host.cluster.is_some() {
            let server = Server::new(host.fqdn(), host.dag.clone(), host.cluster.clone());
            farm.add(&host.computer, server);
        }
    }
    farm.settle();
    farm
}

/// Some days ago, and not the same for all.
fn last_boot(now: Timestamp, index: usize) -> Timestamp {
    let hours = i64::try_from(index).unwrap_or(0).saturating_mul(7) % 400 + 50;
    let ago = SignedDuration::from_hours(hours) + SignedDuration::from_micros(488_171);
    now.checked_sub(ago).unwrap_or(now)
}

fn names(host: &FarmHost) -> Names {
    let dns_domain = host.domain.clone().unwrap_or_else(|| host.computer.to_lowercase());
    let label = dns_domain.split('.').next().unwrap_or_default();
    Names {
        netbios_domain: label.to_uppercase(),
        netbios_computer: host.computer.clone(),
        dns_computer: host.fqdn().to_lowercase(),
        dns_domain,
    }
}

/// Accepts connections while the host is up, and closes the listener while it is not.
async fn keep(station: Arc<Station>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    let mut listener = Some(listener);
    loop {
        let happened = station.changed.notified();
        let (phase, lasts) = station.look();
        let pause = tokio::time::sleep(lasts.unwrap_or(Duration::from_hours(24)));
        if matches!(phase, Phase::Refused | Phase::Off) {
            if listener.take().is_some() {
                station.falls.send_modify(|falls| *falls += 1);
            }
            tokio::select! {
                () = happened => {}
                () = pause => {}
                Some(_) = connections.join_next() => {}
            }
            continue;
        }
        let opened = match listener.take() {
            Some(open) => Ok(open),
            None => TcpListener::bind(station.address).await,
        };
        let Ok(open) = opened else {
            // Somebody's outgoing connection has the port for the moment.
            tokio::time::sleep(REBIND).await;
            continue;
        };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((stream, _)) = accepted {
                    let falls = station.falls.subscribe();
                    connections.spawn(serve(station.clone(), stream, falls));
                }
            }
            () = happened => {}
            () = pause => {}
            Some(_) = connections.join_next() => {}
        }
        listener = Some(open);
    }
}

/// One connection to its end; a reset if the host goes down.
async fn serve(station: Arc<Station>, stream: TcpStream, mut falls: watch::Receiver<u64>) {
    let connection = Arc::new(Connection::new(station));
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let connection = connection.clone();
        async move { connection.serve(request).await }
    });
    let mut http = http1::Builder::new();
    http.pipeline_flush(false).max_buf_size(64 * 1024);
    let mut served = http.serve_connection(TokioIo::new(stream), service);
    let reset = tokio::select! {
        ended = &mut served => ended.is_err(),
        _ = falls.changed() => true,
    };
    if reset {
        let _ = served.into_parts().io.into_inner().set_zero_linger();
    }
}
