//! Rule pack and inventory to desired values: what each host shall hold, before it is asked.

use std::collections::BTreeMap;

use minijinja::Environment;
use minijinja::UndefinedBehavior;

use crate::model::host::Host;
use crate::model::product::Product;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;
use crate::model::rules::Rule;
use crate::model::rules::RulePack;
use crate::plan::adrms;
use crate::plan::url::same_url;

/// One value that a host shall hold. Always a `REG_SZ` (`connector.md` 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    pub path: ValuePath,
    pub after: Value,
    pub rule: String,
    pub variants: Vec<ForeignForm>,
}

impl Desired {
    /// Whether a state on the host counts as the wanted one.
    pub fn is_met_by(&self, state: &State) -> bool {
        match state {
            State::Absent => false,
            State::Present(value) => same_value(value, &self.after),
        }
    }
}

/// A known other form of a rule's value, rendered for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignForm {
    pub id: String,
    pub path: ValuePath,
    /// The data that identifies it; `None` if the name alone does.
    pub data: Option<String>,
    pub note: String,
}

/// Why the desired values of a host cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DesiredError {
    #[error("rule `{rule}` needs `{variable}`, and the inventory gives none to this host")]
    MissingUrl { rule: String, variable: &'static str },
    #[error("the template `{template}` of rule `{rule}` does not render: {detail}")]
    Template { rule: String, template: String, detail: String },
}

/// The values that the rule pack wants on a host of this product, in the pack's order.
pub fn desired(
    host: &Host,
    product: Product,
    pack: &RulePack,
) -> Result<Vec<Desired>, DesiredError> {
    pack.rules
        .iter()
        .filter(|rule| rule.products.contains(&product))
        .map(|rule| render_rule(host, rule))
        .chain(adrms::redirections(host).into_iter().filter(|_| adrms::takes(product)).map(Ok))
        .collect()
}

/// One rule, rendered for one host.
pub fn render_rule(host: &Host, rule: &Rule) -> Result<Desired, DesiredError> {
    let path = ValuePath::new(&rule.key, render(host, rule, &rule.name)?);
    let data = render(host, rule, &rule.data)?;
    let mut variants = Vec::new();
    for variant in &rule.variants {
        let name = match &variant.name {
            Some(name) => render(host, rule, name)?,
            None => path.name.as_str().to_owned(),
        };
        let data = variant.data.as_ref().map(|data| render(host, rule, data)).transpose()?;
        variants.push(ForeignForm {
            id: variant.id.clone(),
            path: ValuePath::new(&rule.key, name),
            data,
            note: variant.note.clone(),
        });
    }
    Ok(Desired { path, after: Value::Sz(data), rule: rule.id.clone(), variants })
}

/// Same type and same data; texts that are URLs compare as URLs.
pub fn same_value(left: &Value, right: &Value) -> bool {
    match (left.as_sz(), right.as_sz()) {
        (Some(left), Some(right)) => same_url(left, right),
        (Some(_) | None, None) | (None, Some(_)) => left == right,
    }
}

fn render(host: &Host, rule: &Rule, template: &str) -> Result<String, DesiredError> {
    let failed = |detail: String| DesiredError::Template {
        rule: rule.id.clone(),
        template: template.to_owned(),
        detail,
    };
    // A rule fills in two names; loops and conditions would make it a program.
    if template.contains("{%") {
        return Err(failed("only `{{ tenant }}` and `{{ connector }}` may stand here".to_owned()));
    }
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let compiled =
        environment.template_from_str(template).map_err(|error| failed(error.to_string()))?;
    let wanted = compiled.undeclared_variables(false);
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    for (name, origin) in [("tenant", &host.tenant), ("connector", &host.connector)] {
        match origin {
            Some(origin) => {
                variables.insert(name.to_owned(), origin.to_string());
            }
            None if wanted.contains(name) => {
                let variable =
                    if name == "tenant" { "rms_tenant_url" } else { "rms_connector_url" };
                return Err(DesiredError::MissingUrl { rule: rule.id.clone(), variable });
            }
            None => {}
        }
    }
    compiled.render(minijinja::Value::from(variables)).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    #[track_caller]
    fn check(product: Product, expected: &[&str]) {
        let host = sample::host("H1", product.role());
        let got: Vec<String> = desired(&host, product, &sample::pack())
            .unwrap()
            .iter()
            .map(|wanted| format!("{} {} = {}", wanted.rule, wanted.path.name, wanted.after))
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn each_product_gets_the_values_of_its_column() {
        check(
            Product::Windows2016,
            &[
                "fci.activation (Default) = https://rms.contoso.com/_wmcs/certification",
                "fci.publishing (Default) = https://rms.contoso.com/_wmcs/licensing",
            ],
        );
        check(
            Product::Exchange2013,
            &[
                "exchange.activation (Default) = https://t1.rms.eu.aadrm.com/_wmcs/certification",
                "exchange.licensing https://t1.rms.eu.aadrm.com = https://rms.contoso.com",
            ],
        );
    }

    #[test]
    fn a_missing_url_is_named_with_the_rule_that_needs_it() {
        let mut host = sample::host("EX1", crate::model::product::Role::Exchange);
        host.tenant = None;
        let error = desired(&host, Product::Exchange2016, &sample::pack()).unwrap_err();
        assert_eq!(
            error,
            DesiredError::MissingUrl {
                rule: "exchange.activation".into(),
                variable: "rms_tenant_url"
            }
        );
    }

    #[test]
    fn an_unknown_name_or_a_loop_in_a_template_is_refused() {
        for template in ["{{ tennant }}/_wmcs", "{% for x in tenant %}{% endfor %}", "{{ tenant"] {
            let mut pack = sample::pack();
            pack.rules[0].data = template.into();
            let host = sample::host("FS1", crate::model::product::Role::Fci);
            let error = desired(&host, Product::Windows2016, &pack).unwrap_err();
            assert!(matches!(error, DesiredError::Template { .. }), "{template}: {error}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_not_the_wanted_one() {
        let wanted = Desired {
            path: ValuePath::new("SOFTWARE\\X", ""),
            after: Value::Sz("https://c/_wmcs/licensing".into()),
            rule: "r".into(),
            variants: Vec::new(),
        };
        let sz = |text: &str| State::Present(Value::Sz(text.into()));
        assert!(wanted.is_met_by(&sz("https://C/_wmcs/Licensing")));
        assert!(!wanted.is_met_by(&State::Absent));
        let expand = Value::ExpandSz("https://c/_wmcs/licensing".into());
        assert!(!wanted.is_met_by(&State::Present(expand)));
    }
}
