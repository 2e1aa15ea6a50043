//! `explain`: what a WS-Management, WMI or Windows error code means, or why a host is as it is.

use crate::cli::console::Console;
use crate::cli::explain_host;
use crate::cli::explain_host::From;
use crate::cli::request::Files;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::host::diagnosis;
use crate::report::style::Tint;
use crate::wire::catalogue;
use crate::wire::catalogue::FaultEntry;
use crate::wire::session;

/// A code where it can be one; else a host.
pub fn run(what: &str, files: &Files, from: &From, console: &mut Console) -> Result<Exit, Stop> {
    let is_code = named(what).is_some() || parse(what).is_some();
    if *from != From::Files || !is_code {
        return explain_host::run(what, files, from, console);
    }
    code(what, console)
}

fn code(code: &str, console: &mut Console) -> Result<Exit, Stop> {
    if let Some(entry) = named(code) {
        return tell(entry.code, entry, console);
    }
    let number = parse(code).ok_or_else(|| {
        Stop::new(Exit::Usage, format!("`{code}` is no error code")).hint(
            "write it in decimal or hexadecimal: 2150858793, 0x80338029, -2144108503 or C000006D",
        )
    })?;
    if let Some(status) = http_status(code, number) {
        return tell_status(status, console);
    }
    if let Some(entry) = catalogue::explain(number) {
        return tell(number, entry, console);
    }
    let family = catalogue::family(number);
    let text = format!("code {number} (0x{number:08x}), {family}, is not known here");
    Err(Stop::new(Exit::NoMatch, text)
        .hint("`winrm helpmsg` or `certutil -error` on a Windows machine may know it"))
}

fn tell(asked: u32, entry: &FaultEntry, console: &mut Console) -> Result<Exit, Stop> {
    let style = console.style();
    let inner = if asked == entry.code { String::new() } else { format!(" around {}", entry.code) };
    console.say(&format!(
        "{}  {asked} (0x{asked:08x}){inner}, {}\n\n{}.\nCause: {}.\nRemedy: {}.",
        style.paint(Tint::Strong, entry.name),
        catalogue::family(asked),
        capitalised(entry.meaning),
        entry.cause,
        entry.remedy
    ))?;
    let body = serde_json::json!({
        "code": asked, "name": entry.name, "family": catalogue::family(asked).to_string(),
        "meaning": entry.meaning, "cause": entry.cause, "remedy": entry.remedy.to_string(),
    });
    console.document("fault-code", entry.meaning, body)?;
    Ok(Exit::Ok)
}

fn tell_status(status: u16, console: &mut Console) -> Result<Exit, Stop> {
    let meaning = session::meaning(status);
    let causes = diagnosis::bare(status);
    let style = console.style();
    console.say(&format!(
        "{}\n\n{}.\nCause: {}.",
        style.paint(Tint::Strong, &format!("HTTP {status}")),
        capitalised(meaning),
        causes.join(".\nOr: ")
    ))?;
    let body = serde_json::json!({ "status": status, "meaning": meaning, "causes": causes });
    console.document("http-status", meaning, body)?;
    Ok(Exit::Ok)
}

/// A status is asked for as `http-500` or `HTTP 500`; a bare number only where Windows has no code
/// of that number that ever comes over this wire.
fn http_status(text: &str, number: u32) -> Option<u16> {
    let status = u16::try_from(number).ok().filter(|status| (300..600).contains(status))?;
    let said = text.trim().to_ascii_lowercase().starts_with("http");
    (said || catalogue::explain(number).is_none()).then_some(status)
}

/// The entry of a name: `QUOTA_MAX_SHELLS`, `ERROR_WSMAN_QUOTA_MAX_SHELLS`.
fn named(text: &str) -> Option<&'static FaultEntry> {
    let text = text.trim();
    let name = text.strip_prefix("ERROR_WSMAN_").unwrap_or(text);
    catalogue::all().find(|entry| entry.name.eq_ignore_ascii_case(name))
}

/// Decimal, `0x` hexadecimal, or the negative decimal that PowerShell shows for an HRESULT.
fn parse(text: &str) -> Option<u32> {
    let text = text.trim();
    if let Some(status) = text.strip_prefix("http").or_else(|| text.strip_prefix("HTTP")) {
        return status.trim_start_matches(['-', ' ', ':']).parse().ok();
    }
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        // As 64 bits with a sign, which some tools print.
        let hex = if hex.len() == 16 {
            hex.strip_prefix("ffffffff").or_else(|| hex.strip_prefix("FFFFFFFF"))?
        } else {
            hex
        };
        return u32::from_str_radix(hex, 16).ok();
    }
    let decimal = text.parse().ok().or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned));
    // Event logs write a status without `0x`: only with a letter in it, it cannot be a decimal.
    decimal.or_else(|| u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 8))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_from_a_code() {
        assert_eq!(http_status("http-401", 401), Some(401));
        assert_eq!(http_status("401", 401), Some(401));
        assert_eq!(http_status("995", 995), None);
        assert_eq!(http_status("5", 5), None);
    }

    #[test]
    fn a_name_will_do() {
        let code = |name| named(name).map(|entry| entry.code);
        assert_eq!(code("ERROR_WSMAN_QUOTA_MAX_SHELLS"), Some(2_150_859_173));
        assert_eq!(code("sec_e_wrong_principal"), Some(0x8009_0322));
        assert_eq!(code("FS01"), None);
    }

    #[test]
    fn a_code_may_be_spelled_in_several_ways() {
        let spellings =
            ["2150858793", "0x80338029", "-2144108503", " 0X80338029 ", "0xffffffff80338029"];
        for text in spellings {
            assert_eq!(parse(text), Some(2_150_858_793), "{text}");
        }
        assert_eq!(parse("C000006D"), Some(0xc000_006d));
        assert_eq!(parse("http-500"), Some(500));
        assert_eq!(parse("twelve"), None);
        assert_eq!(parse("beef"), None);
    }
}
