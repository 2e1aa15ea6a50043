//! What a host knows beside its registry: files, policies, events, and what its own requests get.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::lab::cmdlet::CmdletFailure;
use crate::lab::cmdlet::CmdletOutput;
use crate::lab::cmdlet::Parameters;
use crate::lab::windows;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::wire::psrp::object::Complex;
use crate::wire::psrp::object::PsObject;

const WEB: &str = "Invoke-WebRequest";
/// The one address that answers without credentials.
pub const REVOCATION_LIST: &str = "http://crl.contoso.com/rms.crl";

/// One host's own evidence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Local {
    /// Versions by path.
    pub files: BTreeMap<String, String>,
    /// Policy, key and value name of every registry setting that Group Policy delivers.
    pub policies: Vec<(&'static str, String, String)>,
    /// Events of the connector: id, minutes before now, message.
    pub events: Vec<(u32, i64, String)>,
    /// What a request from here meets instead of an answer.
    pub web_trouble: Option<&'static str>,
    /// How far its clock is off, in seconds.
    pub clock_offset: i64,
}

impl Local {
    /// A sound host of the product.
    pub fn of(role: Role, product: Product) -> Self {
        let mut local = Self::default();
        let windows_update = r"Software\Policies\Microsoft\Windows\WindowsUpdate".to_owned();
        local.policies.push(("Server baseline", windows_update, "WUServer".to_owned()));
        let setup = match product {
            Product::Exchange2010 => Some("14.3.513.0"),
            Product::Exchange2013 => Some("15.0.1497.48"),
            Product::Exchange2016 => Some("15.1.2507.61"),
            Product::Exchange2019 => Some("15.2.1544.14"),
            Product::ExchangeSe => Some("15.2.2562.20"),
            _ => None,
        };
        if let Some(version) = setup {
            let path = format!(r"{}Bin\ExSetup.exe", windows::exchange_folder(product));
            local.files.insert(path, version.to_owned());
        }
        local.files.insert(r"C:\Windows\System32\msdrm.dll".to_owned(), "6.3.9600.1".to_owned());
        if role == Role::Connector {
            let page =
                r"C:\Program Files\Microsoft Rights Management connector\Web Service\web.config";
            local.files.insert(page.to_owned(), String::new());
            local.events.push((1004, 7, "The list of accounts was updated.".to_owned()));
        }
        local
    }

    /// The host's clock.
    pub fn clock(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(SignedDuration::from_secs(self.clock_offset)).unwrap_or(now)
    }

    /// A cmdlet of the host's own PowerShell; `None` if it is none of these.
    pub fn run(
        &self,
        name: &str,
        parameters: &Parameters,
    ) -> Option<Result<CmdletOutput, CmdletFailure>> {
        WEB.eq_ignore_ascii_case(name).then(|| self.request(parameters))
    }

    /// Every other address answers with 401, as a connector does without credentials; PowerShell
    /// makes an error of it.
    fn request(&self, parameters: &Parameters) -> Result<CmdletOutput, CmdletFailure> {
        parameters.allow(WEB, &["Uri", "UseBasicParsing", "TimeoutSec", "Method"])?;
        let uri = parameters.get("Uri").and_then(PsObject::text);
        if uri.is_some_and(|uri| uri == REVOCATION_LIST) {
            let page = PsObject::Complex(Box::new(Complex {
                properties: [("StatusCode".to_owned(), PsObject::Int(200))].into(),
                ..Complex::default()
            }));
            return Ok(CmdletOutput { output: vec![page], ..CmdletOutput::default() });
        }
        let text =
            self.web_trouble.unwrap_or("The remote server returned an error: (401) Unauthorized.");
        Err(CmdletFailure::new(text, "WebCmdletWebResponseException,InvokeWebRequestCommand"))
    }
}
