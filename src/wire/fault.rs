//! WS-Man faults as typed values (`winrm.md` 5.2 and 5.3).

/// A fault, in either of the two forms that Windows sends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    /// `WSManFault/@Code` or `MSFT_WmiError/error_Code`; innermost wins. `None` if there is none.
    pub code: Option<u32>,
    /// Local name of the SOAP subcode, e.g. `TimedOut`.
    pub subcode: Option<String>,
    /// `WSManFault/@Machine`.
    pub machine: Option<String>,
    /// The most telling text: innermost message, else the SOAP reason.
    pub reason: String,
    /// `ProviderFault/@provider`.
    pub provider: Option<String>,
}

impl Fault {
    pub fn code_text(&self) -> String {
        self.code.map_or_else(|| "without a code".to_owned(), |code| code.to_string())
    }
}
