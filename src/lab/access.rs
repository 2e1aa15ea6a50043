//! Who may what on a key, as `StdRegProv` carries it: a `__SecurityDescriptor` of which this farm
//! knows the access list alone.

use crate::lab::cim::Property;
use crate::lab::fault;
use crate::lab::fault::LabFault;
use crate::lab::fault::Provider;
use crate::lab::registry::Registry;
use crate::lab::regmethod::ACCESS_DENIED;
use crate::lab::regmethod::Method;
use crate::lab::regmethod::NOT_FOUND;
use crate::lab::regmethod::OK;
use crate::lab::regmethod::Output;
use crate::model::particulars::AccessEntry;
use crate::model::registry::KeyPath;
use crate::wire::xml::Element;

/// Full control of a key (`KEY_ALL_ACCESS`).
const FULL: u32 = 0xF_003F;
const CONTAINER_INHERIT: u64 = 2;
const DACL_PRESENT: u64 = 4;
const DENIES: u64 = 1;

/// Full control, for subkeys too.
pub fn full(sid: &str) -> AccessEntry {
    AccessEntry { sid: sid.to_owned(), allows: true, mask: FULL, inherited_below: true }
}

/// What `GetSecurityDescriptor` answers.
pub fn descriptor(registry: &Registry, key: &KeyPath) -> Output {
    let method = Method::GetSecurityDescriptor;
    if !registry.may_read(key) {
        return method.refused(ACCESS_DENIED);
    }
    if !registry.has_key(key) {
        return method.refused(NOT_FOUND);
    }
    let entries = registry.access(key).into_iter().map(|entry| {
        Property::Embedded(vec![
            ("AccessMask", Property::Number(entry.mask.into())),
            ("AceFlags", Property::Number(u64::from(entry.inherited_below) * CONTAINER_INHERIT)),
            ("AceType", Property::Number(u64::from(!entry.allows) * DENIES)),
            ("Trustee", Property::Embedded(vec![("SIDString", Property::text(&entry.sid))])),
        ])
    });
    let parts = vec![
        ("ControlFlags", Property::Number(DACL_PRESENT)),
        ("DACL", Property::Many(entries.collect())),
    ];
    Output { out: vec![("Descriptor", Property::Embedded(parts))], code: OK }
}

/// The access list of a descriptor given to `SetSecurityDescriptor`.
pub fn entries(descriptor: &Element) -> Result<Vec<AccessEntry>, LabFault> {
    let part =
        |element: &Element, name: &str| element.elements().find(|own| own.name == name).cloned();
    let number = |element: &Element, name: &str| -> Result<u64, LabFault> {
        let text = part(element, name).ok_or_else(|| mistyped(name))?.text();
        text.trim().parse().map_err(|_| mistyped(name))
    };
    if number(descriptor, "ControlFlags")? & DACL_PRESENT == 0 {
        return Err(mistyped("ControlFlags"));
    }
    let lists = descriptor.elements().filter(|own| own.name == "DACL");
    lists
        .map(|ace| {
            let trustee = part(ace, "Trustee").ok_or_else(|| mistyped("Trustee"))?;
            let sid = part(&trustee, "SIDString").ok_or_else(|| mistyped("SIDString"))?;
            Ok(AccessEntry {
                sid: sid.text().trim().to_owned(),
                allows: number(ace, "AceType")? != DENIES,
                mask: u32::try_from(number(ace, "AccessMask")?)
                    .map_err(|_| mistyped("AccessMask"))?,
                inherited_below: number(ace, "AceFlags")? & CONTAINER_INHERIT != 0,
            })
        })
        .collect()
}

fn mistyped(name: &str) -> LabFault {
    let text = format!("HRESULT = 0x80041005: {name} is of another type");
    LabFault::new(fault::INTERNAL_ERROR, "w:InternalError", text).by(Provider::Wmi)
}
