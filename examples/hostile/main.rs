//! Spoiled messages for every decoder, as many as asked for:
//! `cargo run --profile hostile --example hostile -- --inputs 1000000`.
//!
//! Says how many inputs each decoder got, and for each one that broke a promise how to see it
//! again (`--decoder NAME --at PLACE --seed SEED`). Ends with 1 if there is any.

use std::any::Any;
use std::cell::RefCell;
use std::env;
use std::panic;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use rmsfleet::hostile::DECODERS;
use rmsfleet::hostile::Decoder;
use rmsfleet::hostile::dice::Dice;
use rmsfleet::hostile::mutate::mutate;
use rmsfleet::hostile::seeds;
use rmsfleet::manifest::range::MAX_NAMES;

use crate::meter::Meter;
use crate::meter::Taken;

mod meter;
mod recorded;

#[global_allocator]
static METER: Meter = Meter;

/// What an input may take: a base, and a share for each of its bytes.
const PEAK: (usize, usize) = (64 << 20, 50);
const CALLS: (usize, usize) = (60_000, 60);
/// An inventory may name this many hosts in a few bytes, `FS[1:9999]`.
const NAMED: usize = 150 * MAX_NAMES;
/// As tokio's workers and the program's own threads have.
const STACK: usize = 2 << 20;
/// Findings that are told in full.
const TOLD: usize = 20;

/// What the command line asks for.
struct Wanted {
    inputs: u64,
    seed: u64,
    threads: u64,
    decoder: Option<String>,
    at: Option<u64>,
}

/// A promise that was broken.
struct Finding {
    decoder: &'static str,
    at: u64,
    what: String,
}

/// What one decoder was put through.
#[derive(Default)]
struct Tally {
    inputs: u64,
    most: Taken,
    findings: Vec<Finding>,
}

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

fn main() -> ExitCode {
    let wanted = match wanted() {
        Ok(wanted) => wanted,
        Err(why) => {
            say(&format!(
                "{why}; usage: hostile --inputs N [--seed S] [--threads T] [--decoder NAME [--at PLACE]]"
            ));
            return ExitCode::from(64);
        }
    };
    // What a panic says is kept for the report instead of flooding the terminal.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        PLACE.set(place);
    }));
    let shared = env::var_os("RMSFLEET_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let recordings = recorded::read(&shared);
    if !shared.join("captures").exists() {
        say(&format!(
            "SKIP: {} is not there, so no recording is among the seeds",
            shared.display()
        ));
    }
    let decoders: Vec<(Decoder, Vec<Vec<u8>>)> = DECODERS
        .iter()
        .filter(|decoder| wanted.decoder.as_deref().is_none_or(|name| name == decoder.name))
        .map(|decoder| {
            let ours = recordings.iter().filter(|(names, _)| names.contains(&decoder.name));
            let mut all = seeds::of(decoder.name);
            all.extend(ours.map(|(_, bytes)| bytes.clone()));
            (*decoder, all)
        })
        .collect();
    if let Some(at) = wanted.at {
        return again(&decoders, wanted.seed, at);
    }
    let tallies = search(&decoders, &wanted);
    report(&decoders, &tallies, wanted.seed)
}

fn wanted() -> Result<Wanted, String> {
    let mut wanted = Wanted { inputs: 100_000, seed: 1, threads: 1, decoder: None, at: None };
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("`{word}` wants a value"))?;
        let number =
            || value.parse().map_err(|_| format!("`{word}` wants a number, got `{value}`"));
        match word.as_str() {
            "--inputs" => wanted.inputs = number()?,
            "--seed" => wanted.seed = number()?,
            "--threads" => wanted.threads = number()?.max(1),
            "--at" => wanted.at = Some(number()?),
            "--decoder" if DECODERS.iter().any(|decoder| decoder.name == value) => {
                wanted.decoder = Some(value);
            }
            "--decoder" => return Err(format!("no decoder is called `{value}`")),
            _ => return Err(format!("`{word}` is not known")),
        }
    }
    if wanted.at.is_some() && wanted.decoder.is_none() {
        return Err("`--at` wants a `--decoder`".to_owned());
    }
    Ok(wanted)
}

/// Deals the inputs out to decoders and threads.
fn search(decoders: &[(Decoder, Vec<Vec<u8>>)], wanted: &Wanted) -> Vec<Tally> {
    let many = u64::try_from(decoders.len()).unwrap_or(1).max(1);
    let tallies: Vec<Mutex<Tally>> = decoders.iter().map(|_| Mutex::default()).collect();
    thread::scope(|scope| {
        for thread in 0..wanted.threads {
            let tallies = &tallies;
            let work = move || {
                for (place, ((decoder, seeds), tally)) in
                    (0_u64..).zip(decoders.iter().zip(tallies))
                {
                    let inputs = wanted.inputs / many + u64::from(place < wanted.inputs % many);
                    for at in (0..inputs).filter(|at| at % wanted.threads == thread) {
                        let (taken, finding) = one(decoder, seeds, wanted.seed, at);
                        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                        tally.inputs += 1;
                        tally.most.peak = tally.most.peak.max(taken.peak);
                        tally.most.calls = tally.most.calls.max(taken.calls);
                        tally.findings.extend(finding);
                    }
                }
            };
            let started = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
            if let Err(error) = started {
                say(&format!("a thread cannot be started: {error}"));
            }
        }
    });
    tallies
        .into_iter()
        .map(|tally| tally.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

/// One input, from its dice to what came of it.
fn one(decoder: &Decoder, seeds: &[Vec<u8>], seed: u64, at: u64) -> (Taken, Option<Finding>) {
    let input = mutate(seeds, &mut Dice::of(seed, decoder.name, at));
    let length = input.len();
    meter::begin();
    let ended = panic::catch_unwind(|| (decoder.oracle)(&input));
    let taken = meter::taken();
    let over = |count: usize, (base, share): (usize, usize)| count > base + share * length;
    let named = if decoder.name == "inventory" { NAMED } else { 0 };
    let what = match ended {
        Err(payload) => Some(format!("panic: {}", words(payload.as_ref()))),
        Ok(()) if over(taken.peak, PEAK) => {
            Some(format!("memory: {} bytes for {length} bytes of input", taken.peak))
        }
        Ok(()) if over(taken.calls, (CALLS.0 + named, CALLS.1)) => {
            Some(format!("work: {} allocations for {length} bytes of input", taken.calls))
        }
        Ok(()) => None,
    };
    (taken, what.map(|what| Finding { decoder: decoder.name, at, what }))
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("without words");
    let place = PLACE.take();
    let text: String = text.chars().take(400).collect();
    format!("{} at {place}", text.escape_debug())
}

/// One input once more, shown.
fn again(decoders: &[(Decoder, Vec<Vec<u8>>)], seed: u64, at: u64) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for (decoder, seeds) in decoders {
        let input = mutate(seeds, &mut Dice::of(seed, decoder.name, at));
        say(&format!("{}", input.escape_ascii()));
        let (taken, finding) = one(decoder, seeds, seed, at);
        say(&format!(
            "{} bytes, {} held at most, {} allocations",
            input.len(),
            taken.peak,
            taken.calls
        ));
        if let Some(finding) = finding {
            say(&finding.what);
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn report(decoders: &[(Decoder, Vec<Vec<u8>>)], tallies: &[Tally], seed: u64) -> ExitCode {
    let mut told = 0;
    for ((decoder, seeds), tally) in decoders.iter().zip(tallies) {
        say(&format!(
            "{:<16}{:>10} inputs from {:>3} seeds, at most {:>6} KiB and {:>6} allocations",
            decoder.name,
            tally.inputs,
            seeds.len(),
            tally.most.peak / 1024,
            tally.most.calls
        ));
        for finding in tally.findings.iter().take(TOLD) {
            told += 1;
            say(&format!(
                "  --decoder {} --at {} --seed {seed}: {}",
                finding.decoder, finding.at, finding.what
            ));
        }
    }
    let inputs: u64 = tallies.iter().map(|tally| tally.inputs).sum();
    let found = |word: &str| {
        let all = tallies.iter().flat_map(|tally| &tally.findings);
        all.filter(|finding| finding.what.starts_with(word)).count()
    };
    let (panics, others) = (found("panic"), found("memory") + found("work"));
    if others > 0 {
        say(&format!("{others} inputs took more than they may"));
    }
    say(&format!("{inputs} inputs, {panics} panics"));
    if told == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stdout, reason = "an example has no report to print through")]
fn say(line: &str) {
    println!("{line}");
}
