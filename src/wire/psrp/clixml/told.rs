//! What `powershell.exe` writes to standard error where nobody reads its objects: text between
//! blocks of CLIXML (`winrm.md` 2).

use std::borrow::Cow;

use crate::wire::psrp::clixml::escape::unescape;
use crate::wire::xml;

/// The line before each block.
const MARK: &str = "#< CLIXML";
const END: &str = "</Objs>";
/// Most blocks that are read: each may be looked for to the end of the text.
const MAX_BLOCKS: usize = 64;

/// The errors in it, as text; progress and other streams are noise. What is no block, or cannot be
/// read as one, stays as it is.
pub fn errors(said: &str) -> Cow<'_, str> {
    if !said.contains(MARK) {
        return Cow::Borrowed(said);
    }
    let (mut out, mut rest) = (String::new(), said);
    for _ in 0..MAX_BLOCKS {
        let Some((before, after)) = rest.split_once(MARK) else { break };
        out.push_str(before);
        let read = after.split_once(END).and_then(|(objects, behind)| {
            Some((of_block(&format!("{}{END}", objects.trim_start()))?, behind))
        });
        if let Some((text, behind)) = read {
            out.push_str(&text);
            rest = behind.trim_start();
        } else {
            out.push_str(MARK);
            rest = after;
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn of_block(objects: &str) -> Option<String> {
    let root = xml::parse(objects.as_bytes()).ok()?;
    let errors =
        root.elements().filter(|one| one.name == "S" && one.attr("", "S") == Some("Error"));
    Some(errors.map(|error| unescape(&error.text())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: &str, expected: &str) {
        assert_eq!(errors(said), expected);
    }

    fn block(inner: &str) -> String {
        let space = "http://schemas.microsoft.com/powershell/2004/04";
        format!("#< CLIXML\r\n<Objs Version=\"1.1.0.1\" xmlns=\"{space}\">{inner}</Objs>")
    }

    #[test]
    fn errors_are_joined_and_everything_else_is_noise() {
        let error =
            "<S S=\"Error\">no _x0022_a_x0022__x000D__x000A_</S><S S=\"Error\">at &lt;1&gt;</S>";
        let noise = "<Obj S=\"progress\" RefId=\"0\"><MS/></Obj><S S=\"Warning\">hm</S>";
        check(&block(&format!("{noise}{error}")), "no \"a\"\r\nat <1>");
        check(&block(noise), "");
        check(&format!("{}{}", block(noise), block(error)), "no \"a\"\r\nat <1>");
    }

    #[test]
    fn blocks_without_an_end_are_not_looked_for_for_ever() {
        let many = MARK.repeat(200_000);
        check(&many, &many);
    }

    #[test]
    fn what_is_no_block_stays() {
        check("plain", "plain");
        check("#< CLIXML\r\n<Objs><S", "#< CLIXML\r\n<Objs><S");
        check("#< CLIXML\r\n<Objs><S></Objs>", "#< CLIXML\r\n<Objs><S></Objs>");
        let both = format!("before {}\r\nbehind", block("<S S=\"Error\">x</S>"));
        check(&both, "before xbehind");
    }
}
