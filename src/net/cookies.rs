//! Cookies by which a load balancer, or Exchange's front end, leads every request to the server that
//! has the shell ([MS-WSMV] 3.1.4.1.31.4).

use reqwest::header::HeaderMap;
use reqwest::header::HeaderValue;
use reqwest::header::SET_COOKIE;

/// Most cookies that are kept; whoever sends more is not believed.
const MOST: usize = 16;
/// Longest name and value together, in bytes (RFC 6265 6.1).
const LONGEST: usize = 4096;

/// What a host has given, in the order in which it came. All of it goes back to that host alone, on
/// the one path that is asked there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cookies(Vec<(String, String)>);

impl Cookies {
    /// Takes in a reply; a cookie of the same name takes the place of the old one, one without a
    /// value only takes it away.
    pub(super) fn take(&mut self, headers: &HeaderMap) {
        for (name, value) in headers.get_all(SET_COOKIE).iter().filter_map(pair) {
            self.0.retain(|(own, _)| own != name);
            if !value.is_empty() && self.0.len() < MOST {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// The header of the next request (RFC 6265 4.2.1); it is not shown where headers are logged.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let pairs: Vec<String> =
            self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut header = HeaderValue::from_str(&pairs.join("; ")).ok()?;
        header.set_sensitive(true);
        (!pairs.is_empty()).then_some(header)
    }
}

/// Name and value, without attributes. One that is over already counts as without a value.
fn pair(header: &HeaderValue) -> Option<(&str, &str)> {
    let text = header.to_str().ok().filter(|text| text.len() <= LONGEST)?;
    let mut parts = text.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let is_over = parts.any(|part| {
        part.trim().split_once('=').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("Max-Age")
                && value.trim().parse::<i64>().is_ok_and(|seconds| seconds <= 0)
        })
    });
    let name = name.trim();
    (!name.is_empty()).then_some((name, if is_over { "" } else { value.trim() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(lines: &[&str]) -> Option<String> {
        let mut cookies = Cookies::default();
        for line in lines {
            let mut headers = HeaderMap::new();
            headers.append(SET_COOKIE, HeaderValue::from_str(line).unwrap());
            cookies.take(&headers);
        }
        cookies.header().map(|header| header.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_a_host_gave_goes_back_without_its_attributes() {
        let check = |lines: &[&str], expected: Option<&str>| {
            assert_eq!(given(lines).as_deref(), expected, "{lines:?}");
        };
        check(&[], None);
        check(&["MS-WSMAN=a1; path=/wsman; HttpOnly"], Some("MS-WSMAN=a1"));
        check(&["a=1", "b=2=3; secure", "a=4"], Some("b=2=3; a=4"));
        check(&["a=1", "a=; path=/"], None);
        check(&["a=1", "a=1; Max-Age=0"], None);
        check(&["nothing", "=1", ""], None);
    }

    #[test]
    fn whoever_gives_without_end_is_not_believed() {
        let many: Vec<String> = (0..100).map(|number| format!("c{number}=1")).collect();
        let lines: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(given(&lines).unwrap().split("; ").count(), MOST);
        assert_eq!(given(&[&format!("a={}", "x".repeat(LONGEST))]), None);
    }
}
