//! Open enumerations: what a Pull still has to bring.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use jiff::Timestamp;

/// The rest of a result, with the limits that a Pull must repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enumeration {
    pub items: VecDeque<String>,
    pub account: String,
    pub max_envelope: usize,
    /// What an optimised Enumerate asked for; `None` leaves it to the Pull.
    pub max_elements: Option<usize>,
    pub expires: Timestamp,
}

/// Open enumerations by their context, which is a `uuid:`.
#[derive(Debug, Clone, Default)]
pub struct Enumerations(BTreeMap<String, Enumeration>);

impl Enumerations {
    pub fn open(&mut self, context: String, enumeration: Enumeration) {
        self.0.insert(context, enumeration);
    }

    /// Takes an enumeration out; `None` if it is unknown or has expired.
    pub fn take(&mut self, context: &str, now: Timestamp) -> Option<Enumeration> {
        self.0.retain(|_, enumeration| now < enumeration.expires);
        self.0.remove(context)
    }

    pub fn of(&self, account: &str) -> usize {
        self.0.values().filter(|one| one.account == account).count()
    }
}

/// Takes as many items as fit: at most `count`, and at most `room` bytes, but one in any case.
pub fn page(items: &mut VecDeque<String>, count: usize, mut room: usize) -> String {
    let mut out = String::new();
    for _ in 0..count.max(1) {
        match items.front() {
            Some(item) if item.len() <= room || out.is_empty() => {
                room = room.saturating_sub(item.len());
                out.push_str(item);
                items.pop_front();
            }
            Some(_) | None => break,
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(count: usize, room: usize, taken: &str, left: usize) {
        let mut items = ["aa", "bb", "cc"].map(str::to_owned).into();
        assert_eq!(page(&mut items, count, room), taken);
        assert_eq!(items.len(), left);
    }

    #[test]
    fn a_page_ends_where_count_or_room_do() {
        check(10, 100, "aabbcc", 0);
        check(2, 100, "aabb", 1);
        check(10, 5, "aabb", 1);
        check(10, 0, "aa", 2);
        check(0, 100, "aa", 2);
    }

    #[test]
    fn an_expired_enumeration_is_gone() {
        let mut open = Enumerations::default();
        let enumeration = Enumeration {
            items: VecDeque::new(),
            account: "a".to_owned(),
            max_envelope: 1,
            max_elements: None,
            expires: Timestamp::from_second(10).unwrap(),
        };
        open.open("uuid:1".to_owned(), enumeration.clone());
        open.open("uuid:2".to_owned(), enumeration);
        assert!(open.take("uuid:1", Timestamp::from_second(9).unwrap()).is_some());
        assert_eq!(open.take("uuid:1", Timestamp::from_second(9).unwrap()), None);
        assert_eq!(open.take("uuid:2", Timestamp::from_second(10).unwrap()), None);
    }
}
