//! Which Windows a simulated product runs on, and which version it says it has.

use crate::model::product::Product;

/// One Windows Server release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    pub version: &'static str,
    pub caption: &'static str,
}

const W2012: Windows =
    Windows { version: "6.2.9200", caption: "Microsoft Windows Server 2012 Standard" };
const W2012R2: Windows =
    Windows { version: "6.3.9600", caption: "Microsoft Windows Server 2012 R2 Standard" };
const W2016: Windows =
    Windows { version: "10.0.14393", caption: "Microsoft Windows Server 2016 Standard" };
const W2019: Windows =
    Windows { version: "10.0.17763", caption: "Microsoft Windows Server 2019 Standard" };
const W2022: Windows =
    Windows { version: "10.0.20348", caption: "Microsoft Windows Server 2022 Standard" };
const W2025: Windows =
    Windows { version: "10.0.26100", caption: "Microsoft Windows Server 2025 Standard" };

impl Windows {
    /// The Windows that the product usually runs on; its own for a Windows product.
    pub fn under(product: Product) -> Self {
        match product {
            Product::Exchange2010 | Product::Sharepoint2010 | Product::Windows2012 => W2012,
            Product::Exchange2013 | Product::Sharepoint2013 | Product::Windows2012R2 => W2012R2,
            Product::Exchange2016 | Product::Sharepoint2016 | Product::Windows2016 => W2016,
            Product::Exchange2019 | Product::Sharepoint2019 | Product::Windows2019 => W2019,
            Product::ExchangeSe | Product::SharepointSe | Product::Windows2022 => W2022,
            Product::Windows2025 => W2025,
        }
    }

    /// `17763` of `10.0.17763`.
    pub fn build(self) -> &'static str {
        self.version.rsplit('.').next().unwrap_or_default()
    }
}

/// `MsiProductMajor`, `MsiProductMinor`, `MsiBuildMajor`, `MsiBuildMinor` of an Exchange server.
pub fn exchange_build(product: Product) -> Option<[u32; 4]> {
    match product {
        // Service Pack 3; update rollups do not show here.
        Product::Exchange2010 => Some([14, 3, 123, 4]),
        Product::Exchange2013 => Some([15, 0, 1497, 2]),
        Product::Exchange2016 => Some([15, 1, 2507, 6]),
        Product::Exchange2019 => Some([15, 2, 1544, 4]),
        Product::ExchangeSe => Some([15, 2, 2562, 17]),
        Product::Sharepoint2010
        | Product::Sharepoint2013
        | Product::Sharepoint2016
        | Product::Sharepoint2019
        | Product::SharepointSe
        | Product::Windows2012
        | Product::Windows2012R2
        | Product::Windows2016
        | Product::Windows2019
        | Product::Windows2022
        | Product::Windows2025 => None,
    }
}

/// Where an Exchange server is installed, with the last backslash that its setup writes.
pub fn exchange_folder(product: Product) -> &'static str {
    if product == Product::Exchange2010 {
        r"C:\Program Files\Microsoft\Exchange Server\V14\"
    } else {
        r"C:\Program Files\Microsoft\Exchange Server\V15\"
    }
}

/// The key below `Web Server Extensions` and its `Version`, of a SharePoint server.
pub fn sharepoint_build(product: Product) -> Option<(&'static str, &'static str)> {
    match product {
        Product::Sharepoint2010 => Some(("14.0", "14.0.0.7268")),
        Product::Sharepoint2013 => Some(("15.0", "15.0.0.5603")),
        Product::Sharepoint2016 => Some(("16.0", "16.0.0.5508")),
        Product::Sharepoint2019 => Some(("16.0", "16.0.0.10417")),
        Product::SharepointSe => Some(("16.0", "16.0.0.18526")),
        Product::Exchange2010
        | Product::Exchange2013
        | Product::Exchange2016
        | Product::Exchange2019
        | Product::ExchangeSe
        | Product::Windows2012
        | Product::Windows2012R2
        | Product::Windows2016
        | Product::Windows2019
        | Product::Windows2022
        | Product::Windows2025 => None,
    }
}
