//! Which certificate a host is believed by: `rms_tls_pin`, `rms_ca_file` and Ansible's names.

use crate::manifest::inventory::connection::Reader;
use crate::manifest::inventory::draft::Level;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::tree::Node;
use crate::model::tls::Thumbprint;
use crate::model::tls::TlsTrust;

/// The names that one of Ansible's connection plugins uses.
pub(super) struct Names {
    pub(super) validation: &'static str,
    pub(super) authorities: &'static str,
}

pub(super) const WINRM: Names = Names {
    validation: "ansible_winrm_server_cert_validation",
    authorities: "ansible_winrm_ca_trust_path",
};
pub(super) const PSRP: Names =
    Names { validation: "ansible_psrp_cert_validation", authorities: "ansible_psrp_ca_cert" };

/// The strictest of what holds: a pin, no check at all where the host itself says so, a file of
/// authorities, the operating system's trust.
pub(super) fn read(reader: &mut Reader<'_, '_>, names: &Names) -> TlsTrust {
    let pin = reader.checked("rms_tls_pin", pin);
    let checked = reader.read(names.validation, validation);
    let theirs = reader.read(names.authorities, ca_file);
    let file = reader.checked("rms_ca_file", ca_file).or(theirs);
    let by_host = reader.level(names.validation).is_some_and(|level| match level {
        Level::Host => true,
        Level::Group(_) | Level::Extra => false,
    });
    match (pin, checked, file) {
        (Some(pin), _, _) => TlsTrust::Pin(pin),
        (None, Some(false), _) if by_host => {
            reader.warn(
                names.validation,
                "lets anyone in between read and change what is written; better give the \
                 certificate's thumbprint as `rms_tls_pin`",
            );
            TlsTrust::Ignore
        }
        (None, checked, file) => {
            if checked == Some(false) {
                reader.warn(
                    names.validation,
                    "is honoured on a host only, so these certificates are always validated; give \
                     `rms_ca_file`, or set it on the single host",
                );
            }
            file.map_or(TlsTrust::System, TlsTrust::CaFile)
        }
    }
}

pub(super) fn pin(node: &Node) -> Result<Thumbprint, Mismatch> {
    scalar::text(node)?.parse().map_err(|error| {
        Mismatch::new(format!("needs the thumbprint of a certificate: {error}")).help(
            "on the host: winrm enumerate winrm/config/listener, and take CertificateThumbprint"
                .to_owned(),
        )
    })
}

/// A path as it is, from the folder that the command is run in.
pub(super) fn ca_file(node: &Node) -> Result<String, Mismatch> {
    scalar::text(node).map(str::to_owned)
}

fn validation(node: &Node) -> Result<bool, Mismatch> {
    scalar::choice(node, &[("validate", true), ("ignore", false)])
}
