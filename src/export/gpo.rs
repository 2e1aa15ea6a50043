//! `export gpo`: a script that makes one Group Policy object for each kind of server, and one that
//! takes its values back.
//!
//! What is not known, and therefore visible and switchable: whether the registry extension takes the
//! value name `(default)` for a key's default value. The vendor's script writes it so; the object
//! model's documentation says the empty text. The script has a parameter for it and says which
//! values hang on it.

use std::collections::BTreeMap;

use crate::export::file::ExportError;
use crate::export::file::File;
use crate::export::file::crlf;
use crate::export::file::is_plain;
use crate::export::list;
use crate::export::powershell::literal;
use crate::export::powershell::registry_value;
use crate::export::values::ValueSet;
use crate::export::values::sets;
use crate::model::plan::Plan;
use crate::model::product::Product;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;
use crate::model::visible::visible;

const FORMAT: &str = "a Group Policy script";

/// The scripts, and the lists for whoever makes the policies by hand.
pub fn files(plan: &Plan, digest: &str) -> Result<Vec<File>, ExportError> {
    let sets = sets(plan);
    if sets.is_empty() {
        return Err(ExportError::Nothing);
    }
    let policies = policies(plan, &sets)?;
    let count = policies.len();
    let head = head(plan, digest);
    let stamp = format!("rmsfleet plan sha256 {digest}");
    let table = table(&stamp, &policies);
    let script = |name: &str, text: String, about: String| File {
        name: name.to_owned(),
        // Windows PowerShell takes a script without a mark for the system's old code page.
        bytes: [b"\xef\xbb\xbf", crlf(&text).as_bytes()].concat(),
        about,
    };
    let mut files = vec![
        script(
            "create-policies.ps1",
            format!("{head}{CREATE_HEAD}{table}{CREATE}"),
            format!("creates {count} Group Policy objects, and links none"),
        ),
        script(
            "undo-policies.ps1",
            format!("{head}{UNDO_HEAD}{table}{UNDO}"),
            "makes them delete their values, or removes them".to_owned(),
        ),
    ];
    files.extend(list::files(plan, digest, &policies));
    Ok(files)
}

/// One Group Policy object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub name: String,
    pub hosts: Vec<String>,
    pub values: Vec<(ValuePath, Value)>,
}

fn policies(plan: &Plan, sets: &[ValueSet]) -> Result<Vec<Policy>, ExportError> {
    let mut of_kind: BTreeMap<String, usize> = BTreeMap::new();
    for set in sets {
        *of_kind.entry(kind(set)).or_default() += 1;
    }
    let mut placed: BTreeMap<String, usize> = BTreeMap::new();
    let mut policies = Vec::new();
    for set in sets {
        let kind = kind(set);
        let place = placed.entry(kind.clone()).or_default();
        *place += 1;
        let several = of_kind.get(&kind).is_some_and(|count| *count > 1);
        let which = if several { format!(" set {place}") } else { String::new() };
        policies.push(Policy {
            name: format!("RMS connector values for {kind}{which} (rmsfleet)"),
            hosts: set.hosts.iter().map(|host| host.as_str().to_owned()).collect(),
            values: values(plan, set)?,
        });
    }
    Ok(policies)
}

fn kind(set: &ValueSet) -> String {
    match (set.product, set.role) {
        (Some(product), _) => Product::id(product).to_owned(),
        (None, Some(role)) => role.id().to_owned(),
        (None, None) => "servers".to_owned(),
    }
}

fn values(plan: &Plan, set: &ValueSet) -> Result<Vec<(ValuePath, Value)>, ExportError> {
    let mut values = Vec::new();
    for (path, state) in &set.values {
        if !is_plain(path.key.as_str()) || !is_plain(path.name.as_str()) {
            return Err(ExportError::Name { format: FORMAT, path: path.clone() });
        }
        let value = match state {
            State::Absent => {
                let (format, path) = (FORMAT, path.clone());
                return Err(match plan.undoes {
                    Some(_) => ExportError::Absent { format, path },
                    None => ExportError::Variant { format, path },
                });
            }
            State::Present(value) => value,
        };
        let fits = match value {
            Value::Sz(text) | Value::ExpandSz(text) => is_plain(text),
            Value::MultiSz(texts) => texts.iter().all(|text| is_plain(text)),
            Value::Binary(_) | Value::Dword(_) | Value::Qword(_) => true,
        };
        if !fits {
            return Err(ExportError::Data { format: FORMAT, path: path.clone() });
        }
        values.push((path.clone(), value.clone()));
    }
    Ok(values)
}

fn head(plan: &Plan, digest: &str) -> String {
    let lines = [
        "#Requires -Modules GroupPolicy".to_owned(),
        format!("# {} from the plan with sha256 {digest},", plan.tool),
        format!("# made {} from rules {}.", plan.created, plan.rules),
        "#".to_owned(),
    ];
    lines.iter().fold(String::new(), |text, line| text + &visible(line) + "\n")
}

fn table(stamp: &str, policies: &[Policy]) -> String {
    let mut text = format!("$stamp = {}\n$policies = @(\n", literal(stamp));
    for policy in policies {
        text.push_str(&format!("    # {}\n", visible(&policy.hosts.join(", "))));
        text.push_str(&format!("    @{{\n        Name   = {}\n", literal(&policy.name)));
        text.push_str("        Values = @(\n");
        for (path, value) in &policy.values {
            let (kind, data) = registry_value(value);
            let key = literal(&format!("HKLM\\{}", path.key.as_str()));
            let name = literal(path.name.as_str());
            text.push_str(&format!(
                "            @{{ Key = {key}; Name = {name}; Type = '{kind}'; Data = {data} }}\n"
            ));
        }
        text.push_str("        )\n    }\n");
    }
    text.push_str(")\n");
    text
}

const CREATE_HEAD: &str = "\
# Creates one Group Policy object for each kind of server, and links none: link each to the
# servers it is for. Values outside Software\\Policies stay on a server when the policy goes;
# undo-policies.ps1 makes the policies delete them first.
#
# A key's default value is written under the value name that -DefaultValueName gives. It is not
# settled whether every client takes `(default)` for it: after the first refresh let
# `rmsfleet verify` look at one server before you link the rest.
[CmdletBinding()]
param(
    # Another domain than that of this computer.
    [string] $Domain = '',
    [string] $DefaultValueName = '(default)',
    # Set the values again in policies that this plan's script has made before.
    [switch] $Again
)
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
";

const CREATE: &str = r#"
$place = @{}
if ($Domain -ne '') { $place['Domain'] = $Domain }
$there = @(Get-GPO -All @place)

# Everything is looked at before anything is made.
foreach ($policy in $policies) {
    foreach ($own in @($there | Where-Object { $_.DisplayName -eq $policy.Name })) {
        if (-not $Again) {
            throw "There is a policy '$($policy.Name)' already. To set its values again: -Again"
        }
        if ($own.Description -ne $stamp) {
            throw "The policy '$($policy.Name)' is not of this plan. Rename or remove it first."
        }
    }
}

foreach ($policy in $policies) {
    $own = @($there | Where-Object { $_.DisplayName -eq $policy.Name })
    if ($own.Count -gt 0) { $gpo = $own[0] }
    else { $gpo = New-GPO -Name $policy.Name -Comment $stamp @place }
    foreach ($value in $policy.Values) {
        $name = $value.Name
        if ($name -eq '') {
            $name = $DefaultValueName
            Write-Warning "$($policy.Name): the default value of $($value.Key) goes by '$name'"
        }
        $null = Set-GPRegistryValue -Guid $gpo.Id -Key $value.Key -ValueName $name -Type $value.Type -Value $value.Data -Additive @place
    }
    Write-Output "$($policy.Name): $($policy.Values.Count) values, not linked"
}
"#;

const UNDO_HEAD: &str = "\
# Makes the policies of create-policies.ps1 delete their values from the servers. What a server
# held before does not come back this way: that is in the .undo.reg files and in `rmsfleet undo`.
# When every server has taken the change, run it again with -Remove.
[CmdletBinding()]
param(
    # Another domain than that of this computer.
    [string] $Domain = '',
    # As create-policies.ps1 was told.
    [string] $DefaultValueName = '(default)',
    # Remove the policies. Servers that have not refreshed since keep their values.
    [switch] $Remove
)
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
";

const UNDO: &str = r#"
$place = @{}
if ($Domain -ne '') { $place['Domain'] = $Domain }
$there = @(Get-GPO -All @place)

foreach ($policy in $policies) {
    $own = @($there | Where-Object { $_.DisplayName -eq $policy.Name -and $_.Description -eq $stamp })
    if ($own.Count -eq 0) {
        Write-Warning "There is no policy '$($policy.Name)' of this plan."
        continue
    }
    if ($Remove) {
        Remove-GPO -Guid $own[0].Id @place
        Write-Output "$($policy.Name): removed"
        continue
    }
    foreach ($value in $policy.Values) {
        $name = $value.Name
        if ($name -eq '') { $name = $DefaultValueName }
        $null = Set-GPRegistryValue -Guid $own[0].Id -Key $value.Key -ValueName $name -Disable @place
    }
    Write-Output "$($policy.Name): deletes $($policy.Values.Count) values at the next refresh"
}
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::Undoes;
    use crate::plan::sample;

    #[test]
    fn a_value_that_goes_is_refused_with_the_way_that_fits_the_plan() {
        let mut plan = sample::plan();
        let host = plan.hosts.values_mut().find(|host| !host.changes.is_empty()).unwrap();
        host.changes[0].after = State::Absent;
        let said = |plan: &Plan| files(plan, "0123abcd").unwrap_err().to_string();
        let converges = said(&plan);
        assert!(converges.contains("with `variants: report` or `leave`"), "{converges}");
        plan.undoes =
            Some(Undoes { run: "r1".to_owned(), digest: String::new(), depth: 1, left: 0 });
        let undoes = said(&plan);
        assert!(undoes.ends_with("plan the way forward and export that"), "{undoes}");
    }
}
