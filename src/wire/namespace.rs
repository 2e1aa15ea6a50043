//! XML namespaces (`winrm.md` 1.1). Always matched by URI, never by prefix.

pub const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
pub const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
pub const WSMAN: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd";
pub const CIM_BINDING: &str = "http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd";
pub const MSWSMAN: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd";
pub const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";
pub const ENUMERATION: &str = "http://schemas.xmlsoap.org/ws/2004/09/enumeration";
pub const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";
pub const FAULT: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault";
pub const CIM: &str = "http://schemas.dmtf.org/wbem/wscim/1/common";
pub const IDENTIFY: &str = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd";
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
pub const POWERSHELL: &str = "http://schemas.microsoft.com/powershell";
pub const CLIXML: &str = "http://schemas.microsoft.com/powershell/2004/04";
/// Prefix of every WMI class's namespace: `…/wmi/root/cimv2/Win32_Service`.
pub const WMI: &str = "http://schemas.microsoft.com/wbem/wsman/1/wmi/";
/// Resource and namespace of WinRM's own settings.
pub const CONFIG: &str = "http://schemas.microsoft.com/wbem/wsman/1/config";
pub const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";
