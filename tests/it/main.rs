//! The one integration test binary.

// The attribute tells clippy what cargo knows: a helper here may unwrap, as a test may.
#[cfg(test)]
mod account_safety;
#[cfg(test)]
mod apply;
#[cfg(test)]
mod approvals;
#[cfg(test)]
mod basic;
#[cfg(test)]
mod budget;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod channel;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod evidence_table;
#[cfg(test)]
mod exercise;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod imagined;
#[cfg(test)]
mod journal;
#[cfg(test)]
#[cfg(unix)]
mod kdc;
#[cfg(test)]
mod lab_exercise;
#[cfg(test)]
mod lab_http;
#[cfg(test)]
mod lab_recorded;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod manifest;
#[cfg(test)]
mod peer_server;
#[cfg(test)]
mod peers_channel;
#[cfg(test)]
mod peers_doctor;
#[cfg(test)]
mod peers_evidence;
#[cfg(test)]
mod peers_exports;
#[cfg(test)]
mod peers_files;
#[cfg(test)]
#[cfg(unix)]
mod peers_kerberos;
#[cfg(test)]
#[cfg(unix)]
mod peers_kerberos_doctor;
#[cfg(test)]
mod peers_lab;
#[cfg(test)]
mod peers_maintenance;
#[cfg(test)]
#[cfg(unix)]
mod peers_matrix;
#[cfg(test)]
mod peers_network;
#[cfg(test)]
mod peers_ntlm;
#[cfg(test)]
mod peers_psrp;
#[cfg(test)]
mod peers_resume;
#[cfg(test)]
mod peers_revocation;
#[cfg(test)]
mod peers_rollout;
#[cfg(test)]
#[cfg(unix)]
mod peers_samba;
#[cfg(test)]
mod peers_steps;
#[cfg(test)]
mod peers_struck;
#[cfg(test)]
mod peers_tls;
#[cfg(test)]
mod peers_tls_rollout;
#[cfg(test)]
mod peers_two;
#[cfg(test)]
mod peers_undo;
#[cfg(test)]
mod peers_winrs;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod planned;
#[cfg(test)]
mod psrp_recorded;
#[cfg(test)]
mod psrp_shell;
#[cfg(test)]
mod rehearsal;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod runs_verify;
#[cfg(test)]
mod schedule;
#[cfg(test)]
mod served;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod spnego;
#[cfg(test)]
mod steps;
#[cfg(test)]
mod survey;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tls_client;
#[cfg(test)]
mod tour;
#[cfg(test)]
mod wsman_recorded;
