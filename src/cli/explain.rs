//! `explain CODE`: what a WS-Management, WMI or Windows error code means.

use crate::cli::console::Console;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::report::style::Tint;
use crate::wire::catalogue;

pub fn run(code: &str, console: &mut Console) -> Result<Exit, Stop> {
    let number = parse(code).ok_or_else(|| {
        Stop::new(Exit::Usage, format!("`{code}` is no error code"))
            .hint("write it in decimal or hexadecimal: 2150858793 or 0x80338029")
    })?;
    let Some(entry) = catalogue::explain(number) else {
        return Err(Stop::new(
            Exit::NoMatch,
            format!("code {number} (0x{number:08x}) is not known here"),
        )
        .hint("`winrm helpmsg` or `certutil -error` on a Windows machine may know it"));
    };
    let style = console.style();
    console.say(&format!(
        "{}  {} (0x{number:08x})\n\n{}.\nRemedy: {}.",
        style.paint(Tint::Strong, entry.name),
        entry.code,
        capitalised(entry.meaning),
        entry.remedy
    ))?;
    let body = serde_json::json!({
        "code": entry.code, "name": entry.name, "meaning": entry.meaning,
        "remedy": entry.remedy.to_string(),
    });
    console.document("fault-code", entry.meaning, body)?;
    Ok(Exit::Ok)
}

/// Decimal, `0x` hexadecimal, or the negative decimal that PowerShell shows for an HRESULT.
fn parse(text: &str) -> Option<u32> {
    let text = text.trim();
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(hex, 16).ok();
    }
    text.parse().ok().or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_may_be_spelled_in_three_ways() {
        for text in ["2150858793", "0x80338029", "-2144108503", " 0X80338029 "] {
            assert_eq!(parse(text), Some(2_150_858_793), "{text}");
        }
        assert_eq!(parse("twelve"), None);
    }
}
