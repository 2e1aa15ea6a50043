//! CLIXML, the XML form of PowerShell objects, [MS-PSRP] 2.2.5.

mod escape;
mod reader;
mod told;
mod writer;

pub use reader::ClixmlError;
pub use reader::decode;
pub use told::errors;
pub use writer::Item;
pub use writer::Object;
pub use writer::encode;
