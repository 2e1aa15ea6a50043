//! A plan for other channels: registry files, a script that makes Group Policy objects, lists.
//! Bytes out of values; nothing here touches a disk.

pub mod file;
pub mod gpo;
pub mod list;
pub mod powershell;
pub mod reg;
pub mod regfile;
pub mod values;
