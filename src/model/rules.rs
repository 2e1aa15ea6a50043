//! The rule pack: which values, for which role and version, from which source. Data, not code.

use serde::Deserialize;
use serde::Serialize;

use crate::model::product::Product;

/// How far a statement can be trusted, and who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// A Microsoft document says so.
    Documented,
    /// Read in Microsoft's own script.
    Script,
    /// Third-party or support material.
    ThirdParty,
    /// The project's inference.
    Inferred,
}

/// Whether a product version is on Microsoft's list for the connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    Documented,
    Undocumented,
    /// No longer listed.
    Unsupported,
}

/// A product version's label, with its source and the source's date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductLabel {
    pub product: Product,
    pub support: Support,
    pub source: String,
    /// The date of the source, `2026-01-09`.
    pub date: String,
    pub note: Option<String>,
}

/// A known other form of a rule's value: recognised, explained, converged only if asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    pub id: String,
    /// Template of the value name, if it differs from the rule's.
    pub name: Option<String>,
    /// Template of the data, if it differs from the rule's.
    pub data: Option<String>,
    pub note: String,
    pub source: String,
}

/// One registry value that a role and version needs.
///
/// `name` and `data` are templates over `tenant` and `connector`, both origins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub id: String,
    /// The row of `connector.md` 1.1.
    pub row: u8,
    pub products: Vec<Product>,
    pub key: String,
    /// Template; empty for the default value.
    pub name: String,
    pub data: String,
    pub source: String,
    pub confidence: Confidence,
    pub note: Option<String>,
    pub variants: Vec<Variant>,
}

/// A rule pack, with the digest of the text it was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulePack {
    pub id: String,
    pub version: String,
    pub sha256: String,
    pub products: Vec<ProductLabel>,
    pub rules: Vec<Rule>,
}
