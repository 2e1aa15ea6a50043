//! The rule pack against the documents' table, written out here a second time.

use std::collections::BTreeSet;

use rmsfleet::manifest::builtin;
use rmsfleet::manifest::rules;
use rmsfleet::manifest::rules::TemplateError;
use rmsfleet::manifest::source::Source;
use rmsfleet::model::origin::Origin;
use rmsfleet::model::product::Product;
use rmsfleet::model::product::Role;
use rmsfleet::model::rules::Confidence;
use rmsfleet::model::rules::Support;

use crate::manifest::complains;

const MSDRM: &str = r"SOFTWARE\Microsoft\MSDRM\ServiceLocation";
const MSIPC: &str = r"SOFTWARE\Microsoft\MSIPC\ServiceLocation";
const IRM: &str = r"SOFTWARE\Microsoft\ExchangeServer\v15\IRM";
const IRM_2010: &str = r"SOFTWARE\Microsoft\ExchangeServer\v14\IRM";
const T: &str = "https://t.rms.eu.aadrm.com";
const C: &str = "http://rms.contoso.com";

type Row = (u8, String, String, String);

/// The value table's rows, filled in for tenant `T` and connector `C`.
fn table(irm: &str, rows: &[u8]) -> BTreeSet<Row> {
    let row = |number: u8| {
        let (key, name, data) = match number {
            1 => {
                (format!(r"{MSDRM}\Activation"), String::new(), format!("{T}/_wmcs/certification"))
            }
            2 => (
                format!(r"{MSDRM}\EnterprisePublishing"),
                String::new(),
                format!("{T}/_wmcs/licensing"),
            ),
            3 => (format!(r"{irm}\CertificationServerRedirection"), T.to_owned(), C.to_owned()),
            4 => (format!(r"{irm}\LicenseServerRedirection"), T.to_owned(), C.to_owned()),
            5 => (
                format!(r"{MSIPC}\EnterpriseCertification"),
                String::new(),
                format!("{C}/_wmcs/certification"),
            ),
            6 => (
                format!(r"{MSIPC}\EnterprisePublishing"),
                String::new(),
                format!("{C}/_wmcs/licensing"),
            ),
            7 => (
                format!(r"{MSIPC}\LicensingRedirection"),
                format!("{T}/_wmcs/licensing"),
                format!("{C}/_wmcs/licensing"),
            ),
            8 => {
                (format!(r"{MSDRM}\Activation"), String::new(), format!("{C}/_wmcs/certification"))
            }
            9 => (
                format!(r"{MSDRM}\EnterprisePublishing"),
                String::new(),
                format!("{C}/_wmcs/licensing"),
            ),
            other => panic!("no row {other}"),
        };
        (number, key, name, data)
    };
    rows.iter().map(|number| row(*number)).collect()
}

#[track_caller]
fn check(product: Product, rows: &[u8]) {
    let pack = builtin::rules().map_err(|d| d.render(false)).unwrap();
    let tenant = Origin::parse(T).unwrap();
    let connector = Origin::parse(C).unwrap();
    let fill = |text: &str| rules::fill(text, Some(&tenant), Some(&connector)).unwrap();
    let found: Vec<Row> = pack
        .rules
        .iter()
        .filter(|rule| rule.products.contains(&product))
        .map(|rule| (rule.row, rule.key.clone(), fill(&rule.name), fill(&rule.data)))
        .collect();
    assert_eq!(found.len(), rows.len(), "rows of {product}");
    let irm = if product == Product::Exchange2010 { IRM_2010 } else { IRM };
    assert_eq!(found.into_iter().collect::<BTreeSet<Row>>(), table(irm, rows), "rows of {product}");
}

#[test]
fn exchange_gets_its_rows() {
    check(Product::Exchange2010, &[1, 2, 3, 4]);
    check(Product::Exchange2013, &[1, 2, 3, 4]);
    for product in [Product::Exchange2016, Product::Exchange2019, Product::ExchangeSe] {
        check(product, &[1, 2, 3, 4, 5, 6, 7]);
    }
}

#[test]
fn sharepoint_gets_its_rows() {
    check(Product::Sharepoint2010, &[8, 9]);
    for product in [
        Product::Sharepoint2013,
        Product::Sharepoint2016,
        Product::Sharepoint2019,
        Product::SharepointSe,
    ] {
        check(product, &[5, 6, 7]);
    }
}

#[test]
fn every_file_server_gets_the_same_two() {
    for product in Product::ALL.into_iter().filter(|product| product.role() == Role::Fci) {
        check(product, &[8, 9]);
    }
}

#[test]
fn a_file_server_needs_no_tenant() {
    let pack = builtin::rules().unwrap();
    let connector = Origin::parse(C).unwrap();
    for rule in &pack.rules {
        let filled = rules::fill(&rule.name, None, Some(&connector))
            .and_then(|_| rules::fill(&rule.data, None, Some(&connector)));
        let needs = matches!(filled, Err(TemplateError::NoTenant { .. }));
        assert_eq!(needs, matches!(rule.row, 1..=4 | 7), "{}", rule.id);
    }
}

#[test]
fn every_product_has_a_label_with_a_source() {
    let pack = builtin::rules().unwrap();
    let label = |product: Product| pack.products.iter().find(|label| label.product == product);
    for product in Product::ALL {
        let label = label(product).unwrap_or_else(|| panic!("no label for {product}"));
        assert!(!label.source.is_empty() && label.date.len() == 10);
    }
    for (product, support) in [
        (Product::ExchangeSe, Support::Undocumented),
        (Product::SharepointSe, Support::Undocumented),
        (Product::Windows2016, Support::Documented),
        (Product::Windows2022, Support::Undocumented),
        (Product::Exchange2019, Support::Documented),
        (Product::Sharepoint2010, Support::Unsupported),
        (Product::Exchange2010, Support::Unsupported),
    ] {
        assert_eq!(label(product).map(|label| label.support), Some(support), "{product}");
    }
    assert_eq!(pack.sha256.len(), 64);
}

#[test]
fn known_foreign_forms_are_there() {
    let pack = builtin::rules().unwrap();
    let ids: Vec<String> = pack
        .rules
        .iter()
        .flat_map(|rule| rule.variants.iter().map(|variant| format!("{}/{}", rule.id, variant.id)))
        .collect();
    assert_eq!(
        ids,
        [
            "exchange-activation/double-scheme",
            "exchange-publishing/double-scheme",
            "exchange-certification-redirection/double-scheme",
            "exchange-certification-redirection/long-form",
            "exchange-license-redirection/double-scheme",
            "exchange-license-redirection/long-form",
            "exchange-license-redirection/migration-phase-1",
            "exchange-2010-certification-redirection/double-scheme",
            "exchange-2010-certification-redirection/long-form",
            "exchange-2010-license-redirection/double-scheme",
            "exchange-2010-license-redirection/long-form",
            "exchange-2010-license-redirection/migration-phase-1",
            "exchange-msipc-redirection/double-scheme",
            "exchange-msipc-redirection/bare-path",
            "sharepoint-msipc-redirection/double-scheme",
            "sharepoint-msipc-redirection/bare-path",
        ]
    );
    let inferred = pack.rules.iter().filter(|rule| rule.confidence == Confidence::Inferred);
    assert_eq!(
        inferred.map(|rule| rule.id.as_str()).collect::<Vec<_>>(),
        ["exchange-msipc-redirection"]
    );
}

#[test]
fn a_filled_in_form_fits_whatever_its_case() {
    let fits = |filled: &str, text: &str| rules::fits(filled, text);
    assert!(fits("https://t/_wmcs/licensing", "HTTPS://T/_wmcs/Licensing"));
    assert!(!fits("https://t/_wmcs/licensing", "https://t/_wmcs/licensing/"));
    assert!(fits("https://*/_wmcs/licensing", "https://adrms.contoso.com/_wmcs/licensing"));
    assert!(!fits("https://*/_wmcs/licensing", "https:///_wmcs/licensing"));
    assert!(!fits("https://*/_wmcs/licensing", "https://a/b/_wmcs/licensing"));
}

/// A pack with one line of the shipped one replaced.
#[track_caller]
fn refused(from: &str, to: &str, message: &str, help: &str) {
    let source = builtin::rules_source();
    let text = source.text.replacen(from, to, 1);
    assert_ne!(text, source.text, "`{from}` is not in the pack");
    let diagnostics = rules::parse(&Source::new("pack.yml", text.as_str())).expect_err("refused");
    let found = diagnostics.errors().find(|item| item.message.contains(message));
    let found = found.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    complains(&diagnostics, &text, (found.line, found.column), message, help);
}

#[test]
fn a_wrong_pack_is_told_what_is_wrong() {
    refused("{{ tenant }}/_wmcs", "{{ tennant }}/_wmcs", "is no template", "`{{ tenant }}`");
    refused("{{ tenant }}/_wmcs", "{{ tenant }/_wmcs", "is no template", "`{{ tenant }}`");
    refused("{{ tenant }}/_wmcs", "{% if tenant %}x{% endif %}", "is no template", "only");
    refused("row: 1", "row: 10", "`row` needs a whole number", "1 to 9");
    refused("id: exchange-publishing", "id: exchange-activation", "a second time", "own id");
    refused("  - product: windows-2025", "  - product: windows-2022", "a second time", "own id");
    refused(
        "products: [exchange-2010,",
        "products: [exchange-2012,",
        "`products` needs",
        "did you",
    );
    refused("key: SOFTWARE", "key: HKLM\\SOFTWARE", "without the hive", "HKEY_LOCAL_MACHINE");
    refused("date: \"2022-04-26\"", "date: 2.4.2026", "needs a date", "2026-01-09");
    refused("confidence: documented", "confidence: sure", "needs one of", "write one of");
    refused("    confidence:", "    confidents:", "needs the key `confidence`", "add");
    refused("        name: \"/_wmcs/licensing\"\n", "", "needs `name` or `data`", "differs");
}
