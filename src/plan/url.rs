//! URLs as the registry holds them: which host they name, and when two are the same.

/// The parts of `scheme://host[:port]/path`, as far as we compare them.
struct Parts<'a> {
    /// Scheme, host and port as written.
    origin: &'a str,
    host: &'a str,
    path: &'a str,
}

fn split(text: &str) -> Option<Parts<'_>> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let length = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(length)?;
    let (origin, _) = text.split_at_checked(scheme.len() + 3 + length)?;
    let host = authority.split_once(':').map_or(authority, |(host, _)| host);
    if host.is_empty() { None } else { Some(Parts { origin, host, path }) }
}

/// The host of a URL in lower case; `None` if the text is no http or https URL. A scheme typed
/// twice hides no host.
pub fn url_host(text: &str) -> Option<String> {
    let mut text = text.trim();
    while let Some((_, rest)) = text.split_once("://").filter(|(_, rest)| split(rest).is_some()) {
        text = rest;
    }
    split(text).map(|parts| parts.host.to_ascii_lowercase())
}

/// Scheme, host and port of a URL in lower case.
pub fn url_origin(text: &str) -> Option<String> {
    split(text).map(|parts| parts.origin.to_ascii_lowercase())
}

/// Whether the URL is an origin alone, without a path.
pub fn is_bare_origin(text: &str) -> bool {
    split(text).is_some_and(|parts| matches!(parts.path, "" | "/"))
}

/// Whether two data mean the same place: scheme, host and the `/_wmcs/...` path are compared
/// without regard to case (documents and Microsoft's script differ in it), all else exactly. Blanks
/// around it are part of a datum: who reads it does not leave them out.
pub fn same_url(left: &str, right: &str) -> bool {
    if [left, right].iter().any(|text| text.trim() != *text) {
        return left == right;
    }
    match (split(left), split(right)) {
        (Some(a), Some(b)) => {
            a.origin.eq_ignore_ascii_case(b.origin)
                && if is_service_path(a.path) && is_service_path(b.path) {
                    a.path.eq_ignore_ascii_case(b.path)
                } else {
                    a.path == b.path
                }
        }
        (Some(_) | None, None) | (None, Some(_)) => left == right,
    }
}

/// The one form of what [`same_url`] takes for the same place: in lower case as far as case is
/// nothing there.
pub fn one_form(text: &str) -> String {
    match split(text) {
        Some(Parts { origin, path, .. }) if text.trim() == text => {
            let path =
                if is_service_path(path) { path.to_ascii_lowercase() } else { path.to_owned() };
            origin.to_ascii_lowercase() + &path
        }
        Some(_) | None => text.to_owned(),
    }
}

/// Whether a text is of a form in which `*` stands for any host: `https://*/_wmcs/licensing`.
pub fn has_form(text: &str, form: &str) -> bool {
    let Some((head, tail)) = form.split_once('*') else { return same_url(text, form) };
    let text = text.to_ascii_lowercase();
    text.strip_prefix(&head.to_ascii_lowercase())
        .and_then(|rest| rest.strip_suffix(&tail.to_ascii_lowercase()))
        .is_some_and(|host| !host.is_empty() && !host.contains('/'))
}

fn is_service_path(path: &str) -> bool {
    path.split_at_checked(7).is_some_and(|(start, _)| start.eq_ignore_ascii_case("/_wmcs/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(left: &str, right: &str, same: bool) {
        assert_eq!(same_url(left, right), same, "{left} / {right}");
        assert_eq!(same_url(right, left), same, "{right} / {left}");
        assert_eq!(one_form(left) == one_form(right), same, "{left} / {right}");
    }

    #[test]
    fn case_is_ignored_in_scheme_host_and_service_path() {
        check("https://t.aadrm.com/_wmcs/licensing", "HTTPS://T.aadrm.com/_WMCS/Licensing", true);
        check("https://c.contoso.com", "https://C.CONTOSO.com", true);
    }

    #[test]
    fn another_scheme_port_path_or_slash_is_another_url() {
        check("https://c/_wmcs/licensing", "http://c/_wmcs/licensing", false);
        check("https://c", "https://c:8443", false);
        check("https://c/_wmcs/licensing", "https://c/_wmcs/certification", false);
        check("https://c/Path", "https://c/path", false);
        check("https://c/", "https://c", false);
        check("/_wmcs/licensing", "/_WMCS/licensing", false);
        check("https://c/_wmcs/licensing", "https://c/_wmcs/licensing ", false);
        check(" https://c", "https://c", false);
        check("https://c ", "https://c ", true);
    }

    #[test]
    fn a_star_stands_for_one_host() {
        let form = "https://*/_wmcs/licensing";
        assert!(has_form("HTTPS://adrms.contoso.com/_wmcs/Licensing", form));
        assert!(!has_form("https:///_wmcs/licensing", form));
        assert!(!has_form("https://a/b/_wmcs/licensing", form));
        assert!(!has_form("http://a/_wmcs/licensing", form));
        assert!(has_form("https://c", "https://C"));
    }

    #[test]
    fn the_host_is_found_in_any_url_and_nowhere_else() {
        assert_eq!(url_host("https://RMS.contoso.com:8443/x").as_deref(), Some("rms.contoso.com"));
        assert_eq!(url_host("https://https://t.aadrm.com/x").as_deref(), Some("t.aadrm.com"));
        assert_eq!(url_origin("HTTP://Rms:80/x").as_deref(), Some("http://rms:80"));
        for text in ["", "/_wmcs/licensing", "https://", "ftp://x/", "ü://é"] {
            assert_eq!(url_host(text), None, "{text}");
        }
        assert!(is_bare_origin("https://t") && !is_bare_origin("https://t/_wmcs/licensing"));
    }
}
