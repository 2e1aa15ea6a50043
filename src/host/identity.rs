//! Who a host says it is, and whether that is whom the inventory means.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::registry::unexpected;
use crate::model::facts::Identity;
use crate::model::facts::OperatingSystem;
use crate::model::host::HostName;
use crate::wire::operation::Answer;
use crate::wire::operation::Instance;
use crate::wire::operation::Read;

/// The WMI namespace of everything asked here.
pub(crate) const CIMV2: &str = "root/cimv2";
/// Computer names are cut to this length where NetBIOS must know them.
const NETBIOS_LENGTH: usize = 15;

/// Reads identity and operating system by CIM.
pub async fn read(link: &mut impl Reader) -> Result<(Identity, OperatingSystem), HostError> {
    let wql = "SELECT Caption,CSName,LastBootUpTime,LocalDateTime,ProductType,Version \
               FROM Win32_OperatingSystem";
    let os = one(link, wql).await?;
    let system = one(link, "SELECT Domain,PartOfDomain FROM Win32_ComputerSystem").await?;
    let product_type = text(&os, "ProductType")?;
    let domain = match text(&system, "PartOfDomain")?.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(text(&system, "Domain")?),
        _ => None,
    };
    let identity = Identity { computer: text(&os, "CSName")?, domain };
    let os = OperatingSystem {
        caption: text(&os, "Caption")?.trim().to_owned(),
        version: text(&os, "Version")?,
        product_type: product_type
            .parse()
            .map_err(|_| missing("a number in ProductType", &product_type))?,
        last_boot: timestamp(&os, "LastBootUpTime")?,
        local_time: timestamp(&os, "LocalDateTime")?,
    };
    Ok((identity, os))
}

/// Whether the host that answers is the one that the inventory names; if not, why.
///
/// Only what the name says is compared: an address says nothing, a single label no domain.
pub fn fits(inventory_name: &HostName, identity: &Identity) -> Result<(), String> {
    let name = inventory_name.as_str().trim_end_matches('.');
    if name.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let (label, domain) = match name.split_once('.') {
        Some((label, domain)) => (label, Some(domain)),
        None => (name, None),
    };
    if cut(label) != cut(&identity.computer) {
        return Err(format!("expected computer `{label}`, `{}` answers", identity.computer));
    }
    match (domain, &identity.domain) {
        (Some(expected), Some(found)) if !expected.eq_ignore_ascii_case(found) => {
            Err(format!("expected domain `{expected}`, the computer is in `{found}`"))
        }
        (Some(expected), None) => {
            Err(format!("expected domain `{expected}`, the computer is in none"))
        }
        (Some(_), Some(_)) | (None, _) => Ok(()),
    }
}

/// The only instance that a query brings.
pub(crate) async fn one(link: &mut impl Reader, wql: &str) -> Result<Instance, HostError> {
    let mut instances = query(link, wql).await?;
    match instances.pop() {
        Some(instance) if instances.is_empty() => Ok(instance),
        Some(_) => Err(missing("one instance", &format!("{} of them", instances.len() + 1))),
        None => Err(missing(&format!("an instance for `{wql}`"), "none")),
    }
}

pub(crate) async fn query(link: &mut impl Reader, wql: &str) -> Result<Vec<Instance>, HostError> {
    let read = Read::Query { namespace: CIMV2.to_owned(), wql: wql.to_owned() };
    match link.read(&read).await? {
        Answer::Instances(instances) => Ok(instances),
        other => Err(unexpected("instances", &other)),
    }
}

/// A time property; on the wire it carries its offset, mostly `Z`.
pub(crate) fn timestamp(instance: &Instance, name: &str) -> Result<Timestamp, HostError> {
    let text = text(instance, name)?;
    text.parse().map_err(|_| missing(&format!("a time in {name}"), &text))
}

pub(crate) fn text(instance: &Instance, name: &str) -> Result<String, HostError> {
    let text = instance.text(name).map(|text| text.trim().to_owned());
    text.filter(|text| !text.is_empty()).ok_or_else(|| missing(name, "nothing"))
}

pub(crate) fn missing(expected: &str, got: &str) -> HostError {
    HostError::Unexpected { expected: expected.to_owned(), got: got.to_owned() }
}

fn cut(name: &str) -> String {
    name.chars().take(NETBIOS_LENGTH).collect::<String>().to_lowercase()
}
