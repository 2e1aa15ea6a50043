//! PowerShell Remoting Protocol [MS-PSRP]: fragments, messages, CLIXML objects, pool and pipeline.

pub mod object;
