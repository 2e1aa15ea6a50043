//! The simulated farm: server halves of the protocols that `wire` and `net` speak as a client, on
//! loopback, as strict as Windows.
//!
//! Everything but [`station`], [`http`] and [`serve`] is values: requests in, replies out.

pub mod access;
pub mod accounts;
pub mod act;
pub mod availability;
pub mod cim;
pub mod classes;
pub mod cluster;
pub mod cmd;
pub mod cmdlet;
pub mod config;
pub mod edge;
pub mod enumeration;
pub mod exchange;
pub mod facts;
pub mod farm;
pub mod fault;
pub mod faults;
pub mod folder;
pub mod fsrm;
pub mod furnish;
pub mod host;
pub mod http;
pub mod invoke;
pub mod local;
pub mod logon;
pub mod maintenance;
pub mod markup;
pub mod power;
pub mod probe;
pub mod psrp;
pub mod registry;
pub mod regmethod;
pub mod regprov;
pub mod reply;
pub mod request;
pub mod serve;
pub mod services;
pub mod sharepoint;
pub mod shell;
pub mod station;
pub mod stats;
pub mod strike;
pub mod tour;
pub mod windows;
pub mod winrs;
pub mod wmi;
pub mod wql;
pub mod wsman;
