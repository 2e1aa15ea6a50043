//! What a product's setup leaves in the registry: the evidence of its version (`connector.md` 3).

use crate::lab::registry::Registry;
use crate::lab::windows;
use crate::lab::windows::Windows;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::registry::KeyPath;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;

/// The registry of a freshly installed host.
pub fn registry(role: Role, product: Product) -> Registry {
    let mut registry = Registry::default();
    windows_itself(&mut registry, Windows::under(product));
    match role {
        Role::Exchange => exchange(&mut registry, product),
        Role::Sharepoint => sharepoint(&mut registry, product),
        Role::Fci => registry.plant_key(&KeyPath::new(r"SOFTWARE\Microsoft\MSDRM")),
        Role::Connector => sz(
            &mut registry,
            r"SOFTWARE\Microsoft\AADRM\Connector",
            "InstallPath",
            r"C:\Program Files\Microsoft Rights Management connector",
        ),
    }
    registry
}

fn windows_itself(registry: &mut Registry, windows: Windows) {
    let current = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";
    sz(registry, current, "CurrentBuild", windows.build());
    sz(registry, current, "ProductName", windows.caption.trim_start_matches("Microsoft "));
    sz(registry, current, "EditionID", "ServerStandard");
    let programs = r"SOFTWARE\Microsoft\Windows\CurrentVersion";
    sz(registry, programs, "ProgramFilesDir", r"C:\Program Files");
    let expanded = Value::ExpandSz(r"%SystemRoot%\system32\svchost.exe -k netsvcs".to_owned());
    let service = r"SYSTEM\CurrentControlSet\Services\WinRM";
    registry.plant(ValuePath::new(service, "ImagePath"), expanded);
    dword(registry, service, "Start", 2);
    registry.plant_key(&KeyPath::new(r"SYSTEM\CurrentControlSet\Control\Session Manager"));
    registry.plant_key(&KeyPath::new(r"SOFTWARE\Microsoft\MSDRM"));
    registry.plant_volatile(&KeyPath::new(r"SOFTWARE\Microsoft\Windows\Lab\SinceBoot"));
}

fn exchange(registry: &mut Registry, product: Product) {
    let family = if product == Product::Exchange2010 { "v14" } else { "v15" };
    let setup = format!(r"SOFTWARE\Microsoft\ExchangeServer\{family}\Setup");
    let setup = setup.as_str();
    let names = ["MsiProductMajor", "MsiProductMinor", "MsiBuildMajor", "MsiBuildMinor"];
    let build = windows::exchange_build(product).unwrap_or([15, 2, 1544, 4]);
    for (name, number) in names.into_iter().zip(build) {
        dword(registry, setup, name, number);
    }
    sz(registry, setup, "MsiInstallPath", windows::exchange_folder(product));
    registry.share(&KeyPath::new(r"SOFTWARE\Microsoft\MSIPC\Server"));
    rights_client(registry);
}

fn sharepoint(registry: &mut Registry, product: Product) {
    let (key, version) = windows::sharepoint_build(product).unwrap_or(("16.0", "16.0.0.10417"));
    let key = format!(r"SOFTWARE\Microsoft\Shared Tools\Web Server Extensions\{key}");
    sz(registry, &key, "Version", version);
    sz(registry, &key, "SharePoint", "Installed");
    rights_client(registry);
}

/// The RMS client 2.1, MSIPC.
fn rights_client(registry: &mut Registry) {
    sz(registry, r"SOFTWARE\Microsoft\MSIPC\CurrentVersion", "", "1.0.2456.0");
}

/// The hive of a cluster, as long as its service runs: its name, and a key for each node.
pub(super) fn cluster(registry: &mut Registry, name: &str, nodes: &[String]) {
    sz(registry, "Cluster", "ClusterName", name);
    for (place, node) in nodes.iter().enumerate() {
        sz(registry, &format!(r"Cluster\Nodes\{}", place + 1), "NodeName", node);
    }
}

pub(super) fn sz(registry: &mut Registry, key: &str, name: &str, text: &str) {
    registry.plant(ValuePath::new(key, name), Value::Sz(text.to_owned()));
}

fn dword(registry: &mut Registry, key: &str, name: &str, number: u32) {
    registry.plant(ValuePath::new(key, name), Value::Dword(number));
}
