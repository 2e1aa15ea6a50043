//! Roles and product versions.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// What a host is for. `connector` nodes are read for evidence and never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Exchange,
    Sharepoint,
    Fci,
    Connector,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Exchange, Self::Sharepoint, Self::Fci, Self::Connector];

    pub fn id(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Sharepoint => "sharepoint",
            Self::Fci => "fci",
            Self::Connector => "connector",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.id() == id)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// A product version, by the id that `rms_product` uses: `exchange-2019`, `windows-2012r2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Product {
    Exchange2010,
    Exchange2013,
    Exchange2016,
    Exchange2019,
    ExchangeSe,
    Sharepoint2010,
    Sharepoint2013,
    Sharepoint2016,
    Sharepoint2019,
    SharepointSe,
    Windows2012,
    Windows2012R2,
    Windows2016,
    Windows2019,
    Windows2022,
    Windows2025,
}

impl Product {
    pub const ALL: [Self; 16] = [
        Self::Exchange2010,
        Self::Exchange2013,
        Self::Exchange2016,
        Self::Exchange2019,
        Self::ExchangeSe,
        Self::Sharepoint2010,
        Self::Sharepoint2013,
        Self::Sharepoint2016,
        Self::Sharepoint2019,
        Self::SharepointSe,
        Self::Windows2012,
        Self::Windows2012R2,
        Self::Windows2016,
        Self::Windows2019,
        Self::Windows2022,
        Self::Windows2025,
    ];

    pub fn id(self) -> &'static str {
        match self {
            Self::Exchange2010 => "exchange-2010",
            Self::Exchange2013 => "exchange-2013",
            Self::Exchange2016 => "exchange-2016",
            Self::Exchange2019 => "exchange-2019",
            Self::ExchangeSe => "exchange-se",
            Self::Sharepoint2010 => "sharepoint-2010",
            Self::Sharepoint2013 => "sharepoint-2013",
            Self::Sharepoint2016 => "sharepoint-2016",
            Self::Sharepoint2019 => "sharepoint-2019",
            Self::SharepointSe => "sharepoint-se",
            Self::Windows2012 => "windows-2012",
            Self::Windows2012R2 => "windows-2012r2",
            Self::Windows2016 => "windows-2016",
            Self::Windows2019 => "windows-2019",
            Self::Windows2022 => "windows-2022",
            Self::Windows2025 => "windows-2025",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|product| product.id() == id)
    }

    /// The role whose product this is; Windows versions are the products of file servers.
    pub fn role(self) -> Role {
        match self {
            Self::Exchange2010
            | Self::Exchange2013
            | Self::Exchange2016
            | Self::Exchange2019
            | Self::ExchangeSe => Role::Exchange,
            Self::Sharepoint2010
            | Self::Sharepoint2013
            | Self::Sharepoint2016
            | Self::Sharepoint2019
            | Self::SharepointSe => Role::Sharepoint,
            Self::Windows2012
            | Self::Windows2012R2
            | Self::Windows2016
            | Self::Windows2019
            | Self::Windows2022
            | Self::Windows2025 => Role::Fci,
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl TryFrom<String> for Product {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        Self::parse(&id).ok_or_else(|| format!("unknown product `{id}`"))
    }
}

impl From<Product> for String {
    fn from(product: Product) -> Self {
        product.id().to_owned()
    }
}
