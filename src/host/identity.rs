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
use crate::wire::xml;

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
    let part = text(&system, "PartOfDomain")?;
    let part = xml::boolean(&part).ok_or_else(|| missing("a boolean in PartOfDomain", &part))?;
    let domain = part.then(|| text(&system, "Domain")).transpose()?;
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
    query_in(link, CIMV2, wql).await
}

pub(crate) async fn query_in(
    link: &mut impl Reader,
    namespace: &str,
    wql: &str,
) -> Result<Vec<Instance>, HostError> {
    let read = Read::Query { namespace: namespace.to_owned(), wql: wql.to_owned() };
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

#[cfg(test)]
mod tests {
    use super::*;

    use crate::host::imagined::Imagined;

    fn host() -> Imagined {
        Imagined::new()
            .with_instance(
                "Win32_OperatingSystem",
                &[
                    ("Caption", "Microsoft Windows Server 2019 Standard "),
                    ("CSName", "EX-AMS01"),
                    ("LastBootUpTime", "2026-01-05T03:04:05.500000Z"),
                    ("LocalDateTime", "2026-01-06T04:04:05+01:00"),
                    ("ProductType", "3"),
                    ("Version", "10.0.17763"),
                ],
            )
            .with_instance(
                "Win32_ComputerSystem",
                &[("Domain", "corp.contoso.com"), ("PartOfDomain", "true")],
            )
    }

    fn check(name: &str, computer: &str, domain: Option<&str>, expected: Result<(), &str>) {
        let identity =
            Identity { computer: computer.to_owned(), domain: domain.map(str::to_owned) };
        match (fits(&HostName::new(name), &identity), expected) {
            (Ok(()), Ok(())) => {}
            (Err(text), Err(part)) => assert!(text.contains(part), "{text}"),
            (got, expected) => panic!("{name}: {got:?}, expected {expected:?}"),
        }
    }

    #[tokio::test]
    async fn a_host_tells_who_it_is() {
        let (identity, os) = read(&mut host()).await.unwrap();
        assert_eq!(identity.computer, "EX-AMS01");
        assert_eq!(identity.domain.as_deref(), Some("corp.contoso.com"));
        assert_eq!(os.caption, "Microsoft Windows Server 2019 Standard");
        assert_eq!(os.local_time, "2026-01-06T03:04:05Z".parse().unwrap());
    }

    #[tokio::test]
    async fn a_workgroup_is_no_domain() {
        let host = host();
        host.world().instances.remove("Win32_ComputerSystem");
        let mut host = host.with_instance(
            "Win32_ComputerSystem",
            &[("Domain", "WORKGROUP"), ("PartOfDomain", "false")],
        );
        assert_eq!(read(&mut host).await.unwrap().0.domain, None);
    }

    #[tokio::test]
    async fn a_host_that_does_not_tell_is_an_error() {
        let error = read(&mut Imagined::new()).await.unwrap_err();
        assert!(matches!(error, HostError::Unexpected { .. }), "{error}");
    }

    #[test]
    fn a_name_fits_by_label_and_domain() {
        let domain = Some("corp.contoso.com");
        check("ex-ams01", "EX-AMS01", domain, Ok(()));
        check("ex-ams01.Corp.Contoso.com.", "EX-AMS01", domain, Ok(()));
        check("a-very-long-computer-name", "A-VERY-LONG-COM", domain, Ok(()));
        check("10.0.0.1", "EX-AMS01", domain, Ok(()));
        check("fe80::1", "EX-AMS01", None, Ok(()));
    }

    #[test]
    fn another_computer_or_domain_does_not_fit() {
        let domain = Some("corp.contoso.com");
        check("ex-ams02", "EX-AMS01", domain, Err("`EX-AMS01` answers"));
        check("ex-ams01.fabrikam.com", "EX-AMS01", domain, Err("is in `corp.contoso.com`"));
        check("ex-ams01.corp.contoso.com", "EX-AMS01", None, Err("is in none"));
    }
}
