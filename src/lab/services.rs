//! The services that a simulated host runs.

use crate::model::product::Role;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    pub name: &'static str,
    pub display: &'static str,
    pub running: bool,
    pub automatic: bool,
}

const fn runs(name: &'static str, display: &'static str) -> Service {
    Service { name, display, running: true, automatic: true }
}

const fn rests(name: &'static str, display: &'static str) -> Service {
    Service { name, display, running: false, automatic: false }
}

const WINDOWS: [Service; 11] = [
    rests("AeLookupSvc", "Application Experience"),
    runs("Dnscache", "DNS Client"),
    runs("EventLog", "Windows Event Log"),
    runs("LanmanServer", "Server"),
    runs("Netlogon", "Netlogon"),
    runs("RpcSs", "Remote Procedure Call (RPC)"),
    runs("Schedule", "Task Scheduler"),
    runs("W32Time", "Windows Time"),
    runs("Winmgmt", "Windows Management Instrumentation"),
    runs("WinRM", "Windows Remote Management (WS-Management)"),
    rests("wuauserv", "Windows Update"),
];

const EXCHANGE: [Service; 4] = [
    runs("MSExchangeIS", "Microsoft Exchange Information Store"),
    runs("MSExchangeServiceHost", "Microsoft Exchange Service Host"),
    runs("MSExchangeTransport", "Microsoft Exchange Transport"),
    runs("W3SVC", "World Wide Web Publishing Service"),
];

const SHAREPOINT: [Service; 3] = [
    runs("SPAdminV4", "SharePoint Administration"),
    runs("SPTimerV4", "SharePoint Timer Service"),
    runs("W3SVC", "World Wide Web Publishing Service"),
];

const FILES: [Service; 2] = [
    runs("SrmReports", "File Server Storage Reports Manager"),
    runs("SrmSvc", "File Server Resource Manager"),
];

const CONNECTOR: [Service; 1] = [runs("W3SVC", "World Wide Web Publishing Service")];

/// Windows' services and the role's, by name.
pub fn for_role(role: Role) -> Vec<Service> {
    let own: &[Service] = match role {
        Role::Exchange => &EXCHANGE,
        Role::Sharepoint => &SHAREPOINT,
        Role::Fci => &FILES,
        Role::Connector => &CONNECTOR,
    };
    let mut all = [&WINDOWS, own].concat();
    all.sort_by_key(|service| service.name.to_ascii_lowercase());
    all
}
