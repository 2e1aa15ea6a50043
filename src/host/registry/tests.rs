use super::*;

use crate::host::imagined::Imagined;
use crate::host::imagined::Stored;
use crate::model::registry::Value;

const KEY: &str = r"SOFTWARE\Microsoft\MSDRM";

fn text(text: &str) -> Value {
    Value::Sz(text.to_owned())
}

fn present(value: Value) -> Reading {
    Reading::Known(State::Present(value))
}

fn change(before: State, after: State) -> Change {
    Change { path: ValuePath::new(KEY, "name"), before, after, rule: "test".to_owned() }
}

async fn check(mut host: Imagined, expected: Reading) {
    let reading = observe(&mut host, &ValuePath::new(KEY, "name")).await.unwrap();
    assert_eq!(reading, expected);
    assert_eq!(host.acts(), Vec::<String>::new(), "a read must not act");
}

async fn check_unreadable(mut host: Imagined, why: &str) {
    match observe(&mut host, &ValuePath::new(KEY, "name")).await.unwrap() {
        Reading::Unreadable(text) => assert!(text.contains(why), "{text}"),
        reading @ Reading::Known(_) => panic!("known: {reading:?}"),
    }
}

#[tokio::test]
async fn a_value_is_read_whatever_its_type() {
    for value in [
        text(""),
        text(" x "),
        Value::Dword(7),
        Value::Qword(u64::MAX),
        Value::Binary(vec![0, 255]),
        Value::MultiSz(vec!["a".into(), "b".into()]),
    ] {
        check(Imagined::new().with_value(KEY, "NAME", value.clone()), present(value)).await;
    }
}

#[tokio::test]
async fn a_value_or_key_that_is_not_there_is_absent() {
    check(Imagined::new(), Reading::Known(State::Absent)).await;
    check(Imagined::new().with_key(KEY), Reading::Known(State::Absent)).await;
}

#[tokio::test]
async fn code_1_is_absent_only_if_the_key_can_be_listed_without_the_value() {
    let host = Imagined::new().with_key(KEY);
    host.world().missing_value = 1;
    check(host, Reading::Known(State::Absent)).await;

    let host = Imagined::new().with_key(KEY);
    host.world().missing_value = 1;
    host.world().codes.insert("StdRegProv.EnumValues".into(), 5);
    check_unreadable(host, "access denied").await;

    let host = Imagined::new().with_value(KEY, "name", text("x"));
    host.world().codes.insert("StdRegProv.GetStringValue".into(), 1);
    check_unreadable(host, "failed").await;
}

#[tokio::test]
async fn what_is_refused_or_has_no_form_is_unreadable() {
    check_unreadable(Imagined::new().with_key(KEY).denying(KEY), "access denied").await;
    let expand = Value::ExpandSz("%windir%".into());
    check_unreadable(Imagined::new().with_value(KEY, "name", expand), "REG_EXPAND_SZ").await;
    check_unreadable(Imagined::new().with(KEY, "name", Stored::Strange(9)), "type 9").await;
    let silent = Imagined::new().with(KEY, "name", Stored::Silent(Kind::Sz));
    check_unreadable(silent, "no data").await;
    let silent = Imagined::new().with(KEY, "name", Stored::Silent(Kind::MultiSz));
    check_unreadable(silent, "no data").await;
}

#[tokio::test]
async fn a_listing_tells_all_values_and_a_default_value_that_stands_alone() {
    let mut host = Imagined::new().with_value(KEY, "", text("alone"));
    let listing = observe_listing(&mut host, &KeyPath::new(KEY)).await.unwrap();
    let alone = (ValueName::default_value(), present(text("alone")));
    assert_eq!(listing, Listing::Known(vec![alone.clone()]));

    let mut host = host.with_value(KEY, "n", Value::Dword(1)).with(KEY, "s", Stored::Strange(8));
    let listing = observe_listing(&mut host, &KeyPath::new(KEY)).await.unwrap();
    let Listing::Known(values) = listing else { panic!("{listing:?}") };
    assert_eq!(values.len(), 3);
    assert!(values.contains(&alone));
    assert!(values.contains(&(ValueName::new("n"), present(Value::Dword(1)))));
}

#[tokio::test]
async fn a_listing_tells_no_key_from_no_access() {
    let key = KeyPath::new(KEY);
    let listing = observe_listing(&mut Imagined::new(), &key).await.unwrap();
    assert_eq!(listing, Listing::NoKey);
    let mut host = Imagined::new().with_key(KEY).denying(KEY);
    let listing = observe_listing(&mut host, &key).await.unwrap();
    assert_eq!(listing, Listing::Unreadable("access denied".into()));
}

#[tokio::test]
async fn access_is_decided_by_the_nearest_key_that_is_there() {
    let key = KeyPath::new(r"SOFTWARE\Microsoft\MSIPC\ServiceLocation");
    let granted = observe_access(&mut Imagined::new(), &key).await.unwrap();
    assert_eq!(granted, Access::Granted);
    let mut host = Imagined::new().denying(r"SOFTWARE\Microsoft");
    assert_eq!(observe_access(&mut host, &key).await.unwrap(), Access::Denied);
    let access = observe_access(&mut Imagined::default(), &key).await.unwrap();
    assert_eq!(access, Access::NoKey);
}

#[tokio::test]
async fn a_change_is_compared_written_and_read_back() {
    let mut host = Imagined::new();
    let create = change(State::Absent, State::Present(text("new")));
    apply(&mut host, &create).await.unwrap();
    assert_eq!(host.holds(KEY, "name"), Some(Stored::Value(text("new"))));
    assert_eq!(host.acts(), ["StdRegProv.CreateKey", "StdRegProv.SetStringValue"]);

    apply(&mut host, &create.swapped()).await.unwrap();
    assert_eq!(host.holds(KEY, "name"), None);
    assert!(host.has_key(KEY), "undoing a value leaves the key to whoever journalled it");
}

#[tokio::test]
async fn a_host_that_moved_is_not_written() {
    let mut host = Imagined::new().with_value(KEY, "name", text("theirs"));
    let change = change(State::Absent, State::Present(text("ours")));
    let error = apply(&mut host, &change).await.unwrap_err();
    assert!(matches!(error, WriteError::Drifted { .. }), "{error}");
    assert!(error.to_string().contains("holds REG_SZ `theirs`"), "{error}");
    assert_eq!(host.acts(), Vec::<String>::new());
}

#[tokio::test]
async fn a_type_is_part_of_the_value() {
    let mut host = Imagined::new().with_value(KEY, "name", Value::Dword(1));
    let path = ValuePath::new(KEY, "name");
    let error = expect(&mut host, &path, &State::Present(text("1"))).await.unwrap_err();
    assert!(matches!(error, WriteError::Drifted { .. }), "{error}");
}

#[tokio::test]
async fn a_refused_write_says_the_code() {
    let mut host = Imagined::new().with_key(KEY);
    host.world().codes.insert("StdRegProv.SetStringValue".into(), 5);
    let change = change(State::Absent, State::Present(text("x")));
    match apply(&mut host, &change).await {
        Err(error @ WriteError::Refused { code: 5, .. }) => {
            assert!(error.to_string().contains("access denied"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

/// A refusal comes as HTTP 200 with a code; none of these is a value, and none an absence.
#[tokio::test]
async fn every_code_of_the_provider_is_told_in_words_and_leaves_the_host_as_it_was() {
    let codes = [
        (6, "no such hive"),
        (87, "a parameter or an id in the request"),
        (1018, "marked for deletion"),
        (2_147_749_896, "WMI does not take a parameter"),
        (31, "return code 31"),
    ];
    for (code, words) in codes {
        let host = Imagined::new().with_value(KEY, "name", text("x"));
        host.world().codes.insert("StdRegProv.GetStringValue".into(), code);
        check_unreadable(host, words).await;
        for (method, after) in
            [("SetStringValue", State::Present(text("new"))), ("DeleteValue", State::Absent)]
        {
            let mut host = Imagined::new().with_value(KEY, "name", text("x"));
            host.world().codes.insert(format!("StdRegProv.{method}"), code);
            let change = change(State::Present(text("x")), after);
            let error = apply(&mut host, &change).await.unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(matches!(error, WriteError::Refused { code: told, .. } if told == code));
            assert_eq!(host.holds(KEY, "name"), Some(Stored::Value(text("x"))));
        }
        let mut host = Imagined::new();
        host.world().codes.insert("StdRegProv.CreateKey".into(), code);
        let create = change(State::Absent, State::Present(text("new")));
        let error = apply(&mut host, &create).await.unwrap_err();
        assert!(matches!(error, WriteError::Refused { code: told, .. } if told == code));
        assert_eq!(host.acts(), ["StdRegProv.CreateKey"], "no value after a key that is not there");
    }
}

#[tokio::test]
async fn a_broken_write_stays_a_broken_link() {
    let mut host = Imagined::new().with_key(KEY);
    host.world().breaks.insert("StdRegProv.SetStringValue".into());
    let change = change(State::Absent, State::Present(text("x")));
    let error = apply(&mut host, &change).await.unwrap_err();
    assert!(matches!(error, WriteError::Link(HostError::Lost { .. })), "{error}");
}

#[tokio::test]
async fn keys_that_were_created_are_deleted_again_and_no_others() {
    let mut host = Imagined::new();
    let deep = KeyPath::new(r"SOFTWARE\Microsoft\A\B\C");
    let missing = missing_ancestors(&mut host, &deep).await.unwrap();
    let names: Vec<&str> = missing.iter().map(KeyPath::as_str).collect();
    let expected =
        [r"SOFTWARE\Microsoft\A\B\C", r"SOFTWARE\Microsoft\A\B", r"SOFTWARE\Microsoft\A"];
    assert_eq!(names, expected);

    host.write(&Write::CreateKey(deep)).await.unwrap();
    let mut host = host.with_value(r"SOFTWARE\Microsoft\A", "", text("not ours"));
    let deleted = delete_empty_keys(&mut host, &missing).await.unwrap();
    assert_eq!(deleted, missing[..2]);
    assert!(host.has_key(r"SOFTWARE\Microsoft\A"));
    assert!(delete_empty_keys(&mut host, &missing).await.unwrap().is_empty(), "twice is once");
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_neither_empty_nor_in_use() {
    let key = KeyPath::new(KEY);
    let mut host = Imagined::new().with_key(KEY);
    assert!(is_empty(&mut host, &key).await.unwrap());
    for method in ["EnumKey", "EnumValues", "GetStringValue"] {
        let mut host = Imagined::new().with_key(KEY);
        host.world().codes.insert(format!("StdRegProv.{method}"), 5);
        let error = delete_empty_keys(&mut host, std::slice::from_ref(&key)).await.unwrap_err();
        let words = error.to_string();
        assert!(words.contains("whether") && words.contains("access denied"), "{method}: {words}");
        assert!(host.has_key(KEY));
    }
}
