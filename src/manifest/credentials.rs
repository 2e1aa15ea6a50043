//! `credentials.yml`: names and providers, never a secret (`features.md` 4.2).

use std::collections::BTreeMap;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::fields::Fields;
use crate::manifest::scalar;
use crate::manifest::source::Source;
use crate::manifest::suggest::did_you_mean;
use crate::manifest::tree;
use crate::manifest::tree::Entry;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::manifest::tree::shorten;

/// Who can give the secret, and what to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// The ticket of the person at the keyboard.
    CurrentUser,
    /// Asked once per run. Without a name, for `ansible_user`.
    Prompt { username: Option<String> },
    /// The environment variable `variable` holds the password.
    Env { username: String, variable: String },
    /// The file holds the password; it must be readable by its owner only.
    File { username: String, path: String },
    /// What the command prints is the password; no shell is involved.
    Command { username: String, argv: Vec<String> },
    /// The file holds the Kerberos keys of the user; it must be readable by its owner only.
    Keytab { username: String, path: String },
}

/// A credentials file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    pub credentials: BTreeMap<String, Provider>,
}

impl Credentials {
    /// The provider that `rms_credential` names.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.credentials.get(name)
    }
}

const BUILT: [&str; 6] = ["current-user", "prompt", "env", "file", "command", "keytab"];
const NOT_BUILT: [&str; 4] =
    ["windows-credential-manager", "dpapi-file", "age-file", "ansible-vault-file"];

/// Reads a credentials file; all complaints come at once.
pub fn parse(source: &Source) -> Result<Credentials, Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    let credentials =
        tree::parse(source, &mut diagnostics).and_then(|root| read(&root, &mut diagnostics));
    diagnostics.settle(credentials).map(|(credentials, _)| credentials)
}

fn read(root: &Node, diagnostics: &mut Diagnostics) -> Option<Credentials> {
    let mut fields = Fields::open(root, "a credentials file", root.span, diagnostics)?;
    fields.require("version", diagnostics, |node| scalar::integer(node, 1, 1));
    let mut credentials = Credentials::default();
    match fields.take("credentials") {
        None => diagnostics.push(
            Diagnostic::error(fields.span(), "a credentials file needs the key `credentials`")
                .help("add `credentials:` with named entries below it".to_owned()),
        ),
        Some(Entry { key, value }) => match &value.value {
            Value::Mapping(entries) => {
                for entry in entries {
                    if let Some(provider) = provider(entry, diagnostics) {
                        credentials.credentials.insert(entry.key.text.clone(), provider);
                    }
                }
            }
            Value::Null | Value::Scalar { .. } | Value::Sequence(_) | Value::Vault => {
                let message = format!("`credentials` needs named entries, found {}", value.kind());
                diagnostics.push(
                    Diagnostic::error(key.span, message)
                        .help("write `NAME: { type: prompt }` below it".to_owned()),
                );
            }
        },
    }
    fields.finish(diagnostics);
    Some(credentials)
}

fn provider(entry: &Entry, diagnostics: &mut Diagnostics) -> Option<Provider> {
    refuse_secrets(&entry.value, diagnostics);
    let mut fields = Fields::open(&entry.value, "a credential", entry.key.span, diagnostics)?;
    let Some(kind) = fields.take("type") else {
        diagnostics.push(
            Diagnostic::error(
                entry.key.span,
                format!("credential `{}` needs the key `type`", shorten(&entry.key.text)),
            )
            .help(format!("add one of {}", words(&BUILT))),
        );
        return None;
    };
    let text = |node: &Node| scalar::text(node).map(str::to_owned);
    let provider = match kind.value.inline().as_str() {
        "current-user" => Some(Provider::CurrentUser),
        "prompt" => Some(Provider::Prompt { username: fields.read("username", diagnostics, text) }),
        "env" => {
            let username = fields.require("username", diagnostics, text);
            let variable = fields.require("variable", diagnostics, text);
            username.zip(variable).map(|(username, variable)| Provider::Env { username, variable })
        }
        "file" => {
            let username = fields.require("username", diagnostics, text);
            let path = fields.require("path", diagnostics, text);
            username.zip(path).map(|(username, path)| Provider::File { username, path })
        }
        "command" => {
            let username = fields.require("username", diagnostics, text);
            let argv = fields.require("argv", diagnostics, argv);
            username.zip(argv).map(|(username, argv)| Provider::Command { username, argv })
        }
        "keytab" => {
            let username = fields.require("username", diagnostics, principal);
            let path = fields.require("path", diagnostics, text);
            username.zip(path).map(|(username, path)| Provider::Keytab { username, path })
        }
        other => {
            diagnostics.push(unknown_type(other, kind));
            return None;
        }
    };
    fields.finish(diagnostics);
    provider
}

/// A keytab lists principals, so its user is one: `rms-rollout@CORP.EXAMPLE`, or without the realm
/// where krb5.conf has a default.
fn principal(node: &Node) -> Result<String, scalar::Mismatch> {
    let text = scalar::text(node)?;
    if text.contains('\\') {
        return Err(scalar::Mismatch::new(format!("needs a principal, found {}", node.kind()))
            .help("write `USER@REALM`, as `klist -k FILE` shows it".to_owned()));
    }
    Ok(text.to_owned())
}

fn argv(node: &Node) -> Result<Vec<String>, scalar::Mismatch> {
    let argv = scalar::list(node, |item| match &item.value {
        Value::Scalar { text, .. } => Ok(text.clone()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Vault => {
            Err(scalar::Mismatch::new(format!("needs texts, found {}", item.kind())))
        }
    })?;
    if argv.first().is_none_or(String::is_empty) {
        return Err(scalar::Mismatch::new("needs a program and its arguments")
            .help("write `argv: [pass, show, rms]`".to_owned()));
    }
    Ok(argv)
}

fn unknown_type(kind: &str, entry: &Entry) -> Diagnostic {
    if NOT_BUILT.contains(&kind) {
        return Diagnostic::error(entry.value.span, format!("provider `{kind}` is not built yet"))
            .help(format!("use one of {}", words(&BUILT)));
    }
    let near = did_you_mean(kind, BUILT);
    Diagnostic::error(entry.value.span, format!("unknown provider `{}`", shorten(kind)))
        .help(near.unwrap_or_else(|| format!("use one of {}", words(&BUILT))))
}

/// A key that looks like a secret.
fn refuse_secrets(node: &Node, diagnostics: &mut Diagnostics) {
    let Value::Mapping(entries) = &node.value else { return };
    for entry in entries {
        let key = entry.key.text.to_ascii_lowercase();
        let looks = ["password", "passwd", "secret", "passphrase", "token"];
        if key == "pass" || looks.iter().any(|word| key.contains(word)) {
            diagnostics.push(
                Diagnostic::error(
                    entry.key.span,
                    format!("`{}` looks like a secret in clear text", shorten(&entry.key.text)),
                )
                .help(
                    "remove it and change the password; let a provider give it: `prompt`, `env`, \
                     `file` or `command`"
                        .to_owned(),
                ),
            );
        }
    }
}

fn words(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
