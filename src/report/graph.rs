//! The inventory's groups as a tree, as `ansible-inventory --graph` draws it.

use std::collections::BTreeMap;

use crate::manifest::inventory::Group;
use crate::manifest::inventory::Inventory;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::report::style::Style;
use crate::report::style::Tint;

/// Every group below `all` with the hosts that stand in it directly. A host that stands in several
/// groups stands in the tree as often.
pub fn graph(inventory: &Inventory, style: Style) -> String {
    let hosts: BTreeMap<&HostName, &Host> =
        inventory.hosts.iter().map(|host| (&host.name, host)).collect();
    let mut lines = Vec::new();
    group("all", 0, inventory, &hosts, style, &mut lines);
    lines.join("\n") + "\n"
}

fn group(
    name: &str,
    depth: usize,
    inventory: &Inventory,
    hosts: &BTreeMap<&HostName, &Host>,
    style: Style,
    lines: &mut Vec<String>,
) {
    let Some(own) = inventory.groups.get(name) else { return };
    let count = own.hosts.len();
    let head = style.paint(Tint::Strong, &format!("@{name}"));
    lines.push(format!("{}{head}  {count}", indent(depth)));
    for child in below(name, own, inventory) {
        group(&child, depth + 1, inventory, hosts, style, lines);
    }
    for host in &own.hosts {
        // Below one of the children it is shown there.
        let deeper = below(name, own, inventory).iter().any(|child| {
            inventory.groups.get(child).is_some_and(|child| child.hosts.contains(host))
        });
        if deeper {
            continue;
        }
        let role = hosts.get(host).and_then(|host| host.role);
        let role = role.map_or_else(|| "out of scope".to_owned(), |role| role.to_string());
        let role = style.paint(Tint::Faint, &role);
        lines.push(format!("{}{host}  {role}", indent(depth + 1)));
    }
}

/// The groups directly below; under `all` also those that no group has as a child.
fn below(name: &str, own: &Group, inventory: &Inventory) -> Vec<String> {
    let mut children = own.children.clone();
    if name == "all" {
        let is_child =
            |name: &String| inventory.groups.values().any(|group| group.children.contains(name));
        let orphans = inventory.groups.keys().filter(|name| *name != "all" && !is_child(name));
        children.extend(orphans.cloned());
    }
    children
}

fn indent(depth: usize) -> String {
    if depth == 0 { String::new() } else { format!("{}|--", "|  ".repeat(depth - 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::inventory::InventorySources;
    use crate::manifest::inventory::parse;

    #[test]
    fn a_host_stands_below_its_nearest_groups() {
        let text = "all:\n  children:\n    mail:\n      vars: { rms_role: none }\n      children:\n        \
                    dag:\n          hosts:\n            EX1:\n      hosts:\n        EX2:\n  hosts:\n    FS1:\n";
        let inventory = parse(&InventorySources::alone("i.yml", text), &[]).unwrap();
        let expected = "\
@all  3
|--@mail  2
|  |--@dag  1
|  |  |--EX1  out of scope
|  |--EX2  out of scope
|--FS1  out of scope
";
        assert_eq!(graph(&inventory, Style::PLAIN), expected);
    }
}
