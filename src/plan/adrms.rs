//! The redirections of an AD RMS migration: content of the old cluster is opened by the connector
//! (`connector.md` 5.2 row 5, 5.3). Microsoft's script does not write them.

use crate::model::host::Host;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;
use crate::plan::desired::Desired;

/// The rule that these values are told under.
pub const RULE: &str = "exchange.adrms-redirection";

const KEY: &str = r"SOFTWARE\Microsoft\ExchangeServer\v15\IRM\LicenseServerRedirection";

/// One value for each of the inventory's AD RMS URLs: `<AD RMS>/_wmcs/licensing` to the
/// connector's. Exchange servers only; nothing of the kind is documented for the others.
pub fn redirections(host: &Host) -> Vec<Desired> {
    let Some(connector) = host.connector.as_ref().filter(|_| host.role == Some(Role::Exchange))
    else {
        return Vec::new();
    };
    let value = |adrms: &crate::model::origin::Origin| Desired {
        path: ValuePath::new(KEY, format!("{adrms}/_wmcs/licensing")),
        after: Value::Sz(format!("{connector}/_wmcs/licensing")),
        rule: RULE.to_owned(),
        variants: Vec::new(),
    };
    host.adrms.iter().map(value).collect()
}

/// Whether a product takes them: the documents name the key of Exchange 2013 and later only.
pub fn takes(product: Product) -> bool {
    product.role() == Role::Exchange && product != Product::Exchange2010
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::origin::Origin;
    use crate::plan::sample;

    #[test]
    fn each_cluster_is_led_to_the_connector_by_both_its_names() {
        let mut host = sample::host("EX1", Role::Exchange);
        let urls = ["https://adrms.corp.contoso.com", "https://rms-ext.contoso.com"];
        host.adrms = urls.iter().map(|url| Origin::parse(url).unwrap()).collect();
        let got: Vec<String> = redirections(&host)
            .iter()
            .map(|wanted| format!("{} = {}", wanted.path.name, wanted.after))
            .collect();
        assert_eq!(
            got,
            [
                "https://adrms.corp.contoso.com/_wmcs/licensing = \
                 https://rms.contoso.com/_wmcs/licensing",
                "https://rms-ext.contoso.com/_wmcs/licensing = \
                 https://rms.contoso.com/_wmcs/licensing",
            ]
        );
        host.role = Some(Role::Fci);
        assert_eq!(redirections(&host), []);
    }
}
