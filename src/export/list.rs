//! The values of a plan as lists, for whoever types them into Group Policy or another tool.

use crate::export::file::File;
use crate::export::file::crlf;
use crate::export::gpo::Policy;
use crate::model::plan::Plan;
use crate::model::registry::Value;
use crate::model::visible::visible;

/// One list to read, and one for programs.
pub fn files(plan: &Plan, digest: &str, policies: &[Policy]) -> Vec<File> {
    let count: usize = policies.iter().map(|policy| policy.values.len()).sum();
    vec![
        File {
            name: "values.md".to_owned(),
            bytes: markdown(plan, digest, policies).into_bytes(),
            about: format!("{count} values to type in by hand"),
        },
        File {
            name: "values.csv".to_owned(),
            bytes: crlf(&csv(digest, policies)).into_bytes(),
            about: "the same for programs".to_owned(),
        },
    ]
}

fn markdown(plan: &Plan, digest: &str, policies: &[Policy]) -> String {
    let mut text = format!(
        "# RMS connector values\n\n{}, plan sha256 `{digest}`, made {} from rules {}.\n\n\
         Hive `HKEY_LOCAL_MACHINE`, 64-bit view. `(Default)` is the key's unnamed default value, not \
         a value of that name.\n",
        plan.tool, plan.created, plan.rules
    );
    for policy in policies {
        text.push_str(&format!("\n## {}\n\n", visible(&policy.name)));
        text.push_str(&format!("For {}.\n\n", visible(&policy.hosts.join(", "))));
        text.push_str("| key | value | type | data |\n| --- | --- | --- | --- |\n");
        for (path, value) in &policy.values {
            text.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                cell(path.key.as_str()),
                cell(&path.name.to_string()),
                value.kind(),
                cell(&value.to_string())
            ));
        }
    }
    text
}

/// As code, so that nothing in it is read as markup.
fn cell(text: &str) -> String {
    // A run of backticks longer than any within ends the code and nothing before it does.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    format!("{fence}{pad}{}{pad}{fence}", text.replace('|', "\\|"))
}

fn csv(digest: &str, policies: &[Policy]) -> String {
    let mut text = "policy,hosts,key,value,default,type,data,plan_sha256\n".to_owned();
    for policy in policies {
        for (path, value) in &policy.values {
            let key = format!("HKLM\\{}", path.key.as_str());
            let default = if path.name.is_default() { "yes" } else { "no" };
            let fields = [
                policy.name.as_str(),
                &policy.hosts.join(" "),
                &key,
                path.name.as_str(),
                default,
                &value.kind().to_string(),
                &data(value),
                digest,
            ];
            let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
            text.push_str(&format!("{}\n", fields.join(",")));
        }
    }
    text
}

fn data(value: &Value) -> String {
    match value {
        Value::Sz(text) | Value::ExpandSz(text) => text.clone(),
        Value::Dword(number) => number.to_string(),
        Value::Qword(number) => number.to_string(),
        Value::Binary(_) => value.to_string(),
        Value::MultiSz(texts) => texts.join("|"),
    }
}

/// RFC 4180: in quotes, with quotes doubled.
fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}
