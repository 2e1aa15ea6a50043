//! A small share of the search of `examples/hostile`, and whether `fuzz` has a target for each decoder.

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::Path;

use rmsfleet::hostile::DECODERS;
use rmsfleet::hostile::dice::Dice;
use rmsfleet::hostile::mutate::mutate;
use rmsfleet::hostile::seeds;

/// Inputs for each decoder; `examples/hostile` takes millions.
const INPUTS: u64 = 60;

/// Seeds of the decoders of files, which stand beside the tests.
fn fixtures(decoder: &str) -> Vec<Vec<u8>> {
    match decoder {
        "plan" => vec![include_bytes!("../fixtures/plan-format-1.rmsplan").to_vec()],
        "journal" => vec![include_bytes!("../fixtures/journal-1.jsonl").to_vec()],
        _ => Vec::new(),
    }
}

#[test]
fn no_decoder_breaks_its_promises_on_spoiled_messages() {
    for decoder in DECODERS {
        let seeds = [seeds::of(decoder.name), fixtures(decoder.name)].concat();
        assert!(!seeds.is_empty(), "{} has nothing to begin with", decoder.name);
        for seed in &seeds {
            (decoder.oracle)(seed);
        }
        for at in 0..INPUTS {
            let input = mutate(&seeds, &mut Dice::of(1, decoder.name, at));
            let ended = panic::catch_unwind(|| (decoder.oracle)(&input));
            assert!(ended.is_ok(), "{} at {at}: {}", decoder.name, input.escape_ascii());
        }
    }
}

/// Seeds that no decoder takes would be a search in the dark.
#[test]
fn the_good_messages_are_good() {
    use rmsfleet::lab::request::Request;
    use rmsfleet::wire::psrp::clixml;
    use rmsfleet::wire::psrp::fragment::Assembler;
    use rmsfleet::wire::xml;

    let all = |decoder: &str, least: usize, good: &dyn Fn(&[u8]) -> bool| {
        let seeds = seeds::of(decoder);
        assert!(seeds.len() >= least, "{decoder} has only {}", seeds.len());
        for seed in seeds {
            assert!(good(&seed), "{decoder}: {}", seed.escape_ascii());
        }
    };
    all("lab_request", 20, &|seed| Request::read(seed).is_ok());
    all("wsman", 20, &|seed| xml::parse(seed).is_ok());
    all("shell", 4, &|seed| xml::parse(seed).is_ok());
    all("clixml", 9, &|seed| clixml::decode(seed).is_ok());
    all("fragments", 3, &|seed| {
        Assembler::default().receive(seed).is_ok_and(|messages| !messages.is_empty())
    });
    assert_eq!(seeds::of("ntlm_acceptor").len(), 3);
    assert_eq!(seeds::of("session").len(), 8);
}

#[test]
fn every_decoder_has_a_fuzz_target_and_every_target_a_decoder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let mut targets = BTreeSet::new();
    for entry in fs::read_dir(folder.join("fuzz_targets")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(&format!("check(\"{name}\", ")), "{name} runs another oracle");
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} is not in Cargo.toml");
        targets.insert(name);
    }
    let decoders: BTreeSet<String> =
        DECODERS.iter().map(|decoder| decoder.name.to_owned()).collect();
    assert_eq!(targets, decoders);
}
