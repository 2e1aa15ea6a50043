//! The inventory as a table, one host as a list, and where its variables come from.

use crate::model::host::Configure;
use crate::model::host::Host;
use crate::model::host::PriorAdrms;
use crate::model::host::RestartPolicy;
use crate::report::plural;
use crate::report::style::Style;
use crate::report::style::Tint;

/// One variable of a host with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable<'a> {
    pub key: &'a str,
    pub value: &'a str,
    /// `inventory.yml:39`.
    pub place: String,
    /// `group dag_eu1_fra`, `host`, `--var`.
    pub level: &'a str,
}

/// A line for each host and a count.
pub fn table(hosts: &[&Host], style: Style) -> String {
    let mut rows = vec![["host", "role", "product", "address", "groups"].map(str::to_owned)];
    for host in hosts {
        let groups: Vec<&str> =
            host.groups.iter().map(String::as_str).filter(|group| *group != "all").collect();
        rows.push([
            host.name.to_string(),
            role(host),
            host.product.map_or_else(|| "-".to_owned(), |product| product.to_string()),
            format!("{}:{}", host.endpoint.address, host.endpoint.port),
            groups.join(" "),
        ]);
    }
    let in_scope = hosts.iter().filter(|host| host.in_scope()).count();
    format!(
        "{}\n{}, {in_scope} in scope\n",
        columns(&rows, style, true),
        plural::count(hosts.len(), "host")
    )
}

/// Everything about one host that is decided.
pub fn host(host: &Host, style: Style) -> String {
    let dash = || "-".to_owned();
    let text = |value: &Option<String>| value.clone().unwrap_or_else(dash);
    let origin = |value: &Option<crate::model::origin::Origin>| {
        value.as_ref().map_or_else(dash, ToString::to_string)
    };
    let list = |items: &[String]| if items.is_empty() { dash() } else { items.join(" ") };
    let mut rows = vec![
        ["host".to_owned(), host.name.to_string()],
        ["role".to_owned(), role(host)],
        ["product".to_owned(), host.product.map_or_else(dash, |product| product.to_string())],
        ["endpoint".to_owned(), host.endpoint.url()],
        ["credential".to_owned(), host.credential.clone()],
        ["user".to_owned(), text(&host.user)],
        ["tenant".to_owned(), origin(&host.tenant)],
        ["connector".to_owned(), origin(&host.connector)],
        ["prior AD RMS".to_owned(), prior(host.prior_adrms).to_owned()],
        ["restart".to_owned(), restart(host.restart).to_owned()],
        ["dag".to_owned(), text(&host.dag)],
        ["farm".to_owned(), text(&host.farm)],
        ["cluster".to_owned(), text(&host.cluster)],
        ["site".to_owned(), text(&host.site)],
        ["canary".to_owned(), host.canary.map_or_else(dash, |rank| rank.to_string())],
        ["groups".to_owned(), list(&host.groups)],
        ["tags".to_owned(), list(&host.tags)],
        ["owner".to_owned(), text(&host.owner)],
    ];
    rows.retain(|[_, value]| value != "-");
    columns(&rows, style, false)
}

/// The narrowest terminal that tables are made for.
const WIDTH: usize = 80;

/// Variables with value, place and level: in columns, or where they are too wide for a terminal, each
/// on lines of its own.
pub fn origins(variables: &[Variable<'_>], style: Style) -> String {
    if variables.is_empty() {
        return "no variable that means something here is set\n".to_owned();
    }
    let rows: Vec<[String; 4]> = variables
        .iter()
        .map(|found| {
            [
                found.key.to_owned(),
                found.value.to_owned(),
                found.place.clone(),
                found.level.to_owned(),
            ]
        })
        .collect();
    let table = columns(&rows, style, false);
    if table.lines().all(|line| line.chars().count() <= WIDTH) {
        return table;
    }
    let two = |[key, value, place, level]: &[String; 4]| {
        format!("{}\n    {value}\n    {place}  {level}\n", style.paint(Tint::Strong, key))
    };
    rows.iter().map(two).collect()
}

fn role(host: &Host) -> String {
    match (host.role, host.configure) {
        (None, _) => "out of scope".to_owned(),
        (Some(role), Configure::No) => format!("{role} (not configured)"),
        (Some(role), _) if host.in_scope() => role.to_string(),
        (Some(role), _) => format!("{role} (read only)"),
    }
}

fn prior(prior: PriorAdrms) -> &'static str {
    match prior {
        PriorAdrms::Auto => "by evidence",
        PriorAdrms::Used => "used",
        PriorAdrms::Never => "never",
    }
}

fn restart(policy: RestartPolicy) -> &'static str {
    match policy {
        RestartPolicy::Auto => "by the rules",
        RestartPolicy::Always => "always",
        RestartPolicy::Never => "never; what the rules require stays owed",
        RestartPolicy::Manual => "by hand; what the rules require stays owed",
    }
}

/// Columns as wide as their widest cell, two spaces apart.
fn columns<const N: usize>(rows: &[[String; N]], style: Style, head: bool) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for (place, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let line = cells.join("  ");
        let tint = if head && place == 0 { Tint::Strong } else { Tint::Plain };
        text.push_str(&style.paint(tint, line.trim_end()));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_key_value_place_and_level() {
        let variables = [
            Variable {
                key: "rms_dag",
                value: "DAG-EU1",
                place: "a.yml:31".into(),
                level: "group x",
            },
            Variable { key: "rms_canary", value: "1", place: "a.yml:9".into(), level: "host" },
        ];
        let expected = "rms_dag     DAG-EU1  a.yml:31  group x\n\
                        rms_canary  1        a.yml:9   host\n";
        assert_eq!(origins(&variables, Style::PLAIN), expected);
    }

    #[test]
    fn what_is_too_wide_for_a_terminal_stands_on_lines_of_its_own() {
        let variables = [Variable {
            key: "rms_tenant_url",
            value: "https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com",
            place: "inventories/contoso.yml:7:23".into(),
            level: "group all",
        }];
        let expected = "rms_tenant_url\n    \
                        https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com\n    \
                        inventories/contoso.yml:7:23  group all\n";
        assert_eq!(origins(&variables, Style::PLAIN), expected);
    }
}
