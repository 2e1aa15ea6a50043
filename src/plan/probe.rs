//! The questions for one host, before its product is known.

use crate::model::host::Host;
use crate::model::lease::MARKS_KEY;
use crate::model::probe::Probe;
use crate::model::product::Role;
use crate::model::registry::KeyPath;
use crate::model::registry::ValuePath;
use crate::model::rules::RulePack;
use crate::plan::adrms;
use crate::plan::desired::render_rule;
use crate::plan::evidence;
use crate::plan::preflight;
use crate::plan::product;

/// The value that says that an earlier run left a restart owed.
pub fn restart_mark() -> ValuePath {
    ValuePath::new(MARKS_KEY, "RestartOwed")
}

/// What must be read on a host: the values of every product of its role, what tells the product,
/// the evidence of an earlier AD RMS, our own mark, the rights on each key that may be written, and
/// what the checks before sealing need. A connector node is asked who it is and for its events; a host out of scope is not asked at all.
pub fn probe(host: &Host, pack: &RulePack) -> Probe {
    let mut probe = Probe::default();
    let Some(role) = host.role else { return probe };
    if role == Role::Connector {
        probe.events = true;
        return probe;
    }
    if !host.in_scope() {
        return probe;
    }
    for rule in &pack.rules {
        if !rule.products.iter().any(|product| product.role() == role) {
            continue;
        }
        probe.access.insert(KeyPath::new(&rule.key));
        // What does not render here becomes a blocker when the plan is made.
        if let Ok(desired) = render_rule(host, rule) {
            probe.values.extend(desired.variants.into_iter().map(|variant| variant.path));
            probe.values.insert(desired.path);
        }
    }
    for redirection in adrms::redirections(host) {
        probe.access.insert(redirection.path.key.clone());
        probe.values.insert(redirection.path);
    }
    probe.values.extend(product::version_values(role));
    probe.listings.extend(product::version_keys(role));
    probe.values.extend(evidence::values(role));
    probe.listings.extend(evidence::listings(role));
    probe.values.insert(restart_mark());
    // The leases of runs at work stand there.
    probe.listings.insert(KeyPath::new(MARKS_KEY));
    probe.access.insert(KeyPath::new(MARKS_KEY));
    probe.organisation = role == Role::Exchange;
    probe.farm = role == Role::Sharepoint;
    probe.cache = evidence::cache(role);
    preflight::ask(host, role, pack, &mut probe);
    probe
}

/// Whether the survey contacts a host at all.
pub fn is_contacted(host: &Host) -> bool {
    host.in_scope() || host.role == Some(Role::Connector)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::host::Configure;
    use crate::plan::sample;

    #[test]
    fn every_product_of_the_role_is_asked_for() {
        let probe = probe(&sample::host("EX1", Role::Exchange), &sample::pack());
        let names: Vec<String> = probe.values.iter().map(ToString::to_string).collect();
        for wanted in [
            r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v15\Setup\MsiBuildMajor",
            r"HKLM\SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation\(Default)",
            r"HKLM\SOFTWARE\Microsoft\MSIPC\ServiceLocation\EnterpriseCertification\(Default)",
            r"HKLM\SOFTWARE\Wow6432Node\Microsoft\MSIPC\ServiceLocation\EnterprisePublishing\(Default)",
            r"HKLM\SOFTWARE\rmsfleet\RestartOwed",
        ] {
            assert!(names.iter().any(|name| name == wanted), "{wanted} in {names:#?}");
        }
        assert!(probe.organisation);
        assert!(probe.access.iter().any(|key| key.as_str().ends_with("LicenseServerRedirection")));
        assert!(probe.listings.iter().any(|key| key.as_str().ends_with("LicensingRedirection")));
    }

    #[test]
    fn connectors_and_hosts_out_of_scope_are_asked_for_nothing() {
        let connector = sample::host("RMSC1", Role::Connector);
        let asked = Probe { events: true, ..Probe::default() };
        assert_eq!(probe(&connector, &sample::pack()), asked);
        assert!(is_contacted(&connector));
        let mut out = sample::host("FS1", Role::Fci);
        out.configure = Configure::No;
        assert_eq!(probe(&out, &sample::pack()), Probe::default());
        assert!(!is_contacted(&out));
    }
}
