//! The documents' tables once more: what a host must be given, and what must keep it back.

use std::collections::BTreeSet;

use rmsfleet::model::host::PriorAdrms;
use rmsfleet::model::product::Product;
use rmsfleet::model::product::Role;

use crate::evidence_table::case::Beside;
use crate::evidence_table::case::Cache;
use crate::evidence_table::case::Case;
use crate::evidence_table::case::Location;
use crate::evidence_table::case::Redirect;
use crate::evidence_table::case::Trouble;
use crate::evidence_table::furnished::C;
use crate::evidence_table::furnished::T;
use crate::evidence_table::furnished::redirections;
use crate::evidence_table::furnished::url;

/// Key in lower case, name, data.
pub(super) type Row = (String, String, String);

/// What must come out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub need: &'static str,
    /// What is written.
    pub values: BTreeSet<Row>,
    pub blockers: BTreeSet<String>,
    /// How many known other forms are told.
    pub foreign: usize,
}

/// The columns of `connector.md` 1.1.
pub(super) fn wanted(product: Product) -> Vec<Row> {
    let row = |number: u8| -> Row {
        let msdrm = r"software\microsoft\msdrm\servicelocation";
        let msipc = r"software\microsoft\msipc\servicelocation";
        let family = if product == Product::Exchange2010 { "v14" } else { "v15" };
        let irm = format!(r"software\microsoft\exchangeserver\{family}\irm");
        let default = String::new;
        match number {
            1 => (format!(r"{msdrm}\activation"), default(), format!("{T}/_wmcs/certification")),
            2 => (
                format!(r"{msdrm}\enterprisepublishing"),
                default(),
                format!("{T}/_wmcs/licensing"),
            ),
            3 => (format!(r"{irm}\certificationserverredirection"), T.to_owned(), C.to_owned()),
            4 => (format!(r"{irm}\licenseserverredirection"), T.to_owned(), C.to_owned()),
            5 => (
                format!(r"{msipc}\enterprisecertification"),
                default(),
                format!("{C}/_wmcs/certification"),
            ),
            6 => (
                format!(r"{msipc}\enterprisepublishing"),
                default(),
                format!("{C}/_wmcs/licensing"),
            ),
            7 => (
                format!(r"{msipc}\licensingredirection"),
                format!("{T}/_wmcs/licensing"),
                format!("{C}/_wmcs/licensing"),
            ),
            8 => (format!(r"{msdrm}\activation"), default(), format!("{C}/_wmcs/certification")),
            9 => (
                format!(r"{msdrm}\enterprisepublishing"),
                default(),
                format!("{C}/_wmcs/licensing"),
            ),
            other => panic!("no row {other}"),
        }
    };
    let rows: &[u8] = match product {
        Product::Exchange2010 | Product::Exchange2013 => &[1, 2, 3, 4],
        Product::Exchange2016 | Product::Exchange2019 | Product::ExchangeSe => {
            &[1, 2, 3, 4, 5, 6, 7]
        }
        Product::Sharepoint2013
        | Product::Sharepoint2016
        | Product::Sharepoint2019
        | Product::SharepointSe => &[5, 6, 7],
        Product::Sharepoint2010
        | Product::Windows2012
        | Product::Windows2012R2
        | Product::Windows2016
        | Product::Windows2019
        | Product::Windows2022
        | Product::Windows2025 => &[8, 9],
    };
    rows.iter().map(|number| row(*number)).collect()
}

/// What stands on the host at the places of `wanted`.
fn standing(case: &Case) -> Vec<Row> {
    let mut rows = if case.holds_all { wanted(case.product) } else { Vec::new() };
    let mut put = |key: &str, name: String, data: String| {
        rows.retain(|(own, other, _)| own != key || *other != name);
        rows.push((key.to_owned(), name, data));
    };
    if let Some(data) = url(case.activation, "certification") {
        put(r"software\microsoft\msdrm\servicelocation\activation", String::new(), data);
    }
    if let Some(data) = url(case.certification, "certification") {
        let key = r"software\microsoft\msipc\servicelocation\enterprisecertification";
        put(key, String::new(), data);
    }
    if let Some((name, data)) = redirections(case.client, false) {
        put(r"software\microsoft\msipc\servicelocation\licensingredirection", name, data);
    }
    if let Some((name, data)) = redirections(case.redirect, true) {
        let key = format!(
            r"software\microsoft\exchangeserver\{}\irm\licenseserverredirection",
            case.family()
        );
        put(&key, name, data);
    }
    rows
}

/// Rows 1 to 5 of `connector.md` 5.2: does the registry name a third host?
fn points_elsewhere(case: &Case) -> bool {
    let is_elsewhere = |location| match location {
        Location::Absent | Location::Tenant | Location::Connector => false,
        // A change of scheme is treated like AD RMS (5.1).
        Location::OtherScheme | Location::Third | Location::OtherTenant => true,
    };
    let leads_elsewhere = |redirect| match redirect {
        Redirect::None | Redirect::Ours | Redirect::Foreign => false,
        Redirect::Phase1 | Redirect::Phase4 | Redirect::OldConnector => true,
    };
    [case.activation, case.activation32, case.certification, case.publishing32]
        .into_iter()
        .any(is_elsewhere)
        || leads_elsewhere(case.client)
        || leads_elsewhere(case.redirect)
}

/// What the product's own client was told, in the view that it reads.
fn told_to_client(case: &Case) -> Vec<String> {
    let is_exchange = case.product.role() == Role::Exchange;
    let uses_msdrm = is_exchange || case.product == Product::Sharepoint2010;
    let uses_msipc = !uses_msdrm
        || matches!(
            case.product,
            Product::Exchange2016 | Product::Exchange2019 | Product::ExchangeSe
        );
    let counts = |key: &str| {
        uses_msdrm && key.contains(r"\msdrm\")
            || uses_msipc && key.contains(r"\msipc\")
            || is_exchange && key.contains(r"\exchangeserver\")
    };
    let rows = standing(case).into_iter();
    rows.filter(|(key, _, _)| counts(key)).map(|(_, _, data)| data).collect()
}

/// Whether any value told the client where to go, so that AD was not asked.
fn has_overrides(case: &Case) -> bool {
    !told_to_client(case).is_empty()
}

/// Whether any value sent the client to the connector, which fills the same cache.
fn names_connector(case: &Case) -> bool {
    told_to_client(case).iter().any(|data| data.contains("//rmsconnector.contoso.com"))
}

/// Rows 6 to 9: required, or not known.
fn beside(case: &Case) -> (bool, bool) {
    let is_exchange = case.product.role() == Role::Exchange;
    let (settings, unknown) = match (case.beside, is_exchange) {
        (Beside::Off, _) | (Beside::OnOurs, false) => (false, false),
        // LicensingLocation names the tenant: AD is asked all the same.
        (Beside::OnOurs | Beside::OnNowhere, true) => (false, !has_overrides(case)),
        (Beside::OnForeign, _) | (Beside::OnNowhere, false) => (true, false),
        (Beside::Unread, _) => (false, true),
    };
    // The farm that finds its server in AD leaves that question open too.
    let cache = case.cache == Cache::Filled && !names_connector(case);
    // The folders of SharePoint's accounts decide nothing while they cannot be read.
    let unread = is_exchange && case.cache == Cache::Unread && !names_connector(case);
    (settings || cache, unknown || unread)
}

/// The case without what cannot be read: the first wanted value, whatever stands there.
fn visible(case: &Case) -> Case {
    let mut seen = case.clone();
    if case.trouble == Trouble::WantedUnreadable {
        match case.product {
            Product::Sharepoint2013
            | Product::Sharepoint2016
            | Product::Sharepoint2019
            | Product::SharepointSe => seen.certification = Location::Absent,
            _ => seen.activation = Location::Absent,
        }
    }
    seen
}

pub(super) fn expected(case: &Case) -> Expected {
    let case = &visible(case);
    let role = case.product.role();
    let mut blockers: BTreeSet<String> = BTreeSet::new();
    let is_told = told(case, &mut blockers);
    for (is_there, id) in [
        (
            [case.activation, case.activation32].contains(&Location::OtherTenant)
                || role != Role::Fci
                    && [case.certification, case.publishing32].contains(&Location::OtherTenant),
            "other-tenant",
        ),
        (case.trouble == Trouble::OtherComputer, "identity"),
    ] {
        if is_there {
            blockers.insert(id.to_owned());
        }
    }
    if !is_told {
        return Expected { need: "unknown", values: BTreeSet::new(), blockers, foreign: 0 };
    }
    let standing = standing(case);
    let mut values: BTreeSet<Row> = BTreeSet::new();
    for (place, row) in wanted(case.product).into_iter().enumerate() {
        if place == 0 && case.trouble == Trouble::WantedUnreadable {
            blockers.insert("unreadable".to_owned());
        } else if !standing.contains(&row) {
            if place == 0 && case.trouble == Trouble::Denied {
                blockers.insert("access-denied".to_owned());
            }
            values.insert(row);
        }
    }
    let need = need(case, !values.is_empty(), &mut blockers);
    let rows = wanted(case.product);
    let takes = |key: &str| rows.iter().any(|(own, _, _)| own.ends_with(key));
    let foreign =
        usize::from(
            takes("licenseserverredirection")
                && matches!(case.redirect, Redirect::Foreign | Redirect::Phase1),
        ) + usize::from(takes("licensingredirection") && case.client == Redirect::Foreign);
    Expected { need, values, blockers, foreign }
}

/// The checks before sealing; whether the product can be told.
fn told(case: &Case, blockers: &mut BTreeSet<String>) -> bool {
    let role = case.product.role();
    let is_2010 = case.product == Product::Sharepoint2010;
    let mut block = |id: &str| {
        blockers.insert(id.to_owned());
    };
    match case.trouble {
        Trouble::None
        | Trouble::Neighbour
        | Trouble::Denied
        | Trouble::WantedUnreadable
        | Trouble::OtherComputer => {}
        Trouble::OneBuildTooOld => {
            if matches!(case.product, Product::Exchange2010 | Product::Exchange2013) {
                block("product-version");
            }
        }
        Trouble::Edge => {
            if role == Role::Exchange {
                block("edge-transport");
                return false;
            }
        }
        Trouble::Fighting => {
            if role != Role::Sharepoint || is_2010 {
                block("role-conflict");
                return false;
            }
        }
        Trouble::ConnectorHere => block("not-connector-server"),
        Trouble::Renames
        | Trouble::Servicing
        | Trouble::WindowsUpdate
        | Trouble::UpdateExe
        | Trouble::ConfigurationManager => block("no-pending-reboot"),
        Trouble::ClientTooOld | Trouble::NoClient => {
            // No document says that the Subscription Edition needs it.
            if role == Role::Sharepoint && !is_2010 && case.product != Product::SharepointSe {
                block("msipc-client");
            }
        }
        Trouble::NoResourceManager => {
            if role == Role::Fci {
                block("product-version");
            }
        }
        Trouble::Workstation => {
            block("os-supported");
            if role == Role::Fci {
                block("product-version");
                return false;
            }
        }
        Trouble::Windows2008R2 => match role {
            Role::Fci => {
                block("os-supported");
                block("product-version");
                block("msdrm-mode2");
                return false;
            }
            Role::Exchange => block("msdrm-mode2"),
            Role::Sharepoint | Role::Connector => {
                if is_2010 {
                    block("msdrm-mode2");
                }
            }
        },
        Trouble::NotInstalled => {
            if role != Role::Fci {
                block("product-version");
                // Without a product there is no client to ask for, but SharePoint's rule holds.
                return false;
            }
        }
    }
    true
}

fn need(case: &Case, changes: bool, blockers: &mut BTreeSet<String>) -> &'static str {
    let role = case.product.role();
    let is_exchange_key = role == Role::Exchange;
    let leads_to_third = |redirect| matches!(redirect, Redirect::OldConnector);
    if role == Role::Fci {
        return if changes { "required" } else { "not-required" };
    }
    if is_exchange_key && case.redirect == Redirect::Phase1 {
        blockers.insert("migration-leftover".to_owned());
    }
    if is_exchange_key && leads_to_third(case.redirect)
        || matches!(case.client, Redirect::OldConnector | Redirect::Phase1)
    {
        blockers.insert("other-connector".to_owned());
    }
    if !changes {
        return "not-required";
    }
    let (speaks_for, mut unknown) = beside(case);
    let elsewhere = points_elsewhere(case);
    // The value that cannot be read, one of rows 1 and 2, might have named AD RMS.
    unknown |= case.trouble == Trouble::WantedUnreadable;
    match (speaks_for || elsewhere, unknown, case.prior) {
        (true, _, PriorAdrms::Never) => {
            blockers.insert("prior-adrms".to_owned());
            "required"
        }
        (true, _, _) | (false, _, PriorAdrms::Used) => "required",
        (false, true, PriorAdrms::Auto) => {
            blockers.insert("restart-unknown".to_owned());
            "unknown"
        }
        (false, _, _) => "not-required",
    }
}
