//! PowerShell Remoting Protocol [MS-PSRP]: fragments, messages, CLIXML objects, pool and pipeline.

pub mod clixml;
pub mod error;
pub mod fragment;
pub mod message;
pub mod object;
pub mod pool;
pub mod record;
pub mod reply;
pub mod request;
pub mod version;
