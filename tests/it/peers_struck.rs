//! Requests of a rollout struck on the wire by a server that is not ours, in every way that it
//! knows, and counted there. `RMSFLEET_EXHAUSTIVE` strikes each of them.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Mutex;

use serde_json::Value;
use serde_json::json;

use crate::peers_resume::Bench;

/// Benches side by side: most of their time is waiting.
const SIDE_BY_SIDE: usize = 9;

const APPLY: [&str; 5] = ["apply", "x.rmsplan", "--yes", "--confirm", "Contoso"];

/// What the server can do with one request.
fn ways() -> Vec<Value> {
    let way = |way: &str| json!({"do": way});
    let status = |status: u16| json!({"do": "http", "status": status});
    vec![
        way("reset-before"),
        way("reset-after"),
        way("truncate"),
        way("wrong-sequence"),
        status(401),
        status(503),
        json!({"do": "hang", "seconds": 13}),
        json!({"do": "fault", "code": 5, "sub": "w:AccessDenied", "message": "access is denied"}),
        json!({"do": "return", "value": 5}),
        // From here on only where everything is struck.
        way("close-before"),
        way("close-after"),
        way("garbage"),
        way("bad-signature"),
        way("plain"),
        way("wrong-relates"),
        status(500),
        json!({"do": "fault", "code": 995, "after": true, "message": "aborted"}),
        json!({"do": "cmdlet-error", "message": "the directory does not answer"}),
    ]
}

impl Bench {
    /// A bench with a plan for it, so that nothing but the rollout is counted from here on.
    fn planned() -> Option<Self> {
        let bench = Self::start()?;
        bench.expect(&["plan", "-i", "inventory.yml", "-o", "x.rmsplan"], 0);
        Some(bench)
    }

    /// Requests that each host has answered so far.
    fn requests(&self) -> BTreeMap<String, u64> {
        let stats = self.server.stats();
        let count = |host: &Value| {
            let actions = host["actions"].as_object().into_iter().flatten();
            actions.map(|(_, count)| count.as_u64().unwrap_or_default()).sum()
        };
        self.server.ports.keys().map(|name| (name.clone(), count(&stats["hosts"][name]))).collect()
    }

    fn registries(&self) -> BTreeMap<String, Value> {
        let read = |name: &String| (name.clone(), self.server.registry(name));
        self.server.ports.keys().map(read).collect()
    }

    /// Every act that reached a host was announced, and what is told of it is so.
    #[track_caller]
    fn check_told(&self, exit: i32, end: &BTreeMap<String, Value>) {
        let journal = self.journal();
        let events: Vec<Value> =
            journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let stats = self.server.stats();
        let told = |kind: &str| events.iter().filter(|event| event["type"] == kind).count() as u64;
        let mut well = told("step-verified") == 1;
        let mut set = 0;
        for (name, wanted) in end {
            let of = |kind: &str| {
                let is = |event: &&Value| event["type"] == kind && event["host"] == **name;
                events.iter().filter(is).count() as u64
            };
            let announced = of("change-intended")
                + of("restore-intended")
                + of("mark-intended")
                + of("key-intended")
                // Wanted, held, and taken away.
                + 3 * of("lease-intended");
            let acts = ["Set", "CreateKey", "DeleteKey", "DeleteValue"];
            let written = self.server.actions(name, &acts);
            assert!(written <= announced, "{name}: {written} writes, {announced} announced");
            let host = &stats["hosts"][name];
            let orders = host["orders"].as_array().map_or(0, Vec::len) as u64;
            assert!(orders <= of("restart-intended").min(1), "{name}: {orders} orders");
            assert!(host["reboots"].as_u64().unwrap() <= orders, "{name}: {host}");
            set += host["cmdlets"]["Set-IRMConfiguration"].as_u64().unwrap_or_default();
            let ended = events
                .iter()
                .rev()
                .find(|event| event["type"] == "host-ended" && event["host"] == *name.as_str());
            let is_done = ended.is_some_and(|event| event["outcome"] == "changed");
            well &= is_done;
            if is_done && of("lease-left") == 0 {
                let held = self.server.registry(name);
                assert!(told("run-ended") == 0 || held == *wanted, "{name}: {held:#}");
            }
        }
        assert!(set <= told("step-intended").min(1), "{set} calls of Set-IRMConfiguration");
        assert_eq!(exit == 0, well, "exit {exit}:\n{journal}");
    }
}

fn strike(rule: &Value, end: &BTreeMap<String, Value>) {
    let Some(bench) = Bench::planned() else { return };
    bench.server.faults(&json!([rule]));
    let output = bench.command(&APPLY).output().unwrap();
    bench.check_told(output.status.code().unwrap(), end);
    bench.server.faults(&json!([]));
    let run = bench.run();
    bench.expect(&["runs", "verify", &run], 0);
    bench.expect(&["resume", &run, "--yes", "--confirm", "Contoso", "--settle", "3"], 0);
    bench.check_told(0, end);
    assert_eq!(bench.registries(), *end);
}

#[test]
fn peers_a_request_struck_in_any_way_leaves_a_state_that_is_told_truly() {
    let Some(bench) = Bench::planned() else { return };
    let before = bench.requests();
    bench.expect(&APPLY, 0);
    let (after, end) = (bench.requests(), bench.registries());
    bench.check_told(0, &end);
    drop(bench);
    let all = std::env::var_os("RMSFLEET_EXHAUSTIVE").is_some();
    let mut rules = VecDeque::new();
    for (place, way) in ways().into_iter().enumerate() {
        let hosts: Vec<&String> = after.keys().collect();
        for (turn, host) in hosts.iter().enumerate() {
            let count = after[*host] - before[*host];
            // Each way meets another host, somewhere in its middle.
            let middle = count * (place as u64 % 7 + 1) / 8;
            let chosen = if all {
                0..count
            } else if place < SIDE_BY_SIDE && place % hosts.len() == turn {
                middle..middle + 1
            } else {
                0..0
            };
            rules.extend(chosen.map(|skip| {
                let mut rule = way.clone();
                rule["host"] = json!(host);
                rule["skip"] = json!(skip);
                rule
            }));
        }
    }
    let (rules, broken) = (Mutex::new(rules), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..SIDE_BY_SIDE {
            threads.spawn(|| {
                while let Some(rule) = { rules.lock().unwrap().pop_front() } {
                    if catch_unwind(AssertUnwindSafe(|| strike(&rule, &end))).is_err() {
                        broken.lock().unwrap().push(rule);
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{broken:#?}");
}
