//! Role × version × evidence × what stands in the way, against verdict, blockers and values.
//!
//! The expected side is written from the documents' tables once more and shares no code with the
//! planner. The whole table has some hundreds of millions of rows: each run walks it with a stride that is
//! prime to every dimension, `RMSFLEET_EXHAUSTIVE=1` with a shorter one.

mod case;
mod furnished;
mod oracle;
mod peers;
mod survey;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use rmsfleet::manifest::builtin;
use rmsfleet::manifest::inventory;
use rmsfleet::manifest::inventory::InventorySources;
use rmsfleet::manifest::pattern::select_surveyed;
use rmsfleet::model::facts::Survey;
use rmsfleet::model::host::Host;
use rmsfleet::model::host::PriorAdrms;
use rmsfleet::model::plan::PlannedHost;
use rmsfleet::model::product::Product;
use rmsfleet::model::registry::State;
use rmsfleet::model::rollout::Playbook;
use rmsfleet::model::rules::RulePack;
use rmsfleet::model::surveyed::Surveyed;
use rmsfleet::model::verdict::RestartNeed;
use rmsfleet::plan::PlanInput;
use rmsfleet::plan::make;

use case::Beside;
use case::Case;
use case::Location;
use case::Redirect;
use oracle::Expected;

const INVENTORY: &str = "all:
  vars:
    rms_tenant_url: https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com
    rms_connector_url: https://rmsconnector.contoso.com
  children:
    exchange: { hosts: { EX01.corp.contoso.com: }, vars: { rms_role: exchange } }
    sharepoint: { hosts: { SP01.corp.contoso.com: }, vars: { rms_role: sharepoint } }
    fileservers: { hosts: { FS01.corp.contoso.com: }, vars: { rms_role: fci } }
";

struct Bench {
    hosts: Vec<Host>,
    playbook: Playbook,
    pack: RulePack,
}

impl Bench {
    fn new() -> Self {
        let sources = InventorySources::alone("inventory.yml", INVENTORY);
        let hosts = inventory::parse(&sources, &[]).map_err(|found| found.render(false)).unwrap();
        Self {
            hosts: hosts.hosts,
            playbook: builtin::playbook().unwrap(),
            pack: builtin::rules().unwrap(),
        }
    }

    fn plan(&self, case: &Case) -> PlannedHost {
        let role = case.product.role();
        let host = self.hosts.iter().find(|host| host.role == Some(role)).unwrap();
        let mut host = host.clone();
        host.prior_adrms = case.prior;
        let survey: Survey = survey::survey(case, &host, &self.pack);
        let name = host.name.clone();
        let hosts = [host];
        // The built-in playbook's patterns name groups that one host alone does not make.
        let select = |pattern: &str, surveyed: &Surveyed| -> Result<_, String> {
            Ok(select_surveyed(pattern, &hosts, surveyed).unwrap_or_default())
        };
        let mut plan = make(&PlanInput {
            id: "table".into(),
            now: survey::now(),
            tool: "rmsfleet".into(),
            lab: false,
            inputs: Vec::new(),
            hosts: &hosts,
            playbook: &self.playbook,
            pack: &self.pack,
            survey: &survey,
            select: &select,
            limit: None,
            waivers: &[],
            waived_servers: &[],
        });
        plan.hosts.remove(&name).unwrap()
    }
}

/// What the plan says, in the oracle's words.
fn told(planned: &PlannedHost) -> Expected {
    let values = planned.changes.iter().map(|change| {
        let State::Present(value) = &change.after else { panic!("a removal: {change:?}") };
        let key = change.path.key.as_str().to_lowercase();
        (key, change.path.name.as_str().to_owned(), value.as_sz().unwrap().to_owned())
    });
    Expected {
        need: match planned.verdict.need {
            RestartNeed::Required => "required",
            RestartNeed::NotRequired => "not-required",
            RestartNeed::Unknown => "unknown",
        },
        values: values.collect(),
        blockers: planned.blockers.iter().map(|one| one.id.clone()).collect(),
        foreign: planned.notes.iter().filter(|note| note.id == "foreign-variant").count(),
    }
}

/// What is wrong with one row, if anything.
fn wrong(bench: &Bench, case: &Case) -> Option<String> {
    let planned = bench.plan(case);
    let (got, expected) = (told(&planned), oracle::expected(case));
    let is_silent =
        planned.verdict.evidence.is_empty() && planned.verdict.need != RestartNeed::Unknown;
    (got != expected || is_silent).then(|| {
        format!("{case:?}\nexpected {expected:?}\n     got {got:?}\n{:?}", planned.blockers)
    })
}

#[track_caller]
fn check(bench: &Bench, cases: impl IntoIterator<Item = Case>) {
    let mut rows = 0;
    let mut all = Vec::new();
    for case in cases {
        rows += 1;
        all.extend(wrong(bench, &case));
    }
    let first: Vec<&str> = all.iter().take(6).map(String::as_str).collect();
    assert!(all.is_empty(), "{} of {rows} rows:\n{}", all.len(), first.join("\n\n"));
}

#[test]
fn every_product_with_each_piece_of_evidence_alone() {
    let cases: Vec<Case> = Product::ALL.into_iter().flat_map(Case::alone).collect();
    let blockers: BTreeSet<BTreeSet<String>> =
        cases.iter().map(|case| oracle::expected(case).blockers).collect();
    assert!(blockers.len() > 15, "the table is not as wide as it says: {blockers:#?}");
    check(&Bench::new(), cases);
}

#[test]
fn every_product_with_all_evidence_crossed() {
    let exhaustive = std::env::var_os("RMSFLEET_EXHAUSTIVE").is_some_and(|value| value == "1");
    let stride = if exhaustive { 10_007 } else { 300_007 };
    let cases: Vec<Case> = (0..Case::count()).step_by(stride).map(Case::numbered).collect();
    let mut needs = BTreeMap::<&str, usize>::new();
    for case in &cases {
        *needs.entry(oracle::expected(case).need).or_default() += 1;
    }
    assert!(needs.len() == 3 && needs.values().all(|rows| *rows > 30), "{needs:?}");
    check(&Bench::new(), cases);
}

#[test]
fn a_host_that_holds_its_values_is_left_alone_whatever_it_was_before() {
    let mut cases = Vec::new();
    for product in Product::ALL {
        for prior in [PriorAdrms::Auto, PriorAdrms::Used, PriorAdrms::Never] {
            let mut case = Case::plain(product);
            case.prior = prior;
            case.holds_all = true;
            case.beside = Beside::Unread;
            let expected = oracle::expected(&case);
            assert!(expected.values.is_empty() && expected.need == "not-required");
            cases.push(case);
        }
    }
    // One value of a set that is otherwise there.
    let mut case = Case::plain(Product::Exchange2019);
    case.holds_all = true;
    case.activation = Location::Third;
    case.redirect = Redirect::Phase4;
    assert_eq!(oracle::expected(&case).values.len(), 1);
    cases.push(case);
    check(&Bench::new(), cases);
}
