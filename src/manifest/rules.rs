//! Rule packs: YAML to [`RulePack`], and the templates of its names and data.

use std::collections::BTreeMap;

use minijinja::Environment;
use minijinja::UndefinedBehavior;
use sha2::Digest;
use sha2::Sha256;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::source::Source;
use crate::manifest::source::Span;
use crate::manifest::tree;
use crate::manifest::tree::Entry;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::model::origin::Origin;
use crate::model::product::Product;
use crate::model::rules::Confidence;
use crate::model::rules::ProductLabel;
use crate::model::rules::Rule;
use crate::model::rules::RulePack;
use crate::model::rules::Support;
use crate::model::rules::Variant;

/// The rows of `connector.md` 1.1.
const ROWS: u32 = 9;
/// The longest template; the steps a template may take follow from it.
const MAX_TEMPLATE: usize = 1_000;

/// Why a template gives no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("template `{template}` needs the tenant URL, and the host has none")]
    NoTenant { template: String },
    #[error("template `{template}` needs the connector URL, and the host has none")]
    NoConnector { template: String },
    #[error("template is longer than {MAX_TEMPLATE} bytes")]
    Long,
    #[error("template `{template}`: {reason}")]
    Wrong { template: String, reason: String },
}

/// Fills `{{ tenant }}` and `{{ connector }}` in. Strict: a variable that is not there is an error,
/// and a template that does not speak of one does not need it.
pub fn fill(
    template: &str,
    tenant: Option<&Origin>,
    connector: Option<&Origin>,
) -> Result<String, TemplateError> {
    if template.len() > MAX_TEMPLATE {
        return Err(TemplateError::Long);
    }
    if !template.contains('{') {
        return Ok(template.to_owned());
    }
    let wrong = |error: &minijinja::Error| TemplateError::Wrong {
        template: template.to_owned(),
        reason: error.to_string(),
    };
    if template.contains("{%") {
        return Err(TemplateError::Wrong {
            template: template.to_owned(),
            reason: "statements are not allowed, only `{{ tenant }}` and `{{ connector }}`"
                .to_owned(),
        });
    }
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let parsed = environment.template_from_str(template).map_err(|error| wrong(&error))?;
    let wanted = parsed.undeclared_variables(false);
    if tenant.is_none() && wanted.contains("tenant") {
        return Err(TemplateError::NoTenant { template: template.to_owned() });
    }
    if connector.is_none() && wanted.contains("connector") {
        return Err(TemplateError::NoConnector { template: template.to_owned() });
    }
    let given = [("tenant", tenant), ("connector", connector)];
    let values: BTreeMap<&'static str, String> = given
        .iter()
        .filter_map(|(name, origin)| origin.map(|origin| (*name, origin.to_string())))
        .collect();
    parsed.render(values).map_err(|error| wrong(&error))
}

/// Whether a text read from a host is what a filled-in template says. Case does not matter, and `*`
/// stands for the host part of a URL.
pub fn fits(filled: &str, text: &str) -> bool {
    let (filled, text) = (filled.to_ascii_lowercase(), text.to_ascii_lowercase());
    match filled.split_once('*') {
        None => filled == text,
        Some((head, tail)) => text
            .strip_prefix(head)
            .and_then(|rest| rest.strip_suffix(tail))
            .is_some_and(|host| !host.is_empty() && !host.contains('/')),
    }
}

/// Reads a rule pack; all complaints come at once.
pub fn parse(source: &Source) -> Result<RulePack, Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    let pack = tree::parse(source, &mut diagnostics)
        .and_then(|root| read(&root, &source.text, &mut diagnostics));
    diagnostics.settle(pack).map(|(pack, _)| pack)
}

fn read(root: &Node, text: &str, diagnostics: &mut Diagnostics) -> Option<RulePack> {
    let mut fields = Fields::open(root, "a rule pack", root.span, diagnostics)?;
    fields.require("version", diagnostics, |node| scalar::integer(node, 1, 1));
    let id = fields.require("id", diagnostics, owned);
    let release = fields.require("release", diagnostics, owned);
    let products = items(&mut fields, "products", diagnostics);
    let rules = items(&mut fields, "rules", diagnostics);
    fields.finish(diagnostics);
    let mut labels: BTreeMap<Product, Span> = BTreeMap::new();
    let mut list = Vec::new();
    for node in products {
        let Some(label) = product(node, diagnostics) else { continue };
        if let Some(first) = labels.insert(label.product, node.span) {
            diagnostics.push(twice(node.span, first, label.product.id()));
        }
        list.push(label);
    }
    let mut ids: BTreeMap<String, Span> = BTreeMap::new();
    let mut all = Vec::new();
    for node in rules {
        let Some(rule) = rule(node, diagnostics) else { continue };
        if let Some(first) = ids.insert(rule.id.clone(), node.span) {
            diagnostics.push(twice(node.span, first, &rule.id));
        }
        for product in rule.products.iter().filter(|product| !labels.contains_key(product)) {
            diagnostics.push(
                Diagnostic::error(
                    node.span,
                    format!("rule `{}` is for `{product}`, which has no label", rule.id),
                )
                .help(format!("add `{product}` below `products:`")),
            );
        }
        all.push(rule);
    }
    let digest = Sha256::digest(text.as_bytes());
    let sha256 = format!("{digest:x}");
    Some(RulePack { id: id?, version: release?, sha256, products: list, rules: all })
}

fn product(entry: &Node, diagnostics: &mut Diagnostics) -> Option<ProductLabel> {
    let mut fields = Fields::open(entry, "a product label", entry.span, diagnostics)?;
    let product = fields.require("product", diagnostics, product_id);
    let support = fields.require("support", diagnostics, |node| {
        let words = [
            ("documented", Support::Documented),
            ("undocumented", Support::Undocumented),
            ("unsupported", Support::Unsupported),
        ];
        scalar::choice(node, &words)
    });
    let source = fields.require("source", diagnostics, owned);
    let date = fields.require("date", diagnostics, date);
    let note = fields.read("note", diagnostics, prose);
    fields.finish(diagnostics);
    Some(ProductLabel { product: product?, support: support?, source: source?, date: date?, note })
}

fn rule(entry: &Node, diagnostics: &mut Diagnostics) -> Option<Rule> {
    let mut fields = Fields::open(entry, "a rule", entry.span, diagnostics)?;
    let id = fields.require("id", diagnostics, owned);
    let row = fields.require("row", diagnostics, |node| {
        let row = scalar::integer(node, 1, ROWS)?;
        u8::try_from(row).map_err(|_| Mismatch::new("needs a row number"))
    });
    let products = fields.require("products", diagnostics, |node| {
        let products = scalar::list(node, product_id)?;
        if products.is_empty() {
            Err(Mismatch::new("needs at least one product"))
        } else {
            Ok(products)
        }
    });
    let key = fields.require("key", diagnostics, key_path);
    let name = fields.require("name", diagnostics, |node| template(node, true));
    let data = fields.require("data", diagnostics, |node| template(node, false));
    let source = fields.require("source", diagnostics, owned);
    let confidence = fields.require("confidence", diagnostics, |node| {
        let words = [
            ("documented", Confidence::Documented),
            ("script", Confidence::Script),
            ("third-party", Confidence::ThirdParty),
            ("inferred", Confidence::Inferred),
        ];
        scalar::choice(node, &words)
    });
    let note = fields.read("note", diagnostics, prose);
    let mut variants = Vec::new();
    let mut ids: BTreeMap<String, Span> = BTreeMap::new();
    for node in if fields.take("variants").is_some() {
        items(&mut fields, "variants", diagnostics)
    } else {
        &[]
    } {
        let Some(variant) = variant(node, diagnostics) else { continue };
        if let Some(first) = ids.insert(variant.id.clone(), node.span) {
            diagnostics.push(twice(node.span, first, &variant.id));
        }
        variants.push(variant);
    }
    fields.finish(diagnostics);
    Some(Rule {
        id: id?,
        row: row?,
        products: products?,
        key: key?,
        name: name?,
        data: data?,
        source: source?,
        confidence: confidence?,
        note,
        variants,
    })
}

fn variant(entry: &Node, diagnostics: &mut Diagnostics) -> Option<Variant> {
    let mut fields = Fields::open(entry, "a variant", entry.span, diagnostics)?;
    let id = fields.require("id", diagnostics, owned);
    let name = fields.read("name", diagnostics, |node| template(node, true));
    let data = fields.read("data", diagnostics, |node| template(node, false));
    let note = fields.require("note", diagnostics, prose);
    let source = fields.require("source", diagnostics, owned);
    if fields.take("name").is_none() && fields.take("data").is_none() {
        diagnostics.push(
            Diagnostic::error(fields.span(), "a variant needs `name` or `data`, or both")
                .help("say in what it differs from its rule".to_owned()),
        );
    }
    fields.finish(diagnostics);
    Some(Variant { id: id?, name, data, note: note?, source: source? })
}

/// The items of a list that must be there and not empty.
fn items<'n>(
    fields: &mut Fields<'n>,
    key: &'static str,
    diagnostics: &mut Diagnostics,
) -> &'n [Node] {
    match fields.take(key) {
        Some(Entry { value: Node { value: Value::Sequence(items), .. }, .. })
            if !items.is_empty() =>
        {
            items
        }
        Some(Entry { key: at, value }) => {
            let message = format!("`{key}` needs a list, found {}", value.kind());
            diagnostics.push(
                Diagnostic::error(at.span, message).help("begin each entry with `- `".to_owned()),
            );
            &[]
        }
        None => {
            let message = format!("a rule pack needs the key `{key}`");
            diagnostics.push(
                Diagnostic::error(fields.span(), message)
                    .help(format!("add `{key}:` with a list below it")),
            );
            &[]
        }
    }
}

fn twice(again: Span, first: Span, id: &str) -> Diagnostic {
    Diagnostic::error(again, format!("`{id}` stands here a second time"))
        .related(first, "first here")
        .help("give each entry its own id".to_owned())
}

fn product_id(node: &Node) -> Result<Product, Mismatch> {
    scalar::choice(node, &Product::ALL.map(|product| (product.id(), product)))
}

fn key_path(node: &Node) -> Result<String, Mismatch> {
    let text = scalar::text(node)?;
    let help = || "write it below HKEY_LOCAL_MACHINE: `SOFTWARE\\Microsoft\\MSDRM`".to_owned();
    if text.starts_with("HK") || text.starts_with('\\') || text.ends_with('\\') {
        return Err(Mismatch::new("needs a key below HKLM, without the hive").help(help()));
    }
    if !text.to_ascii_lowercase().starts_with("software\\") || text.contains("\\\\") {
        return Err(Mismatch::new(format!("needs a key below SOFTWARE, found {}", node.kind()))
            .help(help()));
    }
    Ok(text.to_owned())
}

/// A template that fills in with a tenant and a connector, whatever they are.
fn template(node: &Node, may_be_empty: bool) -> Result<String, Mismatch> {
    let text = if may_be_empty { scalar::text_or_empty(node)? } else { scalar::text(node)? };
    let sample = Origin::parse("https://example.org").ok();
    match fill(text, sample.as_ref(), sample.as_ref()) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(Mismatch::new(format!("is no template: {error}"))
            .help("use `{{ tenant }}` and `{{ connector }}` only".to_owned())),
    }
}

/// `2026-01-09`.
fn date(node: &Node) -> Result<String, Mismatch> {
    let text = scalar::text(node)?;
    match text.parse::<jiff::civil::Date>() {
        Ok(date) if date.to_string() == text => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(Mismatch::new(format!("needs a date, found {}", node.kind()))
            .help("write it as `2026-01-09`".to_owned())),
    }
}

fn owned(node: &Node) -> Result<String, Mismatch> {
    scalar::text(node).map(str::to_owned)
}

fn prose(node: &Node) -> Result<String, Mismatch> {
    scalar::prose(node).map(str::to_owned)
}
