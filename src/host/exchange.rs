//! The Exchange organisation: read it, turn IRM on, read it again (`connector.md` 4.1).

use crate::host::cmdlet::missing;
use crate::host::cmdlet::run;
use crate::host::cmdlet::text;
use crate::host::link::Argument;
use crate::host::link::HostError;
use crate::host::link::Shell;
use crate::model::host::HostName;
use crate::model::irm::ExchangeServer;
use crate::model::irm::IrmConfiguration;
use crate::model::irm::Organisation;
use crate::model::step::Setting;
use crate::model::step::SettingValue;
use crate::wire::psrp::object::PsObject;

/// The session configuration of Exchange's endpoint.
pub const CONFIGURATION: &str = "Microsoft.Exchange";

const GET_IRM: &str = "Get-IRMConfiguration";
const SET_IRM: &str = "Set-IRMConfiguration";
const GET_SERVER: &str = "Get-ExchangeServer";

/// Reads the organisation as the endpoint of `via` describes it.
pub async fn observe(shell: &mut impl Shell, via: &HostName) -> Result<Organisation, HostError> {
    let (dn, irm) = configuration(shell).await?;
    let name = organisation_name(&dn).ok_or_else(|| HostError::Unexpected {
        expected: "a distinguished name with the organisation's".to_owned(),
        got: format!("`{dn}`"),
    })?;
    let servers = run(shell, GET_SERVER, Vec::new()).await?;
    let servers = servers.output.iter().map(server).collect::<Result<_, _>>()?;
    Ok(Organisation { dn, name, via: via.clone(), irm, servers })
}

/// Brings settings to their ends, and nothing else, without a question asked. An `Err` may come
/// after the act: [`verify`] tells.
pub async fn set(shell: &mut impl Shell, settings: &[Setting]) -> Result<(), HostError> {
    let mut parameters = Vec::new();
    for setting in settings {
        parameters.push(argument(&PARAMETERS, SET_IRM, setting)?);
    }
    if parameters.is_empty() {
        return Ok(());
    }
    parameters.push(("Force", Argument::Bool(true)));
    run(shell, SET_IRM, parameters).await.map(|_| ())
}

/// Clears the certificates and cached templates of every server of the organisation. It has no
/// state of its own that could be read back.
pub async fn refresh_certificates(shell: &mut impl Shell) -> Result<(), HostError> {
    let parameters =
        vec![("RefreshServerCertificates", Argument::Bool(true)), ("Force", Argument::Bool(true))];
    run(shell, SET_IRM, parameters).await.map(drop)
}

/// Reads back and compares the properties that were set; the rest is evidence, not a condition.
pub async fn verify(
    shell: &mut impl Shell,
    identity: &str,
    settings: &[Setting],
) -> Result<IrmConfiguration, HostError> {
    let (dn, irm) = configuration(shell).await?;
    if !dn.eq_ignore_ascii_case(identity) {
        return Err(HostError::Unexpected {
            expected: format!("the IRM configuration `{identity}`"),
            got: format!("`{dn}`"),
        });
    }
    for Setting { name, after, .. } in settings {
        let got = irm.setting(name);
        if !got.is_same(after) {
            return Err(HostError::Unexpected {
                expected: format!("{name} to read back as {after}"),
                got: got.to_string(),
            });
        }
    }
    Ok(irm)
}

/// The parameters of `Set-IRMConfiguration` that a step may bind.
const PARAMETERS: [&str; 3] =
    ["InternalLicensingEnabled", "ClientAccessServerEnabled", "LicensingLocation"];

/// A setting as a bound parameter. A plan can name no parameter but those that are known here.
pub(crate) fn argument(
    known: &[&'static str],
    cmdlet: &str,
    setting: &Setting,
) -> Result<(&'static str, Argument), HostError> {
    let name = known.iter().find(|name| **name == setting.name).ok_or_else(|| {
        HostError::Unsupported(format!(
            "`{}` is no setting of {cmdlet} that is written",
            setting.name
        ))
    })?;
    let value = match &setting.after {
        SettingValue::Bool(value) => Argument::Bool(*value),
        SettingValue::Text(text) => Argument::Text(text.clone()),
        SettingValue::List(texts) => Argument::Texts(texts.clone()),
        SettingValue::Untold => {
            return Err(HostError::Unsupported(format!("`{name}` has no value to be set to")));
        }
    };
    Ok((name, value))
}

/// The IRM configuration with its distinguished name, by one cmdlet.
pub async fn configuration(
    shell: &mut impl Shell,
) -> Result<(String, IrmConfiguration), HostError> {
    let result = run(shell, GET_IRM, Vec::new()).await?;
    let [object] = result.output.as_slice() else {
        return Err(HostError::Unexpected {
            expected: "one IRM configuration".to_owned(),
            got: format!("{} objects", result.output.len()),
        });
    };
    let dn =
        text(object, "DistinguishedName").ok_or_else(|| missing(GET_IRM, "DistinguishedName"))?;
    let irm = IrmConfiguration {
        internal_licensing_enabled: bool(object, "InternalLicensingEnabled"),
        external_licensing_enabled: bool(object, "ExternalLicensingEnabled"),
        client_access_server_enabled: bool(object, "ClientAccessServerEnabled"),
        service_location: location(object, "ServiceLocation"),
        publishing_location: location(object, "PublishingLocation"),
        licensing_location: texts(object, "LicensingLocation"),
    };
    Ok((dn, irm))
}

fn server(object: &PsObject) -> Result<ExchangeServer, HostError> {
    Ok(ExchangeServer {
        name: text(object, "Name").ok_or_else(|| missing(GET_SERVER, "Name"))?,
        fqdn: text(object, "Fqdn"),
        version: text(object, "AdminDisplayVersion")
            .ok_or_else(|| missing(GET_SERVER, "AdminDisplayVersion"))?,
        // Not said is no edge server: the step then waits for it, which is the safe side.
        is_edge: bool(object, "IsEdgeServer").unwrap_or(false),
    })
}

/// The organisation's name: the container right under `CN=Microsoft Exchange,CN=Services`, or the
/// last common name of a short form that ends with it.
pub(crate) fn organisation_name(dn: &str) -> Option<String> {
    let names = common_names(dn);
    let container = names.windows(2).position(|pair| {
        matches!(pair, [first, second] if first.eq_ignore_ascii_case("Microsoft Exchange")
            && second.eq_ignore_ascii_case("Services"))
    });
    let place = container.unwrap_or(names.len()).checked_sub(1)?;
    names.get(place).filter(|name| !name.is_empty()).cloned()
}

/// The values of the leading `CN=` parts, unescaped (RFC 4514).
fn common_names(dn: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut rest = dn.chars();
    while let Some(c) = rest.next() {
        let Some(part) = parts.last_mut() else { break };
        match c {
            '\\' => {
                let hex = rest.as_str().get(..2).and_then(|two| u8::from_str_radix(two, 16).ok());
                if let Some(byte) = hex.filter(u8::is_ascii) {
                    part.push(char::from(byte));
                    rest.next();
                    rest.next();
                } else {
                    part.extend(rest.next());
                }
            }
            ',' => parts.push(String::new()),
            other => part.push(other),
        }
    }
    parts
        .iter()
        .map_while(|part| {
            let (kind, value) = part.trim_start().split_once('=')?;
            kind.trim().eq_ignore_ascii_case("CN").then(|| value.to_owned())
        })
        .collect()
}

fn bool(object: &PsObject, name: &str) -> Option<bool> {
    object.property(name)?.bool()
}

/// A location's text, empty where the host says that there is none; `None` if it does not say.
fn location(object: &PsObject, name: &str) -> Option<String> {
    told(object.property(name)?)
}

fn texts(object: &PsObject, name: &str) -> Option<Vec<String>> {
    let value = object.property(name)?;
    let mut texts = match value.list() {
        Some(items) => items.iter().map(told).collect::<Option<Vec<_>>>()?,
        None => vec![told(value)?],
    };
    texts.retain(|text| !text.is_empty());
    Some(texts)
}

fn told(value: &PsObject) -> Option<String> {
    match value {
        PsObject::Null => Some(String::new()),
        other => other.to_text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::psrp::object::Complex;

    #[test]
    fn a_location_that_is_not_told_is_no_empty_one() {
        let check = |value: Option<PsObject>, one: Option<&str>, many: Option<&[&str]>| {
            let properties = value.into_iter().map(|value| ("X".to_owned(), value)).collect();
            let object = PsObject::Complex(Box::new(Complex { properties, ..Complex::default() }));
            assert_eq!(location(&object, "X").as_deref(), one, "{object:?}");
            let many = many.map(|many| many.iter().map(|&text| text.to_owned()).collect());
            assert_eq!(texts(&object, "X"), many, "{object:?}");
        };
        let text = |text: &str| PsObject::Text(text.to_owned());
        check(None, None, None);
        check(Some(PsObject::Null), Some(""), Some(&[]));
        check(Some(text("")), Some(""), Some(&[]));
        check(Some(text("https://a")), Some("https://a"), Some(&["https://a"]));
        check(Some(PsObject::List(Vec::new())), None, Some(&[]));
        check(Some(PsObject::List(vec![text("https://a")])), None, Some(&["https://a"]));
        // What cannot be read as text is not known to be empty.
        check(Some(PsObject::Bytes(vec![1])), None, None);
        check(Some(PsObject::List(vec![PsObject::Bytes(vec![1])])), None, None);
    }

    #[test]
    fn the_organisation_is_named_by_its_container() {
        let check = |dn: &str, name: Option<&str>| {
            assert_eq!(organisation_name(dn).as_deref(), name, "{dn}");
        };
        let long = "CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=contoso,DC=example";
        check(
            &format!("CN=ControlPoint Config,CN=Transport Settings,CN=Contoso,{long}"),
            Some("Contoso"),
        );
        check(&format!(r"CN=ControlPoint Config,CN=A\, B\2C C,{long}"), Some("A, B, C"));
        check("CN=ControlPoint Config,CN=Transport Settings,CN=Contoso", Some("Contoso"));
        check("CN=ControlPoint Config,CN=Transport Settings,CN=Contoso,DC=x", Some("Contoso"));
        check(long, None);
        check("DC=contoso", None);
        check("", None);
    }
}
