use super::*;
use crate::event::Event;
use crate::model::host::HostName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Outcome;
use crate::model::plan::Note;
use crate::plan::sample;

const EVIL: &str = "</td><script>alert(1)</script> \"x\" 'y' | a\n# b\u{202e} **c** [d](http://e)";

fn record(event: Event) -> Record {
    Record { seq: 0, ts: sample::now(), run: "run-1".into(), event }
}

fn ended(outcome: Outcome) -> Vec<Record> {
    vec![record(Event::HostEnded { host: HostName::new("FS1"), outcome })]
}

#[test]
fn every_format_carries_the_plan_s_digest() {
    let (plan, digest) = (sample::plan(), "0123abcd");
    assert!(html(&plan, digest, &[]).contains(digest));
    assert!(markdown(&plan, digest, &[]).contains(digest));
    assert!(crate::report::plan::json(&plan, Some(digest)).unwrap().contains(digest));
}

#[test]
fn text_of_a_host_stays_text() {
    let mut plan = sample::plan();
    let host = plan.hosts.get_mut(&HostName::new("FS1")).unwrap();
    host.notes.push(Note { id: "evil".into(), text: EVIL.into() });
    let failed = ended(Outcome::Failed(Failure::new(FailureKind::Fault, EVIL)));
    let page = html(&plan, "0", &failed);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)"));
    assert!(
        !page.contains('\u{202e}') && page.matches("</td>").count() == page.matches("<td").count()
    );
    let text = markdown(&plan, "0", &failed);
    assert!(!text.contains("<script") && !text.contains("\n# b") && !text.contains(" [d]("));
    let xml = junit(&plan, &failed);
    assert!(!xml.contains("<script") && xml.contains("failures=\"4\""), "{xml}");
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = html(&sample::plan(), "0", &[]);
    for word in ["<script", "<link", "<img", "@import", "url(", "src="] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("@media print") && page.contains("default-src 'none'"));
}

#[test]
fn what_happened_stands_beside_what_was_planned() {
    let plan = sample::plan();
    assert!(!html(&plan, "0", &[]).contains("What actually happened"));
    let page = html(&plan, "0", &ended(Outcome::Changed { values: 2, restarted: false }));
    assert!(page.contains("What actually happened") && page.contains("What happened"));
    assert!(page.contains("the records end before the run&#39;s end"), "nobody says it went well");
    let xml = junit(&plan, &ended(Outcome::NotStarted));
    assert!(xml.contains("<skipped"), "what was not begun has not passed");
}

#[test]
fn a_host_that_was_left_out_is_told_as_that() {
    let plan = sample::plan();
    let mut records = ended(Outcome::NotStarted);
    let told = |records: &[Record]| {
        let texts =
            [html(&plan, "0", records), markdown(&plan, "0", records), junit(&plan, records)];
        texts.map(|text| text.contains("Left out: by --limit"))
    };
    assert_eq!(told(&records), [false; 3]);
    let hosts = vec![HostName::new("FS1")];
    let event = Event::HostsLeftOut { limit: "!FS1".to_owned(), hosts };
    records.insert(1, Record { event, ..records[0].clone() });
    assert_eq!(told(&records), [true; 3]);
}

#[test]
fn the_way_back_is_told_as_fully_as_the_way_there() {
    let plan = sample::plan();
    let text = markdown(&plan, "0", &[]);
    let (_, back) = text.split_once("## Back-out").unwrap();
    let changes: usize = crate::plan::fold::fold(&plan).iter().map(|set| set.changes.len()).sum();
    let rows = back.split("## ").next().unwrap().lines().filter(|line| line.starts_with("| HKLM"));
    assert_eq!(rows.count(), changes);
}

#[test]
fn a_page_of_five_hundred_hosts_is_below_a_megabyte() {
    let names: Vec<String> =
        (1..=500).map(|number| format!("FS{number}.corp.contoso.com")).collect();
    let fleet = sample::Fleet::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let page = html(&fleet.plan(), "0", &[]);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}
